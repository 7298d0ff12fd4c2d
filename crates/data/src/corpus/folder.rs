//! Folders of images, on this machine or below a name in an object store, cut into shards while they are listed.
//!
//! On this machine the order is that in which the file system lists each folder, then the folders in it: it stays as long
//! as the folder does, and nothing has to be sorted. Copies of a folder may differ in it, and so in their shards. Hidden files, and
//! files that are not named like images, are left alone.

use std::collections::VecDeque;
use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use super::images::{self, Listed};
use super::{Content, Corpus, Items, Label, Options, Shard, Shards, name_of};
use crate::source::{entered, is_hidden, is_image};
use crate::store::{Location, Object};
use crate::{DataError, FolderLayout};

#[derive(Debug)]
pub(super) struct Folders {
    roots: Vec<Location>,
    options: Options,
}

impl Folders {
    pub(super) fn open(roots: Vec<Location>, options: Options) -> Self {
        Folders { roots, options }
    }

    fn of_root<'a>(&'a self, root: &'a Location) -> Box<dyn Iterator<Item = Result<Shard, DataError>> + Send + 'a> {
        let files: Box<dyn Iterator<Item = Result<Object, DataError>> + Send> = match root {
            Location::Local(path) => Box::new(Walk::new(path.clone())),
            Location::Remote { .. } => match self.options.store.list(root) {
                Ok(listing) => listing,
                Err(error) => return Box::new(std::iter::once(Err(error))),
            },
        };
        let images = files.filter(|file| file.as_ref().map_or(true, |object| is_record(&object.location)));
        Box::new(Cut {
            images,
            root,
            options: &self.options,
            many: self.roots.len() > 1,
            number: 0,
            waiting: Vec::new(),
        })
    }
}

impl Corpus for Folders {
    fn shards(&self) -> Shards<'_> {
        let shards = self.roots.iter().flat_map(|root| self.of_root(root));
        Box::new((0..).zip(shards).map(|(number, shard)| Ok(Shard { number, ..shard? })))
    }

    fn read(&self, shard: &Shard) -> Result<Items, DataError> {
        match &shard.content {
            Content::Images(listed) => Ok(images::read(&self.options.store, listed.clone(), self.options.keys)),
            _ => Err(super::foreign(shard)),
        }
    }
}

fn is_record(location: &Location) -> bool {
    match location {
        Location::Local(path) => is_image(path) && !is_hidden(path),
        Location::Remote { path, .. } => is_image(Path::new(path)) && !is_hidden(Path::new(path)),
    }
}

/// Shards of the images of one folder.
struct Cut<'a, I> {
    images: I,
    root: &'a Location,
    options: &'a Options,
    many: bool,
    number: u64,
    /// What was listed before an error broke in.
    waiting: Vec<(Listed, u64)>,
}

impl<I: Iterator<Item = Result<Object, DataError>>> Iterator for Cut<'_, I> {
    type Item = Result<Shard, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() < self.options.records.max(1) {
            match self.images.next() {
                None => break,
                Some(Ok(object)) => self.waiting.push((self.listed(&object), object.bytes)),
                Some(Err(error)) => return Some(Err(error)),
            }
        }
        (!self.waiting.is_empty()).then(|| Ok(self.shard()))
    }
}

impl<I> Cut<'_, I> {
    fn listed(&self, object: &Object) -> Listed {
        // On this machine a copy of the same images is as good as they are; a store's tag is made of the content.
        let version = match object.location {
            Location::Local(_) => String::new(),
            Location::Remote { .. } => object.version.clone(),
        };
        Listed {
            place: object.location.to_string(),
            image: Ok(object.location.clone()),
            inner: None,
            label: self.label(&object.location),
            key: None,
            version: format!("{} {version}", object.bytes),
        }
    }

    fn label(&self, image: &Location) -> Option<Label> {
        let class = || image.below(self.root).split_once('/').map(|(class, _)| Label::Name(class.to_string()));
        (self.options.layout == FolderLayout::Classes).then(class).flatten()
    }

    fn shard(&mut self) -> Shard {
        let (listed, sizes): (Vec<_>, Vec<u64>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let place = self.root.to_string();
        let stem = name_of(place.rsplit('/').next().unwrap_or_default(), &place, !self.many);
        let name = format!("{stem}-{:06}", self.number);
        self.number += 1;
        images::shard(name, place, Some(sizes.iter().sum()), listed)
    }
}

/// The files of a folder of this machine, then those of the folders in it.
struct Walk {
    listing: Option<Open>,
    /// Folders yet to come, with the folders that each lies in.
    folders: VecDeque<(PathBuf, Vec<PathBuf>)>,
}

/// A folder that is being listed.
struct Open {
    folder: PathBuf,
    /// It and the folders that it lies in, as they are really called.
    above: Vec<PathBuf>,
    listing: ReadDir,
}

impl Open {
    fn enter(folder: PathBuf, above: Vec<PathBuf>) -> Result<Self, DataError> {
        let above = entered(&folder, above)?;
        let listing = fs::read_dir(&folder).map_err(|cause| not_listed(&folder, cause))?;
        Ok(Open { folder, above, listing })
    }
}

impl Walk {
    fn new(root: PathBuf) -> Self {
        Walk { listing: None, folders: VecDeque::from([(root, Vec::new())]) }
    }

    /// The file that an entry is; none where it is a folder, which is kept for later, or nothing that is read.
    fn look_at(&mut self, above: &[PathBuf], entry: &DirEntry) -> Result<Option<Object>, DataError> {
        let path = entry.path();
        if is_hidden(&path) {
            return Ok(None);
        }
        let kind = entry.file_type().map_err(|cause| DataError::read(&path, "file", cause))?;
        if !kind.is_dir() && !kind.is_symlink() && !is_image(&path) {
            return Ok(None);
        }
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // A link that leads nowhere, or a file that has just gone: its record will say so.
            Err(_) if is_image(&path) => return Ok(Some(object(path, 0))),
            Err(_) => return Ok(None),
        };
        if metadata.is_dir() {
            self.folders.push_back((path, above.to_vec()));
            return Ok(None);
        }
        Ok(metadata.is_file().then(|| object(path, metadata.len())))
    }
}

impl Iterator for Walk {
    type Item = Result<Object, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut open = match self.listing.take() {
                Some(open) => open,
                None => {
                    let (folder, above) = self.folders.pop_front()?;
                    match Open::enter(folder, above) {
                        Ok(open) => open,
                        Err(error) => return Some(Err(error)),
                    }
                }
            };
            let found = match open.listing.next() {
                None => continue,
                Some(Ok(entry)) => self.look_at(&open.above, &entry),
                // The operating system would say the same again and again.
                Some(Err(cause)) => return Some(Err(not_listed(&open.folder, cause))),
            };
            self.listing = Some(open);
            match found {
                Ok(None) => {}
                Ok(Some(object)) => return Some(Ok(object)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn object(path: PathBuf, bytes: u64) -> Object {
    Object { location: Location::Local(path), bytes, version: String::new() }
}

fn not_listed(folder: &Path, cause: io::Error) -> DataError {
    DataError::read(folder, "folder", cause)
}
