//! Figures of splits and classes, out of the looks at their records.

use std::collections::BTreeMap;

use millstream_dataflow::examine::{Catalogue, Look};

use super::report::{Balance, ClassReport, Normalize, SizeCount, SplitReport, Spread};

/// So many sizes are told.
const MOST_SIZES: usize = 10;

/// A figure of an image.
type Figure = fn(&Look) -> f64;

fn width(look: &Look) -> f64 {
    f64::from(look.width)
}

fn height(look: &Look) -> f64 {
    f64::from(look.height)
}

fn aspect(look: &Look) -> f64 {
    rounded(width(look) / height(look).max(1.0), 1e4)
}

fn brightness(look: &Look) -> f64 {
    rounded(f64::from(look.brightness), 1e3)
}

fn sharpness(look: &Look) -> f64 {
    rounded(f64::from(look.sharpness), 1e3)
}

/// With as many digits as mean anything.
fn rounded(value: f64, digits: f64) -> f64 {
    (value * digits).round() / digits
}

/// The records of one split: they lie together.
pub(super) fn of_split(looks: &[Look], split: u32) -> &[Look] {
    let start = looks.partition_point(|look| look.at.split < split);
    let end = looks.partition_point(|look| look.at.split <= split);
    &looks[start..end]
}

/// What a split comes to.
pub(super) fn split(
    catalogue: &Catalogue,
    number: u32,
    (name, inputs, missing): (&str, &[String], Vec<String>),
) -> SplitReport {
    let looks = of_split(catalogue.looks(), number);
    let broken = catalogue.broken_count().get(number as usize).copied().unwrap_or(0);
    let spread = |figure: Figure| spread(looks.iter().map(figure));
    SplitReport {
        name: name.to_owned(),
        inputs: inputs.to_vec(),
        records: looks.len() as u64 + broken,
        broken,
        labelled: looks.iter().filter(|look| look.label.is_some()).count() as u64,
        gray: catalogue.channels(number).gray,
        width: spread(width),
        height: spread(height),
        aspect: spread(aspect),
        brightness: spread(brightness),
        sharpness: spread(sharpness),
        sizes: sizes(looks),
        missing,
    }
}

fn sizes(looks: &[Look]) -> Vec<SizeCount> {
    let mut counts: BTreeMap<(u16, u16), u64> = BTreeMap::new();
    looks.iter().for_each(|look| *counts.entry((look.width, look.height)).or_default() += 1);
    let mut sizes: Vec<SizeCount> =
        counts.into_iter().map(|((width, height), images)| SizeCount { width, height, images }).collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(size.images));
    sizes.truncate(MOST_SIZES);
    sizes
}

/// What each class comes to.
pub(super) fn classes(catalogue: &Catalogue, splits: usize) -> Vec<ClassReport> {
    let mut order: Vec<&Look> = catalogue.looks().iter().filter(|look| look.label.is_some()).collect();
    order.sort_by_key(|look| look.label);
    let name = |label: u32| catalogue.labels().get(label as usize).map(ToString::to_string).unwrap_or_default();
    let class = |of: &[&Look]| {
        let mut records = vec![0; splits];
        for look in of {
            records[look.at.split as usize] += 1;
        }
        let spread = |figure: Figure| spread(of.iter().map(|look| figure(look)));
        ClassReport {
            name: of.first().and_then(|look| look.label).map(name).unwrap_or_default(),
            records,
            width: spread(width).median,
            height: spread(height).median,
            aspect: spread(aspect).median,
            brightness: spread(brightness),
            sharpness: spread(sharpness),
        }
    };
    order.chunk_by(|a, b| a.label == b.label).map(class).collect()
}

/// How uneven the classes of the first split are, and how much the splits differ.
pub(super) fn balance(classes: &[ClassReport]) -> Option<Balance> {
    let count = |class: &ClassReport| class.records.first().copied().unwrap_or(0);
    let largest = classes.iter().rev().max_by_key(|class| count(class))?;
    let smallest = classes.iter().min_by_key(|class| count(class)).filter(|_| classes.len() > 1)?;
    let named = |class: &ClassReport| (class.name.clone(), count(class));
    let ratio = (count(smallest) > 0).then(|| rounded(count(largest) as f64 / count(smallest) as f64, 1e3));
    Some(Balance { largest: named(largest), smallest: named(smallest), ratio, shift: shift(classes) })
}

fn shift(classes: &[ClassReport]) -> Option<f64> {
    let splits = classes.first()?.records.len();
    let totals: Vec<u64> = (0..splits).map(|split| classes.iter().map(|class| class.records[split]).sum()).collect();
    let range = |class: &ClassReport| {
        let labelled = class.records.iter().zip(&totals).filter(|(_, total)| **total > 0);
        let shares = labelled.map(|(count, total)| *count as f64 / *total as f64);
        let (least, most) = shares.fold((1.0_f64, 0.0_f64), |(least, most), share| (least.min(share), most.max(share)));
        (most - least).max(0.0)
    };
    (splits > 1).then(|| rounded(classes.iter().map(range).fold(0.0, f64::max), 1e4))
}

/// What brings the images of a split to mean 0 and deviation 1.
pub(super) fn normalize(catalogue: &Catalogue, split: u32) -> Option<Normalize> {
    let stats = catalogue.channels(split);
    let channels = if stats.gray == stats.images { 1 } else { 3 };
    let told = |values: [f64; 3]| values.iter().take(channels).map(|value| rounded(*value, 1e4)).collect();
    (stats.images > 0).then(|| Normalize { mean: told(stats.mean), std: told(stats.std) })
}

fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return Spread::default() };
    let at = |share: f64| values[(share * last as f64).round() as usize];
    Spread { least: at(0.0), p5: at(0.05), p25: at(0.25), median: at(0.5), p75: at(0.75), p95: at(0.95), most: at(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_values_that_there_are() {
        let all = spread((0..=100).rev().map(f64::from));
        let expected = Spread { least: 0.0, p5: 5.0, p25: 25.0, median: 50.0, p75: 75.0, p95: 95.0, most: 100.0 };
        assert_eq!(all, expected);
        assert_eq!(spread([7.0].into_iter()).p95, 7.0);
        assert_eq!(spread(std::iter::empty()), Spread::default());
    }

    fn class(name: &str, records: &[u64]) -> ClassReport {
        let (name, records) = (name.to_owned(), records.to_vec());
        let spread = Spread::default();
        ClassReport { name, records, width: 0.0, height: 0.0, aspect: 0.0, brightness: spread, sharpness: spread }
    }

    #[test]
    fn balance_is_of_the_first_split_and_shift_between_all() {
        let found = balance(&[class("a", &[30, 1]), class("b", &[10, 1]), class("c", &[30, 2])]).unwrap();
        assert_eq!((found.largest, found.smallest), (("a".to_owned(), 30), ("b".to_owned(), 10)));
        // Of a: 30 in 70 and 1 in 4.
        assert_eq!((found.ratio, found.shift), (Some(3.0), Some(0.1786)));
        let none = balance(&[class("a", &[3]), class("b", &[0])]).unwrap();
        assert_eq!((none.ratio, none.shift), (None, None));
        assert_eq!(balance(&[class("a", &[3])]), None);
    }
}
