//! The figures as a table: a stage a line, with what it did of its time.

use comfy_table::CellAlignment;
use millstream_cluster::Stages;
use millstream_dataflow::READERS;

use super::verdict::{Figures, bytes, share};
use crate::table;

/// Ops that are listed; the rest costs little.
const MOST_OPS: usize = 5;

/// What the columns are called.
pub(crate) const HEAD: [&str; 7] = ["stage", "busy", "waits for input", "held back", "found ready", "gives", "alone"];

/// A stage and what is said of it.
pub(crate) type Row = [String; HEAD.len()];

pub(super) fn table(figures: &Figures) -> String {
    let mut table = table::ruled();
    table.set_header(HEAD);
    for row in rows(figures) {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A row for each stage, and one for each of the most expensive ops.
pub(crate) fn rows(figures: &Figures) -> Vec<Row> {
    let mut rows = vec![read(figures), prepare(figures)];
    rows.extend(figures.ops.iter().take(MOST_OPS).map(|op| {
        let mut row = blank(&format!("  {}", op.name));
        row[1] = format!("{} of it", percent(op.share));
        row
    }));
    rows.push(train(figures));
    rows
}

fn read(figures: &Figures) -> Row {
    let Stages { seconds, workers, read, .. } = &figures.stages;
    let mut row = blank("read");
    if read.records > 0 {
        row[1] = percent(read.busy / (seconds * (workers * READERS) as f64).max(f64::MIN_POSITIVE));
        row[4] = percent(1.0 - read.fetched as f64 / read.records as f64);
        row[5] = bytes(read.bytes as f64 / seconds.max(f64::MIN_POSITIVE));
    }
    if let Some(alone) = &figures.alone {
        row[6] =
            format!("{}, {}", bytes(alone.reading[0].bytes_per_second), images(alone.reading[0].images_per_second));
    }
    row
}

fn prepare(figures: &Figures) -> Row {
    let Stages { seconds, workers, prepare, .. } = &figures.stages;
    let mut row = blank("prepare");
    if prepare.records > 0 {
        let of = |part: f64| percent(part / (seconds * *workers as f64).max(f64::MIN_POSITIVE));
        row[1] = of(prepare.busy);
        row[2] = of(prepare.starved);
        row[3] = of(prepare.blocked);
        row[4] = percent(share(prepare.busy, prepare.starved));
        row[5] = format!("{:.0} records/s", prepare.records as f64 / seconds.max(f64::MIN_POSITIVE));
    }
    if let Some(alone) = &figures.alone {
        row[6] = images(alone.stream.images_per_second);
    }
    row
}

fn train(figures: &Figures) -> Row {
    let train = &figures.stages.train;
    let mut row = blank("train");
    row[1] = percent(share(train.busy, train.waited));
    row[2] = percent(share(train.waited, train.busy));
    if figures.images_per_second > 0.0 {
        row[5] = images(figures.images_per_second);
    }
    if figures.stages.prepare.records > 0 && train.steps > 0 {
        row[4] = percent(train.ready as f64 / train.steps as f64);
    }
    if let Some(alone) = &figures.alone {
        row[6] = images(alone.training.images_per_second);
    }
    row
}

fn blank(stage: &str) -> Row {
    let mut row = Row::default();
    stage.clone_into(&mut row[0]);
    row
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn images(rate: f64) -> String {
    format!("{rate:.0} images/s")
}
