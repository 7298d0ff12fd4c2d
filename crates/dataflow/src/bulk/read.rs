//! `read`: the records of a shard in their order, a few at a time, read by a thread of its own.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use millstream_data::corpus::{Item, Label, Shard};
use millstream_data::{DataError, Key, Payload, Stage};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::scheduling::SyncActivator;

use super::list::Task;
use super::{Failure, Intake};
use crate::stop::{StopOnPanic, StopReason};
use crate::time::Time;

/// A piece goes off when it has so many records or bytes: small enough to begin soon, large enough to be worth a message.
const PIECE_RECORDS: usize = 16;
const PIECE_BYTES: u64 = 256 << 10;

/// A record as it was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fetched {
    pub(crate) key: Key,
    pub(crate) place: String,
    pub(crate) label: Option<Label>,
    pub(crate) payload: Result<Payload, Failure>,
}

/// Some records of a step, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) turn: u32,
    pub(crate) step: u32,
    pub(crate) records: VecDeque<Fetched>,
    /// Whether the step has no more.
    pub(crate) last: bool,
    /// Places that it takes in the gate of bytes.
    pub(crate) room: u64,
}

/// What the thread has to say.
enum News {
    Piece(Piece),
    /// There is no more of the shard of that turn.
    End(u32),
}

/// Reads whole shards, each at one worker. The pieces of a step come out in order, at the time of the step.
pub(crate) fn read<'scope>(tasks: StreamVec<'scope, Time, Task>, job: &Arc<Intake>) -> StreamVec<'scope, Time, Piece> {
    let (scope, job) = (tasks.scope(), Arc::clone(job));
    tasks.unary(Exchange::new(|task: &Task| u64::from(task.turn)), "Read", move |_, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let (tasks, news) = start(&job, activator);
        let mut open: BTreeMap<u32, Capability<Time>> = BTreeMap::new();
        move |input, output| {
            input.for_each(|capability, given| {
                let Some(capability) = capability.retain_least(0) else { return };
                for task in given.drain(..) {
                    open.insert(task.turn, capability.clone());
                    // Fails only when the thread could not be started, which ends the job.
                    let _ = tasks.send(task);
                }
            });
            for news in news.try_iter() {
                match news {
                    News::Piece(piece) => {
                        if let Some(capability) = open.get(&piece.turn) {
                            let time = Time::new(piece.turn, 0, piece.step);
                            output.session(&capability.delayed(&time)).give(piece);
                        }
                    }
                    News::End(turn) => drop(open.remove(&turn)),
                }
            }
        }
    })
}

