//! From the plan to a job: the one place that knows both the words of the pipeline and the types of the stream.

use std::sync::Arc;

use millstream_data::{DataError, FolderLayout, KeyKind, LabelRow, Manifest, Shape, SourceConfig, SplitConfig, Take};
use millstream_imageops::{Limits, Mixing, Options, Step, Truncated, View};
use millstream_labels::{Balance, Pseudo, Rule};
use millstream_spec::{
    BalancePlan, DecodePlan, FoldPlan, KeyPlan, LayoutPlan, MaxBad, Plan, RoundPlan, SourcePlan, SplitPlan, TakePlan,
    TargetsPlan, UnlabelledPlan, ViewOf,
};

use crate::job::{Job, JobError, MixJob, RoundJob, RoundView, Unlabelled};
use crate::ranks::Ranks;

/// Opens the sources of a plan and draws its splits.
pub fn open(plan: &Plan) -> Result<Manifest, DataError> {
    let key = match plan.data.key {
        KeyPlan::Place => KeyKind::Place,
        KeyPlan::Content => KeyKind::Content,
    };
    let mut sources = Vec::new();
    for (name, source) in &plan.data.sources {
        sources.push((name.clone(), millstream_data::open(&source_config(source), key)?));
    }
    let splits: Vec<SplitConfig> = plan.data.splits.iter().map(split_config).collect();
    Manifest::build(sources, &splits, plan.seed)
}

fn source_config(source: &SourcePlan) -> SourceConfig {
    match source.clone() {
        SourcePlan::Idx { images, labels } => SourceConfig::Idx { images, labels },
        SourcePlan::Folder { path, layout: LayoutPlan::Classes } => {
            SourceConfig::Folder { path, layout: FolderLayout::Classes }
        }
        SourcePlan::Folder { path, layout: LayoutPlan::Flat } => {
            SourceConfig::Folder { path, layout: FolderLayout::Flat }
        }
        SourcePlan::Csv { path, root } => SourceConfig::Csv { path, root },
        SourcePlan::WebDataset { path } => SourceConfig::WebDataset { path },
        SourcePlan::Parquet { path, image, label } => SourceConfig::Parquet { path, image, label },
    }
}

fn split_config(split: &SplitPlan) -> SplitConfig {
    SplitConfig {
        name: split.name.clone(),
        from: split.from.clone(),
        except: split.except.clone(),
        take: match split.take.clone() {
            TakePlan::All => Take::All,
            TakePlan::PerClass(count) => Take::PerClass(count),
            TakePlan::Fraction(fraction) => Take::Fraction(fraction),
            TakePlan::List(path) => Take::List(path),
        },
    }
}

/// The shape of a sample.
pub fn shape(plan: &Plan) -> Shape {
    Shape { height: plan.stream.height, width: plan.stream.width, channels: plan.stream.channels }
}

/// The job of a whole run.
pub fn render(plan: &Plan, manifest: Arc<Manifest>) -> Result<Job, JobError> {
    let mut rounds = Vec::new();
    for (number, round) in plan.rounds.iter().enumerate() {
        rounds.push(round_job(number, round, shape(plan))?);
    }
    let split = |name: &str| manifest.split(name).to_vec();
    let (labelled, test) = match plan.data.held_out {
        Some(FoldPlan { fold, folds }) => manifest.fold("labelled", fold, folds, plan.seed),
        None => (split("labelled"), split("test")),
    };
    let mut unlabelled = split("unlabelled");
    if plan.data.held_out.is_some() {
        unlabelled.retain(|record| test.binary_search(record).is_err());
    }
    let job = Job { labelled, unlabelled, validation: split("validation"), test, rounds, ..base(plan, manifest)? };
    if job.rounds.iter().any(|round| round.unlabelled == Unlabelled::All) && job.untold().is_empty() {
        return Err(JobError::Empty { split: "unlabelled".to_owned() });
    }
    Ok(job)
}

