//! Watches the parts of a pipeline, each for a few seconds: the stream without training, reading alone, training without the stream,
//! and all together. Nothing is written.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use millstream_cluster::{ClusterError, Consumer, Stages, Taker, observe, rehearse, repeat};
use millstream_data::{Batch, Manifest};
use millstream_dataflow::{Event, Gauges, Job, READERS, Stop, StopReason, Unlabelled, Work};
use millstream_spec::{Plan, SourcePlan};
use millstream_train::Device;

use super::verdict::{Alone, Figures, Rate, Reading};
use super::{ops, reading};
use crate::cmd::bench::meter::cpu;
use crate::cmd::bench::steps::{StepMeter, StepReading};
use crate::cmd::cores;

/// More steps than are ever made: time ends each part.
const STEPS: u32 = 1_000_000;
/// Steps after the first that a part goes on for, however long they take, ...
const LEAST: u64 = 4;
/// ... unless it has been going on for so many times the seconds that it was given, and for a while.
const PATIENCE: (f64, f64) = (10.0, 20.0);
/// How often it is looked whether a part has gone on for long enough.
const LOOK: Duration = Duration::from_millis(20);

/// How a pipeline is watched.
pub(super) struct Probe {
    pub(super) workers: usize,
    pub(super) device: Device,
    /// Seconds that each part is watched.
    pub(super) seconds: f64,
    pub(super) stop: Stop,
}

/// What was seen of a part.
struct Seen {
    stages: Stages,
    /// Steps a second.
    rate: f64,
    cores: f64,
}

impl Probe {
    /// Watches the parts of a plan's first round.
    pub(super) fn figures(&self, mut plan: Plan) -> anyhow::Result<Figures> {
        plan.rounds.truncate(1);
        plan.rounds.iter_mut().for_each(|round| round.training.steps = STEPS);
        let manifest = Arc::new(millstream_dataflow::open(&plan)?);
        let on_gpu = rehearse(&plan, &manifest, self.device)?;
        let (batch, stream) = self.stream(self.job(&plan, &manifest, 0, on_gpu)?)?;
        let images = batch.rows.len() as f64;
        let job = self.job(&plan, &manifest, stream.stages.train.steps as u32, on_gpu)?;
        let reading = self.reading(&job, images);
        let ops = job.rounds.first().map_or_else(Vec::new, |round| ops::times(&job, round, self.time()));
        let store = store(&plan, &job);
        let training = self.training(&plan, &manifest, &batch)?;
        let all = self.watch(job, Taker::Training(&plan, self.device))?;
        let rate = |steps: f64, cores: f64| Rate { images_per_second: images * steps, cores };
        Ok(Figures {
            stages: all.stages,
            images_per_second: images * all.rate,
            cores: cores(),
            on_cpu: !on_gpu,
            store,
            alone: Some(Alone {
                training: rate(training.rate, training.cores),
                stream: rate(stream.rate, stream.cores),
                stages: stream.stages,
                reading,
            }),
            ops,
        })
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The first round from a step on. Parts start with different steps, so that none is served what another has just brought into memory;
    /// of few records all are soon there, as they would be in a run.
    fn job(&self, plan: &Plan, manifest: &Arc<Manifest>, step: u32, on_gpu: bool) -> anyhow::Result<Job> {
        let mut job = millstream_dataflow::render(plan, Arc::clone(manifest))?;
        job.first_step = step;
        if on_gpu {
            job.mix_on_device();
        }
        Ok(job)
    }

    /// The stream, and its first batch that is not empty.
    fn stream(&self, job: Job) -> anyhow::Result<(Batch, Seen)> {
        let first = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&first);
        let consumer = move || -> Consumer {
            let kept = Arc::clone(&kept);
            Box::new(move |batch| {
                if !batch.rows.is_empty() {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| batch.clone());
                }
            })
        };
        let seen = self.watch(job, Taker::Consumer(Arc::new(consumer)))?;
        let batch = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match batch {
            Some(batch) => Ok((batch, seen)),
            None => bail!("no batch came within the time: raise --seconds, or look at where the data lie"),
        }
    }

    /// Reading in the order of keys, which is none that the stream has.
    fn reading(&self, job: &Job, images: f64) -> [Reading; 2] {
        let round = job.rounds.first();
        let untold = round.filter(|round| round.unlabelled == Unlabelled::All).map(|_| job.untold());
        let mut records: Vec<u32> = job.labelled.iter().copied().chain(untold.into_iter().flatten()).collect();
        records.sort_by_key(|record| job.manifest.entries().get(*record as usize).map(|entry| entry.key));
        let slots = round.map_or(1, |round| match round.unlabelled {
            Unlabelled::All => round.batch + round.unlabelled_batch,
            Unlabelled::Selected => round.batch,
        });
        let per_record = images / f64::from(slots.max(1));
        [1, 2].map(|times| {
            let (threads, from) = (times * self.workers * READERS, (times - 1) * records.len() / 2);
            let came = reading::read(&job.manifest, &records, threads, from, self.time(), &self.stop);
            Reading { threads, images_per_second: came.records * per_record, bytes_per_second: came.bytes }
        })
    }

    /// Training on one batch over and over, on a thread of its own: what libtorch keeps for a thread ends with it.
    fn training(&self, plan: &Plan, manifest: &Manifest, batch: &Batch) -> anyhow::Result<StepReading> {
        let (stop, begun) = (Stop::new(), Instant::now());
        let mut meter = StepMeter::new(begun, 1);
        let (mut first, mut steps) = (None, 0);
        let note = |time| {
            meter.note(time);
            steps += 1;
            let long = first.get_or_insert_with(Instant::now).elapsed() > self.time() && steps > LEAST;
            if long || self.out_of_patience(begun) || self.stop.reason().is_some() {
                stop.set(StopReason::Interrupted);
            }
        };
        let classes = manifest.classes().to_vec();
        let done = thread::scope(|scope| scope.spawn(|| repeat(plan, classes, batch, self.device, &stop, note)).join());
        match done {
            Ok(Ok(()) | Err(ClusterError::Stopped(StopReason::Interrupted))) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        self.check()?;
        match meter.reading() {
            Some(reading) => Ok(reading),
            None => bail!("no step of training ended within the time: raise --seconds"),
        }
    }

    /// Runs a job until it has been watched for long enough.
    fn watch(&self, job: Job, taker: Taker<'_>) -> anyhow::Result<Seen> {
        let (gauges, stop) = (Gauges::default(), Stop::new());
        let marks: Arc<Marks> = Arc::default();
        let note = {
            let (gauges, marks) = (gauges.clone(), Arc::clone(&marks));
            move |event: &Event| {
                if let Event::Stepped { .. } = event {
                    let mark = Mark { at: Instant::now(), work: gauges.read(), cpu: cpu() };
                    let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
                    let (first, _) = *marks.get_or_insert((mark, mark));
                    *marks = Some((first, mark));
                }
            }
        };
        let (over, end) = channel();
        let done = thread::scope(|scope| {
            scope.spawn({
                let (marks, stop) = (&marks, &stop);
                move || self.stop_in_time(end, marks, stop)
            });
            let done = observe(job, self.workers, taker, &gauges, &stop, note);
            drop(over);
            done
        });
        done?;
        self.check()?;
        let marks = *marks.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(marks.map_or_else(Seen::nothing, |(first, last)| Seen::between(&first, &last, self.workers)))
    }

    /// Stops a part once it has gone on for long enough. It may be over before.
    fn stop_in_time(&self, over: Receiver<()>, marks: &Marks, stop: &Stop) {
        let begun = Instant::now();
        while over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let marks = *marks.lock().unwrap_or_else(PoisonError::into_inner);
            let long = marks.is_some_and(|(first, last)| self.long_enough(&first, &last));
            if long || self.out_of_patience(begun) || self.stop.reason().is_some() {
                stop.set(StopReason::Interrupted);
            }
        }
    }

    fn long_enough(&self, first: &Mark, last: &Mark) -> bool {
        first.at.elapsed().as_secs_f64() > self.seconds && last.work.steps - first.work.steps >= LEAST
    }

    fn out_of_patience(&self, begun: Instant) -> bool {
        begun.elapsed().as_secs_f64() > PATIENCE.0 * self.seconds + PATIENCE.1
    }

    /// That nobody interrupted.
    fn check(&self) -> anyhow::Result<()> {
        match self.stop.reason() {
            Some(reason) => Err(reason.clone().into()),
            None => Ok(()),
        }
    }
}

