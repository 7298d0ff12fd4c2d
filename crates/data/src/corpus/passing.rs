//! Images of files that can only be read from their beginning: gzipped archives, and whatever is not on this machine.

use std::collections::BTreeSet;

use super::{Items, Options, open};
use crate::store::{Location, Store};
use crate::{DataError, Payload};

/// A file that is passed through while a list names images of it. Where the list has them in their order the file is read
/// once; an image that lies in front of the one before costs another pass.
pub(super) struct Passing {
    store: Store,
    file: Option<File>,
}

struct File {
    location: Location,
    items: Items,
    /// The places that have been passed.
    seen: BTreeSet<String>,
    /// Whether some pass has come to the end.
    all_seen: bool,
}

impl Passing {
    pub(super) fn new(store: Store) -> Self {
        Passing { store, file: None }
    }

    /// The image at a place in a file; none where there is no such place.
    ///
    /// # Errors
    /// What the file says where it cannot be read up to the image, or what is wrong with the image.
    pub(super) fn read(&mut self, location: &Location, place: &str) -> Result<Option<Payload>, DataError> {
        let mut file = match self.file.take().filter(|file| file.location == *location) {
            Some(file) => file,
            None => File::open(&self.store, location)?,
        };
        let mut found = file.find(place);
        if matches!(found, Ok(None)) && file.seen.contains(place) {
            file.items = items(&self.store, location)?;
            found = file.find(place);
        }
        self.file = Some(file);
        found?.transpose()
    }
}

impl File {
    fn open(store: &Store, location: &Location) -> Result<Self, DataError> {
        let items = items(store, location)?;
        Ok(File { location: location.clone(), items, seen: BTreeSet::new(), all_seen: false })
    }

    /// Goes on to a place, if it is one that may still come.
    fn find(&mut self, place: &str) -> Result<Option<Result<Payload, DataError>>, DataError> {
        if self.all_seen && !self.seen.contains(place) {
            return Ok(None);
        }
        for item in self.items.by_ref() {
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    // What lies behind it cannot be had by another pass either.
                    self.all_seen = true;
                    return Err(error);
                }
            };
            let here = item.place == place;
            self.seen.insert(item.place);
            if here {
                return Ok(Some(item.payload));
            }
        }
        self.all_seen = true;
        Ok(None)
    }
}

fn items(store: &Store, location: &Location) -> Result<Items, DataError> {
    let corpus = open(&[location.to_string()], &Options { store: store.clone(), ..Options::default() })?;
    match corpus.shards().next() {
        Some(shard) => corpus.read(&shard?),
        None => Ok(Box::new(std::iter::empty())),
    }
}
