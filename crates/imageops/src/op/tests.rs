//! Every op against Pillow 13.0.0: `golden/ops.txt`, written by `golden/make.py`.

use super::*;
use crate::golden::{self, Tally};
use crate::{Rng, SampleKey};

const PLAIN: SampleKey = SampleKey { seed: 0, round: 0, epoch: 0, key: 0, copy: 0, view: 0 };

/// The same pixels as `source` in make.py.
fn source(channels: u8, width: u32, height: u32, values: &str, seed: u64) -> Image {
    let mut rng = Rng::new(&SampleKey { seed, ..PLAIN }, 0);
    let mut value = || match (values, (rng.next_u64() >> 56) as u8) {
        ("full", v) => v,
        ("narrow", v) => 90 + v % 64,
        _ => 77,
    };
    let bytes = width as usize * height as usize * usize::from(channels);
    Image::from_pixels(width, height, channels, (0..bytes).map(|_| value()).collect()).unwrap()
}

const SAMPLINGS: [Sampling; 3] = [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic];
/// Ops whose last argument is the sampling; all but nearest are within one step of Pillow's floats.
const WARPS: [&str; 6] = ["rotate", "shear_x", "shear_y", "translate_x", "translate_y", "affine"];
const FILTERS: [Filter; 4] = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];

/// The op of `name arguments`.
fn op(call: &str) -> Op {
    let (name, args) = call.split_once(' ').unwrap_or((call, ""));
    if name == "augmix" {
        return augmix(args);
    }
    let args: Vec<f64> = args.split_whitespace().map(|a| a.parse().unwrap()).collect();
    let arg = |i: usize| args[i] as f32;
    let area = || Area { left: args[0] as i32, top: args[1] as i32, width: args[2] as u32, height: args[3] as u32 };
    let sampling = || SAMPLINGS[args[args.len() - 1] as usize];
    match name {
        "identity" => Op::Identity,
        "auto_contrast" => Op::AutoContrast,
        "equalize" => Op::Equalize,
        "invert" => Op::Invert,
        "rotate" => Op::Rotate { degrees: arg(0), sampling: sampling() },
        "shear_x" => Op::ShearX { tangent: arg(0), sampling: sampling() },
        "shear_y" => Op::ShearY { tangent: arg(0), sampling: sampling() },
        "translate_x" => Op::TranslateX { pixels: arg(0), sampling: sampling() },
        "translate_y" => Op::TranslateY { pixels: arg(0), sampling: sampling() },
        "brightness" => Op::Brightness(arg(0)),
        "color" => Op::Color(arg(0)),
        "contrast" => Op::Contrast(arg(0)),
        "sharpness" => Op::Sharpness(arg(0)),
        "posterize" => Op::Posterize(args[0] as u8),
        "solarize" => Op::Solarize(arg(0)),
        "flip_horizontal" => Op::FlipHorizontal,
        "flip_vertical" => Op::FlipVertical,
        "solarize_add" => Op::SolarizeAdd { add: args[0] as i16, threshold: args[1] as u8 },
        "hue" => Op::Hue(arg(0)),
        "grayscale" => Op::Grayscale,
        "gaussian_blur" => Op::GaussianBlur(arg(0)),
        "erase" => Op::Erase { area: area(), with: Erasure::Fill },
        "affine" => {
            let [degrees, shear_x, shear_y, translate_x, translate_y] = [0, 1, 2, 3, 4].map(arg);
            Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling: sampling() }
        }
        "crop" => Op::Crop(area()),
        "resize" => {
            let filter = FILTERS[args[6] as usize];
            Op::Resize { area: Some(area()), width: args[4] as u32, height: args[5] as u32, filter }
        }
        _ => panic!("no op {name}"),
    }
}

/// `keep + weight op , op + weight op , op`.
fn augmix(args: &str) -> Op {
    let mut parts = args.split(" + ");
    let keep = parts.next().unwrap().parse().unwrap();
    let chain = |part: &str| {
        let (weight, ops) = part.split_once(' ').unwrap();
        (weight.parse().unwrap(), ops.split(" , ").map(op).collect())
    };
    Op::AugMix { keep, chains: parts.map(chain).collect() }
}

/// The result of one line of the golden file, and what Pillow has.
fn run_line(line: &str) -> (Image, &str) {
    let [call, input, expected] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
    let [channels, size, values, seed, fill] = input.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (width, height) = size.split_once('x').unwrap();
    let (width, height) = (width.parse().unwrap(), height.parse().unwrap());
    let mut image = source(channels.parse().unwrap(), width, height, values, seed.parse().unwrap());
    match call {
        "gray" => image = image.to_channels(1),
        _ => apply(&op(call), &mut image, [fill.parse().unwrap(); 3]).unwrap(),
    }
    image.check().unwrap();
    (image, expected)
}

