//! `bench label`: how fast a model labels a corpus, or images that cost nothing.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::bail;
use millstream_cluster::{ClusterError, ReadOptions, RelabelOptions, Views, label_alone, label_for_nothing};
use millstream_data::answer::Format;
use millstream_data::corpus;
use millstream_dataflow::relabel::BulkEvent;
use millstream_dataflow::{Stop, StopReason};

use super::meter::{Meter, Reading};
use crate::args::BenchLabelArgs;
use crate::cmd::{cores, device, print, print_json, stop_on_interrupt};
use crate::exit::{BadData, Request};

/// Bytes of records and pixels in flight, and of a shard's records.
const MEMORY: u64 = 512 << 20;
const RECORDS: usize = 512;

pub(crate) fn label(args: &BenchLabelArgs) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let interrupted = stop_on_interrupt()?;
    let images = images(&args.corpus)?;
    let gauge = Gauge {
        meter: Mutex::new(Meter::new(begun, images, args.passes)),
        reading: Mutex::new(None),
        stop: interrupted,
    };
    let (gauge, options) = (Arc::new(gauge), options(args));
    let (noting, stop) = (Arc::clone(&gauge), gauge.stop.clone());
    let outcome = match args.synthetic {
        true => label_alone(&options, &stop, |images| noting.note(images)),
        false => label_for_nothing(&options, &stop, move |event| {
            if let BulkEvent::Labelled { records, .. } = event {
                noting.note(*records);
            }
        }),
    };
    report(args, &options, &gauge, outcome)
}

/// How many images are in a pass.
fn images(input: &str) -> anyhow::Result<u64> {
    let corpus = corpus::open(&[input.to_owned()], &corpus::Options::default())?;
    let mut images = 0;
    for shard in corpus.shards() {
        let Some(records) = shard?.records else {
            bail!(Request(format!(
                "{input}: how many images it has is not known beforehand: give a folder, a list or an IDX file"
            )));
        };
        images += records;
    }
    match images {
        0 => bail!(BadData(format!("{input}: there is not a single image"))),
        images => Ok(images),
    }
}

fn options(args: &BenchLabelArgs) -> RelabelOptions {
    RelabelOptions {
        // One pass to warm up, and one that is left when the last is over: its end would be slower.
        inputs: vec![args.corpus.clone(); args.passes as usize + 2],
        reading: ReadOptions { records: RECORDS, ..ReadOptions::default() },
        models: vec![args.model.clone()],
        out: String::new(),
        format: Format::Parquet,
        top_k: 5,
        distribution: false,
        embedding: false,
        fingerprint: false,
        views: Views::default(),
        batch: args.batch,
        sample: None,
        limit: None,
        workers: args.workers.map_or_else(cores, usize::from),
        threads: args.threads.map(u32::from),
        cores: args.workers.map_or_else(|| u32::try_from(cores()).unwrap_or(1), u32::from),
        device: device(args.device.device),
        memory: MEMORY,
    }
}

/// Counts what is labelled, and ends the work with the last pass.
struct Gauge {
    meter: Mutex<Meter>,
    reading: Mutex<Option<Reading>>,
    stop: Stop,
}

impl Gauge {
    fn note(&self, images: u64) {
        let done = self.meter.lock().unwrap_or_else(PoisonError::into_inner).count(images);
        if let Some(reading) = done {
            self.reading.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reading);
            self.stop.set(StopReason::Interrupted);
        }
    }
}

fn report(
    args: &BenchLabelArgs,
    options: &RelabelOptions,
    gauge: &Gauge,
    outcome: Result<(), ClusterError>,
) -> anyhow::Result<ExitCode> {
    let reading = gauge.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(reading) = reading else {
        outcome?;
        bail!(gauge.stop.reason().cloned().unwrap_or(StopReason::Interrupted));
    };
    match args.json.json {
        true => print_json(&reading.as_json("label", (1, options.workers)))?,
        false => print(&reading.as_text("label", (1, options.workers)))?,
    }
    Ok(ExitCode::SUCCESS)
}
