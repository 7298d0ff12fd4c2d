//! From bytes to an image and a view. Most numbers are in range, so that most views come to be rendered.

use std::ops::RangeInclusive;

use arbitrary::{Arbitrary, Result, Unstructured};
use millstream_imageops::{Area, Erasure, Fill, Filter, Image, LearnedPolicy, Op, SampleKey, Sampling, Step, Variant};

type Input<'a> = Unstructured<'a>;

/// An image and what is done with it.
pub(crate) struct Case {
    pub(crate) image: Image,
    pub(crate) steps: Vec<Step>,
    /// (height, width, channels) of the view.
    pub(crate) shape: (u32, u32, u8),
    /// Whether the view has a fixed shape.
    pub(crate) fixed: bool,
    pub(crate) sample: SampleKey,
}

impl Case {
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        let mut input = Unstructured::new(bytes);
        let input = &mut input;
        let fixed = input.arbitrary()?;
        let shape = (side(input)?, side(input)?, channels(input)?);
        let [seed, key] = input.arbitrary()?;
        let [round, epoch, copy] = input.arbitrary()?;
        let sample = SampleKey {
            seed,
            round,
            epoch,
            key: u128::from(u64::MAX) << 32 | u128::from(key),
            copy,
            view: input.arbitrary()?,
        };
        let image = image(input)?;
        let steps = several(input, 5, step)?;
        Ok(Self { image, steps, shape, fixed, sample })
    }
}

/// Whether something rare happens. Never when the input is used up.
fn rarely(input: &mut Input<'_>) -> Result<bool> {
    Ok(input.int_in_range(0..=15)? == 1)
}

fn several<T>(input: &mut Input<'_>, most: usize, mut item: impl FnMut(&mut Input<'_>) -> Result<T>) -> Result<Vec<T>> {
    let count = input.int_in_range(0..=most)?;
    (0..count).map(|_| item(input)).collect()
}

/// Values repeat after the input's last bytes.
fn image(input: &mut Input<'_>) -> Result<Image> {
    let (width, height, channels) = (input.int_in_range(1..=64)?, input.int_in_range(1..=64)?, channels(input)?);
    let mut count = (width * height) as usize * usize::from(channels);
    if rarely(input)? {
        count = count.saturating_sub(1);
    }
    let length = input.int_in_range(1..=32)?.min(input.len());
    let pattern = input.bytes(length)?;
    let pixels = pattern.iter().chain(&[0, 255]).cycle().take(count);
    // Not `from_pixels`: a count that does not fit is for the ops to refuse.
    Ok(Image { width, height, channels, pixels: pixels.copied().collect() })
}

fn channels(input: &mut Input<'_>) -> Result<u8> {
    if rarely(input)? { input.arbitrary() } else { Ok(*input.choose(&[3, 1])?) }
}

/// A side of a result. Sides between are in range, but slow.
fn side(input: &mut Input<'_>) -> Result<u32> {
    if rarely(input)? { Ok(*input.choose(&[0, 65_536, u32::MAX])?) } else { input.int_in_range(1..=64) }
}

fn count(input: &mut Input<'_>, range: RangeInclusive<u32>) -> Result<u32> {
    if rarely(input)? { input.arbitrary() } else { input.int_in_range(range) }
}

/// Mostly within, every eighth at an end, seldom anything (infinite and NaN too).
fn number(input: &mut Input<'_>, low: f32, high: f32) -> Result<f32> {
    match input.int_in_range(0..=15)? {
        1 => Ok(f32::from_bits(input.arbitrary()?)),
        2 => Ok(low),
        3 => Ok(high),
        _ => Ok(low + (high - low) * f32::from(u16::arbitrary(input)?) / 65_535.0),
    }
}

/// Two numbers, mostly in order.
fn pair(input: &mut Input<'_>, low: f32, high: f32) -> Result<(f32, f32)> {
    let (a, b) = (number(input, low, high)?, number(input, low, high)?);
    Ok(if rarely(input)? { (a, b) } else { (a.min(b), a.max(b)) })
}

fn p(input: &mut Input<'_>) -> Result<f32> {
    number(input, 0.0, 1.0)
}

fn fill(input: &mut Input<'_>) -> Result<Fill> {
    input.arbitrary()
}

