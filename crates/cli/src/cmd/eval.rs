//! `eval`: a trained model on a labelled split.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use millstream_cluster::{AskOptions, ask};
use serde_json::json;

use super::{device, find_model, load, print, print_json, stop_on_interrupt, workers};
use crate::args::EvalArgs;
use crate::progress::{Progress, RoundWork};
use crate::say::say;

pub(crate) fn eval(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    let plan = load(&args.pipeline)?;
    let model = find_model(&args.model.clone().unwrap_or_else(|| Path::new("runs").join(&plan.name)))?;
    let manifest = Arc::new(millstream_dataflow::open(&plan)?);
    let job = millstream_dataflow::render_eval(&plan, manifest, &args.split)?;
    let options = AskOptions {
        workers: workers(args.workers, job.eval_batch),
        device: device(args.device.device),
        threads: plan.threads,
    };
    let progress = Mutex::new(Progress::new(vec![RoundWork { steps: 0, test: job.test.len() as u64, label: 0 }]));
    let stop = stop_on_interrupt()?;
    let answers = ask(job, &model, options, &stop, move |event| {
        if let Ok(mut progress) = progress.lock() {
            progress.note(event);
        }
    })?;
    let (test, dead) = (answers.test, answers.dead.len());
    if args.json.json {
        print_json(&json!({
            "model": model, "split": args.split, "accuracy": test.accuracy(),
            "correct": test.correct, "total": test.total, "bad_records": dead,
        }))?;
    } else {
        let percent = 100.0 * test.accuracy();
        print(&format!(
            "{}: {percent:.2} % ({} of {}) on `{}`",
            model.display(),
            test.correct,
            test.total,
            args.split
        ))?;
    }
    for letter in &answers.dead {
        say(format_args!("bad record: {}: {}", letter.place, letter.reason));
    }
    Ok(ExitCode::SUCCESS)
}
