//! What is written, and where.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

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
        if named.is_none() && names_another_format(&args.out) && !args.out.is_dir() {
            bail!(Request(format!("{}: images are written as .png or .jpg", args.out.display())));
        }
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
        let target = Target { out: tidy(&args.out), single, format, quality: args.quality, copies };
        target.keep_apart(&args.input, images)?;
        target.check_names(images)?;
        Ok(target)
    }

    /// What comes out must neither lie among what goes in, or a second run would take it for images to augment, nor replace
    /// it.
    fn keep_apart(&self, input: &Path, images: &Images) -> anyhow::Result<()> {
        let Ok(input) = input.canonicalize() else { return Ok(()) };
        let out = real(&self.out);
        let trouble = match input.is_dir() {
            true => out.starts_with(&input) || input.starts_with(&out),
            false => images.names().iter().any(|name| self.files(name).any(|file| real(&self.path(&file)) == input)),
        };
        match trouble {
            true => bail!(Request(format!(
                "{} would be written among the images of {}, or over them: write elsewhere",
                self.out.display(),
                input.display()
            ))),
            false => Ok(()),
        }
    }

    /// No two images may become the same file, and none a file where another has its folder.
    fn check_names(&self, images: &Images) -> anyhow::Result<()> {
        let stems: BTreeMap<PathBuf, &String> =
            images.names().iter().rev().map(|name| (Path::new(name).with_extension(""), name)).collect();
        for name in images.names() {
            let path = Path::new(name);
            let first = stems.get(&path.with_extension("")).filter(|first| **first != name);
            let as_it_is = self.file(name, Rendition::Original);
            let variant =
                self.copies.contains(&Rendition::Original).then(|| self.variant_of(&as_it_is, &stems)).flatten();
            let folder = path.ancestors().skip(1).find_map(|folder| self.source_of(folder.to_str()?, &stems));
            if let Some(other) = first.copied().or(variant).or(folder) {
                bail!(Request(format!("{other} and {name} would both become {as_it_is}: rename one of them")));
            }
        }
        Ok(())
    }

    /// The image that would become the file of this name.
    fn source_of<'a>(&self, file: &str, stems: &BTreeMap<PathBuf, &'a String>) -> Option<&'a String> {
        let whole = Path::new(file).extension().is_some_and(|extension| extension == self.extension())
            && self.copies.iter().any(|copy| !matches!(copy, Rendition::Variant(_)));
        let image = || stems.get(&Path::new(file).with_extension("")).copied();
        whole.then(image).flatten().or_else(|| self.variant_of(file, stems))
    }

    /// The image of which a variant would have the name of this file.
    fn variant_of<'a>(&self, file: &str, stems: &BTreeMap<PathBuf, &'a String>) -> Option<&'a String> {
        let (stem, number) = file.strip_suffix(self.extension())?.strip_suffix('.')?.rsplit_once('.')?;
        let variant = number.parse().ok().filter(|variant: &u32| variant.to_string() == number)?;
        self.copies.contains(&Rendition::Variant(variant)).then(|| stems.get(Path::new(stem)).copied()).flatten()
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
        let list = self.out.join(list::NAME);
        match self.has_list() && list.exists() {
            true => Ok(fs::remove_file(list).map_err(cannot)?),
            false => Ok(()),
        }
    }

    /// Whether there will be a list of what was written.
    pub(super) fn has_list(&self) -> bool {
        self.copies.iter().any(|copy| matches!(copy, Rendition::Variant(_)))
    }

    /// What becomes of each image.
    pub(super) fn copies(&self) -> &[Rendition] {
        &self.copies
    }

    /// The folder or file, for messages.
    pub(super) fn place(&self) -> std::path::Display<'_> {
        self.out.display()
    }

    /// The names of all copies of an image.
    fn files(&self, name: &str) -> impl Iterator<Item = String> {
        self.copies.iter().map(move |copy| self.file(name, *copy))
    }

    /// The name of a copy, seen from the folder: that of the image but for the ending.
    pub(super) fn file(&self, name: &str, copy: Rendition) -> String {
        let extension = self.extension();
        let ending = match copy {
            Rendition::Variant(variant) => format!("{variant}.{extension}"),
            Rendition::Original | Rendition::Single => extension.to_owned(),
        };
        Path::new(name).with_extension(ending).to_string_lossy().into_owned()
    }

    fn extension(&self) -> &'static str {
        if self.format == ImageFormat::Png { "png" } else { "jpg" }
    }

    fn path(&self, file: &str) -> PathBuf {
        if self.single { self.out.clone() } else { self.out.join(file) }
    }

    pub(super) fn encode(&self, image: &Image) -> Result<Vec<u8>, ImageError> {
        match self.format {
            ImageFormat::Png => encode_png(image),
            ImageFormat::Jpg => encode_jpeg(image, self.quality),
        }
    }

    /// Takes back a file.
    pub(super) fn remove(&self, file: &str) {
        // What cannot be removed stays; the image is named as bad all the same.
        let _ = fs::remove_file(self.path(file));
    }

    /// Writes a whole file, or nothing.
    pub(super) fn write(&self, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(write_atomically(&path, |file| file.write_all(bytes))?)
    }
}

/// A path without `..`: of a folder that is yet to be made these say nothing.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

/// Where a path really leads, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|folder| {
        let given = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Some((given.canonicalize().ok()?, path.strip_prefix(folder).ok()?))
    });
    there.map_or_else(|| path.to_owned(), |(folder, rest)| folder.join(rest))
}

/// Whether a path is called like an image, of a format that is only read.
fn names_another_format(path: &Path) -> bool {
    const ONLY_READ: [&str; 9] = ["bmp", "gif", "ico", "pgm", "ppm", "qoi", "tif", "tiff", "webp"];
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| ONLY_READ.contains(&extension.to_ascii_lowercase().as_str()))
}

/// The format that the name of a file asks for.
fn named_format(path: &Path) -> Option<ImageFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "png" => Some(ImageFormat::Png),
        "jpg" | "jpeg" => Some(ImageFormat::Jpg),
        _ => None,
    }
}