fn filter(input: &mut Input<'_>) -> Result<Filter> {
    input.choose(&[Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos]).copied()
}

fn sampling(input: &mut Input<'_>) -> Result<Sampling> {
    input.choose(&[Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic]).copied()
}

fn place(input: &mut Input<'_>) -> Result<i32> {
    if rarely(input)? { input.arbitrary() } else { input.int_in_range(-80..=80) }
}

fn area(input: &mut Input<'_>) -> Result<Area> {
    Ok(Area { left: place(input)?, top: place(input)?, width: side(input)?, height: side(input)? })
}

fn step(input: &mut Input<'_>) -> Result<Step> {
    let step = match input.int_in_range(0..=17)? {
        0 => Step::Apply { op: op(input)?, fill: fill(input)?, p: p(input)? },
        1 => Step::Resize { height: side(input)?, width: side(input)?, filter: filter(input)? },
        2 => Step::ResizeShort { size: side(input)?, filter: filter(input)? },
        3 => Step::RandomResizedCrop {
            scale: pair(input, 0.001, 1.0)?,
            ratio: pair(input, 0.01, 100.0)?,
            height: side(input)?,
            width: side(input)?,
            filter: filter(input)?,
        },
        4 => Step::CenterCrop { height: side(input)?, width: side(input)? },
        5 => Step::FiveCrop { height: side(input)?, width: side(input)? },
        6 => Step::PadCrop { pad: count(input, 0..=80)?, fill: fill(input)? },
        7 => Step::RandomFlip { horizontal: input.arbitrary()?, p: p(input)? },
        8 => Step::RandomAffine {
            degrees: number(input, 0.0, 180.0)?,
            shear: number(input, 0.0, 2.0)?,
            translate: number(input, 0.0, 80.0)?,
            sampling: sampling(input)?,
            fill: fill(input)?,
        },
        other => policy(input, other)?,
    };
    Ok(step)
}

fn policy(input: &mut Input<'_>, kind: u32) -> Result<Step> {
    let step = match kind {
        9 => rand_augment(input)?,
        10 => Step::TrivialAugmentWide { bins: count(input, 2..=1001)?, fill: fill(input)? },
        11 => Step::AutoAugment {
            policy: *input.choose(&[LearnedPolicy::ImageNet, LearnedPolicy::Cifar10, LearnedPolicy::Svhn])?,
            fill: fill(input)?,
        },
        12 => Step::AugMix {
            severity: count(input, 1..=10)?,
            width: count(input, 1..=10)?,
            depth: if input.arbitrary()? { Some(count(input, 1..=10)?) } else { None },
            alpha: number(input, 1e-3, 1000.0)?,
            all_ops: input.arbitrary()?,
            fill: fill(input)?,
        },
        13 => Step::ColorJitter {
            brightness: number(input, 0.0, 99.0)?,
            contrast: number(input, 0.0, 99.0)?,
            saturation: number(input, 0.0, 99.0)?,
            hue: number(input, 0.0, 0.5)?,
        },
        14 => Step::RandomBlur { sigma: pair(input, 0.0, 100.0)?, p: p(input)? },
        15 => Step::RandomNoise { sigma: number(input, 0.0, 255.0)?, p: p(input)? },
        16 => Step::Cutout { size: count(input, 1..=80)?, fill: fill(input)?, p: p(input)? },
        _ => Step::RandomErasing {
            scale: pair(input, 0.0, 1.0)?,
            ratio: pair(input, 0.01, 100.0)?,
            noise: input.arbitrary()?,
            fill: fill(input)?,
            p: p(input)?,
        },
    };
    Ok(step)
}

fn rand_augment(input: &mut Input<'_>) -> Result<Step> {
    use Variant::{Dali, Fixmatch, Tf, Timm, TimmInc, Torchvision};
    let (variant, most) = *input.choose(&[
        (Torchvision, 30.0),
        (Timm, 100.0),
        (TimmInc, 100.0),
        (Tf, 100.0),
        (Dali, 30.0),
        (Fixmatch, 10.0),
    ])?;
    let (magnitude, deviation) = (number(input, 0.0, most)?, number(input, 0.0, 101.0)?);
    let whole = matches!(variant, Torchvision | Dali) && !rarely(input)?;
    let steady = !matches!(variant, Timm | TimmInc) && !rarely(input)?;
    Ok(Step::RandAugment {
        variant,
        ops: count(input, 0..=4)?,
        magnitude: if whole { magnitude.round() } else { magnitude },
        deviation: if steady { 0.0 } else { deviation },
        bins: count(input, 31..=1001)?,
        p: p(input)?,
        fill: fill(input)?,
    })
}

