//! The samples of a stream, and how each came about.

use std::sync::Arc;

use anyhow::bail;
use millstream_data::{DeadLetter, Key, Manifest, Payload};
use millstream_dataflow::{Job, RoundView, Stop, picture};
use millstream_imageops::{Image, Op, Picture, Renderer, SampleKey};

use super::mixture::{Mixture, Pair};
use super::rows::{Came, rows};
use super::views::Views;

/// What is to be shown.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) records: Vec<Record>,
    /// Records that could not be used.
    pub(super) dead: Vec<DeadLetter>,
}

/// A record and what the stream made of it.
pub(super) struct Record {
    pub(super) place: String,
    pub(super) key: Key,
    /// How often its list had been gone through before.
    pub(super) epoch: u32,
    /// The name of its class, if it is in the stream for its label.
    pub(super) class: Option<String>,
    /// The whole image as it is.
    pub(super) original: Image,
    pub(super) samples: Vec<Sample>,
}

/// A record seen through a view.
pub(super) struct Sample {
    pub(super) view: String,
    /// As they came out of the stream.
    pub(super) pixels: Vec<u8>,
    /// What was done, in order.
    pub(super) ops: Vec<Op>,
    /// What it was mixed with, if it was.
    pub(super) mixed: Option<Mixture>,
}

impl Seen {
    /// Runs a job and keeps its first `images` records. `again` is the same job: where samples are mixed it shows them before.
    pub(super) fn watch(
        &mut self,
        (job, mut again): (Job, Job),
        views: &Views,
        images: usize,
        stop: &Stop,
    ) -> anyhow::Result<()> {
        let Some(round) = job.rounds.last() else { return Ok(()) };
        let mut witness = Witness {
            manifest: Arc::clone(&job.manifest),
            round_views: round.views.clone(),
            unmixed: Vec::new(),
            labels: job.first_round == 0 || job.labelled == job.manifest.split("labelled"),
            seed: job.seed,
            round: job.first_round,
            channels: job.shape.channels,
            renderer: Renderer::new(job.decode),
            buffer: vec![0; job.shape.bytes()],
        };
        if round.mix.is_some() {
            again.mix_on_device();
            witness.unmixed = rows(again, stop)?.0;
        }
        let (rows, dead) = rows(job, stop)?;
        self.dead.extend(dead);
        let record = |came: &Came| (came.row.record, came.row.epoch, came.row.copy);
        let mut first = 0;
        for rows in rows.chunk_by(|a, b| record(a) == record(b)).take(images) {
            let record = witness.record(first, rows, views)?;
            first += rows.len();
            self.records.extend(Some(record).filter(|record| !record.samples.is_empty()));
        }
        Ok(())
    }
}

impl Seen {
    /// Puts beside each record what a variant of the pipeline made of it. All see the same records in the same order.
    pub(super) fn join(&mut self, other: Seen, name: &str) {
        if self.records.is_empty() {
            self.dead = other.dead;
        }
        let mut others = other.records;
        let samples = others.iter_mut().flat_map(|record| &mut record.samples);
        samples.filter(|_| !name.is_empty()).for_each(|sample| sample.view = format!("{name} {}", sample.view));
        if self.records.is_empty() {
            self.records = others;
            return;
        }
        for (record, other) in self.records.iter_mut().zip(others) {
            record.samples.extend(other.samples);
        }
    }
}

/// Renders samples again, to see what was done to them.
struct Witness {
    manifest: Arc<Manifest>,
    round_views: Vec<RoundView>,
    /// All rows before they were mixed; none where they are not.
    unmixed: Vec<Came>,
    /// Whether records are there for the labels that the manifest has for them.
    labels: bool,
    seed: u64,
    round: u32,
    channels: u8,
    renderer: Renderer,
    buffer: Vec<u8>,
}

impl Witness {
    /// The rows of one record, from the `first` of all on.
    fn record(&mut self, first: usize, rows: &[Came], views: &Views) -> anyhow::Result<Record> {
        let Some(Came { row, .. }) = rows.first() else { bail!("a record without rows") };
        let payload = self.manifest.read(row.record, Vec::new())?;
        let original = self.original(&payload)?;
        // As the stream does: of one view no more is decoded than it takes.
        let picture = if rows.len() > 1 { original.picture() } else { picture(&payload) };
        let mut samples = Vec::new();
        for (number, came) in (first..).zip(rows) {
            if let Some(name) = views.name(came.row.view) {
                samples.push(self.sample(name, number, came, picture)?);
            }
        }
        let (place, class) = (self.manifest.place(row.record), self.class(row.record));
        Ok(Record { place, key: row.key, epoch: row.epoch, class, original, samples })
    }

    /// The class of a record, if it is in the stream for its label.
    fn class(&self, record: u32) -> Option<String> {
        let class = self.manifest.entries().get(record as usize).and_then(|entry| entry.label);
        class.filter(|_| self.labels).and_then(|class| self.manifest.classes().get(class as usize)).cloned()
    }

    fn original(&mut self, payload: &Payload) -> anyhow::Result<Image> {
        Ok(match payload {
            Payload::Encoded(bytes) => {
                let mut image = Image::default();
                self.renderer.decode(bytes, self.channels, &mut image)?;
                image
            }
            Payload::Pixels { width, height, channels, bytes } => {
                Image::from_pixels(*width, *height, *channels, bytes.clone())?.to_channels(self.channels)
            }
        })
    }

    fn sample(&mut self, name: &str, number: usize, came: &Came, picture: Picture<'_>) -> anyhow::Result<Sample> {
        let row = &came.row;
        let key = SampleKey {
            seed: self.seed,
            round: self.round,
            epoch: row.epoch,
            key: row.key.0,
            copy: row.copy,
            view: row.view,
        };
        let Some(view) = self.round_views.get(usize::from(row.view)) else { bail!("a view that the round lacks") };
        self.renderer.render(&view.view, picture, &key, &mut self.buffer)?;
        let ops = self.renderer.last_ops().iter().map(|(op, _)| op.clone()).collect();
        let mixed = Pair::of(number, &self.unmixed).map(|pair| {
            let partner = pair.partner.row.record;
            pair.mixture(self.manifest.classes(), self.manifest.place(partner), self.class(partner))
        });
        Ok(Sample { view: name.to_owned(), pixels: came.pixels.clone(), ops, mixed })
    }
}
