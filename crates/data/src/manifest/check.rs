//! What must hold of the drawn splits, whatever the plan says.

use std::collections::BTreeMap;

use super::SplitConfig;
use super::pool::Pool;
use super::split::Mask;
use crate::{DataError, Key};

/// The split of human-labelled training images.
const LABELLED: &str = "labelled";
/// The split of images for the teacher to label.
const UNLABELLED: &str = "unlabelled";
/// The split of labelled images that no model learns from, for a look at it before its labels count.
const VALIDATION: &str = "validation";
/// The split that accuracy is measured on.
const TEST: &str = "test";

/// Checks each split alone, then what the meaningful ones have in common.
pub(super) fn splits(pool: &Pool, configs: &[SplitConfig], drawn: &BTreeMap<&str, Mask>) -> Result<(), DataError> {
    for config in configs {
        let Some(mask) = drawn.get(config.name.as_str()) else {
            continue;
        };
        if !mask.contains(&true) {
            return Err(empty(config));
        }
        if [LABELLED, VALIDATION, TEST].contains(&config.name.as_str()) {
            all_labelled(pool, &config.name, mask)?;
        }
    }
    if let Some(mask) = drawn.get(LABELLED) {
        every_class(pool, mask)?;
    }
    let asked_for = |config: &SplitConfig| config.name == UNLABELLED && config.from.iter().any(|from| from == TEST);
    for (first, second) in [(LABELLED, TEST), (LABELLED, VALIDATION), (UNLABELLED, VALIDATION), (VALIDATION, TEST)] {
        apart(pool, drawn, first, second)?;
    }
    if configs.iter().any(asked_for) { Ok(()) } else { apart(pool, drawn, UNLABELLED, TEST) }
}

fn empty(config: &SplitConfig) -> DataError {
    DataError::Split {
        split: config.name.clone(),
        problem: "it has no record".to_string(),
        help: "take more, or see what its `from` and `except` leave",
    }
}

fn all_labelled(pool: &Pool, split: &str, mask: &Mask) -> Result<(), DataError> {
    let mut missing = members(mask).filter(|position| pool.label(*position).is_none());
    let Some(first) = missing.next() else {
        return Ok(());
    };
    Err(DataError::Unlabelled { split: split.to_string(), count: 1 + missing.count() as u64, place: pool.place(first) })
}

/// A class that nobody labels cannot be learnt, and would count against the model for ever.
fn every_class(pool: &Pool, mask: &Mask) -> Result<(), DataError> {
    let mut found = vec![false; pool.classes().len()];
    for label in members(mask).filter_map(|position| pool.label(position)) {
        if let Some(found) = found.get_mut(label as usize) {
            *found = true;
        }
    }
    let Some(class) = found.iter().position(|found| !found) else {
        return Ok(());
    };
    Err(DataError::FewLabels {
        split: LABELLED.to_string(),
        class: class as u32,
        name: pool.classes()[class].clone(),
        found: 0,
        wanted: 1,
    })
}

/// What is trained on, or fitted to, may not be measured on.
fn apart(pool: &Pool, drawn: &BTreeMap<&str, Mask>, used: &str, measured: &str) -> Result<(), DataError> {
    let (Some(used_for), Some(measured_on)) = (drawn.get(used), drawn.get(measured)) else {
        return Ok(());
    };
    let mut shared = members(used_for).filter(|position| measured_on[*position]);
    let Some(first) = shared.next() else {
        return Ok(());
    };
    Err(DataError::Leak {
        first: used.to_string(),
        second: measured.to_string(),
        place: pool.place(first),
        count: 1 + shared.count() as u64,
    })
}

/// The keys of the used records with their record numbers, sorted. No two may be the same.
pub(super) fn keys(pool: &Pool, used: &[usize]) -> Result<Vec<(Key, u32)>, DataError> {
    let mut keys: Vec<(Key, u32)> = used.iter().map(|position| pool.key(*position)).zip(0u32..).collect();
    keys.sort_unstable();
    let twins = keys.windows(2).find(|pair| pair[0].0 == pair[1].0);
    let Some([(key, first), (_, second)]) = twins else {
        return Ok(keys);
    };
    let place = |record: u32| pool.place(used[record as usize]);
    let (first, second) = (place(*first), place(*second));
    let help = if first == second {
        "the same data is in two sources: remove one of them"
    } else {
        "where they hold the same bytes use `key: place` or remove one; where a CSV file gives the keys correct it there"
    };
    Err(DataError::DuplicateKey { key: *key, first, second, help })
}

fn members(mask: &Mask) -> impl Iterator<Item = usize> {
    mask.iter().enumerate().filter(|(_, member)| **member).map(|(position, _)| position)
}