/// A job that measures a model on one split.
pub fn render_eval(plan: &Plan, manifest: Arc<Manifest>, split: &str) -> Result<Job, JobError> {
    let test = manifest.split(split).to_vec();
    let rounds = vec![RoundJob::asking()];
    let job = Job { test, rounds, ..base(plan, manifest)? };
    labelled_throughout(&job, split, &job.test)?;
    Ok(job)
}

/// A job that labels the split `unlabelled` of a manifest with a model that knows its own shape and classes.
pub fn render_predict(manifest: Arc<Manifest>, shape: Shape, classes: Vec<String>) -> Result<Job, JobError> {
    Ok(Job {
        seed: 0,
        unlabelled: manifest.split("unlabelled").to_vec(),
        labelled: Vec::new(),
        validation: Vec::new(),
        test: Vec::new(),
        shape,
        rounds: vec![RoundJob::asking()],
        first_round: 0,
        first_step: 0,
        restored: Vec::new(),
        known_bad: Vec::new(),
        decode: Options::default(),
        eval_view: view(&[], shape, "predict")?,
        eval_batch: 256,
        memory: 512 << 20,
        max_bad: u64::MAX,
        rule: Rule { threshold: 0.5, balance: None, seed: 0, classes: classes.len() as u32 },
        calibrate: false,
        label_last: true,
        keep_distribution: true,
        ranks: Ranks::ONE,
        classes,
        manifest,
    })
}

/// What run and eval have in common; nothing to do yet.
fn base(plan: &Plan, manifest: Arc<Manifest>) -> Result<Job, JobError> {
    let classes = manifest.classes().to_vec();
    let soft = |RoundPlan { training, .. }: &RoundPlan| {
        training.unlabelled == UnlabelledPlan::Selected && training.targets != TargetsPlan::Hard
    };
    Ok(Job {
        seed: plan.seed,
        shape: shape(plan),
        labelled: Vec::new(),
        unlabelled: Vec::new(),
        validation: Vec::new(),
        test: Vec::new(),
        rounds: Vec::new(),
        first_round: 0,
        first_step: 0,
        restored: Vec::new(),
        known_bad: Vec::new(),
        decode: decode_options(&plan.stream.decode),
        eval_view: eval_view(plan)?,
        eval_batch: plan.stream.eval_batch,
        memory: plan.memory,
        max_bad: max_bad(plan.max_bad, manifest.entries().len()),
        rule: rule(plan, classes.len()),
        calibrate: plan.selection.calibrate.is_some(),
        label_last: plan.data.held_out.is_none(),
        keep_distribution: plan.rounds.iter().any(soft),
        ranks: Ranks::ONE,
        classes,
        manifest,
    })
}

fn rule(plan: &Plan, classes: usize) -> Rule {
    let balance = |b: &BalancePlan| Balance { per_class: b.per_class, upsample: b.upsample };
    Rule {
        threshold: plan.selection.threshold,
        balance: plan.selection.balance.as_ref().map(balance),
        seed: plan.seed,
        classes: classes as u32,
    }
}

fn max_bad(allowed: MaxBad, records: usize) -> u64 {
    match allowed {
        MaxBad::Count(count) => count,
        MaxBad::Fraction(fraction) => (fraction * records as f64).floor() as u64,
    }
}

/// Training and testing need the label of every record.
fn labelled_throughout(job: &Job, split: &str, records: &[u32]) -> Result<(), JobError> {
    if records.is_empty() {
        return Err(JobError::Empty { split: split.to_owned() });
    }
    let unlabelled = |record: &&u32| job.manifest.entries()[**record as usize].label.is_none();
    match records.iter().find(unlabelled) {
        Some(record) => Err(JobError::Unlabelled { split: split.to_owned(), place: job.manifest.place(*record) }),
        None => Ok(()),
    }
}

