//! The files that a corpus is made of, found one after the other.

use super::pattern::Pattern;
use super::{Content, Shard, fingerprint, name_of};
use crate::DataError;
use crate::source::is_hidden;
use crate::store::{Listing, Location, Object, Store};

/// Files named by patterns, and those in folders that have one of some endings.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) store: Store,
    pub(crate) places: Vec<String>,
    pub(crate) endings: &'static [&'static str],
}

/// A file, and what a shard that is made of it is called.
pub(crate) struct Input {
    pub(crate) object: Object,
    pub(crate) name: String,
}

impl Inputs {
    /// All files in their order. A folder is listed when its turn comes.
    pub(crate) fn files(&self) -> Box<dyn Iterator<Item = Result<Input, DataError>> + Send + '_> {
        Box::new(self.places.iter().flat_map(|place| self.of_place(place)))
    }

    /// Each file as one shard, numbered.
    pub(crate) fn shards(&self) -> super::Shards<'_> {
        let numbered = (0..).zip(self.files());
        Box::new(numbered.map(|(number, input)| {
            let Input { object, name } = input?;
            let place = object.location.to_string();
            let size = object.bytes.to_le_bytes();
            let fingerprint = fingerprint([place.as_bytes(), &size, object.version.as_bytes()]);
            let content = Content::File(object.location);
            Ok(Shard { number, name, place, records: None, bytes: Some(object.bytes), fingerprint, content })
        }))
    }

    fn of_place<'a>(&'a self, place: &'a str) -> Box<dyn Iterator<Item = Result<Input, DataError>> + Send + 'a> {
        let names = match Pattern::parse(place) {
            Ok(pattern) => pattern.names(),
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        // What is in front of the first brace, up to the last slash, all names have in common.
        let common = place.split('{').next().and_then(|head| head.rsplit_once('/')).map_or("", |(folder, _)| folder);
        Box::new(names.flat_map(move |name| self.of_name(common, &name)))
    }

    fn of_name(&self, common: &str, name: &str) -> Box<dyn Iterator<Item = Result<Input, DataError>> + Send + 'static> {
        let one = |result| Box::new(std::iter::once(result));
        let location = match Location::parse(name) {
            Ok(location) => location,
            Err(error) => return one(Err(error)),
        };
        if self.fits(name) || self.is_file(&location) {
            let head = self.store.head(&location);
            return one(head.map(|object| self.input(object, name.strip_prefix(common).unwrap_or(name))));
        }
        match self.store.list(&location) {
            Ok(listing) => Box::new(self.clone().listed(location, listing)),
            Err(error) => one(Err(error)),
        }
    }

    fn listed(self, folder: Location, listing: Listing) -> impl Iterator<Item = Result<Input, DataError>> + Send {
        listing.filter_map(move |object| match object {
            Err(error) => Some(Err(error)),
            Ok(object) => {
                let inner = object.location.below(&folder);
                let counts = self.fits(&inner) && !is_hidden(std::path::Path::new(&inner));
                counts.then(|| Ok(self.input(object, &inner)))
            }
        })
    }

    fn fits(&self, name: &str) -> bool {
        self.endings.iter().any(|ending| ends_with(name, ending))
    }

    /// Whether there is a file of that name, whatever its ending: whoever names it says of which kind it is. In a store
    /// only names with a dot are asked for; others are folders, as a rule.
    fn is_file(&self, location: &Location) -> bool {
        match location {
            Location::Local(path) => path.is_file(),
            Location::Remote { path, .. } => {
                let dotted = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
                dotted && matches!(self.store.find(location), Ok(Some(_)))
            }
        }
    }

    /// The first ending is the usual one: it is left out of names. A name that has another one keeps it, so that `x.tar` and
    /// `x.tgz` are told apart.
    fn input(&self, object: Object, inner: &str) -> Input {
        let inner = inner.trim_matches('/');
        let stem = self.endings.first().and_then(|usual| inner.strip_suffix(usual)).unwrap_or(inner);
        let alone = self.places.len() == 1 && (stem == inner || !self.fits(stem));
        let name = name_of(stem, &object.location.to_string(), alone);
        Input { object, name }
    }
}

/// Whether a name has that ending, in letters of either case.
pub(super) fn ends_with(name: &str, ending: &str) -> bool {
    let tail = name.len().checked_sub(ending.len()).and_then(|start| name.as_bytes().get(start..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending.as_bytes()))
}
