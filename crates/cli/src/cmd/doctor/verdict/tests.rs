use millstream_cluster::{PrepareStage, ReadStage, TrainStage};

use super::*;

/// Two seconds of two workers, of which these parts went into preparing (decoding included), decoding, and waiting for reads.
fn stages(busy: f64, decoding: f64, starved: f64, waited: f64) -> Stages {
    Stages {
        seconds: 2.0,
        workers: 2,
        read: ReadStage { records: 100, bytes: 82_000_000, fetched: 100, busy: 1.0 },
        prepare: PrepareStage { records: 100, busy, decoding, starved, blocked: 4.0 - busy - starved },
        train: TrainStage { steps: 50, ready: 25, images: 1600, busy: 2.0 - waited, waited },
    }
}

/// A run, of which only its stages are known.
fn run(stages: Stages, cores: usize) -> Figures {
    Figures { stages, images_per_second: 800.0, cores, on_cpu: true, ..Figures::default() }
}

fn alone(training: f64, stream: f64, stages: Stages) -> Option<Alone> {
    let rate = |images_per_second, cores| Rate { images_per_second, cores };
    let reading = |threads, bytes| Reading { threads, images_per_second: bytes / 1e5, bytes_per_second: bytes };
    let reading = [reading(8, 41e6), reading(16, 80e6)];
    Some(Alone { training: rate(training, 1.0), stream: rate(stream, 2.0), stages, reading })
}

#[track_caller]
fn says(figures: &Figures, bound: Bound, parts: &[&str]) {
    let verdict = verdict(figures);
    assert_eq!(verdict.bound, Some(bound), "{}", verdict.sentence);
    for part in parts {
        assert!(verdict.sentence.contains(part), "no {part:?} in {}", verdict.sentence);
    }
    for odd in ["NaN", "inf", "-0"] {
        assert!(!verdict.sentence.contains(odd), "{}", verdict.sentence);
    }
}

#[test]
fn a_run_is_judged_by_where_its_time_went() {
    says(&run(stages(0.4, 0.2, 0.0, 0.1), 2), Bound::Training, &["training-bound: the training node waited 5 %"]);
    says(
        &run(stages(3.8, 3.1, 0.1, 1.5), 2),
        Bound::Decode,
        &["decoding takes 82 % of preparing", "waited 75 %", "no core"],
    );
    says(&run(stages(3.8, 0.0, 0.1, 1.5), 2), Bound::Augment, &["augmenting takes 100 % of preparing"]);
    let source = ["source-bound: 41 MB/s from the source", "workers waited 90 %", "a nearer store"];
    says(&run(stages(0.4, 0.2, 3.6, 1.5), 2), Bound::Source, &source);
}

#[test]
fn more_workers_are_foretold_where_cores_are_free() {
    let slow = stages(3.8, 3.5, 0.1, 1.5);
    says(&run(slow, 8), Bound::Decode, &["5 more workers would give 3.5x"]);
    says(&run(slow, 4), Bound::Decode, &["1 more worker would give 1.5x"]);
    // Training is soon kept busy.
    says(&run(stages(3.8, 3.5, 0.1, 0.8), 32), Bound::Decode, &["2 more workers would give 1.7x"]);
    let gpu = Figures { on_cpu: false, ..run(slow, 4) };
    says(&gpu, Bound::Decode, &["2 more workers would give 2.0x"]);
}

#[test]
fn parts_by_themselves_say_more() {
    let slow = stages(3.8, 3.1, 0.1, 1.5);
    let of = |alone| Figures { alone, ..run(slow, 2) };
    let training = [
        "it takes 100 images/s",
        "9.0 times as many (900)",
        "10.00 ms of processor time in training and 2.22 ms before",
    ];
    says(&of(alone(100.0, 900.0, slow)), Bound::Training, &training);
    let decode = ["the stream gives 900 images/s", "5.0 times as many", "no core is left", "smaller image files"];
    says(&of(alone(4500.0, 900.0, slow)), Bound::Decode, &decode);
    let starved = stages(0.4, 0.2, 3.6, 1.5);
    let figures = Figures { store: Some("`photos` (/mnt/photos)".to_owned()), ..of(alone(4500.0, 900.0, starved)) };
    let source = ["source-bound: 41 MB/s from `photos` (/mnt/photos)", "16 reads at once are 2.0 times as fast as 8"];
    says(&figures, Bound::Source, &source);
}

#[test]
fn a_slow_op_is_named() {
    let op = |name: &str, share| OpTime { name: name.to_owned(), share };
    let slow = stages(3.8, 0.4, 0.1, 1.5);
    let ops = vec![op("gaussian_blur", 0.71), op("decode", 0.2), op("flip_horizontal", 0.09)];
    let figures = Figures { ops, alone: alone(4500.0, 900.0, slow), ..run(slow, 2) };
    says(
        &figures,
        Bound::Augment,
        &["augment-bound: `gaussian_blur` takes 71 % of preparing an image", "fewer or cheaper ops"],
    );
    let decode_first = vec![op("decode", 0.4), op("equalize", 0.35), op("rotate", 0.25)];
    says(&Figures { ops: decode_first, ..figures }, Bound::Augment, &["`equalize` takes 35 %"]);
}

#[test]
fn workers_that_share_cores_with_training_are_not_promised_what_is_not_there() {
    let slow = stages(3.8, 3.1, 0.1, 1.5);
    // Of eight cores six are free, and processor time of all of them suffices for 3273 images/s.
    let figures = Figures { alone: alone(4500.0, 900.0, slow), ..run(slow, 8) };
    says(&figures, Bound::Decode, &["6 more workers would give 4.0x"]);
    // The processor time of an image is 10 ms in training and 100 ms before: on four cores no more than 36 images/s.
    let tight = Alone { stream: Rate { images_per_second: 20.0, cores: 2.0 }, ..alone(100.0, 20.0, slow).unwrap() };
    let figures = Figures { alone: Some(tight), images_per_second: 19.0, ..run(slow, 4) };
    says(&figures, Bound::Decode, &["2 more workers would give 1.9x"]);
}

#[test]
fn too_little_is_no_verdict() {
    let mut short = stages(3.8, 3.1, 0.1, 1.5);
    short.train.steps = 3;
    let verdict = verdict(&run(short, 2));
    assert_eq!(verdict.bound, None);
    assert!(verdict.sentence.starts_with("too short to tell: 3 steps in 2.0 s"), "{}", verdict.sentence);
    let quick = Stages { seconds: 0.1, ..stages(3.8, 3.1, 0.1, 1.5) };
    assert_eq!(super::verdict(&run(quick, 2)).bound, None, "all of it may have been prepared before");
    assert_eq!(super::verdict(&Figures::default()).bound, None, "nothing at all");
}

#[test]
fn of_a_run_that_told_only_how_long_training_waited_no_stage_is_named() {
    let train = TrainStage { steps: 50, busy: 0.4, waited: 0.6, ..TrainStage::default() };
    let figures = run(Stages { seconds: 1.0, workers: 2, train, ..Stages::default() }, 2);
    says(&figures, Bound::Stream, &["stream-bound: the training node waited 60 %", "give its pipeline"]);
}

#[test]
fn speeds_are_told_in_units_that_fit() {
    for (speed, text) in [(2.5e9, "2.5 GB/s"), (4.1e7, "41 MB/s"), (1.25e6, "1.2 MB/s"), (8000.0, "8 kB/s")] {
        assert_eq!(bytes(speed), text);
    }
}
