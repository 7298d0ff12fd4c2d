use super::super::tests::{golden, named, stream};
use super::*;
use crate::golden::{Tally, finish};

fn ops(policy: LearnedPolicy, key: u128) -> Vec<Op> {
    let mut ops = Vec::new();
    draw(policy, (224, 224), &mut stream(key), |op| ops.push(op));
    ops
}

/// torchvision's pairs, from its own tables.
#[test]
fn the_pairs_are_those_of_torchvision() {
    let mut tally = Tally::new("policies, autoaugment", 0.0);
    for line in golden().lines().filter(|line| line.starts_with("pair ")) {
        let fields: Vec<&str> = line.split(' ').collect();
        let table = match fields[1] {
            "imagenet" => &IMAGENET,
            "cifar10" => &CIFAR10,
            _ => &SVHN,
        };
        let side = |at: usize| {
            (named(fields[at]), fields[at + 1].parse().unwrap(), fields[at + 2].parse::<i32>().unwrap().max(0) as u32)
        };
        let same = table[fields[2].parse::<usize>().unwrap()] == [side(3), side(6)];
        tally.add(line, if same { 0.0 } else { f64::INFINITY });
    }
    finish([tally]);
}

/// On ImageNet the mean number of ops is the mean of the sums of the probabilities.
#[test]
fn ops_come_with_their_probabilities() {
    let n = 20_000;
    for (policy, table) in
        [(LearnedPolicy::ImageNet, IMAGENET), (LearnedPolicy::Cifar10, CIFAR10), (LearnedPolicy::Svhn, SVHN)]
    {
        let expected = table.iter().flatten().map(|(_, p, _)| p).sum::<f64>() / 25.0;
        let found = (0..n).map(|key| ops(policy, key).len()).sum::<usize>() as f64 / n as f64;
        assert!((found - expected).abs() < 0.02, "{policy:?}: {found}, expected {expected}");
    }
}

/// (Invert, 0.6), (Equalize, 1.0): the second comes always, the first before it.
#[test]
fn the_ops_of_a_pair_keep_their_order() {
    let inverted: Vec<_> =
        (0..5000).map(|key| ops(LearnedPolicy::ImageNet, key)).filter(|ops| ops.first() == Some(&Op::Invert)).collect();
    assert!(inverted.len() > 100);
    assert!(inverted.iter().all(|ops| ops[..] == [Op::Invert, Op::Equalize] || ops[..] == [Op::Invert]));
    assert!(inverted.iter().filter(|ops| ops.len() == 2).count() > 100);
}

/// Rotate at magnitude 8 of 10 bins on ImageNet.
#[test]
fn magnitudes_are_those_of_ten_bins() {
    let turns: Vec<f32> = (0..5000)
        .flat_map(|key| ops(LearnedPolicy::ImageNet, key))
        .filter_map(|op| match op {
            Op::Rotate { degrees, sampling: Sampling::Nearest } => Some(degrees),
            _ => None,
        })
        .collect();
    let near = |d: f32, bin: f32| (d.abs() - 30.0 * bin / 9.0).abs() < 1e-4;
    assert!(turns.iter().all(|&d| [3.0, 8.0, 9.0].iter().any(|&bin| near(d, bin))));
    assert!(turns.iter().any(|&d| near(d, 8.0) && d < 0.0) && turns.iter().any(|&d| near(d, 8.0) && d > 0.0));
}
