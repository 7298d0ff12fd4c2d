//! Settings of RandAugment side by side.

use std::str::FromStr;

use anyhow::bail;
use millstream_imageops::Step;
use millstream_spec::Plan;

use crate::exit::Request;

/// What is varied, and its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Compare {
    /// The magnitude of all ops.
    Magnitudes(Vec<f32>),
    /// How many ops are drawn.
    Ops(Vec<u32>),
}

impl FromStr for Compare {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (knob, values) =
            text.split_once('=').ok_or("write M=3,9,15 for magnitudes, or N=1,2,3 for numbers of ops")?;
        match knob.trim() {
            "M" | "m" => numbers(values).map(Compare::Magnitudes),
            "N" | "n" => numbers(values).map(Compare::Ops),
            other => Err(format!("{other} cannot be compared: M is the magnitude, N the number of ops")),
        }
    }
}

fn numbers<T: FromStr>(values: &str) -> Result<Vec<T>, String> {
    let number = |value: &str| value.trim().parse().map_err(|_| format!("{value:?} is no such number"));
    values.split(',').map(number).collect()
}

impl Compare {
    /// The pipeline with each of the values in every RandAugment of a round's views, and what to call it.
    pub(super) fn variants(&self, plan: &Plan, round: u32) -> anyhow::Result<Vec<(String, Plan)>> {
        let with = |name: String, set: &dyn Fn(&mut u32, &mut f32)| -> anyhow::Result<(String, Plan)> {
            let mut plan = plan.clone();
            let views = plan.rounds.get_mut(round as usize).into_iter().flat_map(|round| &mut round.training.views);
            let mut found = false;
            for step in views.flat_map(|view| &mut view.steps) {
                if let Step::RandAugment { ops, magnitude, .. } = step {
                    set(ops, magnitude);
                    found = true;
                }
            }
            if !found {
                bail!(Request(format!("--compare: no view of round {round} has a `randaugment`")));
            }
            Ok((name, plan))
        };
        match self {
            Compare::Magnitudes(values) => {
                values.iter().map(|value| with(format!("M={value}"), &|_, magnitude| *magnitude = *value)).collect()
            }
            Compare::Ops(values) => {
                values.iter().map(|value| with(format!("N={value}"), &|ops, _| *ops = *value)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_read_or_refused() {
        assert_eq!("M=3,9,15".parse(), Ok(Compare::Magnitudes(vec![3.0, 9.0, 15.0])));
        assert_eq!("n= 1, 2".parse(), Ok(Compare::Ops(vec![1, 2])));
        for (wrong, says) in
            [("9", "write M="), ("K=1", "cannot be compared"), ("N=-1", "no such number"), ("M=", "no such number")]
        {
            let error = wrong.parse::<Compare>().unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
