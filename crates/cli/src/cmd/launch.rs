//! `launch`: a run on many machines.

mod emit;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use millstream_cluster::{Checkup, LaunchOptions, Launched, Notice, Problem, Scheduled};
use millstream_spec::Definition;
use serde_json::json;

use super::run::start;
use super::{device, print, print_json, smallest_step, stop_on_interrupt};
use crate::args::LaunchArgs;
use crate::exit::{self, Request};
use crate::say::say;
use crate::table;

pub(crate) fn launch(args: &LaunchArgs) -> anyhow::Result<ExitCode> {
    let definition = Definition::read(&args.pipeline.pipeline, &args.pipeline.overrides)?;
    let plan = definition.plan()?;
    if let Some(scheduler) = args.emit {
        emit::emit(args, &plan, scheduler)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.check && args.hosts.is_none() {
        bail!(Request("`--check` looks at the machines of a hosts file: give `--hosts`".to_owned()));
    }
    let scheduled = match &args.hosts {
        Some(_) => None,
        None => Some(task(args)?),
    };
    let options = LaunchOptions {
        definition,
        hosts: match &args.hosts {
            Some(hosts) => millstream_spec::load_hosts(hosts)?,
            None => millstream_spec::parse_hosts("hosts: [{ host: localhost }]", "tasks")?,
        },
        out: args.out.clone().unwrap_or_else(|| Path::new("runs").join(&plan.name)),
        start: start(args.start),
        workers: args.workers.map(usize::from),
        smallest_step: smallest_step(&plan) as usize,
        device: device(args.device.device),
        scheduled: scheduled.clone(),
    };
    if let Some((scheduled, secret)) = scheduled.filter(|(scheduled, _)| scheduled.task > 0) {
        let code = millstream_cluster::lend(&scheduled, secret, &std::env::current_exe()?, &stop_on_interrupt()?)?;
        return Ok(ExitCode::from(code));
    }
    if args.check {
        return check(args, &options);
    }
    let launched = millstream_cluster::launch(&options, &stop_on_interrupt()?, &mut tell)?;
    conclude(args, &options, &launched)
}

/// The task that this is of a scheduler, and the secret of the cluster.
fn task(args: &LaunchArgs) -> anyhow::Result<(Scheduled, [u8; 32])> {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(scheduled) = Scheduled::from_environment(variable)? else {
        let wrong = "which machines? Give `--hosts HOSTS.yaml`, or start this with Slurm's `srun` or as an Indexed Job of Kubernetes";
        bail!(Request(wrong.to_owned()));
    };
    let text = match (&args.secret_file, variable("MILLSTREAM_SECRET")) {
        (Some(path), _) => std::fs::read(path)
            .map_err(|error| Request(format!("cannot read the secret in {}: {error}", path.display())))?,
        (None, Some(secret)) => secret.into_bytes(),
        (None, None) => bail!(Request(
            "the tasks of a scheduler need a secret: put one into a file that only you can read, and name it with --secret-file".to_owned()
        )),
    };
    Ok((scheduled, millstream_cluster::secret_of(&text)?))
}

/// Looks at the machines, and starts nothing.
fn check(args: &LaunchArgs, options: &LaunchOptions) -> anyhow::Result<ExitCode> {
    let Checkup { hosts, problems } = millstream_cluster::check(options)?;
    if args.json.json {
        let hosts: Vec<_> =
            hosts.iter().map(|(host, hello, found)| json!({ "host": host, "is": hello, "found": found })).collect();
        print_json(&json!({ "hosts": hosts, "problems": problems }))?;
    } else {
        for (host, hello, found) in &hosts {
            let plan = found
                .as_ref()
                .and_then(|found| found.plan.as_ref().ok())
                .and_then(|plan| plan.get(..12))
                .unwrap_or("none");
            let gpus = found.as_ref().map_or(0, |found| found.gpus);
            print(&format!("{host}: version {}, {} cores, {gpus} GPUs, plan hash {plan}", hello.version, hello.cores))?;
        }
    }
    for Problem { host, problem, remedy } in &problems {
        say(format_args!("error: {host}: {problem}\n  = help: {remedy}"));
    }
    if problems.is_empty() {
        say(format_args!("all {} machines are ready", hosts.len()));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(exit::WRONG_REQUEST))
}

/// What people see of a launch while it goes on.
fn tell(notice: &Notice<'_>) {
    match notice {
        Notice::Log { host, process: Some(process), line } => say(format_args!("[{host}:{process}] {line}")),
        Notice::Log { host, process: None, line } => say(format_args!("[{host}] {line}")),
        Notice::Began { start: 0, round: 0, step: 0 } | Notice::Joined { .. } | Notice::Alive { .. } => {}
        Notice::Began { round, step, .. } => say(format_args!("goes on from round {round}, step {step}")),
        Notice::LeftOut { why, trains, .. } => {
            let digits = if *trains { ". Fewer training nodes change the last digits of models" } else { "" };
            say(format_args!("goes on without {why}{digits}"));
        }
        Notice::Returned { host } => say(format_args!("{host} is there again: the run goes on with it")),
        Notice::Restarts { why, pause, count, most } => {
            say(format_args!("{why}"));
            say(format_args!(
                "  starts again in {pause} s from where the run was (restart {count} of at most {most} in a row)"
            ));
        }
    }
}

fn conclude(args: &LaunchArgs, options: &LaunchOptions, launched: &Launched) -> anyhow::Result<ExitCode> {
    if let Some(report) = &launched.report {
        if args.json.json {
            print_json(report)?;
        } else if !report.rounds.is_empty() {
            print(&table::rounds(&report.rounds))?;
        }
    }
    if !args.json.json {
        print(&format!("run directory: {}", options.out.display()))?;
    }
    if launched.restarts > 0 {
        say(format_args!("the processes were started again {} times", launched.restarts));
    }
    if launched.interrupted {
        say("error: interrupted");
        if let Some(trouble) = &launched.trouble {
            say(format_args!("  while it stopped: {trouble}"));
        }
        say("  what was done is kept; `--resume` goes on from there");
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    Ok(ExitCode::SUCCESS)
}
