//! Images in files that hold several, by their places: `x.tar#member`, `x.parquet[3]`, `x-ubyte.gz[7]`.
//!
//! Places are as sources and corpora write them, so that a list of places is a list of images. The files here must lie
//! on this machine, and archives must not be gzipped: images are read in any order. Corpora read others too, in order.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{KeyKind, Source, SourceConfig, open, place_of};
use crate::corpus::Kind;
use crate::{DataError, Payload};

/// The file of such a place, and the rest of it; none where a place is that of a whole file.
pub(crate) fn split(place: &str) -> Option<(&str, &str)> {
    let of_member = |at: usize| place.get(..at).is_some_and(|file| Kind::of_name(file) == Some(Kind::WebDataset));
    let member = place.match_indices('#').map(|(at, _)| at).find(|at| of_member(*at));
    let row = || {
        let (file, number) = place.strip_suffix(']')?.rsplit_once('[')?;
        let counts = matches!(Kind::of_name(file), Some(Kind::Parquet | Kind::Idx));
        (counts && number.parse::<usize>().is_ok()).then_some(file.len())
    };
    place.split_at_checked(member.or_else(row)?)
}

/// Where a place of a list lies, and the rest of it: below the root, or else below the folder that the command is
/// started in, for that is where a command that writes places saw them.
pub(crate) fn beside(root: &Path, file: &str) -> PathBuf {
    let below = root.join(file);
    let here = Path::new(file);
    if !below.exists() && here.exists() { here.to_path_buf() } else { below }
}

/// Files that hold images, opened.
#[derive(Debug, Default)]
pub(crate) struct Containers {
    open: BTreeMap<PathBuf, Result<Container, String>>,
}

#[derive(Debug)]
struct Container {
    source: Box<dyn Source>,
    /// Which record of an archive lies at each place.
    members: BTreeMap<String, usize>,
}

impl Containers {
    /// Opens a file if it is not open. That it cannot be opened is said of each image that should be in it.
    pub(crate) fn open(&mut self, file: &Path) {
        if !self.open.contains_key(file) {
            let opened = Container::open(file).map_err(|error| error.to_string());
            self.open.insert(file.to_path_buf(), opened);
        }
    }

    /// Opens a file; if many are open, these are closed before.
    pub(crate) fn open_of(&mut self, most: usize, file: &Path) {
        if self.open.len() >= most && !self.open.contains_key(file) {
            self.open.clear();
        }
        self.open(file);
    }

    /// The image of a file that was opened, as the rest of a place says which.
    pub(crate) fn read(&self, file: &Path, rest: &str, buffer: Vec<u8>) -> Result<Payload, DataError> {
        let place = format!("{}{rest}", place_of(file));
        let container = match self.open.get(file) {
            Some(Ok(container)) => container,
            Some(Err(said)) => return Err(absent(place, said.clone())),
            None => return Err(absent(place, "a file that is not open".to_string())),
        };
        match container.index(&place, rest) {
            Some(index) => container.source.read(index, buffer),
            None => Err(absent(place, "no such image in the file".to_string())),
        }
    }
}

impl Container {
    fn open(file: &Path) -> Result<Self, DataError> {
        let path = file.to_path_buf();
        let config = match Kind::of_name(&place_of(file)) {
            Some(Kind::WebDataset) => SourceConfig::WebDataset { path },
            Some(Kind::Parquet) => SourceConfig::Parquet { path, image: None, label: None },
            _ => SourceConfig::Idx { images: path, labels: None },
        };
        let source = open(&config, KeyKind::Place)?;
        let members = match config {
            SourceConfig::WebDataset { .. } => {
                (0..source.records().len()).rev().map(|index| (source.place(index), index)).collect()
            }
            _ => BTreeMap::new(),
        };
        Ok(Container { source, members })
    }

    fn index(&self, place: &str, rest: &str) -> Option<usize> {
        match rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(number) => number.parse().ok().filter(|index| *index < self.source.records().len()),
            None => self.members.get(place).copied(),
        }
    }
}

pub(crate) fn absent(place: String, found: String) -> DataError {
    let expected = "an image that lies there".to_string();
    DataError::Malformed { place, found, expected, help: "see that the list and the file belong together" }
}
