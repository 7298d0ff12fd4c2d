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
use crate::duplicates::{Duplicates, Looks};
use crate::label::{Label, Provenance, Pseudo, Selected};
use crate::policy::Policy;
use crate::stats::RoundStats;
use crate::survivor::{Search, Standing, eligible};
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
    /// Records that are in no training set, whatever is said of them.
    pub barred: VecCollection<'scope, T, Key>,
    /// What records look like, where duplicates are looked for.
    pub looks: Option<Looks<'scope, T>>,
    /// Hidden labels, at most one a record, used for nothing but precision.
    pub truth: VecCollection<'scope, T, (Key, u32)>,
}

/// What the book of a corpus yields.
pub struct Curated<'scope, T: Timestamp> {
    /// The training set: what people say, and what was selected of what teachers say. One label a record.
    pub labels: VecCollection<'scope, T, (Key, Label)>,
    /// The part that teachers say, as in [`Book`](crate::Book).
    pub selected: VecCollection<'scope, T, (Key, Selected)>,
    /// As in [`Book`](crate::Book). Records that people have labelled or rejected, barred ones and copies that are left out are in
    /// none of the numbers.
    pub stats: StreamVec<'scope, T, (T, RoundStats)>,
    /// How far teachers agree: how often a pair occurs is how many records it is true of, whoever else labelled those.
    pub pairs: VecCollection<'scope, T, Pair>,
    /// Where they are looked for. The copies are those that were left out for another record; where they are only reported, all
    /// with a smaller key.
    pub duplicates: Option<Duplicates<'scope, T>>,
}

/// Builds the book of a corpus into a dataflow. `policy` is as checked by [`Policy::check`].
///
/// What people have labelled stays, and counts: balancing and the most of each class fill up with what teachers say.
///
/// Of records that show the same, one stays, where that is asked for: it is chosen among those that could be in the training set,
/// before balancing and the most of each class, and what people say goes first. A record that is rejected, barred or not sure
/// enough is in nobody's way.
///
/// From the time `frozen` on the members of the selection are those of that time, with the copies that they had, and only what is
/// said of them is replaced: a new teacher looks at the selected images again (`reassign.sh` of Noisy Student). Such a
/// member leaves where a person speaks of it or of one that shows the same, where it is barred or where no label is left.
pub fn curate<'scope, T>(said: Sayings<'scope, T>, policy: &Policy, frozen: Option<T>) -> Curated<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let Sayings { corrections, teachers, barred, looks, truth } = said;
    let last = last_word(corrections);
    let heard = tally::heard(teachers.clone().map(|(_, _, _, time)| time));
    let told = upsert(teachers, "Teachers");
    let pairs = pairs(told.clone());
    let labels = agreed(told, policy.agreement);

    let search = looks.map(Search::open);
    let barred = search.iter().fold(barred, |barred, search| barred.concat(search.barred())).distinct_total();
    let ruled = last.clone().map(|(key, _)| key).concat(barred.clone());
    let people = last.flat_map(|(key, correction)| match correction.verdict {
        Verdict::Class(class) => Some((key, Label::human(class, correction.import))),
        Verdict::Reject => None,
    });
    let people = people.antijoin(barred);
    let standings = || {
        let of_people = people.clone().map(|(key, label)| (key, standing(&label)));
        of_people.concat(eligible(labels.clone(), ruled.clone(), policy, frozen.clone()))
    };
    let (left_out, duplicates) = search.map(|search| search.settle(standings)).unzip();
    let (people, taken) = match left_out {
        Some(keys) => (people.antijoin(keys.clone()), ruled.concat(keys)),
        None => (people, ruled),
    };
    let by_people = people.clone().map(|(_, label)| label.class);
    let book = open(Pages { labels, heard, taken, by_people, truth }, policy, frozen);
    let labels = people.concat(book.selected.clone().map(|(key, selected)| (key, Label::from(selected))));
    Curated { labels, selected: book.selected, stats: book.stats, pairs, duplicates }
}

fn standing(label: &Label) -> Standing {
    match label.provenance {
        Provenance::Human { import } => Standing::of_import(import),
        Provenance::Pseudo { .. } => Standing::Teacher,
    }
}

#[cfg(test)]
mod tests;
