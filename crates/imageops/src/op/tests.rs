//! Every op against Pillow 13.0.0: `golden/ops.txt`, written by `golden/make.py`.

use super::*;
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

fn op(name: &str, args: &[f64]) -> Op {
    let arg = |i: usize| args[i] as f32;
    let area = |i: usize| Area {
        left: args[i] as i32,
        top: args[i + 1] as i32,
        width: args[i + 2] as u32,
        height: args[i + 3] as u32,
    };
    match name {
        "identity" => Op::Identity,
        "auto_contrast" => Op::AutoContrast,
        "equalize" => Op::Equalize,
        "invert" => Op::Invert,
        "rotate" => Op::Rotate { degrees: arg(0), sampling: Sampling::Nearest },
        "shear_x" => Op::ShearX { tangent: arg(0), sampling: Sampling::Nearest },
        "shear_y" => Op::ShearY { tangent: arg(0), sampling: Sampling::Nearest },
        "translate_x" => Op::TranslateX { pixels: arg(0), sampling: Sampling::Nearest },
        "translate_y" => Op::TranslateY { pixels: arg(0), sampling: Sampling::Nearest },
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
        "erase" => Op::Erase { area: area(0), with: Erasure::Fill },
        "affine" => Op::Affine {
            degrees: arg(0),
            shear_x: arg(1),
            shear_y: arg(2),
            translate_x: arg(3),
            translate_y: arg(4),
            sampling: [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic][args[5] as usize],
        },
        "crop" => Op::Crop(area(0)),
        "resize" => {
            let filters = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
            Op::Resize {
                area: Some(area(0)),
                width: args[4] as u32,
                height: args[5] as u32,
                filter: filters[args[6] as usize],
            }
        }
        _ => panic!("no op {name}"),
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
    };
    !bytes.iter().fold(!0, |crc, &b| (0..8).fold(crc ^ u32::from(b), step))
}

/// Largest difference from Pillow that is allowed.
fn tolerance(op: &str, args: &[f64]) -> u8 {
    match op {
        "affine" if args[5] >= 1.0 => 1,
        _ => 0,
    }
}

/// Runs one line of the golden file; says what is wrong with the result, if anything.
fn check(line: &str) -> Result<(), String> {
    let [call, input, expected] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
    let (name, args) = call.split_once(' ').unwrap_or((call, ""));
    let args: Vec<f64> = args.split_whitespace().map(|a| a.parse().unwrap()).collect();
    let [channels, size, values, seed, fill] = input.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (width, height) = size.split_once('x').unwrap();
    let mut image = source(
        channels.parse().unwrap(),
        width.parse().unwrap(),
        height.parse().unwrap(),
        values,
        seed.parse().unwrap(),
    );
    match name {
        "gray" => image = image.to_channels(1),
        _ => apply(&op(name, &args), &mut image, [fill.parse().unwrap(); 3]).unwrap(),
    }
    image.check().unwrap();
    if let Some(crc) = expected.strip_prefix("crc ") {
        let found = format!("{:08x}", crc32(&image.pixels));
        return if found == crc { Ok(()) } else { Err(format!("crc {found}")) };
    }
    let expected: Vec<u8> =
        (0..expected.len() / 2).map(|i| u8::from_str_radix(&expected[2 * i..2 * i + 2], 16).unwrap()).collect();
    let off = image.pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    if image.pixels.len() == expected.len() && off <= tolerance(name, &args) {
        return Ok(());
    }
    Err(format!("off by {off}\n{:?}\n{expected:?}", image.pixels))
}

#[test]
fn every_op_matches_pillow() {
    let path = std::env::var("MILLSTREAM_GOLDEN_OPS");
    let text = path.map_or(include_str!("../../golden/ops.txt").to_string(), |p| std::fs::read_to_string(p).unwrap());
    let wrong: Vec<String> =
        text.lines().filter_map(|line| check(line).err().map(|e| format!("{line}\n{e}"))).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cases\n{}",
        wrong.len(),
        text.lines().count(),
        wrong[..wrong.len().min(20)].join("\n")
    );
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
        let all: Vec<(Op, Fill)> = ops.iter().map(|op| (op.clone(), [0; 3])).collect();
        run(&all, &mut fused.canvas(), &mut Scratch::default());
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
