//! How pseudo-labels are chosen: the settings of selection, and what is wrong with them.

use thiserror::Error;

use crate::threshold::edge;

/// How pseudo-labels are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The least confidence, in (0, 1). With `balance` a multiple of 0.01.
    pub threshold: f32,
    /// Brings the classes to one size. Without it, every label at or above the threshold counts once.
    pub balance: Option<Balance>,
    /// The seed of the run, for the hash that stands where papers draw random numbers.
    pub seed: u64,
    /// How many classes there are. A label that names another class is never selected.
    pub classes: u32,
}

/// Class balancing as in Noisy Student.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// How many images each class should have, copies included.
    pub per_class: u64,
    /// Whether a class that has fewer is filled up with copies.
    pub upsample: bool,
}

/// Why a [`Rule`] cannot be followed.
#[derive(Debug, Error, PartialEq)]
pub enum LabelsError {
    /// The threshold is no probability that could separate labels.
    #[error(
        "the selection threshold is {threshold}, but it must lie between 0 and 1, both excluded; 0.85 is a good start"
    )]
    ThresholdOutOfRange {
        /// The threshold as given.
        threshold: f32,
    },
    /// Balancing counts in bins of 0.01, and the threshold lies within one.
    #[error(
        "the selection threshold {threshold} is not a multiple of 0.01, which balancing counts in; take {nearest:.2}, \
         or leave out `balance`"
    )]
    ThresholdOffGrid {
        /// The threshold as given.
        threshold: f32,
        /// The nearest threshold that balancing can use.
        nearest: f32,
    },
    /// Balancing to nothing.
    #[error("balancing asks for 0 images per class; ask for at least 1, or leave out `balance`")]
    NothingPerClass,
    /// Two ways to bring a class to a size.
    #[error(
        "a policy asks for the most confident of each class and for balancing; leave out one of `most` and `balance`"
    )]
    TopAndBalance,
    /// No class, so nothing to label.
    #[error("there are no classes to select labels for; name them in the data, for example by one folder per class")]
    NoClasses,
}

impl Rule {
    /// Whether the rule makes sense. [`book()`](crate::book()) takes any rule, and rounds a threshold off the grid up.
    ///
    /// # Errors
    /// The first thing that is wrong, as a [`LabelsError`].
    pub fn check(&self) -> Result<(), LabelsError> {
        let threshold = self.threshold;
        if self.classes == 0 {
            return Err(LabelsError::NoClasses);
        }
        if !(threshold > 0.0 && threshold < 1.0) {
            return Err(LabelsError::ThresholdOutOfRange { threshold });
        }
        self.balance.map_or(Ok(()), |balance| check_balance(threshold, balance))
    }
}

fn check_balance(threshold: f32, balance: Balance) -> Result<(), LabelsError> {
    if balance.per_class == 0 {
        return Err(LabelsError::NothingPerClass);
    }
    let nearest = edge((threshold * 100.0).round().clamp(1.0, 99.0) as u8);
    if nearest == threshold {
        return Ok(());
    }
    Err(LabelsError::ThresholdOffGrid { threshold, nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(threshold: f32, per_class: Option<u64>) -> Rule {
        let balance = per_class.map(|per_class| Balance { per_class, upsample: true });
        Rule { threshold, balance, seed: 1, classes: 10 }
    }

    #[test]
    fn good_rules_pass() {
        assert_eq!(rule(0.333, None).check(), Ok(()));
        for percent in 1..100_u8 {
            assert_eq!(rule(f32::from(percent) / 100.0, Some(1)).check(), Ok(()), "{percent}");
        }
        // As a person writes them.
        for threshold in [0.07, 0.29, 0.57, 0.58, 0.7, 0.85, 0.99] {
            assert_eq!(rule(threshold, Some(1)).check(), Ok(()), "{threshold}");
        }
    }

    #[test]
    fn bad_rules_say_what_to_do() {
        for threshold in [0.0, 1.0, -0.5, 2.0, f32::INFINITY] {
            assert_eq!(rule(threshold, None).check(), Err(LabelsError::ThresholdOutOfRange { threshold }));
        }
        assert!(rule(f32::NAN, None).check().is_err());
        assert_eq!(rule(0.5, Some(0)).check(), Err(LabelsError::NothingPerClass));
        assert_eq!(Rule { classes: 0, ..rule(0.5, None) }.check(), Err(LabelsError::NoClasses));
        let off = rule(0.333, Some(10)).check().map_err(|error| error.to_string());
        assert!(off.is_err_and(|text| text.contains("take 0.33,")));
    }
}
