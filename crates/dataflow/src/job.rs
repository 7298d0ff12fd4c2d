//! A job: all that the stream needs to know, with no text left to interpret.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use millstream_data::{Key, Manifest, Shape};
use millstream_imageops::{Mixing, Options, View};
use millstream_labels::{Pseudo, Rule};

use crate::ranks::{Lane, Ranks};
use crate::schedule::Pass;
use crate::time::Time;

/// What the stream does, the same on every worker of every process.
#[derive(Debug)]
pub struct Job {
    /// The seed of every random choice.
    pub seed: u64,
    /// The records.
    pub manifest: Arc<Manifest>,
    /// Height, width and channels of a sample.
    pub shape: Shape,
    /// The names of the classes, by label.
    pub classes: Vec<String>,
    /// Records with human labels, by record number.
    pub labelled: Vec<u32>,
    /// Records for the teacher to label.
    pub unlabelled: Vec<u32>,
    /// Labelled records that no model learns from, for a look at a model before its labels count; maybe none.
    pub validation: Vec<u32>,
    /// Records to measure accuracy on.
    pub test: Vec<u32>,
    /// The rounds, from 0.
    pub rounds: Vec<RoundJob>,
    /// The round to start with: 0, or the one after the last committed round.
    pub first_round: u32,
    /// The step of that round to start with: 0, or the one that a kept round goes on from.
    pub first_step: u32,
    /// The labels that the teacher of round `first_round - 1` gave. Empty at round 0.
    pub restored: Vec<(Key, Pseudo)>,
    /// Bad records known from earlier rounds: they count against `max_bad`, but are not reported again.
    pub known_bad: Vec<Key>,
    /// How images are decoded.
    pub decode: Options,
    /// How an image is prepared when the model is asked rather than trained.
    pub eval_view: View,
    /// Images in a batch of the passes that only ask the model.
    pub eval_batch: u32,
    /// Bytes of samples that may be in flight.
    pub memory: u64,
    /// Distinct bad records that are tolerated.
    pub max_bad: u64,
    /// How pseudo-labels are selected.
    pub rule: Rule,
    /// Whether each model's probabilities are brought to the temperature that fits the validation records best, before they
    /// become labels.
    pub calibrate: bool,
    /// Whether the model of the last round labels, too; nothing of this run learns from these labels.
    pub label_last: bool,
    /// Whether full distributions are kept beside the most probable class.
    pub keep_distribution: bool,
    /// The training nodes.
    pub ranks: Ranks,
}

/// One round of a job.
#[derive(Debug)]
pub struct RoundJob {
    /// Optimisation steps; 0 where the job only asks the model.
    pub steps: u32,
    /// Labelled images in a step.
    pub batch: u32,
    /// Unlabelled images in a step.
    pub unlabelled_batch: u32,
    /// Where they come from.
    pub unlabelled: Unlabelled,
    /// How a training image is prepared: each record of a step is emitted once for every view that is for it.
    pub views: Vec<RoundView>,
    /// The temperature of soft pseudo-labels, none for hard ones; of selected ones only.
    pub soft: Option<f64>,
    /// CutMix and MixUp, if wanted.
    pub mix: Option<MixJob>,
}

/// Which records without human labels a round trains on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlabelled {
    /// Those whose pseudo-labels were selected, with these.
    #[default]
    Selected,
    /// All that nobody labelled, without any target: the training node finds one itself.
    All,
}

/// How the samples of a step are mixed with each other.
#[derive(Clone, Debug)]
pub struct MixJob {
    /// What is drawn.
    pub mixing: Mixing,
    /// Label smoothing, in [0, 1): what is mixed are smoothed labels, since soft labels are not smoothed any more.
    pub smoothing: f32,
    /// Whether the training node mixes the pixels, on its device; their targets are mixed here in any case.
    pub on_device: bool,
    /// Whether records without human labels are mixed, too: not where the training node asks the model what they show.
    pub unlabelled: bool,
}

/// A view of a round.
#[derive(Clone, Debug)]
pub struct RoundView {
    /// The steps.
    pub view: View,
    /// Whether records with human labels are seen through it.
    pub labelled: bool,
    /// Whether records without are.
    pub unlabelled: bool,
}

impl RoundView {
    /// A view for every record.
    pub fn only(view: View) -> Self {
        RoundView { view, labelled: true, unlabelled: true }
    }
}

impl RoundJob {
    /// A round that does not train.
    pub(crate) fn asking() -> Self {
        let unlabelled = Unlabelled::Selected;
        RoundJob { steps: 0, batch: 0, unlabelled_batch: 0, unlabelled, views: Vec::new(), soft: None, mix: None }
    }

    /// The views of records with human labels, or of those without, each with its number.
    pub(crate) fn views_of(&self, labelled: bool) -> impl Iterator<Item = (u8, &View)> {
        let meant = move |(_, view): &(u8, &RoundView)| if labelled { view.labelled } else { view.unlabelled };
        (0..).zip(&self.views).filter(meant).map(|(number, view)| (number, &view.view))
    }

    /// Samples in the first `slots` slots of a lane.
    fn rows_before(&self, lane: Lane, slots: u32) -> usize {
        let labelled = slots.min(lane.count(self.batch));
        let rows = |slots: u32, labelled| slots as usize * self.views_of(labelled).count();
        rows(labelled, true) + rows(slots - labelled, false)
    }
}

