//! `verify`: is a run whole, are two runs equal, does a corpus have its answers?

use std::path::Path;
use std::process::ExitCode;

use millstream_cluster::{compare, is_answers, verify as verify_run, verify_answers};

use super::{print, print_json};
use crate::args::VerifyArgs;
use crate::exit::FAILED;

pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    match &args.other {
        Some(other) => two(args, other),
        None if !args.input.is_empty() || is_answers(&args.run)? => answers(args),
        None => one(args),
    }
}

fn answers(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let audit = verify_answers(&args.run, &args.input)?;
    if args.json.json {
        print_json(&audit)?;
        return Ok(verdict(audit.damaged == 0));
    }
    for damage in &audit.damage {
        print(&format!("damaged: {}: {}", damage.file, damage.problem))?;
    }
    let compared = match args.input.is_empty() {
        true => String::new(),
        false => format!(", {} records of the input compared", audit.compared),
    };
    let whole = if audit.damaged == 0 { "whole" } else { "damaged" };
    print(&format!(
        "{}: {whole}: {} shards, {} answers ({} errors){compared}",
        args.run, audit.found.shards, audit.found.rows, audit.found.errors
    ))?;
    Ok(verdict(audit.damaged == 0))
}

fn one(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let audit = verify_run(Path::new(&args.run))?;
    if args.json.json {
        print_json(&audit)?;
    } else {
        for damage in &audit.damage {
            print(&format!("damaged: {}: {}", damage.file, damage.problem))?;
        }
        let whole = audit.files - audit.damage.len();
        print(&format!("{}: {} rounds, {whole} of {} files as committed", args.run, audit.rounds, audit.files))?;
    }
    Ok(verdict(audit.damage.is_empty()))
}

fn two(args: &VerifyArgs, other: &Path) -> anyhow::Result<ExitCode> {
    let comparison = compare(Path::new(&args.run), other)?;
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
