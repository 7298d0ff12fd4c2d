//! The samples of a stream, and how each came about.

use std::sync::{Arc, Mutex};

use anyhow::bail;
use millstream_cluster::{Consumer, drain};
use millstream_data::{DeadLetter, Key, Manifest, Payload, Row, Target};
use millstream_dataflow::{Job, RoundView, Stop, picture};
use millstream_imageops::{Image, Op, Picture, Renderer, SampleKey};

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
    /// What it is after mixing with another sample, if it was.
    pub(super) mixed: Option<String>,
}

impl Seen {
    /// Runs a job and keeps its first `images` records.
    pub(super) fn watch(&mut self, job: Job, views: &Views, images: usize, stop: &Stop) -> anyhow::Result<()> {
        let Some(round) = job.rounds.last() else { return Ok(()) };
        let mut witness = Witness {
            manifest: Arc::clone(&job.manifest),
            round_views: round.views.clone(),
            mixes: round.mix.is_some(),
            labels: job.first_round == 0 || job.labelled == job.manifest.split("labelled"),
            seed: job.seed,
            round: job.first_round,
            channels: job.shape.channels,
            renderer: Renderer::new(job.decode),
            buffer: vec![0; job.shape.bytes()],
        };
        let (rows, dead) = rows(job, stop)?;
        self.dead.extend(dead);
        for rows in
            rows.chunk_by(|(a, _), (b, _)| (a.record, a.epoch, a.copy) == (b.record, b.epoch, b.copy)).take(images)
        {
            let record = witness.record(rows, views)?;
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

/// Every row of a job's training with its pixels, and the records that could not be used.
#[allow(clippy::type_complexity)]
fn rows(job: Job, stop: &Stop) -> anyhow::Result<(Vec<(Row, Vec<u8>)>, Vec<DeadLetter>)> {
    let rows = Arc::new(Mutex::new(Vec::new()));
    let consumer = {
        let rows = Arc::clone(&rows);
        move || -> Consumer {
            let rows = Arc::clone(&rows);
            Box::new(move |batch| {
                let samples = batch.rows.iter().cloned().zip(batch.images().map(<[u8]>::to_vec));
                rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(samples);
            })
        }
    };
    let dead = drain(job, 1, stop, Arc::new(consumer))?;
    let rows = std::mem::take(&mut *rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    Ok((rows, dead))
}

/// Renders samples again, to see what was done to them.
struct Witness {
    manifest: Arc<Manifest>,
    round_views: Vec<RoundView>,
    mixes: bool,
    /// Whether records are there for the labels that the manifest has for them.
    labels: bool,
    seed: u64,
    round: u32,
    channels: u8,
    renderer: Renderer,
    buffer: Vec<u8>,
}

impl Witness {
    /// The rows of one record.
    fn record(&mut self, rows: &[(Row, Vec<u8>)], views: &Views) -> anyhow::Result<Record> {
        let Some((first, _)) = rows.first() else { bail!("a record without rows") };
        let payload = self.manifest.read(first.record, Vec::new())?;
        let original = self.original(&payload)?;
        // As the stream does: of one view no more is decoded than it takes.
        let picture = if rows.len() > 1 { original.picture() } else { picture(&payload) };
        let mut samples = Vec::new();
        for (row, pixels) in rows {
            if let Some(name) = views.name(row.view) {
                samples.push(self.sample(name, row, pixels, picture)?);
            }
        }
        let class = self.manifest.entries().get(first.record as usize).and_then(|entry| entry.label);
        let class =
            class.filter(|_| self.labels).and_then(|class| self.manifest.classes().get(class as usize)).cloned();
        let place = self.manifest.place(first.record);
        Ok(Record { place, key: first.key, epoch: first.epoch, class, original, samples })
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

    fn sample(&mut self, name: &str, row: &Row, pixels: &[u8], picture: Picture<'_>) -> anyhow::Result<Sample> {
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
        let mixed = (self.mixes && self.buffer != pixels).then(|| self.mixture(&row.target));
        Ok(Sample { view: name.to_owned(), pixels: pixels.to_vec(), ops, mixed })
    }

    /// What a sample was mixed with, as far as its label tells.
    fn mixture(&self, target: &Target) -> String {
        let Target::Soft(distribution) = target else { return "mixed".to_owned() };
        let mut classes: Vec<(f32, &String)> = distribution.iter().copied().zip(self.manifest.classes()).collect();
        classes.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let parts: Vec<String> = classes.iter().take(2).map(|(share, class)| format!("{share:.2} {class}")).collect();
        format!("mixed: {}", parts.join(" + "))
    }
}
