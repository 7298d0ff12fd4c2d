//! The learning rate as a pure function of the step.

use std::f64::consts::PI;

use crate::ScheduleKind;

/// OneCycleLR starts at the highest rate over this.
const ONE_CYCLE_START: f64 = 25.0;
/// OneCycleLR ends at its first rate over this.
const ONE_CYCLE_END: f64 = 1e4;

/// The learning rate of `step` (from 0) out of `steps`, where `highest` is the top of the schedule.
/// Steps past the last have the last step's rate.
///
/// ```
/// use millstream_train::{ScheduleKind, learning_rate};
/// let schedule = ScheduleKind::Cosine { warmup: 4 };
/// assert_eq!(learning_rate(&schedule, 0.1, 0, 100), 0.025);
/// assert_eq!(learning_rate(&schedule, 0.1, 4, 100), 0.1);
/// ```
pub fn learning_rate(schedule: &ScheduleKind, highest: f64, step: u32, steps: u32) -> f64 {
    let last = steps.saturating_sub(1);
    let step = step.min(last);
    match *schedule {
        ScheduleKind::Constant => highest,
        ScheduleKind::Cosine { warmup } => cosine(highest, step, steps, warmup),
        ScheduleKind::OneCycle { warmup } => one_cycle(highest, f64::from(step), f64::from(steps), warmup),
    }
}

fn cosine(highest: f64, step: u32, steps: u32, warmup: u32) -> f64 {
    if step < warmup {
        return highest * f64::from(step + 1) / f64::from(warmup);
    }
    let length = f64::from(steps.saturating_sub(warmup).max(1));
    anneal(highest, 0.0, f64::from(step - warmup) / length)
}

/// `torch.optim.lr_scheduler.OneCycleLR` with `anneal_strategy="cos"`, two phases, and its default factors.
fn one_cycle(highest: f64, step: f64, steps: f64, warmup: f64) -> f64 {
    let first = highest / ONE_CYCLE_START;
    let top = warmup * steps - 1.0;
    let last = steps - 1.0;
    if step <= top {
        // A rise of a single step has no length: it is at the top at once.
        let done = if top > 0.0 { step / top } else { 1.0 };
        return anneal(first, highest, done);
    }
    anneal(highest, first / ONE_CYCLE_END, (step - top) / (last - top))
}

/// Half a cosine from `from` to `to`, `done` in `[0, 1]`.
fn anneal(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schedule: &ScheduleKind, highest: f64, steps: u32, expected: &[(u32, f64)]) {
        for (step, expected) in expected {
            let rate = learning_rate(schedule, highest, *step, steps);
            assert!((rate - expected).abs() < 1e-12, "step {step}: {rate} instead of {expected}");
        }
    }

    #[test]
    fn one_cycle_is_that_of_torch() {
        let quarter = ScheduleKind::OneCycle { warmup: 0.25 };
        let ten =
            [0.004, 0.076, 0.098_907_384_407_170_15, 0.090_450_887_915_348_5, 0.075_000_1, 0.055_226_602_257_690_02];
        let ten: Vec<(u32, f64)> = (0..).zip(ten).chain([(8, 0.004_323_109_826_961_480_5), (9, 4e-7)]).collect();
        check(&quarter, 0.1, 10, &ten);
        let hundreds = [(1, 0.004_024_165_965_607_118), (50, 0.052_761_566_264_070_79), (99, 0.1)];
        check(&quarter, 0.1, 400, &hundreds);
        check(&quarter, 0.1, 400, &[(200, 0.074_545_289_500_006_33), (398, 3.141_520_758_265_945_5e-6), (399, 4e-7)]);
        let half = ScheduleKind::OneCycle { warmup: 0.5 };
        check(
            &half,
            0.4,
            7,
            &[(1, 0.148_668_737_080_010_1), (2, 0.363_331_262_919_989_9), (5, 0.075_303_338_420_094_8)],
        );
    }

    #[test]
    fn one_cycle_has_a_rate_at_its_edges() {
        check(&ScheduleKind::OneCycle { warmup: 0.25 }, 0.1, 1, &[(0, 4e-7)]);
        check(&ScheduleKind::OneCycle { warmup: 0.25 }, 0.1, 4, &[(0, 0.1), (3, 4e-7)]);
        check(&ScheduleKind::OneCycle { warmup: 0.0 }, 0.1, 3, &[(0, 0.075_000_1), (1, 0.025_000_3), (2, 4e-7)]);
        check(&ScheduleKind::OneCycle { warmup: 1.0 }, 0.1, 3, &[(0, 0.004), (1, 0.052), (2, 0.1)]);
    }

    #[test]
    fn cosine_rises_and_falls() {
        let schedule = ScheduleKind::Cosine { warmup: 2 };
        check(
            &schedule,
            0.2,
            10,
            &[(0, 0.1), (1, 0.2), (2, 0.2), (6, 0.1), (9, 0.007_612_046_748_871_326), (99, 0.007_612_046_748_871_326)],
        );
        check(&ScheduleKind::Cosine { warmup: 0 }, 0.2, 1, &[(0, 0.2)]);
        check(&ScheduleKind::Constant, 0.2, 10, &[(0, 0.2), (9, 0.2)]);
    }
}
