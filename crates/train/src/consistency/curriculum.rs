//! FlexMatch's curriculum pseudo-labelling (Zhang et al. 2021, sections 3.1 to 3.4): a class that the model is seldom sure of has
//! a lower threshold.

use std::collections::BTreeMap;

use tch::{Kind, TchError, Tensor};

use crate::TrainError;
use crate::config::Mapping;
use crate::error::While;

/// The name of what is kept.
const NAME: &str = "curriculum";
/// The class of an image that the model has never been sure of.
const UNUSED: u32 = u32::MAX;

/// Which class each unlabelled image was last taken for when the model was sure (u_n of the paper), and how many images each class
/// has by that (sigma). Both are brought up to date image by image, never counted anew.
#[derive(Debug, PartialEq)]
pub(super) struct Curriculum {
    /// By the number of the record, up to the last that is not [`UNUSED`].
    seen: Vec<u32>,
    sigma: Vec<u64>,
    images: u64,
}

impl Curriculum {
    /// The model has not been sure of any image yet.
    pub(super) fn new(images: u64, classes: usize) -> Curriculum {
        Curriculum { seen: Vec::new(), sigma: vec![0; classes], images }
    }

    /// The model is sure of an image.
    pub(super) fn learnt(&mut self, record: u32, class: u32) {
        let record = record as usize;
        if record >= self.seen.len() {
            self.seen.resize(record + 1, UNUSED);
        }
        let before = std::mem::replace(&mut self.seen[record], class);
        if let Some(count) = self.sigma.get_mut(before as usize) {
            *count -= 1;
        }
        if let Some(count) = self.sigma.get_mut(class as usize) {
            *count += 1;
        }
    }

    /// `T_c = tau M(beta_c)` with `beta_c = sigma_c / max_c sigma`. In the warm-up the divisor is at least the number of images that the
    /// model has never been sure of.
    pub(super) fn thresholds(&self, tau: f64, warmup: bool, mapping: Mapping) -> Vec<f64> {
        let most = self.sigma.iter().copied().max().unwrap_or(0);
        let unused = self.images.saturating_sub(self.sigma.iter().sum());
        let divisor = if warmup { most.max(unused) } else { most };
        let beta = |sigma: u64| if divisor == 0 { 0.0 } else { sigma as f64 / divisor as f64 };
        self.sigma.iter().map(|sigma| tau * mapping.of(beta(*sigma))).collect()
    }

    pub(super) fn state(&self) -> Result<(String, Tensor), TchError> {
        let class = |class: &u32| if *class == UNUSED { -1 } else { i64::from(*class) };
        let classes: Vec<i64> = self.seen.iter().map(class).collect();
        Ok((NAME.to_owned(), Tensor::f_from_slice(&classes)?))
    }

    pub(super) fn restore(&mut self, kept: &mut BTreeMap<String, Tensor>) -> Result<(), TrainError> {
        let unusable = |what: &str| TrainError::Tensors(format!("what was learnt of each class {what}"));
        let kept = kept.remove(NAME).ok_or_else(|| unusable("is missing"))?;
        if kept.kind() != Kind::Int64 {
            return Err(unusable("is no list of classes"));
        }
        let mut classes = vec![0_i64; kept.numel()];
        kept.f_copy_data(&mut classes, kept.numel()).during("restoring the state")?;
        *self = Curriculum::new(self.images, self.sigma.len());
        for (record, class) in (0..).zip(classes) {
            match u32::try_from(class) {
                Ok(class) if (class as usize) < self.sigma.len() => self.learnt(record, class),
                Ok(_) => return Err(unusable("names a class that there is not")),
                Err(_) => {}
            }
        }
        Ok(())
    }
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
        let classes = (0..).zip(sigma).flat_map(|(class, count)| std::iter::repeat_n(class, *count as usize));
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
    }

    #[test]
    fn what_was_learnt_survives_a_restart() {
        let curriculum = after(10, &[2, 1]);
        let mut restored = Curriculum::new(10, 2);
        restored.learnt(9, 1);
        let mut state = BTreeMap::from([curriculum.state().unwrap()]);
        restored.restore(&mut state).unwrap();
        assert_eq!((restored, state.len()), (curriculum, 0));
        let refused = |state: &[(&str, Tensor)]| {
            let mut state = state.iter().map(|(name, list)| (name.to_string(), list.shallow_clone())).collect();
            Curriculum::new(10, 2).restore(&mut state).unwrap_err().to_string()
        };
        assert!(refused(&[]).contains("is missing"));
        assert!(refused(&[(NAME, Tensor::from_slice(&[0.5f32]))]).contains("no list"));
        assert!(refused(&[(NAME, Tensor::from_slice(&[0_i64, 2]))]).contains("class that there is not"));
    }
}
