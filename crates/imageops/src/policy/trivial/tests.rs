use super::super::tests::{count, stream};
use super::*;

#[test]
fn every_op_and_every_magnitude_comes_up() {
    let ops: Vec<Op> = (0..14_000).map(|key| draw(31, (224, 224), &mut stream(key))).collect();
    let counts = count(ops.iter().map(Op::name));
    assert_eq!(counts.len(), 14);
    assert!(counts.values().all(|n| (850..1150).contains(n)), "{counts:?}");
    let turns: Vec<f32> = ops
        .iter()
        .filter_map(|op| match *op {
            Op::Rotate { degrees, sampling: Sampling::Nearest } => Some(degrees),
            _ => None,
        })
        .collect();
    let bins: std::collections::BTreeSet<i32> = turns.iter().map(|d| (d / 4.5).round() as i32).collect();
    assert_eq!(bins, (-30..=30).collect());
}

/// The known scale at the largest magnitude, which bin 1 of 2 is: shear 0.99, 32 pixels, 135 degrees, 2 bits.
#[test]
fn the_largest_magnitudes_are_the_wide_ones() {
    for key in 0..2000 {
        match draw(2, (28, 28), &mut stream(key)) {
            Op::ShearX { tangent, .. } => assert!([0.0, 0.99].contains(&tangent.abs())),
            Op::TranslateX { pixels, .. } => assert!([0.0, 32.0].contains(&pixels.abs())),
            Op::Rotate { degrees, .. } => assert!([0.0, 135.0].contains(&degrees.abs())),
            Op::Posterize(bits) => assert!([8, 2].contains(&bits)),
            Op::Brightness(factor) => assert!([1.0, 1.99, 0.01].iter().any(|f| (f - factor).abs() < 1e-6)),
            _ => {}
        }
    }
}
