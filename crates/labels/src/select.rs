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
use crate::threshold::{Cut, apart, bin_of};
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

/// Selects among candidates by `policy`. `by_people` are the classes of what is chosen already.
pub(crate) fn select<'scope, T>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    by_people: VecCollection<'scope, T, u32>,
    policy: &Policy,
) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let rule = policy.clone();
    let sure = candidates.filter(move |(_, candidate)| rule.admits(candidate));
    match (policy.most, policy.rule.balance) {
        (Some(most), _) => Choice { copies: top(sure, by_people, most, policy.rule.seed), cuts: None },
        (None, Some(balance)) => balanced(sure, by_people, policy, balance),
        (None, None) => Choice { copies: sure.map(|(key, _)| (key, 1)), cuts: None },
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
    by_people: VecCollection<'scope, T, u32>,
    policy: &Policy,
    balance: Balance,
) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let seed = policy.rule.seed;
    let binned = candidates.map(|(key, candidate)| (key, candidate, bin_of(candidate.confidence)));
    let bins = binned.clone().map(|(_, candidate, bin)| (candidate.class, Some(bin)));
    let cuts = cut(bins.concat(by_people.map(|class| (class, None))), balance.per_class, policy);
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

/// Where each class's histogram is cut. The histogram is the arrangement itself: the count of a bin is its weight, and that of no
/// bin is how many records people have labelled.
fn cut<'scope, T>(
    bins: VecCollection<'scope, T, (u32, Option<u8>)>,
    per_class: u64,
    policy: &Policy,
) -> VecCollection<'scope, T, (u32, Cut)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let policy = policy.clone();
    // Counted message by message before they travel: a class is cut on one worker.
    bins.consolidate_stream().reduce_named("Cut", move |class, bins, cuts| {
        cuts.push((Cut::walk(apart(bins), per_class, policy.floor(*class)), 1));
    })
}
