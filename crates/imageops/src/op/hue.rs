//! The hue, through Pillow's HSV with 8 bits a channel.

use super::canvas::Canvas;
use super::simd::vectorized;

/// Turns the hue by a share of the colour circle; what is cut off in the conversions is what Pillow cuts off. Gray stays.
pub(super) fn turn(canvas: &mut Canvas<'_>, share: f32) {
    if canvas.channels == 1 {
        return;
    }
    // torchvision computes the shift in double precision and lets it wrap.
    let shift = (f64::from(share) * 255.0) as i32 as u8;
    turn_all(canvas.pixels, shift);
}

vectorized! {
    fn turn_all(pixels: &mut [u8], shift: u8) {
        for pixel in pixels.as_chunks_mut::<3>().0 {
            let [h, s, v] = to_hsv(*pixel);
            *pixel = to_rgb([h.wrapping_add(shift), s, v]);
        }
    }
}

/// Rounds a number in 0..=255, halves up.
#[inline(always)]
fn rounded(value: f64) -> u8 {
    let whole = value as i32;
    (whole + i32::from(value - f64::from(whole) >= 0.5)) as u8
}

/// Hue, saturation and value of 8 bits each, in f32 as in Pillow's `rgb2hsv`.
#[inline(always)]
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    if high == low {
        return [0, 0, high];
    }
    let range = f32::from(high - low);
    let distance = |channel: u8| f32::from(high - channel) / range;
    let (rc, gc, bc) = (distance(r), distance(g), distance(b));
    let sixths = if r == high {
        bc - gc
    } else if g == high {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    // From 5/6 to 11/6 into 0..1: the rest of a division by 1.
    let turned = f64::from(sixths) / 6.0 + 1.0;
    let hue = (if turned >= 1.0 { turned - 1.0 } else { turned }) as f32;
    let saturation = range / f32::from(high);
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, high]
}

/// Pillow's `hsv2rgb`.
#[inline(always)]
fn to_rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let sixths = f64::from(h) * 6.0 / 255.0;
    let sector = sixths as u8;
    let f = (sixths - f64::from(sector)) as f32;
    let saturation = (f64::from(s) / 255.0) as f32;
    let value = f32::from(v);
    let level = |share: f64| rounded(f64::from(value) * share);
    let (saturation, f) = (f64::from(saturation), f64::from(f));
    let p = level(1.0 - saturation);
    let q = level(1.0 - saturation * f);
    let t = level(1.0 - saturation * (1.0 - f));
    match sector % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}

#[cfg(test)]
mod tests;
