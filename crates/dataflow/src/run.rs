//! Builds the stream on a worker and runs it to its end.

use std::sync::Arc;
use std::time::Duration;

use differential_dataflow::{AsCollection, VecCollection};
use millstream_data::{Key, most_probable};
use millstream_imageops::Shelf;
use millstream_labels::{Pseudo, book};
use timely::dataflow::operators::vec::{Broadcast, Map, ToStream};
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};
use timely::dataflow::{Scope, StreamVec};
use timely::worker::Worker;

use crate::event::EventSink;
use crate::flow::Credit;
use crate::gauges::Gauges;
use crate::job::Job;
use crate::operators::batch::batch;
use crate::operators::conclude::{Finding, conclude};
use crate::operators::credit::credit;
use crate::operators::learn::{Answer, Node, Prediction, learn};
use crate::operators::mix::mix;
use crate::operators::prepare::{Buffers, prepare};
use crate::operators::read::read;
use crate::operators::sample::{Choice, sample};
use crate::pool::Pool;
use crate::stop::Stop;
use crate::time::{Rounds, Time};
use crate::trainer::TrainerFactory;

/// How long an idle worker sleeps before it looks at the stop signal.
const NAP: Duration = Duration::from_millis(50);

/// Buffers of parts of batches that wait to be used again, all workers of a process together, and their largest size.
pub(crate) const SPARE_PARTS: usize = 8;
pub(crate) const LARGEST_PART: usize = 64 << 20;
/// The same for files, of one worker.
const SPARE_FILES: usize = 64;
const LARGEST_FILE: usize = 256 << 10;

/// What surrounds the stream in a process: the training node, who listens, and who may stop it.
#[derive(Clone)]
pub struct Surroundings {
    trainer: Arc<TrainerFactory>,
    events: EventSink,
    /// Ends the run early.
    pub stop: Stop,
    gauges: Gauges,
    parts: Pool,
    shelf: Option<Shelf>,
}

impl Surroundings {
    /// `trainer` makes the training node and is called for the worker that holds one; `events` receives news and is called on worker
    /// 0 and on the thread of the training node; `stop` ends the run early.
    pub fn new(trainer: Arc<TrainerFactory>, events: EventSink, stop: Stop) -> Self {
        let parts = Pool::new(SPARE_PARTS, LARGEST_PART);
        Surroundings { trainer, events, stop, gauges: Gauges::default(), parts, shelf: None }
    }

    /// Takes decoded images from a shelf that other streams of the process share.
    #[must_use]
    pub fn sharing(self, shelf: Shelf) -> Self {
        Surroundings { shelf: Some(shelf), ..self }
    }

    /// Tells these gauges what the process does.
    #[must_use]
    pub fn observed(mut self, gauges: Gauges) -> Self {
        let (events, noted) = (Arc::clone(&self.events), gauges.clone());
        self.events = Arc::new(move |event| {
            noted.note(&event);
            events(event);
        });
        Surroundings { gauges, ..self }
    }
}

/// Runs a job on one worker of the process group, until the stream has drained or the stop signal is given.
///
/// Every worker of every process must be given an equal job.
pub fn run(worker: &mut Worker, job: &Arc<Job>, around: &Surroundings) {
    worker.dataflow_named("Millstream", |scope| build(scope, job, around));
    drive(worker, &around.stop);
}

/// Runs several jobs on one worker of the process group, each as a dataflow of its own and so many of them at once: as one ends the
/// next begins, until none is left or `stop` is given. A job whose own stop signal is given ends alone.
///
/// `jobs` gives the one of a number, from 0, until there are no more, and must be the same on every worker. The workers begin
/// them in this order; when, is nobody's concern, because timely keeps what comes for a dataflow that is not there yet.
pub fn run_each(
    worker: &mut Worker,
    mut jobs: impl FnMut(usize) -> Option<(Arc<Job>, Surroundings)>,
    at_once: usize,
    stop: &Stop,
) {
    let mut open: Vec<(usize, Stop)> = Vec::new();
    let mut begun = 0;
    let mut more = true;
    while stop.reason().is_none() {
        let installed = worker.installed_dataflows();
        open.retain(|(dataflow, stop)| match stop.reason() {
            Some(_) if installed.contains(dataflow) => {
                worker.drop_dataflow(*dataflow);
                false
            }
            _ => installed.contains(dataflow),
        });
        while more && open.len() < at_once {
            match jobs(begun) {
                Some((job, around)) => {
                    open.push((worker.next_dataflow_index(), around.stop.clone()));
                    worker.dataflow_named("Millstream", |scope| build(scope, &job, &around));
                    begun += 1;
                }
                None => more = false,
            }
        }
        if open.is_empty() {
            return;
        }
        worker.step_or_park(Some(NAP));
    }
    // Their training nodes keep what they have come to.
    if let Some(reason) = stop.reason() {
        open.iter().for_each(|(_, stop)| stop.set(reason.clone()));
    }
    drive(worker, stop);
}

