//! Line charts.

use crate::axis::{self, Axis, legend_height, placed, short};
use crate::colour;
use crate::page::Chart;
use crate::svg::{Point, Svg};

/// Pixels of a chart.
const SIZE: (f64, f64) = (560.0, 320.0);
/// More points than pixels would be a heavy page and no finer line.
const MOST_POINTS: usize = 400;
/// So many points are marked, each with its values under the mouse.
const MOST_MARKS: usize = 40;

/// One line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its points, by growing x. A gap is where a value is not a number.
    pub points: Vec<(f64, f64)>,
}

/// Some lines over the same axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    /// What is shown.
    pub title: String,
    /// What the axes mean, with units.
    pub axes: (String, String),
    /// The lines.
    pub series: Vec<Series>,
    /// Values that the upright axis has whatever the points are.
    pub from_to: Option<(f64, f64)>,
    /// Whether nothing lies between the whole numbers of the axis across: it counts something.
    pub counts: bool,
}

impl Chart for Lines {
    fn title(&self) -> &str {
        &self.title
    }

    fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.iter().all(|(_, value)| !value.is_finite()))
    }

    fn draw(&self) -> String {
        let mut svg = Svg::new(SIZE);
        let legend = legend_height(self.series.len());
        let all = || self.series.iter().flat_map(|series| &series.points);
        let ends = self.from_to.into_iter().flat_map(|(from, to)| [from, to]);
        let x = Axis::over(all().map(|point| point.0), 64.0..SIZE.0 - 16.0);
        let y = Axis::over(all().map(|point| point.1).chain(ends), SIZE.1 - 46.0..12.0 + legend);
        let ticks = x.ticks().into_iter().filter(|tick| !self.counts || tick.fract().abs() < 1e-9);
        axis::draw(&mut svg, (&x, &y), ticks, (&self.axes.0, &self.axes.1));
        for (number, series) in self.series.iter().enumerate() {
            if legend > 0.0 {
                axis::legend(&mut svg, number, &series.name);
            }
            let points = thinned(&series.points);
            svg.polyline(&placed(&points, &x, &y), colour(number));
            for point in points.iter().filter(|_| points.len() <= MOST_MARKS) {
                let says = format!("{} {}: {}", series.name, short(point.0), short(point.1));
                placed(&[*point], &x, &y).into_iter().for_each(|at| svg.dot(at, colour(number), &says));
            }
        }
        svg.finish(&self.title)
    }
}

/// At most so many points: means of neighbours.
fn thinned(points: &[Point]) -> Vec<Point> {
    let together = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |points: &[Point]| {
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        (x / points.len() as f64, y / points.len() as f64)
    };
    points.chunks(together).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_thinned_to_means() {
        let points: Vec<Point> = (0..1000).map(|at| (f64::from(at), 1.0)).collect();
        let thin = thinned(&points);
        assert_eq!((thin.len(), thin[0], thin[333]), (334, (1.0, 1.0), (999.0, 1.0)));
        assert_eq!(thinned(&points[..3]), points[..3]);
    }

    #[test]
    fn every_series_has_its_line_and_its_name() {
        let series =
            |name: &str| Series { name: name.to_owned(), points: vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)] };
        let chart = Lines { title: "loss".to_owned(), series: vec![series("a<b"), series("c")], ..Lines::default() };
        let text = chart.draw();
        assert_eq!(text.matches("<polyline").count(), 2);
        assert_eq!(text.matches("<circle").count(), 4, "what is not a number has no mark");
        assert!(text.contains("a&lt;b") && !text.contains("NaN"), "{text}");
        assert!(!chart.is_empty() && Lines::default().is_empty());
        assert!(text.contains(">0.5<") && !Lines { counts: true, ..chart }.draw().contains(">0.5<"));
    }
}