/// The first step that has ended, and the last.
type Marks = Mutex<Option<(Mark, Mark)>>;

/// The state of things at the end of a step.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    work: Work,
    cpu: f64,
}

impl Seen {
    fn nothing() -> Seen {
        Seen { stages: Stages::default(), rate: 0.0, cores: 0.0 }
    }

    fn between(first: &Mark, last: &Mark, workers: usize) -> Seen {
        let seconds = (last.at - first.at).as_secs_f64();
        let stages = Stages::between(&first.work, &last.work, seconds, (workers, 0));
        let per_second = |amount: f64| if seconds > 0.0 { amount / seconds } else { 0.0 };
        Seen { stages, rate: per_second(stages.train.steps as f64), cores: per_second(last.cpu - first.cpu) }
    }
}

/// Where most of the labelled records lie, as the pipeline has it.
fn store(plan: &Plan, job: &Job) -> Option<String> {
    let source = |record: &u32| job.manifest.entries().get(*record as usize).map(|entry| entry.source);
    let mut sources: Vec<u32> = job.labelled.iter().filter_map(source).collect();
    let middle = sources.len() / 2;
    let (_, middle, _) = sources.get_mut(middle).is_some().then(|| sources.select_nth_unstable(middle))?;
    let (name, source) = plan.data.sources.get(*middle as usize)?;
    let path = match source {
        SourcePlan::Idx { images: path, .. }
        | SourcePlan::Folder { path, .. }
        | SourcePlan::Csv { path, .. }
        | SourcePlan::WebDataset { path }
        | SourcePlan::Parquet { path, .. } => path,
    };
    Some(format!("`{name}` ({})", path.display()))
}
