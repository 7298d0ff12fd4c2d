//! How figures are spread, as boxes with whiskers.

use crate::axis::{self, Axis};
use crate::bars::cut;
use crate::colour;
use crate::page::Chart;
use crate::svg::{Anchor, Svg};

const HEIGHT: f64 = 300.0;
/// Pixels for each name.
const PITCH: f64 = 28.0;
/// More names than this make no picture that can be read.
const MOST_NAMES: usize = 60;

/// Five values of a figure, from the least: where the lower whisker ends, the quartiles with the median between them, and where
/// the upper whisker ends.
pub type Five = [f64; 5];

/// A box for each name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Boxes {
    /// What is shown.
    pub title: String,
    /// What the upright axis means, with units.
    pub upward: String,
    /// What the boxes stand for; of more than 60 the first are shown.
    pub names: Vec<String>,
    /// The values of each.
    pub values: Vec<Five>,
}

impl Chart for Boxes {
    fn title(&self) -> &str {
        &self.title
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn draw(&self) -> String {
        let shown = self.values.len().min(MOST_NAMES);
        let (left, right) = (64.0, 64.0 + (PITCH * shown as f64).max(300.0));
        let mut svg = Svg::new((right + 16.0, HEIGHT + 90.0));
        let y = Axis::over(self.values.iter().take(shown).flatten().copied().chain([0.0]), HEIGHT..12.0);
        axis::rungs(&mut svg, &y, (left, right));
        svg.upright((14.0, HEIGHT / 2.0), Anchor::Middle, &self.upward);
        for (place, (values, name)) in self.values.iter().zip(&self.names).take(shown).enumerate() {
            let [low, lower, median, upper, high] = values.map(|value| y.at(value));
            let middle = left + PITCH * (place as f64 + 0.5);
            svg.line((middle, low), (middle, high), "axis");
            let [from, quarter, half, most, to] = values;
            let says = format!("{name}: {from}, {quarter}, {half}, {most}, {to}");
            svg.rect((middle - 8.0, upper), (16.0, (lower - upper).max(1.0)), colour(0), &says);
            svg.line((middle - 8.0, median), (middle + 8.0, median), "median");
            svg.upright((middle + 4.0, HEIGHT + 8.0), Anchor::End, &cut(name));
        }
        svg.line((left, y.at(0.0)), (right, y.at(0.0)), "axis");
        svg.finish(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_box_and_nothing_is_no_mistake() {
        let names = ["cat", "<dog>"].map(str::to_owned).to_vec();
        let values = vec![[1.0, 2.0, 3.0, 4.0, 9.0], [0.0; 5]];
        let boxes = Boxes { title: "brightness".to_owned(), upward: "mean".to_owned(), names, values };
        let text = boxes.draw();
        assert_eq!((text.matches("<rect").count(), text.matches("class=\"median\"").count()), (2, 2));
        assert!(text.contains("<title>cat: 1, 2, 3, 4, 9</title>") && text.contains("&lt;dog&gt;"), "{text}");
        assert!(Boxes::default().is_empty() && Boxes::default().draw().starts_with("<svg"));
    }
}