/// Starts the thread that reads. It ends with the operator.
fn start(job: &Arc<Intake>, activator: SyncActivator) -> (Sender<Task>, Receiver<News>) {
    let (send, tasks) = unbounded::<Task>();
    let (tell, news) = unbounded();
    let reading = Arc::clone(job);
    let work = move || {
        let _guard = StopOnPanic(reading.stop.clone());
        let tell = |news: News| {
            // Both fail only when the worker has gone.
            let _ = tell.send(news);
            let _ = activator.activate();
        };
        for task in tasks {
            let turn = task.turn;
            match records(&reading, &task, &mut Cutter::new(&reading, turn, &tell)) {
                Ok(()) => tell(News::End(turn)),
                Err(Over) => return,
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("read".to_owned()).spawn(work) {
        job.stop.set(StopReason::Failed(format!("the thread that reads shards did not start: {error}")));
    }
    (send, news)
}

/// The job has ended early.
struct Over;

/// Sends all records of a shard. What of it cannot be read is a record with an error, if the data are to blame; where a disk or
/// a network is, another try may do better, and the job fails.
fn records(job: &Intake, task: &Task, cutter: &mut Cutter<'_>) -> Result<(), Over> {
    let shard = &task.shard;
    let take = usize::try_from(task.take).unwrap_or(usize::MAX);
    match job.corpus.read(shard) {
        Ok(items) => {
            // Whoever passes over many records waits at no gate, where it would notice that the job has ended.
            let over = || job.stop.reason().is_some();
            for item in items.filter(|item| over() || asked(job, item)).take(take) {
                match item {
                    _ if over() => return Err(Over),
                    Ok(Item { payload: Err(error), .. }) if is_passing(&error) => return Err(fail(job, shard, &error)),
                    Ok(item) => cutter.add(fetched(item))?,
                    Err(error) => {
                        cutter.add(rest_of(job, shard, &error)?)?;
                        break;
                    }
                }
            }
        }
        Err(error) => cutter.add(rest_of(job, shard, &error)?)?,
    }
    cutter.end()
}

/// Whether a record is in the sample. What stands for the rest of a shard always is.
fn asked(job: &Intake, item: &Result<Item, DataError>) -> bool {
    match (&job.sample, item) {
        (Some(sample), Ok(item)) => sample.has(item.key),
        _ => true,
    }
}

fn fetched(item: Item) -> Fetched {
    let unread = |error: DataError| Failure { stage: Stage::Read, reason: error.to_string() };
    Fetched { key: item.key, place: item.place, label: item.label, payload: item.payload.map_err(unread) }
}

/// Whether it is no property of a record that it cannot be had. That a file may not be read by us, or is a folder, is.
fn is_passing(error: &DataError) -> bool {
    let own = [ErrorKind::PermissionDenied, ErrorKind::IsADirectory];
    error.ends_a_job() && !matches!(error, DataError::Read { cause, .. } if own.contains(&cause.kind()))
}

/// Ends the job, which is to go on with the shard when it is started again.
fn fail(job: &Intake, shard: &Shard, error: &DataError) -> Over {
    job.stop.set(StopReason::Failed(format!("{error}. Start again to go on with {}", shard.name)));
    Over
}

/// What stands for the rest of a shard.
fn rest_of(job: &Intake, shard: &Shard, error: &DataError) -> Result<Fetched, Over> {
    if error.ends_a_job() {
        return Err(fail(job, shard, error));
    }
    let reason = format!("the rest of the shard cannot be read: {error}");
    let failure = Failure { stage: Stage::Read, reason };
    let (key, place) = (Key::of_place(&shard.place, u64::MAX), shard.place.clone());
    Ok(Fetched { key, place, label: None, payload: Err(failure) })
}

/// Cuts the records of a shard into steps of one batch each, and those into pieces.
///
/// Where a step ends depends on the shard alone: float sums depend on what else is in a batch.
struct Cutter<'a> {
    job: &'a Intake,
    tell: &'a dyn Fn(News),
    piece: Piece,
    bytes: u64,
    in_step: usize,
}

impl<'a> Cutter<'a> {
    fn new(job: &'a Intake, turn: u32, tell: &'a dyn Fn(News)) -> Self {
        let piece = Piece { turn, step: 0, records: VecDeque::new(), last: false, room: 0 };
        Cutter { job, tell, piece, bytes: 0, in_step: 0 }
    }

    fn add(&mut self, record: Fetched) -> Result<(), Over> {
        if self.in_step == 0 {
            self.job.gates.steps.enter(1).ok_or(Over)?;
        }
        self.in_step += 1;
        if let Ok(payload) = &record.payload {
            self.bytes += payload.bytes().len() as u64;
        }
        self.piece.records.push_back(record);
        if self.in_step == self.job.batch {
            self.send(true)
        } else if self.piece.records.len() >= PIECE_RECORDS || self.bytes >= PIECE_BYTES {
            self.send(false)
        } else {
            Ok(())
        }
    }

    fn end(&mut self) -> Result<(), Over> {
        if self.in_step == 0 { Ok(()) } else { self.send(true) }
    }

    fn send(&mut self, last: bool) -> Result<(), Over> {
        let Piece { turn, step, .. } = self.piece;
        let step_after = match step.checked_add(1) {
            Some(next) if last => next,
            Some(_) => step,
            None => {
                self.job.stop.set(StopReason::Failed("a shard has more batches than can be counted".to_owned()));
                return Err(Over);
            }
        };
        let room = self.job.gates.bytes.enter(self.bytes).ok_or(Over)?;
        let next = Piece { turn, step: step_after, records: VecDeque::new(), last: false, room: 0 };
        let piece = std::mem::replace(&mut self.piece, next);
        (self.tell)(News::Piece(Piece { last, room, ..piece }));
        self.bytes = 0;
        self.in_step = if last { 0 } else { self.in_step };
        Ok(())
    }
}
