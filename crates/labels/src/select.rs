//! `select`: from candidates to the number of copies that each gets.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use millstream_data::Key;
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::balance::{BUCKETS, Cell, bucket_of, chance};
use crate::label::{Confidence, Pseudo};
use crate::rule::{Balance, Rule};
use crate::threshold::{Cut, bin_of, first_bin};

/// The part of a pseudo-label that selection looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) class: u32,
    pub(crate) confidence: Confidence,
    pub(crate) round: u32,
}

impl From<&Pseudo> for Candidate {
    fn from(label: &Pseudo) -> Self {
        Candidate { class: label.class, confidence: label.confidence, round: label.round }
    }
}

/// What selection found.
pub(crate) struct Choice<'scope, T: Timestamp> {
    /// Each selected key with its copies, at least 1.
    pub(crate) copies: VecCollection<'scope, T, (Key, u32)>,
    /// Where each class was cut; only with balancing, and only for classes with labels at the least threshold.
    pub(crate) cuts: Option<VecCollection<'scope, T, (u32, Cut)>>,
}

/// Selects among candidates by `rule`.
pub(crate) fn select<'scope, T>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    rule: &Rule,
) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let classes = rule.classes;
    let known = candidates.filter(move |(_, candidate)| candidate.class < classes);
    match rule.balance {
        None => Choice { copies: above(known, rule.threshold), cuts: None },
        Some(balance) => balanced(known, rule, balance),
    }
}

/// Everything at or above one threshold, once.
fn above<'scope, T: Timestamp>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    threshold: f32,
) -> VecCollection<'scope, T, (Key, u32)> {
    candidates.filter(move |(_, candidate)| candidate.confidence.get() >= threshold).map(|(key, _)| (key, 1))
}

/// A label where balancing looks for it: in the cell of its class and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Member {
    bin: u8,
    /// The bits of the label's chance, a number in [0, 1).
    chance: u64,
    key: Key,
}

fn balanced<'scope, T>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    rule: &Rule,
    balance: Balance,
) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let (floor, seed) = (first_bin(rule.threshold), rule.seed);
    let binned = candidates.flat_map(move |(key, candidate)| {
        let bin = bin_of(candidate.confidence);
        (bin >= floor).then_some((key, candidate, bin))
    });

    let cuts = cut(binned.clone().map(|(_, candidate, bin)| (candidate.class, bin)), balance.per_class, floor);
    // A decision that did not change cancels here, and its members are not looked at.
    let cells = cuts
        .clone()
        .flat_map(move |(class, cut)| {
            (0..BUCKETS).map(move |bucket| ((class, bucket), Cell::new(cut, &balance, bucket)))
        })
        .arrange_by_key_named("Cells");
    let members = binned.map(move |(key, candidate, bin)| {
        let chance = chance(seed, candidate.round, key);
        ((candidate.class, bucket_of(chance)), Member { bin, chance: chance.to_bits(), key })
    });
    let copies = members.arrange_by_key_named("Members").join_core(cells, |_, member, cell| {
        let copies = cell.copies(member.bin, f64::from_bits(member.chance));
        copies.map(|copies| (member.key, copies))
    });
    Choice { copies, cuts: Some(cuts) }
}

/// Where each class's histogram is cut. The histogram is the arrangement itself: the count of a bin is its weight.
fn cut<'scope, T>(
    bins: VecCollection<'scope, T, (u32, u8)>,
    wanted: u64,
    floor: u8,
) -> VecCollection<'scope, T, (u32, Cut)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    bins.reduce_named("Cut", move |_class, bins, cuts| {
        let counted = bins.iter().map(|(bin, count)| (**bin, u64::try_from(*count).unwrap_or(0)));
        cuts.push((Cut::walk(counted, wanted, floor), 1));
    })
}
