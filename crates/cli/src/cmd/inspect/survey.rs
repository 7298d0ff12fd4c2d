//! What data hold, told within seconds however many they are.

use std::time::Duration;

use anyhow::bail;
use millstream_cluster::{AnswersSummary, describe_answers, is_answers};
use millstream_data::FolderLayout;
use millstream_data::corpus::{self, Example, Extent, Kind, Options, Picture, Reach, Survey};
use millstream_imageops::{Truncated, header};
use serde::Serialize;

use crate::args::InspectArgs;
use crate::cmd::{kind, print, print_json};
use crate::exit::Request;

/// How long shards or commits are counted.
const PATIENCE: Duration = Duration::from_secs(10);
/// Labels that are shown, the most frequent first.
const LABELS: usize = 20;
/// Records that are looked at, unless somebody asks for more or fewer.
const RECORDS: u64 = 200;

pub(super) fn survey(args: &InspectArgs) -> anyhow::Result<()> {
    match &args.inputs[..] {
        // What cannot even be asked this is data, or the reading of it says what is wrong.
        [place] if args.kind.is_none() && is_answers(place).unwrap_or(false) => answers(args, place),
        _ => data(args),
    }
}

fn answers(args: &InspectArgs, place: &str) -> anyhow::Result<()> {
    let summary = describe_answers(place, PATIENCE)?;
    match args.json.json {
        true => print_json(&summary),
        false => print(&answers_text(place, &summary)),
    }
}

fn answers_text(place: &str, summary: &AnswersSummary) -> String {
    let AnswersSummary { done, inputs, models, classes, .. } = summary;
    let state = if summary.complete { "complete" } else { "not complete: the job has not come to its end" };
    let least = if summary.all_counted { "" } else { "at least " };
    let views = match (summary.mirror, summary.crops) {
        (false, false) => "",
        (true, false) => ", each image in a mirror too",
        (false, true) => ", five crops of each image",
        (true, true) => ", five crops of each image, in a mirror too",
    };
    let tells = match summary.distribution {
        true => "the probabilities of all classes".to_owned(),
        false => format!("the {} likeliest classes", summary.top_k.min(classes.len())),
    };
    let mut lines = vec![
        format!("{place}: answers ({}), {state}", summary.format),
        format!(
            "shards: {least}{}, {} rows ({} errors), {}",
            done.shards,
            done.rows,
            done.errors,
            megabytes(done.bytes)
        ),
        format!("input: {}", inputs.join(" ")),
        format!("models: {}{views}", models.join(", ")),
        format!("classes: {}: {}", classes.len(), first(classes)),
        format!("told: {tells}"),
    ];
    lines.extend(summary.embedding.map(|numbers| format!("embeddings: {numbers} numbers each")));
    lines.extend(summary.fingerprint.then(|| "fingerprints: of every image that could be decoded".to_owned()));
    lines.extend(summary.sample.map(|sample| format!("sample: {}, seed {}", sample.share, sample.seed)));
    lines.extend(summary.limit.map(|limit| format!("limit: {limit} records")));
    lines.extend((summary.damaged > 0).then(|| format!("damaged: {} commits", summary.damaged)));
    lines.join("\n")
}

