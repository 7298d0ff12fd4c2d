//! The reliability diagram: how often a model is right, by how sure it is.

use plotters::element::{PathElement, Rectangle};
use plotters::style::{Color, RGBColor};

use super::axes::{Labels, chart, short};
use super::{Area, BLUE, Drawn, GRAY};
use crate::line::{Bin, Figures};

/// Accuracy by confidence above, and below it how many records have which confidence.
pub(super) fn draw(area: &Area, round: u32, figures: &Figures) -> Drawn {
    let (upper, lower) = area.split_vertically(500);
    let title = format!("reliability, round {round}: ECE {:.2} % (orange: gap)", 100.0 * figures.ece);
    let labels = Labels { title: &title, x: "confidence (%)", y: "accuracy (%)" };
    let mut accuracy = chart(&upper, &labels, 0.0..100.0, 0.0..100.0, &short)?;
    accuracy
        .draw_series(bars(&figures.bins, |bin| 100.0 * bin.accuracy).map(|bar| Rectangle::new(bar, BLUE.filled())))?;
    // From the accuracy of the bin to its confidence: the gaps that the ECE is the mean of.
    accuracy.draw_series(gaps(&figures.bins).map(|gap| Rectangle::new(gap, GAP.filled())))?;
    accuracy.draw_series([PathElement::new(vec![(0.0, 0.0), (100.0, 100.0)], GRAY.stroke_width(2))])?;

    let total = figures.total.max(1) as f64;
    let share = |bin: &Bin| 100.0 * bin.total as f64 / total;
    let most = figures.bins.iter().map(share).fold(1.0, f64::max).min(100.0);
    let labels = Labels { title: "test images by confidence", x: "confidence (%)", y: "images (%)" };
    let mut counts = chart(&lower, &labels, 0.0..100.0, 0.0..most * 1.05, &short)?;
    counts.draw_series(bars(&figures.bins, share).map(|bar| Rectangle::new(bar, GRAY.filled())))?;
    Ok(())
}

/// Pale orange: over the blue of accuracies it must not turn gray.
const GAP: RGBColor = RGBColor(241, 200, 172);

type Bar = [(f64, f64); 2];

/// A bar for each bin that holds something, from 0 up.
fn bars(bins: &[Bin], height: impl Fn(&Bin) -> f64) -> impl Iterator<Item = Bar> {
    filled(bins).map(move |(left, right, bin)| [(left, 0.0), (right, height(bin).clamp(0.0, 100.0))])
}

/// A bar for each bin that holds something, from its accuracy to its mean confidence.
fn gaps(bins: &[Bin]) -> impl Iterator<Item = Bar> {
    let percent = |share: f64| (100.0 * share).clamp(0.0, 100.0);
    filled(bins).map(move |(left, right, bin)| [(left, percent(bin.accuracy)), (right, percent(bin.confidence))])
}

/// Left and right edge in percent, with a little room between neighbours, of each bin that holds something.
fn filled(bins: &[Bin]) -> impl Iterator<Item = (f64, f64, &Bin)> {
    let width = 100.0 / bins.len().max(1) as f64;
    let edges = move |index: usize| (index as f64 * width + 0.4, (index + 1) as f64 * width - 0.4);
    bins.iter().enumerate().filter(|(_, bin)| bin.total > 0).map(move |(index, bin)| {
        let (left, right) = edges(index);
        (left, right, bin)
    })
}
