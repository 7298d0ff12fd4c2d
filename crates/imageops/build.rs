//! Compiles the C side of the JPEG decoder against the libjpeg-turbo that turbojpeg-sys built, and takes its version.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let source = "src/decode/jpeg.c";
    println!("cargo::rerun-if-changed={source}");
    // Set by turbojpeg-sys (its `links` key): where jpeglib.h lies.
    let include = PathBuf::from(env::var_os("DEP_TURBOJPEG_INCLUDE").unwrap_or_default());
    cc::Build::new().file(source).include(&include).extra_warnings(true).compile("millstream_jpeg");
    println!("cargo::rustc-env=JPEG_LIBRARY_VERSION={}", version(&include).unwrap_or_default());
}

fn version(include: &Path) -> Option<String> {
    let settings = fs::read_to_string(include.join("jconfig.h")).ok()?;
    let line = settings.lines().find_map(|line| line.strip_prefix("#define LIBJPEG_TURBO_VERSION "))?;
    Some(line.trim().to_string())
}
