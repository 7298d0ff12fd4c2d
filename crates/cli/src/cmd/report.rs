//! `report`: one page about a run, or about several side by side.

mod mistakes;
mod story;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use millstream_cluster::Report;
use millstream_data::{DeadLetter, read_dead_letters};
use millstream_metrics::{Curves, read_confusion};
use millstream_pages::{Matrix, Page};

use super::{print, report_of, write_out};
use crate::args::ReportArgs;

/// A run, as its directory tells of it.
struct Told {
    /// The directory, as the user names it.
    name: String,
    report: Report,
    curves: Curves,
    /// Of the last round that was tested.
    confusion: Option<Matrix>,
    dead: Vec<DeadLetter>,
}

pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let runs: Vec<Told> = args.runs.iter().map(|run| read(run)).collect::<Result<_, _>>()?;
    let mistakes = match &args.pipeline {
        Some(pipeline) => Some(mistakes::find(pipeline, &args.overrides, &args.runs[0], &runs[0].report)?),
        None => None,
    };
    let page = page(&runs, mistakes.as_ref());
    write_out(&args.out, page.as_bytes())?;
    print(&format!("{} ({} KiB)", args.out.display(), page.len().div_ceil(1024)))?;
    Ok(ExitCode::SUCCESS)
}

fn read(run: &Path) -> anyhow::Result<Told> {
    let report = report_of(run)?;
    let curves = Curves::read(run).with_context(|| format!("cannot read the metrics of {}", run.display()))?;
    let of_round = |round: u32, file: &str| run.join(format!("rounds/{round:03}/{file}"));
    let last = report.rounds.last().map(|round| (round.round, of_round(round.round, "confusion.csv")));
    let confusion = match last.filter(|(_, path)| path.exists()) {
        Some((round, path)) => Some(matrix(round, &path)?),
        None => None,
    };
    let dead = report.rounds.iter().map(|round| of_round(round.round, "dead_letters.parquet"));
    let dead: Vec<Vec<DeadLetter>> =
        dead.filter(|path| path.exists()).map(|path| read_dead_letters(&path)).collect::<Result<_, _>>()?;
    Ok(Told { name: run.display().to_string(), report, curves, confusion, dead: dead.concat() })
}

fn matrix(round: u32, path: &Path) -> anyhow::Result<Matrix> {
    let (names, counts) = read_confusion(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Matrix {
        title: format!("test images of round {round}: what they are, and what they were taken for"),
        axes: ("true class".to_owned(), "predicted class".to_owned()),
        names,
        counts,
    })
}

/// The whole page.
fn page(runs: &[Told], mistakes: Option<&mistakes::Mistakes>) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut page = Page::new(&names.join(", "));
    story::compare(&mut page, runs);
    runs.iter().for_each(|run| story::tell(&mut page, run));
    if let Some(mistakes) = mistakes {
        mistakes.show(&mut page);
    }
    page.finish()
}
