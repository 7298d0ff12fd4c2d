//! `label`: asks the model about each step, on a thread of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use millstream_data::answer::{Answer, Said};
use millstream_data::{Batch, Row, Target};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::scheduling::SyncActivator;

use super::prepare::Prepared;
use super::{BulkEvent, HOME, Known, Labeller, Predictions, Relabel};
use crate::stop::StopReason;
use crate::time::Time;
use crate::trainer::TrainerError;

/// Batches that lie ready for the model while it works on another.
const READY: usize = 2;

/// The answers to the records of one step, in order.
pub(super) type Answered = Vec<Answer>;

/// Answers each step, at its time. They come in any order: each is a function of its step alone.
pub(super) fn label<'scope>(
    steps: StreamVec<'scope, Time, Prepared>,
    job: &Arc<Relabel>,
) -> StreamVec<'scope, Time, Answered> {
    let (scope, job) = (steps.scope(), Arc::clone(job));
    steps.unary(Exchange::new(|_: &Prepared| HOME as u64), "Label", move |_, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let mut desk = (scope.index() == HOME).then(|| Desk::new(&job, activator));
        move |input, output| {
            let Some(desk) = &mut desk else { return };
            input.for_each(|capability, steps| {
                if let Some(capability) = capability.retain_least(0) {
                    desk.waiting.extend(steps.drain(..).map(|step| (capability.clone(), step)));
                }
            });
            while let Some((capability, answered)) = desk.reply() {
                output.session(&capability).give(answered);
            }
            desk.ask();
        }
    })
}

/// The operator's side: what waits for the model and what it is at work on, in order.
struct Desk {
    job: Arc<Relabel>,
    model: Model,
    waiting: VecDeque<(Capability<Time>, Prepared)>,
    asked: VecDeque<Capability<Time>>,
}

impl Desk {
    fn new(job: &Arc<Relabel>, activator: SyncActivator) -> Self {
        let model = Model::start(Arc::clone(job), activator);
        Desk { job: Arc::clone(job), model, waiting: VecDeque::new(), asked: VecDeque::new() }
    }

    /// The next answer that has come back.
    fn reply(&mut self) -> Option<(Capability<Time>, Answered)> {
        match self.model.replies.try_recv().ok()? {
            Ok(answered) => {
                self.job.gates.steps.leave(1);
                Some((self.asked.pop_front()?, answered))
            }
            Err(reason) => {
                self.job.stop.set(StopReason::Failed(reason));
                None
            }
        }
    }

    /// Hands over what there is room for.
    fn ask(&mut self) {
        let Some(asks) = &self.model.asks else { return };
        while let Some((capability, step)) = self.waiting.pop_front() {
            match asks.try_send(step) {
                Ok(()) => self.asked.push_back(capability),
                Err(TrySendError::Full(step) | TrySendError::Disconnected(step)) => {
                    return self.waiting.push_front((capability, step));
                }
            }
        }
    }
}

/// The worker's handle on the thread. Dropping it ends the thread after the batch it is at, and waits for that.
struct Model {
    asks: Option<Sender<Prepared>>,
    replies: Receiver<Result<Answered, String>>,
    thread: Option<JoinHandle<()>>,
}

impl Model {
    fn start(job: Arc<Relabel>, activator: SyncActivator) -> Self {
        let (asks, asked) = bounded(READY);
        let (reply, replies) = unbounded();
        let failed = reply.clone();
        let work = move || {
            let answer = |answer: Result<Answered, TrainerError>| {
                // Both fail only when the worker has gone.
                let _ = reply.send(answer.map_err(|error| error.to_string()));
                let _ = activator.activate();
            };
            if catch_unwind(AssertUnwindSafe(|| serve(&job, &asked, answer))).is_err() {
                answer(Err("the model's thread panicked; this is a bug in Millstream".into()));
            }
        };
        let thread = thread::Builder::new().name("model".to_owned()).spawn(work);
        if let Err(error) = &thread {
            let _ = failed.send(Err(format!("the model's thread did not start: {error}")));
        }
        Model { asks: Some(asks), replies, thread: thread.ok() }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the model's thread panicked");
        }
    }
}

fn serve(job: &Relabel, asked: &Receiver<Prepared>, reply: impl Fn(Result<Answered, TrainerError>)) {
    let mut labeller = match (job.labeller)() {
        Ok(labeller) => labeller,
        Err(error) => return reply(Err(error)),
    };
    for step in asked {
        let answered = answer(job, labeller.as_mut(), step);
        let failed = answered.is_err();
        reply(answered);
        if failed {
            return;
        }
    }
}

fn answer(job: &Relabel, labeller: &mut dyn Labeller, step: Prepared) -> Result<Answered, TrainerError> {
    let Prepared { records, pixels, bytes } = step;
    let images: Vec<Row> = (0..).zip(&records).filter(|(_, known)| known.failure.is_none()).map(row).collect();
    let rows = images.len();
    let mut batch =
        Batch { shape: job.shape, blocks: vec![pixels], rows: images, mixing: Vec::new(), dead: Vec::new() };
    let said = if rows == 0 { Predictions::default() } else { labeller.label(&batch)? };
    let mut said = each(job, rows, &said)?;
    batch.blocks.drain(..).for_each(|block| job.pixels.give(block.0));
    let (seen, errors) = (records.len() as u64, (records.len() - rows) as u64);
    let answer = |record: Known| {
        let said = if record.failure.is_none() { said.next() } else { None };
        job.output.answer(record, said)
    };
    let answers = records.into_iter().map(answer).collect();
    (job.events)(BulkEvent::Labelled { records: seen, errors, bytes });
    Ok(answers)
}

/// What is said of each of so many images.
fn each<'a>(
    job: &Relabel,
    rows: usize,
    said: &'a Predictions,
) -> Result<impl Iterator<Item = Said> + use<'a>, TrainerError> {
    let Predictions { probabilities, embeddings } = said;
    let (classes, width) = (job.classes, job.embedding);
    for (found, each) in [(probabilities.len(), classes), (embeddings.len(), width.unwrap_or(0))] {
        if found != rows * each {
            return Err(format!("the model gave {found} numbers for {rows} images, not {each} for each").into());
        }
    }
    let said = move |(row, shares): (usize, &[f32])| {
        let embedding = width.and_then(|width| embeddings.chunks_exact(width.max(1)).nth(row));
        Said { probabilities: shares.to_vec(), embedding: embedding.map(<[f32]>::to_vec) }
    };
    Ok(probabilities.chunks_exact(classes).enumerate().map(said))
}

fn row((record, known): (u32, &Known)) -> Row {
    Row { record, key: known.key, view: 0, epoch: 0, copy: 0, target: Target::None, labelled: false }
}
