use proptest::prelude::*;

use super::*;
use crate::{Area, Sampling};

fn sample(key: u128) -> SampleKey {
    SampleKey { seed: 1, round: 0, epoch: 0, key, copy: 0, view: 0 }
}

/// An image whose every value is different from its neighbours.
fn ramp(width: u32, height: u32, channels: u8) -> Image {
    let bytes = width as usize * height as usize * usize::from(channels);
    let pixels = (0..bytes).map(|i| (i * 37 % 251) as u8).collect();
    Image::from_pixels(width, height, channels, pixels).unwrap()
}

fn render(view: &View, image: &Image, key: u128) -> Vec<u8> {
    let mut out = vec![0; view.bytes()];
    view.render(image.clone(), &sample(key), &mut out).unwrap();
    out
}

#[test]
fn an_empty_view_copies_and_adapts_channels_and_size() {
    let image = ramp(4, 4, 1);
    let same = View::new(vec![], (4, 4, 1)).unwrap();
    assert_eq!(render(&same, &image, 0), image.pixels);
    let rgb = View::new(vec![], (4, 4, 3)).unwrap();
    assert_eq!(render(&rgb, &image, 0), image.clone().to_channels(3).pixels);
    let larger = View::new(vec![], (8, 6, 1)).unwrap();
    assert_eq!(larger.resolve(4, 4, &sample(0)).len(), 1);
    assert_eq!(render(&larger, &image, 0).len(), 48);
}

#[test]
fn a_sample_is_the_same_whatever_was_rendered_before() {
    let steps = vec![
        Step::PadCrop { pad: 2, fill: 0 },
        Step::RandomAffine { degrees: 8.0, shear: 0.09, translate: 2.0, fill: 0 },
        Step::RandAugment { ops: 2, magnitude: 9, bins: 31, fill: 0 },
    ];
    let view = View::new(steps, (28, 28, 3)).unwrap();
    let image = ramp(28, 28, 3);
    let forward: Vec<_> = (0..50).map(|key| render(&view, &image, key)).collect();
    let backward: Vec<_> = (0..50).rev().map(|key| render(&view, &image, key)).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
    let elsewhere = std::thread::spawn(move || render(&view, &image, 7)).join().unwrap();
    assert_eq!(elsewhere, forward[7]);
}

#[test]
fn rendering_is_applying_the_resolved_ops() {
    let steps = vec![
        Step::RandomFlip { horizontal: true, p: 0.5 },
        Step::RandAugment { ops: 3, magnitude: 20, bins: 31, fill: 0 },
        Step::Apply { op: Op::Invert, p: 0.5 },
    ];
    let view = View::new(steps, (20, 24, 3)).unwrap();
    let image = ramp(30, 18, 3);
    for key in 0..40 {
        let mut by_hand = image.clone();
        for op in view.resolve(30, 18, &sample(key)) {
            crate::apply(&op, &mut by_hand, 0).unwrap();
        }
        assert_eq!(by_hand.pixels, render(&view, &image, key));
    }
}

#[test]
fn a_step_draws_the_same_whatever_the_steps_before_it_drew() {
    let augment = Step::RandAugment { ops: 2, magnitude: 9, bins: 31, fill: 0 };
    let rare = View::new(vec![Step::Apply { op: Op::Invert, p: 0.0 }, augment.clone()], (8, 8, 1)).unwrap();
    let twice = vec![Step::RandomAffine { degrees: 1.0, shear: 0.0, translate: 0.0, fill: 0 }, augment];
    let other = View::new(twice, (8, 8, 1)).unwrap();
    assert_eq!(rare.resolve(8, 8, &sample(3))[..], other.resolve(8, 8, &sample(3))[1..]);
}

#[test]
fn center_crop_rounds_halves_to_even_and_pads_with_black() {
    let crop = |size: (u32, u32), window: (u32, u32)| {
        let view = View::new(vec![Step::CenterCrop { width: window.0, height: window.1 }], (window.1, window.0, 1));
        view.unwrap().resolve(size.0, size.1, &sample(0))[0]
    };
    let area = |left, top, width, height| Op::Crop(Area { left, top, width, height });
    assert_eq!(crop((9, 11), (4, 4)), area(2, 4, 4, 4));
    assert_eq!(crop((8, 8), (8, 8)), area(0, 0, 8, 8));
    assert_eq!(crop((3, 4), (8, 6)), area(-2, -1, 8, 6));
    let view = View::new(vec![Step::CenterCrop { width: 3, height: 3 }], (3, 3, 1)).unwrap();
    assert_eq!(render(&view, &Image::from_pixels(1, 1, 1, vec![9]).unwrap(), 0), [0, 0, 0, 0, 9, 0, 0, 0, 0]);
}

