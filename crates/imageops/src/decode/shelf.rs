//! Decoded images that several renderers share, so that each is decoded once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Image;

/// What was decoded of images, by record, for renderers of one process that meet the same records again and again and decode them alike.
///
/// It never changes what is rendered, only how often a file is decoded: what is kept is just what one decoder gave, and it is found
/// by whoever wants the same part at the same scale. Streams of one seed cut the same out of a record in the same epoch. What has come
/// stays; when the budget is spent, all else is decoded each time.
#[derive(Clone, Debug)]
pub struct Shelf {
    kept: Arc<Mutex<Kept>>,
    section: u32,
}

/// Left, top, width, height in pixels of the scaled image, and its scale in eighths.
pub(super) type Part = [u32; 5];
/// Section, record, part, channels.
type Place = (u32, u128, Part, u8);

#[derive(Debug)]
struct Kept {
    images: BTreeMap<Place, Arc<Image>>,
    /// Bytes that may still be kept.
    free: u64,
}

impl Shelf {
    /// An empty shelf for so many bytes of pixels.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Shelf { kept: Arc::new(Mutex::new(Kept { images: BTreeMap::new(), free: bytes })), section: 0 }
    }

    /// A section of it: renderers whose records or ways of decoding are others than those of the rest, out of the same budget.
    #[must_use]
    pub fn section(&self, section: u32) -> Self {
        Shelf { section, ..self.clone() }
    }

    /// How many images it holds; a record of which several parts are needed counts for each.
    #[cfg(test)]
    pub(crate) fn images(&self) -> usize {
        self.with(|kept| kept.images.len())
    }

    /// Where a record is kept.
    pub(crate) fn spot(&self, record: u128) -> Spot<'_> {
        Spot { shelf: self, record }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place of a record on a shelf.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Spot<'a> {
    shelf: &'a Shelf,
    record: u128,
}

impl Spot<'_> {
    fn place(&self, part: Part, channels: u8) -> Place {
        (self.shelf.section, self.record, part, channels)
    }

    /// A part of the image, if it is there.
    pub(super) fn get(&self, part: Part, channels: u8) -> Option<Arc<Image>> {
        self.shelf.with(|kept| kept.images.get(&self.place(part, channels)).cloned())
    }

    /// Keeps a part. Another renderer may have been faster, or have taken the room.
    pub(super) fn put(&self, part: Part, channels: u8, image: &Image) {
        let bytes = image.pixels.len() as u64;
        if self.shelf.with(|kept| bytes > kept.free) {
            return;
        }
        let (place, image) = (self.place(part, channels), Arc::new(image.clone()));
        self.shelf.with(|kept| {
            if bytes <= kept.free && !kept.images.contains_key(&place) {
                kept.free -= bytes;
                kept.images.insert(place, image);
            }
        });
    }
}
