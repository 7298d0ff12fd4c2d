//! Label files that commands write: Parquet or CSV, as their name says.

use std::path::Path;

use anyhow::bail;
use millstream_data::{LabelRows, write_labels, write_labels_csv};

use crate::exit::Request;

/// Refuses what is neither, before any work is done for it.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    match ending(path).as_deref() {
        Some("parquet" | "csv") => Ok(()),
        Some(other) => bail!(Request(format!("--out writes .parquet or .csv, not .{other}"))),
        None => bail!(Request("--out needs a name that ends in .parquet or .csv".to_owned())),
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
