//! A look at every image of a data set: a page with pictures, and the same for programs.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use millstream_cluster::{DataReport, ExamineOptions, Examined, Phase, ReadOptions, keep_apart};
use millstream_dataflow::Stop;

use super::{page, splits};
use crate::args::InspectArgs;
use crate::cmd::relabel::meter::Meter;
use crate::cmd::{cores, device, kind, print, quoted, stop_on_interrupt, write_out};
use crate::exit::Request;
use crate::table;

/// Records of a shard, where the data has no shards of its own: what a model says of a few shards is in memory.
const RECORDS: usize = 1024;
/// The files that are written.
const PAGE: &str = "report.html";
const REPORT: &str = "report.json";
const ISSUES: &str = "label_issues.csv";

pub(super) fn examine(args: &InspectArgs, out: &Path) -> anyhow::Result<()> {
    let options = options(args, out)?;
    keep_apart(out, &options.splits)?;
    let fresh = begin(out, args.overwrite)?;
    let done = found(&options, &stop_on_interrupt()?).and_then(|found| finish(args, out, &found));
    if done.is_err() && fresh {
        // Only if nothing was written.
        let _ = std::fs::remove_dir(out);
    }
    done
}

fn options(args: &InspectArgs, out: &Path) -> anyhow::Result<ExamineOptions> {
    Ok(ExamineOptions {
        splits: splits::splits(&args.inputs, &args.labels)?,
        reading: ReadOptions {
            kind: args.kind.map(kind),
            records: RECORDS,
            // The folders of a folder of images may be classes.
            class_folders: true,
            root: args.root.clone(),
            image_column: args.image_column.clone(),
            label_column: args.label_column.clone(),
            labels: None,
        },
        out: out.to_owned(),
        model: args.model.clone(),
        candidates: usize::from(args.candidates),
        distance: args.distance,
        limit: args.limit,
        workers: args.workers.map_or_else(cores, usize::from),
        cores: cores(),
        device: device(args.device.device),
        memory: args.memory,
    })
}

/// Makes the folder, if it may be written to. Whether it was not there.
fn begin(out: &Path, overwrite: bool) -> anyhow::Result<bool> {
    let refuse = |error: std::io::Error| Request(format!("{}: {error}", out.display()));
    let there = out.exists();
    if there && !out.is_dir() {
        bail!(Request(format!("{} is no folder: choose one with `--out`", out.display())));
    }
    if there && !overwrite && std::fs::read_dir(out).map_err(refuse)?.next().is_some() {
        bail!(Request(format!(
            "{} is not empty: choose a new or empty folder with `--out`, or replace the report there with `--overwrite`",
            out.display()
        )));
    }
    std::fs::create_dir_all(out).map_err(refuse)?;
    Ok(!there)
}

/// Runs the job, with a meter for each of its phases.
fn found(options: &ExamineOptions, stop: &Stop) -> anyhow::Result<Examined> {
    let meters = Arc::new([Meter::new(None), Meter::new(None)]);
    let watching = Arc::clone(&meters);
    let found = millstream_cluster::examine(options, stop, move |phase, event| match phase {
        Phase::Measure => watching[0].note(event),
        Phase::Ask => watching[1].note(event),
    });
    let phases = if options.model.is_some() { 2 } else { 1 };
    meters.iter().take(phases).for_each(Meter::finish);
    Ok(found?)
}

fn finish(args: &InspectArgs, out: &Path, found: &Examined) -> anyhow::Result<()> {
    let report = &found.report;
    let json = serde_json::to_string_pretty(report)? + "\n";
    let page = page::page(found);
    issues(out, found)?;
    write_out(&out.join(PAGE), page.as_bytes())?;
    write_out(&out.join(REPORT), json.as_bytes())?;
    if args.json.json {
        return print(&json);
    }
    print(&summary(report).join("\n"))?;
    print(&format!("{} ({} KiB), {REPORT}", out.join(PAGE).display(), page.len().div_ceil(1024)))
}

/// Writes the list of labels that are probably wrong. One of an earlier report goes.
fn issues(out: &Path, found: &Examined) -> anyhow::Result<()> {
    let path = out.join(ISSUES);
    if found.report.labels.is_none() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!(Request(format!("{}: {error}", path.display())))
            }
            _ => Ok(()),
        };
    }
    let mut lines = String::from("key,place,given,suggested,score,confident\n");
    for issue in found.issues() {
        let issue = issue?;
        let given = issue.record.label.unwrap_or_default();
        let fields = [&issue.record.key, &issue.record.place, &given, &issue.suggested].map(|field| quoted(field));
        lines += &format!("{},{},{}\n", fields.join(","), issue.score, issue.confident);
    }
    Ok(millstream_data::write_atomically(&path, |file| file.write_all(lines.as_bytes()))?)
}

/// What was found, in a dozen lines.
fn summary(report: &DataReport) -> Vec<String> {
    let DataReport { splits, classes, balance, normalize, duplicates, broken, labels, .. } = report;
    let mut lines: Vec<String> = splits
        .iter()
        .map(|split| {
            let gone = split.missing.len();
            let gone = if gone > 0 { format!(", {gone} parts of the input not found") } else { String::new() };
            format!(
                "{}: {} records, {} labelled, {} broken{gone}",
                split.name, split.records, split.labelled, split.broken
            )
        })
        .collect();
    lines.push(match balance {
        None => format!("classes: {}", if classes.is_empty() { "nothing is labelled" } else { "one" }),
        Some(found) if found.ratio == Some(1.0) => format!("classes: {}, each as large as the others", classes.len()),
        Some(found) => {
            let ratio = found.ratio.map_or_else(|| "without limit".to_owned(), |ratio| format!("{ratio:.1} to 1"));
            let (most, fewest) = (&found.largest, &found.smallest);
            format!("classes: {}, imbalance {ratio} ({} {}, {} {})", classes.len(), most.0, most.1, fewest.0, fewest.1)
        }
    });
    let (exact, near) = (duplicates.exact_groups, duplicates.near_groups);
    lines.push(format!(
        "duplicates: {exact} exact groups, {near} near ones; {} repeats; {} groups with different labels",
        duplicates.repeats, duplicates.contradictions
    ));
    let leaked = |found: &millstream_cluster::Leaked| format!("{} of {} in {}", found.records, found.into, found.from);
    if !duplicates.leaked.is_empty() {
        let leaked: Vec<String> = duplicates.leaked.iter().map(leaked).collect();
        lines.push(format!("leaks: {}", leaked.join(", ")));
    }
    lines.extend(broken.records.iter().take(3).map(|record| format!("broken: {}: {}", record.place, record.reason)));
    if let Some(found) = labels {
        let agreement = table::percent(found.agreement);
        lines.push(format!(
            "labels: {} of {} are probably wrong; the model agrees with {agreement}",
            found.issues, found.judged
        ));
        lines.extend((!found.can_judge()).then(|| page::cannot_judge(found)));
    }
    lines.extend(normalize.as_ref().map(page::normalize));
    lines
}
