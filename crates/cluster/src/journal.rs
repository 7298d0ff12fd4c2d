//! Hands what the stream tells of training to the journal of the run directory.

use std::path::Path;

use millstream_dataflow::{Evaluation, Event, Reliability, Tally};

use crate::report::CalibrationReport;
use millstream_metrics::{Bin, Calibrated, Figures, MOST_CLASSES, Step, write_confusion};

/// A step as the journal takes it; none for other events.
pub(crate) fn step(event: &Event) -> Option<Step> {
    let Event::Stepped { round, epoch, step, images, metrics, time } = *event else {
        return None;
    };
    Some(Step {
        round,
        epoch,
        step,
        images,
        loss: metrics.loss,
        learning_rate: metrics.learning_rate,
        labelled: metrics.labelled,
        labelled_correct: metrics.labelled_correct,
        asked: metrics.asked,
        accepted: metrics.accepted,
        waited: time.waited,
        seconds: time.seconds,
    })
}

/// A pass over a labelled split as the journal takes it.
pub(crate) fn figures(tally: &Tally, evaluation: &Evaluation, calibrated: Option<Calibrated>) -> Figures {
    Figures {
        total: evaluation.total,
        accuracy: evaluation.accuracy,
        top5: evaluation.top5,
        loss: evaluation.loss,
        ece: evaluation.ece,
        calibrated,
        bins: evaluation.reliability.iter().map(bin).collect(),
        classes: evaluation.classes.iter().map(|class| class.class.clone()).collect(),
        confusion: tally.confusion.iter().map(|(pair, count)| (*pair, *count)).collect(),
    }
}

/// What the temperature makes of the figures of the validation split, and of the test split.
pub(crate) fn calibrated(report: &CalibrationReport) -> (Calibrated, Option<Calibrated>) {
    let at = |loss, ece| Calibrated { temperature: report.temperature, loss, ece };
    let test = report.test_loss_after.zip(report.test_ece_after).map(|(loss, ece)| at(loss, ece));
    (at(report.loss_after, report.ece_after), test)
}

fn bin(bin: &Reliability) -> Bin {
    Bin { total: bin.total, confidence: bin.confidence.unwrap_or_default(), accuracy: bin.accuracy.unwrap_or_default() }
}

/// Writes the confusion matrix into the folder of a round. Returns whether it is there: that it cannot be written is a warning.
pub(crate) fn confusion(folder: &Path, figures: &Figures) -> bool {
    if figures.classes.len() > MOST_CLASSES {
        tracing::info!("no confusion.csv: it has room for {MOST_CLASSES} classes");
        return false;
    }
    let path = folder.join("confusion.csv");
    let written = write_confusion(&path, &figures.classes, &figures.confusion);
    written.inspect_err(|error| tracing::warn!("cannot write {}: {error}; the run goes on", path.display())).is_ok()
}
