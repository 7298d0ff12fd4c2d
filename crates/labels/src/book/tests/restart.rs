//! A book that is refilled from what it held goes on as if nothing had happened.

use std::collections::BTreeMap;

use millstream_data::Key;

use super::harness::{Round, check, rule, says};
use crate::Pseudo;

fn round(number: u32) -> Round {
    let label = |key: u128| {
        let bits = (key * 31 + u128::from(number) * 17) % 41;
        says(key, (bits % 3) as u32, 0.6 + bits as f32 / 100.0, number)
    };
    let keys = (0..60).filter(|key| (key + u128::from(number)) % 7 > 0);
    Round { upserts: keys.map(label).collect(), ..Round::default() }
}

#[test]
fn later_rounds_do_not_depend_on_how_the_book_was_filled() {
    let rule = rule(0.65, Some((14, true)), 3);
    let script: Vec<Round> = (0..4).map(round).collect();
    let (whole, _) = check(rule, &script);

    let mut held: BTreeMap<Key, Option<Pseudo>> = BTreeMap::new();
    held.extend(script[..2].iter().flat_map(|round| round.upserts.iter().cloned()));
    let refill = Round { upserts: held.into_iter().collect(), hasty: true, ..Round::default() };
    let (resumed, _) = check(rule, &[refill, script[2].clone(), script[3].clone()]);

    assert_eq!(whole[1].0, resumed[0].0);
    assert_eq!(whole[2..], resumed[1..]);
}
