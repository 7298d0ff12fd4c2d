//! Loss and accuracy over the steps of all rounds.

use std::ops::Range;

use plotters::element::{Circle, PathElement, Text};
use plotters::series::LineSeries;
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle};

use super::axes::{Chart, Labels, chart, whole};
use super::{Area, BLUE, Drawn, FONT, GRAY, ORANGE, SMALL};
use crate::journal::History;
use crate::line::Training;

/// A curve is also drawn as its mean over a window: this part of a round.
const WINDOWS: usize = 40;
/// The largest loss that is drawn: far above that a curve says nothing.
const LARGEST: f64 = 1e6;
/// More names of rounds have no room side by side.
const MOST_NAMES: usize = 12;

type Points = Vec<(f64, f64)>;

/// Two charts, one above the other, over the same steps.
pub(super) fn draw(area: &Area, history: &History) -> Drawn {
    let (upper, lower) = area.split_vertically(380);
    let points: Vec<&Training> = history.training.iter().collect();
    let rounds: Vec<&[&Training]> = points.chunk_by(|a, b| a.round == b.round).collect();
    let last = history.training.last().map_or(1.0, |point| point.global_step as f64).max(1.0);

    let losses = curves(&rounds, |point| point.loss.map(|loss| loss.clamp(0.0, LARGEST)));
    let most = losses.iter().flatten().map(|point| point.1).fold(0.0, f64::max);
    let top = if most > 0.0 { most * 1.05 } else { 1.0 };
    let labels = Labels { title: "training loss", x: "step", y: "loss (nats)" };
    let mut loss = chart(&upper, &labels, 0.0..last, 0.0..top, &whole)?;
    mark_rounds(&mut loss, &rounds, 0.0..top)?;
    draw_curves(&mut loss, &losses, BLUE)?;

    let labels = Labels { title: "accuracy: training, and test after each round", x: "step", y: "accuracy (%)" };
    let mut accuracy = chart(&lower, &labels, 0.0..last, 0.0..100.0, &whole)?;
    mark_rounds(&mut accuracy, &rounds, 0.0..100.0)?;
    draw_curves(&mut accuracy, &curves(&rounds, |point| point.accuracy.map(|share| 100.0 * share)), BLUE)?;
    let tests = history.scores.iter().map(|scores| (scores.global_step as f64, 100.0 * scores.accuracy));
    accuracy.draw_series(tests.map(|test| Circle::new(test, 5, ORANGE.filled())))?;
    key(&lower, &[("training (human labels), mean over steps", BLUE), ("test", ORANGE)])
}

/// The points of each round where there is a value.
fn curves(rounds: &[&[&Training]], value: impl Fn(&Training) -> Option<f64>) -> Vec<Points> {
    let point = |training: &&Training| Some((training.global_step as f64, value(training)?));
    rounds.iter().map(|round| round.iter().filter_map(point).collect()).collect()
}

/// Each curve in pale, and its moving mean over that.
fn draw_curves(chart: &mut Chart, curves: &[Points], color: RGBColor) -> Drawn {
    for curve in curves {
        chart.draw_series(LineSeries::new(curve.iter().copied(), color.mix(0.3)))?;
        chart.draw_series(LineSeries::new(smooth(curve), color.stroke_width(2)))?;
    }
    Ok(())
}

/// The mean of each point and those before it, as many as a window holds.
fn smooth(curve: &[(f64, f64)]) -> Points {
    let window = curve.len().div_ceil(WINDOWS).max(1);
    let mean = |end: usize| {
        let part = &curve[(end + 1).saturating_sub(window)..=end];
        (curve[end].0, part.iter().map(|point| point.1).sum::<f64>() / part.len() as f64)
    };
    (0..curve.len()).map(mean).collect()
}

/// A line where a round begins, with its number.
fn mark_rounds(chart: &mut Chart, rounds: &[&[&Training]], y: Range<f64>) -> Drawn {
    let mut begins = 0.0;
    for round in rounds {
        let (Some(first), Some(last)) = (round.first(), round.last()) else { continue };
        let line = vec![(begins, y.start), (begins, y.end)];
        chart.draw_series([PathElement::new(line, GRAY.mix(0.6))])?;
        let name = if rounds.len() > MOST_NAMES { String::new() } else { format!(" round {}", first.round) };
        // At the top, where curves that fall and curves that rise have both room.
        let style = (FONT, SMALL).into_font().color(&GRAY);
        let place = (begins, y.start + (y.end - y.start) * 0.985);
        chart.draw_series([Text::new(name, place, style)])?;
        begins = last.global_step as f64;
    }
    Ok(())
}

/// What the colours mean, in the lower right corner.
fn key(area: &Area, entries: &[(&str, RGBColor)]) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    for (row, (text, color)) in (0..).zip(entries.iter().rev()) {
        let (x, y) = (width as i32 - 340, height as i32 - 84 - 20 * row);
        let style = ShapeStyle::from(color).stroke_width(3);
        area.draw(&PathElement::new(vec![(x, y + 8), (x + 18, y + 8)], style))?;
        area.draw(&Text::new(*text, (x + 26, y), (FONT, SMALL)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_a_fortieth_of_the_curve() {
        let curve: Points = (0..80).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        let smoothed = smooth(&curve);
        assert_eq!(smoothed.len(), 80);
        assert!(smoothed[1..].iter().all(|point| point.1 == 0.5), "{smoothed:?}");
        assert_eq!(smooth(&[(1.0, 2.0)]), [(1.0, 2.0)]);
        assert_eq!(smooth(&[]), []);
    }
}
