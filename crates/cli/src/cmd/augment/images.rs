//! The images that come in.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use millstream_cluster::unlabelled;
use millstream_data::{FolderLayout, Key, KeyKind, Manifest, SourceConfig};

use crate::exit::Request;

/// A folder of images, or one.
pub(super) struct Images {
    source: Source,
    /// What each is called, seen from the folder that was given.
    names: Vec<String>,
}

enum Source {
    Folder(Manifest),
    File(PathBuf),
}

impl Images {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if path.is_dir() {
            return Self::of_folder(path);
        }
        match path.file_name().filter(|_| path.is_file()) {
            Some(name) => {
                Ok(Images { source: Source::File(path.to_owned()), names: vec![name.to_string_lossy().into_owned()] })
            }
            None => bail!(Request(format!("{}: there is no such image or folder of images", path.display()))),
        }
    }

    fn of_folder(path: &Path) -> anyhow::Result<Self> {
        let config = SourceConfig::Folder { path: path.to_owned(), layout: FolderLayout::Flat };
        let manifest = unlabelled(&config, KeyKind::Place)?;
        // As the places of records begin.
        let root: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        let mut names = Vec::new();
        for record in manifest.split("unlabelled") {
            let place = manifest.place(*record);
            match Path::new(&place).strip_prefix(&root).ok().and_then(Path::to_str) {
                Some(name) => names.push(name.to_owned()),
                None => bail!(Request(format!("{}: the name of this folder is not UTF-8", path.display()))),
            }
        }
        Ok(Images { source: Source::Folder(manifest), names })
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Where an image lies.
    pub(super) fn place(&self, number: usize) -> String {
        match &self.source {
            Source::Folder(manifest) => manifest.place(number as u32),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// What each image is called, with the folders it lies in.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What the random numbers of an image depend on. A folder may be moved, and its images come out the same.
    pub(super) fn key(&self, number: usize) -> Key {
        Key::of_place(&self.names[number], 0)
    }

    /// The bytes of an image file, or why they cannot be had.
    pub(super) fn read(&self, number: usize) -> Result<Vec<u8>, String> {
        match &self.source {
            Source::File(path) => std::fs::read(path).map_err(|error| error.to_string()),
            Source::Folder(manifest) => match manifest.read(number as u32, Vec::new()) {
                Ok(payload) => Ok(payload.into_bytes()),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}
