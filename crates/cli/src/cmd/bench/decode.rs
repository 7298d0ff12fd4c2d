//! Decoding alone: the ceiling of what a stream of encoded images can reach.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use millstream_data::{Manifest, Payload};
use millstream_imageops::{Image, Options, Renderer};

use super::meter::{Reading, cpu, peak_rss};
use crate::allocations;
use crate::exit::{BadData, Request};

/// Decodes every image wholly to RGB, from memory, each worker its share, `passes` times after one to warm up.
pub(super) fn measure(manifest: &Manifest, workers: usize, passes: u32) -> anyhow::Result<Reading> {
    let mut files = Vec::new();
    for record in manifest.split("unlabelled") {
        match manifest.read(*record, Vec::new())? {
            Payload::Encoded(bytes) => files.push((*record, bytes)),
            Payload::Pixels { .. } => {
                return Err(Request("an IDX file holds pixels: there is nothing to decode".to_owned()).into());
            }
        }
    }
    let barrier = Barrier::new(workers + 1);
    let mut marks = Vec::new();
    let broken: Option<(u32, String)> = thread::scope(|scope| {
        let shares: Vec<_> = (0..workers)
            .map(|worker| {
                let (files, barrier) = (&files, &barrier);
                scope.spawn(move || share(files, worker, workers, passes, barrier))
            })
            .collect();
        for _ in 0..=passes {
            barrier.wait();
            marks.push((Instant::now(), allocations::count(), cpu()));
        }
        shares.into_iter().find_map(|share| share.join().unwrap_or_else(|_| Some((0, "a decoder panicked".to_owned()))))
    });
    if let Some((record, reason)) = broken {
        return Err(BadData(format!("{}: {reason}", manifest.place(record))).into());
    }
    let rate = |pair: &[(Instant, u64, f64)]| files.len() as f64 / (pair[1].0 - pair[0].0).as_secs_f64();
    let (first, last) = (marks[0], marks[marks.len() - 1]);
    Ok(Reading {
        images: files.len() as u64,
        rates: marks.windows(2).map(rate).collect(),
        first_batch: None,
        allocations: (last.1 - first.1) as f64 / (files.len() as f64 * f64::from(passes)),
        cores: (last.2 - first.2) / (last.0 - first.0).as_secs_f64(),
        peak_rss: peak_rss(),
    })
}

/// One worker's part of every pass. Returns the first record that cannot be decoded, and why.
fn share(
    files: &[(u32, Vec<u8>)],
    worker: usize,
    workers: usize,
    passes: u32,
    barrier: &Barrier,
) -> Option<(u32, String)> {
    let mut renderer = Renderer::new(Options::default());
    let mut image = Image::default();
    let mut broken = None;
    for _ in 0..=passes {
        for (record, bytes) in files.iter().skip(worker).step_by(workers) {
            if let Err(error) = renderer.decode(bytes, 3, &mut image) {
                broken.get_or_insert_with(|| (*record, error.to_string()));
            }
        }
        barrier.wait();
    }
    broken
}
