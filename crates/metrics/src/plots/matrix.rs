//! The confusion matrix as a picture.

use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, FontTransform, IntoFont, RGBColor, TextStyle, WHITE};

use super::{Area, BLUE, Drawn, FONT, GRAY, GRID, SMALL, TEXT, TITLE};
use crate::confusion::rows;
use crate::line::Figures;

/// More classes than this make no picture that can be read.
pub(super) const MOST_CLASSES: usize = 100;
/// Up to so many classes the cells hold their counts.
const MOST_COUNTS: usize = 20;
/// Letters of a class name that are drawn.
const LETTERS: usize = 18;

/// Pixels around the cells: title above; descriptions and names at the left and below.
const TOP: i32 = 48;
const RIGHT: i32 = 24;
/// About the width of a letter.
const LETTER: i32 = 8;

/// Pixels of a cell: wide enough for its counts, or else for its name.
fn cell(classes: usize) -> i32 {
    match classes {
        0..=MOST_COUNTS => 44,
        21..=50 => 18,
        _ => 14,
    }
}

/// Pixels that names and what the axis means take.
fn edge(classes: &[String]) -> i32 {
    let longest = classes.iter().map(|name| name.chars().count().min(LETTERS)).max().unwrap_or(0);
    LETTER * longest as i32 + 48
}

/// Width and height of the picture.
pub(super) fn size(classes: &[String]) -> (u32, u32) {
    let cells = cell(classes.len()) * classes.len() as i32;
    // The title needs its room too.
    ((edge(classes) + cells + RIGHT).max(420) as u32, (TOP + cells + edge(classes)) as u32)
}

pub(super) fn draw(area: &Area, round: u32, figures: &Figures) -> Drawn {
    let classes = &figures.classes;
    let (side, left) = (cell(classes.len()), edge(classes));
    let cells = side * classes.len() as i32;
    for (row, counts) in (0..).zip(rows(classes.len(), &figures.confusion)) {
        let total = counts.iter().sum::<u64>().max(1);
        for (column, count) in (0..).zip(counts) {
            let corner = (left + column * side, TOP + row * side);
            draw_cell(area, corner, side, count as f64 / total as f64)?;
            if classes.len() <= MOST_COUNTS && count > 0 {
                draw_count(area, (corner.0 + side / 2, corner.1 + side / 2), count, count as f64 / total as f64)?;
            }
        }
    }
    area.draw(&Rectangle::new([(left, TOP), (left + cells, TOP + cells)], GRAY))?;
    names(area, classes)?;
    titles(area, round, left, cells)
}

fn draw_cell(area: &Area, (x, y): (i32, i32), side: i32, share: f64) -> Drawn {
    area.draw(&Rectangle::new([(x, y), (x + side, y + side)], shade(share).filled()))?;
    Ok(area.draw(&Rectangle::new([(x, y), (x + side, y + side)], GRID))?)
}

fn draw_count(area: &Area, middle: (i32, i32), count: u64, share: f64) -> Drawn {
    let ink = if share > 0.5 { WHITE } else { BLACK };
    let style = text(SMALL).color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
    Ok(area.draw(&Text::new(compact(count), middle, style))?)
}

/// White for nothing, blue for all. The root lets rare confusions be seen.
fn shade(share: f64) -> RGBColor {
    let weight = share.clamp(0.0, 1.0).sqrt();
    let mix = |to: u8| (255.0 + (f64::from(to) - 255.0) * weight).round() as u8;
    RGBColor(mix(BLUE.0), mix(BLUE.1), mix(BLUE.2))
}

/// A count in at most four letters.
fn compact(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn names(area: &Area, classes: &[String]) -> Drawn {
    let (side, left) = (cell(classes.len()), edge(classes));
    let below = TOP + side * classes.len() as i32 + 6;
    let size = if side < 18 { 12 } else { SMALL };
    for (place, name) in (0..).zip(classes) {
        let middle = place * side + side / 2;
        let beside = text(size).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(cut(name), (left - 6, TOP + middle), beside))?;
        // Turned by a quarter, the anchor of a text turns with it.
        let upright = text(size).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(cut(name), (left + middle, below), upright))?;
    }
    Ok(())
}

fn titles(area: &Area, round: u32, left: i32, cells: i32) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let center = Pos::new(HPos::Center, VPos::Center);
    let title = format!("confusion matrix, round {round} (test images)");
    area.draw(&Text::new(title, (width as i32 / 2, TOP / 2), text(TITLE).pos(center)))?;
    let middle = cells / 2;
    area.draw(&Text::new("predicted class", (left + middle, height as i32 - 16), text(TEXT).pos(center)))?;
    let upright = text(TEXT).transform(FontTransform::Rotate270).pos(center);
    Ok(area.draw(&Text::new("true class", (16, TOP + middle), upright))?)
}

fn text(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font())
}

/// A name that fits.
fn cut(name: &str) -> String {
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    name.chars().take(LETTERS - 1).chain(['…']).collect()
}
