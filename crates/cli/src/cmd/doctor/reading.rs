//! Reading alone: what the source gives if nothing is done with the bytes.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use millstream_data::Manifest;
use millstream_dataflow::Stop;

/// What came in.
pub(super) struct Came {
    /// Records a second.
    pub(super) records: f64,
    /// Bytes a second.
    pub(super) bytes: f64,
}

/// Reads records for a while, so many at once, from the `from`-th on and around again.
pub(super) fn read(
    manifest: &Manifest,
    records: &[u32],
    threads: usize,
    from: usize,
    time: Duration,
    stop: &Stop,
) -> Came {
    let (next, enough) = (AtomicUsize::new(from), AtomicBool::new(false));
    let (count, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    let work = || {
        let mut buffer = Vec::new();
        while !enough.load(Relaxed)
            && let Some(record) = records.get(next.fetch_add(1, Relaxed) % records.len().max(1))
        {
            let Ok(payload) = manifest.read(*record, std::mem::take(&mut buffer)) else { continue };
            count.fetch_add(1, Relaxed);
            bytes.fetch_add(payload.bytes().len() as u64, Relaxed);
            buffer = payload.into_bytes();
            if begun.elapsed() > time || stop.reason().is_some() {
                enough.store(true, Relaxed);
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let seconds = begun.elapsed().as_secs_f64();
    Came { records: count.into_inner() as f64 / seconds, bytes: bytes.into_inner() as f64 / seconds }
}
