//! What holds training up, in a sentence: figures in, words out.

#[cfg(test)]
mod tests;
mod words;

use millstream_cluster::Stages;
use serde::Serialize;

pub(crate) use words::bytes;
use words::sentence;

/// Below so many steps and seconds nothing is said: such a run may have trained on what had been prepared before it began.
const LEAST: (u64, f64) = (4, 0.5);
/// A training node that waits less than this share of its time for batches is kept busy.
const BUSY: f64 = 0.1;

/// The stage that all others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bound {
    Training,
    Decode,
    Augment,
    Source,
    /// One of the three before; which is not known.
    Stream,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// None where there was too little to tell.
    pub(crate) bound: Option<Bound>,
    pub(crate) sentence: String,
}

/// What is known of a pipeline at work.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// All of it together.
    pub(crate) stages: Stages,
    /// Images a second that it trains on.
    pub(crate) images_per_second: f64,
    /// Cores of the machine.
    pub(crate) cores: usize,
    /// Whether training runs on these cores too.
    pub(crate) on_cpu: bool,
    /// Where the bytes come from, in the user's words.
    pub(crate) store: Option<String>,
    /// Each part by itself, where that was measured.
    pub(crate) alone: Option<Alone>,
    /// What an image takes by op, the most expensive first, where that was measured.
    pub(crate) ops: Vec<OpTime>,
}

/// Headspace: what each part could do if the others held up nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Alone {
    /// Training on one batch in memory over and over.
    pub(crate) training: Rate,
    /// The stream, its batches thrown away.
    pub(crate) stream: Rate,
    /// Where the time of that went.
    pub(crate) stages: Stages,
    /// Reading, as many records at once as the stream reads, and twice as many.
    pub(crate) reading: [Reading; 2],
}

/// How fast a part is by itself.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Rate {
    /// Images a second.
    pub(crate) images_per_second: f64,
    /// Cores used on average.
    pub(crate) cores: f64,
}

/// How fast bytes come.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Reading {
    /// Records that are read at once.
    pub(crate) threads: usize,
    /// Images a second.
    pub(crate) images_per_second: f64,
    /// Bytes a second.
    pub(crate) bytes_per_second: f64,
}

/// What an op costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct OpTime {
    /// Its name, or `decode`.
    pub(crate) name: String,
    /// Its share of preparing an image, 0 to 1.
    pub(crate) share: f64,
}

/// Names the stage that holds the others up, and what would help.
pub(crate) fn verdict(figures: &Figures) -> Verdict {
    let Stages { seconds, train, .. } = &figures.stages;
    let bound = (train.steps >= LEAST.0 && *seconds >= LEAST.1).then(|| bound(figures));
    Verdict { bound, sentence: sentence(figures, bound) }
}

fn bound(figures: &Figures) -> Bound {
    let slower_stream = match &figures.alone {
        Some(alone) => alone.stream.images_per_second < alone.training.images_per_second,
        None => figures.waited() >= BUSY,
    };
    if !slower_stream {
        return Bound::Training;
    }
    let prepare = figures.stream().prepare;
    match prepare.starved > prepare.busy {
        _ if prepare.records == 0 => Bound::Stream,
        true => Bound::Source,
        false if prepare.decoding > prepare.busy / 2.0 => Bound::Decode,
        false => Bound::Augment,
    }
}

impl Figures {
    /// The share of the time in which the training node waited for batches, 0 to 1.
    pub(crate) fn waited(&self) -> f64 {
        share(self.stages.train.waited, self.stages.train.busy)
    }

    /// Where the time of the stream went: without training, where that was measured, since then nothing else holds the workers up.
    fn stream(&self) -> &Stages {
        self.alone.as_ref().map_or(&self.stages, |alone| &alone.stages)
    }

    /// How many times as fast so many workers more would make training: no faster than workers, training and cores allow.
    fn gain(&self, more: usize) -> f64 {
        let workers = self.stages.workers.max(1) as f64;
        let grown = (workers + more as f64) / workers;
        match &self.alone {
            None => grown.min(1.0 / (1.0 - self.waited()).max(0.01)),
            Some(alone) => {
                let stream = alone.stream.images_per_second * grown;
                let most = stream.min(alone.training.images_per_second).min(self.shared(alone));
                grown.min(most / self.images_per_second.max(f64::MIN_POSITIVE))
            }
        }
    }

    /// Images a second for which the processor time of all cores suffices.
    fn shared(&self, alone: &Alone) -> f64 {
        let training = if self.on_cpu { alone.training.seconds() } else { 0.0 };
        self.cores as f64 / (training + alone.stream.seconds()).max(f64::MIN_POSITIVE)
    }

    /// Cores for more workers. Of a run it is not known what training uses of them, and one is left to it.
    fn spare(&self) -> usize {
        let training = usize::from(self.on_cpu && self.alone.is_none());
        self.cores.saturating_sub(self.stages.workers + training)
    }

    /// Workers to add, and what they give, if they give anything: not more than it takes.
    fn workers(&self) -> Option<(usize, f64)> {
        let most = self.gain(self.spare());
        let more = (1..=self.spare()).find(|more| self.gain(*more) >= 0.95 * most)?;
        Some((more, self.gain(more))).filter(|(_, gain)| *gain >= 1.15)
    }
}

impl Rate {
    /// Seconds of processor time that an image takes.
    fn seconds(&self) -> f64 {
        self.cores / self.images_per_second.max(f64::MIN_POSITIVE)
    }
}

/// `a / (a + b)`; nothing of nothing is none.
pub(crate) fn share(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { a / (a + b) } else { 0.0 }
}
