//! Axes that all charts share.

use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{BitMapBackend, Cartesian2d};
use plotters::style::{BLACK, Color, IntoFont};

use super::{Area, FONT, GRAY, GRID, SMALL, TEXT, TITLE};

/// Room for each label of the upright axis.
const PIXELS_A_LABEL: usize = 40;

pub(super) type Chart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What stands at the edges of a chart.
pub(super) struct Labels<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
}

/// A chart with a grid and labelled axes. `x` and `y` must not be empty ranges.
pub(super) fn chart<'a, 'b>(
    area: &'a Area<'b>,
    labels: &Labels,
    x: Range<f64>,
    y: Range<f64>,
    tick: &dyn Fn(&f64) -> String,
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, (FONT, TITLE).into_font())
        .margin(12)
        .margin_right(24)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(labels.x)
        .y_desc(labels.y)
        .x_label_formatter(tick)
        .y_label_formatter(&short)
        .y_labels(area.dim_in_pixel().1 as usize / PIXELS_A_LABEL)
        .label_style((FONT, SMALL))
        .axis_desc_style((FONT, TEXT))
        .axis_style(GRAY)
        .bold_line_style(GRID)
        .light_line_style(BLACK.mix(0.0))
        .draw()?;
    Ok(chart)
}

/// A number with as many digits as it needs.
pub(super) fn short(value: &f64) -> String {
    // Sums of steps of an axis are not round in binary, and may be a little below 0.
    format!("{}", (value * 1e4).round() / 1e4 + 0.0)
}

/// A whole number; nothing at what lies between.
pub(super) fn whole(value: &f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{:.0}", value.round() + 0.0) } else { String::new() }
}
