//! Image folders.
//!
//! Hidden files and files that are not named like images are left alone. Folders in a class folder, or in a flat one,
//! are searched too. Records are ordered by the bytes of their paths.

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{Files, Listed};
use super::{FolderLayout, KeyKind, place_of};
use crate::DataError;

/// What image files are called, in lower case: the formats that can be decoded.
const EXTENSIONS: [&str; 18] = [
    "apng", "bmp", "gif", "ico", "jfif", "jpe", "jpeg", "jpg", "pam", "pbm", "pgm", "png", "pnm", "ppm", "qoi", "tif",
    "tiff", "webp",
];

pub(super) fn open(path: &Path, layout: FolderLayout, kind: KeyKind) -> Result<Files, DataError> {
    let (mut listed, classes) = match layout {
        FolderLayout::Classes => by_class(path)?,
        FolderLayout::Flat => (images_below(path, None)?, Vec::new()),
    };
    if listed.is_empty() {
        let help = "put image files into it, or name the folder that has them";
        return Err(DataError::Empty { path: path.to_path_buf(), what: "image", help });
    }
    listed.sort_unstable_by(|a, b| bytes_of(&a.path).cmp(bytes_of(&b.path)));
    Files::open(listed, classes, kind)
}

/// The images of each class folder, and the names of the classes.
fn by_class(root: &Path) -> Result<(Vec<Listed>, Vec<String>), DataError> {
    let Content { folders, images } = look_into(root)?;
    if let Some(stray) = images.first() {
        return Err(DataError::Malformed {
            place: place_of(stray),
            found: "an image beside the class folders".to_string(),
            expected: "every image in the folder of its class".to_string(),
            help: "move it, or say `layout: flat` where images have no labels",
        });
    }
    let (mut listed, mut classes) = (Vec::new(), Vec::new());
    for (label, folder) in (0u32..).zip(folders) {
        let images = images_below(&folder, Some(label))?;
        if images.is_empty() {
            let help = "put images into it or remove the folder: it counts as a class";
            return Err(DataError::Empty { path: folder, what: "image", help });
        }
        listed.extend(images);
        classes.push(folder.file_name().map(|name| place_of(Path::new(name))).unwrap_or_default());
    }
    Ok((listed, classes))
}

/// All images in a folder and the folders in it.
fn images_below(folder: &Path, label: Option<u32>) -> Result<Vec<Listed>, DataError> {
    let mut listed = Vec::new();
    let mut open = vec![(folder.to_path_buf(), Vec::new())];
    while let Some((folder, above)) = open.pop() {
        let above = entered(&folder, above)?;
        let Content { folders, images } = look_into(&folder)?;
        listed.extend(images.into_iter().map(|path| Listed { path, label, key: None }));
        open.extend(folders.into_iter().map(|folder| (folder, above.clone())));
    }
    Ok(listed)
}

/// A folder that is entered and the folders that it lies in, as they are really called. Links may lead into a folder
/// twice, but not in circles.
pub(crate) fn entered(folder: &Path, mut above: Vec<PathBuf>) -> Result<Vec<PathBuf>, DataError> {
    let real = fs::canonicalize(folder).map_err(|cause| DataError::read(folder, "folder", cause))?;
    if above.contains(&real) {
        return Err(circular(folder));
    }
    above.push(real);
    Ok(above)
}

fn circular(folder: &Path) -> DataError {
    DataError::Malformed {
        place: place_of(folder),
        found: "a link to a folder that it lies in".to_string(),
        expected: "folders that end somewhere".to_string(),
        help: "remove the link",
    }
}

/// What counts in a folder, each list ordered by the bytes of its paths.
struct Content {
    folders: Vec<PathBuf>,
    images: Vec<PathBuf>,
}

fn look_into(folder: &Path) -> Result<Content, DataError> {
    let fail = |cause: io::Error| not_listed(folder, cause);
    let (mut folders, mut images) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        if is_hidden(&path) {
            continue;
        }
        // Links count as what they lead to; one that leads nowhere is a file that cannot be read. Only they are looked at
        // one by one: of all others the folder knows the kind.
        let kind = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => Ok(kind),
            _ => fs::metadata(&path).map(|metadata| metadata.file_type()),
        };
        match kind {
            Ok(kind) if kind.is_dir() => folders.push(path),
            Ok(kind) if !kind.is_file() => {}
            _ if is_image(&path) => images.push(path),
            _ => {}
        }
    }
    folders.sort_unstable_by(|a, b| bytes_of(a).cmp(bytes_of(b)));
    images.sort_unstable_by(|a, b| bytes_of(a).cmp(bytes_of(b)));
    Ok(Content { folders, images })
}

fn not_listed(folder: &Path, cause: io::Error) -> DataError {
    match cause.kind() {
        io::ErrorKind::NotADirectory => DataError::Malformed {
            place: place_of(folder),
            found: "a file".to_string(),
            expected: "a folder of images".to_string(),
            help: "name the folder, or use `idx` or `csv` for a file",
        },
        _ => DataError::read(folder, "folder", cause),
    }
}

/// Whether a file is one that users do not see.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a file is named like an image.
pub(crate) fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}
