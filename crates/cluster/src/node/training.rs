//! How a round trains: the words of the plan in those of the training node.

use std::path::PathBuf;

use millstream_spec::{
    ClipPlan, DistillPlan, EmaPlan, FlexiblePlan, FreezePlan, MappingPlan, OptimizerPlan, PrecisionPlan, RatesPlan,
    SchedulePlan, TargetsPlan, TeacherPlan, TrainingPlan, TransferPlan, UnlabelledPlan, ViewPlan,
};
use millstream_train::{
    Clip, ConsistencyConfig, EmaConfig, Freeze, Mapping, OptimizerKind, Precision, RateGroup, Rates, ScheduleKind,
    TeacherConfig, Threshold, Transfer,
};

pub(super) fn precision(plan: PrecisionPlan) -> Precision {
    match plan {
        PrecisionPlan::Float32 => Precision::Float32,
        PrecisionPlan::BFloat16 => Precision::BFloat16,
    }
}

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

/// What of the model trains, and how fast.
pub(super) fn transfer(plan: &TransferPlan) -> Transfer {
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

/// How unlabelled images teach that come without targets.
pub(super) fn consistency(plan: &TrainingPlan, unlabelled: usize) -> Option<ConsistencyConfig> {
    let UnlabelledPlan::Own(own) = &plan.unlabelled else { return None };
    let threshold = match own.flexible {
        None => Threshold::Fixed(own.threshold),
        Some(FlexiblePlan { warmup, mapping }) => {
            Threshold::Flexible { tau: own.threshold, warmup, mapping: self::mapping(mapping) }
        }
    };
    Some(ConsistencyConfig {
        weak: own.weak.as_ref().and_then(|weak| number(&plan.views, weak)),
        threshold,
        weight: own.weight,
        ramp: own.ramp,
        soft: match plan.targets {
            TargetsPlan::Hard => None,
            TargetsPlan::Soft { temperature } | TargetsPlan::Distill { temperature } => Some(temperature),
        },
        images: unlabelled as u64,
        mean_teacher: own.mean_teacher,
    })
}

fn mapping(plan: MappingPlan) -> Mapping {
    match plan {
        MappingPlan::Convex => Mapping::Convex,
        MappingPlan::Linear => Mapping::Linear,
        MappingPlan::Concave => Mapping::Concave,
    }
}

/// The number that the samples of a view have: a view takes as many as its count.
fn number(views: &[ViewPlan], name: &str) -> Option<u8> {
    let before: u32 = views.iter().take_while(|view| view.name != name).map(|view| view.count).sum();
    u8::try_from(before).ok()
}

/// The teacher of a round; none where it is the round before and there is none.
pub(super) fn teacher(plan: &DistillPlan, previous: Option<PathBuf>) -> Option<TeacherConfig> {
    let path = match &plan.teacher {
        TeacherPlan::File(path) => path.clone(),
        TeacherPlan::Previous => previous?,
    };
    let DistillPlan { temperature, weight, label_weight: task, .. } = *plan;
    Some(TeacherConfig { path, temperature, task, weight })
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Plan and node call everything by the same name.
    #[track_caller]
    fn same(plan: impl Debug, kind: impl Debug) {
        assert_eq!(format!("{plan:?}"), format!("{kind:?}"));
    }

    #[test]
    fn every_setting_arrives_where_it_belongs() {
        let (lr, momentum, nesterov, weight_decay, betas, eps) = (0.1, 0.2, true, 0.3, [0.4, 0.5], 0.6);
        for plan in [
            OptimizerPlan::Sgd { lr, momentum, nesterov, weight_decay },
            OptimizerPlan::AdamW { lr, betas, eps, weight_decay },
            OptimizerPlan::RmsProp { lr, decay: 0.7, momentum, eps, weight_decay },
            OptimizerPlan::Lars { lr, momentum, nesterov, weight_decay, trust: 0.8, eps },
            OptimizerPlan::Lamb { lr, betas, eps, weight_decay },
        ] {
            same(plan, optimizer(plan));
        }
        for plan in [
            SchedulePlan::Constant,
            SchedulePlan::Cosine { warmup: 1, floor: 0.2 },
            SchedulePlan::CosineArc { warmup: 1, half_turns: 0.2 },
            SchedulePlan::OneCycle { warmup: 0.1 },
            SchedulePlan::Step { every: 1, gamma: 0.2 },
            SchedulePlan::Exponential { warmup: 1, every: 0.2, decay: 0.3, staircase: true },
        ] {
            same(plan, schedule(plan));
        }
        for plan in [PrecisionPlan::Float32, PrecisionPlan::BFloat16] {
            same(plan, precision(plan));
        }
        for plan in [ClipPlan::Norm(0.1), ClipPlan::Value(0.2)] {
            same(plan, clip(plan));
        }
        for plan in [MappingPlan::Convex, MappingPlan::Linear, MappingPlan::Concave] {
            same(plan, mapping(plan));
        }
        assert_eq!(ema(EmaPlan { decay: 0.1, warmup: true }), EmaConfig { decay: 0.1, warmup: true });
    }

    /// The one round of a pipeline with these training settings.
    fn training(settings: &str) -> TrainingPlan {
        let text = format!(
            "{{name: a, data: {{sources: {{all: {{folder: {{path: a}}}}}}, splits: {{labelled: {{from: all}}, unlabelled: {{from: all}}, \
             test: {{from: all}}}}}}, stream: {{size: [28, 28], channels: gray}}, training: {{steps: 9, {settings}}}, \
             rounds: [{{model: {{smallnet: {{width: 8}}}}}}]}}"
        );
        millstream_spec::parse(&text, "test.yaml", &[]).unwrap_or_else(|mistakes| panic!("{mistakes}")).rounds[0]
            .training
            .clone()
    }

    #[test]
    fn the_model_s_own_word_is_asked_in_the_view_of_that_name() {
        let views = "views: [{name: strong, count: 3}, {name: weak}]";
        let plan = training(&format!(
            "{views}, ema: 0.99, unlabelled: {{flexmatch: {{mean_teacher: true, threshold: 0.9, weight: 2, warmup: false, mapping: linear}}}}, targets: {{soft: {{temperature: 0.5}}}}"
        ));
        let threshold = Threshold::Flexible { tau: 0.9, warmup: false, mapping: Mapping::Linear };
        let wanted = ConsistencyConfig {
            weak: Some(3),
            threshold,
            weight: 2.0,
            ramp: [0.0; 2],
            soft: Some(0.5),
            images: 7,
            mean_teacher: true,
        };
        assert_eq!(consistency(&plan, 7), Some(wanted));
        let plan = training("unlabelled: {pseudo_label: {threshold: 0.1, ramp: [0.25, 0.5]}}");
        let found = consistency(&plan, 7).unwrap();
        assert_eq!((found.weak, found.threshold, found.ramp), (None, Threshold::Fixed(0.1), [0.25, 0.5]));
        assert_eq!(consistency(&training("unlabelled: selected"), 7), None);
    }

    #[test]
    fn a_teacher_is_a_file_or_the_model_before() {
        let plan = training("distill: {teacher: a.safetensors, temperature: 3, weight: 0.75, label_weight: 0.5}");
        let config = |path: &str| TeacherConfig { path: path.into(), temperature: 3.0, task: 0.5, weight: 0.75 };
        let plan = plan.distill.unwrap();
        assert_eq!(teacher(&plan, Some("b".into())), Some(config("a.safetensors")));
        let previous = DistillPlan { teacher: TeacherPlan::Previous, ..plan };
        assert_eq!(teacher(&previous, Some("b".into())), Some(config("b")));
        assert_eq!(teacher(&previous, None), None);
    }
}