#[test]
fn every_op_matches_pillow() {
    let mut exact = Tally::new("ops", 0.0);
    let mut smooth = Tally::new("ops, bilinear and bicubic", 1.0);
    let mut mixed = Tally::new("ops, augmix", 1.0);
    for line in golden::cases("MILLSTREAM_GOLDEN_OPS", include_str!("../../golden/ops.txt")).lines() {
        let (image, expected) = run_line(line);
        let (case, _) = line.rsplit_once(" | ").unwrap();
        let (call, _) = case.split_once(" | ").unwrap();
        let tally = match call.split_once(' ') {
            Some(("augmix", _)) => &mut mixed,
            Some((name, args)) if WARPS.contains(&name) && !args.ends_with(" 0") => &mut smooth,
            _ => &mut exact,
        };
        tally.add(case, golden::difference(&image.pixels, expected));
    }
    golden::finish([exact, smooth, mixed]);
}

/// Fast paths differ in speed alone.
#[test]
fn every_level_of_instructions_gives_the_same_bits() {
    use super::simd::{Level, at_most};
    let ops = [
        vec![Op::Posterize(5), Op::Invert, Op::Solarize(100.5), Op::Brightness(1.3)],
        vec![Op::Equalize, Op::AutoContrast],
        vec![Op::Color(1.7)],
        vec![Op::Contrast(0.4)],
        vec![Op::Sharpness(1.9)],
        vec![Op::FlipHorizontal],
        vec![Op::Grayscale],
        vec![Op::Rotate { degrees: 21.0, sampling: Sampling::Bilinear }],
        vec![Op::Rotate { degrees: -47.0, sampling: Sampling::Bicubic }],
        vec![Op::ShearX { tangent: 0.3, sampling: Sampling::Bilinear }],
        vec![Op::TranslateY { pixels: 1.3, sampling: Sampling::Bicubic }],
        vec![Op::GaussianBlur(1.7)],
        vec![Op::GaussianNoise { sigma: 31.4, seed: 5 }],
        vec![op("augmix 0.3 + 0.6 hue 0.1 , equalize + 0.4 rotate 30 1")],
    ];
    for (channels, width, height) in [(3, 67, 41), (1, 130, 5), (3, 3, 3)] {
        for ops in &ops {
            let run = |level| {
                let mut image = source(channels, width, height, "full", 9);
                at_most(level, || ops.iter().for_each(|op| apply(op, &mut image, [0; 3]).unwrap()));
                image.pixels
            };
            let plain = run(Level::Plain);
            assert_eq!(plain, run(Level::Avx2), "{ops:?}");
            assert_eq!(plain, run(Level::Vbmi), "{ops:?}");
        }
    }
}

/// Tables that are done in one pass give what they give one by one.
#[test]
fn fused_tables_are_the_single_ones_in_a_row() {
    let single = [
        Op::Posterize(5),
        Op::Invert,
        Op::Solarize(100.5),
        Op::Brightness(1.3),
        Op::SolarizeAdd { add: 60, threshold: 128 },
        Op::AutoContrast,
        Op::Equalize,
        Op::Contrast(1.6),
    ];
    let mut rng = Rng::new(&PLAIN, 1);
    for round in 0..200 {
        let ops: Vec<Op> = (0..5).map(|_| single[rng.range(single.len() as u32) as usize].clone()).collect();
        let mut one_by_one = source(if round % 2 == 0 { 3 } else { 1 }, 31, 17, "narrow", round);
        let mut fused = one_by_one.clone();
        ops.iter().for_each(|op| apply(op, &mut one_by_one, [0; 3]).unwrap());
        run(ops.iter().map(|op| (op, [0; 3])), &mut fused.canvas(), &mut Scratch::default());
        assert_eq!(fused, one_by_one, "{ops:?}");
    }
}

#[test]
fn an_erased_area_may_be_larger_than_any_image() {
    let area = Area { left: -32_767, top: -32_767, width: 65_535, height: 65_535 };
    let mut image = Image::from_pixels(3, 2, 1, vec![7; 6]).unwrap();
    apply(&Op::Erase { area, with: Erasure::Fill }, &mut image, [9; 3]).unwrap();
    assert_eq!(image.pixels, [9; 6]);
    assert!(apply(&Op::Crop(area), &mut image, [9; 3]).is_err());
    let wider = Area { width: 65_536, ..area };
    assert!(apply(&Op::Erase { area: wider, with: Erasure::Fill }, &mut image, [9; 3]).is_err());
}
