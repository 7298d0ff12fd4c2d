//! What is written, and where.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use millstream_data::write_atomically;
use millstream_imageops::{Image, ImageError, encode_jpeg, encode_png};

use super::images::Images;
use super::list;
use crate::args::{AugmentArgs, ImageFormat};
use crate::exit::Request;

/// Where the results go and in what form.
pub(super) struct Target {
    /// The folder, or the one file.
    out: PathBuf,
    /// Whether `out` is the one file.
    single: bool,
    format: ImageFormat,
    quality: u8,
    /// The copies of each image: none for the image as it is, else the number of the variant.
    copies: Vec<Rendition>,
}

/// One of the files that an image becomes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rendition {
    /// The image as it is.
    Original,
    /// The augmented image, under the name of the image.
    Single,
    /// One of several augmented copies.
    Variant(u32),
}

impl Target {
    /// Refuses what cannot be meant before anything is written.
    pub(super) fn new(args: &AugmentArgs, images: &Images) -> anyhow::Result<Self> {
        let named = named_format(&args.out).filter(|_| !args.out.is_dir());
        let format = match (named, args.format) {
            (Some(named), Some(asked)) if named != asked => {
                bail!(Request(format!("{}: the name says another format than --format", args.out.display())))
            }
            (named, asked) => asked.or(named).unwrap_or(ImageFormat::Png),
        };
        let single = named.is_some();
        if single && (args.input.is_dir() || args.variants.is_some()) {
            bail!(Request(format!("{}: several images need a folder to go to, not a file", args.out.display())));
        }
        let variants = args.variants.into_iter().flat_map(|variants| (0..variants).map(Rendition::Variant));
        let mut copies: Vec<Rendition> =
            args.keep_originals.then_some(Rendition::Original).into_iter().chain(variants).collect();
        if copies.is_empty() {
            copies.push(Rendition::Single);
        }
        let target = Target { out: args.out.clone(), single, format, quality: args.quality, copies };
        target.keep_apart(&args.input)?;
        target.check_names(images)?;
        Ok(target)
    }

    /// What comes out must not lie among what goes in: a second run would take it for images to augment.
    fn keep_apart(&self, input: &Path) -> anyhow::Result<()> {
        let inside = |out: &Path, input: &Path| out.canonicalize().is_ok_and(|out| out.starts_with(input));
        let Ok(real) = input.canonicalize() else { return Ok(()) };
        // Where the folder is yet to be made, the first one above it that is there decides.
        let there = self.out.ancestors().find(|folder| folder.exists() || folder.as_os_str().is_empty());
        let there = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match inside(there, &real) {
            true => bail!(Request(format!("{} lies in {}: write elsewhere", self.out.display(), input.display()))),
            false => Ok(()),
        }
    }

    /// Two images must not become one file.
    fn check_names(&self, images: &Images) -> anyhow::Result<()> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for name in images.names() {
            for copy in &self.copies {
                let file = self.file(name, *copy);
                if let Some(other) = seen.get(&file) {
                    bail!(Request(format!("{other} and {name} would both become {file}: rename one of them")));
                }
                seen.insert(file, name);
            }
        }
        Ok(())
    }

    /// Refuses to write over something unless that is asked for, and makes the folder. A list of an earlier run goes: it
    /// will not be true any more.
    pub(super) fn prepare(&self, overwrite: bool) -> anyhow::Result<()> {
        let occupied = match self.single {
            true => self.out.exists(),
            false => fs::read_dir(&self.out).map_or(self.out.exists(), |mut entries| entries.next().is_some()),
        };
        if occupied && !overwrite {
            bail!(Request(format!("{} is there already; --overwrite writes into it", self.out.display())));
        }
        let folder = if self.single { self.out.parent().unwrap_or(Path::new("")) } else { &self.out };
        let made = fs::create_dir_all(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let cannot = |error| Request(format!("{}: cannot be written: {error}", self.out.display()));
        made.map_err(cannot)?;
        match fs::remove_file(self.out.join(list::NAME)) {
            Err(error) if self.out.join(list::NAME).exists() => Err(cannot(error).into()),
            _ => Ok(()),
        }
    }

    /// What becomes of each image.
    pub(super) fn copies(&self) -> &[Rendition] {
        &self.copies
    }

    /// The folder or file, for messages.
    pub(super) fn place(&self) -> std::path::Display<'_> {
        self.out.display()
    }

    /// The name of a copy, seen from the folder: that of the image but for the ending.
    pub(super) fn file(&self, name: &str, copy: Rendition) -> String {
        let extension = if self.format == ImageFormat::Png { "png" } else { "jpg" };
        let ending = match copy {
            Rendition::Variant(variant) => format!("{variant}.{extension}"),
            Rendition::Original | Rendition::Single => extension.to_owned(),
        };
        Path::new(name).with_extension(ending).to_string_lossy().into_owned()
    }

    pub(super) fn encode(&self, image: &Image) -> Result<Vec<u8>, ImageError> {
        match self.format {
            ImageFormat::Png => encode_png(image),
            ImageFormat::Jpg => encode_jpeg(image, self.quality),
        }
    }

    /// Writes a whole file, or nothing.
    pub(super) fn write(&self, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = if self.single { self.out.clone() } else { self.out.join(file) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(write_atomically(&path, |file| file.write_all(bytes))?)
    }
}

/// The format that the name of a file asks for.
fn named_format(path: &Path) -> Option<ImageFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "png" => Some(ImageFormat::Png),
        "jpg" | "jpeg" => Some(ImageFormat::Jpg),
        _ => None,
    }
}
