//! The sequential model of the label book: everything computed from scratch each round, in three passes over all
//! labels, as the scripts of Noisy Student do it. It is what the dataflow is tested against, and the place to read
//! what the dataflow means.

use std::collections::BTreeMap;

use millstream_data::Key;

use crate::balance::chance;
use crate::label::{Pseudo, Selected};
use crate::rule::Rule;
use crate::stats::{ClassStats, RoundStats};

/// The label book as plain maps.
#[derive(Clone, Debug)]
pub struct ReferenceBook {
    rule: Rule,
    human: BTreeMap<Key, u32>,
    truth: BTreeMap<Key, u32>,
    pseudo: BTreeMap<Key, Pseudo>,
    /// The candidates and the selection of the round before.
    before: (BTreeMap<Key, Pseudo>, BTreeMap<Key, Selected>),
}

/// What one class is cut to: the threshold, and how often a label from there on is taken on average.
type Plan = (f32, f64);

impl ReferenceBook {
    /// An empty book.
    pub fn new(rule: Rule) -> Self {
        ReferenceBook {
            rule,
            human: BTreeMap::new(),
            truth: BTreeMap::new(),
            pseudo: BTreeMap::new(),
            before: Default::default(),
        }
    }

    /// Sets or takes away what a human says of a record.
    pub fn set_human(&mut self, key: Key, class: Option<u32>) {
        set(&mut self.human, key, class);
    }

    /// Sets or takes away a record's hidden label.
    pub fn set_truth(&mut self, key: Key, class: Option<u32>) {
        set(&mut self.truth, key, class);
    }

    /// Takes in the upserts of one round and closes it: what is selected now, and the statistics.
    /// If one record is told twice, the greater wins, and a label is greater than none.
    pub fn round(&mut self, upserts: &[(Key, Option<Pseudo>)]) -> (BTreeMap<Key, Selected>, RoundStats) {
        let mut told: BTreeMap<Key, Option<Pseudo>> = BTreeMap::new();
        for (key, label) in upserts {
            let last = told.entry(*key).or_default();
            *last = label.clone().max(last.take());
        }
        for (key, label) in told {
            set(&mut self.pseudo, key, label);
        }
        self.close()
    }

    fn close(&mut self) -> (BTreeMap<Key, Selected>, RoundStats) {
        let mut candidates = self.pseudo.clone();
        candidates.retain(|key, _| !self.human.contains_key(key));
        let plans: Vec<Plan> = (0..self.rule.classes).map(|class| self.plan(class, &candidates)).collect();
        let selected: BTreeMap<_, _> =
            candidates.iter().filter_map(|(key, label)| Some((*key, self.take(*key, label, &plans)?))).collect();
        let stats = self.stats(&candidates, &selected, &plans);
        self.before = (candidates, selected.clone());
        (selected, stats)
    }

    /// Passes 1 and 2: the histogram of a class, walked from 1.00 down to the first edge where enough are passed,
    /// or to the least threshold.
    fn plan(&self, class: u32, candidates: &BTreeMap<Key, Pseudo>) -> Plan {
        let Some(balance) = self.rule.balance else {
            return (self.rule.threshold, 1.0);
        };
        let edges: Vec<f32> = (0..=100_u8).map(|bin| f32::from(bin) / 100.0).collect();
        let mut histogram = vec![0_u64; edges.len()];
        for label in candidates.values().filter(|label| label.class == class) {
            let bin = edges.iter().rposition(|edge| label.confidence.get() >= *edge);
            histogram[bin.unwrap_or(0)] += 1;
        }
        let (mut total, mut threshold) = (0, 1.0);
        for (edge, count) in edges.into_iter().zip(histogram).rev() {
            if total >= balance.per_class || edge < self.rule.threshold {
                break;
            }
            total += count;
            threshold = edge;
        }
        if total == 0 {
            return (threshold, 0.0);
        }
        let factor = balance.per_class as f64 / total as f64;
        (threshold, if balance.upsample { factor } else { factor.min(1.0) })
    }

    /// Pass 3: a label at or above its class's threshold is taken `floor(f)` times, and once more if its chance
    /// lies below the rest of `f`.
    fn take(&self, key: Key, label: &Pseudo, plans: &[Plan]) -> Option<Selected> {
        let (threshold, factor) = plans.get(label.class as usize)?;
        let extra = chance(self.rule.seed, label.round, key) < factor.fract();
        let copies = (factor.floor() as u32).saturating_add(u32::from(extra));
        (label.confidence.get() >= *threshold && copies > 0).then(|| Selected::new(label, copies))
    }

    fn stats(
        &self,
        candidates: &BTreeMap<Key, Pseudo>,
        selected: &BTreeMap<Key, Selected>,
        plans: &[Plan],
    ) -> RoundStats {
        let per_class: Vec<ClassStats> =
            (0..).zip(plans).map(|(class, plan)| self.class(class, *plan, candidates, selected)).collect();
        let sum = |part: fn(&ClassStats) -> u64| per_class.iter().map(part).sum();
        let (labelled_before, selected_before) = &self.before;
        let changed =
            |(key, label): &(&Key, &Pseudo)| labelled_before.get(key).is_some_and(|old| old.class != label.class);
        RoundStats {
            labelled_by_teacher: candidates.len() as u64,
            accepted: selected.len() as u64,
            copies: sum(|class| class.copies),
            known: sum(|class| class.known),
            correct: sum(|class| class.correct),
            churn: candidates.iter().filter(changed).count() as u64,
            joined: selected.keys().filter(|key| !selected_before.contains_key(key)).count() as u64,
            left: selected_before.keys().filter(|key| !selected.contains_key(key)).count() as u64,
            per_class,
        }
    }

    fn class(
        &self,
        class: u32,
        (threshold, factor): Plan,
        candidates: &BTreeMap<Key, Pseudo>,
        selected: &BTreeMap<Key, Selected>,
    ) -> ClassStats {
        let mine = || selected.iter().filter(|(_, label)| label.class == class);
        let truths = || mine().filter_map(|(key, _)| self.truth.get(key));
        ClassStats {
            labelled: candidates.values().filter(|label| label.class == class).count() as u64,
            accepted: mine().count() as u64,
            copies: mine().map(|(_, label)| u64::from(label.copies)).sum(),
            threshold,
            factor,
            known: truths().count() as u64,
            correct: truths().filter(|truth| **truth == class).count() as u64,
        }
    }
}

fn set<V>(map: &mut BTreeMap<Key, V>, key: Key, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
