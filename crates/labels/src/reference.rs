//! The sequential model of the label book: everything computed from scratch each round, in three passes over all
//! labels, as the scripts of Noisy Student do it. It is what the dataflow is tested against, and the place to read
//! what the dataflow means.

use std::collections::{BTreeMap, BTreeSet};

use millstream_data::{Fingerprint, Key};

use crate::balance::chance;
use crate::correction::{Correction, Verdict};
use crate::duplicates::{Deduplication, Match};
use crate::label::{Label, Pseudo, Selected};
use crate::policy::Policy;
use crate::stats::{ClassStats, RoundStats};
use crate::teachers::Pair;
use crate::top::Rank;

/// The label book as plain maps.
#[derive(Clone, Debug)]
pub struct ReferenceBook {
    policy: Policy,
    /// Whether what people have labelled counts among the records of its class.
    counts_people: bool,
    corrections: BTreeMap<Key, BTreeSet<Correction>>,
    barred: BTreeSet<Key>,
    truth: BTreeMap<Key, u32>,
    /// What is done about duplicates, how near they are, and what records and test images look like.
    duplicates: (Deduplication, u32),
    looks: BTreeMap<Key, Fingerprint>,
    tests: BTreeMap<Key, Fingerprint>,
    /// What each teacher says.
    told: BTreeMap<Key, BTreeMap<u32, Pseudo>>,
    /// The members of the selection with their copies, and how it was cut, where both are to stay.
    frozen: Option<Frozen>,
    /// What held in the round before.
    before: Before,
}

/// What stays from a round on.
#[derive(Clone, Debug)]
struct Frozen {
    members: BTreeMap<Key, u32>,
    plans: Vec<Plan>,
    /// Records that could have been members.
    sure: BTreeSet<Key>,
}

/// What a round leaves.
#[derive(Clone, Debug, Default)]
struct Before {
    candidates: BTreeMap<Key, Pseudo>,
    selected: BTreeMap<Key, Selected>,
    sure: BTreeSet<Key>,
    copies: BTreeMap<Key, Match>,
}

/// What one class is cut to: the threshold, and how often a label from there on is taken on average.
type Plan = (f32, f64);

impl ReferenceBook {
    /// An empty book of a corpus, as of [`curate`](crate::curate): people's labels are part of what is chosen.
    pub fn of_corpus(policy: Policy) -> Self {
        ReferenceBook { counts_people: true, ..ReferenceBook::new(policy) }
    }

    /// An empty book of a run, as of [`book()`](crate::book()).
    pub fn new(policy: impl Into<Policy>) -> Self {
        ReferenceBook {
            policy: policy.into(),
            counts_people: false,
            corrections: BTreeMap::new(),
            barred: BTreeSet::new(),
            truth: BTreeMap::new(),
            duplicates: (Deduplication::Report, 0),
            looks: BTreeMap::new(),
            tests: BTreeMap::new(),
            told: BTreeMap::new(),
            frozen: None,
            before: Default::default(),
        }
    }

    /// Sets or takes away what a human says of a record, as import 0.
    pub fn set_human(&mut self, key: Key, class: Option<u32>) {
        self.set_correction(key, 0, class.map(Verdict::Class));
    }

    /// Sets or takes away what an import says of a record.
    pub fn set_correction(&mut self, key: Key, import: u32, verdict: Option<Verdict>) {
        let said = self.corrections.entry(key).or_default();
        said.retain(|correction| correction.import != import);
        said.extend(verdict.map(|verdict| Correction { import, verdict }));
    }

    /// Bars a record from every training set, or lets it in again.
    pub fn set_barred(&mut self, key: Key, barred: bool) {
        if barred {
            self.barred.insert(key)
        } else {
            self.barred.remove(&key)
        };
    }

    /// Sets or takes away a record's hidden label.
    pub fn set_truth(&mut self, key: Key, class: Option<u32>) {
        set(&mut self.truth, key, class);
    }

    /// Sets what is done about duplicates, and within how many bits hashes are near.
    pub fn set_duplicates(&mut self, what: Deduplication, distance: u32) {
        self.duplicates = (what, distance);
    }

    /// Sets or takes away what a record looks like.
    pub fn set_look(&mut self, key: Key, print: Option<Fingerprint>) {
        set(&mut self.looks, key, print);
    }

    /// Sets or takes away what a test image looks like.
    pub fn set_test(&mut self, key: Key, print: Option<Fingerprint>) {
        set(&mut self.tests, key, print);
    }

    /// From now on the members of the selection are those of the last round.
    pub fn freeze(&mut self) {
        let members = self.before.selected.iter().map(|(key, label)| (*key, label.copies)).collect();
        let (plans, sure) = (self.plans(&self.before.candidates), self.before.sure.clone());
        self.frozen = Some(Frozen { members, plans, sure });
    }

    /// Takes in the upserts of one round, of one teacher, and closes it: what is selected now, and the statistics.
    /// If one record is told twice, the greater wins, and a label is greater than none.
    pub fn round(&mut self, upserts: &[(Key, Option<Pseudo>)]) -> (BTreeMap<Key, Selected>, RoundStats) {
        let upserts: Vec<_> = upserts.iter().map(|(key, label)| (*key, 0, label.clone())).collect();
        self.round_of_teachers(&upserts)
    }

