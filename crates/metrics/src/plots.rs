//! Plots as PNG files: training, test accuracy, confusion matrix, reliability.

mod accuracy;
mod axes;
mod heat;
mod matrix;
mod reliability;
mod training;

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::prelude::BitMapBackend;
use plotters::style::{FontStyle, RGBColor, WHITE, register_font};

use crate::file::replace;
use crate::journal::History;
use crate::line::Figures;

pub use heat::{HeatCell, HeatMap};

/// What is drawn on.
type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// The name of the font, and its sizes in pixels.
const FONT: &str = "sans";
const SMALL: u32 = 14;
const TEXT: u32 = 16;
const TITLE: u32 = 20;

const BLUE: RGBColor = RGBColor(31, 105, 170);
const ORANGE: RGBColor = RGBColor(214, 96, 20);
const GRAY: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(226, 226, 226);

/// Draws everything that there is something to draw of, each file as a whole.
pub(crate) fn draw(folder: &Path, history: &History, round: u32, figures: Option<&Figures>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    load_font()?;
    if !history.training.is_empty() {
        picture(&folder.join("training.png"), (1000, 760), |area| training::draw(area, history))?;
    }
    if !history.scores.is_empty() {
        picture(&folder.join("test_accuracy.png"), (800, 500), |area| accuracy::draw(area, &history.scores))?;
    }
    let Some(figures) = figures else { return Ok(()) };
    picture(&folder.join("reliability.png"), (640, 720), |area| reliability::draw(area, round, figures))?;
    if figures.classes.len() <= matrix::MOST_CLASSES {
        let size = matrix::size(&figures.classes);
        picture(&folder.join("confusion.png"), size, |area| matrix::draw(area, round, figures))?;
    }
    Ok(())
}

impl HeatMap {
    /// Draws it into a PNG file. The best cells have a frame.
    ///
    /// # Errors
    /// That the file cannot be written, or the picture not be drawn.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        load_font()?;
        picture(path, self.size(), |area| self.draw(area))
    }
}

fn load_font() -> io::Result<()> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular()).map_err(|_| io::Error::other("no font"))
}

/// Draws a picture on white. A panic of the library that draws is an error like any other: no plot is worth a run.
fn picture(path: &Path, (width, height): (u32, u32), draw: impl FnOnce(&Area) -> Drawn) -> io::Result<()> {
    let mut pixels = vec![0; width as usize * height as usize * 3];
    let drawn = catch_unwind(AssertUnwindSafe(|| -> Drawn {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        Ok(area.present()?)
    }));
    match drawn {
        Ok(drawn) => drawn.map_err(|error| io::Error::other(error.to_string()))?,
        Err(_) => return Err(io::Error::other(format!("{} could not be drawn", path.display()))),
    }
    replace(path, |temporary| encode(File::create(temporary)?, (width, height), &pixels))
}

fn encode(file: File, (width, height): (u32, u32), pixels: &[u8]) -> io::Result<()> {
    let mut encoder = png::Encoder::new(io::BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests;
