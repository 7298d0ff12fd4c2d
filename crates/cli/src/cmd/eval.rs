//! `eval`: a trained model on a labelled split.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use millstream_cluster::{AskOptions, ask};
use serde_json::json;

use super::{bad_record, device, find_model, load, print, print_json, stop_on_interrupt, workers};
use crate::args::EvalArgs;
use crate::progress::{RoundWork, watch};
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
    let work = RoundWork { steps: 0, test: job.test.len() as u64, label: 0 };
    let answers = ask(job, &model, options, &stop_on_interrupt()?, watch(work))?;
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
    answers.dead.iter().map(bad_record).for_each(say);
    Ok(ExitCode::SUCCESS)
}
