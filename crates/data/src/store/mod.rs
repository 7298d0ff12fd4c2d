//! Files of this machine and objects of S3, Google Cloud Storage, Azure and web servers, all alike and all blocking.
//!
//! Only this module knows `object_store`. Requests run on one runtime with few threads, shared by all stores. They are
//! tried again, ever slower, for about a minute; an answer may take some minutes in all and one minute between two bytes.

pub(crate) mod blocks;
mod client;
mod local;
mod location;
mod remote;
mod runtime;
#[cfg(test)]
mod tests;
pub(crate) mod watched;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;

pub use location::Location;

use crate::DataError;
use remote::Remote;

/// A file or object that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Where it lies.
    pub location: Location,
    /// How large it is.
    pub bytes: u64,
    /// What changes with its content: the tag that the store gives it, or the time of its last change.
    pub version: String,
}

/// Objects in the order of the bytes of their names, found while iterating.
pub type Listing = Box<dyn Iterator<Item = Result<Object, DataError>> + Send>;

/// Access to every place. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Store {
    settings: Arc<Vec<(String, String)>>,
    clients: Arc<Mutex<BTreeMap<String, Arc<dyn ObjectStore>>>>,
}

impl fmt::Debug for Store {
    /// Settings hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Takes credentials, regions and endpoints from the environment: the variables `AWS_*`, `GOOGLE_*` and `AZURE_*`.
    pub fn from_env() -> Self {
        Store::with_settings(client::environment())
    }

    /// Takes them from a list of names and values, named as in the environment.
    pub fn with_settings(settings: impl IntoIterator<Item = (String, String)>) -> Self {
        Store { settings: Arc::new(settings.into_iter().collect()), clients: Arc::default() }
    }

    /// Whatever lies below a folder, or below a name in an object store.
    ///
    /// On this machine the names of a folder are read when it is entered. In an object store a page is asked for when it is
    /// needed; a prefix that nothing begins with is an empty listing there.
    ///
    /// # Errors
    /// [`DataError::Missing`] or [`DataError::Read`] for a folder, [`DataError::Store`] for a store that cannot be asked.
    pub fn list(&self, below: &Location) -> Result<Listing, DataError> {
        Ok(match self.side(below)? {
            Side::Local(path) => Box::new(local::Walk::new(path)?),
            Side::Remote(remote) => Box::new(remote.list()?),
        })
    }

    /// What is known of an object without reading it.
    ///
    /// # Errors
    /// [`DataError::Missing`], [`DataError::Read`] or [`DataError::Store`].
    pub fn head(&self, location: &Location) -> Result<Object, DataError> {
        match self.side(location)? {
            Side::Local(path) => local::head(path),
            Side::Remote(remote) => remote.head(),
        }
    }

    /// The same, if there is such an object.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Store`].
    pub fn find(&self, location: &Location) -> Result<Option<Object>, DataError> {
        match self.side(location)? {
            Side::Remote(remote) => remote.find(),
            Side::Local(path) => match local::head(path) {
                Err(DataError::Missing { .. }) => Ok(None),
                found => found.map(Some),
            },
        }
    }

    /// A whole object of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Store::head`], and [`DataError::TooLarge`].
    pub fn read(&self, location: &Location, limit: u64) -> Result<Vec<u8>, DataError> {
        match self.side(location)? {
            Side::Remote(remote) => remote.read(limit)?.map_err(|bytes| too_large(location, bytes, limit)),
            Side::Local(path) => match local::head(path)?.bytes {
                bytes if bytes > limit => Err(too_large(location, bytes, limit)),
                _ => local::read_range(path, 0, limit),
            },
        }
    }

    /// `length` bytes of an object from byte `start` on; fewer where it ends before.
    ///
    /// # Errors
    /// Those of [`Store::head`].
    pub fn read_range(&self, location: &Location, start: u64, length: u64) -> Result<Vec<u8>, DataError> {
        match self.side(location)? {
            Side::Local(path) => local::read_range(path, start, length),
            Side::Remote(remote) => remote.read_range(start, length),
        }
    }

