//! `status`: how a run gets on, from another terminal.

use std::process::ExitCode;

use millstream_cluster::{LaunchStatus, ProcessStatus, State, launch_status, read_report};
use serde_json::json;

use super::{print, print_json, without};
use crate::args::StatusArgs;
use crate::table;

pub(crate) fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let (launch, report) = (launch_status(&args.run)?, read_report(&args.run)?);
    if launch.is_none() && report.is_none() {
        return Err(without(&args.run, "neither a run nor a launch").into());
    }
    if args.json.json {
        print_json(
            &json!({ "launch": launch.as_ref().map(|(status, alive)| json!({ "alive": alive, "status": status })), "report": report }),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(report) = &report {
        let rounds = report.rounds.len();
        print(&format!("{}: {rounds} rounds done{}", report.name, if report.complete { ", complete" } else { "" }))?;
        if rounds > 0 {
            print(&table::rounds(&report.rounds))?;
        }
    }
    if let Some((status, alive)) = &launch {
        print(&describe(status, *alive))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(status: &LaunchStatus, alive: bool) -> String {
    let what = match &status.state {
        State::Done => "done",
        State::Interrupted => "interrupted",
        State::Failed => "failed",
        _ if !alive => "gone: it ended without a word",
        State::Starting => "starting",
        State::Running => "running",
        State::Restarting => "waiting to start again",
    };
    let mut text = format!("launch: {what}, {} restarts", status.restarts);
    if let Some(trouble) = &status.trouble {
        text += &format!("\n  last trouble: {trouble}");
    }
    for (_, why) in &status.left_out {
        text += &format!("\n  left out: {why}");
    }
    if alive && !status.processes.is_empty() {
        text += &format!("\n{}", processes(&status.processes));
    }
    text
}

/// One line a process. All that train wait for the one whose `peer wait` is least.
fn processes(processes: &[ProcessStatus]) -> String {
    let header =
        "process  host              trains  round  step     steps/s  data wait  peer wait  prepared/s  busy    memory";
    let line = |(index, process): (usize, &ProcessStatus)| {
        let ProcessStatus { host, trains, vitals, prepared_rate, preparing, step_rate, data_wait, peer_wait, .. } =
            process;
        let (trains, work, memory) = (if *trains { "yes" } else { "no" }, &vitals.work, vitals.memory >> 20);
        format!(
            "{index:<8} {host:<17} {trains:<7} {:<6} {:<8} {step_rate:<8.1} {:<10} {:<10} {prepared_rate:<11.0} {:<7} {memory} MiB",
            work.round,
            work.step,
            format!("{:.0} %", 100.0 * data_wait),
            format!("{:.0} %", 100.0 * peer_wait),
            format!("{:.0} %", 100.0 * preparing),
        )
    };
    let lines = processes.iter().enumerate().map(line);
    [header.to_owned()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}
