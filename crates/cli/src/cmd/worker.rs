//! `worker`: one of several processes of a run, under orders from the first.

use std::io::BufRead;
use std::process::ExitCode;

use anyhow::Context;
use millstream_cluster::{ClusterError, Orders};
use millstream_dataflow::StopReason;

use crate::say::say;

pub(crate) fn worker() -> anyhow::Result<ExitCode> {
    // Ctrl-C reaches every process of the terminal. The first one decides; it ends the others.
    ctrlc::set_handler(|| {})?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let orders: Orders =
        serde_json::from_str(&line).context("`worker` is started by `millstream run --processes`, not by hand")?;
    let plan = millstream_spec::load(&orders.pipeline, &orders.overrides)?;
    match millstream_cluster::serve(&orders, &plan) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The first process knows why it ended, and has said so.
        Err(ClusterError::Stopped(StopReason::Failed(_))) => Ok(ExitCode::from(crate::exit::FAILED)),
        Err(error) => {
            say(format_args!("process {}:", orders.index));
            Err(error.into())
        }
    }
}