    /// As [`ReferenceBook::round`], with the number of the teacher that says so.
    pub fn round_of_teachers(
        &mut self,
        upserts: &[(Key, u32, Option<Pseudo>)],
    ) -> (BTreeMap<Key, Selected>, RoundStats) {
        let mut told: BTreeMap<(Key, u32), Option<Pseudo>> = BTreeMap::new();
        for (key, teacher, label) in upserts {
            let last = told.entry((*key, *teacher)).or_default();
            *last = label.clone().max(last.take());
        }
        for ((key, teacher), label) in told {
            set(self.told.entry(key).or_default(), teacher, label);
        }
        self.close()
    }

    /// The training set as the last round left it.
    pub fn labels(&self) -> BTreeMap<Key, Label> {
        let people = self.people().into_iter().filter(|(key, _)| !self.before.copies.contains_key(key));
        let people = people.map(|(key, (class, import))| (key, Label::human(class, import)));
        let selected = self.before.selected.iter().map(|(key, selected)| (*key, Label::from(selected.clone())));
        people.chain(selected).collect()
    }

    /// The records that the last round left out for another one.
    pub fn left_out(&self) -> BTreeMap<Key, Match> {
        self.before.copies.clone()
    }

    /// How many records each two teachers have both labelled, in the same class or not.
    pub fn pairs(&self) -> BTreeMap<Pair, usize> {
        let mut pairs = BTreeMap::new();
        for told in self.told.values() {
            for (first, one) in told {
                for (second, other) in told.range(first + 1..) {
                    let pair = Pair { first: *first, second: *second, same: one.class == other.class };
                    *pairs.entry(pair).or_default() += 1;
                }
            }
        }
        pairs
    }

    fn close(&mut self) -> (BTreeMap<Key, Selected>, RoundStats) {
        let free = |key: &Key| !self.is_barred(key) && self.corrections.get(key).is_none_or(BTreeSet::is_empty);
        let labels = self.told.iter().filter(|(key, _)| free(key)).filter_map(|(key, told)| {
            let told: Vec<&Pseudo> = told.values().collect();
            Some((*key, self.policy.agreement.combine(&told)?))
        });
        let mut candidates: BTreeMap<Key, Pseudo> = labels.collect();
        let sure: BTreeSet<Key> = match &self.frozen {
            Some(frozen) => frozen.sure.iter().copied().filter(free).collect(),
            None => candidates.iter().filter(|(_, label)| self.is_sure(label)).map(|(key, _)| *key).collect(),
        };
        let copies = self.repeats(&sure);
        candidates.retain(|key, _| !copies.contains_key(key));
        let before = std::mem::replace(&mut self.before, Before { sure, copies, ..Before::default() });
        let plans = match &self.frozen {
            Some(frozen) => frozen.plans.clone(),
            None => self.plans(&candidates),
        };
        let selected = self.choose(&candidates, &plans);
        let stats = self.stats(&candidates, &selected, &plans, &before);
        (self.before.candidates, self.before.selected) = (candidates, selected.clone());
        (selected, stats)
    }

    fn is_barred(&self, key: &Key) -> bool {
        let like = |test: &Fingerprint| self.looks.get(key).is_some_and(|look| self.apart(look, test).is_some());
        self.barred.contains(key) || self.duplicates.0 != Deduplication::Report && self.tests.values().any(like)
    }

    /// How far apart two images are that show the same.
    fn apart(&self, one: &Fingerprint, other: &Fingerprint) -> Option<u32> {
        let apart = (one.perceptual ^ other.perceptual).count_ones();
        if one.content == other.content { Some(0) } else { Some(apart).filter(|apart| *apart <= self.duplicates.1) }
    }

    /// What people say of records that are not barred: class and import.
    fn people(&self) -> BTreeMap<Key, (u32, u32)> {
        let said = self.corrections.iter().filter(|(key, _)| !self.is_barred(key)).filter_map(|(key, said)| {
            let Correction { import, verdict: Verdict::Class(class) } = said.last()? else { return None };
            Some((*key, (*class, *import)))
        });
        said.collect()
    }

    /// Whether a label may be selected, as far as its confidence goes. Balancing counts from one hundredth to the next.
    fn is_sure(&self, label: &Pseudo) -> bool {
        let least = self.policy.threshold(label.class);
        let balances = self.policy.rule.balance.is_some() && self.policy.most.is_none();
        let edge = (0..=100_u8).map(|bin| f32::from(bin) / 100.0).find(|edge| *edge >= least);
        let least = if balances { edge.unwrap_or(f32::INFINITY) } else { least };
        label.class < self.policy.rule.classes && label.confidence.get() >= least
    }