fn round_job(number: usize, round: &RoundPlan, shape: Shape) -> Result<RoundJob, JobError> {
    let training = &round.training;
    let place = format!("rounds[{number}].training");
    let mix = |mixing: &Mixing| match mixing.check("mix") {
        Ok(()) => Ok(MixJob {
            mixing: *mixing,
            smoothing: training.label_smoothing as f32,
            on_device: false,
            unlabelled: !matches!(training.unlabelled, UnlabelledPlan::Own(_)),
        }),
        Err(source) => Err(JobError::View { place: place.clone(), source }),
    };
    let mut views = Vec::new();
    for plan in &training.views {
        let view = RoundView {
            view: view(&plan.steps, shape, &format!("{place}: the view `{}`", plan.name))?,
            labelled: plan.of != ViewOf::Unlabelled,
            unlabelled: plan.of != ViewOf::Labelled,
        };
        views.extend(std::iter::repeat_n(view, plan.count as usize));
    }
    Ok(RoundJob {
        steps: training.steps,
        batch: training.batch,
        unlabelled_batch: training.batch * training.unlabelled_ratio,
        unlabelled: match training.unlabelled {
            UnlabelledPlan::Selected => Unlabelled::Selected,
            UnlabelledPlan::Teacher | UnlabelledPlan::Own(_) => Unlabelled::All,
        },
        views,
        soft: match training.targets {
            TargetsPlan::Hard => None,
            TargetsPlan::Soft { temperature } | TargetsPlan::Distill { temperature } => Some(temperature),
        },
        mix: training.mix.as_ref().map(mix).transpose()?,
    })
}

fn decode_options(plan: &DecodePlan) -> Options {
    Options {
        limits: Limits { pixels: plan.max_pixels, ..Limits::default() },
        truncated: if plan.keep_truncated { Truncated::Keep } else { Truncated::Refuse },
        scale: plan.scale,
        intact: false,
    }
}

fn eval_view(plan: &Plan) -> Result<View, JobError> {
    view(&plan.stream.eval, shape(plan), "stream.eval")
}

/// The steps of a view; `place` says where the pipeline has them.
fn view(steps: &[Step], shape: Shape, place: &str) -> Result<View, JobError> {
    View::new(steps.to_vec(), (shape.height, shape.width, shape.channels))
        .map_err(|source| JobError::View { place: place.to_owned(), source })
}

/// A label of a committed round, as the label book takes it.
pub fn pseudo_of(row: &LabelRow) -> Pseudo {
    let model = row.model.parse::<blake3::Hash>().map(|hash| *hash.as_bytes()).unwrap_or_default();
    Pseudo::new(row.class, row.confidence, row.round, &model, &row.distribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_out_is_tested_on_and_nothing_else() {
        let mnist = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
        let text = format!(
            "
name: tiny
data:
  sources: {{ a: {{ idx: {{ images: {mnist}/test-images-idx3-ubyte.gz, labels: {mnist}/test-labels-idx1-ubyte.gz }} }} }}
  splits:
    labelled: {{ from: a, except: test, take: {{ per_class: 20 }} }}
    unlabelled: {{ from: a, except: test }}
    test: {{ from: a, take: {{ fraction: 0.1 }} }}
stream: {{ size: [28, 28], channels: gray }}
rounds:
  - {{ model: {{ smallnet: {{ width: 16 }} }}, training: {{ steps: 10 }} }}
  - {{ model: {{ smallnet: {{ width: 16 }} }}, training: {{ steps: 10 }} }}
"
        );
        let plan = millstream_spec::parse(&text, "tiny.yaml", &[]).unwrap();
        let manifest = Arc::new(open(&plan).unwrap());
        let whole = render(&plan, Arc::clone(&manifest)).unwrap();
        let trial = render(&plan.clone().holding_out(1, 4), manifest).unwrap();
        assert_eq!((trial.labelled.len(), trial.test.len()), (150, 50));
        let mut both = [&trial.labelled[..], &trial.test[..]].concat();
        both.sort_unstable();
        assert_eq!(both, whole.labelled, "the test images are not touched");
        assert!(trial.test.iter().all(|record| whole.unlabelled.contains(record)));
        assert!(trial.test.iter().all(|record| !trial.unlabelled.contains(record)));
        assert_eq!((whole.label_last, trial.label_last), (true, false), "nobody wants a trial's last labels");
    }
}
