use super::super::tests::{count, sampling, stream};
use super::*;

const USUAL: AugMix = AugMix { severity: 3, width: 3, depth: None, alpha: 1.0, all_ops: true };

fn drawn(policy: AugMix, key: u128) -> (f32, Vec<(f32, Vec<Op>)>) {
    let Op::AugMix { keep, chains } = policy.draw((224, 224), &mut stream(key)) else { panic!("another op") };
    (keep, chains)
}

#[test]
fn weights_are_shares_and_depths_one_to_three() {
    let mut depths = [0; 4];
    let mut means = [0.0; 4];
    for key in 0..3000 {
        let (keep, chains) = drawn(USUAL, key);
        assert!((0.0..=1.0).contains(&keep));
        assert_eq!(chains.len(), 3);
        assert!((chains.iter().map(|(weight, _)| weight).sum::<f32>() - 1.0).abs() < 1e-6);
        means[3] += keep / 3000.0;
        for (n, (weight, ops)) in chains.iter().enumerate() {
            means[n] += weight / 3000.0;
            depths[ops.len()] += 1;
        }
    }
    assert!(depths[0] == 0 && depths[1..].iter().all(|n| (2800..3200).contains(n)), "{depths:?}");
    assert!(means[..3].iter().all(|m| (m - 1.0 / 3.0).abs() < 0.02) && (means[3] - 0.5).abs() < 0.02, "{means:?}");
}

#[test]
fn a_fixed_depth_and_width_are_kept() {
    let (_, chains) = drawn(AugMix { depth: Some(5), width: 7, ..USUAL }, 0);
    assert_eq!(chains.iter().map(|(_, ops)| ops.len()).collect::<Vec<_>>(), [5; 7]);
}

#[test]
fn ops_come_evenly_and_without_the_four_if_wanted() {
    for (all_ops, expected) in [(true, 13), (false, 9)] {
        let policy = AugMix { depth: Some(10), width: 10, all_ops, ..USUAL };
        let ops: Vec<Op> = (0..130).flat_map(|key| drawn(policy, key).1).flat_map(|(_, ops)| ops).collect();
        let counts = count(ops.iter().map(Op::name));
        assert_eq!(counts.len(), expected);
        let even = 13_000 / expected as u32;
        assert!(counts.values().all(|&n| n.abs_diff(even) < even / 6), "{counts:?}");
        assert!(ops.iter().filter_map(sampling).all(|sampling| sampling == Sampling::Bilinear));
        assert_eq!(counts.contains_key("color"), all_ops);
    }
}

/// Severity 3 has magnitudes 0 to 2 of 10: at most 2/9 of 30 degrees, and 4, 4 or 3 bits.
#[test]
fn severity_bounds_the_magnitude() {
    let policy = AugMix { depth: Some(10), width: 10, ..USUAL };
    for op in (0..50).flat_map(|key| drawn(policy, key).1).flat_map(|(_, ops)| ops) {
        match op {
            Op::Rotate { degrees, .. } => assert!(degrees.abs() < 6.67),
            Op::Posterize(bits) => assert!((3..=4).contains(&bits)),
            Op::TranslateX { pixels, .. } => assert!([0.0, 8.0, 16.0].contains(&pixels.abs()), "{pixels}"),
            _ => {}
        }
    }
}
