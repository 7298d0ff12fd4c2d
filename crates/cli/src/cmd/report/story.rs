//! The sections of the page: what all runs came to, and what happened in each.

use millstream_cluster::{Report, RoundReport};
use millstream_dataflow::Evaluation;
use millstream_metrics::Curves;
use millstream_pages::{Bars, Chart, Group, Lines, Page, Series};

use super::Told;
use crate::cmd::doctor::figures_of;
use crate::cmd::doctor::show as stages;
use crate::cmd::doctor::verdict::verdict;
use crate::table;

/// Dead letters that are listed.
const MOST_DEAD: usize = 50;

/// Columns of the table of stages that a run fills: no part of it was ever alone.
const MEASURED: usize = 6;

/// A point for each round that has the value.
type OfRound = fn(&RoundReport) -> Option<f64>;

/// What all runs came to, over the same axes.
pub(super) fn compare(page: &mut Page, runs: &[Told]) {
    page.section("Results");
    let head = ["run", "rounds", "model", "test accuracy", "seed", "plan", "device", "shape"];
    let rows: Vec<Vec<String>> = runs.iter().map(summary).collect();
    page.table(&head, &rows);
    let curve = |title: &str, upward: &str, of: fn(&Curves) -> &Vec<(f64, f64)>| Lines {
        title: title.to_owned(),
        axes: ("step".to_owned(), upward.to_owned()),
        series: series(runs, |run| of(&run.curves).clone()),
        ..Lines::default()
    };
    let rounds = |title: &str, upward: &str, of: OfRound| Lines {
        title: title.to_owned(),
        axes: ("round".to_owned(), upward.to_owned()),
        series: series(runs, |run| by_round(&run.report, of)),
        counts: true,
        ..Lines::default()
    };
    let charts: [&dyn Chart; 6] = [
        &rounds("test accuracy by round", "accuracy (%)", |round| {
            round.test.as_ref().map(|test| 100.0 * test.accuracy)
        }),
        &curve("training loss", "loss (nats)", |curves| &curves.loss),
        &curve("accuracy on labelled training images, as they were augmented", "share", |curves| &curves.accuracy),
        &curve("learning rate", "learning rate", |curves| &curves.learning_rate),
        &rounds("precision of the selected pseudo-labels, where the truth is known", "right (%)", |round| {
            round.selection_precision.map(|share| 100.0 * share)
        }),
        &rounds("calibration error on test images", "ECE (%)", |round| {
            round.test.as_ref().map(|test| 100.0 * test.ece)
        }),
    ];
    page.charts(&charts);
}

fn summary(run: &Told) -> Vec<String> {
    let Report { rounds, environment, seed, plan_hash, complete, .. } = &run.report;
    let last = rounds.last();
    let done = format!("{}{}", rounds.len(), if *complete { "" } else { ", not complete" });
    vec![
        run.name.clone(),
        done,
        last.map_or_else(String::new, |round| round.model.clone()),
        last.map_or_else(String::new, |round| table::percent(round.test_accuracy)),
        seed.to_string(),
        plan_hash.chars().take(12).collect(),
        environment.device.clone(),
        format!(
            "{} processes of {} workers, {} training nodes",
            environment.processes, environment.workers, environment.ranks
        ),
    ]
}

fn series(runs: &[Told], points: impl Fn(&Told) -> Vec<(f64, f64)>) -> Vec<Series> {
    runs.iter().map(|run| Series { name: run.name.clone(), points: points(run) }).collect()
}

fn by_round(report: &Report, of: OfRound) -> Vec<(f64, f64)> {
    report.rounds.iter().filter_map(|round| Some((f64::from(round.round), of(round)?))).collect()
}

/// What happened in a run.
pub(super) fn tell(page: &mut Page, run: &Told) {
    page.section(&format!("{}: rounds", run.name));
    let (head, rows) = table::cells(&run.report.rounds);
    page.table(&head, &rows);
    test_images(page, run);
    pseudo_labels(page, run);
    speed(page, run);
    dead_letters(page, run);
}

fn test_images(page: &mut Page, run: &Told) {
    let Some((round, test)) = run.report.rounds.last().and_then(|round| Some((round.round, round.test.as_ref()?)))
    else {
        return;
    };
    page.section(&format!("{}: the model of round {round} on test images", run.name));
    let classes = Bars {
        title: "accuracy of each class".to_owned(),
        upward: "right (%)".to_owned(),
        names: test.classes.iter().map(|class| class.class.clone()).collect(),
        groups: vec![Group {
            name: "%".to_owned(),
            values: test.classes.iter().map(|class| 100.0 * class.accuracy.unwrap_or(0.0)).collect(),
        }],
    };
    let reliability = reliability(test);
    let charts: Vec<&dyn Chart> = match &run.confusion {
        Some(confusion) => vec![confusion, &reliability, &classes],
        None => vec![&reliability, &classes],
    };
    page.charts(&charts);
}

