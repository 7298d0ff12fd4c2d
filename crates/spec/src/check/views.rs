//! The views that a round trains on.

use std::collections::BTreeSet;

use super::rounds::Round;
use super::steps;
use crate::diagnostic::Code;
use crate::plan::{ViewOf, ViewPlan};
use crate::raw;
use crate::yaml::Path;

/// What the one view of `augment` is called.
const ONLY: &str = "train";

/// Most images that one record becomes: the number of a view within a sample is a byte.
const MOST_VIEWS: u32 = 255;

impl Round<'_, '_> {
    /// The views of the round: its own `views` or `augment`, else those of all rounds.
    pub(super) fn views(&mut self, unlabelled: bool) -> Vec<ViewPlan> {
        let own = &self.raw.training;
        let (section, path) = match own.views.is_some() || own.augment.is_some() {
            true => (own, self.path().key("training")),
            false => (self.common, Path::of(&["training"])),
        };
        match (&section.views, &section.augment) {
            (Some(views), augment) => {
                let path = path.key("views");
                if augment.is_some() {
                    let message = "`augment` and `views` both say how training images are noised";
                    let help = "make `augment` one of the views: `- { name: train, augment: [...] }`";
                    self.checker.key_error(&path, Code::Conflict, message, help);
                }
                self.several(views, &path, unlabelled)
            }
            (None, augment) => {
                let steps = augment.as_deref().unwrap_or_default();
                let steps = steps::view(self.checker, &path.key("augment"), steps, &self.defaults());
                vec![ViewPlan { name: ONLY.to_string(), steps, count: 1, of: ViewOf::All }]
            }
        }
    }

    fn several(&mut self, raw: &[raw::View], path: &Path, unlabelled: bool) -> Vec<ViewPlan> {
        let mut names = BTreeSet::new();
        let mut plan = Vec::new();
        for (position, raw) in raw.iter().enumerate() {
            let path = path.item(position);
            self.view_name(&raw.name, &path.key("name"), &mut names);
            let steps = steps::view(self.checker, &path.key("augment"), &raw.augment, &self.defaults());
            let of = match raw.of {
                raw::Of::All => ViewOf::All,
                raw::Of::Labelled => ViewOf::Labelled,
                raw::Of::Unlabelled => ViewOf::Unlabelled,
            };
            plan.push(ViewPlan { name: raw.name.clone(), steps, count: raw.count, of });
        }
        if self.checker.untouched(path) {
            self.coverage(&plan, path, unlabelled);
        }
        plan
    }

    fn view_name<'n>(&mut self, name: &'n str, path: &Path, names: &mut BTreeSet<&'n str>) {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            let help = "use letters, digits, `-` and `_`";
            self.checker.error(path, Code::OutOfRange, format!("`{name}` is no name for a view"), help);
        }
        if !names.insert(name) {
            let message = format!("two views are called `{name}`");
            self.checker.error(path, Code::Conflict, message, "give each its own name");
        }
    }

    /// Every image of a batch needs a view, and every view of an image a number.
    fn coverage(&mut self, views: &[ViewPlan], path: &Path, unlabelled: bool) {
        let lacks = |other: ViewOf| views.iter().all(|view| view.of == other);
        if lacks(ViewOf::Unlabelled) {
            let help = "the labelled images need a view, too: add one with `of: labelled`, or `of: all`";
            self.checker.key_error(path, Code::Missing, "no view is of labelled images", help);
        }
        if unlabelled && lacks(ViewOf::Labelled) {
            let message = format!("no view is of unlabelled images, but round {} trains on them", self.number);
            let help = "add a view with `of: unlabelled` or `of: all`, or set `unlabelled_ratio: 0`";
            self.checker.key_error(path, Code::Missing, message, help);
        }
        let total: u32 = views.iter().map(|view| view.count).sum();
        if total > MOST_VIEWS {
            let message = format!("the views make {total} images of one");
            let help = format!("their counts together are at most {MOST_VIEWS}");
            self.checker.key_error(path, Code::OutOfRange, message, help);
        }
    }
}
