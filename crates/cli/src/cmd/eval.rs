//! `eval`: a trained model on a labelled split.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use millstream_cluster::{Answers, AskOptions, ask};
use millstream_dataflow::Evaluation;
use millstream_metrics::write_confusion;
use serde_json::{Value, json};

use super::{bad_record, device, find_model, load, print, print_json, stop_on_interrupt, workers};
use crate::args::EvalArgs;
use crate::progress::{RoundWork, watch};
use crate::say::say;
use crate::table;

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
    let work = RoundWork { steps: 0, validation: 0, test: job.test.len() as u64, label: 0 };
    let classes = job.classes.clone();
    let answers = ask(job, &model, options, &stop_on_interrupt()?, watch(work))?;
    if let Some(path) = &args.confusion {
        let counts: Vec<_> = answers.test.confusion.iter().map(|(pair, count)| (*pair, *count)).collect();
        write_confusion(path, &classes, &counts).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let evaluation = Evaluation::new(&answers.test, &classes);
    match args.json.json {
        true => print_json(&in_json(args, &model, &answers, evaluation.as_ref()))?,
        false => print(&in_words(args, &model, &answers, evaluation.as_ref()))?,
    }
    answers.dead.iter().map(bad_record).for_each(say);
    Ok(ExitCode::SUCCESS)
}

/// The figures, and beside them what they are of.
fn in_json(args: &EvalArgs, model: &Path, answers: &Answers, evaluation: Option<&Evaluation>) -> Value {
    let mut all = json!({
        "model": model, "split": args.split, "accuracy": answers.test.accuracy(),
        "correct": answers.test.correct(), "total": answers.test.total(), "bad_records": answers.dead.len(),
    });
    if let (Some(all), Value::Object(figures)) = (all.as_object_mut(), json!(evaluation)) {
        all.extend(figures);
    }
    all
}

fn in_words(args: &EvalArgs, model: &Path, answers: &Answers, evaluation: Option<&Evaluation>) -> String {
    let (percent, test) = (100.0 * answers.test.accuracy(), &answers.test);
    let (correct, total) = (test.correct(), test.total());
    let first = format!("{}: {percent:.2} % ({correct} of {total}) on `{}`", model.display(), args.split);
    let more = evaluation.map(|figures| {
        let top5 = table::telling_top5(figures).map_or_else(String::new, |share| format!("top-5 {share}, "));
        format!("\n  {top5}loss {:.4}, ECE {:.2} %", figures.loss, 100.0 * figures.ece)
    });
    first + &more.unwrap_or_default()
}
