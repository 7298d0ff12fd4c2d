//! `search`: the best settings of a pipeline.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use comfy_table::CellAlignment;
use millstream_cluster::{OnFold, Search, SearchAxis, SearchOptions, TrialDone, Tried};
use millstream_metrics::{HeatCell, HeatMap};
use millstream_spec::{Criterion, Definition};

use super::{device, print, print_json, run, smallest_step, stop_on_interrupt, workers, write_out};
use crate::args::SearchArgs;
use crate::exit::{Request, stop_code};
use crate::say::say;
use crate::table::{percent, ruled};

/// More values than this of a setting make no picture that can be read.
const MOST_VALUES: usize = 40;

pub(crate) fn search(args: &SearchArgs) -> anyhow::Result<ExitCode> {
    let definition = Definition::read(&args.pipeline.pipeline, &overrides(args))?;
    let plan = definition.plan()?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(format!("{}-search", plan.name)));
    let options = SearchOptions {
        definition: definition.clone(),
        out: out.clone(),
        start: run::start(args.start),
        workers: workers(args.workers, smallest_step(&plan)),
        at_once: args.at_once.map(usize::from),
        share: args.share,
        shelf: args.cache,
        device: device(args.device.device),
    };
    let stop = stop_on_interrupt()?;
    let searched = millstream_cluster::search(&plan, &options, &stop, |trial| say(line(trial)))?;
    let Some(found) = searched.search else {
        let Some(reason) = searched.stopped else {
            say("this share is done, others are not: the last to end has the results");
            return Ok(ExitCode::SUCCESS);
        };
        say(format_args!(
            "error: {reason}\n  what is done is kept in {}; `--resume` goes on from there",
            out.display()
        ));
        return Ok(ExitCode::from(stop_code(&reason)));
    };
    write_out(&out.join("trials.csv"), csv(&found).as_bytes())?;
    let picture = draw(&found, &out)?;
    match args.json.json {
        true => print_json(&found)?,
        false => print(&text(&found, &definition, picture.as_ref()))?,
    }
    let Some(winner) = found.winner() else {
        say("error: every combination failed, or has a loss that is not finite");
        return Ok(ExitCode::from(crate::exit::FAILED));
    };
    if args.write {
        write(args, winner)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was changed on the command line; what is tried as one setting, since its keys have dots themselves.
fn overrides(args: &SearchArgs) -> Vec<(String, String)> {
    let mut overrides = args.pipeline.overrides.clone();
    if !args.over.is_empty() {
        let quoted = |key: &str| serde_json::Value::from(key).to_string();
        let over: Vec<String> = args.over.iter().map(|(key, values)| format!("{}: {values}", quoted(key))).collect();
        overrides.push(("search.over".to_owned(), format!("{{ {} }}", over.join(", "))));
    }
    overrides
}

/// What is said of a trial that is done.
fn line(trial: &TrialDone) -> String {
    let TrialDone { done, of, settings, fold, accuracy, loss, before, seconds, failed } = trial;
    let loss = loss.map_or_else(String::new, |loss| format!(", loss {loss:.4}"));
    let came_to = match (accuracy, failed) {
        (Some(accuracy), _) => percent(*accuracy) + &loss,
        (None, failed) => format!("failed: {}", failed.as_deref().unwrap_or("nobody knows why")),
    };
    let took = match (before, seconds) {
        (true, _) => " (done before)".to_owned(),
        (false, seconds) => seconds.map_or_else(String::new, |seconds| format!(" ({seconds:.1} s)")),
    };
    format!("[{done}/{of}] {settings}, on fold {fold}: {came_to}{took}")
}

/// The last key of a setting, or all of them where another setting ends with the same.
fn short<'a>(axis: &'a SearchAxis, axes: &[SearchAxis]) -> &'a str {
    let last = |path: &'a str| path.rsplit('.').next().unwrap_or(path);
    let name = last(&axis.path);
    match axes.iter().filter(|other| other.path.rsplit('.').next() == Some(name)).count() {
        1 => name,
        _ => &axis.path,
    }
}

