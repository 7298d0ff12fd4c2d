//! `training.unlabelled` and `training.distill`.

use std::path::PathBuf;

use super::rounds::Round;
use crate::diagnostic::Code;
use crate::plan::{
    DistillPlan, FlexiblePlan, MappingPlan, OwnPlan, TargetsPlan, TeacherPlan, TrainingPlan, UnlabelledPlan, ViewOf,
    ViewPlan,
};
use crate::raw::{self, OrOff};
use crate::yaml::Path;

/// What `distill.teacher` calls the model of the round before.
const PREVIOUS: &str = "previous";

/// Where a weak and a strong view are explained.
const VIEWS: &str = "write `views: [{ name: weak, augment: [...] }, { name: strong, of: unlabelled, augment: [...] }]`";

impl Round<'_, '_> {
    pub(super) fn unlabelled(&self) -> UnlabelledPlan {
        let own = |weak: Option<&String>, threshold, weight, ramp, mean_teacher| OwnPlan {
            weak: weak.cloned(),
            threshold,
            flexible: None,
            weight,
            ramp,
            mean_teacher,
        };
        UnlabelledPlan::Own(match self.setting("unlabelled", |training| &training.unlabelled).0 {
            None | Some(raw::Unlabelled::Selected) => return UnlabelledPlan::Selected,
            Some(raw::Unlabelled::Teacher) => return UnlabelledPlan::Teacher,
            Some(raw::Unlabelled::PseudoLabel(raw::PseudoLabel {
                threshold,
                weight,
                ramp: [from, to],
                mean_teacher,
            })) => own(None, *threshold, *weight, [from.0, to.0], *mean_teacher),
            Some(raw::Unlabelled::Fixmatch(raw::FixMatch { weak, threshold, weight, mean_teacher })) => {
                own(Some(weak), *threshold, *weight, [0.0; 2], *mean_teacher)
            }
            Some(raw::Unlabelled::Flexmatch(raw::FlexMatch {
                weak,
                threshold,
                weight,
                warmup,
                mapping,
                mean_teacher,
            })) => {
                let flexible = Some(FlexiblePlan { warmup: *warmup, mapping: mapping_plan(*mapping) });
                OwnPlan { flexible, ..own(Some(weak), *threshold, *weight, [0.0; 2], *mean_teacher) }
            }
        })
    }

    /// Whether somebody's word can be had of the images as they come.
    pub(super) fn word(&mut self, plan: &TrainingPlan) {
        let (_, path) = self.setting("unlabelled", |training| &training.unlabelled);
        match &plan.unlabelled {
            UnlabelledPlan::Selected => {}
            UnlabelledPlan::Teacher => self.teacher_s_word(plan, &path),
            UnlabelledPlan::Own(own) => self.own_word(own, plan, &path),
        }
    }

    fn teacher_s_word(&mut self, plan: &TrainingPlan, path: &Path) {
        self.some_come(plan, path);
        if plan.distill.is_none() {
            let message = format!("round {} has no teacher who could say what unlabelled images are", self.number);
            let help =
                "give `distill: { teacher: FILE }`, or from the second round on `distill: { teacher: previous }`";
            self.conflict(path, &message, help);
        }
        if plan.targets != TargetsPlan::Hard {
            let (_, path) = self.setting("targets", |training| &training.targets);
            let message = "`targets` is about stored labels, but with `unlabelled: teacher` there are none";
            self.conflict(&path, message, "leave `targets` out; `distill.temperature` is that of the teacher");
        }
    }

    fn some_come(&mut self, plan: &TrainingPlan, path: &Path) {
        if plan.unlabelled_ratio == 0 {
            let help = "give `unlabelled_ratio`: how many unlabelled images come with each labelled one";
            self.conflict(path, "no unlabelled image would come: `unlabelled_ratio` is 0", help);
        }
    }

    fn own_word(&mut self, own: &OwnPlan, plan: &TrainingPlan, path: &Path) {
        self.some_come(plan, path);
        if plan.distill.is_some() {
            let help = "write `distill: off` for this round, or `unlabelled: selected`";
            self.conflict(path, "either a teacher says what unlabelled images are, or the model itself", help);
        }
        if own.mean_teacher && plan.ema.is_none() {
            let help = "give `ema`, such as `ema: 0.999`: the averaged weights are the teacher";
            self.conflict(path, "`mean_teacher` asks averaged weights, but there are none", help);
        }
        if own.ramp[0] > own.ramp[1] {
            let help = "the weight rises from the first share of the round to the second, such as `ramp: [0.1, 0.6]`";
            let ramp = path.key("pseudo_label").key("ramp");
            self.checker.key_error(&ramp, Code::OutOfRange, "the second share lies before the first", help);
        }
        if let Some(weak) = &own.weak {
            self.weak_view(weak, &plan.views, path);
        }
    }

    fn weak_view(&mut self, weak: &str, views: &[ViewPlan], path: &Path) {
        let unlabelled: Vec<&ViewPlan> = views.iter().filter(|view| view.of != ViewOf::Labelled).collect();
        match unlabelled.iter().find(|view| view.name == weak) {
            None => {
                let message = format!("unlabelled images have no view `{weak}` in which the model could be asked");
                self.conflict(path, &message, VIEWS);
            }
            Some(view) if view.count != 1 => {
                let message = format!("the view `{weak}` comes {} times, but the model is asked once", view.count);
                self.conflict(path, &message, "remove its `count`; the other views may have one");
            }
            Some(_) if unlabelled.len() == 1 => {
                let message = format!("unlabelled images have only the view `{weak}`: none would learn from it");
                self.conflict(path, &message, VIEWS);
            }
            Some(_) => {}
        }
    }

    pub(super) fn distill(&mut self) -> Option<DistillPlan> {
        let (Some(OrOff::On(raw)), path) = self.setting("distill", |training| &training.distill) else {
            return None;
        };
        let teacher = match raw.teacher.as_str() {
            PREVIOUS if self.number == 0 => {
                if self.alone || self.raw.training.distill.is_some() {
                    let message = "there is no round before the first that could teach it";
                    self.conflict(&path, message, "give `teacher: FILE`, a model file of another run");
                }
                return None;
            }
            PREVIOUS => TeacherPlan::Previous,
            file => TeacherPlan::File(PathBuf::from(file)),
        };
        let label_weight = raw.label_weight.unwrap_or((1.0 - raw.weight).max(0.0));
        Some(DistillPlan { teacher, temperature: raw.temperature, weight: raw.weight, label_weight })
    }

    fn conflict(&mut self, path: &Path, message: &str, help: &str) {
        self.checker.key_error(path, Code::Conflict, message, help);
    }
}

fn mapping_plan(raw: raw::Mapping) -> MappingPlan {
    match raw {
        raw::Mapping::Convex => MappingPlan::Convex,
        raw::Mapping::Linear => MappingPlan::Linear,
        raw::Mapping::Concave => MappingPlan::Concave,
    }
}
