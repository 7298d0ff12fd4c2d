//! Drawing splits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::pool::Pool;
use super::{SplitConfig, Take};
use crate::{DataError, Key};

/// Which records of the pool a split has, by position.
pub(super) type Mask = Vec<bool>;

/// Draws all splits, each after those that it refers to.
pub(super) fn draw_all<'a>(
    pool: &Pool,
    splits: &'a [SplitConfig],
    seed: u64,
) -> Result<BTreeMap<&'a str, Mask>, DataError> {
    let mut drawing = Drawing { pool, seed, configs: BTreeMap::new(), done: BTreeMap::new(), open: Vec::new() };
    for split in splits {
        if drawing.configs.insert(split.name.as_str(), split).is_some() {
            return Err(wrong(&split.name, "there are two splits of that name".to_string(), "rename one of them"));
        }
    }
    for split in splits {
        drawing.draw(split)?;
    }
    Ok(drawing.done)
}

struct Drawing<'a, 'p> {
    pool: &'p Pool<'p>,
    seed: u64,
    configs: BTreeMap<&'a str, &'a SplitConfig>,
    done: BTreeMap<&'a str, Mask>,
    /// The splits being drawn, each for the one before it.
    open: Vec<&'a str>,
}

impl<'a> Drawing<'a, '_> {
    fn draw(&mut self, split: &'a SplitConfig) -> Result<(), DataError> {
        if self.done.contains_key(split.name.as_str()) {
            return Ok(());
        }
        if self.open.contains(&split.name.as_str()) {
            let cycle = format!("it is drawn from itself ({} -> {})", self.open.join(" -> "), split.name);
            return Err(wrong(&split.name, cycle, "remove one of these references"));
        }
        self.open.push(&split.name);
        let candidates = self.candidates(split)?;
        let taken = self.take(split, &candidates)?;
        self.open.pop();
        let mut mask = vec![false; self.pool.len()];
        taken.into_iter().for_each(|position| mask[position] = true);
        self.done.insert(&split.name, mask);
        Ok(())
    }

    /// The positions that the split may take, ascending.
    fn candidates(&mut self, split: &'a SplitConfig) -> Result<Vec<usize>, DataError> {
        let mut mask = vec![false; self.pool.len()];
        for name in &split.from {
            if let Some(range) = self.pool.source(name) {
                mask[range].fill(true);
                continue;
            }
            let Some(other) = self.other(name)? else {
                return Err(nothing(split, "from", name));
            };
            mask.iter_mut().zip(other).for_each(|(mine, other)| *mine |= other);
        }
        for name in &split.except {
            let Some(other) = self.other(name)? else {
                return Err(nothing(split, "except", name));
            };
            mask.iter_mut().zip(other).for_each(|(mine, other)| *mine &= !other);
        }
        Ok((0..mask.len()).filter(|position| mask[*position]).collect())
    }

    /// The records of another split, drawn now if need be. None where there is no such split.
    fn other(&mut self, name: &str) -> Result<Option<&Mask>, DataError> {
        if let Some(config) = self.configs.get(name).copied() {
            self.draw(config)?;
        }
        Ok(self.done.get(name))
    }

    fn take(&self, split: &SplitConfig, candidates: &[usize]) -> Result<Vec<usize>, DataError> {
        match &split.take {
            Take::All => Ok(candidates.to_vec()),
            Take::PerClass(wanted) => self.per_class(split, candidates, *wanted),
            Take::Fraction(share) => self.fraction(split, candidates, *share),
            Take::List(path) => listed(self.pool, candidates, path),
        }
    }

    fn per_class(&self, split: &SplitConfig, candidates: &[usize], wanted: u32) -> Result<Vec<usize>, DataError> {
        let mut taken = Vec::new();
        for (class, name) in (0u32..).zip(self.pool.classes()) {
            let all = candidates.iter().copied().filter(|position| self.pool.label(*position) == Some(class));
            let ranked = self.ranked(&split.name, all);
            if ranked.len() < wanted as usize {
                return Err(DataError::FewLabels {
                    split: split.name.clone(),
                    class,
                    name: name.clone(),
                    found: ranked.len() as u64,
                    wanted,
                });
            }
            taken.extend(ranked.into_iter().take(wanted as usize));
        }
        Ok(taken)
    }

    fn fraction(&self, split: &SplitConfig, candidates: &[usize], share: f64) -> Result<Vec<usize>, DataError> {
        if !(share > 0.0 && share <= 1.0) {
            let problem = format!("`fraction: {share}` is not in (0, 1]");
            return Err(wrong(&split.name, problem, "give a share such as 0.1"));
        }
        let count = (candidates.len() as f64 * share).round() as usize;
        let mut ranked = self.ranked(&split.name, candidates.iter().copied());
        ranked.truncate(count);
        Ok(ranked)
    }

    /// Positions in the order of a keyed hash, which is the order they are drawn in.
    fn ranked(&self, split: &str, positions: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut context = blake3::Hasher::new_derive_key("millstream: draw of a split, version 1");
        context.update(&self.seed.to_le_bytes()).update(split.as_bytes());
        let context = context.finalize();
        let rank = |position: usize| {
            let key = self.pool.key(position);
            let hash = blake3::keyed_hash(context.as_bytes(), &key.0.to_le_bytes());
            (*hash.as_bytes(), key, position)
        };
        let mut ranked: Vec<_> = positions.map(rank).collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, position)| position).collect()
    }
}

/// The records that a file names.
fn listed(pool: &Pool, candidates: &[usize], path: &Path) -> Result<Vec<usize>, DataError> {
    let text = fs::read_to_string(path).map_err(|cause| DataError::read(path, "list of keys or places", cause))?;
    let places: BTreeMap<String, usize> = candidates.iter().map(|at| (pool.place(*at), *at)).collect();
    let keys: BTreeMap<Key, usize> = candidates.iter().map(|at| (pool.key(*at), *at)).collect();
    let mut lines = BTreeMap::new();
    for (number, line) in (1u64..).zip(text.lines()) {
        let name = line.trim();
        if name.is_empty() {
            continue;
        }
        let by_key = || name.parse().ok().and_then(|key: Key| keys.get(&key));
        let Some(position) = places.get(name).or_else(by_key) else {
            return Err(unlisted(path, number, name));
        };
        if let Some(first) = lines.insert(*position, number) {
            return Err(listed_twice(path, first, number, name));
        }
    }
    Ok(lines.into_keys().collect())
}

fn unlisted(path: &Path, line: u64, name: &str) -> DataError {
    DataError::Malformed {
        place: format!("{}:{line}", path.display()),
        found: format!("`{name}`"),
        expected: "the key or the place of a record that the split may take".to_string(),
        help: "see that its `from` and `except` let it in, and that places are written as in the label files",
    }
}

fn listed_twice(path: &Path, first: u64, line: u64, name: &str) -> DataError {
    DataError::Malformed {
        place: format!("{}:{line}", path.display()),
        found: format!("`{name}`, which line {first} has too"),
        expected: "each record once".to_string(),
        help: "remove one of the lines",
    }
}

fn nothing(split: &SplitConfig, field: &str, name: &str) -> DataError {
    let (what, help) = match field {
        "from" => ("no source and no split", "name a source or a split of this plan"),
        _ => ("no split", "name a split of this plan"),
    };
    wrong(&split.name, format!("`{field}` names `{name}`, which is {what}"), help)
}

fn wrong(split: &str, problem: String, help: &'static str) -> DataError {
    DataError::Split { split: split.to_string(), problem, help }
}
