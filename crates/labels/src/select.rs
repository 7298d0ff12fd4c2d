//! `select`: from candidates to the number of copies that each gets.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use millstream_data::Key;
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::balance::{BUCKETS, Cell, bucket_of, chance};
use crate::label::{Confidence, Pseudo};
use crate::policy::Policy;
use crate::rule::Balance;
use crate::threshold::{Cut, bin_of};
use crate::top::top;

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

/// Selects among candidates by `policy`.
pub(crate) fn select<'scope, T>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    policy: &Policy,
) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let classes = policy.rule.classes;
    let known = candidates.filter(move |(_, candidate)| candidate.class < classes);
    let rule = policy.clone();
    let above =
        known.clone().filter(move |(_, candidate)| candidate.confidence.get() >= rule.threshold(candidate.class));
    match (policy.most, policy.rule.balance) {
        (Some(most), _) => Choice { copies: top(above, most, policy.rule.seed), cuts: None },
        (None, Some(balance)) => balanced(known, policy, balance),
        (None, None) => Choice { copies: above.map(|(key, _)| (key, 1)), cuts: None },
    }
}

/// A label where balancing looks for it: in the cell of its class and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Member {
    /// The key in halves: 128 bits in one piece would be aligned to 16 bytes, a quarter more memory.
    key: [u64; 2],
    round: u32,
    bin: u8,
}

impl Member {
    fn new(key: Key, round: u32, bin: u8) -> Member {
        let Key(bits) = key;
        Member { key: [(bits >> 64) as u64, bits as u64], round, bin }
    }

    fn key(&self) -> Key {
        let [high, low] = self.key;
        Key(u128::from(high) << 64 | u128::from(low))
    }
}

fn balanced<'scope, T>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    policy: &Policy,
    balance: Balance,
) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let (seed, floors) = (policy.rule.seed, policy.clone());
    let binned = candidates.flat_map(move |(key, candidate)| {
        let bin = bin_of(candidate.confidence);
        (bin >= floors.floor(candidate.class)).then_some((key, candidate, bin))
    });

    let cuts = cut(binned.clone().map(|(_, candidate, bin)| (candidate.class, bin)), balance.per_class, policy);
    // A decision that did not change cancels here, and its members are not looked at.
    let cells = cuts
        .clone()
        .flat_map(move |(class, cut)| {
            (0..BUCKETS).map(move |bucket| ((class, bucket), Cell::new(cut, &balance, bucket)))
        })
        .arrange_by_key_named("Cells");
    let members = binned.map(move |(key, candidate, bin)| {
        let chance = chance(seed, candidate.round, key);
        ((candidate.class, bucket_of(chance)), Member::new(key, candidate.round, bin))
    });
    let copies = members.arrange_by_key_named("Members").join_core(cells, move |_, member, cell| {
        let key = member.key();
        let copies = cell.copies(member.bin, || chance(seed, member.round, key));
        copies.map(|copies| (key, copies))
    });
    Choice { copies, cuts: Some(cuts) }
}

/// Where each class's histogram is cut. The histogram is the arrangement itself: the count of a bin is its weight.
fn cut<'scope, T>(
    bins: VecCollection<'scope, T, (u32, u8)>,
    wanted: u64,
    policy: &Policy,
) -> VecCollection<'scope, T, (u32, Cut)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let policy = policy.clone();
    // Counted message by message before they travel: a class is cut on one worker.
    bins.consolidate_stream().reduce_named("Cut", move |class, bins, cuts| {
        let counted = bins.iter().map(|(bin, count)| (**bin, u64::try_from(*count).unwrap_or(0)));
        cuts.push((Cut::walk(counted, wanted, policy.floor(*class)), 1));
    })
}