/// A job that cannot be started as asked.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The pipeline asks for something that imageops refuses.
    #[error("{place}: {source}")]
    View {
        /// Where in the pipeline.
        place: String,
        /// What is wrong with it.
        source: millstream_imageops::ImageError,
    },
    /// A split that must hold records holds none.
    #[error("the split `{split}` holds no records: look at its `from`, `take` and `except`")]
    Empty {
        /// The split.
        split: String,
    },
    /// A record of a split that needs labels has none.
    #[error("{place} is in the split `{split}` but has no label")]
    Unlabelled {
        /// The split.
        split: String,
        /// Where the record lies.
        place: String,
    },
    /// One step does not fit into the byte budget.
    #[error(
        "`memory` is {budget} bytes; with steps of {step} bytes it takes at least {least}: raise `memory` or lower `batch`"
    )]
    Memory {
        /// The byte budget.
        budget: u64,
        /// Bytes of the largest step.
        step: u64,
        /// Bytes that the stream needs to run.
        least: u64,
    },
    /// A training node that nobody prepares samples for.
    #[error(
        "{workers} workers prepare samples for {ranks} training nodes: each needs one of its own. Start more workers, or fewer training nodes"
    )]
    TooFewWorkers {
        /// Workers that prepare samples.
        workers: usize,
        /// Training nodes.
        ranks: u32,
    },
    /// More workers than a step has images.
    #[error("{workers} workers share steps of {images} images: some would never work; start at most {images}")]
    TooManyWorkers {
        /// Workers asked for.
        workers: u64,
        /// Images in the smallest step.
        images: u64,
    },
}

/// Steps of tiny images that may be under way, however many would fit: more make nothing faster.
const MOST_STEPS: u64 = 64;

/// The largest steps that must fit into `memory`: two ahead and one being joined in one half, as much in the other.
const LEAST_STEPS: u64 = 6;

impl Job {
    /// Records for the teacher to label that nobody labelled: a human label always wins.
    pub fn untold(&self) -> Vec<u32> {
        let told: BTreeSet<u32> = self.labelled.iter().copied().collect();
        self.unlabelled.iter().copied().filter(|record| !told.contains(record)).collect()
    }

    /// Leaves it to the training node to mix pixels: on a device that is there in no time. Several nodes get them mixed.
    pub fn mix_on_device(&mut self) {
        if self.ranks.count > 1 {
            return;
        }
        self.rounds.iter_mut().filter_map(|round| round.mix.as_mut()).for_each(|mix| mix.on_device = true);
    }

    /// The bytes of pixels in the largest step.
    pub fn largest_step(&self) -> u64 {
        let train =
            self.rounds.iter().map(|r| r.rows_before(Lane::ALL, r.batch + r.unlabelled_batch)).max().unwrap_or(0);
        train.max(self.eval_batch as usize) as u64 * self.shape.bytes() as u64
    }

    /// The views that a record of a pass is rendered with, each with its number.
    pub(crate) fn views(&self, time: &Time, labelled: bool) -> impl Iterator<Item = (u8, &View)> {
        let (training, asking) = match Pass::of(time) {
            Pass::Train => (self.rounds.get(time.round as usize).map(|round| round.views_of(labelled)), None),
            Pass::Validate | Pass::Test | Pass::Label => (None, Some((0, &self.eval_view))),
        };
        training.into_iter().flatten().chain(asking)
    }

    /// The rows of a batch that the samples of these slots of a lane of its step are, if none is bad.
    pub(crate) fn rows_of(&self, time: &Time, lane: Lane, slots: Range<u32>) -> Range<usize> {
        let before = |slots: u32| match (Pass::of(time), self.rounds.get(time.round as usize)) {
            (Pass::Train, Some(round)) => round.rows_before(lane, slots),
            _ => slots as usize,
        };
        before(slots.start)..before(slots.end)
    }

    /// Images in the smallest training step, or in an evaluation batch if nothing is trained.
    fn smallest_step(&self) -> u64 {
        let train = self.rounds.iter().filter(|r| r.steps > 0).map(|r| r.batch).min();
        u64::from(train.unwrap_or(self.eval_batch))
    }

    /// Steps that may be under way beyond what the training node has finished, within `memory`.
    ///
    /// Half of the budget is for whole batches, less one for the step whose parts are just being joined; the
    /// other half is for records on their way to becoming samples.
    pub fn window(&self) -> usize {
        let steps = self.memory / 2 / self.largest_step().max(1);
        steps.saturating_sub(1).clamp(2, MOST_STEPS) as usize
    }

    /// Refuses what cannot work before anything is started. `workers` are those of all processes.
    pub fn check(&self, workers: usize) -> Result<(), JobError> {
        let preparing = workers.saturating_sub(self.ranks.resting as usize * self.ranks.workers);
        if preparing < self.ranks.count as usize {
            return Err(JobError::TooFewWorkers { workers: preparing, ranks: self.ranks.count });
        }
        let (step, images, workers) = (self.largest_step(), self.smallest_step(), workers as u64);
        if LEAST_STEPS * step > self.memory {
            return Err(JobError::Memory { budget: self.memory, step, least: LEAST_STEPS * step });
        }
        if workers > images {
            return Err(JobError::TooManyWorkers { workers, images });
        }
        Ok(())
    }
}