/// How often the model is right, by how sure it is (Guo et al. 2017, figure 1, with points in place of bars).
fn reliability(test: &Evaluation) -> Lines {
    let bins = test.reliability.iter().filter_map(|bin| Some((bin.confidence?, bin.accuracy?)));
    let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
    Lines {
        title: format!("calibration: {} test images in 15 bins of confidence", test.total),
        axes: ("confidence".to_owned(), "accuracy".to_owned()),
        series: vec![
            Series { name: "the model".to_owned(), points: bins.collect() },
            Series { name: "one that knows how sure it may be".to_owned(), points: diagonal },
        ],
        ..Lines::default()
    }
}

/// What the teachers gave to the next rounds.
fn pseudo_labels(page: &mut Page, run: &Told) {
    let stats = |round: &RoundReport| round.labels.clone();
    let Some(last) = run.report.rounds.iter().filter_map(stats).next_back() else { return };
    page.section(&format!("{}: pseudo-labels", run.name));
    let counts = |name: &str, of: fn(&millstream_dataflow::ClassStats) -> u64| Group {
        name: name.to_owned(),
        values: last.per_class.iter().map(|class| of(class) as f64).collect(),
    };
    let names = run.report.rounds.iter().find_map(|round| round.test.as_ref());
    let name = |class: usize| names.and_then(|test| Some(test.classes.get(class)?.class.clone()));
    let classes = Bars {
        title: "by class, after the last round that labelled".to_owned(),
        upward: "images".to_owned(),
        names: (0..last.per_class.len()).map(|class| name(class).unwrap_or_else(|| class.to_string())).collect(),
        groups: vec![
            counts("labelled", |class| class.labelled),
            counts("selected", |class| class.accepted),
            counts("selected, with copies", |class| class.copies),
        ],
    };
    let line = |name: &str, of: fn(&millstream_dataflow::RoundStats) -> u64| Series {
        name: name.to_owned(),
        points: by_round_of(&run.report, of),
    };
    let changes = Lines {
        title: "changes from round to round".to_owned(),
        axes: ("round".to_owned(), "images".to_owned()),
        series: vec![
            line("another class than before (churn)", |stats| stats.churn),
            line("newly selected", |stats| stats.joined),
            line("no longer selected", |stats| stats.left),
        ],
        counts: true,
        ..Lines::default()
    };
    page.charts(&[&classes, &changes]);
}

fn by_round_of(report: &Report, of: fn(&millstream_dataflow::RoundStats) -> u64) -> Vec<(f64, f64)> {
    report.rounds.iter().filter_map(|round| Some((f64::from(round.round), of(round.labels.as_ref()?) as f64))).collect()
}

/// How fast training was, and in each round which stage held it up.
fn speed(page: &mut Page, run: &Told) {
    page.section(&format!("{}: throughput and bottleneck per stage", run.name));
    for round in &run.report.rounds {
        let figures = figures_of(round, &run.report.environment);
        page.text(&format!("Round {}: {}.", round.round, verdict(&figures).sentence));
        let rows: Vec<Vec<String>> = stages::rows(&figures).iter().map(|row| row[..MEASURED].to_vec()).collect();
        page.table(&stages::HEAD[..MEASURED], &rows);
    }
    let chart = |title: &str, upward: &str, points: &[(f64, f64)], from_to| Lines {
        title: title.to_owned(),
        axes: ("step".to_owned(), upward.to_owned()),
        series: vec![Series { name: String::new(), points: points.to_vec() }],
        from_to,
        ..Lines::default()
    };
    page.charts(&[
        &chart("training images a second", "images/s", &run.curves.images_per_second, Some((0.0, 0.0))),
        &chart(
            "share of the time in which the training node waited for batches",
            "share",
            &run.curves.data_wait,
            Some((0.0, 1.0)),
        ),
    ]);
}

fn dead_letters(page: &mut Page, run: &Told) {
    if run.dead.is_empty() {
        return;
    }
    page.section(&format!("{}: records that could not be used", run.name));
    let row = |letter: &millstream_data::DeadLetter| {
        vec![letter.place.clone(), letter.stage.name().to_owned(), letter.reason.clone(), letter.round.to_string()]
    };
    let rows: Vec<Vec<String>> = run.dead.iter().take(MOST_DEAD).map(row).collect();
    page.table(&["place", "stage", "why", "round"], &rows);
    if run.dead.len() > MOST_DEAD {
        page.text(&format!("{} more are in `rounds/*/dead_letters.parquet`.", run.dead.len() - MOST_DEAD));
    }
}
