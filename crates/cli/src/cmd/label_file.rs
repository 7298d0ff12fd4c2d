//! Label files that commands write, Parquet or CSV as their name says; and those of runs.

use std::path::{Path, PathBuf};

use anyhow::bail;
use millstream_cluster::Report;
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

/// The round of a run that gave labels, and their file: that one, or the last that gave any.
pub(crate) fn of_round(run: &Path, report: &Report, round: Option<u32>) -> anyhow::Result<(u32, PathBuf)> {
    let rounds = report.rounds.iter().rev().map(|report| report.round);
    let wanted = rounds.filter(|number| round.is_none_or(|wanted| wanted == *number));
    let labels = |round: u32| (round, run.join(format!("rounds/{round:03}/labels.parquet")));
    match (wanted.map(labels).find(|(_, path)| path.exists()), round) {
        (Some(found), _) => Ok(found),
        (None, Some(round)) => bail!(Request(format!("round {round} of {} has labelled nothing", run.display()))),
        (None, None) => bail!(Request(format!("no round of {} has labelled anything", run.display()))),
    }
}

fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}