/// Works until all dataflows have drained or the stop signal is given.
pub(crate) fn drive(worker: &mut Worker, stop: &Stop) {
    while worker.has_dataflows() {
        if stop.reason().is_some() {
            for dataflow in worker.installed_dataflows() {
                worker.drop_dataflow(dataflow);
            }
            return;
        }
        worker.step_or_park(Some(NAP));
    }
}

/// The graph of the stream: the same on every worker.
fn build(scope: Scope<'_, Time>, job: &Arc<Job>, around: &Surroundings) {
    let room = Credit::new(job.window(), job.memory / 2 / scope.peers() as u64, around.gauges.clone());
    let (feedback, choices) = scope.feedback(Rounds(1));

    let slots = sample(choices, Arc::clone(job), room.clone());
    let files = Pool::new(SPARE_FILES, LARGEST_FILE);
    let buffers = Buffers { files, parts: around.parts.clone(), shelf: around.shelf.clone() };
    let watched = (room.clone(), around.gauges.clone());
    let records = read(slots, Arc::clone(&job.manifest), watched.clone(), buffers.files.clone());
    let parts = prepare(records, Arc::clone(job), watched, buffers);
    let batches = batch(parts, job.shape, job.ranks);
    let batches = mix(batches, Arc::clone(job), around.parts.clone());
    let node = job.ranks.at(scope.index()).map(|rank| Node {
        rank,
        factory: Arc::clone(&around.trainer),
        events: Arc::clone(&around.events),
        stop: around.stop.clone(),
        parts: around.parts.clone(),
        calibrate: job.calibrate.then_some(job.rule.threshold),
    });
    let answers = learn(batches, node);
    credit(answers.clone(), room);

    let upserts = restored(scope, job).concat(upserts(answers.clone(), job));
    let book = book(known(scope, job, &job.labelled), known(scope, job, &job.unlabelled), upserts, &job.rule);
    let manifest = Arc::clone(&job.manifest);
    let chosen = book
        .selected
        .inner
        .flat_map(move |((key, selected), _, diff)| manifest.find(key).map(|record| Choice { record, selected, diff }));

    let findings = answers
        .map(Finding::Answer)
        .concat(chosen.clone().map(Finding::Choice))
        .concat(book.stats.map(|(_, stats)| Finding::Stats(stats)));
    conclude(findings, Arc::clone(job), Arc::clone(&around.events), around.stop.clone());
    chosen.broadcast().connect_loop(feedback);
}

/// The teacher's predictions as upserts of the label book, all of a round at the round's last moment.
fn upserts<'scope>(
    answers: StreamVec<'scope, Time, Answer>,
    job: &Arc<Job>,
) -> StreamVec<'scope, Time, (Key, Option<Pseudo>, Time)> {
    let keep = job.keep_distribution;
    answers.flat_map(move |answer| match answer {
        Answer::Labelled(prediction) => {
            let time = Time::end_of(prediction.round);
            Some((prediction.key, Some(labelled(&prediction, keep)), time))
        }
        _ => None,
    })
}

fn labelled(prediction: &Prediction, keep_distribution: bool) -> Pseudo {
    let probabilities = &prediction.probabilities;
    let class = most_probable(probabilities);
    let distribution = if keep_distribution { &probabilities[..] } else { &[] };
    Pseudo::new(class, probabilities[class as usize], prediction.round, &prediction.model, distribution)
}

/// The labels of the last committed round, where a run goes on from there. They enter at the end of that
/// round, so the stream goes on exactly as if it had just been computed.
fn restored<'scope>(
    scope: Scope<'scope, Time>,
    job: &Arc<Job>,
) -> StreamVec<'scope, Time, (Key, Option<Pseudo>, Time)> {
    let Some(round) = job.first_round.checked_sub(1) else {
        return Vec::new().to_stream(scope);
    };
    let (index, peers) = (scope.index(), scope.peers());
    let mine: Vec<_> = job.restored.iter().skip(index).step_by(peers).cloned().collect();
    mine.into_iter().map(move |(key, pseudo)| (key, Some(pseudo), Time::end_of(round))).to_stream(scope)
}

/// The labels that the manifest has for some records, as a collection. Each worker brings its share.
fn known<'scope>(
    scope: Scope<'scope, Time>,
    job: &Arc<Job>,
    records: &[u32],
) -> VecCollection<'scope, Time, (Key, u32)> {
    let mine = records.iter().skip(scope.index()).step_by(scope.peers());
    let labels: Vec<_> = mine
        .filter_map(|record| {
            let entry = &job.manifest.entries()[*record as usize];
            Some(((entry.key, entry.label?), Time::start_of(0), 1))
        })
        .collect();
    labels.to_stream(scope).as_collection()
}
