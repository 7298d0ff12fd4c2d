//! Labels for nothing: how fast that is.

use std::sync::Arc;
use std::thread;

use millstream_data::corpus;
use millstream_data::store::Store;
use millstream_data::{Batch, Block, Key, Row, Target};
use millstream_dataflow::Stop;
use millstream_dataflow::relabel::{BulkEvent, Labeller};

use super::ensemble::Models;
use super::probe::Dry;
use super::settings::Settings;
use super::{RelabelOptions, labeller, parts, run};
use crate::error::ClusterError;

/// Labels all records as [`relabel`](super::relabel()) does, encodes the answers and forgets them.
///
/// # Errors
/// Those of [`probe`](super::probe()).
pub fn label_for_nothing(
    options: &RelabelOptions,
    stop: &Stop,
    watch: impl Fn(&BulkEvent) + Send + Sync + 'static,
) -> Result<(), ClusterError> {
    let corpus = corpus::open(&options.inputs, &options.corpus(&Store::from_env()))?;
    let models = Models::look(&options.models)?;
    let settings = Settings::new(options, &models, None)?;
    let (output, events) = (Arc::new(Dry::new(&settings)), Box::new(move |event| watch(&event)));
    run(parts(options, &models, &settings, corpus, (output, events), stop))
}

/// Asks the models about one batch of noise in memory again and again, as many at once as a job has, until the stop signal is
/// given. `watch` hears of each batch how many images it had.
///
/// # Errors
/// A model that cannot be read or asked.
pub fn label_alone(
    options: &RelabelOptions,
    stop: &Stop,
    watch: impl Fn(u64) + Send + Sync,
) -> Result<(), ClusterError> {
    let models = Models::look(&options.models)?;
    let settings = Settings::new(options, &models, None)?;
    let make = labeller(options, &models, settings.threads);
    let shape = options.views.rendered(models.shape());
    let row = |record| Row { record, key: Key(0), view: 0, epoch: 0, copy: 0, target: Target::None, labelled: false };
    let rows: Vec<Row> = (0..options.batch).map(row).collect();
    // Noise: of one colour all over, processors are slower (numbers close to 0) or faster than on images.
    let noise = |number: usize| ((number as u32).wrapping_mul(0x9e37_79b9) >> 24) as u8;
    let blocks = vec![Block((0..shape.bytes() * rows.len()).map(noise).collect())];
    let batch = Batch { shape, blocks, rows, mixing: Vec::new(), dead: Vec::new() };
    let ask = || {
        let mut labeller: Box<dyn Labeller> = make()?;
        while stop.reason().is_none() {
            labeller.label(&batch)?;
            watch(batch.rows.len() as u64);
        }
        Ok(())
    };
    let asked: Result<(), millstream_dataflow::TrainerError> = thread::scope(|scope| {
        let models: Vec<_> = (0..settings.models_at_once(options.cores)).map(|_| scope.spawn(ask)).collect();
        models.into_iter().try_for_each(|model| model.join().unwrap_or_else(|_| Err("a model panicked".into())))
    });
    asked.map_err(|error| millstream_dataflow::StopReason::Failed(error.to_string()).into())
}
