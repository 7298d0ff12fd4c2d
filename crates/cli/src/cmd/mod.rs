//! The commands, one a file.

pub(crate) mod augment;
pub(crate) mod bench;
pub(crate) mod curate;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod graph;
pub(crate) mod inspect;
pub(crate) mod label_file;
pub(crate) mod launch;
pub(crate) mod models;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod preview;
pub(crate) mod relabel;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod search;
mod small;
pub(crate) mod status;
pub(crate) mod validate;
pub(crate) mod verify;
pub(crate) mod worker;

use std::io::Write;
use std::path::Path;

use millstream_cluster::{Report, find_model, holds_search, read_report};
use millstream_data::DeadLetter;
use millstream_data::corpus::Kind;
use millstream_dataflow::{Stop, StopReason};
use millstream_spec::Plan;
use millstream_train::Device;

use crate::args::{DeviceArg, KindArg, PipelineArgs};
use crate::exit::Request;

/// Reads and checks a pipeline.
fn load(args: &PipelineArgs) -> anyhow::Result<Plan> {
    Ok(millstream_spec::load(&args.pipeline, &args.overrides)?)
}

/// The report of a run.
fn report_of(run: &Path) -> anyhow::Result<Report> {
    read_report(run)?.ok_or_else(|| without(run, "no run").into())
}

/// What is wrong with a directory that holds nothing of what is asked for.
fn without(run: &Path, wanted: &str) -> Request {
    let path = run.display();
    Request(match holds_search(run) {
        true => format!("{path} holds a search: its runs are in {path}/trials"),
        false => format!("{path} holds {wanted}: give what `--out` of `run` or `launch` was"),
    })
}

/// Writes a result to standard output. A reader that has gone is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let text = text.trim_end_matches('\n');
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// Writes the file that was asked for, and makes the folder that it lies in.
fn write_out(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Request(format!("{}: {error}", folder.display())))?;
    }
    Ok(millstream_data::write_atomically(path, |file| file.write_all(bytes))?)
}

fn device(arg: DeviceArg) -> Device {
    match arg {
        DeviceArg::Auto => Device::Auto,
        DeviceArg::Cpu => Device::Cpu,
        DeviceArg::Cuda => Device::Cuda,
    }
}

fn kind(arg: KindArg) -> Kind {
    match arg {
        KindArg::Webdataset => Kind::WebDataset,
        KindArg::Parquet => Kind::Parquet,
        KindArg::Csv => Kind::Csv,
        KindArg::Jsonl => Kind::Jsonl,
        KindArg::Folder => Kind::Folder,
        KindArg::Idx => Kind::Idx,
    }
}

/// The workers asked for; by default one a core, but no more than there is work for in a step of `images`.
fn workers(asked: Option<u16>, images: u32) -> usize {
    asked.map_or_else(|| cores().min(images.max(1) as usize), usize::from)
}

/// The labelled images of the smallest training step: what the workers of all processes share.
fn smallest_step(plan: &Plan) -> u32 {
    plan.rounds.iter().map(|round| round.training.batch).min().unwrap_or(1)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// A line about a record that could not be used.
fn bad_record(letter: &DeadLetter) -> String {
    format!("bad record: {}: {}", letter.place, letter.reason)
}

/// A stop signal that Ctrl-C or SIGTERM gives; a second one ends the process at once.
fn stop_on_interrupt() -> anyhow::Result<Stop> {
    let stop = Stop::new();
    let signal = stop.clone();
    ctrlc::set_handler(move || {
        if signal.reason().is_some() {
            millstream_train::leave(crate::exit::INTERRUPTED);
        }
        signal.set(StopReason::Interrupted);
    })?;
    Ok(stop)
}
