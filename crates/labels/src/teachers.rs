//! Several teachers: one label of each record out of what they say, and how often they agree.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::ValBuilder;
use millstream_data::{Key, most_probable};
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::label::{Confidence, Pseudo};
use crate::upsert::Latest;

/// How the labels that several teachers give to a record become one. A record with one label keeps it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Agreement {
    /// All that speak name one class, or there is no label. The confidence is the mean of theirs.
    #[default]
    All,
    /// More than half of those that speak name one class, or there is no label. The confidence is the mean of
    /// those that name it, and so is the distribution.
    Majority,
    /// The mean distribution decides (an ensemble). No label where a teacher tells no distribution, or
    /// one of another length.
    Mean,
}

impl Agreement {
    /// One label out of those of several teachers, given in the order of the teachers. Its round is the latest of theirs; its
    /// model is made of theirs. Its distribution is the mean, if all that count have one.
    pub fn combine(self, told: &[&Pseudo]) -> Option<Pseudo> {
        if let [only] = told {
            return Some((*only).clone());
        }
        let counted: Vec<&Pseudo> = match self {
            Agreement::Mean => told.to_vec(),
            Agreement::All | Agreement::Majority => {
                let class = majority(told)?;
                told.iter().copied().filter(|label| label.class == class).collect()
            }
        };
        if self == Agreement::All && counted.len() < told.len() {
            return None;
        }
        let distribution = mean_distribution(&counted);
        let (class, confidence) = match self {
            Agreement::Mean => {
                let class = (!distribution.is_empty()).then(|| most_probable(&distribution))?;
                (class, distribution[class as usize])
            }
            Agreement::All | Agreement::Majority => {
                (counted.first()?.class, mean(counted.iter().map(|label| label.confidence)))
            }
        };
        Some(Pseudo {
            class,
            confidence: Confidence::new(confidence),
            round: counted.iter().map(|label| label.round).max()?,
            model: counted.iter().fold(0, |all: u64, label| all.rotate_left(1) ^ label.model),
            distribution: distribution.into_iter().map(Confidence::new).collect(),
        })
    }
}

/// The class that more than half of the labels name (Boyer and Moore 1981: a majority survives when votes cancel in pairs).
fn majority(told: &[&Pseudo]) -> Option<u32> {
    let (mut class, mut lead) = (0, 0_usize);
    for label in told {
        match (lead, label.class == class) {
            (0, _) => (class, lead) = (label.class, 1),
            (_, true) => lead += 1,
            (_, false) => lead -= 1,
        }
    }
    let votes = told.iter().filter(|label| label.class == class).count();
    (2 * votes > told.len()).then_some(class)
}

fn mean(values: impl ExactSizeIterator<Item = Confidence>) -> f32 {
    let count = values.len() as f64;
    (values.map(|value| f64::from(value.get())).sum::<f64>() / count) as f32
}

/// Class by class; empty if lengths differ.
fn mean_distribution(told: &[&Pseudo]) -> Vec<f32> {
    let length = told.first().map_or(0, |label| label.distribution.len());
    if told.iter().any(|label| label.distribution.len() != length) {
        return Vec::new();
    }
    (0..length).map(|class| mean(told.iter().map(|label| label.distribution[class]))).collect()
}

/// A record that two teachers have labelled. How many there are of each kind is how far the two agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The teacher with the smaller number.
    pub first: u32,
    /// The other.
    pub second: u32,
    /// Whether they name one class.
    pub same: bool,
}

type Told<'scope, T> = Arranged<'scope, TraceAgent<Latest<u32, Pseudo, T>>>;

/// The label that all teachers of a record make.
pub(crate) fn agreed<'scope, T>(
    told: Told<'scope, T>,
    agreement: Agreement,
) -> Arranged<'scope, TraceAgent<Latest<(), Pseudo, T>>>
where
    T: Timestamp + Lattice + TotalOrder,
{
    told.reduce_abelian::<_, ValBuilder<Key, ((), Pseudo), T, isize>, Latest<(), Pseudo, T>, _, _>(
        "Agreement",
        move |_, told, label| {
            let labels: Vec<&Pseudo> = told.iter().map(|((_, label), _)| label).collect();
            label.extend(agreement.combine(&labels).map(|label| (((), label), 1)));
        },
        |updates, key, changes| {
            updates.clear();
            updates.extend(changes.drain(..).map(|(label, time, change)| ((*key, label), time, change)));
        },
    )
}

/// Every two teachers of every record, summed up by worker.
pub(crate) fn pairs<'scope, T>(told: Told<'scope, T>) -> VecCollection<'scope, T, Pair>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let both = told.clone().join_core(told, |_, (first, one), (second, other)| {
        (first < second).then_some(Pair { first: *first, second: *second, same: one.class == other.class })
    });
    both.consolidate_stream().consolidate()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(class: u32, distribution: &[f32]) -> Pseudo {
        Pseudo::new(
            class,
            distribution.get(class as usize).copied().unwrap_or(0.5),
            1,
            &[class as u8; 32],
            distribution,
        )
    }

    fn class(agreement: Agreement, told: &[Pseudo]) -> Option<(u32, f32)> {
        let told: Vec<&Pseudo> = told.iter().collect();
        agreement.combine(&told).map(|label| (label.class, label.confidence.get()))
    }

    #[test]
    fn the_three_ways_differ() {
        let told = [says(0, &[0.5, 0.25, 0.25]), says(1, &[0.0, 1.0, 0.0]), says(0, &[0.75, 0.25, 0.0])];
        assert_eq!(class(Agreement::All, &told), None);
        assert_eq!(class(Agreement::Majority, &told), Some((0, 0.625)));
        assert_eq!(class(Agreement::Mean, &told), Some((1, 0.5)));
        assert_eq!(class(Agreement::All, &told[2..]), Some((0, 0.75)));
    }

    #[test]
    fn half_is_no_majority_and_hard_labels_have_no_mean() {
        let told = [says(0, &[]), says(1, &[]), says(1, &[]), says(0, &[])];
        assert_eq!(class(Agreement::Majority, &told), None);
        assert_eq!(class(Agreement::Majority, &told[..3]), Some((1, 0.5)));
        assert_eq!(class(Agreement::Mean, &told), None);
        assert_eq!(class(Agreement::All, &[]), None);
    }

    #[test]
    fn an_ensemble_is_another_model() {
        let told = [says(0, &[]), says(0, &[])];
        let one = Agreement::All.combine(&[&told[0]]).map(|label| label.model);
        assert_eq!(one, Some(told[0].model));
        let other = Pseudo { model: 7, ..told[1].clone() };
        assert_ne!(Agreement::All.combine(&[&told[0], &other]).map(|label| label.model), one);
    }
}