#[test]
fn resize_short_keeps_the_aspect_ratio() {
    let size = |width, height, short| {
        let step = Step::ResizeShort { size: short, filter: Filter::Bilinear };
        View::new(vec![step], (1, 1, 1)).unwrap().resolve(width, height, &sample(0))[0].size_after((0, 0))
    };
    assert_eq!(size(480, 395, 256), (311, 256));
    assert_eq!(size(395, 480, 256), (256, 311));
    assert_eq!(size(10, 10, 7), (7, 7));
    assert_eq!(size(1, 65_535, 10_000), (10_000, 26_843));
}

#[test]
fn random_crops_lie_within_the_image_and_cover_it() {
    let step = Step::RandomResizedCrop {
        scale: (0.08, 1.0),
        ratio: (0.75, 4.0 / 3.0),
        height: 4,
        width: 4,
        filter: Filter::Bilinear,
    };
    let view = View::new(vec![step], (4, 4, 1)).unwrap();
    let mut seen = [[false; 20]; 10];
    for key in 0..500 {
        let Op::Resize { area: Some(area), .. } = view.resolve(20, 10, &sample(key))[0] else { panic!() };
        let (left, top) = (area.left as usize, area.top as usize);
        let share = f64::from(area.width * area.height) / 200.0;
        assert!(share > 0.06 && left + area.width as usize <= 20 && top + area.height as usize <= 10, "{area:?}");
        seen[top..][..area.height as usize].iter_mut().for_each(|row| row[left..][..area.width as usize].fill(true));
    }
    assert!(seen.iter().flatten().all(|&s| s));
    // No draw fits a strip: the largest allowed area in the middle.
    let strip = view.resolve(1000, 1, &sample(0))[0];
    let Op::Resize { area: Some(area), .. } = strip else { panic!() };
    assert_eq!((area.left, area.width, area.height), (499, 1, 1));
}

#[test]
fn random_affine_stays_in_its_ranges_on_every_axis() {
    let step = Step::RandomAffine { degrees: 8.0, shear: 0.09, translate: 2.0, fill: 0 };
    let view = View::new(vec![step], (28, 28, 1)).unwrap();
    let mut most = [0.0_f32; 5];
    for key in 0..2000 {
        let op = view.resolve(28, 28, &sample(key))[0];
        let Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling: Sampling::Bilinear } = op
        else {
            panic!()
        };
        let drawn = [degrees, shear_x, shear_y, translate_x, translate_y];
        most.iter_mut().zip(drawn).for_each(|(most, value)| *most = most.max(value.abs()));
    }
    for (most, limit) in most.into_iter().zip([8.0, 0.09, 0.09, 2.0, 2.0]) {
        assert!(most <= limit && most > 0.99 * limit, "{most} of {limit}");
    }
}

/// A view whose second step is bad names that step and says these words.
fn refuse(step: Step, words: &[&str]) {
    let good = Step::Apply { op: Op::Identity, p: 1.0 };
    let message = View::new(vec![good, step], (8, 8, 1)).unwrap_err().to_string();
    assert!(words.iter().chain(&["step 2"]).all(|w| message.contains(w)), "{message}");
}

#[test]
fn ops_out_of_range_are_refused_with_the_step_and_the_range() {
    let area = |left, width| Area { left, top: 0, width, height: 1 };
    let rows: [(Op, &[&str]); 9] = [
        (Op::Rotate(f32::NAN), &["rotate", "NaN", "degrees"]),
        (Op::ShearX(11.0), &["shear_x", "11"]),
        (Op::TranslateX(i32::MIN), &["translate_x"]),
        (Op::TranslateY(65_536), &["translate_y", "65536"]),
        (Op::Posterize(9), &["posterize", "9", "0 to 8"]),
        (Op::Solarize(-1.0), &["solarize"]),
        (Op::Color(f32::INFINITY), &["color", "inf"]),
        (Op::Crop(area(i32::MIN, 1)), &["crop"]),
        (Op::Crop(area(0, 0)), &["crop", "0x1"]),
    ];
    for (op, words) in rows {
        refuse(Step::Apply { op, p: 1.0 }, words);
    }
}