    /// The bytes of an object in order. From an object store, up to four chunks of 4 MiB are on their way while the one
    /// before is used; an object that is changed meanwhile is an error.
    ///
    /// # Errors
    /// Those of [`Store::head`]. What fails later is an [`io::Error`], of which [`into_data_error`] makes one of ours.
    pub fn reader(&self, location: &Location) -> Result<Box<dyn Read + Send>, DataError> {
        match self.side(location)? {
            Side::Local(path) => local::reader(path),
            Side::Remote(remote) => remote.reader(),
        }
    }

    /// Writes an object: all of it or nothing, in place of the one that may be there. Makes the folders that it needs.
    ///
    /// # Errors
    /// [`DataError::Write`], [`DataError::NoRoom`] or [`DataError::Store`].
    pub fn put(&self, location: &Location, bytes: Vec<u8>) -> Result<(), DataError> {
        match self.side(location)? {
            Side::Local(path) => local::put(path, &bytes),
            Side::Remote(remote) => remote.put(bytes),
        }
    }

    /// Writes an object if there is none of that name: true where it did. Of several that try, one does.
    ///
    /// # Errors
    /// Those of [`Store::put`]; also where the store has no such thing (web servers).
    pub fn put_if_absent(&self, location: &Location, bytes: Vec<u8>) -> Result<bool, DataError> {
        match self.side(location)? {
            Side::Local(path) => local::put_if_absent(path, &bytes),
            Side::Remote(remote) => remote.put_if_absent(bytes),
        }
    }

    /// Removes an object. Whether it was there; S3 always says that it was.
    ///
    /// # Errors
    /// [`DataError::Write`] or [`DataError::Store`].
    pub fn delete(&self, location: &Location) -> Result<bool, DataError> {
        match self.side(location)? {
            Side::Local(path) => local::delete(path),
            Side::Remote(remote) => remote.delete(),
        }
    }

    /// Removes the temporary files that [`Store::put`] left in a folder of this machine when its process was killed. How many files
    /// that were; in an object store there are none, for an object shows only once it is whole.
    ///
    /// Safe while others write there: their files are locked, and a file that was changed in the last minute is left alone.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn remove_leftovers(&self, folder: &Location) -> Result<u64, DataError> {
        folder.local().map_or(Ok(0), local::remove_leftovers)
    }

    fn side<'a>(&self, location: &'a Location) -> Result<Side<'a>, DataError> {
        let (base, path) = match location {
            Location::Local(path) => return Ok(Side::Local(path)),
            Location::Remote { base, path } => (base, path),
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match clients.get(base) {
            Some(client) => Arc::clone(client),
            None => client::client(base, &self.settings)?,
        };
        clients.insert(base.clone(), Arc::clone(&client));
        Ok(Side::Remote(Remote { client, base: base.clone(), path: path.clone() }))
    }
}

/// Who does it.
enum Side<'a> {
    Local(&'a Path),
    Remote(Remote),
}

/// What a failed [`Store::reader`] means.
pub fn into_data_error(location: &Location, cause: io::Error) -> DataError {
    match (cause.downcast::<DataError>(), location) {
        (Ok(error), _) => error,
        (Err(cause), Location::Local(path)) => DataError::read(path, "file", cause),
        (Err(cause), Location::Remote { .. }) => DataError::Store {
            place: location.to_string(),
            problem: cause.to_string(),
            help: "see whether the object is whole",
        },
    }
}

fn too_large(location: &Location, bytes: u64, limit: u64) -> DataError {
    DataError::TooLarge {
        place: location.to_string(),
        found: format!("{bytes} bytes"),
        limit,
        help: "see whether this is an image; if so, make it smaller",
    }
}
