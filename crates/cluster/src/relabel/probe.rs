//! What a bulk job would take: its shards are counted, and a few records are labelled into nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use millstream_data::answer::{Answer, AnswerSet, Format, Said, encode};
use millstream_data::corpus::{self, Counted, Kind, Shard};
use millstream_data::store::Store;
use millstream_dataflow::relabel::{BulkEvent, Known, Output, ShardResult};
use millstream_dataflow::{Stop, TrainerError};
use serde::Serialize;

use super::ensemble::Models;
use super::output::{OutputSet, Place};
use super::settings::Settings;
use super::{RelabelOptions, apart, output, parts, run};
use crate::error::ClusterError;

/// Records that are tried.
const TRIED: u64 = 200;
/// About what a tar archive has of a record besides its bytes: headers and padding.
const AROUND: f64 = 1024.0;

/// What a bulk job would take.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Estimate {
    /// Shards of the input.
    pub shards: u64,
    /// Parts of the input that cannot be found.
    pub lost: u64,
    /// Bytes of the shards, where that is known without reading them.
    pub bytes: u64,
    /// Records that were tried.
    pub tried: u64,
    /// Those of them with errors.
    pub errors: u64,
    /// Records of the input, about; none where nothing tells.
    pub records: Option<u64>,
    /// Records a second.
    pub rate: Option<f64>,
    /// Bytes of the answers, about.
    pub output: Option<u64>,
}

/// Counts the shards and labels the first 200 records. Writes nothing.
///
/// # Errors
/// Those of [`relabel`](super::relabel()) that data, models and the output that is there are to blame for.
pub fn probe(options: &RelabelOptions, stop: &Stop) -> Result<Estimate, ClusterError> {
    let store = Store::from_env();
    let models = Models::look(&options.models)?;
    let place = Place::parse(store.clone(), &options.out)?;
    apart(&place.root, &options.inputs)?;
    let settings = OutputSet::check(&place, |there| Settings::new(options, &models, there))?;
    let dry = Arc::new(Dry::new(&settings));
    let trial = Arc::new(Mutex::new(Trial::default()));
    let noting = Arc::clone(&trial);
    let corpus = corpus::open(&options.inputs, &options.corpus(&store))?;
    let events = Box::new(move |event| noting.lock().unwrap_or_else(PoisonError::into_inner).note(&event));
    let around = match corpus::kind(&options.inputs, &options.corpus(&store))? {
        Kind::WebDataset => AROUND,
        _ => 0.0,
    };
    let limit = options.limit.unwrap_or(u64::MAX).min(TRIED);
    let limited = RelabelOptions { limit: Some(limit), ..options.clone() };
    run(parts(&limited, &models, &settings, corpus, (dry, events), stop))?;
    let counted = count(options, |_| stop.reason().is_none())?;
    if let Some(reason) = stop.reason() {
        return Err(reason.clone().into());
    }
    let trial = trial.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(trial.estimate(&counted, options, limit, around))
}

/// Counts the shards of the input, one after the other as they are found. `go_on` is told after each how many there are so far, and
/// whether to go on.
///
/// # Errors
/// What is wrong with the input as a whole, as [`corpus::open`] says.
pub fn count(options: &RelabelOptions, mut go_on: impl FnMut(&Counted) -> bool) -> Result<Counted, ClusterError> {
    let corpus = corpus::open(&options.inputs, &options.corpus(&Store::from_env()))?;
    let mut counted = Counted::default();
    for shard in corpus.shards() {
        counted.add(shard.as_ref().ok());
        if !go_on(&counted) {
            break;
        }
    }
    Ok(counted)
}

/// What a few records took.
#[derive(Default)]
struct Trial {
    records: u64,
    errors: u64,
    bytes: u64,
    output: u64,
    /// When the first batch was through, and how many records it had: before it all is cold.
    first: Option<(Instant, u64)>,
    last: Option<Instant>,
}

impl Trial {
    fn note(&mut self, event: &BulkEvent) {
        match event {
            BulkEvent::Labelled { records, errors, bytes } => {
                self.records += records;
                self.errors += errors;
                self.bytes += bytes;
                self.first.get_or_insert_with(|| (Instant::now(), *records));
                self.last = Some(Instant::now());
            }
            BulkEvent::Shard { result, .. } => self.output += result.bytes,
            BulkEvent::Lost(_) => {}
        }
    }

    /// The records that a job would label, about: of an input that has fewer than were to be tried, as many as were.
    fn records(&self, counted: &Counted, options: &RelabelOptions, tried: u64, around: f64) -> Option<u64> {
        if self.records < tried {
            return Some(self.records);
        }
        let by_bytes = counted.bytes as f64 / (self.bytes as f64 / self.records.max(1) as f64 + around);
        let all = match counted.without_records {
            0 => Some(counted.records),
            _ if counted.bytes > 0 && self.records > 0 => Some(by_bytes as u64),
            _ => None,
        };
        let asked = all.map(|all| options.sample.map_or(all, |sample| sample.of(all)));
        asked.map(|asked| asked.max(self.records).min(options.limit.unwrap_or(u64::MAX)))
    }

    fn estimate(&self, counted: &Counted, options: &RelabelOptions, limit: u64, around: f64) -> Estimate {
        let tried = self.records.max(1) as f64;
        let records = self.records(counted, options, limit, around);
        let rate = self.first.zip(self.last).and_then(|((begun, cold), ended)| {
            let (seconds, warm) = (ended.duration_since(begun).as_secs_f64(), self.records - cold);
            (warm > 0 && seconds > 0.0).then(|| warm as f64 / seconds)
        });
        let output = records.map(|records| (self.output as f64 / tried * records as f64) as u64);
        let Counted { shards, lost, bytes, .. } = *counted;
        Estimate { shards, lost, bytes, tried: self.records, errors: self.errors, records, rate, output }
    }
}

/// An output that keeps nothing.
pub(super) struct Dry {
    set: AnswerSet,
    format: Format,
}

impl Dry {
    pub(super) fn new(settings: &Settings) -> Dry {
        Dry { set: settings.answers(), format: settings.format }
    }
}

impl Output for Dry {
    fn answer(&self, record: Known, said: Option<Said>) -> Answer {
        output::answer(record, said)
    }

    fn done(&self, _shard: &Shard) -> Result<Option<ShardResult>, TrainerError> {
        Ok(None)
    }

    fn keep(&self, _shard: &Shard, answers: Vec<Answer>) -> Result<ShardResult, TrainerError> {
        let bytes = encode(&self.set, &answers, self.format)?.len() as u64;
        let errors = answers.iter().filter(|answer| answer.said.is_err()).count() as u64;
        Ok(ShardResult { rows: answers.len() as u64, errors, bytes })
    }
}
