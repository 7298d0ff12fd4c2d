//! `curate`: chooses a training set out of answers.

use std::process::ExitCode;

use anyhow::bail;
use comfy_table::CellAlignment;
use millstream_cluster::{CurateOptions, Curation, DuplicateOptions, LeftOut, Strangers};
use millstream_dataflow::curate::{Agreement, Balance, Deduplication, Label, Policy, Provenance, Rule};
use serde_json::{Value, json};

use super::{cores, label_file, print, print_json, stop_on_interrupt};
use crate::args::{AgreementArg, CurateArgs, DuplicatesArg};
use crate::exit::{BadData, Request};
use crate::say::say;
use crate::table::ruled;

/// Where precision alone decides: the least threshold that balancing counts in. Each class has one of its own then.
const ANY: f32 = 0.01;

pub(crate) fn curate(args: &CurateArgs) -> anyhow::Result<ExitCode> {
    label_file::check(&args.out)?;
    let curation = millstream_cluster::curate(&options(args)?, &stop_on_interrupt()?)?;
    warn(&curation);
    if curation.chosen.labels.is_empty() {
        bail!(BadData("no label was chosen: lower `--threshold`, or see `--agreement` and `--duplicates`".to_owned()));
    }
    label_file::write(&args.out, curation.rows())?;
    match args.json.json {
        true => print_json(&in_json(&curation))?,
        false => print(&in_words(args, &curation))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is left out or looks like a mistake.
fn warn(curation: &Curation) {
    let left_out = |left_out: &LeftOut, problem: &str| {
        if let Some(first) = &left_out.first {
            say(format_args!("warning: {} corrections are of {problem}; the first: {first}", left_out.count));
        }
    };
    left_out(&curation.unknown, "records that there are no answers to");
    left_out(&curation.unreadable, "records whose images cannot be read, and that are in no training set");
    for Strangers { first, second, shared, smaller } in &curation.strangers {
        say(format_args!(
            "warning: {first} and {second} share {shared} records of the {smaller} that the smaller one has. Keys hang on \
             how the path of the input was given: if both are of the same images, label them anew with the same path"
        ));
    }
}

fn options(args: &CurateArgs) -> anyhow::Result<CurateOptions> {
    same_number("--reassign", args.reassign.len(), args.answers.len())?;
    same_number("--held-out", args.held_out.len(), args.answers.len())?;
    let precision = args.precision.map(|precision| (precision, args.held_out.clone()));
    if let Some((precision, _)) = precision
        && !(precision > 0.0 && precision <= 1.0)
    {
        bail!(Request(format!("--precision is {precision}, but it is a share above 0 and at most 1, as in 0.95")));
    }
    Ok(CurateOptions {
        answers: args.answers.clone(),
        reassign: args.reassign.clone(),
        policy: policy(args),
        precision,
        soft: args.soft,
        trusted: args.trust_labels,
        corrections: args.corrections.clone(),
        duplicates: args.duplicates.map(|what| duplicates(args, what)),
        workers: args.workers.map_or_else(cores, usize::from),
    })
}

fn same_number(option: &str, given: usize, answers: usize) -> anyhow::Result<()> {
    if given == 0 || given == answers {
        return Ok(());
    }
    bail!(Request(format!(
        "{option} is given {given} times, but there are {answers} ANSWERS: give one for each, in their order"
    )))
}

fn policy(args: &CurateArgs) -> Policy {
    let threshold = if args.precision.is_some() { ANY } else { args.threshold };
    let balance = args.per_class.map(|per_class| Balance { per_class, upsample: args.upsample });
    // How many classes there are is known once the answers are open.
    let rule = Rule { threshold, balance, seed: args.seed, classes: 0 };
    let agreement = match args.agreement {
        AgreementArg::All => Agreement::All,
        AgreementArg::Majority => Agreement::Majority,
        AgreementArg::Mean => Agreement::Mean,
    };
    Policy { most: args.top, agreement, ..Policy::from(rule) }
}

fn duplicates(args: &CurateArgs, what: DuplicatesArg) -> DuplicateOptions {
    let policy = match what {
        DuplicatesArg::Report => Deduplication::Report,
        DuplicatesArg::Drop => Deduplication::Drop,
        DuplicatesArg::KeepOne => Deduplication::KeepOne,
    };
    DuplicateOptions { policy, distance: args.distance, test: args.test.clone() }
}

/// How many labels people gave.
fn by_people(curation: &Curation) -> usize {
    let human = |(_, label): &&(_, Label)| matches!(label.provenance, Provenance::Human { .. });
    curation.chosen.labels.iter().filter(human).count()
}

fn in_json(curation: &Curation) -> Value {
    let chosen = &curation.chosen;
    let pairs: Vec<Value> = chosen
        .pairs
        .iter()
        .map(|(pair, count)| json!({ "first": pair.first, "second": pair.second, "same": pair.same, "records": count }))
        .collect();
    json!({
        "labels": chosen.labels.len(), "by_people": by_people(curation), "selection": chosen.stats,
        "precision": chosen.stats.precision(), "classes": curation.classes, "thresholds": curation.thresholds,
        "agreement": pairs, "leaks": chosen.leaks, "copies": chosen.copies,
        "unknown_corrections": curation.unknown.count, "unreadable_corrections": curation.unreadable.count,
    })
}

fn in_words(args: &CurateArgs, curation: &Curation) -> String {
    let (chosen, people) = (&curation.chosen, by_people(curation));
    let stats = &chosen.stats;
    let mut lines = vec![table(curation)];
    let precision =
        stats.precision().map_or_else(String::new, |share| format!(", {:.2} % of the known ones right", 100.0 * share));
    lines.push(format!(
        "{}: {} labels: {people} of people, {} of {} that teachers gave{precision}",
        args.out.display(),
        chosen.labels.len(),
        chosen.labels.len() - people,
        stats.labelled_by_teacher
    ));
    for (pair, count) in &chosen.pairs {
        let verb = if pair.same { "agree" } else { "disagree" };
        lines.push(format!("teachers {} and {} {verb} about {count} records", pair.first, pair.second));
    }
    if args.duplicates.is_some() {
        let (leaks, copies) = (chosen.leaks.len(), chosen.copies.len());
        lines.push(format!("duplicates: {leaks} records repeat a test image, {copies} another record"));
    }
    lines.join("\n")
}

/// What was chosen of each class.
fn table(curation: &Curation) -> String {
    let mut table = ruled();
    table.set_header(["class", "labelled", "chosen", "copies", "threshold", "precision"]);
    for (name, class) in curation.classes.iter().zip(&curation.chosen.stats.per_class) {
        table.add_row([
            name.clone(),
            class.labelled.to_string(),
            class.accepted.to_string(),
            class.copies.to_string(),
            format!("{:.3}", class.threshold),
            class.precision().map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", 100.0 * share)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
