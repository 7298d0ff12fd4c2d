use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::{Area, Erasure, Filter, Sampling, Step, Truncated, Variant};

const AUGMENT: Step = Step::RandAugment {
    variant: Variant::Torchvision,
    ops: 3,
    magnitude: 20.0,
    deviation: 0.0,
    bins: 31,
    p: 1.0,
    fill: [0; 3],
};

fn sample(key: u128) -> SampleKey {
    SampleKey { seed: 1, round: 0, epoch: 0, key, copy: 0, view: 0 }
}

/// An image whose every value is different from its neighbours.
fn ramp(width: u32, height: u32, channels: u8) -> Image {
    let bytes = width as usize * height as usize * usize::from(channels);
    let pixels = (0..bytes).map(|i| (i * 37 % 251) as u8).collect();
    Image::from_pixels(width, height, channels, pixels).unwrap()
}

/// Smooth hills, which a JPEG can hold.
fn hills(width: u32, height: u32) -> image::RgbImage {
    let wave = |a: u32, b: u32| (127.0 + 120.0 * (f64::from(a) / 9.0).sin() * (f64::from(b) / 13.0).cos()) as u8;
    image::RgbImage::from_fn(width, height, |x, y| image::Rgb([wave(x, y), wave(y, x + 20), wave(x + y, x)]))
}

