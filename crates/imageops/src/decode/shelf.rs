//! Decoded images that several renderers share, so that each is decoded once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Image;

/// Decoded images by record, for renderers of one process that meet the same records again and again.
///
/// It never changes what is rendered, only how often a file is decoded. What has come stays: where records come in one random
/// order after the other, those that were used longest ago are as likely the next as any. When the budget is spent, all others are
/// decoded each time.
#[derive(Clone, Debug)]
pub struct Shelf(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    /// By record, scale in eighths, and channels.
    images: BTreeMap<(u128, u32, u8), Arc<Image>>,
    /// Bytes that may still be kept.
    free: u64,
}

impl Shelf {
    /// An empty shelf for so many bytes of pixels.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Shelf(Arc::new(Mutex::new(Kept { images: BTreeMap::new(), free: bytes })))
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
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place of a record on a shelf.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Spot<'a> {
    shelf: &'a Shelf,
    record: u128,
}

impl Spot<'_> {
    /// The whole image at a scale, if it is there.
    pub(super) fn get(&self, eighths: u32, channels: u8) -> Option<Arc<Image>> {
        self.shelf.with(|kept| kept.images.get(&(self.record, eighths, channels)).cloned())
    }

    /// Whether so many bytes of pixels would fit.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.shelf.with(|kept| bytes <= kept.free)
    }

    /// Keeps a whole image. Another renderer may have been faster, or have taken the room.
    pub(super) fn put(&self, eighths: u32, channels: u8, image: &Image) {
        let bytes = image.pixels.len() as u64;
        let (place, image) = ((self.record, eighths, channels), Arc::new(image.clone()));
        self.shelf.with(|kept| {
            if bytes <= kept.free && !kept.images.contains_key(&place) {
                kept.free -= bytes;
                kept.images.insert(place, image);
            }
        });
    }
}
