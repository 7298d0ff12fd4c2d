//! `doctor`: what this machine has and what is missing; or what holds up a run, or a pipeline.

mod finished;
mod machine;
mod ops;
mod probe;
mod reading;
pub(crate) mod show;
pub(crate) mod verdict;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use super::{device, load, print, print_json, report_of, smallest_step, stop_on_interrupt, workers};
use crate::args::{DoctorArgs, PipelineArgs};
use crate::exit::Request;
pub(crate) use finished::figures_of;
use probe::Probe;
use verdict::{Figures, verdict};

/// Seconds that each part of a pipeline is watched, unless `--seconds` says otherwise.
const SECONDS: u16 = 2;

pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let Some(target) = &args.target else {
        return machine::look(args.json.json);
    };
    let figures = if target.is_dir() { run(args, target)? } else { pipeline(args, target)? };
    let verdict = verdict(&figures);
    if args.json.json {
        print_json(&serde_json::json!({ "verdict": verdict, "figures": figures }))?;
    } else {
        print(&verdict.sentence)?;
        print(&show::table(&figures))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run tells of itself.
fn run(args: &DoctorArgs, run: &Path) -> anyhow::Result<Figures> {
    let report = report_of(run)?;
    if !args.overrides.is_empty() || args.seconds.is_some() || args.workers.is_some() {
        bail!(Request(format!(
            "{} is a run, and was made as it was: --set, --seconds and --workers are for a pipeline",
            run.display()
        )));
    }
    finished::figures(run, &report)
}

/// What a pipeline does when its parts are watched.
fn pipeline(args: &DoctorArgs, path: &Path) -> anyhow::Result<Figures> {
    if !path.exists() {
        bail!(Request(format!(
            "{} is neither a run nor a pipeline: there is nothing of that name; give a run directory or a YAML file",
            path.display()
        )));
    }
    let plan = load(&PipelineArgs { pipeline: path.to_owned(), overrides: args.overrides.clone() })?;
    let probe = Probe {
        workers: workers(args.workers, smallest_step(&plan)),
        device: device(args.device.device),
        seconds: f64::from(args.seconds.unwrap_or(SECONDS)),
        stop: stop_on_interrupt()?,
    };
    probe.figures(plan)
}
