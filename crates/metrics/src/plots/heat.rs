//! A grid of settings and how well each combination did, as a picture.

use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, FontTransform, IntoFont, RGBColor, TextStyle, WHITE};

use super::{Area, BLUE, Drawn, FONT, GRID, ORANGE, TEXT, TITLE};

/// How well combinations of two settings did.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// What stands above it.
    pub title: String,
    /// The setting whose values are side by side, and these.
    pub columns: (String, Vec<String>),
    /// The setting whose values are below each other, and these.
    pub rows: (String, Vec<String>),
    /// Row by row, for each combination: how well it did, or none where that is not known.
    pub cells: Vec<Option<HeatCell>>,
}

/// A combination of two settings.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatCell {
    /// The figure that is shown.
    pub figure: String,
    /// How good that is, from 0, white, to 1, blue with a frame; none, gray, if it cannot be compared with the others.
    pub standing: Option<f64>,
}

/// Pixels of a cell, and around the cells.
const CELL: (i32, i32) = (92, 56);
const TOP: i32 = 56;
const LEFT: i32 = 150;
const BOTTOM: i32 = 64;
const RIGHT: i32 = 24;
/// Letters of a value that are drawn.
const LETTERS: usize = 14;

impl HeatMap {
    pub(super) fn size(&self) -> (u32, u32) {
        let (columns, rows) = (self.columns.1.len() as i32, self.rows.1.len() as i32);
        // The title needs its room too.
        let width = (LEFT + CELL.0 * columns + RIGHT).max(9 * self.title.chars().count() as i32 + 40);
        (width as u32, (TOP + CELL.1 * rows + BOTTOM) as u32)
    }

    pub(super) fn draw(&self, area: &Area) -> Drawn {
        for (place, cell) in (0i32..).zip(&self.cells) {
            let columns = self.columns.1.len().max(1) as i32;
            let corner = (LEFT + place % columns * CELL.0, TOP + place / columns * CELL.1);
            match cell {
                Some(cell) => draw_cell(area, corner, cell)?,
                None => outline(area, corner, 0, &GRID)?,
            }
        }
        self.names(area)
    }

    fn names(&self, area: &Area) -> Drawn {
        let (width, height) = area.dim_in_pixel();
        let center = Pos::new(HPos::Center, VPos::Center);
        let rows = CELL.1 * self.rows.1.len() as i32;
        area.draw(&Text::new(self.title.clone(), (width as i32 / 2, TOP / 2), text(TITLE).pos(center)))?;
        for (place, value) in (0..).zip(&self.columns.1) {
            let middle = LEFT + place * CELL.0 + CELL.0 / 2;
            area.draw(&Text::new(cut(value), (middle, TOP + rows + 16), text(TEXT).pos(center)))?;
        }
        for (place, value) in (0..).zip(&self.rows.1) {
            let middle = TOP + place * CELL.1 + CELL.1 / 2;
            let beside = text(TEXT).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(cut(value), (LEFT - 10, middle), beside))?;
        }
        let middle = LEFT + CELL.0 * self.columns.1.len() as i32 / 2;
        area.draw(&Text::new(self.columns.0.clone(), (middle, height as i32 - 16), text(TEXT).pos(center)))?;
        let upright = text(TEXT).transform(FontTransform::Rotate270).pos(center);
        Ok(area.draw(&Text::new(self.rows.0.clone(), (16, TOP + rows / 2), upright))?)
    }
}

fn draw_cell(area: &Area, corner: (i32, i32), cell: &HeatCell) -> Drawn {
    let weight = cell.standing.unwrap_or(0.0);
    let mix = |to: u8| (255.0 + (f64::from(to) - 255.0) * weight).round() as u8;
    let color = if cell.standing.is_none() { GRID } else { RGBColor(mix(BLUE.0), mix(BLUE.1), mix(BLUE.2)) };
    let (x, y) = corner;
    area.draw(&Rectangle::new([(x, y), (x + CELL.0, y + CELL.1)], color.filled()))?;
    outline(area, corner, 0, &GRID)?;
    if weight == 1.0 {
        (1..4).try_for_each(|inset| outline(area, corner, inset, &ORANGE))?;
    }
    let ink = if weight > 0.5 { WHITE } else { BLACK };
    let style = text(TEXT).color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
    let middle = (x + CELL.0 / 2, y + CELL.1 / 2);
    Ok(area.draw(&Text::new(cell.figure.clone(), middle, style))?)
}

fn outline(area: &Area, (x, y): (i32, i32), inset: i32, color: &RGBColor) -> Drawn {
    let corners = [(x + inset, y + inset), (x + CELL.0 - inset, y + CELL.1 - inset)];
    Ok(area.draw(&Rectangle::new(corners, *color))?)
}

fn text(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font())
}

/// A value that fits.
fn cut(value: &str) -> String {
    match value.chars().count() > LETTERS {
        true => value.chars().take(LETTERS - 1).chain(['…']).collect(),
        false => value.to_owned(),
    }
}
