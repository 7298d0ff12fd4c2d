//! Against Pillow: golden/decode.py wrote the files and what they and parts of them decode to.

use super::partial::cut;
use super::*;
use crate::golden::{self, Tally};

/// The file with the list; the images lie in a folder of the same name.
fn list() -> std::path::PathBuf {
    let committed = || format!("{}/golden/decode.txt", env!("CARGO_MANIFEST_DIR"));
    std::env::var("MILLSTREAM_GOLDEN_DECODE").unwrap_or_else(|_| committed()).into()
}

/// `left top width height`.
fn area(text: &str) -> Area {
    let numbers: Vec<u32> = text.split(' ').map(|number| number.parse().unwrap()).collect();
    Area { left: numbers[0] as i32, top: numbers[1] as i32, width: numbers[2], height: numbers[3] }
}

/// The size of the whole image, and the pixels of the area alone.
fn read(bytes: &[u8], channels: u8, area: Area) -> Result<(String, Vec<u8>), ImageError> {
    let (options, mut decoder, mut image) = (Options::default(), Decoder::new(), Image::default());
    let opened = decoder.open(bytes, &options)?;
    let size = format!("{}x{}", opened.width(), opened.height());
    let placed = opened.read(channels, &Wanted { area, least: None }, None, &mut image)?;
    let (left, top) = (area.left as u32 - placed.left, area.top as u32 - placed.top);
    Ok((size, cut(&image, left, top, (area.width, area.height))))
}

#[test]
fn every_kind_of_file_decodes_as_in_pillow() {
    let list = list();
    let mut tally = Tally::new("decode", 0.0);
    for line in std::fs::read_to_string(&list).unwrap().lines() {
        let [file, place, rgb, gray] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        let (name, size) = file.split_once(' ').unwrap();
        let bytes = std::fs::read(list.with_extension("").join(name)).unwrap();
        for (channels, expected) in [(3, rgb), (1, gray)] {
            let difference = match read(&bytes, channels, area(place)) {
                Ok((found, pixels)) if found == size => golden::difference(&pixels, expected),
                _ => f64::INFINITY,
            };
            tally.add(&format!("{file} | {place} | {channels} channels"), difference);
        }
    }
    golden::finish([tally]);
}
