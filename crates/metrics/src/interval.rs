//! Steps, summed up over intervals.

use crate::line::{Step, Training, quotient};

/// At most about so many lines a round.
const LINES: u32 = 1000;

/// The steps of a round since its last line.
#[derive(Debug, Default)]
pub(crate) struct Interval {
    images: f64,
    loss: f64,
    labelled: f64,
    correct: f64,
    asked: f64,
    accepted: f64,
    waited: f64,
    seconds: f64,
    /// The last step of it; none where there is none yet.
    last: Option<Step>,
}

impl Interval {
    /// Adds a step of a round of `steps`; `before` steps were done in earlier rounds. Gives a line where an interval ends: after
    /// every step of a short round, else about a thousand times, at the end of the round, and after each `mark` steps: a run that
    /// goes on from there has the same lines.
    pub(crate) fn add(&mut self, step: &Step, (steps, mark): (u32, Option<u32>), before: u64) -> Option<Training> {
        if step.step == 0 {
            // What an earlier round left over is not of this one.
            *self = Interval::default();
        }
        self.images += f64::from(step.images);
        self.loss += step.loss * f64::from(step.images);
        self.labelled += f64::from(step.labelled);
        self.correct += f64::from(step.labelled_correct);
        self.asked += f64::from(step.asked);
        self.accepted += f64::from(step.accepted);
        self.waited += step.waited;
        self.seconds += step.seconds;
        let done = step.step.saturating_add(1);
        self.last = Some(*step);
        let marked = mark.is_some_and(|mark| done.is_multiple_of(mark));
        let ends = done.is_multiple_of(steps.div_ceil(LINES).max(1)) || done >= steps || marked;
        if ends { self.end(before) } else { None }
    }

    /// Ends the interval where it is, if it has any steps.
    pub(crate) fn end(&mut self, before: u64) -> Option<Training> {
        let last = self.last?;
        Some(std::mem::take(self).line(&last, before + u64::from(last.step.saturating_add(1))))
    }

    fn line(self, last: &Step, global_step: u64) -> Training {
        Training {
            round: last.round,
            epoch: last.epoch,
            step: last.step,
            global_step,
            loss: quotient(self.loss, self.images),
            learning_rate: last.learning_rate,
            accuracy: quotient(self.correct, self.labelled),
            accepted: quotient(self.accepted, self.asked),
            images_per_second: quotient(self.images, self.waited + self.seconds).unwrap_or(0.0),
            data_wait_seconds: self.waited,
            step_seconds: self.seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u32) -> Step {
        let loss = if step == 0 { 4.0 } else { 1.0 };
        let images = if step == 0 { 1 } else { 3 };
        let (labelled, labelled_correct) = (images, 1);
        let (waited, seconds, asked, accepted) = (0.5, 1.5, 4, step.min(1));
        let counts = Step { labelled, labelled_correct, asked, accepted, ..Step::default() };
        Step { round: 2, step, images, loss, waited, seconds, ..counts }
    }

    fn lines(steps: u32) -> Vec<Training> {
        let mut interval = Interval::default();
        (0..steps).filter_map(|number| interval.add(&step(number), (steps, None), 100)).collect()
    }

    #[test]
    fn a_short_round_has_a_line_for_every_step_and_a_long_one_about_a_thousand() {
        assert_eq!((lines(3).len(), lines(1000).len(), lines(1001).len(), lines(2500).len()), (3, 1000, 501, 834));
        let last = *lines(2500).last().unwrap();
        assert_eq!((last.step, last.global_step), (2499, 2600), "the end of the round has a line");
    }

    #[test]
    fn a_line_ends_at_every_mark_and_where_a_run_stops() {
        let mut interval = Interval::default();
        let marked = (0..31).filter_map(|number| interval.add(&step(number), (5000, Some(7)), 0));
        let ends: Vec<u32> = marked.map(|line| line.step + 1).collect();
        assert_eq!(ends, [5, 7, 10, 14, 15, 20, 21, 25, 28, 30]);
        let last = interval.end(0).unwrap();
        assert_eq!((last.step, last.step_seconds), (30, 1.5));
        assert_eq!(interval.end(0), None);
    }

    #[test]
    fn an_interval_weighs_every_image_alike() {
        let first = lines(2000)[0];
        assert_eq!((first.round, first.step, first.global_step), (2, 1, 102));
        assert_eq!((first.loss, first.accuracy, first.accepted), (Some(7.0 / 4.0), Some(0.5), Some(0.125)));
        assert_eq!((first.data_wait_seconds, first.step_seconds, first.images_per_second), (1.0, 3.0, 1.0));
        assert_eq!(first.data_wait_share(), 0.25);
    }

    #[test]
    fn empty_batches_have_neither_loss_nor_accuracy() {
        let empty = Step { step: 0, ..Step::default() };
        let line = Interval::default().add(&empty, (1, None), 0).unwrap();
        assert_eq!((line.loss, line.accuracy, line.accepted, line.images_per_second), (None, None, None, 0.0));
    }

    #[test]
    fn a_round_that_broke_off_leaves_nothing_to_the_next() {
        let mut interval = Interval::default();
        assert_eq!(interval.add(&step(0), (5000, None), 0), None);
        let line = interval.add(&step(0), (1, None), 0).unwrap();
        assert_eq!(line.step_seconds, 1.5);
    }
}
