//! The book of a whole corpus: corrections by people, several teachers, records that are barred.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::ThresholdTotal;
use millstream_data::Key;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::book::{Pages, open};
use crate::correction::{Correction, Verdict, last_word};
use crate::label::{Label, Pseudo, Selected};
use crate::policy::Policy;
use crate::stats::RoundStats;
use crate::tally;
use crate::teachers::{Pair, agreed, pairs};
use crate::upsert::upsert;

/// What is said of the records of a corpus.
pub struct Sayings<'scope, T: Timestamp> {
    /// What people say; of each record the greatest counts.
    pub corrections: VecCollection<'scope, T, (Key, Correction)>,
    /// What each teacher, known by a number, says of a record from a time on: as the upserts of [`book()`](crate::book()), teacher by
    /// teacher.
    pub teachers: StreamVec<'scope, T, (Key, u32, Option<Pseudo>, T)>,
    /// Records that are in no training set, such as copies of others or of test images.
    pub barred: VecCollection<'scope, T, Key>,
    /// Hidden labels, at most one a record, used for nothing but precision.
    pub truth: VecCollection<'scope, T, (Key, u32)>,
}

/// What the book of a corpus yields.
pub struct Curated<'scope, T: Timestamp> {
    /// The training set: what people say, and what was selected of what teachers say. One label a record.
    pub labels: VecCollection<'scope, T, (Key, Label)>,
    /// The part that teachers say, as in [`Book`](crate::Book).
    pub selected: VecCollection<'scope, T, (Key, Selected)>,
    /// As in [`Book`](crate::Book). Records that people have labelled or rejected, and barred ones, are in none of the numbers.
    pub stats: StreamVec<'scope, T, (T, RoundStats)>,
    /// How far teachers agree: how often a pair occurs is how many records it is true of, whoever else labelled those.
    pub pairs: VecCollection<'scope, T, Pair>,
}

/// Builds the book of a corpus into a dataflow. `policy` is as checked by [`Policy::check`].
///
/// From the time `frozen` on the members of the selection are those of that time, with the copies that they had, and only what is
/// said of them is replaced: a new teacher looks at the selected images again (`reassign.sh` of Noisy Student). Such a
/// member leaves where a person speaks, where it is barred or where no label is left.
pub fn curate<'scope, T>(said: Sayings<'scope, T>, policy: &Policy, frozen: Option<T>) -> Curated<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let last = last_word(said.corrections);
    let heard = tally::heard(said.teachers.clone().map(|(_, _, _, time)| time));
    let told = upsert(said.teachers, "Teachers");
    let pairs = pairs(told.clone());
    let taken = last.clone().map(|(key, _)| key).concat(said.barred.clone());
    let pages = Pages { labels: agreed(told, policy.agreement), heard, taken, truth: said.truth };
    let book = open(pages, policy, frozen);

    let human = last.flat_map(|(key, correction)| match correction.verdict {
        Verdict::Class(class) => Some((key, Label::human(class, correction.import))),
        Verdict::Reject => None,
    });
    let human = human.antijoin(said.barred.distinct_total());
    let labels = human.concat(book.selected.clone().map(|(key, selected)| (key, Label::from(selected))));
    Curated { labels, selected: book.selected, stats: book.stats, pairs }
}

#[cfg(test)]
mod tests;
