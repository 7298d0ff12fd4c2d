//! Pictures of records, read once more by their places.

use std::collections::{BTreeMap, BTreeSet};

use millstream_cluster::RecordReport;
use millstream_data::corpus::read_places;
use millstream_data::store::Store;
use millstream_dataflow::picture;
use millstream_imageops::{Image, Options, Renderer, encode_jpeg, encode_png};

use crate::cmd::small::small;

/// The longer side of a picture, in pixels, where the image is larger.
const SIDE: u32 = 144;
/// Smaller pictures are kept as they are: JPEG would be hardly smaller.
const TINY: u32 = 64;
const QUALITY: u8 = 85;

/// Small pictures, by place. What cannot be read again has none.
pub(super) struct Pictures(BTreeMap<String, Vec<u8>>);

impl Pictures {
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a RecordReport>) -> Self {
        let places: BTreeSet<String> = records.map(|record| record.place.clone()).collect();
        let mut renderer = Renderer::new(Options::default());
        let items = read_places(&Store::from_env(), places).filter_map(Result::ok);
        let drawn = items.filter_map(|item| {
            let image = small(&mut renderer, picture(&item.payload.ok()?), SIDE)?;
            Some((item.place, encoded(&image)?))
        });
        Pictures(drawn.collect())
    }

    /// The picture of a record with what is said of it.
    pub(super) fn of_record(&self, record: &RecordReport, says: String) -> Option<(Vec<u8>, String)> {
        Some((self.0.get(&record.place)?.clone(), says))
    }
}

fn encoded(image: &Image) -> Option<Vec<u8>> {
    let tiny = image.width.max(image.height) <= TINY;
    if tiny { encode_png(image).ok() } else { encode_jpeg(image, QUALITY).ok() }
}
