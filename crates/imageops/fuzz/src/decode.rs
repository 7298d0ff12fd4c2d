//! The body of the target `decode`.

use millstream_imageops::{Filter, Image, ImageError, Limits, Options, Picture, Renderer, Rng, SampleKey};
use millstream_imageops::{Step, Truncated, View};

/// Small: what is slow or large at this size is so because of the file's structure.
const LIMITS: Limits = Limits { pixels: 1 << 18, memory: 1 << 23 };

/// Decodes a file whole, cut and resized.
pub(crate) fn check(file: &[u8]) {
    let sample = sample(file);
    let mut rng = Rng::new(&sample, 0);
    let truncated = if rng.coin(0.5) { Truncated::Keep } else { Truncated::Refuse };
    let channels = if rng.coin(0.5) { 1 } else { 3 };
    let options = Options { limits: LIMITS, truncated, scale: false, intact: false };
    let (crop, resize) = (crop(&mut rng), resize(&mut rng));

    let mut renderer = Renderer::new(options);
    let mut image = Image::default();
    let whole = checked(renderer.decode(file, channels, &mut image).map(|()| image), channels);
    for steps in [crop, resize.clone()] {
        let view = View::of_any_size(steps, channels).expect("the steps are in range");
        let part = render(&mut renderer, &view, Picture::Encoded(file), &sample, channels);
        // Of a damaged file a part may be whole.
        if let Ok(whole) = &whole {
            let expected = render(&mut renderer, &view, whole.picture(), &sample, channels);
            assert!(part == expected, "{view:?}");
        }
    }
    let view = View::of_any_size(resize, channels).expect("the steps are in range");
    let mut scaling = Renderer::new(Options { scale: true, ..options });
    let scaled = render(&mut scaling, &view, Picture::Encoded(file), &sample, channels);
    assert!(whole.is_err() || scaled.is_ok(), "{:?}", scaled.err());
}

/// All choices come from the last bytes: what follows the end of an image changes nothing else in most formats.
fn sample(file: &[u8]) -> SampleKey {
    let seed = u64::from_be_bytes(file.last_chunk().copied().unwrap_or_default());
    SampleKey { seed, round: 0, epoch: 0, key: 0, copy: 0, view: seed as u8 }
}

fn crop(rng: &mut Rng) -> Vec<Step> {
    vec![Step::FiveCrop { height: 1 + rng.range(48), width: 1 + rng.range(48) }]
}

fn resize(rng: &mut Rng) -> Vec<Step> {
    let filters = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
    let filter = filters[rng.range(4) as usize];
    let (height, width) = (1 + rng.range(32), 1 + rng.range(32));
    let area = Step::RandomResizedCrop { scale: (0.01, 1.0), ratio: (0.2, 5.0), height, width, filter };
    vec![area, Step::RandomFlip { horizontal: true, p: 0.5 }]
}

fn render(
    renderer: &mut Renderer,
    view: &View,
    picture: Picture<'_>,
    sample: &SampleKey,
    channels: u8,
) -> Result<Image, ImageError> {
    let mut image = Image::default();
    checked(renderer.render_image(view, picture, sample, &mut image).map(|()| image), channels)
}

/// Every result is an image, or an error that makes the record a dead letter.
fn checked(result: Result<Image, ImageError>, channels: u8) -> Result<Image, ImageError> {
    match &result {
        Ok(image) => {
            let Image { width, height, ref pixels, .. } = *image;
            assert_eq!(Image::from_pixels(width, height, channels, pixels.clone()).as_ref(), Ok(image));
            assert!(u64::from(width) * u64::from(height) <= LIMITS.pixels, "{width}x{height}");
        }
        Err(error) => assert!(error.is_in_the_bytes(), "{error}"),
    }
    result
}
