//! `export`: answers and labels for programs where people look at them.

use std::process::ExitCode;

use millstream_cluster::ExportOptions;
use millstream_data::answer::Target;
use serde_json::json;

use super::{print, print_json};
use crate::args::{ExportArgs, TargetArg};
use crate::exit::BadData;

pub(crate) fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let target = match args.to {
        TargetArg::LabelStudio => Target::LabelStudio,
        TargetArg::Fiftyone => Target::FiftyOne,
        TargetArg::Cleanlab => Target::Cleanlab,
    };
    let exported = millstream_cluster::export(&ExportOptions {
        source: args.source.clone(),
        target,
        out: args.out.clone(),
        labels: args.labels.clone(),
        round: args.round,
        selected: args.selected,
    })?;
    let (written, left_out) = (exported.written, exported.left_out);
    match args.json.json {
        true => print_json(&json!({ "records": written, "left_out": left_out }))?,
        false => print(&format!("{}: {written} records for {target}, {left_out} left out", args.out.display()))?,
    }
    if written == 0 {
        anyhow::bail!(BadData(format!("no record could be exported: {}", wanting(args.to))));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a record needs to be exported.
fn wanting(target: TargetArg) -> &'static str {
    match target {
        TargetArg::Cleanlab => {
            "cleanlab compares labels with answers, and no record has a label: give `--labels`, or answers to a corpus with labels"
        }
        TargetArg::LabelStudio | TargetArg::Fiftyone => "no record has an answer",
    }
}
