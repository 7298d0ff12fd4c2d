//! `plan`: what a run would do, before it does it.

use std::process::ExitCode;
use std::sync::Arc;

use millstream_cluster::{plan_hash, rehearse};
use millstream_dataflow::Job;
use millstream_spec::{
    CalibratePlan, CheckpointPlan, LabelFormat, ModelPlan, Plan, PrecisionPlan, RoundPlan, SelectionPlan, TrainingPlan,
    UnlabelledPlan, WeightsPlan,
};
use millstream_train::Device;
use serde::Serialize;
use serde_json::json;

use super::{load, print, print_json, smallest_step, workers};
use crate::args::PlanArgs;

/// What a run would do.
#[derive(Serialize)]
struct Forecast {
    name: String,
    seed: u64,
    plan_hash: String,
    labelled: usize,
    unlabelled: usize,
    validation: usize,
    test: usize,
    classes: Vec<String>,
    sample_bytes: u64,
    largest_step_bytes: u64,
    memory_bytes: u64,
    window_steps: usize,
    bad_records_allowed: u64,
    /// What models compute with.
    precision: PrecisionPlan,
    /// Threads of libtorch.
    threads: u32,
    /// Whether a GPU uses kernels that give the same bits each time.
    deterministic: bool,
    /// When the state of a round in training is kept.
    checkpoint: Option<CheckpointPlan>,
    /// Which pseudo-labels become training samples.
    selection: SelectionPlan,
    /// In words.
    selects: String,
    rounds: Vec<RoundForecast>,
    writes: Vec<String>,
}

#[derive(Serialize)]
struct RoundForecast {
    model: String,
    /// Its settings, with their defaults.
    model_settings: ModelPlan,
    /// What its weights start from.
    weights: WeightsPlan,
    steps: u32,
    labelled_batch: u32,
    /// None in round 0 where only selected pseudo-labels are trained on.
    unlabelled_batch: u32,
    /// How often each labelled image is seen.
    epochs: f64,
    training_images: u64,
    /// The views and the mixing, in words.
    noise: Vec<String>,
    /// Every training setting of the round, with its defaults.
    settings: serde_json::Value,
}

