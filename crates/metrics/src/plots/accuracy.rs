//! Test accuracy by round.

use plotters::element::{Circle, Text};
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont};

use super::axes::{Labels, chart, whole};
use super::{Area, BLUE, Drawn, FONT, SMALL};
use crate::line::Scores;

/// So many rounds have their figures beside their points.
const MOST_FIGURES: usize = 16;

pub(super) fn draw(area: &Area, scores: &[Scores]) -> Drawn {
    let percent = |scores: &Scores| (f64::from(scores.round), 100.0 * scores.accuracy.clamp(0.0, 1.0));
    let points: Vec<(f64, f64)> = scores.iter().map(percent).collect();
    let round = |scores: Option<&Scores>| scores.map_or(0.0, |scores| f64::from(scores.round));
    let rounds = round(scores.first()) - 0.5..round(scores.last()) + 0.5;
    let labels = Labels { title: "test accuracy by round", x: "round", y: "accuracy (%)" };
    let mut chart = chart(area, &labels, rounds, span(&points), &whole)?;
    chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)))?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, BLUE.filled())))?;
    if points.len() <= MOST_FIGURES {
        let style = || (FONT, SMALL).into_font().color(&BLUE).pos(Pos::new(HPos::Center, VPos::Bottom));
        let above = |point: &(f64, f64)| {
            plotters::element::EmptyElement::at(*point) + Text::new(format!("{:.2}", point.1), (0, -8), style())
        };
        chart.draw_series(points.iter().map(above))?;
    }
    Ok(())
}

/// The accuracies with some room around them, at least one point wide and never outside 0 to 100 by more than a little.
fn span(points: &[(f64, f64)]) -> std::ops::Range<f64> {
    let least = points.iter().map(|point| point.1).fold(100.0, f64::min);
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let room = ((most - least) * 0.15).max(0.5);
    (least - room).max(0.0)..most + room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_room_around_every_accuracy() {
        assert_eq!(span(&[(0.0, 90.0), (1.0, 100.0)]), 88.5..101.5);
        assert_eq!(span(&[(0.0, 50.0)]), 49.5..50.5);
        assert_eq!(span(&[(0.0, 0.0)]), 0.0..0.5);
    }
}
