//! What a run tells of itself: its report, and its metrics where no round is complete.

use std::path::Path;

use anyhow::{Context, bail};
use millstream_cluster::{Environment, Report, RoundReport, Stages, TrainStage};
use millstream_metrics::Curves;

use super::verdict::Figures;
use crate::exit::Request;

/// The figures of all rounds together.
pub(super) fn figures(run: &Path, report: &Report) -> anyhow::Result<Figures> {
    let mut rounds = report.rounds.iter().map(|round| figures_of(round, &report.environment));
    let Some(mut all) = rounds.next() else {
        return unfinished(run, report);
    };
    rounds.for_each(|round| all.stages.add(&round.stages));
    all.images_per_second = rate(all.stages.train.images, all.stages.seconds);
    Ok(all)
}

/// The figures of a round. A report from before stages were measured knows how long training waited, and no more.
pub(crate) fn figures_of(round: &RoundReport, environment: &Environment) -> Figures {
    let waiting = || Stages { workers: environment.workers, ..of_waiting(round.steps.into(), round.data_wait) };
    Figures {
        stages: round.stages.unwrap_or_else(waiting),
        images_per_second: round.images_per_second,
        cores: environment.cores,
        on_cpu: environment.device == "cpu",
        ..Figures::default()
    }
}

/// A run that has no complete round yet has told its metrics how long training waited.
fn unfinished(run: &Path, report: &Report) -> anyhow::Result<Figures> {
    let curves = Curves::read(run).with_context(|| format!("cannot read the metrics of {}", run.display()))?;
    let Some((steps, _)) = curves.data_wait.last() else {
        bail!(Request(format!("{} has not trained long enough to tell: ask again later", run.display())));
    };
    let waited = curves.data_wait.iter().map(|(_, share)| share).sum::<f64>() / curves.data_wait.len() as f64;
    Ok(Figures {
        stages: Stages { workers: report.environment.workers, ..of_waiting(*steps as u64, waited) },
        cores: report.environment.cores,
        on_cpu: report.environment.device == "cpu",
        ..Figures::default()
    })
}

/// What is known of stages by the share of waiting alone, in a unit of time.
fn of_waiting(steps: u64, waited: f64) -> Stages {
    let train = TrainStage { steps, busy: 1.0 - waited, waited, ..TrainStage::default() };
    Stages { seconds: 1.0, train, ..Stages::default() }
}

fn rate(images: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { images as f64 / seconds } else { 0.0 }
}