pub(crate) fn plan(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let plan = load(&args.pipeline)?;
    let manifest = Arc::new(millstream_dataflow::open(&plan)?);
    let hash = blake3_hex(plan_hash(&plan, &manifest)?);
    // Models that cannot take the images, and weights that cannot be used, end a run: they end its forecast too.
    rehearse(&plan, &manifest, Device::Cpu)?;
    let job = millstream_dataflow::render(&plan, manifest)?;
    job.check(workers(None, smallest_step(&plan)))?;
    let forecast = forecast(&plan, &job, hash)?;
    if args.json.json {
        print_json(&forecast)?;
    } else {
        print(&text(&forecast))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn blake3_hex(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn forecast(plan: &Plan, job: &Job, plan_hash: String) -> anyhow::Result<Forecast> {
    let rounds: Result<Vec<_>, serde_json::Error> =
        plan.rounds.iter().enumerate().map(|(round, settings)| round_forecast(round, settings, job)).collect();
    Ok(Forecast {
        name: plan.name.clone(),
        seed: plan.seed,
        plan_hash,
        labelled: job.labelled.len(),
        unlabelled: job.unlabelled.len(),
        validation: job.validation.len(),
        test: job.test.len(),
        classes: job.classes.clone(),
        sample_bytes: job.shape.bytes() as u64,
        largest_step_bytes: job.largest_step(),
        memory_bytes: job.memory,
        window_steps: job.window(),
        bad_records_allowed: job.max_bad,
        precision: plan.precision,
        threads: plan.threads,
        deterministic: plan.deterministic,
        checkpoint: plan.checkpoint,
        selection: plan.selection,
        selects: selects(&plan.selection),
        rounds: rounds?,
        writes: writes(plan, job),
    })
}

fn round_forecast(round: usize, plan: &RoundPlan, job: &Job) -> Result<RoundForecast, serde_json::Error> {
    let training = &plan.training;
    let some = training.learns_from_unlabelled(round);
    let unlabelled_batch = if some { job.rounds[round].unlabelled_batch } else { 0 };
    let drawn = u64::from(training.steps) * u64::from(training.batch);
    Ok(RoundForecast {
        model: plan.model.to_string(),
        model_settings: plan.model,
        weights: plan.weights.clone(),
        steps: training.steps,
        labelled_batch: training.batch,
        unlabelled_batch,
        epochs: drawn as f64 / job.labelled.len().max(1) as f64,
        training_images: u64::from(training.steps) * images(training, unlabelled_batch),
        noise: millstream_spec::graph::noise(training),
        settings: all_settings(training)?,
    })
}

/// Every setting, in the words of definitions.
fn all_settings(training: &TrainingPlan) -> Result<serde_json::Value, serde_json::Error> {
    let mut settings = serde_json::to_value(training)?;
    if let UnlabelledPlan::Own(own) = &training.unlabelled {
        settings["unlabelled"] = json!({ own.method(): own });
    }
    Ok(settings)
}

/// Images in a step: each record once for each of its views.
fn images(training: &TrainingPlan, unlabelled_batch: u32) -> u64 {
    let rows = |records: u32, images: u32| u64::from(records) * u64::from(images);
    rows(training.batch, training.images_per_labelled()) + rows(unlabelled_batch, training.images_per_unlabelled())
}

/// "confidence >= 0.9, not calibrated, 40 of each class".
fn selects(selection: &SelectionPlan) -> String {
    let SelectionPlan { threshold, calibrate, balance } = selection;
    let confidence = match calibrate {
        Some(CalibratePlan::Temperature) => "calibrated by temperature",
        None => "not calibrated",
    };
    let balance = balance.map_or_else(String::new, |balance| format!(", {} of each class", balance.per_class));
    format!("confidence >= {threshold}, {confidence}{balance}")
}

fn writes(plan: &Plan, job: &Job) -> Vec<String> {
    let told = ["report.json", "plan.json", "metrics.jsonl", "tensorboard/", "plots/"];
    let mut files: Vec<String> = told.map(str::to_owned).to_vec();
    files.extend(plan.checkpoint.map(|_| "checkpoints/ (while a round trains)".to_owned()));
    for round in 0..plan.rounds.len() {
        files.push(format!("commits/{round:06}.json"));
        files.push(format!("rounds/{round:03}/model.safetensors"));
        if !job.test.is_empty() {
            files.push(format!("rounds/{round:03}/confusion.csv"));
        }
        if !job.unlabelled.is_empty() {
            files.push(format!("rounds/{round:03}/labels.parquet ({} rows)", job.unlabelled.len()));
            if plan.output.labels == LabelFormat::Csv {
                files.push(format!("rounds/{round:03}/labels.csv"));
            }
        }
    }
    files
}

/// The settings of a round that are not told otherwise, one a line.
fn settings(round: &RoundForecast) -> Vec<String> {
    let told = ["steps", "batch", "views", "mix"];
    let settings = round.settings.as_object().into_iter().flatten();
    let line = |(key, value): (&String, &serde_json::Value)| format!("{key}: {value}").replace('"', "");
    settings.filter(|(key, value)| !told.contains(&key.as_str()) && !value.is_null()).map(line).collect()
}

/// "float32, 2 threads, a checkpoint every 1000 steps (2 kept)".
fn computes(f: &Forecast) -> String {
    let precision = match f.precision {
        PrecisionPlan::Float32 => "float32",
        PrecisionPlan::BFloat16 => "bfloat16",
    };
    let kept = f.checkpoint.map_or_else(
        || "no checkpoints".to_owned(),
        |CheckpointPlan { every, keep }| format!("a checkpoint every {every} steps ({keep} kept)"),
    );
    let deterministic = if f.deterministic { ", deterministic on a GPU too" } else { "" };
    format!("{precision}, threads {}, {kept}{deterministic}", f.threads)
}

/// "dropout 0.1, drop path 0.2, fresh weights".
fn starts(round: &RoundForecast) -> String {
    let ModelPlan { dropout, drop_path, .. } = round.model_settings;
    let path = drop_path.map_or_else(String::new, |rate| format!(", drop path {rate}"));
    let weights = match &round.weights {
        WeightsPlan::Fresh => "fresh weights".to_owned(),
        WeightsPlan::Previous => "weights of the round before".to_owned(),
        WeightsPlan::File(file) => format!("weights of {}", file.display()),
    };
    format!("dropout {dropout}{path}, {weights}")
}

fn text(f: &Forecast) -> String {
    let validation = if f.validation > 0 { format!("{} validation, ", f.validation) } else { String::new() };
    let mut lines = vec![
        format!("{} (seed {}, plan {})", f.name, f.seed, &f.plan_hash[..12]),
        format!(
            "records   {} labelled, {} unlabelled, {validation}{} test; {} classes",
            f.labelled,
            f.unlabelled,
            f.test,
            f.classes.len()
        ),
        format!(
            "memory    {} bytes a sample, {} a step, {} steps ahead at most within {} bytes",
            f.sample_bytes, f.largest_step_bytes, f.window_steps, f.memory_bytes
        ),
        format!("bad       {} records tolerated", f.bad_records_allowed),
        format!("selects   {}", f.selects),
        format!("computes  {}", computes(f)),
    ];
    for (number, round) in f.rounds.iter().enumerate() {
        lines.push(format!(
            "round {number}   {}: {} steps of {} labelled + {} unlabelled, {:.1} epochs, {} images",
            round.model, round.steps, round.labelled_batch, round.unlabelled_batch, round.epochs, round.training_images
        ));
        lines.push(format!("          {}", starts(round)));
        lines.extend(round.noise.iter().chain(&settings(round)).map(|line| format!("          {line}")));
    }
    lines.push(format!("writes    into runs/{}, or --out:", f.name));
    lines.extend(f.writes.iter().map(|file| format!("          {file}")));
    lines.join("\n")
}
