//! The threads that augment.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use millstream_dataflow::{Stop, StopOnPanic, StopReason};
use millstream_imageops::{Image, ImageError, Renderer, SampleKey, View};

use super::images::Images;
use super::target::{Rendition, Target};

/// What is to be done to which images.
pub(super) struct Work<'a> {
    pub(super) images: &'a Images,
    pub(super) target: &'a Target,
    pub(super) view: View,
    /// 1 (gray) or 3 (RGB).
    pub(super) channels: u8,
    pub(super) seed: u64,
    pub(super) stop: &'a Stop,
}

/// A file that was written.
pub(super) struct Written {
    /// The image it was made of.
    pub(super) image: usize,
    /// Which copy of it.
    pub(super) copy: Rendition,
    /// Its name, seen from the folder.
    pub(super) file: String,
    /// The ops that were applied, with their arguments.
    pub(super) ops: String,
}

/// The files of an image, or why there are none.
pub(super) type Outcome = Result<Vec<Written>, String>;

impl Work<'_> {
    /// Augments every image that can be; a write that fails stops it all. The outcomes are in the order of the images.
    pub(super) fn run(&self, workers: usize) -> Vec<(usize, Outcome)> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            let _guard = StopOnPanic(self.stop.clone());
            let mut desk = Desk::default();
            while let number = next.fetch_add(1, Ordering::Relaxed)
                && number < self.images.len()
                && self.stop.reason().is_none()
            {
                let outcome = self.augment(number, &mut desk);
                done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((number, outcome));
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers.min(self.images.len()) {
                // Where no thread is to be had, the others do its work.
                let _ = thread::Builder::new().name("augment".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        done.sort_by_key(|(number, _)| *number);
        done
    }

    /// Writes the copies of an image, until it is told to stop. If one of them cannot be made, the others go.
    fn augment(&self, number: usize, desk: &mut Desk) -> Outcome {
        let bytes = self.images.read(number)?;
        desk.renderer.decode(&bytes, self.channels, &mut desk.whole).map_err(|error| error.to_string())?;
        let mut written: Vec<Written> = Vec::new();
        for copy in self.target.copies() {
            if self.stop.reason().is_some() {
                break;
            }
            let (bytes, ops) = match self.render(number, *copy, desk) {
                Ok(rendered) => rendered,
                Err(error) => {
                    written.iter().for_each(|written| self.target.remove(&written.file));
                    return Err(error.to_string());
                }
            };
            let file = self.target.file(&self.images.names()[number], *copy);
            match self.target.write(&file, &bytes) {
                Ok(()) => written.push(Written { image: number, copy: *copy, file, ops }),
                Err(error) => self.stop.set(StopReason::Failed(error.to_string())),
            }
        }
        Ok(written)
    }

    /// One copy, encoded, and the ops that made it.
    fn render(&self, number: usize, copy: Rendition, desk: &mut Desk) -> Result<(Vec<u8>, String), ImageError> {
        let variant = match copy {
            Rendition::Original => return Ok((self.target.encode(&desk.whole)?, String::new())),
            Rendition::Single => 0,
            Rendition::Variant(variant) => variant,
        };
        let key = self.images.key(number).0;
        let sample = SampleKey { seed: self.seed, round: 0, epoch: 0, key, copy: variant, view: 0 };
        desk.renderer.render_image(&self.view, desk.whole.picture(), &sample, &mut desk.result)?;
        let ops: Vec<String> = desk.renderer.last_ops().iter().map(|(op, _)| op.to_string()).collect();
        Ok((self.target.encode(&desk.result)?, ops.join("; ")))
    }
}

/// What a thread keeps from one image to the next.
#[derive(Default)]
struct Desk {
    renderer: Renderer,
    whole: Image,
    result: Image,
}
