//! A sheet of pictures with captions.

mod letters;

use millstream_imageops::Image;

use letters::{WIDTH, Weight};

/// Rows of pixels that a line of text takes.
const LINE: u32 = letters::HEIGHT;
/// Between tiles and around them.
const GAP: u32 = 12;
/// Between a picture and its caption.
const PAD: u32 = 4;
/// Most pixels a side, and in all.
const LARGEST: u32 = 65535;
const MOST_PIXELS: u64 = 1 << 27;
/// A light neutral gray: neither black nor white borders of a picture drown in it.
const BACKGROUND: u8 = 222;

/// A picture with what is to be said about it.
pub(crate) struct Tile {
    /// Gray or RGB.
    pub(crate) image: Image,
    /// A line in bold.
    pub(crate) title: String,
    /// Lines below it. Those that are too long are wrapped.
    pub(crate) caption: Vec<String>,
}

/// Tiles that belong together and stay in one row.
pub(crate) type Group = Vec<Tile>;

/// Draws the groups one after the other, as many side by side as fit into `columns` tiles; a group that is wider has a row of
/// its own. Every tile gets `width` x `height` pixels for its picture. None if it would be too large for an
/// image.
pub(crate) fn draw(groups: &[Group], (width, height): (u32, u32), columns: u32) -> Option<Image> {
    let widest = groups.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let groups_a_row = (columns as usize / widest).max(1);
    let rows: Vec<Vec<&Tile>> = groups.chunks(groups_a_row).map(|groups| groups.iter().flatten().collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(1) as u32;
    let row_height = |row: &[&Tile]| height + PAD + LINE * row.iter().map(|tile| lines(tile, width)).max().unwrap_or(0);
    let total = rows.iter().map(|row| row_height(row) + GAP).sum::<u32>() + GAP;
    let across = columns.saturating_mul(width + GAP).saturating_add(GAP);
    if across.max(total) > LARGEST || u64::from(across) * u64::from(total) > MOST_PIXELS {
        return None;
    }
    let mut sheet = Sheet::new(across, total);
    let mut top = GAP;
    for row in &rows {
        for (column, tile) in (0..).zip(row) {
            let left = GAP + column * (width + GAP);
            sheet.picture(&tile.image, left, top);
            sheet.caption(tile, left, top + height + PAD, width);
        }
        top += row_height(row) + GAP;
    }
    Some(sheet.0)
}

/// Lines that a tile's text takes.
fn lines(tile: &Tile, width: u32) -> u32 {
    let texts = std::iter::once(&tile.title).chain(&tile.caption);
    texts.map(|text| wrap(text, (width / WIDTH) as usize).len() as u32).sum()
}

/// Cuts a text into lines of at most `most` letters (or 2): between words, or within one that no line holds. What goes on is
/// indented.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(2);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(most - 1) {
            if !line.is_empty() && line.chars().count() + 1 + piece.len() > most {
                lines.push(std::mem::take(&mut line));
            }
            if !lines.is_empty() || !line.is_empty() {
                line.push(' ');
            }
            line.extend(piece);
        }
    }
    lines.push(line);
    lines
}

/// An RGB image that is drawn on.
struct Sheet(Image);

impl Sheet {
    fn new(width: u32, height: u32) -> Self {
        let pixels = vec![BACKGROUND; width as usize * height as usize * 3];
        Sheet(Image { width, height, channels: 3, pixels })
    }

    /// The pixel at a place, if that is on the sheet.
    fn pixel(&mut self, x: u32, y: u32) -> Option<&mut [u8]> {
        if x >= self.0.width {
            return None;
        }
        let at = (y as usize * self.0.width as usize + x as usize) * 3;
        self.0.pixels.get_mut(at..at + 3)
    }

    fn picture(&mut self, image: &Image, left: u32, top: u32) {
        let places = (0..image.height).flat_map(|y| (0..image.width).map(move |x| (x, y)));
        for ((x, y), value) in places.zip(image.pixels.chunks_exact(usize::from(image.channels.max(1)))) {
            if let Some(pixel) = self.pixel(left + x, top + y) {
                // Gray has one value for all three.
                pixel.iter_mut().zip(value.iter().cycle()).for_each(|(to, from)| *to = *from);
            }
        }
    }

    fn caption(&mut self, tile: &Tile, left: u32, mut top: u32, width: u32) {
        let texts = tile.caption.iter().map(|text| (text, Weight::Regular));
        for (text, weight) in std::iter::once((&tile.title, Weight::Bold)).chain(texts) {
            for line in wrap(text, (width / WIDTH) as usize) {
                self.line(&line, weight, left, top);
                top += LINE;
            }
        }
    }

    fn line(&mut self, text: &str, weight: Weight, left: u32, top: u32) {
        for (place, letter) in (0..).zip(text.chars()) {
            for (x, y, ink) in letters::ink(letter, weight) {
                if let Some(pixel) = self.pixel(left + place * WIDTH + x, top + y) {
                    pixel.fill((u32::from(BACKGROUND) * u32::from(255 - ink) / 255) as u8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
