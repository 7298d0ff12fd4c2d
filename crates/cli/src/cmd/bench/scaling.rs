//! `bench scaling`: what a second worker gives, and what it costs to put it into another process.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use anyhow::bail;
use millstream_cluster::measure;
use serde_json::{Value, json};

use super::middle::{Middle, Ratio};
use super::task;
use crate::args::{BenchScalingArgs, Task};
use crate::cmd::{print, print_json};
use crate::exit::Request;

/// Processes, and workers of each.
type Layout = (u16, u16);

const LAYOUTS: [Layout; 3] = [(1, 1), (1, 2), (2, 1)];

/// What is compared with what, by their places above, and what it is called.
const COMPARED: [(usize, usize, &str, &str); 2] = [
    (1, 0, "two_workers_to_one", "two workers / one worker"),
    (2, 1, "two_processes_to_two_workers", "two processes of one worker / one process of two"),
];

/// What was measured of a layout, round by round.
#[derive(Default)]
struct Runs {
    rates: Vec<f64>,
    /// Cores used by the first process.
    cores: Vec<f64>,
}

pub(crate) fn scaling(args: &BenchScalingArgs) -> anyhow::Result<ExitCode> {
    if args.task == Task::Decode {
        bail!(Request("the task `decode` has no stream".to_owned()));
    }
    task::source(&args.corpus)?;
    let mut runs = LAYOUTS.map(|_| Runs::default());
    for _ in 0..args.rounds {
        for (layout, runs) in LAYOUTS.iter().zip(&mut runs) {
            run(args, *layout, runs)?;
        }
    }
    report(args, &runs)?;
    Ok(ExitCode::SUCCESS)
}

/// A stream in fresh processes.
fn run(args: &BenchScalingArgs, layout: Layout, runs: &mut Runs) -> anyhow::Result<()> {
    let figures: Value = serde_json::from_str(&measure(&arguments(args, layout))?)?;
    let rates = figures["images_per_second"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rates: Vec<f64> = rates.iter().filter_map(Value::as_f64).collect();
    let (false, Some(cores)) = (rates.is_empty(), figures["cores_used"].as_f64()) else {
        bail!("`bench stream` told of no images a second");
    };
    // All images over all the time.
    runs.rates.push(rates.len() as f64 / rates.iter().map(|rate| rate.recip()).sum::<f64>());
    runs.cores.push(cores);
    Ok(())
}

fn arguments(args: &BenchScalingArgs, (processes, workers): Layout) -> Vec<OsString> {
    let (passes, processes, workers) = (args.passes.to_string(), processes.to_string(), workers.to_string());
    let task = ["bench", "stream", "--json", "--as-bytes", "--task", args.task.name(), "--passes", &passes];
    let layout = ["--processes", &processes, "--workers", &workers];
    let corpus = [OsStr::new("--corpus"), args.corpus.as_os_str()];
    task.iter().chain(&layout).map(OsStr::new).chain(corpus).map(OsStr::to_owned).collect()
}

fn report(args: &BenchScalingArgs, runs: &[Runs; LAYOUTS.len()]) -> anyhow::Result<()> {
    let ratio = |ours: usize, theirs: usize| Ratio::of(&runs[ours].rates, &runs[theirs].rates);
    let ratios = COMPARED.map(|(ours, theirs, name, title)| (name, title, ratio(ours, theirs)));
    let layouts = LAYOUTS.iter().zip(runs);
    if !args.json.json {
        let title = format!("{}, {} rounds, images/s of bytes", args.task.name(), args.rounds);
        let ratios =
            ratios.map(|(_, title, ratio)| format!("{title}: {}", ratio.map_or_else(String::new, Ratio::as_text)));
        let lines: Vec<String> = [title].into_iter().chain(layouts.map(as_text)).chain(ratios).collect();
        return print(&lines.join("\n"));
    }
    let mut figures = json!({
        "task": args.task.name(),
        "rounds": args.rounds,
        "layouts": layouts.map(as_json).collect::<Vec<_>>(),
    });
    for (name, _, ratio) in ratios {
        figures[name] = json!(ratio.map(Ratio::as_json));
    }
    print_json(&figures)
}

/// The rates of a layout, and the cores that it used where these are all.
fn middles(((processes, _), runs): (&Layout, &Runs)) -> (Option<Middle>, Option<Middle>) {
    let cores = Middle::of(runs.cores.iter().copied()).filter(|_| *processes == 1);
    (Middle::of(runs.rates.iter().copied()), cores)
}

fn as_json(layout: (&Layout, &Runs)) -> Value {
    let (rate, cores) = middles(layout);
    json!({
        "processes": layout.0.0,
        "workers": layout.0.1,
        "images_per_second": rate.map(|rate| rate.as_json(1)),
        "cores_used": cores.map(|cores| cores.as_json(2)),
    })
}

fn as_text(layout: (&Layout, &Runs)) -> String {
    let (rate, cores) = middles(layout);
    let (processes, workers) = layout.0;
    let rate = rate.map_or_else(String::new, |rate| rate.as_text(0));
    let cores = cores.map_or_else(String::new, |cores| format!(", {} cores used", cores.as_text(2)));
    format!("{processes} x {workers} (processes x workers): {rate}{cores}")
}
