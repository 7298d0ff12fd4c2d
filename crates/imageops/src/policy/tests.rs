use std::borrow::Cow;

use super::*;
use crate::SampleKey;
use crate::golden::{self, Tally};

/// The arguments that the installed libraries give, written by golden/policy.py.
pub(super) fn golden() -> Cow<'static, str> {
    golden::cases("MILLSTREAM_GOLDEN_POLICY", include_str!("../../golden/policy.txt"))
}

/// One line of it: op, magnitude, bins, size, argument.
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) magnitude: f32,
    pub(super) bins: u32,
    pub(super) size: Size,
    argument: f64,
    line: String,
}

/// Compares the op of every case of some families with `op`. Fresh files lack the libraries that are not installed.
pub(super) fn compare(group: &'static str, families: &[&str], op: impl Fn(&str, &Case) -> Op) {
    let mut tally = Tally::new(group, 0.0);
    for line in golden().lines() {
        let family = line.split(' ').next().unwrap();
        if families.contains(&family) {
            let case = case(line);
            let same = case.expects(&op(family, &case));
            tally.add(&case.line, if same { 0.0 } else { f64::INFINITY });
        }
    }
    golden::finish([tally]);
}

fn case(line: &str) -> Case {
    let fields: Vec<&str> = line.split(' ').skip(1).collect();
    let [kind, magnitude, bins, width, height, argument] = fields[..] else { panic!("{line}") };
    let size = (width.parse().unwrap(), height.parse().unwrap());
    Case {
        kind: named(kind),
        magnitude: magnitude.parse().unwrap(),
        bins: bins.parse().unwrap(),
        size,
        argument: argument.parse().unwrap(),
        line: line.to_string(),
    }
}

/// The kind with this name in the libraries.
pub(super) fn named(name: &str) -> Kind {
    let all = [torchvision::KINDS.as_slice(), &[Kind::Invert, Kind::SolarizeAdd]].concat();
    all.into_iter().find(|kind| format!("{kind:?}").eq_ignore_ascii_case(name)).unwrap_or_else(|| panic!("{name}"))
}

impl Case {
    /// Whether `op` has exactly the argument: the nearest f32, and for a threshold one that splits 0..=255 alike.
    fn expects(&self, op: &Op) -> bool {
        let splits = |threshold: f32| (0..256).all(|v| (f64::from(v) < self.argument) == ((v as f32) < threshold));
        let sampling = sampling(op).unwrap_or(Sampling::Nearest);
        let alike = if let Op::Solarize(threshold) = *op { splits(threshold) } else { true };
        alike && *op == self.kind.with(self.argument, sampling)
    }
}

pub(super) fn sampling(op: &Op) -> Option<Sampling> {
    match *op {
        Op::Rotate { sampling, .. } | Op::ShearX { sampling, .. } | Op::ShearY { sampling, .. } => Some(sampling),
        Op::TranslateX { sampling, .. } | Op::TranslateY { sampling, .. } => Some(sampling),
        _ => None,
    }
}

/// The stream of a sample with this key.
pub(super) fn stream(key: u128) -> Rng {
    Rng::new(&SampleKey { seed: 1, round: 0, epoch: 0, key, copy: 0, view: 0 }, 0)
}

/// A stream whose first coin of 0.5 falls so that a number keeps its sign (or loses it).
pub(super) fn signed(positive: bool) -> Rng {
    (0..).map(stream).find(|rng| rng.clone().coin(0.5) != positive).unwrap()
}

/// How often each name comes.
pub(super) fn count<'a>(names: impl Iterator<Item = &'a str>) -> std::collections::BTreeMap<&'a str, u32> {
    names.fold(Default::default(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

#[test]
fn arguments_beyond_eight_bits_are_cut_to_what_does_the_same() {
    let with = |kind: Kind, argument| kind.with(argument, Sampling::Nearest);
    assert_eq!(with(Kind::Posterize, 10.0), Op::Posterize(8));
    assert_eq!(with(Kind::Solarize, 691.0), Op::Solarize(256.0));
    assert_eq!(with(Kind::SolarizeAdd, 297.0), Op::SolarizeAdd { add: 255, threshold: 128 });
}

#[test]
fn a_threshold_just_above_a_value_stays_above_it() {
    let Op::Solarize(threshold) = Kind::Solarize.with(204.00000303983688, Sampling::Nearest) else { panic!() };
    assert!(threshold > 204.0 && threshold < 204.0001);
    assert_eq!(Kind::Solarize.with(127.5, Sampling::Nearest), Op::Solarize(127.5));
}

/// Every op of a scale against torchvision's own tables.
#[test]
fn the_scales_are_those_of_torchvision_to_the_last_bit() {
    use torchvision::{AUGMIX, RANDAUGMENT, WIDE};
    compare("policies, torchvision", &["torchvision", "wide", "autoaugment", "augmix"], |family, case| {
        let scale = match family {
            "wide" => WIDE,
            "augmix" => AUGMIX,
            _ => RANDAUGMENT,
        };
        scale.op(case.kind, (case.magnitude as u32, case.bins), case.size, Sampling::Nearest, &mut signed(true))
    });
}

#[test]
fn a_negative_sign_turns_shifts_and_lowers_factors() {
    let op = |kind: Kind| torchvision::RANDAUGMENT.op(kind, (9, 31), (28, 100), Sampling::Nearest, &mut signed(false));
    let sampling = Sampling::Nearest;
    assert_eq!(op(Kind::TranslateX), Op::TranslateX { pixels: -3.0, sampling });
    assert_eq!(op(Kind::TranslateY), Op::TranslateY { pixels: -13.0, sampling });
    assert_eq!(op(Kind::Rotate), Op::Rotate { degrees: -9.0, sampling });
    assert_eq!(op(Kind::Brightness), Op::Brightness(0.73));
    assert_eq!(op(Kind::Posterize), Op::Posterize(7));
}
