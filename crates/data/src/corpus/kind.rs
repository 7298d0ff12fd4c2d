//! What kind of data a corpus is, found out by names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::Folders;
use super::inputs::ends_with;
use super::list::{self, Format, Lists};
use super::source::Sourced;
use super::webdataset::{self, WebDataset};
use super::{Corpus, Options, parquet};
use crate::DataError;
use crate::source::is_image;
use crate::store::{Location, Store};

/// A kind of data.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Tar archives as WebDataset has them, plain or gzipped. A shard is an archive.
    WebDataset,
    /// Parquet files with a column of images. A shard is a file.
    Parquet,
    /// A CSV list of images.
    Csv,
    /// A list of images, one JSON object a line.
    Jsonl,
    /// A folder of images.
    Folder,
    /// An IDX file of images.
    Idx,
}

impl Kind {
    /// What a file of that name is, if its ending says so.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        by_ending(name)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::WebDataset => "WebDataset",
            Kind::Parquet => "Parquet",
            Kind::Csv => "CSV list",
            Kind::Jsonl => "JSONL list",
            Kind::Folder => "folder of images",
            Kind::Idx => "IDX",
        }
    }
}

/// How many names in a folder are looked at to find out what it holds.
const LOOK: usize = 1000;

/// Opens a corpus. Each place is a path or a URL of a file or a folder, or a pattern of such (`{000..099}`, `{a,b}`); all
/// are of one kind. Only names are looked at, and at most 1000 of a folder. A corpus may turn out to have no shard at all.
///
/// # Errors
/// [`DataError::Malformed`] where the kind cannot be found out, is not the same for all places, or a pattern is wrong; where
/// a folder has to be looked into, those of [`Store::list`]; for IDX files, those of [`crate::open`].
pub fn open(places: &[impl AsRef<str>], options: &Options) -> Result<Box<dyn Corpus>, DataError> {
    let kind = kind(places, options)?;
    let places: Vec<String> = places.iter().map(|place| place.as_ref().to_string()).collect();
    let options = options.clone();
    Ok(match kind {
        Kind::WebDataset => Box::new(WebDataset::open(options.store, places, options.keys)),
        Kind::Parquet => Box::new(parquet::Files::open(places, options)),
        Kind::Csv => Box::new(Lists::open(places, Format::Csv, options)),
        Kind::Jsonl => Box::new(Lists::open(places, Format::Jsonl, options)),
        Kind::Folder => {
            let roots = places.iter().map(|place| Location::parse(place));
            Box::new(Folders::open(roots.collect::<Result<_, _>>()?, options))
        }
        Kind::Idx => match &places[..] {
            [only] => Box::new(Sourced::idx(&Location::parse(only)?, &options)?),
            several => return Err(unknown(&several.join(" "), "several IDX files")),
        },
    })
}

/// What kind of data lies there: what the options say, else what the names do.
///
/// # Errors
/// Those of [`open`] that are about the kind.
pub fn kind(places: &[impl AsRef<str>], options: &Options) -> Result<Kind, DataError> {
    let Some((first, others)) = places.split_first() else {
        return Err(unknown("nothing", "no place at all"));
    };
    if let Some(kind) = options.kind {
        return Ok(kind);
    }
    let kind = kind_of(first.as_ref(), &options.store)?;
    for place in others.iter().map(AsRef::as_ref) {
        if kind_of(place, &options.store)? != kind {
            return Err(unknown(place, &format!("another kind of data than {}", first.as_ref())));
        }
    }
    Ok(kind)
}

fn kind_of(place: &str, store: &Store) -> Result<Kind, DataError> {
    if let Some(kind) = by_ending(place) {
        return Ok(kind);
    }
    let location = Location::parse(place)?;
    let is_file = location.local().is_some_and(Path::is_file);
    if is_file || place.contains('{') {
        return Err(unknown(place, "a name that does not say what it is"));
    }
    in_folder(&location, store)
}

fn by_ending(name: &str) -> Option<Kind> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| ends_with(name, ending));
    if ends(&webdataset::ENDINGS) {
        Some(Kind::WebDataset)
    } else if ends(&parquet::ENDINGS) {
        Some(Kind::Parquet)
    } else if ends(&list::CSV) {
        Some(Kind::Csv)
    } else if ends(&list::JSONL) {
        Some(Kind::Jsonl)
    } else if ends(&["ubyte", "ubyte.gz", ".idx", ".idx.gz"]) {
        Some(Kind::Idx)
    } else {
        None
    }
}

/// A folder is what its first files are, archives and Parquet files before images. Both together are no kind.
fn in_folder(folder: &Location, store: &Store) -> Result<Kind, DataError> {
    let (mut found, names) = (None, first_names(folder, store)?);
    if names.is_empty() && folder.local().is_none() {
        // A store has no folders: this is what a misspelt one looks like.
        return Err(unknown(&folder.to_string(), "nothing of that name"));
    }
    for name in names {
        let kind = match by_ending(&name) {
            Some(kind @ (Kind::WebDataset | Kind::Parquet)) => kind,
            _ if is_image(Path::new(&name)) => Kind::Folder,
            _ => continue,
        };
        if *found.get_or_insert(kind) != kind {
            return Err(unknown(&folder.to_string(), "files of several kinds"));
        }
    }
    // Class folders first show nothing but folders.
    Ok(found.unwrap_or(Kind::Folder))
}

fn first_names(folder: &Location, store: &Store) -> Result<Vec<String>, DataError> {
    match folder {
        // As the file system has them: a folder of a million files is not to be sorted for this.
        Location::Local(path) => {
            let fail = |cause| DataError::read(path, "file or folder", cause);
            let entries = std::fs::read_dir(path).map_err(fail)?.take(LOOK);
            entries.map(|entry| Ok(entry.map_err(fail)?.file_name().to_string_lossy().into_owned())).collect()
        }
        Location::Remote { .. } => {
            let objects = store.list(folder)?.take(LOOK);
            objects.map(|object| Ok(object?.location.to_string())).collect()
        }
    }
}

fn unknown(place: &str, found: &str) -> DataError {
    DataError::Malformed {
        place: place.to_string(),
        found: found.to_string(),
        expected: "tar, Parquet, CSV or JSONL files, a folder of images, or one IDX file".to_string(),
        help: "name data of one kind, or say which kind it is",
    }
}
