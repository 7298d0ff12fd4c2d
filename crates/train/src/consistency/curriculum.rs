//! FlexMatch's curriculum pseudo-labelling (Zhang et al. 2021, sections 3.1 to 3.4): a class that the model is seldom sure of has
//! a lower threshold.

use std::collections::BTreeMap;

use tch::{TchError, Tensor};

use crate::TrainError;
use crate::config::Mapping;
use crate::error::While;

const RECORDS: &str = "curriculum.records";
const CLASSES: &str = "curriculum.classes";
const NAMES: [&str; 2] = [RECORDS, CLASSES];

/// Which class each unlabelled image was last taken for when the model was sure (u_n of the paper), and how many images each class
/// has by that (sigma). Both are brought up to date image by image, never counted anew.
#[derive(Debug, PartialEq)]
pub(super) struct Curriculum {
    seen: BTreeMap<u32, u32>,
    sigma: Vec<u64>,
    images: u64,
}

impl Curriculum {
    /// The model has not been sure of any image yet.
    pub(super) fn new(images: u64, classes: usize) -> Curriculum {
        Curriculum { seen: BTreeMap::new(), sigma: vec![0; classes], images }
    }

    /// The model is sure of an image.
    pub(super) fn learnt(&mut self, record: u32, class: usize) {
        let before = self.seen.insert(record, class as u32);
        if let Some(count) = before.and_then(|class| self.sigma.get_mut(class as usize)) {
            *count -= 1;
        }
        if let Some(count) = self.sigma.get_mut(class) {
            *count += 1;
        }
    }

    /// `T_c = tau M(beta_c)` with `beta_c = sigma_c / max_c sigma`. In the warm-up the divisor is at least the number of images that the
    /// model has never been sure of.
    pub(super) fn thresholds(&self, tau: f64, warmup: bool, mapping: Mapping) -> Vec<f64> {
        let most = self.sigma.iter().copied().max().unwrap_or(0);
        let unused = self.images.saturating_sub(self.seen.len() as u64);
        let divisor = if warmup { most.max(unused) } else { most };
        let beta = |sigma: u64| if divisor == 0 { 0.0 } else { sigma as f64 / divisor as f64 };
        self.sigma.iter().map(|sigma| tau * mapping.of(beta(*sigma))).collect()
    }

    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        let records: Vec<i64> = self.seen.keys().map(|record| i64::from(*record)).collect();
        let classes: Vec<i64> = self.seen.values().map(|class| i64::from(*class)).collect();
        [(RECORDS, records), (CLASSES, classes)].map(|(name, list)| (name.to_owned(), Tensor::from_slice(&list))).into()
    }

    pub(super) fn restore(&mut self, kept: &mut BTreeMap<String, Tensor>) -> Result<(), TrainError> {
        let lists = NAMES.map(|name| kept.remove(name));
        let [Some(records), Some(classes)] = lists else {
            return Err(TrainError::Batch("the checkpoint lacks the thresholds of the classes".to_owned()));
        };
        let (records, classes) =
            (numbers(&records).during("restoring the state")?, numbers(&classes).during("restoring the state")?);
        *self = Curriculum::new(self.images, self.sigma.len());
        records.into_iter().zip(classes).for_each(|(record, class)| self.learnt(record, class as usize));
        Ok(())
    }
}

/// Whole numbers that were record numbers or classes.
fn numbers(list: &Tensor) -> Result<Vec<u32>, TchError> {
    let mut values = vec![0_i64; list.numel()];
    list.f_copy_data(&mut values, list.numel())?;
    Ok(values.into_iter().map(|value| u32::try_from(value).unwrap_or(u32::MAX)).collect())
}

impl Mapping {
    /// How far a threshold goes towards tau for a share of learning effect, both in [0, 1] (section 3.4).
    fn of(self, beta: f64) -> f64 {
        match self {
            Mapping::Convex => beta / (2.0 - beta),
            Mapping::Linear => beta,
            Mapping::Concave => (beta + 1.0).ln() / std::f64::consts::LN_2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(images: u64, sigma: &[u32]) -> Curriculum {
        let mut curriculum = Curriculum::new(images, sigma.len());
        let classes = sigma.iter().enumerate().flat_map(|(class, count)| std::iter::repeat_n(class, *count as usize));
        (0..).zip(classes).for_each(|(record, class)| curriculum.learnt(record, class));
        curriculum
    }

    #[track_caller]
    fn check(found: &[f64], wanted: [f64; 3]) {
        assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 5e-5), "{found:?}");
    }

    #[test]
    fn thresholds_follow_the_learning_effect_of_a_class() {
        check(&after(100, &[50, 10, 5]).thresholds(0.95, true, Mapping::Convex), [0.95, 0.105_56, 0.05]);
        check(&after(100, &[10, 2, 1]).thresholds(0.95, true, Mapping::Convex), [0.057_93, 0.011_05, 0.005_49]);
        check(&after(100, &[10, 2, 1]).thresholds(0.95, false, Mapping::Linear), [0.95, 0.19, 0.095]);
        check(&after(100, &[10, 5, 0]).thresholds(1.0, false, Mapping::Concave), [1.0, 0.585, 0.0]);
        check(&after(100, &[0, 0, 0]).thresholds(0.95, false, Mapping::Convex), [0.0; 3]);
    }

    #[test]
    fn an_image_counts_for_the_class_it_was_last_taken_for() {
        let mut curriculum = after(10, &[2, 1]);
        curriculum.learnt(0, 1);
        curriculum.learnt(0, 1);
        assert_eq!(curriculum.sigma, [1, 2]);
        curriculum.learnt(7, 99);
        assert_eq!(curriculum.sigma, [1, 2], "a class that there is not");
    }

    #[test]
    fn what_was_learnt_survives_a_restart() {
        let curriculum = after(10, &[2, 1]);
        let mut restored = Curriculum::new(10, 2);
        restored.learnt(9, 1);
        let mut state: BTreeMap<_, _> = curriculum.state().into_iter().collect();
        restored.restore(&mut state).unwrap();
        assert_eq!((restored, state.len()), (curriculum, 0));
        assert!(Curriculum::new(10, 2).restore(&mut state).is_err());
    }
}