fn op(input: &mut Input<'_>) -> Result<Op> {
    let op = match input.int_in_range(0..=26)? {
        24 => Op::AugMix { keep: p(input)?, chains: chains(input)? },
        25 => Op::Crop(area(input)?),
        26 => Op::Resize {
            area: if input.arbitrary()? { Some(area(input)?) } else { None },
            height: side(input)?,
            width: side(input)?,
            filter: filter(input)?,
        },
        other => in_place(input, other)?,
    };
    Ok(op)
}

/// Chains whose ops keep the size, but for a rare one.
fn chains(input: &mut Input<'_>) -> Result<Vec<(f32, Vec<Op>)>> {
    let most = if rarely(input)? { 11 } else { 3 };
    let link = |input: &mut Input<'_>| match rarely(input)? {
        true => Ok(Op::AugMix { keep: 1.0, chains: Vec::new() }),
        false => {
            let kind = input.int_in_range(0..=23)?;
            in_place(input, kind)
        }
    };
    let mut chains = several(input, most, |input| Ok((number(input, 0.0, 1.0)?, several(input, most, link)?)))?;
    let sum: f32 = chains.iter().map(|(weight, _)| weight).sum();
    if !rarely(input)? {
        chains.iter_mut().for_each(|(weight, _)| *weight /= sum);
    }
    Ok(chains)
}

/// An op that keeps the size.
fn in_place(input: &mut Input<'_>, kind: u32) -> Result<Op> {
    let op = match kind {
        0 => Op::Identity,
        1 => Op::AutoContrast,
        2 => Op::Equalize,
        3 => Op::Invert,
        4 => Op::Brightness(number(input, 0.0, 100.0)?),
        5 => Op::Color(number(input, 0.0, 100.0)?),
        6 => Op::Contrast(number(input, 0.0, 100.0)?),
        7 => Op::Sharpness(number(input, 0.0, 100.0)?),
        8 => Op::Posterize(count(input, 0..=8)? as u8),
        9 => Op::Solarize(number(input, 0.0, 256.0)?),
        10 => Op::SolarizeAdd { add: place(input)?.wrapping_mul(4) as i16, threshold: input.arbitrary()? },
        11 => Op::Hue(number(input, -0.5, 0.5)?),
        12 => Op::Grayscale,
        13 => Op::GaussianBlur(number(input, 0.0, 100.0)?),
        14 => Op::GaussianNoise { sigma: number(input, 0.0, 255.0)?, seed: input.arbitrary()? },
        15 => Op::Erase {
            area: area(input)?,
            with: if input.arbitrary()? { Erasure::Fill } else { Erasure::Noise { seed: input.arbitrary()? } },
        },
        16 => Op::FlipHorizontal,
        17 => Op::FlipVertical,
        other => geometric(input, other)?,
    };
    Ok(op)
}

fn geometric(input: &mut Input<'_>, kind: u32) -> Result<Op> {
    let sampling = sampling(input)?;
    let op = match kind {
        18 => Op::Rotate { degrees: number(input, -360.0, 360.0)?, sampling },
        19 => Op::ShearX { tangent: number(input, -10.0, 10.0)?, sampling },
        20 => Op::ShearY { tangent: number(input, -10.0, 10.0)?, sampling },
        21 => Op::TranslateX { pixels: number(input, -80.0, 80.0)?, sampling },
        22 => Op::TranslateY { pixels: number(input, -65_535.0, 65_535.0)?, sampling },
        _ => Op::Affine {
            degrees: number(input, -360.0, 360.0)?,
            shear_x: number(input, -10.0, 10.0)?,
            shear_y: number(input, -10.0, 10.0)?,
            translate_x: number(input, -80.0, 80.0)?,
            translate_y: number(input, -80.0, 80.0)?,
            sampling,
        },
    };
    Ok(op)
}
