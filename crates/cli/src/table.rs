//! The table of rounds.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use millstream_cluster::RoundReport;

const HEADER: [&str; 8] =
    ["round", "model", "labelled", "pseudo-labelled", "precision", "test accuracy", "images/s", "seconds"];

/// The rounds of a run, one a line.
pub(crate) fn rounds(rounds: &[RoundReport]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled).set_header(HEADER);
    for round in rounds {
        table.add_row(row(round));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn row(round: &RoundReport) -> [String; 8] {
    [
        round.round.to_string(),
        round.model.clone(),
        round.labelled.to_string(),
        match round.pseudo_copies == round.pseudo_labelled {
            true => round.pseudo_labelled.to_string(),
            false => format!("{} (x{:.2})", round.pseudo_labelled, copies(round)),
        },
        round.selection_precision.map_or_else(|| "-".to_owned(), |precision| format!("{:.2} %", 100.0 * precision)),
        format!("{:.2} %", 100.0 * round.test_accuracy),
        format!("{:.0}", round.images_per_second),
        format!("{:.1}", round.seconds),
    ]
}

fn copies(round: &RoundReport) -> f64 {
    round.pseudo_copies as f64 / round.pseudo_labelled.max(1) as f64
}