#[test]
fn probabilities_and_sizes_out_of_range_are_refused() {
    let filter = Filter::Bilinear;
    let flip = |p| Step::RandomFlip { horizontal: true, p };
    refuse(Step::Apply { op: Op::Invert, p: 1.5 }, &["invert", "p 1.5"]);
    refuse(flip(f32::NAN), &["flip", "NaN"]);
    refuse(flip(-0.1), &["flip", "-0.1"]);
    refuse(Step::PadCrop { pad: u32::MAX, fill: 0 }, &["pad_crop"]);
    refuse(Step::ResizeShort { size: 60_000, filter }, &["resize_short"]);
    let flat = Step::Resize { height: 0, width: 3, filter };
    refuse(flat, &["resize", "3x0"]);
    assert!(View::new(vec![], (0, 8, 1)).is_err());
    assert!(View::new(vec![], (8, 8, 2)).is_err());
}

#[test]
fn random_steps_out_of_range_are_refused() {
    let affine = |degrees, shear| Step::RandomAffine { degrees, shear, translate: 0.0, fill: 0 };
    let augment = |magnitude, bins| Step::RandAugment { ops: 2, magnitude, bins, fill: 0 };
    let (height, width, filter) = (4, 4, Filter::Bilinear);
    let crop = |scale, ratio| Step::RandomResizedCrop { scale, ratio, height, width, filter };
    refuse(augment(31, 31), &["randaugment", "magnitude 31"]);
    refuse(augment(0, 1), &["randaugment", "bins 1"]);
    refuse(affine(-1.0, 0.0), &["affine", "degrees -1"]);
    refuse(affine(0.0, f32::NAN), &["affine", "shear NaN"]);
    refuse(crop((0.5, 0.2), (0.75, 1.33)), &["random_resized_crop", "0.5"]);
    refuse(crop((0.5, 1.0), (0.0, 1.33)), &["random_resized_crop", "1.33"]);
}

#[test]
fn a_wrong_buffer_or_image_is_refused() {
    let view = View::new(vec![], (2, 2, 1)).unwrap();
    assert!(view.render(ramp(2, 2, 1), &sample(0), &mut [0; 3]).is_err());
    let lying = Image { width: 2, height: 2, channels: 1, pixels: vec![0; 3] };
    assert!(view.render(lying, &sample(0), &mut [0; 4]).is_err());
}

fn any_op() -> impl Strategy<Value = Op> {
    let area = (-30..30_i32, -30..30_i32, 1..40_u32, 1..40_u32).prop_map(|(left, top, width, height)| Area {
        left,
        top,
        width,
        height,
    });
    let affine = ((-360.0..360.0_f32), (-10.0..10.0_f32), (-10.0..10.0_f32), any::<bool>(), -70_000..70_000_i32);
    prop_oneof![
        (0..20_u32)
            .prop_map(|n| [Op::Equalize, Op::AutoContrast, Op::FlipHorizontal, Op::FlipVertical][n as usize % 4]),
        (-360.0..=360.0_f32).prop_map(Op::Rotate),
        (-10.0..=10.0_f32).prop_map(Op::ShearX),
        (-10.0..=10.0_f32).prop_map(Op::ShearY),
        (-65_535..=65_535_i32).prop_map(Op::TranslateX),
        (0.0..=100.0_f32).prop_map(Op::Sharpness),
        (0.0..=100.0_f32).prop_map(Op::Contrast),
        area.prop_map(Op::Crop),
        affine.prop_map(|(degrees, shear_x, shear_y, bilinear, far)| Op::Affine {
            degrees,
            shear_x,
            shear_y,
            translate_x: (far as f32).clamp(-65_535.0, 65_535.0),
            translate_y: far as f32 % 50.0,
            sampling: if bilinear { Sampling::Bilinear } else { Sampling::Nearest },
        }),
        (1..40_u32, 1..40_u32, 0..4_usize).prop_map(|(height, width, n)| Op::Resize {
            area: None,
            height,
            width,
            filter: [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos][n],
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No op in its range panics or breaks the image, at any size down to a single pixel.
    #[test]
    fn any_ops_in_a_row_leave_a_sound_image(
        ops in proptest::collection::vec(any_op(), 1..6),
        width in 1..40_u32,
        height in 1..40_u32,
        rgb in any::<bool>(),
    ) {
        let mut image = ramp(width, height, if rgb { 3 } else { 1 });
        for op in ops {
            crate::apply(&op, &mut image, 128).unwrap();
            prop_assert!(image.check().is_ok());
        }
    }
}
