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
/// let schedule = ScheduleKind::Cosine { warmup: 4, floor: 0.0 };
/// assert_eq!(learning_rate(&schedule, 0.1, 0, 100), 0.025);
/// assert_eq!(learning_rate(&schedule, 0.1, 4, 100), 0.1);
/// ```
pub fn learning_rate(schedule: &ScheduleKind, highest: f64, step: u32, steps: u32) -> f64 {
    let last = steps.saturating_sub(1);
    let step = step.min(last);
    match *schedule {
        ScheduleKind::Constant => highest,
        ScheduleKind::Cosine { warmup, floor } => {
            rise(highest, step, warmup).unwrap_or_else(|| anneal(highest, highest * floor, after(step, steps, warmup)))
        }
        ScheduleKind::CosineArc { warmup, half_turns } => rise(highest, step, warmup)
            .unwrap_or_else(|| highest * (PI * half_turns * after(step, steps, warmup)).cos()),
        ScheduleKind::OneCycle { warmup } => one_cycle(highest, f64::from(step), f64::from(steps), warmup),
        ScheduleKind::Step { every, gamma } => highest * gamma.powf(f64::from(step / every.max(1))),
        ScheduleKind::Exponential { warmup, every, decay, staircase } => rise(highest, step, warmup)
            .unwrap_or_else(|| exponential(highest, f64::from(step) / every, decay, staircase)),
    }
}

/// The rate during a linear rise of so many steps.
fn rise(highest: f64, step: u32, warmup: u32) -> Option<f64> {
    (step < warmup).then(|| highest * f64::from(step + 1) / f64::from(warmup))
}

/// How much of the steps after the rise is done, in `[0, 1)`.
fn after(step: u32, steps: u32, warmup: u32) -> f64 {
    let length = f64::from(steps.saturating_sub(warmup).max(1));
    f64::from(step - warmup) / length
}

/// `falls` need not be whole.
fn exponential(highest: f64, falls: f64, decay: f64, staircase: bool) -> f64 {
    highest * decay.powf(if staircase { falls.floor() } else { falls })
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
        let schedule = ScheduleKind::Cosine { warmup: 2, floor: 0.0 };
        check(
            &schedule,
            0.2,
            10,
            &[(0, 0.1), (1, 0.2), (2, 0.2), (6, 0.1), (9, 0.007_612_046_748_871_326), (99, 0.007_612_046_748_871_326)],
        );
        check(&ScheduleKind::Cosine { warmup: 0, floor: 0.0 }, 0.2, 1, &[(0, 0.2)]);
        check(&ScheduleKind::Constant, 0.2, 10, &[(0, 0.2), (9, 0.2)]);
    }

    /// `torch.optim.lr_scheduler.CosineAnnealingLR` with `eta_min` 0.02.
    #[test]
    fn a_cosine_with_a_floor_is_that_of_torch() {
        let schedule = ScheduleKind::Cosine { warmup: 0, floor: 0.1 };
        check(
            &schedule,
            0.2,
            10,
            &[(0, 0.2), (1, 0.19559508646656384), (5, 0.11000000000000001), (9, 0.024404913533436184)],
        );
    }

    #[test]
    fn step_is_that_of_torch() {
        check(
            &ScheduleKind::Step { every: 3, gamma: 0.1 },
            0.2,
            10,
            &[
                (0, 0.2),
                (2, 0.2),
                (3, 0.020000000000000004),
                (5, 0.020000000000000004),
                (6, 0.0020000000000000005),
                (9, 0.00020000000000000006),
            ],
        );
        check(&ScheduleKind::Step { every: 1, gamma: 0.97 }, 0.2, 10, &[(0, 0.2), (1, 0.194), (9, 0.152046211730913)]);
    }

    /// The second is `torch.optim.lr_scheduler.ExponentialLR` with `0.97^(1 / 2.4)`.
    #[test]
    fn exponential_falls_in_steps_or_smoothly() {
        let schedule = |warmup, staircase| ScheduleKind::Exponential { warmup, every: 2.4, decay: 0.97, staircase };
        let falls = |times: i32| 0.016 * 0.97f64.powi(times);
        let stairs = [(0, falls(0)), (2, falls(0)), (3, falls(1)), (4, falls(1)), (5, falls(2)), (12, falls(5))];
        check(&schedule(0, true), 0.016, 100, &stairs);
        check(
            &schedule(0, false),
            0.016,
            100,
            &[(0, 0.016), (1, 0.015798221743004458), (7, 0.014639880809552993), (19, 0.012571763783355613)],
        );
        // Falls are counted from the start, as in Noisy Student's code.
        check(&schedule(5, true), 0.016, 100, &[(0, 0.0032), (3, 0.0128), (4, 0.016), (5, falls(2)), (12, falls(5))]);
    }

    #[test]
    fn a_cosine_arc_is_that_of_fixmatch() {
        let schedule = ScheduleKind::CosineArc { warmup: 0, half_turns: 7.0 / 16.0 };
        let fixmatch = |step: u32| (step, 0.03 * (7.0 * PI * f64::from(step) / (16.0 * 1000.0)).cos());
        check(&schedule, 0.03, 1000, &[0, 1, 500, 999].map(fixmatch));
        check(&schedule, 0.03, 1000, &[(0, 0.03), (800, 0.013_619_714_992_186_402)]);
        let warm = ScheduleKind::CosineArc { warmup: 2, half_turns: 0.5 };
        check(&warm, 0.2, 6, &[(0, 0.1), (1, 0.2), (2, 0.2), (4, 0.2 * 0.5f64.sqrt())]);
    }
}
