//! `learn`: hands whole batches to the training node and brings back what it says.
//!
//! The training node runs on a thread of its own behind a bounded channel, because a worker that waited for
//! it could not prepare the samples that it waits for.

use std::collections::VecDeque;
use std::sync::Arc;

use millstream_data::{Batch, DeadLetter, Key};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::event::{Calibration, EventSink, Trained};
use crate::learner::{self, Asked, Learner, Reply};
use crate::pool::Pool;
use crate::schedule::Pass;
use crate::stop::{Stop, StopReason};
use crate::tally::Tally;
use crate::time::Time;
use crate::trainer::{ModelHash, TrainerFactory};

/// What the training node says of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Training of the round has ended.
    Trained(Trained),
    /// The count over a batch of the validation split.
    Validated(Box<Tally>),
    /// What the validation pass amounts to, its test still missing.
    Calibrated(Box<Calibration>),
    /// The count over a batch of the test split: of what the model says, and of that at the temperature of the round if there
    /// is one.
    Tested { raw: Box<Tally>, calibrated: Option<Box<Tally>> },
    /// A label for a record that had none.
    Labelled(Prediction),
    /// A record that could not be used.
    Dead(DeadLetter),
    /// The training node has failed, for this reason; nothing more comes from it.
    Failed(String),
}

/// The teacher's word on one record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prediction {
    pub(crate) round: u32,
    pub(crate) record: u32,
    pub(crate) key: Key,
    pub(crate) probabilities: Vec<f32>,
    pub(crate) model: ModelHash,
}

/// What `learn` needs besides its batches; present at the worker that holds a rank.
pub(crate) struct Node {
    pub(crate) factory: Arc<TrainerFactory>,
    pub(crate) events: EventSink,
    pub(crate) stop: Stop,
    /// Where the pixels of batches go when they are done with.
    pub(crate) parts: Pool,
    /// The confidence from which on labels are selected, if they are to be calibrated before.
    pub(crate) calibrate: Option<f32>,
    /// Which of the training nodes it is. The first speaks for all where all would say the same.
    pub(crate) rank: u32,
}

/// Answers to batches, each at the time of its batch.
pub(crate) fn learn<'scope>(
    batches: StreamVec<'scope, Time, Batch>,
    node: Option<Node>,
) -> StreamVec<'scope, Time, Answer> {
    let scope = batches.scope();
    batches.unary(Pipeline, "Learn", move |_, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let mut desk = node.map(|node| Desk::new(node, activator));
        move |input, output| {
            let Some(desk) = &mut desk else { return };
            input.for_each(|capability, batches| {
                if let Some(capability) = capability.retain_least(0) {
                    // News of bad records does not wait until the node has time for the batch.
                    let dead = batches.iter().flat_map(|batch| batch.dead.iter().cloned().map(Answer::Dead));
                    output.session(&capability).give_iterator(dead);
                    desk.waiting.extend(batches.drain(..).map(|batch| (capability.clone(), batch)));
                }
            });
            for (capability, answers) in desk.turn() {
                output.session(&capability).give_iterator(answers.into_iter());
            }
        }
    })
}

/// The operator's side of the training node: what waits for it and what it is at work on, in order.
struct Desk {
    learner: Learner,
    speaks: bool,
    stop: Stop,
    waiting: VecDeque<(Capability<Time>, Batch)>,
    asked: VecDeque<Capability<Time>>,
}

impl Desk {
    fn new(node: Node, activator: timely::scheduling::SyncActivator) -> Self {
        let learner = learner::start(node.factory, activator, (node.parts, node.events), node.calibrate);
        Desk { learner, speaks: node.rank == 0, stop: node.stop, waiting: VecDeque::new(), asked: VecDeque::new() }
    }

    /// Takes what has come back and hands over what there is room for.
    fn turn(&mut self) -> Vec<(Capability<Time>, Vec<Answer>)> {
        let mut answered = Vec::new();
        for reply in self.learner.replies() {
            match reply {
                Ok(reply) => {
                    if let Some(capability) = self.asked.pop_front() {
                        let answers = answers(*capability.time(), reply, self.speaks);
                        answered.push((capability, answers));
                    }
                }
                Err(error) => match self.asked.pop_front() {
                    Some(capability) => answered.push((capability, vec![Answer::Failed(error)])),
                    // It failed before it was asked anything.
                    None => self.stop.set(StopReason::Failed(error)),
                },
            }
        }
        while let Some((capability, batch)) = self.waiting.pop_front() {
            match self.learner.ask(Asked { time: *capability.time(), batch }) {
                None => self.asked.push_back(capability),
                Some(asked) => {
                    self.waiting.push_front((capability, asked.batch));
                    break;
                }
            }
        }
        answered
    }
}

fn answers(time: Time, mut reply: Reply, speaks: bool) -> Vec<Answer> {
    let trained = reply.trained.take().map(Answer::Trained);
    let calibrated = reply.calibration.take().map(|found| Answer::Calibrated(Box::new(found)));
    let mut answers: Vec<Answer> = trained.into_iter().chain(calibrated).filter(|_| speaks).collect();
    match Pass::of(&time) {
        Pass::Validate if speaks => answers.push(Answer::Validated(Box::new(reply.tally()))),
        Pass::Train | Pass::Validate => {}
        Pass::Test => {
            let calibrated = reply.calibrated_tally().map(Box::new);
            answers.push(Answer::Tested { raw: Box::new(reply.tally()), calibrated });
        }
        Pass::Label => answers.extend(reply.predictions(time.round).map(Answer::Labelled)),
    }
    answers
}