/// The first few names.
fn first(names: &[String]) -> String {
    let more = if names.len() > LABELS { ", …" } else { "" };
    format!("{}{more}", names.iter().take(LABELS).map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// What is told of data.
#[derive(Debug, Serialize)]
struct Told<'a> {
    kind: Kind,
    #[serde(flatten)]
    survey: &'a Survey,
}

fn data(args: &InspectArgs) -> anyhow::Result<()> {
    // The folders of a folder of images may be classes: they are shown as labels.
    let options = Options { kind: args.kind.map(kind), layout: FolderLayout::Classes, ..Options::default() };
    let kind = corpus::kind(&args.inputs, &options)?;
    let corpus = corpus::open(&args.inputs, &options)?;
    let reach = Reach { records: args.limit.unwrap_or(RECORDS), patience: PATIENCE };
    let survey = corpus::survey(corpus.as_ref(), reach, &mut look);
    let place = args.inputs.join(" ");
    if survey.counted.shards == 0 {
        bail!(Request(nothing(&place, kind, &survey)));
    }
    match args.json.json {
        true => print_json(&Told { kind, survey: &survey }),
        false => print(&data_text(&place, kind, &survey)),
    }
}

fn nothing(place: &str, kind: Kind, survey: &Survey) -> String {
    match survey.problems.first() {
        Some(problem) => problem.clone(),
        None => format!(
            "{place}: holds nothing of the kind {}; check the place, or name the kind with `--kind`",
            kind.name()
        ),
    }
}

/// Reads the header of an image.
fn look(bytes: &[u8]) -> Result<Picture, String> {
    let options = millstream_imageops::Options { truncated: Truncated::Refuse, ..Default::default() };
    let found = header(bytes, &options).map_err(|error| error.to_string())?;
    Ok(Picture { format: found.format, width: found.width, height: found.height })
}

fn data_text(place: &str, kind: Kind, survey: &Survey) -> String {
    let mut lines = vec![format!("{place}: {}", kind.name()), format!("shards: {}", shards(survey))];
    let Survey { looked_at, opened, errors, labelled, labels, formats, .. } = survey;
    lines.push(format!("looked at: {looked_at} records of {opened} shards, {errors} with errors"));
    if !formats.is_empty() {
        let formats: Vec<String> = formats.iter().map(|(format, count)| format!("{count} {format}")).collect();
        let size = format!("{} x {} pixels", extent(survey.width), extent(survey.height));
        lines.push(format!("images: {}; {size}, {} bytes", formats.join(", "), extent(survey.bytes)));
    }
    lines.push(match labels.len() {
        0 => "labels: none seen".to_owned(),
        seen => format!("labels: {seen} seen on {labelled} of {looked_at} records: {}", frequent(survey)),
    });
    lines.extend(survey.examples.iter().map(example));
    lines.extend(survey.problems.iter().map(|problem| format!("problem: {problem}")));
    lines.join("\n")
}

/// How many shards, and how much they hold as far as that is known.
fn shards(survey: &Survey) -> String {
    let counted = &survey.counted;
    let known = |without: u64, what: String| if without == 0 { what } else { format!("at least {what}") };
    let mut parts = vec![format!("{}{}", if survey.all_counted { "" } else { "at least " }, counted.shards)];
    if counted.without_bytes < counted.shards {
        parts.push(known(counted.without_bytes, megabytes(counted.bytes)));
    }
    match counted.without_records < counted.shards {
        true => parts.push(known(counted.without_records, format!("{} records", counted.records))),
        false => parts.push("how many records they have is not known before they are read".to_owned()),
    }
    if counted.lost > 0 {
        parts.push(format!("{} parts not found", counted.lost));
    }
    parts.join(", ")
}

/// The most frequent labels.
fn frequent(survey: &Survey) -> String {
    let mut labels: Vec<(&String, u64)> = survey.labels.iter().map(|(label, count)| (label, *count)).collect();
    labels.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = labels.iter().take(LABELS).map(|(label, count)| format!("{label} ({count})")).collect();
    format!("{}{}", shown.join(", "), if labels.len() > LABELS { ", …" } else { "" })
}

fn example(example: &Example) -> String {
    let Example { key, place, bytes, .. } = example;
    let image = match (&example.format, example.width, example.height) {
        (Some(format), Some(width), Some(height)) => format!("{format} {width}x{height}"),
        _ => "no image".to_owned(),
    };
    let label = example.label.as_ref().map_or_else(String::new, |label| format!(", label {label}"));
    format!("  {key} {place}: {image}, {bytes} bytes{label}")
}

/// `28` or `28-640`.
fn extent(extent: Extent) -> String {
    match extent {
        Extent { least, most } if least == most => least.to_string(),
        Extent { least, most } => format!("{least}-{most}"),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
