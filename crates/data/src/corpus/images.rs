//! Records that are image files of their own: what folders and lists have in common.

use serde::{Deserialize, Serialize};

use super::{Content, Item, Items, Label, Shard, fingerprint, key_of};
use crate::source::LARGEST;
use crate::source::inner::Containers;
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

pub(super) fn read(store: &Store, listed: Vec<Listed>, keys: KeyKind) -> Items {
    let (store, mut containers) = (store.clone(), Containers::default());
    Box::new(listed.into_iter().map(move |listed| Ok(item(&store, &mut containers, listed, keys))))
}

fn item(store: &Store, containers: &mut Containers, listed: Listed, keys: KeyKind) -> Item {
    let payload = match listed.image {
        Ok(location) if listed.inner.is_some() => {
            let rest = listed.inner.as_deref().unwrap_or_default();
            location.local().ok_or_else(|| far(&listed.place)).and_then(|file| {
                containers.open_of(OPEN, file);
                containers.read(file, rest, Vec::new())
            })
        }
        Ok(location) => store.read(&location, LARGEST).map(Payload::Encoded),
        Err(found) => Err(DataError::Malformed {
            place: listed.place.clone(),
            found,
            expected: "an image and, if wanted, its label and key".to_string(),
            help: "correct or remove the line",
        }),
    };
    let key = listed.key.unwrap_or_else(|| key_of(keys, &payload, &listed.place, 0));
    Item { key, place: listed.place, label: listed.label, payload }
}

fn far(place: &str) -> DataError {
    DataError::Malformed {
        place: place.to_string(),
        found: "an image in a file that is not on this machine".to_string(),
        expected: "one in a file of this machine, or an object of its own".to_string(),
        help: "download the file, or name it in place of the list",
    }
}
