//! `bench train`: the training loop of `run` on images that are made for it, or a step of it by itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::bail;
use millstream_cluster::{Others, RunOptions, Shape, Start, repeat};
use millstream_dataflow::{Event, StepTime};
use millstream_spec::{Definition, Plan};
use serde_json::{Value, json};

use super::images::{self, IdxFiles};
use super::pipeline::Subject;
use super::steps::{StepMeter, StepReading};
use crate::args::BenchTrainArgs;
use crate::cmd::{device, print, print_json, stop_on_interrupt, workers};
use crate::exit::{BadData, Request};

/// Bytes of images that are made: more than a cache holds.
const IMAGES: usize = 32 << 20;

pub(crate) fn train(args: &BenchTrainArgs) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let subject = Subject::new(args)?;
    let folder = tempfile::tempdir()?;
    let files = match &args.mnist {
        Some(folder) => mnist(folder)?,
        None => images::write(folder.path(), subject.shape, count(args, &subject))?,
    };
    let plan = subject.plan(args, &files)?;
    let meter = StepMeter::new(begun, args.warmup);
    let reading = match args.synthetic {
        true => step_alone(args, &plan, &subject, meter)?,
        false => with_stream(args, &plan, folder.path().join("run"), meter)?,
    };
    match reading {
        Some(reading) => report(args, &plan, &reading)?,
        None => bail!(BadData("there was no step to be measured".to_owned())),
    }
    Ok(ExitCode::SUCCESS)
}

/// Images to make: those of at least one batch beside those of the test split.
fn count(args: &BenchTrainArgs, subject: &Subject) -> u32 {
    let fit = u32::try_from(IMAGES / subject.shape.bytes().max(1)).unwrap_or(u32::MAX);
    let least = args.batch.max(images::CLASSES) + images::CLASSES;
    fit.clamp(least, least.max(10_000))
}

/// The training images of MNIST, or of what is packed like it.
fn mnist(folder: &Path) -> anyhow::Result<IdxFiles> {
    let file = |name: &str| {
        let plain = folder.join(name);
        if plain.exists() { plain } else { folder.join(format!("{name}.gz")) }
    };
    let files = IdxFiles { images: file("train-images-idx3-ubyte"), labels: file("train-labels-idx1-ubyte") };
    if !files.images.exists() {
        bail!(Request(format!("{}: there is no train-images-idx3-ubyte.gz", folder.display())));
    }
    Ok(files)
}

/// One batch over and over.
fn step_alone(
    args: &BenchTrainArgs,
    plan: &Plan,
    subject: &Subject,
    mut meter: StepMeter,
) -> anyhow::Result<Option<StepReading>> {
    let batch = images::batch(subject.shape, args.batch);
    let (device, stop) = (device(args.device.device), stop_on_interrupt()?);
    repeat(plan, images::classes(), &batch, device, &stop, |time| meter.note(time))?;
    Ok(meter.reading())
}

/// A run as any other, in a directory that is thrown away.
fn with_stream(
    args: &BenchTrainArgs,
    plan: &Plan,
    run: PathBuf,
    meter: StepMeter,
) -> anyhow::Result<Option<StepReading>> {
    let options = RunOptions {
        // Only other processes would read it.
        definition: Definition { file: String::new(), text: String::new(), overrides: Vec::new() },
        out: Some(run),
        start: Start::Fresh,
        shape: Shape { processes: 1, workers: workers(args.workers, args.batch), ranks: 1, resting: 0 },
        others: Others::Children { listen: None },
        device: device(args.device.device),
    };
    let meter = Arc::new(Mutex::new(meter));
    let noted = Arc::clone(&meter);
    let note = move |time: StepTime| noted.lock().unwrap_or_else(PoisonError::into_inner).note(time);
    let outcome = millstream_cluster::run(plan, &options, &stop_on_interrupt()?, move |event, _| {
        if let Event::Stepped { time, .. } = event {
            note(*time);
        }
    })?;
    if let Some(reason) = outcome.stopped {
        return Err(reason.into());
    }
    Ok(meter.lock().unwrap_or_else(PoisonError::into_inner).reading())
}

fn report(args: &BenchTrainArgs, plan: &Plan, reading: &StepReading) -> anyhow::Result<()> {
    let batch = plan.rounds.first().map_or(args.batch, |round| round.training.batch);
    let workers = (!args.synthetic).then(|| workers(args.workers, batch));
    if !args.json.json {
        let what = plan.rounds.first().map_or(String::new(), |round| round.model.to_string());
        let stream = workers.map_or("no stream".to_owned(), |workers| format!("{workers} workers"));
        let (height, threads) = (plan.stream.height, plan.threads);
        return print(&format!(
            "{what}, {height} pixels, batches of {batch}, {threads} threads, {stream}\n{}",
            reading.as_text(batch)
        ));
    }
    let mut figures = json!({
        "model": args.model,
        "size": plan.stream.height,
        "channels": plan.stream.channels,
        "batch": batch,
        "threads": plan.threads,
        "workers": workers,
    });
    if let (Value::Object(figures), Value::Object(measured)) = (&mut figures, reading.as_json(batch)) {
        figures.extend(measured);
    }
    print_json(&figures)
}
