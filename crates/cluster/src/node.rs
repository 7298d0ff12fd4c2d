//! Joins the training nodes of `train` to the stream of `dataflow`: neither knows the other.

mod training;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use millstream_c10d::ProcessGroup;
use millstream_data::Batch;
use millstream_dataflow::{Ahead, Job, ModelHash, Progress, StepMetrics, Trainer, TrainerError, TrainerFactory};
use millstream_spec::{ModelPlan, Plan, RoundPlan, TargetsPlan, TrainingPlan, WeightsPlan};
use millstream_train::{Device, ModelKind, ModelSettings, RoundConfig, Session, SessionConfig, TrainError};

use crate::checkpoint::{Checkpoints, Kept};
use crate::run_dir::model_file;

/// A training node that trains each round's model and keeps it in the run directory.
pub(crate) struct TrainingNode {
    session: Session,
    rounds: Vec<RoundConfig>,
    run: PathBuf,
    checkpoints: Option<Checkpoints>,
    /// Where the first round goes on from, if that is its middle.
    kept: Option<Kept>,
}

/// What each training node of a run is made by.
pub(crate) struct NodeSettings {
    pub(crate) session: SessionConfig,
    pub(crate) rounds: Vec<RoundConfig>,
    pub(crate) run: PathBuf,
}

impl NodeSettings {
    /// Makes the node of this process on the thread where it will live. Only the first of several keeps checkpoints.
    pub(crate) fn trainer(
        self,
        checkpoints: Option<Checkpoints>,
        kept: Option<Kept>,
        peers: Option<ProcessGroup>,
    ) -> Arc<TrainerFactory> {
        let own = Mutex::new(Some((checkpoints, kept, peers)));
        Arc::new(move || {
            let own = own.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (checkpoints, kept, peers) = own.ok_or("this process has a training node already")?;
            let session = Session::new(self.session.clone())?;
            let session = match peers {
                Some(peers) => session.with_peers(peers),
                None => session,
            };
            let (rounds, run) = (self.rounds.clone(), self.run.clone());
            Ok(Box::new(TrainingNode { session, rounds, run, checkpoints, kept }))
        })
    }
}

impl TrainingNode {
    /// Keeps what the round has come to, where checkpoints are kept and this one is wanted.
    fn checkpoint_if(
        &mut self,
        wanted: impl FnOnce(&Checkpoints) -> bool,
        round: u32,
        progress: &Progress,
    ) -> Result<(), TrainerError> {
        match &mut self.checkpoints {
            Some(checkpoints) if wanted(checkpoints) => checkpoints.write(round, progress, self.session.snapshot()),
            _ => Ok(()),
        }
    }
}

impl TrainingNode {
    /// A node without the run directory keeps the last model alone, for a next round that starts from it or asks it.
    fn make_room(&self, round: u32, path: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(path.parent().unwrap_or(&self.run))?;
        let before = round.checked_sub(1).map(|before| model_file(&self.run, before));
        match before.filter(|before| before.exists()) {
            Some(before) => std::fs::remove_file(before),
            None => Ok(()),
        }
    }
}

impl Trainer for TrainingNode {
    fn begin(&mut self, round: u32) -> Result<Progress, TrainerError> {
        let config = self.rounds.get(round as usize).ok_or("the plan has no such round")?;
        self.session.begin(round, config)?;
        match self.kept.take().filter(|kept| kept.round == round) {
            Some(kept) => {
                self.session.restore(&kept.path)?;
                Ok(kept.progress)
            }
            None => Ok(Progress::default()),
        }
    }

    fn keep(&mut self, round: u32, progress: &Progress) -> Result<(), TrainerError> {
        let steps = self.rounds.get(round as usize).map_or(0, |config| config.steps);
        self.checkpoint_if(|checkpoints| checkpoints.due(progress, steps), round, progress)
    }

    fn pause(&mut self, round: u32, progress: &Progress) -> Result<(), TrainerError> {
        self.checkpoint_if(|checkpoints| checkpoints.is_news(round, progress), round, progress)
    }

