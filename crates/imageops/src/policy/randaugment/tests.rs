use super::super::tests::{compare, count, sampling, signed, stream};
use super::*;

fn strength(magnitude: f32, bins: u32) -> Strength {
    Strength { magnitude, deviation: 0.0, bins }
}

/// The op of a levelled family with a positive sign.
fn levelled(variant: Variant, kind: Kind, magnitude: f64, size: Size) -> Op {
    let argument = argument(variant, kind, magnitude / 10.0, size, &mut signed(true));
    kind.with(argument, Sampling::Nearest)
}

/// Names of `n` drawn ops.
fn names(variant: Variant, strength: Strength, n: u128) -> Vec<&'static str> {
    (0..n).map(|key| draw(variant, strength, (224, 224), &mut stream(key)).name()).collect()
}

/// torchvision's scale at 224x224: magnitude, shear, translate, rotate, enhance, posterize, solarize.
#[test]
fn torchvision_has_its_published_scale() {
    let rows = [
        (0, 0.0, 0.0, 0.0, 0.0, 8, 255.0),
        (5, 0.05, 16.0, 5.0, 0.15, 7, 212.5),
        (9, 0.09, 30.0, 9.0, 0.27, 7, 178.5),
        (15, 0.15, 50.0, 15.0, 0.45, 6, 127.5),
        (27, 0.27, 91.0, 27.0, 0.81, 4, 25.5),
        (30, 0.30, 101.0, 30.0, 0.90, 4, 0.0),
    ];
    for (magnitude, shear, pixels, degrees, enhance, bits, threshold) in rows {
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
        let at = |kind| RANDAUGMENT.op(kind, (magnitude, 31), (224, 224), Sampling::Nearest, &mut signed(true));
        for kind in torchvision::KINDS {
            match at(kind) {
                Op::ShearX { tangent, .. } | Op::ShearY { tangent, .. } => close(tangent, shear),
                Op::TranslateX { pixels: found, .. } | Op::TranslateY { pixels: found, .. } => {
                    assert_eq!(found, pixels);
                }
                Op::Rotate { degrees: found, .. } => close(found, degrees),
                Op::Brightness(f) | Op::Color(f) | Op::Contrast(f) | Op::Sharpness(f) => close(f, 1.0 + enhance),
                Op::Posterize(found) => assert_eq!(found, bits),
                Op::Solarize(found) => close(found, threshold),
                op => assert!(matches!(op, Op::Identity | Op::AutoContrast | Op::Equalize), "{op:?}"),
            }
        }
    }
}

#[test]
fn the_levels_are_those_of_timm_to_the_last_bit() {
    compare("policies, timm", &["timm", "timm-inc"], |family, case| {
        let variant = if family == "timm" { Variant::Timm } else { Variant::TimmInc };
        levelled(variant, case.kind, f64::from(case.magnitude), case.size)
    });
}

#[test]
fn the_magnitudes_are_those_of_dali_to_the_last_bit() {
    compare("policies, dali", &["dali"], |_, case| {
        dali(case.kind, strength(case.magnitude, case.bins), case.size, &mut signed(true))
    });
}

/// Magnitude 9 of timm with `inc1`, as published.
#[test]
fn timm_inc_gives_the_known_vector() {
    let at = |kind| levelled(Variant::TimmInc, kind, 9.0, (224, 224));
    let sampling = Sampling::Nearest;
    assert_eq!(at(Kind::Rotate), Op::Rotate { degrees: 27.0, sampling });
    assert_eq!(at(Kind::ShearX), Op::ShearX { tangent: 0.27, sampling });
    assert_eq!(at(Kind::TranslateX), Op::TranslateX { pixels: 0.405 * 224.0, sampling });
    assert_eq!(at(Kind::Posterize), Op::Posterize(1));
    assert_eq!(at(Kind::Solarize), Op::Solarize(26.0));
    assert_eq!(at(Kind::SolarizeAdd), Op::SolarizeAdd { add: 99, threshold: 128 });
    assert_eq!(at(Kind::Color), Op::Color(1.81));
    let low = argument(Variant::TimmInc, Kind::Color, 0.9, (224, 224), &mut signed(false));
    assert!((low - 0.19).abs() < 1e-12);
    let least = argument(Variant::TimmInc, Kind::Color, 1.0, (224, 224), &mut signed(false));
    assert_eq!(least, 0.1);
}

/// Noisy Student's magnitude of 27, which no upper bound cuts, and 5, at which enhancing changes nothing.
#[test]
fn the_tpu_code_gives_the_known_vectors() {
    let at = |kind| levelled(Variant::Tf, kind, 27.0, (224, 224));
    let sampling = Sampling::Nearest;
    assert_eq!(at(Kind::Rotate), Op::Rotate { degrees: 81.0, sampling });
    assert_eq!(at(Kind::ShearY), Op::ShearY { tangent: 0.81, sampling });
    assert_eq!(at(Kind::TranslateY), Op::TranslateY { pixels: 270.0, sampling });
    assert_eq!(at(Kind::Brightness), Op::Brightness(4.96));
    assert_eq!(at(Kind::Solarize), Op::Solarize(256.0));
    assert_eq!(at(Kind::Posterize), Op::Posterize(8));
    assert_eq!(levelled(Variant::Tf, Kind::Contrast, 5.0, (224, 224)), Op::Contrast(1.0));
    assert_eq!(levelled(Variant::Tf, Kind::Posterize, 9.0, (224, 224)), Op::Posterize(3));
    assert_eq!(levelled(Variant::Tf, Kind::SolarizeAdd, 9.0, (224, 224)), Op::SolarizeAdd { add: 99, threshold: 128 });
}

