//! Label files that commands write: Parquet or CSV, as their name says.

use std::path::Path;

use anyhow::bail;
use millstream_data::{LabelRows, write_labels, write_labels_csv};

use crate::exit::Request;

/// Refuses what is neither or has no folder to lie in, before any work is done for it.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    match ending(path).as_deref() {
        Some("parquet" | "csv") => check_folder(path),
        Some(other) => bail!(Request(format!("--out writes .parquet or .csv, not .{other}"))),
        None => bail!(Request("--out needs a name that ends in .parquet or .csv".to_owned())),
    }
}

fn check_folder(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!(Request(format!("--out is {}, which is a folder: give the name of a file", path.display())));
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => {
            bail!(Request(format!(
                "--out is {}, but there is no folder {}: create it, or choose another place",
                path.display(),
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}

pub(crate) fn write(path: &Path, rows: impl LabelRows) -> anyhow::Result<()> {
    match ending(path).as_deref() {
        Some("csv") => Ok(write_labels_csv(path, rows)?),
        _ => Ok(write_labels(path, rows)?),
    }
}

fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}
