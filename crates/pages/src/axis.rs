//! Axes: where values stand, and which are written beside them.

use std::ops::Range;

use crate::colour;
use crate::svg::{Anchor, Point, Svg};

/// About so many values are written beside an axis.
const LABELS: f64 = 6.0;

/// From values to pixels.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    values: Range<f64>,
    pixels: Range<f64>,
}

impl Axis {
    /// An axis over all of some values, with a little room where they are all the same. Values that are no numbers do not count.
    pub(crate) fn over(values: impl Iterator<Item = f64>, pixels: Range<f64>) -> Self {
        let (least, most) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)));
        let (least, most) = if least > most { (0.0, 1.0) } else { (least, most) };
        let room = if most > least { 0.0 } else { least.abs().max(1.0) * 0.5 };
        Axis { values: least - room..most + room, pixels }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value - self.values.start) / (self.values.end - self.values.start);
        self.pixels.start + share * (self.pixels.end - self.pixels.start)
    }

    /// Round values within the axis, a step of 1, 2 or 5 times a power of ten apart.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let rough = (self.values.end - self.values.start) / LABELS;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.values.start / step).ceil();
        (0..2 * LABELS as u32)
            .map(|at| (first + f64::from(at)) * step)
            .take_while(|tick| *tick <= self.values.end + step * 1e-9)
            .collect()
    }
}

/// The axes of a chart with their grid, their values (`ticks` across) and what they mean.
pub(crate) fn draw(
    svg: &mut Svg,
    (x, y): (&Axis, &Axis),
    ticks: impl Iterator<Item = f64>,
    (across, upward): (&str, &str),
) {
    let (left, right, bottom, top) = (x.pixels.start, x.pixels.end, y.pixels.start, y.pixels.end);
    rungs(svg, y, (left, right));
    for tick in ticks {
        svg.line((x.at(tick), bottom), (x.at(tick), bottom + 4.0), "axis");
        svg.text((x.at(tick), bottom + 17.0), Anchor::Middle, "", &short(tick));
    }
    svg.line((left, bottom), (right, bottom), "axis");
    svg.text((f64::midpoint(left, right), bottom + 34.0), Anchor::Middle, "", across);
    svg.upright((14.0, f64::midpoint(top, bottom)), Anchor::Middle, upward);
}

/// A line across for each value of an upright axis.
pub(crate) fn rungs(svg: &mut Svg, y: &Axis, (left, right): (f64, f64)) {
    for tick in y.ticks() {
        svg.line((left, y.at(tick)), (right, y.at(tick)), "grid");
        svg.text((left - 6.0, y.at(tick) + 4.0), Anchor::End, "", &short(tick));
    }
}

/// Pixels that the names of so many series take above a chart; one needs none.
pub(crate) fn legend_height(series: usize) -> f64 {
    if series > 1 { 18.0 * series as f64 } else { 0.0 }
}

/// Writes the name of a series above a chart, with its colour.
pub(crate) fn legend(svg: &mut Svg, number: usize, name: &str) {
    let at = 14.0 + 18.0 * number as f64;
    svg.rect((70.0, at - 9.0), (10.0, 10.0), colour(number), "");
    svg.text((86.0, at), Anchor::Start, "", name);
}

/// A number with as many digits as it needs.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{value:.2e}"),
        small if small > 0.0 && small < 1e-3 => format!("{value:.1e}"),
        _ => format!("{}", (value * 1e4).round() / 1e4 + 0.0),
    }
}

/// A chart's points, where its axes have them; those that are no numbers are left out.
pub(crate) fn placed(points: &[Point], x: &Axis, y: &Axis) -> Vec<Point> {
    points.iter().filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| (x.at(*a), y.at(*b))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = |values: &[f64]| Axis::over(values.iter().copied(), 0.0..100.0);
        assert_eq!(axis(&[0.0, 10.0]).ticks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(axis(&[3.0, 2003.0]).ticks(), [500.0, 1000.0, 1500.0, 2000.0]);
        assert_eq!(axis(&[5.0]).ticks(), [3.0, 4.0, 5.0, 6.0, 7.0]);
        assert!(!axis(&[f64::NAN]).ticks().is_empty());
        assert!(axis(&[-1e-300, 1e300]).ticks().len() < 13);
    }

    #[test]
    fn values_stand_in_proportion() {
        let axis = Axis::over([0.0, 10.0, f64::INFINITY].into_iter(), 100.0..0.0);
        assert_eq!((axis.at(0.0), axis.at(5.0), axis.at(10.0)), (100.0, 50.0, 0.0));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, -0.0, 0.25, 1234.0, 0.000_05, 3e9].map(short), ["0", "0", "0.25", "1234", "5.0e-5", "3.00e9"]);
    }
}