    /// Every record that shows the same as one that goes first, and the nearest of those: all against all.
    fn repeats(&self, sure: &BTreeSet<Key>) -> BTreeMap<Key, Match> {
        let people = self.people().into_iter().map(|(key, (_, import))| (u32::from(import == 0), key));
        let ranked: BTreeSet<(u32, Key)> = people.chain(sure.iter().map(|key| (2, *key))).collect();
        let mut repeats = BTreeMap::new();
        for one in ranked.iter().filter(|_| self.duplicates.0 == Deduplication::KeepOne) {
            let near = |other: &(u32, Key)| {
                let apart = self.apart(self.looks.get(&one.1)?, self.looks.get(&other.1)?)?;
                Some((apart, *other))
            };
            if let Some((distance, (_, of))) = ranked.range(..one).filter_map(near).min() {
                repeats.insert(one.1, Match { distance, of });
            }
        }
        repeats
    }

    /// How many more records of a class there is room for beside those that people have labelled.
    fn room(&self, class: u32, size: u64) -> u64 {
        let stays = |key: &Key| self.counts_people && !self.before.copies.contains_key(key);
        let people = self.people();
        let people = people.iter().filter(|(key, (labelled, _))| *labelled == class && stays(key));
        size.saturating_sub(people.count() as u64)
    }

    fn plans(&self, candidates: &BTreeMap<Key, Pseudo>) -> Vec<Plan> {
        (0..self.policy.rule.classes).map(|class| self.plan(class, candidates)).collect()
    }

    fn choose(&self, candidates: &BTreeMap<Key, Pseudo>, plans: &[Plan]) -> BTreeMap<Key, Selected> {
        let best = self.policy.most.map(|most| self.best(most, candidates));
        let copies = |key: &Key, label: &Pseudo| match (&self.frozen, &best) {
            (Some(frozen), _) => frozen.members.get(key).copied().filter(|_| label.class < self.policy.rule.classes),
            (None, Some(best)) => best.contains(key).then_some(1),
            (None, None) => self.copies(*key, label, plans),
        };
        let chosen = |(key, label): (&Key, &Pseudo)| Some((*key, Selected::new(label, copies(key, label)?)));
        candidates.iter().filter_map(chosen).collect()
    }

    /// The `most` best of each class.
    fn best(&self, most: u64, candidates: &BTreeMap<Key, Pseudo>) -> BTreeSet<Key> {
        let mut best = BTreeSet::new();
        for class in 0..self.policy.rule.classes {
            let good = |label: &Pseudo| label.class == class && label.confidence.get() >= self.policy.threshold(class);
            let mine = candidates.iter().filter(|(_, label)| good(label));
            let mut ranks: Vec<_> =
                mine.map(|(key, label)| (Rank::new(self.policy.rule.seed, *key, label.confidence), *key)).collect();
            ranks.sort();
            let room = usize::try_from(self.room(class, most)).unwrap_or(usize::MAX);
            best.extend(ranks.into_iter().take(room).map(|(_, key)| key));
        }
        best
    }

    /// Passes 1 and 2: the histogram of a class, walked from 1.00 down to the first edge where enough are passed,
    /// or to the least threshold.
    fn plan(&self, class: u32, candidates: &BTreeMap<Key, Pseudo>) -> Plan {
        let least = self.policy.threshold(class);
        let Some(balance) = self.policy.rule.balance.filter(|_| self.policy.most.is_none()) else {
            return (least, 1.0);
        };
        let edges: Vec<f32> = (0..=100_u8).map(|bin| f32::from(bin) / 100.0).collect();
        let mut histogram = vec![0_u64; edges.len()];
        for label in candidates.values().filter(|label| label.class == class) {
            let bin = edges.iter().rposition(|edge| label.confidence.get() >= *edge);
            histogram[bin.unwrap_or(0)] += 1;
        }
        let wanted = self.room(class, balance.per_class);
        let (mut total, mut threshold) = (0, 1.0);
        for (edge, count) in edges.into_iter().zip(histogram).rev() {
            if total >= wanted || edge < least {
                break;
            }
            total += count;
            threshold = edge;
        }
        if total == 0 {
            return (threshold, 0.0);
        }
        let factor = wanted as f64 / total as f64;
        (threshold, if balance.upsample { factor } else { factor.min(1.0) })
    }

    /// Pass 3: a label at or above its class's threshold is taken `floor(f)` times, and once more if its chance
    /// lies below the rest of `f`.
    fn copies(&self, key: Key, label: &Pseudo, plans: &[Plan]) -> Option<u32> {
        let (threshold, factor) = plans.get(label.class as usize)?;
        let extra = chance(self.policy.rule.seed, label.round, key) < factor.fract();
        let copies = (factor.floor() as u32).saturating_add(u32::from(extra));
        (label.confidence.get() >= *threshold && copies > 0).then_some(copies)
    }

    fn stats(
        &self,
        candidates: &BTreeMap<Key, Pseudo>,
        selected: &BTreeMap<Key, Selected>,
        plans: &[Plan],
        before: &Before,
    ) -> RoundStats {
        let per_class: Vec<ClassStats> =
            (0..).zip(plans).map(|(class, plan)| self.class(class, *plan, candidates, selected)).collect();
        let sum = |part: fn(&ClassStats) -> u64| per_class.iter().map(part).sum();
        let (labelled_before, selected_before) = (&before.candidates, &before.selected);
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

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
