//! What goes beyond [`Rule`]: thresholds of each class, the most of each class, and several teachers.

use crate::rule::{Balance, LabelsError, Rule};
use crate::select::Candidate;
use crate::teachers::Agreement;
use crate::threshold::{bin_of, first_bin};

/// How the labels of a corpus are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Threshold, balancing, seed and classes.
    pub rule: Rule,
    /// The least confidence of each class, which replaces the threshold of the rule; classes past the end have that
    /// threshold. Infinity, or no number, for a class that is never selected. See [`class_thresholds`](crate::class_thresholds).
    /// Balancing counts in bins of 0.01 and rounds up.
    pub thresholds: Vec<f32>,
    /// At most so many records of each class: the most confident, and among equals those with the smaller hash of seed and
    /// key. Not together with balancing.
    pub most: Option<u64>,
    /// How several teachers become one.
    pub agreement: Agreement,
}

impl From<Rule> for Policy {
    fn from(rule: Rule) -> Self {
        Policy { rule, thresholds: Vec::new(), most: None, agreement: Agreement::All }
    }
}

impl Policy {
    /// Whether the policy makes sense. [`curate`](crate::curate) takes any; where it asks for both, `most` goes before balancing.
    ///
    /// # Errors
    /// The first thing that is wrong, as a [`LabelsError`].
    pub fn check(&self) -> Result<(), LabelsError> {
        self.rule.check()?;
        match (self.most, self.rule.balance) {
            (Some(0), _) => Err(LabelsError::NothingPerClass),
            (Some(_), Some(_)) => Err(LabelsError::TopAndBalance),
            _ => Ok(()),
        }
    }

    /// The least confidence of a class.
    pub(crate) fn threshold(&self, class: u32) -> f32 {
        let threshold = self.thresholds.get(class as usize).copied().unwrap_or(self.rule.threshold);
        if threshold.is_nan() { f32::INFINITY } else { threshold }
    }

    /// Balancing, where it is what decides.
    pub(crate) fn balance(&self) -> Option<Balance> {
        self.rule.balance.filter(|_| self.most.is_none())
    }

    /// Whether a label is sure enough to be selected, where there is room for it.
    pub(crate) fn admits(&self, candidate: &Candidate) -> bool {
        let Candidate { class, confidence, .. } = *candidate;
        let sure = match self.balance() {
            Some(_) => bin_of(confidence) >= self.floor(class),
            None => confidence.get() >= self.threshold(class),
        };
        class < self.rule.classes && sure
    }

    /// The first bin of a class that counts when balancing.
    pub(crate) fn floor(&self, class: u32) -> u8 {
        first_bin(self.threshold(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_chooses_one_way() {
        let rule = Rule { threshold: 0.5, balance: None, seed: 1, classes: 3 };
        let policy = Policy { most: Some(5), ..Policy::from(rule) };
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(Policy { most: Some(0), ..policy.clone() }.check(), Err(LabelsError::NothingPerClass));
        let balance = Some(Balance { per_class: 3, upsample: true });
        let both = Policy { rule: Rule { balance, ..rule }, ..policy.clone() };
        assert_eq!(both.check(), Err(LabelsError::TopAndBalance));
        assert_eq!(Policy { rule: Rule { classes: 0, ..rule }, ..policy }.check(), Err(LabelsError::NoClasses));
    }
}
