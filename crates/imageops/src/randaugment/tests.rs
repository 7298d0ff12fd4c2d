use super::*;
use crate::SampleKey;

/// Every op at one magnitude on 224x224, with a positive sign.
fn at(magnitude: u32) -> Vec<Op> {
    KINDS.iter().map(|kind| kind.at(f64::from(magnitude) / 30.0, 1.0, (224, 224))).collect()
}

/// torchvision's scale at 224x224: magnitude, shear, translate, rotate, enhance, posterize, solarize.
#[test]
fn the_scale_is_that_of_torchvision() {
    let rows: [(u32, f32, i32, f32, f32, u8, f32); 6] = [
        (0, 0.0, 0, 0.0, 0.0, 8, 255.0),
        (5, 0.05, 16, 5.0, 0.15, 7, 212.5),
        (9, 0.09, 30, 9.0, 0.27, 7, 178.5),
        (15, 0.15, 50, 15.0, 0.45, 6, 127.5),
        (27, 0.27, 91, 27.0, 0.81, 4, 25.5),
        (30, 0.30, 101, 30.0, 0.90, 4, 0.0),
    ];
    for (magnitude, shear, shift, degrees, enhance, bits, threshold) in rows {
        let factor = 1.0 + enhance;
        let expected = [
            Op::Identity,
            Op::ShearX(shear),
            Op::ShearY(shear),
            Op::TranslateX(shift),
            Op::TranslateY(shift),
            Op::Rotate(degrees),
            Op::Brightness(factor),
            Op::Color(factor),
            Op::Contrast(factor),
            Op::Sharpness(factor),
            Op::Posterize(bits),
            Op::Solarize(threshold),
            Op::AutoContrast,
            Op::Equalize,
        ];
        for (found, expected) in at(magnitude).iter().zip(expected) {
            assert!(close(found, &expected), "magnitude {magnitude}: {found:?}, expected {expected:?}");
        }
    }
}

/// Equal up to the rounding of decimal fractions.
fn close(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::ShearX(a), Op::ShearX(b)) | (Op::ShearY(a), Op::ShearY(b)) | (Op::Rotate(a), Op::Rotate(b)) => {
            (a - b).abs() < 1e-5
        }
        (Op::Brightness(a), Op::Brightness(b)) | (Op::Color(a), Op::Color(b)) => (a - b).abs() < 1e-5,
        (Op::Contrast(a), Op::Contrast(b)) | (Op::Sharpness(a), Op::Sharpness(b)) => (a - b).abs() < 1e-5,
        (Op::Solarize(a), Op::Solarize(b)) => (a - b).abs() < 1e-3,
        (a, b) => a == b,
    }
}

#[test]
fn shifts_follow_width_and_height_and_round_towards_zero() {
    let f = 9.0 / 30.0;
    assert_eq!(Kind::TranslateX.at(f, 1.0, (28, 100)), Op::TranslateX(3));
    assert_eq!(Kind::TranslateX.at(f, -1.0, (28, 100)), Op::TranslateX(-3));
    assert_eq!(Kind::TranslateY.at(f, -1.0, (28, 100)), Op::TranslateY(-13));
}

#[test]
fn a_negative_sign_lowers_factors_below_one() {
    assert!(close(&Kind::Brightness.at(0.3, -1.0, (1, 1)), &Op::Brightness(0.73)));
    assert!(close(&Kind::Sharpness.at(1.0, -1.0, (1, 1)), &Op::Sharpness(0.1)));
}

#[test]
fn all_ops_are_drawn_evenly_and_signed_ones_with_both_signs() {
    let mut counts = [0; 14];
    let (mut left, mut right) = (0, 0);
    for key in 0..14_000 {
        let mut rng = Rng::new(&SampleKey { seed: 1, round: 0, epoch: 0, key, copy: 0, view: 0 }, 0);
        let op = draw(&mut rng, 9, 31, (224, 224));
        let kind = at(9).iter().position(|o| o.name() == op.name()).unwrap();
        counts[kind] += 1;
        left += u32::from(op == Op::TranslateX(-30));
        right += u32::from(op == Op::TranslateX(30));
    }
    assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    assert!(left > 400 && right > 400, "{left} {right}");
}
