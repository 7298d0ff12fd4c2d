//! How a round trains: the words of the plan in those of the training node.

use millstream_spec::{ClipPlan, EmaPlan, OptimizerPlan, SchedulePlan};
use millstream_train::{Clip, EmaConfig, OptimizerKind, ScheduleKind};

pub(super) fn optimizer(plan: OptimizerPlan) -> OptimizerKind {
    match plan {
        OptimizerPlan::Sgd { lr, momentum, nesterov, weight_decay } => {
            OptimizerKind::Sgd { lr, momentum, nesterov, weight_decay }
        }
        OptimizerPlan::AdamW { lr, betas, eps, weight_decay } => OptimizerKind::AdamW { lr, betas, eps, weight_decay },
        OptimizerPlan::RmsProp { lr, decay, momentum, eps, weight_decay } => {
            OptimizerKind::RmsProp { lr, decay, momentum, eps, weight_decay }
        }
        OptimizerPlan::Lars { lr, momentum, nesterov, weight_decay, trust, eps } => {
            OptimizerKind::Lars { lr, momentum, nesterov, weight_decay, trust, eps }
        }
        OptimizerPlan::Lamb { lr, betas, eps, weight_decay } => OptimizerKind::Lamb { lr, betas, eps, weight_decay },
    }
}

pub(super) fn schedule(plan: SchedulePlan) -> ScheduleKind {
    match plan {
        SchedulePlan::Constant => ScheduleKind::Constant,
        SchedulePlan::Cosine { warmup, floor } => ScheduleKind::Cosine { warmup, floor },
        SchedulePlan::CosineArc { warmup, half_turns } => ScheduleKind::CosineArc { warmup, half_turns },
        SchedulePlan::OneCycle { warmup } => ScheduleKind::OneCycle { warmup },
        SchedulePlan::Step { every, gamma } => ScheduleKind::Step { every, gamma },
        SchedulePlan::Exponential { warmup, every, decay, staircase } => {
            ScheduleKind::Exponential { warmup, every, decay, staircase }
        }
    }
}

pub(super) fn clip(plan: ClipPlan) -> Clip {
    match plan {
        ClipPlan::Norm(most) => Clip::Norm(most),
        ClipPlan::Value(most) => Clip::Value(most),
    }
}

pub(super) fn ema(EmaPlan { decay, warmup }: EmaPlan) -> EmaConfig {
    EmaConfig { decay, warmup }
}
