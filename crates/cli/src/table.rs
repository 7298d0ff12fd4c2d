//! The look of tables, and the table of rounds.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};
use millstream_cluster::RoundReport;
use millstream_dataflow::Evaluation;

/// From so many classes on it says something that a label is among the best five.
const CLASSES_FOR_TOP5: usize = 20;

/// What a column says of a round.
type Column = (&'static str, fn(&RoundReport) -> String);

const ABOUT: [Column; 6] = [
    ("round", |round| round.round.to_string()),
    ("model", |round| round.model.clone()),
    ("labelled", |round| round.labelled.to_string()),
    ("pseudo-labelled", pseudo_labelled),
    ("precision", |round| round.selection_precision.map_or_else(none, percent)),
    ("test accuracy", |round| percent(round.test_accuracy)),
];
const TOP5: Column = ("top-5", |round| round.test.as_ref().and_then(telling_top5).unwrap_or_else(none));
const ERROR: Column = ("ECE", |round| round.test.as_ref().map_or_else(none, |test| percent(test.ece)));
const CALIBRATED: [Column; 2] = [
    ("T", |round| round.calibration.as_ref().map_or_else(none, |found| format!("{:.3}", found.temperature))),
    ("ECE at T", |round| round.calibration.as_ref().and_then(|found| found.test_ece_after).map_or_else(none, percent)),
];
const SPEED: [Column; 2] = [
    ("images/s", |round| format!("{:.0}", round.images_per_second)),
    ("seconds", |round| format!("{:.1}", round.seconds)),
];

/// The rounds of a run, one a line. What none of them can tell has no column.
pub(crate) fn cells(rounds: &[RoundReport]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let tests = || rounds.iter().filter_map(|round| round.test.as_ref());
    let top5 = tests().any(|test| telling_top5(test).is_some()).then_some(TOP5);
    let error = tests().next().map(|_| ERROR);
    let calibrated = rounds.iter().find_map(|round| round.calibration.as_ref()).map(|_| CALIBRATED);
    let calibrated = calibrated.into_iter().flatten();
    let columns: Vec<Column> = ABOUT.into_iter().chain(top5).chain(error).chain(calibrated).chain(SPEED).collect();
    let cells = rounds.iter().map(|round| columns.iter().map(|(_, says)| says(round)).collect()).collect();
    (columns.iter().map(|(name, _)| *name).collect(), cells)
}

/// The same as text.
pub(crate) fn rounds(rounds: &[RoundReport]) -> String {
    let (head, rows) = cells(rounds);
    let mut table = ruled();
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// An empty table with a line above, below and under its header, as wide as it needs to be.
pub(crate) fn ruled() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// The top-5 accuracy, where there are enough classes for it to say something.
pub(crate) fn telling_top5(test: &Evaluation) -> Option<String> {
    test.top5.filter(|_| test.classes.len() >= CLASSES_FOR_TOP5).map(percent)
}

/// "temperature 1.832, test ECE 6.10 % to 2.03 %", if the round was calibrated.
pub(crate) fn calibration(round: &RoundReport) -> Option<String> {
    let found = round.calibration.as_ref()?;
    let (before, after) = (round.test.as_ref().map(|test| percent(test.ece)), found.test_ece_after.map(percent));
    let error = before.zip(after).map_or_else(String::new, |(before, after)| format!(", test ECE {before} to {after}"));
    Some(format!("temperature {:.3}{error}", found.temperature))
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn none() -> String {
    "-".to_owned()
}

fn pseudo_labelled(round: &RoundReport) -> String {
    if round.unlabelled > 0 {
        return format!("(all {})", round.unlabelled);
    }
    match round.pseudo_copies == round.pseudo_labelled {
        true => round.pseudo_labelled.to_string(),
        false => format!("{} (x{:.2})", round.pseudo_labelled, copies(round)),
    }
}

fn copies(round: &RoundReport) -> f64 {
    round.pseudo_copies as f64 / round.pseudo_labelled.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_dataflow::Tally;

    fn report(classes: u32) -> RoundReport {
        let mut tally = Tally::default();
        let shares: Vec<f32> = (0..classes).map(|class| if class == 0 { 1.0 } else { 0.0 }).collect();
        (0..classes).for_each(|label| tally.count(label, &shares));
        let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        RoundReport {
            round: 0,
            model: "alexnet".to_owned(),
            model_hash: String::new(),
            labelled: 1,
            pseudo_labelled: 0,
            pseudo_copies: 0,
            unlabelled: 0,
            selection_precision: None,
            validation: None,
            calibration: None,
            test_accuracy: tally.accuracy(),
            test_total: tally.total(),
            test: Evaluation::new(&tally, &names),
            steps: 1,
            loss: None,
            images_per_second: 1.0,
            data_wait: 0.0,
            stages: None,
            seconds: 1.0,
            dead_letters: 0,
            labels: None,
        }
    }

    #[test]
    fn a_calibrated_round_shows_its_temperature() {
        let precision = millstream_dataflow::Precision::new(0.5, 0, 0);
        let found = millstream_cluster::CalibrationReport {
            temperature: 1.8316,
            ece_before: 0.25,
            ece_after: 0.0,
            loss_before: 1.0,
            loss_after: 0.5,
            test_ece_after: Some(0.0203),
            test_loss_after: Some(0.5),
            precision,
        };
        let round = RoundReport { calibration: Some(found), ..report(10) };
        assert_eq!(calibration(&round).unwrap(), "temperature 1.832, test ECE 90.00 % to 2.03 %");
        let table = rounds(&[report(10), round]);
        assert!(table.contains("ECE at T") && table.contains("1.832") && table.contains("2.03 %"), "{table}");
        assert!(!rounds(&[report(10)]).contains("ECE at T") && calibration(&report(10)).is_none());
    }

    #[test]
    fn a_column_is_there_where_it_says_something() {
        let many = rounds(&[report(25)]);
        assert!(many.contains("top-5") && many.contains("20.00 %") && many.contains("96.00 %"), "{many}");
        let few = rounds(&[report(10)]);
        assert!(!few.contains("top-5") && few.contains("ECE") && few.contains("90.00 %"), "{few}");
        let untested = rounds(&[report(0)]);
        assert!(!untested.contains("ECE") && untested.contains("images/s"), "{untested}");
    }
}
