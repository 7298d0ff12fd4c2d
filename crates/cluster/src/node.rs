//! Joins the training nodes of `train` to the stream of `dataflow`: neither knows the other.

use std::path::{Path, PathBuf};

use millstream_data::Batch;
use millstream_dataflow::{ModelHash, StepMetrics, Trainer, TrainerError};
use millstream_spec::{
    FreezePlan, ModelPlan, OptimizerPlan, Plan, RatesPlan, RoundPlan, SchedulePlan, TrainingPlan, TransferPlan,
    WeightsPlan,
};
use millstream_train::{
    Device, Freeze, ModelKind, OptimizerKind, RateGroup, Rates, RoundConfig, ScheduleKind, Session, SessionConfig,
    Transfer,
};

use crate::run_dir::model_file;

/// A training node that trains each round's model and keeps it in the run directory.
pub(crate) struct TrainingNode {
    session: Session,
    rounds: Vec<RoundConfig>,
    run: PathBuf,
}

impl TrainingNode {
    pub(crate) fn new(config: SessionConfig, rounds: Vec<RoundConfig>, run: PathBuf) -> Result<Self, TrainerError> {
        Ok(TrainingNode { session: Session::new(config)?, rounds, run })
    }
}

impl Trainer for TrainingNode {
    fn begin(&mut self, round: u32) -> Result<(), TrainerError> {
        let config = self.rounds.get(round as usize).ok_or("the plan has no such round")?;
        Ok(self.session.begin(round, config)?)
    }

    fn step(&mut self, step: u32, batch: &Batch) -> Result<StepMetrics, TrainerError> {
        let metrics = self.session.step(step, batch)?;
        Ok(StepMetrics { loss: metrics.loss, learning_rate: metrics.learning_rate })
    }

    fn finish(&mut self, round: u32) -> Result<ModelHash, TrainerError> {
        Ok(self.session.save(&model_file(&self.run, round))?)
    }

    fn predict(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainerError> {
        Ok(self.session.predict(batch)?)
    }
}

/// A node that only asks a model that somebody trained before.
pub(crate) struct AskingNode {
    session: Session,
    hash: ModelHash,
}

impl AskingNode {
    pub(crate) fn new(model: &Path, device: Device, threads: u32) -> Result<Self, TrainerError> {
        let hash = millstream_data::hash_file(model)?;
        Ok(AskingNode { session: Session::load(model, device, threads)?, hash })
    }
}

impl Trainer for AskingNode {
    fn begin(&mut self, _round: u32) -> Result<(), TrainerError> {
        Ok(())
    }

    fn step(&mut self, _step: u32, _batch: &Batch) -> Result<StepMetrics, TrainerError> {
        Err("this node does not train".into())
    }

    fn finish(&mut self, _round: u32) -> Result<ModelHash, TrainerError> {
        Ok(self.hash)
    }

    fn predict(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainerError> {
        Ok(self.session.predict(batch)?)
    }
}

/// The settings of a training session, as the plan has them.
pub(crate) fn session_config(plan: &Plan, classes: Vec<String>, device: Device) -> SessionConfig {
    SessionConfig {
        seed: plan.seed,
        classes,
        shape: millstream_dataflow::shape(plan),
        mean: plan.stream.mean.clone(),
        std: plan.stream.std.clone(),
        device,
        threads: plan.threads,
    }
}

/// The settings of a round, as the plan has them. `previous` is the model file of the round before, if there is one yet.
pub(crate) fn round_config(round: &RoundPlan, previous: Option<PathBuf>) -> RoundConfig {
    let training = &round.training;
    RoundConfig {
        model: match round.model {
            ModelPlan::SmallNet { width, dropout } => ModelKind::SmallNet { width, dropout },
            ModelPlan::AlexNet { dropout } => ModelKind::AlexNet { dropout },
        },
        weights: match &round.weights {
            WeightsPlan::Fresh => None,
            WeightsPlan::File(path) => Some(path.clone()),
            WeightsPlan::Previous => previous,
        },
        transfer: training.transfer.as_ref().map(transfer).unwrap_or_default(),
        features_keep: repeats(training),
        steps: training.steps,
        optimizer: match training.optimizer {
            OptimizerPlan::Sgd { lr, momentum, nesterov, weight_decay } => {
                OptimizerKind::Sgd { lr, momentum, nesterov, weight_decay }
            }
        },
        schedule: match training.schedule {
            SchedulePlan::Constant => ScheduleKind::Constant,
            SchedulePlan::Cosine { warmup } => ScheduleKind::Cosine { warmup },
            SchedulePlan::OneCycle { warmup } => ScheduleKind::OneCycle { warmup },
        },
        label_smoothing: training.label_smoothing,
        ema: training.ema,
        unlabelled_weight: f64::from(training.unlabelled_ratio),
    }
}

fn transfer(plan: &TransferPlan) -> Transfer {
    Transfer {
        freeze: match &plan.freeze {
            None => Freeze::Nothing,
            Some(FreezePlan::Body) => Freeze::Body,
            Some(FreezePlan::Tensors(patterns)) => Freeze::Tensors(patterns.clone()),
        },
        rates: match &plan.rates {
            None => Rates::Equal,
            Some(RatesPlan::LayerDecay { decay, min }) => Rates::LayerDecay { decay: *decay, min: *min },
            Some(RatesPlan::Groups(groups)) => {
                let group = groups.iter().map(|group| RateGroup { pattern: group.pattern.clone(), rate: group.rate });
                Rates::Groups(group.collect())
            }
        },
    }
}

/// Whether a view of a record is the same image whenever it comes.
fn repeats(training: &TrainingPlan) -> bool {
    let random = training.views.iter().flat_map(|view| &view.steps).any(|step| step.is_random());
    training.mix.is_none() && !random
}

/// A model as tables name it: `smallnet(16)`.
pub fn model_name(model: &ModelPlan) -> String {
    match model {
        ModelPlan::SmallNet { width, .. } => format!("smallnet({width})"),
        ModelPlan::AlexNet { .. } => "alexnet".to_owned(),
    }
}
