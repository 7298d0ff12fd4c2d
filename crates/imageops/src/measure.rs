//! What can be measured of a decoded image: its channels, how sharp it is, and whether it shows the same as another one.

use crate::{Image, ImageError, PHASH_SIDE};

/// Sums over the pixels of an image, channel by channel. Gray counts as three equal channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Pixels.
    pub pixels: u64,
    /// Sums of the values, which are 0 to 255.
    pub sums: [u64; 3],
    /// Sums of their squares.
    pub squares: [u64; 3],
    /// Whether all pixels are gray: their channels are equal.
    pub gray: bool,
}

impl Moments {
    /// Those of an image. What is no gray or RGB image has none.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let mut moments = Moments { gray: true, ..Moments::default() };
        match image.channels {
            1 => {
                let (sum, square) = sums(image.pixels.iter().copied());
                (moments.sums, moments.squares) = ([sum; 3], [square; 3]);
                moments.pixels = image.pixels.len() as u64;
            }
            3 => {
                let pixels = image.pixels.as_chunks::<3>().0;
                for channel in 0..3 {
                    (moments.sums[channel], moments.squares[channel]) = sums(pixels.iter().map(|pixel| pixel[channel]));
                }
                moments.pixels = pixels.len() as u64;
                moments.gray = pixels.iter().all(|[r, g, b]| r == g && g == b);
            }
            _ => {}
        }
        moments
    }
}

fn sums(values: impl Iterator<Item = u8>) -> (u64, u64) {
    values.fold((0, 0), |(sum, square), value| {
        let value = u64::from(value);
        (sum + value, square + value * value)
    })
}

/// The variance of the Laplacian (0 1 0, 1 -4 1, 0 1 0) of a gray image: small where there are no edges, as in blurred images
/// (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy"). 0 where the image has no inside. It depends on the size
/// of the image: compare those of one scale.
///
/// # Errors
/// [`ImageError::Shape`] for what is no gray image.
pub fn sharpness(image: &Image) -> Result<f64, ImageError> {
    image.check()?;
    let (width, height) = (image.width as usize, image.height as usize);
    if image.channels != 1 {
        let (expected, found) = ((width * height) as u64, image.pixels.len() as u64);
        return Err(ImageError::Shape { width: image.width, height: image.height, channels: 1, expected, found });
    }
    if width < 3 || height < 3 {
        return Ok(0.0);
    }
    let (mut sum, mut squares) = (0_i64, 0_i64);
    let rows: Vec<&[u8]> = image.pixels.chunks_exact(width).collect();
    for around in rows.windows(3) {
        for x in 1..width - 1 {
            let at = |row: usize, x: usize| i64::from(around[row][x]);
            let edge = at(0, x) + at(2, x) + at(1, x - 1) + at(1, x + 1) - 4 * at(1, x);
            sum += edge;
            squares += edge * edge;
        }
    }
    let count = ((width - 2) * (height - 2)) as f64;
    let mean = sum as f64 / count;
    Ok((squares as f64 / count - mean * mean).max(0.0))
}

/// How alike two images are, whatever their brightness and contrast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Their correlation, in [-1, 1]: 1 where one is the other in another brightness or contrast. Of two images without any contrast
    /// it is 1 where they are of one brightness, else 0.
    pub correlation: f64,
    /// What of the one with more contrast the other does not explain: the root of the mean square, in steps of gray. Rounding and
    /// another encoding leave less than 1.
    pub residual: f64,
}

/// Holds two gray images of 32 x 32 pixels against each other.
#[must_use]
pub fn likeness(one: &[u8; PHASH_SIDE * PHASH_SIDE], other: &[u8; PHASH_SIDE * PHASH_SIDE]) -> Likeness {
    let count = one.len() as i64;
    let (mut a, mut b, mut aa, mut bb, mut ab) = (0_i64, 0_i64, 0_i64, 0_i64, 0_i64);
    for (x, y) in one.iter().zip(other) {
        let (x, y) = (i64::from(*x), i64::from(*y));
        (a, b, aa, bb, ab) = (a + x, b + y, aa + x * x, bb + y * y, ab + x * y);
    }
    let (of_one, of_other) = ((count * aa - a * a) as f64, (count * bb - b * b) as f64);
    let correlation = match (of_one > 0.0, of_other > 0.0) {
        (false, false) => f64::from(u8::from(a == b)),
        (true, true) => (count * ab - a * b) as f64 / (of_one.sqrt() * of_other.sqrt()),
        _ => 0.0,
    };
    let unexplained = (1.0 - correlation * correlation).max(0.0);
    Likeness { correlation, residual: of_one.max(of_other).sqrt() / count as f64 * unexplained.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, height: u32, pixel: impl Fn(u32, u32) -> u8) -> Image {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect();
        Image::from_pixels(width, height, 1, pixels).unwrap()
    }

    #[test]
    fn moments_are_sums_of_each_channel() {
        let image = Image::from_pixels(2, 1, 3, vec![1, 2, 3, 10, 20, 30]).unwrap();
        let expected = Moments { pixels: 2, sums: [11, 22, 33], squares: [101, 404, 909], gray: false };
        assert_eq!(Moments::of(&image), expected);
        let image = gray(2, 1, |x, _| x as u8 * 7);
        assert_eq!(Moments::of(&image), Moments { pixels: 2, sums: [7; 3], squares: [49; 3], gray: true });
        assert_eq!(Moments::of(&image.to_channels(3)).sums, [7; 3]);
    }

    #[test]
    fn edges_are_sharp_and_slopes_are_not() {
        assert_eq!(sharpness(&gray(9, 9, |x, y| (10 * x + y) as u8)).unwrap(), 0.0);
        // One bright pixel in the middle of 5 x 5: the Laplacian is -400 there, 100 at its four neighbours, 0 at the other four.
        let dot = gray(5, 5, |x, y| if (x, y) == (2, 2) { 100 } else { 0 });
        assert_eq!(sharpness(&dot).unwrap(), (160_000.0 + 4.0 * 10_000.0) / 9.0);
        assert_eq!(sharpness(&gray(2, 9, |x, _| x as u8)).unwrap(), 0.0);
        assert!(sharpness(&dot.to_channels(3)).is_err());
    }

    #[test]
    fn likeness_passes_over_brightness_and_contrast() {
        let one: [u8; 1024] = std::array::from_fn(|at| (at * at % 97) as u8);
        let correlation = |one: &[u8; 1024], other: &[u8; 1024]| likeness(one, other).correlation;
        assert!((correlation(&one, &one.map(|pixel| 2 * pixel + 20)) - 1.0).abs() < 1e-12);
        assert!((correlation(&one, &one.map(|pixel| 200 - pixel)) + 1.0).abs() < 1e-12);
        let other: [u8; 1024] = std::array::from_fn(|at| (at * 31 % 89) as u8);
        assert!(correlation(&one, &other).abs() < 0.3 && likeness(&one, &other).residual > 20.0);
        let (black, white) = ([0; 1024], [255; 1024]);
        assert_eq!(
            (correlation(&black, &black), correlation(&black, &white), correlation(&black, &one)),
            (1.0, 0.0, 0.0)
        );
        // Half of the pixels of a soft image one step brighter: what is left is about half a step.
        let soft: [u8; 1024] = std::array::from_fn(|at| (100 + at / 128) as u8);
        let noisy: [u8; 1024] = std::array::from_fn(|at| soft[at] + (at % 2) as u8);
        let Likeness { correlation, residual } = likeness(&soft, &noisy);
        assert!(correlation < 0.98 && (0.45..0.55).contains(&residual), "{correlation}, {residual}");
    }
}
