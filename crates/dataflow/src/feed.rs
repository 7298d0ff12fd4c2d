//! A job that trains nobody: batches of one view over one split, for whoever wants to see or to measure them.

use std::sync::Arc;

use millstream_data::{Manifest, Shape};
use millstream_imageops::{Options, View};
use millstream_labels::Rule;

use crate::job::{Job, RoundJob, RoundView};
use crate::ranks::Ranks;

/// Batches without end to them: epoch after epoch, each in a fresh order, as a training node would get them.
#[derive(Clone, Debug)]
pub struct Feed {
    /// How an image is prepared.
    pub view: View,
    /// The shape that the view gives.
    pub shape: Shape,
    /// The split whose records are sent.
    pub split: &'static str,
    /// Images in a batch.
    pub batch: u32,
    /// Batches.
    pub steps: u32,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// Bytes of samples that may be in flight.
    pub memory: u64,
    /// How images are decoded.
    pub decode: Options,
}

impl Feed {
    /// The job of one round.
    pub fn job(self, manifest: Arc<Manifest>) -> Job {
        let classes = manifest.classes().to_vec();
        let views = vec![RoundView::only(self.view.clone())];
        let round = RoundJob { steps: self.steps, batch: self.batch, views, ..RoundJob::asking() };
        Job {
            seed: self.seed,
            shape: self.shape,
            labelled: manifest.split(self.split).to_vec(),
            unlabelled: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
            rounds: vec![round],
            first_round: 0,
            first_step: 0,
            restored: Vec::new(),
            known_bad: Vec::new(),
            decode: self.decode,
            eval_view: self.view,
            eval_batch: self.batch,
            memory: self.memory,
            max_bad: u64::MAX,
            rule: Rule { threshold: 0.5, balance: None, seed: self.seed, classes: classes.len() as u32 },
            calibrate: false,
            label_last: true,
            keep_distribution: false,
            ranks: Ranks::ONE,
            classes,
            manifest,
        }
    }
}
