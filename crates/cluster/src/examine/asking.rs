//! What a model says of the records: a bulk job whose answers are put aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_data::answer::{Answer, Said};
use millstream_data::corpus::{Corpus, Shard};
use millstream_data::{DataError, Spill};
use millstream_dataflow::examine::Look;
use millstream_dataflow::relabel::{Known, Output, Parts, ShardResult};
use millstream_dataflow::{Stop, TrainerError};
use millstream_train::{Crop, resolved};

use super::{ExamineOptions, Phase};
use crate::error::ClusterError;
use crate::relabel::{Ensemble, Models, answer, run};

/// Images in a batch.
const BATCH: u32 = 64;

/// Some numbers of each record, on a disk.
pub(super) struct Numbers {
    spill: Spill,
    /// How many each record has.
    pub(super) width: usize,
    /// Whether they are embeddings; else they are probabilities.
    embeddings: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The split at hand.
    split: u32,
    /// The turn of each of its shards.
    turns: BTreeMap<u64, u32>,
    /// Where the numbers of each shard lie, by split and turn.
    shards: BTreeMap<(u32, u32), u64>,
}

impl Numbers {
    /// Asks the model about each split; for embeddings, or for probabilities.
    pub(super) fn ask(
        options: &ExamineOptions,
        models: &Models,
        embeddings: bool,
        open: impl Fn(usize) -> Result<Box<dyn Corpus>, ClusterError>,
        (stop, watch): (&Stop, super::Told),
    ) -> Result<Arc<Self>, ClusterError> {
        let width = if embeddings { models.embedding()? } else { models.classes().len() };
        let numbers =
            Arc::new(Numbers { spill: Spill::new(&options.out)?, width, embeddings, state: Mutex::default() });
        for split in 0..options.splits.len() {
            numbers.begin(u32::try_from(split).unwrap_or(u32::MAX));
            let watch = Arc::clone(&watch);
            let parts = parts(options, models, (open(split)?, Arc::clone(&numbers)), stop)?;
            run(Parts { events: Box::new(move |event| watch(Phase::Ask, &event)), ..parts })?;
            if let Some(reason) = stop.reason() {
                return Err(reason.clone().into());
            }
        }
        Ok(numbers)
    }

    fn begin(&self, split: u32) {
        let mut state = self.state();
        state.split = split;
        state.turns.clear();
    }

    /// The numbers of a record.
    pub(super) fn of(&self, look: &Look) -> Result<Vec<f32>, DataError> {
        let start = self.state().shards.get(&(look.at.split, look.at.turn)).copied();
        let each = (self.width * size_of::<f32>()) as u64;
        let mut bytes = vec![0; self.width * size_of::<f32>()];
        if let Some(start) = start {
            self.spill.read(start + each * u64::from(look.at.index), &mut bytes)?;
        }
        Ok(bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Numbers {
    fn answer(&self, record: Known, said: Option<Said>) -> Answer {
        answer(record, said)
    }

    /// Shards get their turns in the order in which they are asked about, as they did when they were measured.
    fn done(&self, shard: &Shard) -> Result<Option<ShardResult>, TrainerError> {
        let mut state = self.state();
        let turn = u32::try_from(state.turns.len())?;
        state.turns.insert(shard.number, turn);
        Ok(None)
    }

    fn keep(&self, shard: &Shard, answers: Vec<Answer>) -> Result<ShardResult, TrainerError> {
        let mut bytes = Vec::with_capacity(answers.len() * self.width * size_of::<f32>());
        for answer in &answers {
            let said = answer.said.as_ref().ok();
            let numbers =
                said.and_then(|said| if self.embeddings { said.embedding.as_ref() } else { Some(&said.probabilities) });
            match numbers.filter(|numbers| numbers.len() == self.width) {
                Some(numbers) => bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes())),
                None => bytes.resize(bytes.len() + self.width * size_of::<f32>(), 0),
            }
        }
        let start = self.spill.push(&bytes)?;
        let mut state = self.state();
        if let Some(turn) = state.turns.get(&shard.number).copied() {
            let split = state.split;
            state.shards.insert((split, turn), start);
        }
        let errors = answers.iter().filter(|answer| answer.said.is_err()).count() as u64;
        Ok(ShardResult { rows: answers.len() as u64, errors, bytes: bytes.len() as u64 })
    }
}

fn parts(
    options: &ExamineOptions,
    models: &Models,
    (corpus, numbers): (Box<dyn Corpus>, Arc<Numbers>),
    stop: &Stop,
) -> Result<Parts, ClusterError> {
    let (files, device, embeds) = (models.files().to_vec(), options.device, numbers.embeddings);
    let whole = || vec![Crop::default()];
    let at_once = if resolved(device)? == "cpu" { options.cores.max(1) } else { 1 };
    Ok(Parts {
        corpus,
        labeller: Box::new(move || Ok(Box::new(Ensemble::load(&files, device, 1, whole(), embeds)?))),
        events: Box::new(|_| {}),
        stop: stop.clone(),
        shape: models.shape(),
        classes: models.classes().len(),
        embedding: embeds.then_some(numbers.width),
        output: numbers,
        fingerprint: false,
        batch: BATCH,
        sample: None,
        limit: options.limit,
        memory: options.memory,
        workers: options.workers,
        models: at_once,
    })
}

/// The one model that is asked.
pub(super) fn look(model: &Path) -> Result<Models, ClusterError> {
    Models::look(&[model.to_owned()])
}