    fn meet(&mut self) -> Result<(), TrainerError> {
        Ok(self.session.meet()?)
    }

    fn step(&mut self, step: u32, batch: &Batch, next: &mut Ahead<'_>) -> Result<StepMetrics, TrainerError> {
        self.session.launch(step, batch)?;
        if self.session.on_gpu()
            && let Some(next) = next.batch()
        {
            self.session.prefetch(next)?;
        }
        let metrics = self.session.conclude()?;
        Ok(StepMetrics {
            loss: metrics.loss,
            images: metrics.images,
            learning_rate: metrics.learning_rate,
            labelled: metrics.labelled,
            labelled_correct: metrics.labelled_correct,
            asked: metrics.asked,
            accepted: metrics.accepted,
            peers: metrics.peers,
        })
    }

    fn finish(&mut self, round: u32) -> Result<ModelHash, TrainerError> {
        // The commit of the round removes its checkpoints: none may come after that.
        self.checkpoints.iter_mut().for_each(Checkpoints::settle);
        let path = model_file(&self.run, round);
        if self.session.rank() > 0 {
            self.make_room(round, &path)?;
        }
        Ok(self.session.save(&path)?)
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
    fn begin(&mut self, _round: u32) -> Result<Progress, TrainerError> {
        Ok(Progress::default())
    }

    fn step(&mut self, _step: u32, _batch: &Batch, _next: &mut Ahead<'_>) -> Result<StepMetrics, TrainerError> {
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
        precision: training::precision(plan.precision),
        deterministic: plan.deterministic,
        threads: plan.threads,
    }
}

/// The settings of all rounds of a job, whose models lie in a run directory.
pub(crate) fn round_configs(plan: &Plan, job: &Job, run: &Path) -> Result<Vec<RoundConfig>, TrainError> {
    let before = |number: usize| number.checked_sub(1).map(|before| model_file(run, before as u32));
    let unlabelled = job.untold().len();
    plan.rounds.iter().enumerate().map(|(number, round)| round_config(round, before(number), unlabelled)).collect()
}

/// The settings of a round, as the plan has them. `previous` is the model file of the round before, if there is one yet; there are
/// so many `unlabelled` images.
pub(crate) fn round_config(
    round: &RoundPlan,
    previous: Option<PathBuf>,
    unlabelled: usize,
) -> Result<RoundConfig, TrainError> {
    let plan = &round.training;
    let ModelPlan { name, width, dropout, drop_path } = round.model;
    let settings = ModelSettings { width, dropout: Some(dropout), drop_path };
    Ok(RoundConfig {
        model: ModelKind::new(name, &settings)?,
        weights: match &round.weights {
            WeightsPlan::Fresh => None,
            WeightsPlan::File(path) => Some(path.clone()),
            WeightsPlan::Previous => previous.clone(),
        },
        transfer: plan.transfer.as_ref().map(training::transfer).unwrap_or_default(),
        features_keep: repeats(plan),
        steps: plan.steps,
        optimizer: training::optimizer(plan.optimizer),
        schedule: training::schedule(plan.schedule),
        clip: plan.clip.map(training::clip),
        accumulate: plan.accumulate,
        sync_batch_norm: plan.sync_batch_norm,
        label_smoothing: plan.label_smoothing,
        ema: plan.ema.map(training::ema),
        unlabelled_weight: f64::from(plan.unlabelled_ratio),
        distilled: match plan.targets {
            TargetsPlan::Distill { temperature } => Some(temperature),
            _ => None,
        },
        consistency: training::consistency(plan, unlabelled),
        teacher: plan.distill.as_ref().and_then(|distill| training::teacher(distill, previous)),
    })
}

/// Whether a view of a record is the same image whenever it comes.
fn repeats(training: &TrainingPlan) -> bool {
    let random = training.views.iter().flat_map(|view| &view.steps).any(|step| step.is_random());
    training.mix.is_none() && !random
}
