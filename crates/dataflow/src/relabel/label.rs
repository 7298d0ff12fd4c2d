//! `label`: asks a model about each step, on a thread of its own. Several workers have one each; on a GPU one has it for all.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use millstream_data::answer::{Answer, Said};
use millstream_data::{Batch, Row, Target};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::scheduling::SyncActivator;

use super::prepare::Prepared;
use super::{BulkEvent, Known, Labeller, Predictions, Relabel};
use crate::actor::{Actor, Say};
use crate::stop::StopReason;
use crate::time::Time;
use crate::trainer::TrainerError;

/// The answers to the records of one step, in order.
pub(super) type Answered = Vec<Answer>;

/// Answers each step, at its time. They come in any order: each is a function of its step alone.
pub(super) fn label<'scope>(
    steps: StreamVec<'scope, Time, Prepared>,
    job: &Arc<Relabel>,
) -> StreamVec<'scope, Time, Answered> {
    let (scope, job) = (steps.scope(), Arc::clone(job));
    let models = job.models.clamp(1, scope.peers());
    // With as many models as workers a step is labelled where it was made.
    let place = move |step: &Prepared| step.number % models as u64;
    steps.unary(Exchange::new(place), "Label", move |_, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let mut desk = (scope.index() < models).then(|| Desk::new(&job, activator));
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
    model: Actor<Prepared, Answered>,
    waiting: VecDeque<(Capability<Time>, Prepared)>,
    asked: VecDeque<Capability<Time>>,
}

impl Desk {
    fn new(job: &Arc<Relabel>, activator: SyncActivator) -> Self {
        let serving = Arc::clone(job);
        let model = Actor::start("model", activator, move |asked, say| serve(&serving, &asked, say));
        Desk { job: Arc::clone(job), model, waiting: VecDeque::new(), asked: VecDeque::new() }
    }

    /// The next answer that has come back.
    fn reply(&mut self) -> Option<(Capability<Time>, Answered)> {
        match self.model.replies().next()? {
            Ok(answered) => {
                self.job.intake.gates.steps.leave(1);
                Some((self.asked.pop_front()?, answered))
            }
            Err(reason) => {
                self.job.intake.stop.set(StopReason::Failed(reason));
                None
            }
        }
    }

    /// Hands over what there is room for.
    fn ask(&mut self) {
        while let Some((capability, step)) = self.waiting.pop_front() {
            match self.model.ask(step) {
                None => self.asked.push_back(capability),
                Some(step) => return self.waiting.push_front((capability, step)),
            }
        }
    }
}

fn serve(job: &Relabel, asked: &Receiver<Prepared>, reply: Say<'_, Answered>) {
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
    let Prepared { records, pixels, bytes, .. } = step;
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
    (job.intake.events)(BulkEvent::Labelled { records: seen, errors, bytes });
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
