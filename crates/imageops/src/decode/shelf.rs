//! Decoded images that several renderers share, so that each is decoded once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Image;

/// Decoded images by record, for renderers of one process that meet the same records again and again and decode them alike.
///
/// It never changes what is rendered, only how often a file is decoded. What has come stays: where records come in one random
/// order after the other, those that were used longest ago are as likely the next as any. When the budget is spent, all others are
/// decoded each time.
#[derive(Clone, Debug)]
pub struct Shelf {
    kept: Arc<Mutex<Kept>>,
    section: u32,
}

/// Section, record, scale in eighths, channels.
type Place = (u32, u128, u32, u8);

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

    /// How many images it holds; a record that is needed at several scales counts for each.
    #[must_use]
    pub fn images(&self) -> usize {
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
    fn place(&self, eighths: u32, channels: u8) -> Place {
        (self.shelf.section, self.record, eighths, channels)
    }

    /// The whole image at a scale, if it is there.
    pub(super) fn get(&self, eighths: u32, channels: u8) -> Option<Arc<Image>> {
        self.shelf.with(|kept| kept.images.get(&self.place(eighths, channels)).cloned())
    }

    /// Whether so many bytes of pixels would fit.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.shelf.with(|kept| bytes <= kept.free)
    }

    /// Keeps a whole image. Another renderer may have been faster, or have taken the room.
    pub(super) fn put(&self, eighths: u32, channels: u8, image: &Image) {
        let bytes = image.pixels.len() as u64;
        let (place, image) = (self.place(eighths, channels), Arc::new(image.clone()));
        self.shelf.with(|kept| {
            if bytes <= kept.free && !kept.images.contains_key(&place) {
                kept.free -= bytes;
                kept.images.insert(place, image);
            }
        });
    }
}
