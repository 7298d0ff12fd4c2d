//! `bench stream`: how fast the stream is on some images, with nothing to train.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::bail;
use millstream_cluster::{drain_with, unlabelled};
use millstream_data::{KeyKind, Manifest};
use millstream_dataflow::Feed;
use millstream_imageops::{Options, View};

use super::meter::{Meter, Reading};
use super::{decode, task, team};
use crate::args::{BenchStreamArgs, Task};
use crate::cmd::{bad_record, cores, print, print_json, stop_on_interrupt};
use crate::exit::{BAD_DATA, BadData, Request};
use crate::say::say;

/// Budget of samples in flight: at least this, and room for a few batches.
const MEMORY: u64 = 64 << 20;
const BATCHES: u64 = 6;

pub(crate) fn stream(args: &BenchStreamArgs) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    if args.task == Task::Decode && args.processes > 1 {
        return Err(Request("the task `decode` has no stream: it has one process".to_owned()).into());
    }
    let workers = args.workers.map_or_else(cores, usize::from);
    let manifest = Arc::new(unlabelled(&task::source(&args.corpus)?, KeyKind::Place)?);
    let reading = match args.task {
        Task::Decode => decode::measure(&manifest, workers, args.passes)?,
        task => {
            let Some((reading, dead)) = flow(args, task, manifest, workers, begun)? else {
                return Ok(ExitCode::SUCCESS);
            };
            if dead > 0 {
                say(format_args!("{dead} records could not be used: these figures are not those of the whole corpus"));
                report(args, workers, &reading)?;
                return Ok(ExitCode::from(BAD_DATA));
            }
            reading
        }
    };
    report(args, workers, &reading)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the stream: a pass to warm up, then those that count. Only the first process has something to tell of it.
fn flow(
    args: &BenchStreamArgs,
    task: Task,
    manifest: Arc<Manifest>,
    workers: usize,
    begun: Instant,
) -> anyhow::Result<Option<(Reading, usize)>> {
    let work = task::work(task)?;
    let records = manifest.split("unlabelled").len() as u64;
    let batch = args.batch.unwrap_or(work.batch);
    // Beyond the last pass there must be work left, or the end of the stream would be measured too.
    let images = records * (u64::from(args.passes) + 1) + 16 * u64::from(batch);
    let (height, width, channels) = (work.shape.height, work.shape.width, work.shape.channels);
    let feed = Feed {
        view: View::new(work.steps.clone(), (height, width, channels))?,
        shape: work.shape,
        split: "unlabelled",
        batch,
        steps: u32::try_from(images.div_ceil(u64::from(batch)))?,
        seed: args.seed,
        memory: MEMORY.max(BATCHES * u64::from(batch) * work.shape.bytes() as u64),
        decode: Options { scale: !args.no_scale, ..Options::default() },
    };
    let reading = Arc::new(Mutex::new(None));
    let (passes, normalises) = (args.passes, !args.as_bytes);
    let consumer = {
        let reading = Arc::clone(&reading);
        move || -> millstream_cluster::Consumer {
            let (reading, work) = (Arc::clone(&reading), work.clone());
            let mut meter = Meter::new(begun, records, passes);
            let mut floats = Vec::new();
            if normalises {
                // Written to at once: the kernel finds the memory for it while the first images are being decoded.
                floats.resize(batch as usize * work.shape.bytes(), 0.0);
            }
            Box::new(move |batch| {
                if normalises {
                    work.normalise(batch, &mut floats);
                }
                if let Some(done) = meter.count(batch.rows.len() as u64) {
                    reading.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(done);
                }
            })
        }
    };
    let mut team = team(&args.partner, args.processes.into())?;
    let dead = drain_with(&mut team, feed.job(manifest), workers, &stop_on_interrupt()?, Arc::new(consumer))?;
    if team.index() > 0 {
        return Ok(None);
    }
    dead.iter().take(5).map(bad_record).for_each(say);
    let reading = reading.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    match reading {
        Some(reading) => Ok(Some((reading, dead.len()))),
        None => bail!(BadData("too few of the images can be used for a measurement".to_owned())),
    }
}

fn report(args: &BenchStreamArgs, workers: usize, reading: &Reading) -> anyhow::Result<()> {
    let layout = (usize::from(args.processes), workers);
    if args.json.json {
        return print_json(&reading.as_json(args.task.name(), layout));
    }
    print(&reading.as_text(args.task.name(), layout))
}
