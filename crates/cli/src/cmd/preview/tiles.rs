//! Samples as tiles of a sheet, and as lines of text.

use millstream_data::Shape;
use millstream_imageops::{Filter, Image, ImageError, Renderer, SampleKey, Step, View};

use super::mixture::Mixture;
use super::seen::{Record, Sample, Seen};
use crate::sheet::{Group, Tile};

/// Least width of a tile in pixels: captions must be legible. Smaller samples are enlarged by a whole factor.
const LEAST: u32 = 160;

/// Width and height of the tiles of samples of this shape.
pub(super) fn size(shape: Shape) -> (u32, u32) {
    let factor = LEAST.div_ceil(shape.width.max(1));
    (shape.width * factor, shape.height * factor)
}

/// A group of tiles for each record: the image as it is, then its samples.
pub(super) fn groups(seen: &Seen, shape: Shape) -> Result<Vec<Group>, ImageError> {
    seen.records.iter().map(|record| group(record, shape)).collect()
}

fn group(record: &Record, shape: Shape) -> Result<Group, ImageError> {
    let original = &record.original;
    let name = record.place.rsplit('/').next().unwrap_or_default();
    let mut tiles = vec![Tile {
        image: fit(original, shape)?,
        title: format!("original: {}", class(record)),
        caption: vec![identity(record), name.to_owned(), format!("{}x{}", original.width, original.height)],
    }];
    for sample in &record.samples {
        tiles.extend(of_sample(record, sample, shape)?);
    }
    Ok(tiles)
}

/// The tile of a sample; of one that was mixed the two that it was made of, and what came of them with its label.
fn of_sample(record: &Record, sample: &Sample, shape: Shape) -> Result<Vec<Tile>, ImageError> {
    let tile = |pixels: &[u8], title: String, caption: Vec<String>| {
        let image = Image::from_pixels(shape.width, shape.height, shape.channels, pixels.to_vec())?;
        Ok(Tile { image: resize(&image, size(shape))?, title, caption })
    };
    let mut caption = vec![identity(record)];
    caption.extend(sample.ops.iter().map(|op| format!("{op:.2}")));
    let title = format!("{}: {}", sample.view, class(record));
    let Some(mixed) = &sample.mixed else {
        return Ok(vec![tile(&sample.pixels, title, caption)?]);
    };
    let other = mixed.place.rsplit('/').next().unwrap_or_default().to_owned();
    let label = mixed.label.clone().unwrap_or_else(|| "mixed, no label".to_owned());
    Ok(vec![
        tile(&mixed.own, title, caption)?,
        tile(&mixed.partner, format!("with: {}", mixed.class.as_deref().unwrap_or("no label")), vec![other])?,
        tile(&sample.pixels, label, vec![mixed.how.clone()])?,
    ])
}

fn class(record: &Record) -> &str {
    record.class.as_deref().unwrap_or("no label")
}

/// What its random numbers come from: the first digits of the key, and the epoch once that counts.
fn identity(record: &Record) -> String {
    let epoch = if record.epoch > 0 { format!(" epoch {}", record.epoch) } else { String::new() };
    format!("key {:.8}{epoch}", record.key.to_string())
}

/// The largest size of the same shape that fits into a tile; what is enlarged has a whole factor.
fn fitting((width, height): (u32, u32), tile: (u32, u32)) -> (u32, u32) {
    let factor = (tile.0 / width).min(tile.1 / height);
    if factor > 0 {
        return (width * factor, height * factor);
    }
    let (wide, high) = (f64::from(tile.0) / f64::from(width), f64::from(tile.1) / f64::from(height));
    let side = |pixels: u32| ((f64::from(pixels) * wide.min(high)).round() as u32).max(1);
    (side(width), side(height))
}

/// An image of any size as the picture of a tile.
pub(super) fn fit(image: &Image, shape: Shape) -> Result<Image, ImageError> {
    resize(image, fitting((image.width, image.height), size(shape)))
}

/// Enlarged, pixels stay squares; made smaller, they are averaged.
fn resize(image: &Image, (width, height): (u32, u32)) -> Result<Image, ImageError> {
    let filter = if width >= image.width { Filter::Nearest } else { Filter::Bicubic };
    let view = View::of_any_size(vec![Step::Resize { height, width, filter }], image.channels)?;
    let nothing_random = SampleKey { seed: 0, round: 0, epoch: 0, key: 0, copy: 0, view: 0 };
    let mut result = Image::default();
    Renderer::default().render_image(&view, image.picture(), &nothing_random, &mut result)?;
    Ok(result)
}

/// A line for each sample: where its record lies, its class, the view, and the ops with their exact arguments.
pub(super) fn text(seen: &Seen) -> String {
    let mut lines = Vec::new();
    for record in &seen.records {
        lines.extend(record.samples.iter().map(|sample| line(record, sample)));
    }
    lines.join("\n")
}

fn line(record: &Record, sample: &Sample) -> String {
    let done = sample.ops.iter().map(ToString::to_string).chain(sample.mixed.as_ref().map(mixture));
    let done: Vec<String> = done.collect();
    let done = if done.is_empty() { "as it is".to_owned() } else { done.join("; ") };
    format!("{}  {}  {}  {}  {done}", record.place, identity(record), class(record), sample.view)
}

/// How a sample was mixed, with which record, and the label that it has now.
fn mixture(mixed: &Mixture) -> String {
    let label = mixed.label.as_ref().map_or_else(String::new, |label| format!(": {label}"));
    format!("{} with {}{label}", mixed.how, mixed.place)
}