fn text(found: &Search, definition: &Definition, picture: Option<&PathBuf>) -> String {
    let mut parts = vec![table(found)];
    let failed = found.tried.iter().find_map(|tried| Some((tried, tried.failures.first()?)));
    parts.extend(failed.map(|(tried, reason)| format!("# {} failed: {reason}", named(tried))));
    if let Some(winner) = found.winner() {
        let runs = winner.runs.iter().map(|run| format!("trials/{run}")).collect::<Vec<_>>().join(", ");
        let excerpt = definition.excerpt(&winner.settings);
        parts.push(format!("{}\n# its runs: {runs}\n{excerpt}", verdict(found, winner)).trim_end().to_owned());
    }
    parts.extend(picture.map(|picture| format!("heat map: {}", picture.display())));
    parts.join("\n\n")
}

/// The settings of a combination.
fn named(tried: &Tried) -> String {
    let settings = tried.settings.iter().map(|(path, value)| format!("{path}={value}"));
    if tried.as_written { "the pipeline as it is written".to_owned() } else { settings.collect::<Vec<_>>().join(", ") }
}

fn table(found: &Search) -> String {
    let Search { axes, tried, .. } = found;
    let mut table = ruled();
    let names = axes.iter().map(|axis| short(axis, axes));
    table.set_header(names.chain(["held-out loss", "held-out accuracy", "±", "steps", ""]));
    for one in tried {
        let values = axes.iter().map(|axis| one.value(&axis.path).unwrap_or("-").to_owned());
        let accuracy = one.accuracy.map_or_else(|| "failed".to_owned(), percent);
        let error = one.standard_error.map_or_else(String::new, |error| format!("{:.2}", 100.0 * error));
        let loss = match (one.loss, one.accuracy) {
            (Some(loss), _) => format!("{loss:.4}"),
            (None, Some(_)) => "not finite".to_owned(),
            (None, None) => "failed".to_owned(),
        };
        table.add_row(values.chain([loss, accuracy, error, one.steps.to_string(), note(found, one)]));
    }
    for column in table.column_iter_mut().take(axes.len() + 4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn note(found: &Search, one: &Tried) -> String {
    let ties = found.winner().is_some_and(|winner| winner.number != one.number)
        && found.behind(one).is_some_and(|behind| behind.ties());
    let notes = [(one.as_written, "as written"), (ties, "ties")];
    notes.iter().filter(|(true_of_it, _)| *true_of_it).map(|(_, note)| *note).collect::<Vec<_>>().join(", ")
}

/// What came out, and how sure that is.
fn verdict(found: &Search, winner: &Tried) -> String {
    let (all, images) = (found.tried.len(), winner.images);
    let accuracy = winner.accuracy.map_or_else(String::new, percent);
    let mut says = match winner.loss.filter(|_| found.by == Criterion::Loss) {
        Some(loss) => {
            format!("# the best of {all} combinations by loss: {loss:.4} on {images} held-out images, {accuracy} right")
        }
        None => format!("# the best of {all} combinations: {accuracy} of {images} held-out images"),
    };
    if let Some(written) = found.as_written() {
        says += &compared(found, winner, written);
    }
    let behind: Vec<_> = found.finalists().skip(1).map(|one| found.behind(one)).collect();
    let ties = behind.iter().flatten().filter(|behind| behind.ties()).count();
    let advice = match found.held_out < found.folds {
        true => "raise `held_out` to tell them apart",
        false => "more `folds` or longer trials may tell them apart",
    };
    says += &match ties {
        _ if behind.contains(&None) => {
            "\n# the loss on one fold does not tell how sure that is: raise `held_out`".to_owned()
        }
        0 => String::new(),
        1 => format!("\n# another one is within one standard error of it: {advice}"),
        ties => format!("\n# {ties} others are within one standard error of it: {advice}"),
    };
    says
}

/// How much better it is than the pipeline as it is written, with one standard error, if both came as far.
fn compared(found: &Search, winner: &Tried, written: &Tried) -> String {
    let error = found.behind(written).map(|behind| behind.error);
    let plus_minus =
        |scale: f64, digits| error.map_or_else(String::new, |error| format!(" ± {:.digits$}", scale * error));
    match (found.by, winner.accuracy.zip(written.accuracy), winner.loss.zip(written.loss)) {
        _ if winner.as_written => "; it is the pipeline as it is written".to_owned(),
        (_, None, _) => "; as written it fails".to_owned(),
        (Criterion::Loss, _, None) => "; as written it is not finite".to_owned(),
        _ if written.rung < winner.rung => String::new(),
        (Criterion::Accuracy, Some((best, written)), _) => {
            format!("; as written: {:.2}{} points less", 100.0 * (best - written), plus_minus(100.0, 2))
        }
        (Criterion::Loss, _, Some((best, written))) => {
            format!("; as written: {:.4}{} more", written - best, plus_minus(1.0, 4))
        }
    }
}

fn csv(found: &Search) -> String {
    let Search { axes, tried, held_out, .. } = found;
    let folds = (0..*held_out).flat_map(|fold| [format!("fold {fold}"), format!("loss of fold {fold}")]);
    let head = axes
        .iter()
        .map(|axis| super::quoted(&axis.path))
        .chain(["accuracy", "standard error", "loss", "images", "steps", "rung", "as written"].map(str::to_owned))
        .chain(folds);
    let mut lines = vec![head.collect::<Vec<_>>().join(",")];
    for one in tried {
        let number = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.6}"));
        let Tried { accuracy, standard_error, loss, images, steps, rung, as_written, folds, .. } = one;
        let values = axes.iter().map(|axis| super::quoted(one.value(&axis.path).unwrap_or("")));
        let figures = [
            number(*accuracy),
            number(*standard_error),
            number(*loss),
            images.to_string(),
            steps.to_string(),
            rung.to_string(),
            as_written.to_string(),
        ];
        let of_fold =
            |fold: &Option<OnFold>| [fold.map(|fold| fold.accuracy), fold.and_then(|fold| fold.loss)].map(number);
        let folds = folds.iter().flat_map(of_fold);
        lines.push(values.chain(figures).chain(folds).collect::<Vec<_>>().join(","));
    }
    lines.join("\n") + "\n"
}

/// Draws the first two settings against each other, each cell with the best of all others.
fn draw(found: &Search, out: &std::path::Path) -> anyhow::Result<Option<PathBuf>> {
    let axes = &found.axes;
    let Some(across) = axes.first().filter(|_| axes.iter().take(2).all(|axis| axis.values.len() <= MOST_VALUES)) else {
        return Ok(None);
    };
    let down = axes.get(1);
    let rows = down.map_or(vec![None], |axis| axis.values.iter().map(|value| Some(value.as_str())).collect());
    let cell = |column: &String, row: Option<&str>| {
        let here = |tried: &&Tried| {
            tried.value(&across.path) == Some(column) && down.is_none_or(|axis| tried.value(&axis.path) == row)
        };
        // The best one comes first.
        let best = found.tried.iter().find(here)?;
        let figure = match found.by {
            Criterion::Accuracy => format!("{:.2}", 100.0 * best.accuracy?),
            Criterion::Loss => format!("{:.4}", best.loss?),
        };
        Some(HeatCell { figure, standing: found.standing(best) })
    };
    let cells: Vec<_> = rows.iter().flat_map(|row| across.values.iter().map(|column| cell(column, *row))).collect();
    if cells.iter().all(Option::is_none) {
        return Ok(None);
    }
    let others = if axes.len() > 2 { ", the best of all other settings" } else { "" };
    let what = match found.by {
        Criterion::Accuracy => "held-out accuracy in %",
        Criterion::Loss => "held-out loss, less is better",
    };
    let map = HeatMap {
        title: format!("{}: {what}{others}", found.name),
        columns: (short(across, axes).to_owned(), across.values.clone()),
        rows: (
            down.map_or_else(String::new, |axis| short(axis, axes).to_owned()),
            rows.iter().map(|row| row.unwrap_or("").to_owned()).collect(),
        ),
        cells,
    };
    let path = out.join("heatmap.png");
    map.write(&path)?;
    Ok(Some(path))
}

/// Puts the best settings into the pipeline's file, as that is by now.
fn write(args: &SearchArgs, winner: &Tried) -> anyhow::Result<()> {
    let file = args.pipeline.pipeline.display();
    if winner.as_written {
        say(format_args!("{file} has the best settings already"));
        return Ok(());
    }
    let definition = Definition::read(&args.pipeline.pipeline, &overrides(args))?;
    match definition.rewritten(&winner.settings) {
        Ok(text) => {
            write_out(&args.pipeline.pipeline, text.as_bytes())?;
            say(format_args!("the best settings are in {file} now"));
            Ok(())
        }
        Err(setting) => bail!(Request(format!(
            "{file} is as it was: `{setting}` cannot be put there, because its value is not on one line of its own, or was changed with `--set`. Paste the lines above"
        ))),
    }
}
