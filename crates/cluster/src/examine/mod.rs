//! A look at all of a data set: measures every image, finds duplicates, leaks and broken records, and asks a model about the labels.

mod asking;
mod figures;
mod judging;
mod report;
mod same;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use millstream_data::DataError;
use millstream_data::corpus::{self, Corpus};
use millstream_data::store::{Location, Store};
use millstream_dataflow::Stop;
use millstream_dataflow::examine::{BulkEvent, Catalogue, Examine, Group, Ledger, Parts, groups};
use millstream_train::Device;

pub use report::{
    Balance, BrokenRecord, BrokenReport, Candidate, ClassReport, DataReport, DuplicatesReport, Extreme, Extremes,
    GroupReport, Judge, LabelsReport, Leaked, Normalize, RecordReport, SizeCount, SplitReport, Spread,
};

use crate::error::ClusterError;
use crate::group::{Group as Workers, on_workers};
use crate::relabel::{ReadOptions, apart};
use judging::{Issue, Judged};

/// Parts of the input that are not there and are told in words.
const MOST_MISSING: usize = 100;

/// Who is told of the work.
type Told = Arc<dyn Fn(Phase, &BulkEvent) + Send + Sync>;

/// What is being done. All records go through each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They are measured.
    Measure,
    /// The model is asked about them.
    Ask,
}

/// What is examined, and how.
#[derive(Clone, Debug)]
pub struct ExamineOptions {
    /// The splits; what is found in the first is what others are held against.
    pub splits: Vec<SplitInput>,
    /// How they are read. Labels of IDX files are each split's own.
    pub reading: ReadOptions,
    /// A folder on whose disk there is room for what is put aside: about 1.1 kB for each record, and 4 bytes for each number of an embedding.
    pub out: PathBuf,
    /// A model file or a run directory, where labels are to be judged.
    pub model: Option<PathBuf>,
    /// How many labels that are probably wrong are told.
    pub candidates: usize,
    /// Bits in which the perceptual hashes of near duplicates differ, at most.
    pub distance: u32,
    /// How many records of each split are looked at, at most.
    pub limit: Option<u64>,
    /// Worker threads.
    pub workers: usize,
    /// Cores of this machine: as many models work at once.
    pub cores: usize,
    /// Where the model runs.
    pub device: Device,
    /// Bytes of records and pixels in flight.
    pub memory: u64,
}

/// A split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitInput {
    /// Its name.
    pub name: String,
    /// Its places, all of one kind.
    pub inputs: Vec<String>,
    /// The labels of an IDX file.
    pub labels: Option<PathBuf>,
}

/// What was found.
pub struct Examined {
    /// All of it that is told.
    pub report: DataReport,
    options: ExamineOptions,
    catalogue: Catalogue,
    /// The names of the classes by which labels were judged.
    classes: Vec<String>,
    issues: Vec<Issue>,
}

/// A mean image, [`millstream_dataflow::examine::MEAN_SIDE`] pixels wide and high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeanImage {
    /// Its split.
    pub split: String,
    /// The label of its images; none if they have none.
    pub label: Option<String>,
    /// RGB.
    pub pixels: Vec<u8>,
}

impl Examined {
    /// The mean image of each class of each split.
    pub fn mean_images(&self) -> impl Iterator<Item = MeanImage> {
        let of_split = |(number, split): (u32, &SplitInput)| {
            let name = split.name.clone();
            let told = |label: &Option<corpus::Label>| label.as_ref().map(ToString::to_string);
            let means = self.catalogue.mean_images(number);
            means.map(move |(label, pixels)| MeanImage { split: name.clone(), label: told(label), pixels })
        };
        (0..).zip(&self.options.splits).flat_map(of_split)
    }

    /// All labels that are probably wrong, the worst first, then those of which another class is only more probable.
    pub fn issues(&self) -> impl Iterator<Item = Result<Candidate, DataError>> {
        self.issues.iter().map(|issue| judging::candidate(&self.catalogue, &self.options, &self.classes, issue))
    }
}

