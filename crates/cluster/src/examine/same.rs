//! What is told of records that show the same, and of records at the ends.

use millstream_data::DataError;
use millstream_dataflow::examine::{ALIKE, Catalogue, Group, Look};

use super::report::{DuplicatesReport, Extreme, Extremes, GroupReport, Leaked, RecordReport};

/// So many groups are told, and so many records of each.
const MOST_GROUPS: usize = 10_000;
const MOST_MEMBERS: usize = 100;
/// So many records at each end.
const MOST_EXTREMES: usize = 8;

/// What is told of a record.
///
/// # Errors
/// Its place cannot be read again.
pub(super) fn record(catalogue: &Catalogue, names: &[String], look: &Look) -> Result<RecordReport, DataError> {
    Ok(RecordReport {
        key: look.key.to_string(),
        place: catalogue.place(look)?,
        split: names.get(look.at.split as usize).cloned().unwrap_or_default(),
        label: look.label.and_then(|label| Some(catalogue.labels().get(label as usize)?.to_string())),
    })
}

/// What is told of duplicates.
pub(super) fn duplicates(
    catalogue: &Catalogue,
    names: &[String],
    groups: &[Group],
    distance: u32,
) -> Result<DuplicatesReport, DataError> {
    let looks = catalogue.looks();
    let member = |at: &u32| &looks[*at as usize];
    let leak =
        |group: &&Group| group.members.iter().any(|at| member(at).at.split != member(&group.members[0]).at.split);
    let contradiction = |group: &&Group| {
        let mut labels = group.members.iter().filter_map(|at| member(at).label);
        labels.next().is_some_and(|first| labels.any(|label| label != first))
    };
    let mut order: Vec<&Group> = groups.iter().collect();
    order.sort_by_key(|group| (!leak(group), !contradiction(group), group.members[0]));
    let told = |group: &&Group| {
        let records = group.members.iter().take(MOST_MEMBERS).map(|at| record(catalogue, names, member(at)));
        Ok(GroupReport {
            exact: group.exact,
            leak: leak(group),
            contradiction: contradiction(group),
            count: group.members.len() as u64,
            records: records.collect::<Result<_, DataError>>()?,
        })
    };
    let exact = groups.iter().filter(|group| group.exact).count();
    Ok(DuplicatesReport {
        distance,
        likeness: ALIKE,
        exact_groups: exact as u64,
        near_groups: (groups.len() - exact) as u64,
        repeats: groups.iter().map(|group| group.members.len() as u64 - 1).sum(),
        contradictions: groups.iter().filter(contradiction).count() as u64,
        leaks: groups.iter().filter(leak).count() as u64,
        leaked: leaked(looks, names, groups),
        groups: order.iter().take(MOST_GROUPS).map(told).collect::<Result<_, DataError>>()?,
    })
}

/// For every two splits how many records of the second are in a group with one of the first.
fn leaked(looks: &[Look], names: &[String], groups: &[Group]) -> Vec<Leaked> {
    let splits = names.len();
    let mut counts = vec![vec![0; splits]; splits];
    for group in groups {
        let mut members = vec![0_u64; splits];
        group.members.iter().for_each(|at| members[looks[*at as usize].at.split as usize] += 1);
        for into in 0..splits {
            (0..into).filter(|from| members[*from] > 0).for_each(|from| counts[from][into] += members[into]);
        }
    }
    let pairs = (0..splits).flat_map(|from| (from + 1..splits).map(move |into| (from, into)));
    let name = |split: usize| names[split].clone();
    pairs.map(|(from, into)| Leaked { from: name(from), into: name(into), records: counts[from][into] }).collect()
}

/// The records at the ends.
pub(super) fn extremes(catalogue: &Catalogue, names: &[String]) -> Result<Extremes, DataError> {
    let ends = |value: fn(&Look) -> f32, sign: f32| {
        let mut order: Vec<&Look> = catalogue.looks().iter().collect();
        let rank = |a: &&Look, b: &&Look| (sign * value(a)).total_cmp(&(sign * value(b))).then(a.at.cmp(&b.at));
        if order.len() > MOST_EXTREMES {
            order.select_nth_unstable_by(MOST_EXTREMES, rank);
            order.truncate(MOST_EXTREMES);
        }
        order.sort_by(rank);
        let told =
            |look: &&Look| Ok(Extreme { value: f64::from(value(look)), record: record(catalogue, names, look)? });
        order.iter().map(told).collect::<Result<Vec<_>, DataError>>()
    };
    Ok(Extremes {
        blurred: ends(|look| look.sharpness, 1.0)?,
        dark: ends(|look| look.brightness, 1.0)?,
        bright: ends(|look| look.brightness, -1.0)?,
    })
}
