//! Records that are image files of their own: what folders and lists have in common.

use serde::{Deserialize, Serialize};

use super::inputs::ends_with;
use super::passing::Passing;
use super::{Content, Item, Items, Label, Shard, fingerprint, key_of};
use crate::source::LARGEST;
use crate::source::inner::{Containers, absent, split};
use crate::store::{Location, Store};
use crate::{DataError, Key, KeyKind, Payload};

/// The most files that are open at once because they hold images.
const OPEN: usize = 8;

/// An image file that is to be a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// Where the image lies; or where it is spoken of, if what is said there is wrong.
    pub(super) place: String,
    /// The image, or the file that holds it; or why there is none.
    pub(super) image: Result<Location, String>,
    /// Where in the file the image lies, if it is not the whole file: the rest of its place.
    pub(super) inner: Option<String>,
    pub(super) label: Option<Label>,
    /// The key that the list gives, if it gives one.
    pub(super) key: Option<Key>,
    /// What changes with the image, as far as the list knows.
    pub(super) version: String,
}

/// A shard of image files. Its number is given later.
pub(super) fn shard(name: String, place: String, bytes: Option<u64>, listed: Vec<Listed>) -> Shard {
    let label = |listed: &Listed| listed.label.as_ref().map_or_else(String::new, |label| format!("{label:?}"));
    let parts = |listed: &Listed| {
        let key = listed.key.map_or_else(String::new, |key| key.to_string());
        [listed.place.clone(), listed.version.clone(), label(listed), key]
    };
    let parts: Vec<String> = listed.iter().flat_map(parts).collect();
    let fingerprint = fingerprint(parts.iter().map(String::as_bytes));
    let records = Some(listed.len() as u64);
    Shard { number: 0, name, place, records, bytes, fingerprint, content: Content::Images(listed) }
}

/// The images in their order. That the network fails in the middle of a file that holds some of them ends it.
pub(super) fn read(store: &Store, listed: Vec<Listed>, keys: KeyKind) -> Items {
    let mut reader = Reader::new(store);
    Box::new(listed.into_iter().map_while(move |listed| reader.next(listed, keys)))
}

/// Reads images by their places, as records of corpora tell them ([`Item::place`]), in the order that is given. Of archives that are
/// gzipped or not on this machine it is best given in their own order: each step back is another pass.
pub fn read_places(store: &Store, places: impl IntoIterator<Item = String>) -> Items {
    let listed = |place: String| {
        let (file, inner) = split(&place).map_or((&place[..], None), |(file, rest)| (file, Some(rest.to_string())));
        let image = Location::parse(file).map_err(|error| error.to_string());
        Listed { image, inner, label: None, key: None, version: String::new(), place }
    };
    read(store, places.into_iter().map(listed).collect(), KeyKind::Place)
}

/// What images are read with.
struct Reader {
    store: Store,
    containers: Containers,
    passing: Passing,
    failed: bool,
}

impl Reader {
    fn new(store: &Store) -> Self {
        let (store, passing) = (store.clone(), Passing::new(store.clone()));
        Reader { store, containers: Containers::default(), passing, failed: false }
    }

    fn next(&mut self, listed: Listed, keys: KeyKind) -> Option<Result<Item, DataError>> {
        if self.failed {
            return None;
        }
        let payload = self.payload(&listed);
        if listed.inner.is_some() && payload.as_ref().is_err_and(DataError::ends_a_job) {
            self.failed = true;
            return payload.err().map(Err);
        }
        let key = listed.key.unwrap_or_else(|| key_of(keys, &payload, &listed.place, 0));
        Some(Ok(Item { key, place: listed.place, label: listed.label, payload }))
    }

    fn payload(&mut self, listed: &Listed) -> Result<Payload, DataError> {
        match (&listed.image, &listed.inner) {
            (Ok(location), None) => self.store.read(location, LARGEST).map(Payload::Encoded),
            (Ok(location), Some(rest)) => match location.local().filter(|_| !is_gzipped(location)) {
                Some(file) => {
                    self.containers.open_of(OPEN, file);
                    self.containers.read(file, rest, Vec::new())
                }
                None => {
                    let found = self.passing.read(location, &listed.place)?;
                    found.ok_or_else(|| absent(listed.place.clone(), "no such image in the file".to_string()))
                }
            },
            (Err(found), _) => Err(DataError::Malformed {
                place: listed.place.clone(),
                found: found.clone(),
                expected: "an image and, if wanted, its label and key".to_string(),
                help: "correct or remove the line",
            }),
        }
    }
}

fn is_gzipped(archive: &Location) -> bool {
    let name = archive.to_string();
    [".tar.gz", ".tgz"].iter().any(|ending| ends_with(&name, ending))
}