fn encoded(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    hills(width, height).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn render(view: &View, picture: Picture<'_>, key: u128) -> Image {
    let mut image = Image::default();
    Renderer::default().render_image(view, picture, &sample(key), &mut image).unwrap();
    image
}

#[test]
fn an_empty_view_copies_and_adapts_channels_and_size() {
    let image = ramp(4, 4, 1);
    let shown = |shape| render(&View::new(vec![], shape).unwrap(), image.picture(), 0);
    assert_eq!(shown((4, 4, 1)), image);
    assert_eq!(shown((4, 4, 3)), image.clone().to_channels(3));
    assert_eq!(shown((8, 6, 1)).pixels.len(), 48);
    assert_eq!(render(&View::of_any_size(vec![], 1).unwrap(), image.picture(), 0), image);
}

#[test]
fn several_views_of_a_picture_are_each_what_it_is_alone() {
    let (colour, gray) = (View::new(vec![], (60, 80, 3)).unwrap(), View::new(vec![], (32, 32, 1)).unwrap());
    let (jpeg, png) = (encoded(400, 300, image::ImageFormat::Jpeg), encoded(400, 300, image::ImageFormat::Png));
    let pixels = ramp(50, 40, 3);
    for picture in [Picture::Encoded(&jpeg), Picture::Encoded(&png), pixels.picture()] {
        let mut together = [vec![0; 60 * 80 * 3], vec![0; 32 * 32]];
        let [one, other] = &mut together;
        let views: &mut [(&View, &mut [u8])] = &mut [(&colour, &mut one[..]), (&gray, &mut other[..])];
        Renderer::default().render_each(picture, &sample(0), views).unwrap();
        assert_eq!(together, [&colour, &gray].map(|view| render(view, picture, 0).pixels));
    }
    let broken = Picture::Encoded(b"neither");
    assert!(Renderer::default().render_each(broken, &sample(0), &mut [(&gray, &mut [0; 1024])]).is_err());
}

#[test]
fn a_sample_is_the_same_whatever_was_rendered_before() {
    let view = View::new(vec![Step::PadCrop { pad: 2, fill: [0; 3] }, AUGMENT], (28, 28, 3)).unwrap();
    let image = ramp(28, 28, 3);
    let mut renderer = Renderer::default();
    let mut all = |keys: &mut dyn Iterator<Item = u128>| -> Vec<Vec<u8>> {
        keys.map(|key| {
            let mut out = vec![0; 28 * 28 * 3];
            renderer.render(&view, image.picture(), &sample(key), &mut out).unwrap();
            out
        })
        .collect()
    };
    let forward = all(&mut (0..50));
    let backward = all(&mut (0..50).rev());
    assert!(forward.iter().eq(backward.iter().rev()));
    assert_eq!(render(&view, image.picture(), 7).pixels, forward[7]);
}

#[test]
fn rendering_is_applying_the_ops_one_by_one() {
    let short = Step::ResizeShort { size: 22, filter: Filter::Bicubic };
    let steps = vec![
        Step::RandomFlip { horizontal: true, p: 0.5 },
        short,
        Step::CenterCrop { height: 21, width: 19 },
        Step::RandomFlip { horizontal: true, p: 0.5 },
        AUGMENT,
        Step::Apply { op: Op::Invert, fill: [0; 3], p: 0.5 },
        AUGMENT,
    ];
    for channels in [1, 3] {
        let view = View::new(steps.clone(), (20, 24, channels)).unwrap();
        let image = ramp(30, 24, channels);
        let mut renderer = Renderer::default();
        for key in 0..60 {
            let mut rendered = Image::default();
            renderer.render_image(&view, image.picture(), &sample(key), &mut rendered).unwrap();
            let mut by_hand = image.clone();
            for (op, fill) in renderer.last_ops() {
                crate::apply(op, &mut by_hand, *fill).unwrap();
            }
            assert_eq!(by_hand, rendered, "{:?}", renderer.last_ops());
        }
    }
}

#[test]
fn what_is_decoded_in_part_looks_like_a_cut_of_the_whole() {
    let (height, width, filter) = (48, 40, Filter::Bilinear);
    let crop = Step::RandomResizedCrop { scale: (0.08, 1.0), ratio: (0.75, 1.33), height, width, filter };
    let short = Step::ResizeShort { size: 56, filter: Filter::Lanczos };
    let views = [
        vec![crop, Step::RandomFlip { horizontal: true, p: 0.5 }, AUGMENT],
        vec![short, Step::CenterCrop { height, width }],
        vec![Step::CenterCrop { height, width }],
        vec![Step::FiveCrop { height: 300, width: 9 }],
    ];
    let options = Options { scale: false, truncated: Truncated::Refuse, ..Options::default() };
    for format in [image::ImageFormat::Jpeg, image::ImageFormat::Png] {
        for (w, h) in [(201, 150), (64, 97), (33, 500)] {
            let file = encoded(w, h, format);
            let whole = crate::decode(&file, 3, &options).unwrap();
            let mut renderer = Renderer::new(options);
            for view in &views {
                let view = View::of_any_size(view.clone(), 3).unwrap();
                for key in 0..25 {
                    let mut part = Image::default();
                    renderer.render_image(&view, Picture::Encoded(&file), &sample(key), &mut part).unwrap();
                    assert_eq!(
                        part,
                        render(&view, whole.picture(), key),
                        "{format:?} {w}x{h} {:?}",
                        renderer.last_ops()
                    );
                }
            }
        }
    }
}

#[test]
fn a_jpeg_decoded_at_a_smaller_scale_looks_the_same() {
    let file = encoded(1200, 900, image::ImageFormat::Jpeg);
    let step = Step::RandomResizedCrop {
        scale: (0.5, 1.0),
        ratio: (0.75, 1.33),
        height: 64,
        width: 64,
        filter: Filter::Bilinear,
    };
    let view = View::new(vec![step], (64, 64, 3)).unwrap();
    let mut exact = Renderer::new(Options { scale: false, ..Options::default() });
    let mut scaled = Renderer::default();
    let mut differences = 0;
    for key in 0..20 {
        let (mut a, mut b) = (vec![0; 64 * 64 * 3], vec![0; 64 * 64 * 3]);
        exact.render(&view, Picture::Encoded(&file), &sample(key), &mut a).unwrap();
        scaled.render(&view, Picture::Encoded(&file), &sample(key), &mut b).unwrap();
        differences += usize::from(a != b);
        let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
        let error = a.iter().zip(&b).map(square).sum::<f64>() / a.len() as f64;
        let psnr = 10.0 * (255.0 * 255.0 / error.max(1e-9)).log10();
        assert!(psnr >= 35.0, "{psnr:.1} dB at {key}");
    }
    assert!(differences > 0, "nothing was scaled");
}

#[test]
fn a_wrong_buffer_or_image_is_refused() {
    let view = View::new(vec![], (2, 2, 1)).unwrap();
    let mut renderer = Renderer::default();
    assert!(renderer.render(&view, ramp(2, 2, 1).picture(), &sample(0), &mut [0; 3]).is_err());
    let lying = Image { width: 2, height: 2, channels: 1, pixels: vec![0; 3] };
    assert!(renderer.render(&view, lying.picture(), &sample(0), &mut [0; 4]).is_err());
}

fn any_sampling() -> impl Strategy<Value = Sampling> {
    prop_oneof![Just(Sampling::Nearest), Just(Sampling::Bilinear), Just(Sampling::Bicubic)]
}

fn any_area() -> impl Strategy<Value = Area> {
    (-30..30_i32, -30..30_i32, 1..40_u32, 1..40_u32).prop_map(|(left, top, width, height)| Area {
        left,
        top,
        width,
        height,
    })
}

fn any_op() -> impl Strategy<Value = Op> {
    let shift = || -65_535.0..=65_535.0_f32;
    let affine = (-360.0..360.0_f32, -10.0..10.0_f32, -10.0..10.0_f32, shift(), -50.0..50.0_f32, any_sampling());
    prop_oneof![
        (0..20_usize).prop_map(|n| {
            [Op::Equalize, Op::AutoContrast, Op::FlipHorizontal, Op::FlipVertical, Op::Grayscale][n % 5].clone()
        }),
        (-360.0..=360.0_f32, any_sampling()).prop_map(|(degrees, sampling)| Op::Rotate { degrees, sampling }),
        (-10.0..=10.0_f32, any_sampling()).prop_map(|(tangent, sampling)| Op::ShearX { tangent, sampling }),
        (-10.0..=10.0_f32, any_sampling()).prop_map(|(tangent, sampling)| Op::ShearY { tangent, sampling }),
        (shift(), any_sampling()).prop_map(|(pixels, sampling)| Op::TranslateX { pixels, sampling }),
        (shift(), any_sampling()).prop_map(|(pixels, sampling)| Op::TranslateY { pixels: pixels.round(), sampling }),
        (0.0..=100.0_f32).prop_map(Op::Sharpness),
        (0.0..=100.0_f32).prop_map(Op::Contrast),
        (0.0..=100.0_f32).prop_map(Op::Color),
        (0.0..=100.0_f32).prop_map(Op::GaussianBlur),
        (-0.5..=0.5_f32).prop_map(Op::Hue),
        (0.0..=255.0_f32, any::<u64>()).prop_map(|(sigma, seed)| Op::GaussianNoise { sigma, seed }),
        (any_area(), any::<bool>(), any::<u64>()).prop_map(|(area, noise, seed)| Op::Erase {
            area,
            with: if noise { Erasure::Noise { seed } } else { Erasure::Fill },
        }),
        any_area().prop_map(Op::Crop),
        affine.prop_map(|(degrees, shear_x, shear_y, translate_x, translate_y, sampling)| Op::Affine {
            degrees,
            shear_x,
            shear_y,
            translate_x,
            translate_y,
            sampling,
        }),
        (1..40_u32, 1..40_u32, 0..4_usize).prop_map(|(height, width, n)| Op::Resize {
            area: None,
            height,
            width,
            filter: [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos][n],
        }),
        (0.0..=1.0_f32).prop_map(|keep| Op::AugMix { keep, chains: vec![(0.25, vec![Op::Invert]), (0.75, vec![])] }),
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
            crate::apply(&op, &mut image, [128; 3]).unwrap();
            prop_assert!(image.check().is_ok());
        }
    }
}

#[test]
fn records_of_one_key_in_two_sections_of_a_shelf_are_two() {
    let view = View::new(vec![], (40, 40, 3)).unwrap();
    let files = [encoded(80, 80, image::ImageFormat::Jpeg), encoded(60, 90, image::ImageFormat::Png)];
    let shelf = Shelf::new(1 << 20);
    for _ in 0..2 {
        for (section, file) in (0..).zip(&files) {
            let mut renderer = Renderer::default().sharing(Some(shelf.section(section)));
            let mut shown = Image::default();
            renderer.render_image(&view, Picture::Encoded(file), &sample(7), &mut shown).unwrap();
            assert_eq!(shown, render(&view, Picture::Encoded(file), 7));
        }
    }
    assert_eq!(shelf.images(), 2);
}