/// Its level is M / 10 as in the TPU code, and its shift 100 pixels at level 1 whatever the size.
#[test]
fn fixmatch_has_the_same_maps() {
    let at = |kind| levelled(Variant::Fixmatch, kind, 7.0, (224, 224));
    let sampling = Sampling::Nearest;
    assert_eq!(at(Kind::TranslateX), Op::TranslateX { pixels: 70.0, sampling });
    assert_eq!(at(Kind::Rotate), Op::Rotate { degrees: 21.0, sampling });
    assert_eq!(at(Kind::Posterize), Op::Posterize(2));
    assert_eq!(at(Kind::Solarize), Op::Solarize(179.0));
    assert_eq!(at(Kind::SolarizeAdd), Op::SolarizeAdd { add: 77, threshold: 128 });
    assert_eq!(at(Kind::Sharpness), Op::Sharpness(1.36));
}

#[test]
fn the_cutout_of_the_tpu_code_is_a_square_about_a_pixel_of_the_image() {
    for key in 0..1000 {
        let Op::Erase { area, with: Erasure::Fill } = cutout(2.7, (50, 20), &mut stream(key)) else { panic!() };
        assert_eq!((area.width, area.height), (216, 216));
        assert!((-108..-58).contains(&area.left) && (-108..-88).contains(&area.top), "{area:?}");
    }
    assert_eq!(cutout(0.02, (50, 20), &mut stream(0)), Op::Identity);
}

/// The lists of the originals; each op is as likely as the others.
#[test]
fn every_family_has_its_ops_evenly() {
    let geometry = ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"];
    let enhance = ["brightness", "color", "contrast", "sharpness"];
    let both = ["auto_contrast", "equalize", "posterize", "solarize"];
    let with = |more: &[&'static str]| {
        let mut all = [&geometry[..], &enhance, &both, more].concat();
        all.sort_unstable();
        all
    };
    let families = [
        (Variant::Torchvision, with(&["identity"])),
        (Variant::Dali, with(&["identity"])),
        (Variant::Timm, with(&["invert", "solarize_add"])),
        (Variant::TimmInc, with(&["invert", "solarize_add"])),
        (Variant::Tf, with(&["invert", "solarize_add", "erase"])),
        (Variant::Fixmatch, with(&["invert", "solarize_add", "identity"])),
    ];
    for (variant, expected) in families {
        let counts = count(names(variant, strength(9.0, 31), 1000 * expected.len() as u128).into_iter());
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), expected);
        assert!(counts.values().all(|n| (850..1150).contains(n)), "{variant:?}: {counts:?}");
    }
}

#[test]
fn every_family_has_its_sampling_and_both_signs() {
    let drawn = |variant, wanted: Sampling| {
        let ops = (0..3000).map(|key| draw(variant, strength(9.0, 31), (224, 224), &mut stream(key)));
        let shares: Vec<(Sampling, bool)> = ops
            .filter_map(|op| match op {
                Op::Rotate { degrees, sampling } => Some((sampling, degrees > 0.0)),
                _ => None,
            })
            .collect();
        let right = shares.iter().filter(|(sampling, _)| *sampling == wanted).count() as f64 / shares.len() as f64;
        let positive = shares.iter().filter(|(_, positive)| *positive).count() as f64 / shares.len() as f64;
        assert!((0.35..0.65).contains(&positive), "{variant:?}: {positive}");
        right
    };
    assert_eq!(drawn(Variant::Torchvision, Sampling::Nearest), 1.0);
    assert_eq!(drawn(Variant::Dali, Sampling::Bilinear), 1.0);
    assert_eq!(drawn(Variant::Tf, Sampling::Nearest), 1.0);
    assert_eq!(drawn(Variant::Fixmatch, Sampling::Nearest), 1.0);
    for sampling in [Sampling::Bilinear, Sampling::Bicubic] {
        assert!((0.35..0.65).contains(&drawn(Variant::Timm, sampling)));
    }
}

#[test]
fn a_deviation_spreads_the_magnitude_within_its_bounds() {
    let many = |magnitude, deviation| -> Vec<f64> {
        let strength = Strength { magnitude, deviation, bins: 0 };
        (0..20_000).map(|key| noisy_magnitude(strength, &mut stream(key))).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(many(12.0, 0.0).iter().all(|&m| m == 10.0));
    let normal = many(5.0, 0.5);
    let variance = normal.iter().map(|m| (m - 5.0) * (m - 5.0)).sum::<f64>() / 20_000.0;
    assert!((mean(&normal) - 5.0).abs() < 0.02 && (variance - 0.25).abs() < 0.01, "{variance}");
    let high = many(9.0, 3.0);
    assert!(high.iter().all(|m| (0.0..=10.0).contains(m)) && high.contains(&10.0));
    let even = many(9.0, 101.0);
    assert!((mean(&even) - 4.5).abs() < 0.06 && even.iter().all(|&m| m < 9.0));
    assert!(even.iter().any(|&m| m < 0.1));
}

#[test]
fn the_same_stream_draws_the_same_op() {
    for variant in [Variant::Timm, Variant::Tf] {
        let op = |key| draw(variant, strength(9.0, 31), (224, 224), &mut stream(key));
        assert_eq!(op(3), op(3));
        assert!((0..20).any(|key| op(key) != op(3)));
    }
    assert_eq!(sampling(&Op::Invert), None);
}
