//! What a job's training consists of, row by row.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_cluster::{Consumer, drain};
use millstream_data::{DeadLetter, Mixed, Row};
use millstream_dataflow::{Job, Stop};

/// A row of a batch as it came out of the stream.
#[derive(Clone)]
pub(super) struct Came {
    pub(super) row: Row,
    pub(super) pixels: Vec<u8>,
    /// How it is to be mixed, where that was left to the training node, and which of all rows with.
    pub(super) mixing: Option<(Mixed, usize)>,
}

/// Every row of a job's training, and the records that could not be used.
pub(super) fn rows(job: Job, stop: &Stop) -> anyhow::Result<(Vec<Came>, Vec<DeadLetter>)> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let consumer = {
        let all = Arc::clone(&all);
        move || -> Consumer {
            let all = Arc::clone(&all);
            Box::new(move |batch| {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                let first = all.len();
                for (number, (row, pixels)) in batch.rows.iter().zip(batch.images()).enumerate() {
                    let mixing = batch.mixing.get(number).map(|mixed| (*mixed, first + mixed.partner as usize));
                    all.push(Came { row: row.clone(), pixels: pixels.to_vec(), mixing });
                }
            })
        }
    };
    let dead = drain(job, 1, stop, Arc::new(consumer))?;
    let all = std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((all, dead))
}
