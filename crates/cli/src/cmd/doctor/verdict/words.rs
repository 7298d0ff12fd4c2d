//! The sentence.

use millstream_cluster::Stages;

use super::{Alone, Bound, Figures, Reading, share};

/// The bottleneck, the evidence, and what would help.
pub(super) fn sentence(figures: &Figures, bound: Option<Bound>) -> String {
    let Some(bound) = bound else {
        return format!(
            "too short to tell: {} steps in {:.1} s were seen after the first; let it train for longer, or raise `--seconds`",
            figures.stages.train.steps, figures.stages.seconds
        );
    };
    let parts = match bound {
        Bound::Training => training(figures),
        Bound::Decode => decode(figures),
        Bound::Augment => augment(figures),
        Bound::Source => source(figures),
        Bound::Stream => stream(figures),
    };
    parts.join("; ")
}

fn training(figures: &Figures) -> Vec<String> {
    let waited = percent(figures.waited());
    let mut said = vec![match &figures.alone {
        None => format!("training-bound: the training node waited {waited} of its time for batches"),
        Some(alone) => {
            let (training, stream) = (alone.training.images_per_second, alone.stream.images_per_second);
            format!(
                "training-bound: with a batch always at hand it takes {training:.0} images/s, and the stream could give {} times as \
                 many ({stream:.0})",
                times(stream / training)
            )
        }
    }];
    said.extend(figures.alone.as_ref().and_then(|alone| together(figures, alone)));
    let help =
        if figures.on_cpu { "a smaller model or a GPU does" } else { "a smaller model or more training nodes do" };
    said.push(format!("more workers would not help, {help}"));
    said
}

fn decode(figures: &Figures) -> Vec<String> {
    let prepare = figures.stream().prepare;
    let part = percent(share(prepare.decoding, prepare.busy - prepare.decoding));
    let what = format!("decode-bound: decoding takes {part} of preparing an image{}", against(figures));
    preparing(figures, what, "smaller image files")
}

fn augment(figures: &Figures) -> Vec<String> {
    let dearest = figures.ops.iter().find(|op| op.name != "decode");
    let what = match dearest {
        Some(op) => format!(
            "augment-bound: `{}` takes {} of preparing an image{}",
            op.name,
            percent(op.share),
            against(figures)
        ),
        None => {
            let prepare = figures.stream().prepare;
            let part = percent(share(prepare.busy - prepare.decoding, prepare.decoding));
            format!("augment-bound: augmenting takes {part} of preparing an image{}", against(figures))
        }
    };
    preparing(figures, what, "fewer or cheaper ops")
}

fn source(figures: &Figures) -> Vec<String> {
    let from = figures.store.as_deref().unwrap_or("the source");
    let Stages { seconds, read, prepare, .. } = figures.stream();
    let speed = bytes(read.bytes as f64 / seconds.max(f64::MIN_POSITIVE));
    let waited = percent(share(prepare.starved, prepare.busy));
    let what = format!(
        "source-bound: {speed} from {from}, for which workers waited {waited} of their time{}",
        against(figures)
    );
    let nearer = "a nearer store or a faster disk would help";
    vec![what, figures.alone.as_ref().map_or_else(|| nearer.to_owned(), |alone| concurrency(&alone.reading, nearer))]
}

fn stream(figures: &Figures) -> Vec<String> {
    let waited = percent(figures.waited());
    let unknown = "what in the stream is slow this run does not tell: give its pipeline instead";
    vec![format!("stream-bound: the training node waited {waited} of its time for batches"), unknown.to_owned()]
}

/// What reading more at once gives.
fn concurrency([now, twice]: &[Reading; 2], otherwise: &str) -> String {
    let gain = twice.bytes_per_second / now.bytes_per_second.max(f64::MIN_POSITIVE);
    match gain >= 1.3 {
        true => format!(
            "{} reads at once are {} times as fast as {}: so would twice the workers be",
            twice.threads,
            times(gain),
            now.threads
        ),
        false => format!("reading more at once is no faster, {otherwise}"),
    }
}

/// How much more training could take, as far as that is known.
fn against(figures: &Figures) -> String {
    match &figures.alone {
        Some(alone) => {
            let (stream, training) = (alone.stream.images_per_second, alone.training.images_per_second);
            format!(
                ", the stream gives {stream:.0} images/s, and training could take {} times as many",
                times(training / stream)
            )
        }
        None => format!(", and the training node waited {} of its time for batches", percent(figures.waited())),
    }
}

/// What is bound by the workers: more of them, or else what they do.
fn preparing(figures: &Figures, what: String, help: &str) -> Vec<String> {
    let mut said = vec![what];
    match figures.workers() {
        Some((more, gain)) => {
            let noun = if more == 1 { "worker" } else { "workers" };
            said.push(format!("{more} more {noun} would give {gain:.1}x"));
        }
        None => {
            said.extend(figures.alone.as_ref().and_then(|alone| together(figures, alone)));
            said.push(format!("no core is left for more workers, {help} would help"));
        }
    }
    said
}

/// How workers and training share the cores, where they do.
fn together(figures: &Figures, alone: &Alone) -> Option<String> {
    figures.on_cpu.then(|| {
        let (training, stream) = (alone.training.seconds(), alone.stream.seconds());
        format!(
            "on these {} cores, which both share, an image takes {:.2} ms of processor time in training and {:.2} ms before",
            figures.cores,
            1e3 * training,
            1e3 * stream
        )
    })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A factor with as many digits as say something.
fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}") } else { format!("{factor:.0}") }
}

/// Bytes a second.
pub(crate) fn bytes(speed: f64) -> String {
    match speed {
        fast if fast >= 1e9 => format!("{:.1} GB/s", fast / 1e9),
        usual if usual >= 1e7 => format!("{:.0} MB/s", usual / 1e6),
        slow if slow >= 1e5 => format!("{:.1} MB/s", slow / 1e6),
        slowest => format!("{:.0} kB/s", slowest / 1e3),
    }
}
