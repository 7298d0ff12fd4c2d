//! The YAML definition of a pipeline: reading, checking, and the typed plan.

mod plan;

pub use plan::{
    BalancePlan, DataPlan, FilterPlan, KeyPlan, LabelFormat, LayoutPlan, MaxBad, ModelPlan, OpPlan,
    OptimizerPlan, OutputPlan, Plan, RoundPlan, SchedulePlan, SelectionPlan, SourcePlan, SplitPlan,
    StepPlan, StreamPlan, TakePlan, TargetsPlan, TrainingPlan,
};
