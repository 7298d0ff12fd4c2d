//! Bar charts.

use crate::axis::{self, Axis, legend_height, short};
use crate::colour;
use crate::page::Chart;
use crate::svg::{Anchor, Svg};

const HEIGHT: f64 = 300.0;
/// Pixels of a bar at least, and of all of them together at most.
const BAR: f64 = 5.0;
const WIDEST: f64 = 1100.0;
/// Letters of a name that are written.
const LETTERS: usize = 14;
/// More names than this would stand on each other.
const MOST_NAMES: usize = 60;

/// Bars of one kind, one for each name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What they are called.
    pub name: String,
    /// Their heights, not below 0.
    pub values: Vec<f64>,
}

/// Bars side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// What is shown.
    pub title: String,
    /// What the upright axis means, with units.
    pub upward: String,
    /// What the bars stand for.
    pub names: Vec<String>,
    /// One or more bars for each.
    pub groups: Vec<Group>,
}

impl Bars {
    /// Pixels of all bars of a name together, with what is left between them and those of the next.
    fn pitch(&self) -> f64 {
        let least = BAR * self.groups.len() as f64 + 3.0;
        (WIDEST / self.names.len().max(1) as f64).clamp(least, 48.0)
    }
}

impl Chart for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> String {
        let (pitch, names) = (self.pitch(), self.names.len());
        let (left, right) = (64.0, 64.0 + (pitch * names as f64).max(300.0));
        let legend = legend_height(self.groups.len());
        let mut svg = Svg::new((right + 16.0, HEIGHT + 90.0 + legend));
        let values = self.groups.iter().flat_map(|group| group.values.iter().copied());
        let y = Axis::over(values.chain([0.0]), HEIGHT + legend..12.0 + legend);
        axis::rungs(&mut svg, &y, (left, right));
        svg.upright((14.0, HEIGHT / 2.0 + legend), Anchor::Middle, &self.upward);
        for (number, group) in self.groups.iter().enumerate() {
            if legend > 0.0 {
                axis::legend(&mut svg, number, &group.name);
            }
            let width = (pitch - 3.0) / self.groups.len() as f64;
            for (place, (value, name)) in group.values.iter().zip(&self.names).enumerate() {
                let corner = (left + pitch * place as f64 + width * number as f64, y.at(value.max(0.0)));
                let says = format!("{name}: {} {}", short(*value), group.name);
                svg.rect(corner, (width, y.at(0.0) - corner.1), colour(number), &says);
            }
        }
        if names <= MOST_NAMES {
            for (place, name) in self.names.iter().enumerate() {
                svg.upright(
                    (left + pitch * (place as f64 + 0.5) + 4.0, HEIGHT + legend + 8.0),
                    Anchor::End,
                    &cut(name),
                );
            }
        }
        svg.line((left, y.at(0.0)), (right, y.at(0.0)), "axis");
        svg.finish(&self.title)
    }
}

/// A name that fits.
pub(crate) fn cut(name: &str) -> String {
    match name.chars().count() <= LETTERS {
        true => name.to_owned(),
        false => name.chars().take(LETTERS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bar_that_says_what_it_is() {
        let groups = ["chosen", "made"].map(|name| Group { name: name.to_owned(), values: vec![1.0, 4.0] });
        let names = ["cat", "a very long name of a dog"].map(str::to_owned).to_vec();
        let text =
            Bars { title: "labels".to_owned(), upward: "images".to_owned(), names, groups: groups.to_vec() }.draw();
        assert_eq!(text.matches("<title>cat: 1 ").count(), 2);
        assert!(text.contains("a very long n…"));
        assert!(Bars::default().draw().starts_with("<svg"), "nothing is no mistake");
    }
}
