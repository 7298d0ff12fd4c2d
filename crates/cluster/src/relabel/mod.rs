//! Labels a corpus in bulk: joins corpus, models and output set to the stream of a bulk job.

mod answers;
mod audit;
mod bench;
mod ensemble;
mod output;
mod probe;
mod reading;
mod settings;
mod summary;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millstream_data::answer::Format;
use millstream_data::corpus::{self, Corpus, Sample};
use millstream_data::store::{Location, Store};
use millstream_dataflow::Stop;
use millstream_dataflow::relabel::{BulkEvent, Output, Parts, Relabel, Watch};
use millstream_train::Device;

pub(crate) use answers::{AnswerFiles, rows};
pub use audit::{SetAudit, is_answers, verify_answers};
pub use bench::{label_alone, label_for_nothing};
pub(crate) use ensemble::{Ensemble, Models};
pub use output::Totals;
pub(crate) use output::answer;
pub use probe::{Estimate, count, probe};
pub use reading::ReadOptions;
pub use summary::{AnswersSummary, describe_answers};
pub use views::Views;

use crate::error::ClusterError;
use crate::group::{Group, on_workers};
use output::{Done, OutputSet, Place};
use settings::Settings;

/// What is labelled, by what, and where the answers go.
#[derive(Clone, Debug)]
pub struct RelabelOptions {
    /// Places of the corpus, all of one kind.
    pub inputs: Vec<String>,
    /// How they are read.
    pub reading: ReadOptions,
    /// Model files or run directories; the probabilities of several are averaged.
    pub models: Vec<PathBuf>,
    /// A folder, or a place in an object store.
    pub out: String,
    /// The format of the answers.
    pub format: Format,
    /// How many of the likeliest classes are kept.
    pub top_k: usize,
    /// Whether the probabilities of all classes are kept.
    pub distribution: bool,
    /// The views of each image that the models are asked about.
    pub views: Views,
    /// Whether the answers have embeddings. Of several models there are none.
    pub embedding: bool,
    /// Whether the answers have the fingerprints of the images.
    pub fingerprint: bool,
    /// Images in a batch.
    pub batch: u32,
    /// Which records are labelled; all if none.
    pub sample: Option<Sample>,
    /// How many of these are labelled at most.
    pub limit: Option<u64>,
    /// Worker threads.
    pub workers: usize,
    /// Threads of libtorch within an operation. If none: as many as the answers that are there were made with, else one.
    pub threads: Option<u32>,
    /// Cores of this machine: as many models work at once as they have room for.
    pub cores: u32,
    /// Where the models run.
    pub device: Device,
    /// Bytes of records and pixels in flight.
    pub memory: u64,
}

impl RelabelOptions {
    /// How the corpus is read.
    pub fn corpus(&self, store: &Store) -> corpus::Options {
        self.reading.options(store)
    }
}

/// Labels all records that have no answer yet. Returns what the output holds in the end.
///
/// A job that was stopped or killed is gone on with by the same call: shards whose answers were committed are passed over, and all
/// others are done again, with the same bytes in the end.
///
/// # Errors
/// [`ClusterError::OtherAnswers`] where the output holds answers that other models or settings gave,
/// [`ClusterError::ShardChanged`], [`ClusterError::Lost`], [`ClusterError::Stopped`], and whatever models and data are to blame for.
pub fn relabel(
    options: &RelabelOptions,
    stop: &Stop,
    watch: impl Fn(&BulkEvent) + Send + Sync + 'static,
) -> Result<Totals, ClusterError> {
    let store = Store::from_env();
    let corpus = corpus::open(&options.inputs, &options.corpus(&store))?;
    let models = Models::look(&options.models)?;
    let place = Place::parse(store, &options.out)?;
    apart(&place.root, &options.inputs)?;
    let output = Arc::new(OutputSet::open(place, |there| Settings::new(options, &models, there))?);
    let done = Arc::new(Done::default());
    let events = note(Arc::clone(&done), watch);
    run(parts(options, &models, output.settings(), corpus, (Arc::clone(&output) as _, events), stop))?;
    if let Some(error) = output.failure() {
        return Err(error);
    }
    match (stop.reason(), done.lost(), done.totals()) {
        (Some(reason), ..) => Err(reason.clone().into()),
        (_, Some((count, first)), _) => Err(ClusterError::Lost { count, first }),
        (_, _, totals) if totals.rows == 0 => Err(ClusterError::NoRecords),
        (_, _, totals) => output.complete(&totals).map(|()| totals),
    }
}

/// Answers that lie in a folder of the input would be part of it the next time.
pub(crate) fn apart(out_at: &Location, inputs: &[String]) -> Result<(), ClusterError> {
    let out = absolute(out_at);
    for input in inputs.iter().filter(|input| !input.contains('{')) {
        let folder = Location::parse(input)?;
        let is_folder = folder.local().is_none_or(Path::is_dir);
        let folder = absolute(&folder);
        if out == folder || (is_folder && out.below(&folder) != out.to_string()) {
            return Err(ClusterError::OutInInput { out: out_at.to_string(), input: input.clone() });
        }
    }
    Ok(())
}

/// A place as it is called from everywhere; what is not there yet as its folder is called.
fn absolute(location: &Location) -> Location {
    let Some(path) = location.local() else { return location.clone() };
    let there = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
    let whole = there.and_then(|(there, whole)| Some(whole.join(path.strip_prefix(there).ok()?)));
    Location::Local(whole.or_else(|| std::path::absolute(path).ok()).unwrap_or_else(|| path.to_owned()))
}

/// What a job is made of. `output` is where answers go, and who is told.
fn parts(
    options: &RelabelOptions,
    models: &Models,
    settings: &Settings,
    corpus: Box<dyn Corpus>,
    (output, events): (Arc<dyn Output>, Events),
    stop: &Stop,
) -> Parts {
    Parts {
        corpus,
        labeller: labeller(options, models, settings.threads),
        output,
        events,
        stop: stop.clone(),
        shape: options.views.rendered(models.shape()),
        classes: models.classes().len(),
        embedding: settings.embedding,
        fingerprint: options.fingerprint,
        batch: options.batch,
        sample: options.sample,
        limit: options.limit,
        memory: options.memory,
        workers: options.workers,
        models: settings.models_at_once(options.cores),
    }
}

/// Who is told of a job.
type Events = Watch;

/// Runs a job on the workers of this process.
pub(crate) fn run(parts: Parts) -> Result<(), ClusterError> {
    let (workers, stop) = (parts.workers, parts.stop.clone());
    let job = Arc::new(Relabel::new(parts)?);
    on_workers(Group::alone(workers), &stop, move |worker| job.run(worker))
}

/// Loads the models where they are to live.
fn labeller(
    options: &RelabelOptions,
    models: &Models,
    threads: u32,
) -> Box<millstream_dataflow::relabel::LabellerFactory> {
    let (files, device, embeds) = (models.files().to_vec(), options.device, options.embedding);
    let views = options.views.of(models.shape());
    Box::new(move || Ok(Box::new(Ensemble::load(&files, device, threads, views.clone(), embeds)?)))
}

/// Counts what is done before it is told.
fn note(done: Arc<Done>, watch: impl Fn(&BulkEvent) + Send + Sync + 'static) -> Events {
    Box::new(move |event| {
        done.note(&event);
        watch(&event);
    })
}