/// Examines data. Nothing is left in the folder.
///
/// # Errors
/// [`ClusterError::OutInInput`], [`ClusterError::NoRecords`], [`ClusterError::Stopped`], and whatever data and model are to blame for.
pub fn examine(
    options: &ExamineOptions,
    stop: &Stop,
    watch: impl Fn(Phase, &BulkEvent) + Send + Sync + 'static,
) -> Result<Examined, ClusterError> {
    let store = Store::from_env();
    let models = options.model.as_deref().map(asking::look).transpose()?;
    let watch: Told = Arc::new(watch);
    let ledger = Arc::new(Ledger::new(&options.out)?);
    let mut missing = Vec::new();
    for (number, split) in (0..).zip(&options.splits) {
        let corpus = open(options, split, &store)?;
        missing.push(measure(options, (number, corpus), &ledger, (stop, Arc::clone(&watch)))?);
    }
    let catalogue = Catalogue::new(ledger, u32::try_from(options.splits.len()).unwrap_or(u32::MAX));
    if catalogue.looks().is_empty() && catalogue.broken().is_empty() {
        return Err(ClusterError::NoRecords);
    }
    let groups = groups(&catalogue, options.distance)?;
    let mut report = tell(options, &catalogue, &groups, missing)?;
    let (mut classes, mut issues) = Default::default();
    if let Some(models) = models.filter(|_| report.classes.len() > 1) {
        let labels = catalogue.labels();
        let known = judging::classes_of(labels, models.classes());
        let open = |split: usize| open(options, &options.splits[split], &store);
        let numbers = asking::Numbers::ask(options, &models, known.is_none(), open, (stop, watch))?;
        let judged = match known {
            Some(class_of) => {
                classes = models.classes().to_vec();
                judging::by_probabilities(options, &catalogue, (&numbers, class_of, &classes))?
            }
            None => {
                classes = labels.iter().map(ToString::to_string).collect();
                judging::by_embeddings(options, &catalogue, &groups, &numbers)?
            }
        };
        let Judged { report: labels, issues: found } = judged;
        (report.labels, issues) = (Some(labels), found);
    }
    Ok(Examined { report, options: options.clone(), catalogue, classes, issues })
}

/// Refuses an output that would be part of the input the next time.
///
/// # Errors
/// [`ClusterError::OutInInput`], or a place that is none.
pub fn keep_apart(out: &Path, splits: &[SplitInput]) -> Result<(), ClusterError> {
    let out = Location::Local(out.to_owned());
    splits.iter().try_for_each(|split| apart(&out, &split.inputs))
}

fn open(options: &ExamineOptions, split: &SplitInput, store: &Store) -> Result<Box<dyn Corpus>, ClusterError> {
    let reading = ReadOptions { labels: split.labels.clone(), ..options.reading.clone() };
    Ok(corpus::open(&split.inputs, &reading.options(store))?)
}

/// Measures a split. Returns what of it is not there.
fn measure(
    options: &ExamineOptions,
    (split, corpus): (u32, Box<dyn Corpus>),
    ledger: &Arc<Ledger>,
    (stop, watch): (&Stop, Told),
) -> Result<Vec<String>, ClusterError> {
    let missing: Arc<Mutex<Vec<String>>> = Arc::default();
    let noting = Arc::clone(&missing);
    let events = move |event: BulkEvent| {
        if let BulkEvent::Lost(reason) = &event {
            let mut missing = noting.lock().unwrap_or_else(PoisonError::into_inner);
            if missing.len() < MOST_MISSING {
                missing.push(reason.clone());
            }
        }
        watch(Phase::Measure, &event);
    };
    let job = Arc::new(Examine::new(Parts {
        split,
        corpus,
        ledger: Arc::clone(ledger),
        events: Box::new(events),
        stop: stop.clone(),
        limit: options.limit,
        memory: options.memory,
        workers: options.workers,
    })?);
    on_workers(Workers::alone(options.workers), stop, move |worker| job.run(worker))?;
    if let Some(reason) = stop.reason() {
        return Err(reason.clone().into());
    }
    let missing = missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(missing)
}

/// What was found, but for what a model says.
fn tell(
    options: &ExamineOptions,
    catalogue: &Catalogue,
    groups: &[Group],
    missing: Vec<Vec<String>>,
) -> Result<DataReport, ClusterError> {
    let names: Vec<String> = options.splits.iter().map(|split| split.name.clone()).collect();
    let splits = (0..).zip(options.splits.iter().zip(missing));
    let classes = figures::classes(catalogue, names.len());
    let broken = catalogue.broken().iter().map(|broken| BrokenRecord {
        key: broken.key.to_string(),
        place: broken.place.clone(),
        split: names.get(broken.at.split as usize).cloned().unwrap_or_default(),
        label: broken.label.as_ref().map(ToString::to_string),
        stage: broken.failure.stage.name(),
        reason: broken.failure.reason.clone(),
    });
    Ok(DataReport {
        version: report::VERSION,
        splits: splits
            .map(|(number, (split, missing))| figures::split(catalogue, number, (&split.name, &split.inputs, missing)))
            .collect(),
        balance: figures::balance(&classes),
        classes,
        normalize: figures::normalize(catalogue, 0),
        duplicates: same::duplicates(catalogue, &names, groups, options.distance)?,
        broken: BrokenReport { count: catalogue.broken_count().iter().sum(), records: broken.collect() },
        extremes: same::extremes(catalogue, &names)?,
        labels: None,
    })
}
