//! `run`: the loop.

use std::process::ExitCode;

use anyhow::bail;
use millstream_cluster::{Others, Outcome, Report, RunOptions, Shape, Start};
use millstream_dataflow::{Event, StopReason};
use millstream_spec::{Definition, Plan};

use super::{bad_record, device, print, print_json, smallest_step, stop_on_interrupt, workers};
use crate::args::{RunArgs, StartArgs};
use crate::exit::{Request, stop_code};
use crate::progress::{Progress, RoundWork};
use crate::say::say;
use crate::table;

pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    if args.listen.is_some() && args.processes == 1 {
        bail!(Request("--listen is where other processes join: it needs --processes 2 or more".to_owned()));
    }
    if args.ranks > args.processes {
        let (ranks, processes) = (args.ranks, args.processes);
        bail!(Request(format!(
            "{ranks} training nodes need a process each, there are {processes}: raise `--processes`"
        )));
    }
    let definition = Definition::read(&args.pipeline.pipeline, &args.pipeline.overrides)?;
    let plan = definition.plan()?;
    let stop = stop_on_interrupt()?;
    let outcome = millstream_cluster::run(&plan, &options(args, &plan, definition), &stop, watch(&plan))?;
    tell(&outcome, args)
}

/// Shows how a run gets on.
pub(crate) fn watch(plan: &Plan) -> impl FnMut(&Event, &Report) + Send + 'static {
    let mut progress: Option<Progress> = None;
    let rounds = plan.clone();
    move |event, report| {
        let progress = progress.get_or_insert_with(|| Progress::new(work(&rounds, &report.splits)));
        progress.note(event);
        match event {
            Event::Round(_) => {
                progress.finish();
                if let Some(round) = report.rounds.last() {
                    progress.line(&summary(round));
                }
            }
            Event::Dead(letter) => progress.line(&bad_record(letter)),
            Event::Stepped { .. } | Event::Predicted { .. } => {}
        }
    }
}

fn options(args: &RunArgs, plan: &Plan, definition: Definition) -> RunOptions {
    RunOptions {
        definition,
        out: args.out.clone(),
        start: start(args.start),
        shape: Shape {
            processes: usize::from(args.processes),
            workers: workers(args.workers, smallest_step(plan) / u32::from(args.processes)),
            ranks: usize::from(args.ranks),
            resting: 0,
        },
        others: Others::Children { listen: args.listen },
        device: device(args.device.device),
    }
}

/// What to do with an earlier run.
pub(crate) fn start(args: StartArgs) -> Start {
    match (args.resume, args.overwrite) {
        (true, _) => Start::Resume,
        (_, true) => Start::Overwrite,
        _ => Start::Fresh,
    }
}

fn work(plan: &Plan, splits: &std::collections::BTreeMap<String, u64>) -> Vec<RoundWork> {
    let count = |name: &str| splits.get(name).copied().unwrap_or(0);
    let round =
        |steps| RoundWork { steps, validation: count("validation"), test: count("test"), label: count("unlabelled") };
    plan.rounds.iter().map(|plan| round(u64::from(plan.training.steps))).collect()
}

fn summary(round: &millstream_cluster::RoundReport) -> String {
    let learned = match (round.pseudo_labelled, round.unlabelled) {
        (0, 0) => format!("{} labelled", round.labelled),
        (0, untold) => format!("{} labelled + {untold} unlabelled", round.labelled),
        (pseudo, _) => format!("{} labelled + {pseudo} pseudo-labelled", round.labelled),
    };
    let (accuracy, seconds) = (100.0 * round.test_accuracy, round.seconds);
    let calibrated = table::calibration(round).map_or_else(String::new, |said| format!(", {said}"));
    format!(
        "round {}: {} on {learned} images: test accuracy {accuracy:.2} %{calibrated} ({seconds:.1} s)",
        round.round, round.model
    )
}

/// Results on standard output; why it ended early on standard error.
fn tell(outcome: &Outcome, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let report = &outcome.report;
    if args.json.json {
        print_json(report)?;
    } else {
        if !report.rounds.is_empty() {
            print(&table::rounds(&report.rounds))?;
        }
        print(&format!("run directory: {}", outcome.run.display()))?;
    }
    if report.dead_letters > 0 {
        say(format_args!(
            "{} bad records; see {}",
            report.dead_letters,
            outcome.run.join("rounds/*/dead_letters.parquet").display()
        ));
    }
    let Some(reason) = &outcome.stopped else {
        return Ok(ExitCode::SUCCESS);
    };
    say(format_args!("error: {reason}"));
    if let Some(path) = &outcome.unfinished_dead_letters {
        say(format_args!("  the bad records so far: {}", path.display()));
    }
    let (rounds, run) = (report.rounds.len(), outcome.run.display());
    let done = if rounds == 1 { "1 round is".to_owned() } else { format!("{rounds} rounds are") };
    let (more, when) = match reason {
        StopReason::Interrupted => (", and what the next had come to", ""),
        _ => ("", "once the cause is mended, "),
    };
    say(format_args!("  {done} kept in {run}{more}; {when}`--resume` goes on from there"));
    Ok(ExitCode::from(stop_code(reason)))
}
