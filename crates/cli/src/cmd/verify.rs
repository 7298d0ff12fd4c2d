//! `verify`: is a run whole, are two runs equal?

use std::process::ExitCode;

use millstream_cluster::{compare, verify as verify_run};

use super::{print, print_json};
use crate::args::VerifyArgs;
use crate::exit::FAILED;

pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    match &args.other {
        None => one(args),
        Some(other) => two(args, other),
    }
}

fn one(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let audit = verify_run(&args.run)?;
    if args.json.json {
        print_json(&audit)?;
    } else {
        for damage in &audit.damage {
            print(&format!("damaged: {}: {}", damage.file, damage.problem))?;
        }
        let whole = audit.files - audit.damage.len();
        print(&format!(
            "{}: {} rounds, {whole} of {} files as committed",
            args.run.display(),
            audit.rounds,
            audit.files
        ))?;
    }
    Ok(verdict(audit.damage.is_empty()))
}

fn two(args: &VerifyArgs, other: &std::path::Path) -> anyhow::Result<ExitCode> {
    let comparison = compare(&args.run, other)?;
    let same = comparison.first_difference.is_none();
    if args.json.json {
        print_json(&comparison)?;
    } else if let Some(difference) = &comparison.first_difference {
        let place = difference.round.map_or_else(String::new, |round| format!(" in round {round}"));
        print(&format!("different: first{place}: {}", difference.what))?;
    } else {
        print(&format!(
            "identical: models and labels of {} rounds ({} files)",
            comparison.rounds, comparison.identical_files
        ))?;
    }
    Ok(verdict(same))
}

fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
