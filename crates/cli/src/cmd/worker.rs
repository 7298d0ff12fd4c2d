//! `worker`: a process of a run, under orders from whoever started it.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use millstream_cluster::{
    ClusterError, Hello, Lead, Orders, Others, Outcome, Request, RunOptions, Task, Teller, Told, obey,
};
use millstream_dataflow::{Stop, StopReason};

use crate::exit;
use crate::say::say;

/// How long a process waits for its request. Process 0 may have to look at many data before there is one for the others.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

pub(crate) fn worker() -> anyhow::Result<ExitCode> {
    let teller = Teller::default();
    // Whoever started this process decides. Ctrl-C reaches every process of the terminal, that one too.
    let signalled = teller.clone();
    ctrlc::set_handler(move || signalled.tell(&Told::Signalled))?;
    teller.tell(&Told::Hello(Hello::new()));
    teller.beat();
    let asked = expect_request()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.is_empty() && !std::io::stdin().is_terminal() {
        // Whoever started it wants nothing more of it.
        return Ok(ExitCode::from(exit::FAILED));
    }
    asked.store(true, Ordering::SeqCst);
    let request: Request = serde_json::from_str(&line)
        .context("`worker` is started by `millstream run --processes` and `millstream launch`, not by hand")?;
    let stop = Stop::new();
    if !matches!(request.task, Task::Inspect(_)) {
        obey(&stop, request.patience);
    }
    match request.task {
        Task::Inspect(inspection) => millstream_cluster::inspect(&inspection, &teller),
        Task::Lead(lead) => run(*lead, request.cluster, &teller, &stop),
        Task::Follow(orders) => follow(&orders, request.cluster, &teller, &stop),
    }
}

/// Ends the process if nobody wants anything of it for long: the network to whoever started it may be gone. Gives what says that
/// somebody does.
fn expect_request() -> anyhow::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    let waiting = Arc::clone(&asked);
    std::thread::Builder::new().name("request".to_owned()).spawn(move || {
        std::thread::sleep(LONGEST_WAIT);
        if !waiting.load(Ordering::SeqCst) {
            std::process::exit(i32::from(exit::FAILED));
        }
    })?;
    Ok(asked)
}

/// Works for process 0.
fn follow(orders: &Orders, cluster: Option<[u8; 32]>, teller: &Teller, stop: &Stop) -> anyhow::Result<ExitCode> {
    match millstream_cluster::serve(orders, cluster, teller, stop) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Whoever started this process has said more, if it is still there.
        Err(ClusterError::Stopped(reason @ (StopReason::Failed(_) | StopReason::Interrupted))) => {
            let code = exit::stop_code(&reason);
            teller.tell(&Told::Failed { message: reason.to_string(), code });
            Ok(ExitCode::from(exit::FAILED))
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            teller.tell(&Told::Failed { message: error.to_string(), code: exit::code(&error) });
            say(format_args!("process {}:", orders.index));
            Err(error)
        }
    }
}

/// Runs a pipeline as process 0.
fn run(lead: Lead, cluster: Option<[u8; 32]>, teller: &Teller, stop: &Stop) -> anyhow::Result<ExitCode> {
    let told = match lead_run(lead, cluster, teller, stop) {
        Ok(Outcome { report, stopped: None, .. }) => Told::Over { report: Box::new(report), interrupted: false },
        Ok(Outcome { report, stopped: Some(StopReason::Interrupted), .. }) => {
            Told::Over { report: Box::new(report), interrupted: true }
        }
        Ok(Outcome { stopped: Some(reason), .. }) => {
            Told::Failed { message: reason.to_string(), code: exit::stop_code(&reason) }
        }
        Err(error) => Told::Failed { message: error.to_string(), code: exit::code(&error) },
    };
    teller.tell(&told);
    Ok(match told {
        Told::Failed { code, .. } => ExitCode::from(code),
        _ => ExitCode::SUCCESS,
    })
}

fn lead_run(lead: Lead, cluster: Option<[u8; 32]>, teller: &Teller, stop: &Stop) -> anyhow::Result<Outcome> {
    let plan = lead.definition.plan()?;
    let options = RunOptions {
        definition: lead.definition,
        out: lead.out,
        start: lead.start,
        shape: lead.shape,
        others: Others::Launched { addresses: lead.addresses, teller: teller.clone(), cluster },
        device: lead.device,
    };
    Ok(millstream_cluster::run(&plan, &options, stop, super::run::watch(&plan))?)
}
