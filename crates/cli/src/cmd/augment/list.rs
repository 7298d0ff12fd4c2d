//! The list of what was written, as the source `csv` reads it.

use std::path::Path;

use super::images::Images;
use super::target::{Rendition, Target};
use super::work::Written;
use crate::cmd::quoted;

/// The list's name in the folder. It is written last: where it is, everything in it is.
pub(super) const NAME: &str = "manifest.csv";

/// Writes the list: path, class, the image it was made of, the number of the variant (none for the image as it is) and
/// the ops with their arguments.
pub(super) fn write(target: &Target, images: &Images, files: &[Written]) -> anyhow::Result<()> {
    let mut text = String::from("path,label,source,variant,ops\n");
    for file in files {
        let variant = match file.copy {
            Rendition::Variant(variant) => variant.to_string(),
            Rendition::Original | Rendition::Single => String::new(),
        };
        let fields = [&file.file, class(&file.file), &images.place(file.image), &variant, &file.ops];
        text.push_str(&fields.map(quoted).join(","));
        text.push('\n');
    }
    target.write(NAME, text.as_bytes())
}

/// The class of an image: the first of the folders that it lies in, none if it lies in no folder.
fn class(name: &str) -> &str {
    let mut parts = Path::new(name).iter();
    match (parts.next(), parts.next()) {
        (Some(folder), Some(_)) => folder.to_str().unwrap_or_default(),
        _ => "",
    }
}
