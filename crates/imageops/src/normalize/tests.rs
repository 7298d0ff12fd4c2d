use super::*;

const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

fn pixels(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 31 % 256) as u8).collect()
}

/// What torch does, one value at a time.
fn expected(value: u8, channel: usize) -> f32 {
    (f32::from(value) / 255.0 - MEAN[channel]) / STD[channel]
}

#[test]
fn every_value_goes_to_its_place() {
    let (height, width, samples) = (37, 41, 3);
    let area = height * width;
    let pixels = pixels(area * 3 * samples);
    let shape = (height as u32, width as u32, 3);
    let mut nchw = vec![0.0; pixels.len()];
    normalize(&pixels, shape, &MEAN, &STD, Layout::Nchw, &mut nchw).unwrap();
    let mut nhwc = vec![0.0; pixels.len()];
    normalize(&pixels, shape, &MEAN, &STD, Layout::Nhwc, &mut nhwc).unwrap();
    for (place, &value) in pixels.iter().enumerate() {
        let (sample, pixel, channel) = (place / (area * 3), place / 3 % area, place % 3);
        let expected = expected(value, channel).to_bits();
        assert_eq!(nhwc[place].to_bits(), expected);
        assert_eq!(nchw[(sample * 3 + channel) * area + pixel].to_bits(), expected);
    }
}

#[test]
fn gray_is_the_same_in_both_layouts() {
    for layout in [Layout::Nchw, Layout::Nhwc] {
        let mut out = [0.0; 4];
        normalize(&[0, 255, 255, 0], (2, 2, 1), &[0.5], &[0.5], layout, &mut out).unwrap();
        assert_eq!(out, [-1.0, 1.0, 1.0, -1.0]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refuse = |bytes: usize, shape, mean: &[f32], std: &[f32], values: usize| {
        let result = normalize(&pixels(bytes), shape, mean, std, Layout::Nchw, &mut vec![0.0; values]);
        assert!(matches!(result, Err(ImageError::Argument { .. })), "{result:?}");
    };
    refuse(11, (2, 2, 3), &MEAN, &STD, 11);
    refuse(12, (2, 2, 3), &MEAN, &STD, 11);
    refuse(0, (0, 2, 3), &MEAN, &STD, 0);
    refuse(8, (2, 2, 2), &MEAN[..2], &STD[..2], 8);
    refuse(12, (2, 2, 3), &MEAN[..2], &STD, 12);
    refuse(12, (2, 2, 3), &MEAN, &[0.2, 0.0, 0.2], 12);
    refuse(12, (2, 2, 3), &[0.1, f32::NAN, 0.2], &STD, 12);
}
