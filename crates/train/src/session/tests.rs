//! A session from outside: what it learns, keeps, repeats and refuses.

mod parallel;

use millstream_data::{Block, Key, Row, Shape, Target};

use super::*;
use crate::{
    Clip, ConsistencyConfig, EmaConfig, Mapping, OptimizerKind, Precision, Rates, ScheduleKind, TeacherConfig,
    Threshold, Transfer,
};

const SHAPE: Shape = Shape { height: 16, width: 16, channels: 1 };

fn config(seed: u64) -> SessionConfig {
    SessionConfig {
        precision: Precision::Float32,
        deterministic: false,
        seed,
        classes: vec!["across".to_owned(), "down".to_owned(), "blank".to_owned()],
        shape: SHAPE,
        mean: vec![0.3],
        std: vec![0.4],
        device: Device::Cpu,
        threads: 2,
    }
}

const EMA: EmaConfig = EmaConfig { decay: 0.9, warmup: true };

fn round() -> RoundConfig {
    RoundConfig {
        model: ModelKind::SmallNet { width: 8, dropout: 0.2 },
        weights: None,
        transfer: Transfer::default(),
        features_keep: false,
        steps: 40,
        optimizer: OptimizerKind::Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
        schedule: ScheduleKind::OneCycle { warmup: 0.25 },
        label_smoothing: 0.1,
        clip: None,
        accumulate: 1,
        sync_batch_norm: false,
        ema: Some(EMA),
        unlabelled_weight: 3.0,
        distilled: None,
        consistency: None,
        teacher: None,
    }
}

/// Images of class 0 have a bright row, of class 1 a bright column, of class 2 nothing; where it lies varies with `salt`.
fn batch(salt: u32, rows: u32) -> Batch {
    let mut batch =
        Batch { shape: SHAPE, blocks: vec![Block::default()], rows: Vec::new(), mixing: Vec::new(), dead: Vec::new() };
    for number in 0..rows {
        let (class, place) = (number % 3, (number.wrapping_mul(7).wrapping_add(salt) % 16) as usize);
        let mut image = [20u8; 256];
        for step in 0..16 {
            match class {
                0 => image[place * 16 + step] = 230,
                1 => image[step * 16 + place] = 230,
                _ => {}
            }
        }
        batch.blocks[0].0.extend_from_slice(&image);
        let labelled = number < rows / 2;
        batch.rows.push(Row {
            record: number,
            key: Key(u128::from(number)),
            view: 0,
            epoch: 0,
            copy: 0,
            target: Target::Hard(class),
            labelled,
        });
    }
    batch
}

fn train(seed: u64, steps: u32) -> (Session, Vec<StepMetrics>) {
    let mut session = Session::new(config(seed)).unwrap();
    session.begin(0, &round()).unwrap();
    let metrics = (0..steps).map(|step| session.step(step, &batch(step, 24)).unwrap()).collect();
    (session, metrics)
}

fn bits(session: &mut Session) -> Vec<u32> {
    session.predict(&batch(5, 12)).unwrap().iter().map(|share| share.to_bits()).collect()
}

#[test]
fn a_small_problem_is_learned() {
    let (mut session, metrics) = train(1, 40);
    assert!(metrics[39].loss < 0.6 * metrics[0].loss, "{metrics:?}");
    assert_eq!((metrics[39].labelled, metrics[39].labelled_correct), (12, 12));
    assert_eq!(metrics[9].learning_rate, 0.1);
    let shares = session.predict(&batch(3, 12)).unwrap();
    for (row, shares) in shares.chunks(3).enumerate() {
        assert!(shares[row % 3] > 0.6, "{row}: {shares:?}");
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn equal_sessions_train_equal_bits_whatever_runs_beside_them() {
    let beside = std::thread::spawn(|| train(2, 12));
    let (mut one, metrics_one) = train(1, 12);
    let (mut two, metrics_two) = train(1, 12);
    let (mut other, metrics_other) = beside.join().unwrap();
    assert_eq!(metrics_one, metrics_two);
    assert_eq!(bits(&mut one), bits(&mut two));
    assert_ne!(metrics_one, metrics_other);
    assert_ne!(bits(&mut one), bits(&mut other));
}

#[test]
fn a_round_does_not_depend_on_the_rounds_before() {
    let mut fresh = Session::new(config(1)).unwrap();
    let (mut used, _) = train(1, 3);
    for session in [&mut fresh, &mut used] {
        session.begin(1, &round()).unwrap();
        session.step(0, &batch(0, 24)).unwrap();
    }
    assert_eq!(bits(&mut fresh), bits(&mut used));
    let mut earlier = train(1, 1).0;
    assert_ne!(bits(&mut earlier), bits(&mut fresh), "rounds start from different weights");
}

/// A part of each image of a batch, or that in a mirror, made byte by byte.
fn cut(batch: &Batch, crop: Crop, shape: Shape) -> Batch {
    let row = |image: &[u8], row: u32| {
        let from = ((crop.top + row) * batch.shape.width + crop.left) as usize;
        let mut row = image[from..][..shape.width as usize].to_vec();
        if crop.mirrored {
            row.reverse();
        }
        row
    };
    let images = batch.blocks[0].0.chunks(batch.shape.bytes());
    let pixels = images.flat_map(|image| (0..shape.height).flat_map(move |y| row(image, y))).collect();
    Batch { shape, blocks: vec![Block(pixels)], ..batch.clone() }
}

#[test]
fn what_is_said_of_a_crop_is_what_is_said_of_it_alone() {
    let (mut session, _) = train(1, 5);
    let mut large = batch(3, 12);
    large.shape = Shape { height: 19, width: 18, channels: 1 };
    large.blocks = vec![Block((0..12 * 19 * 18).map(|at| (at * at % 251) as u8).collect())];
    let crop = |left, top, mirrored| Crop { left, top, mirrored };
    let crops = [crop(0, 0, false), crop(2, 0, false), crop(0, 3, true), crop(2, 3, false), crop(1, 1, true)];
    let all = session.predict_crops(&large, &crops, true).unwrap();
    for (crop, said) in crops.into_iter().zip(&all) {
        let alone = cut(&large, crop, SHAPE);
        assert_eq!(said.probabilities, session.predict(&alone).unwrap(), "{crop:?}");
        assert_eq!(*said, session.predict_crops(&alone, &[Crop::default()], true).unwrap()[0], "{crop:?}");
        assert_eq!(said.embeddings.len(), 12 * session.embedding_width().unwrap());
    }
    assert!(all[1..].iter().all(|said| *said != all[0]));
    for outside in [crop(3, 0, false), crop(0, 4, false), crop(u32::MAX, 0, false)] {
        let refused = session.predict_crops(&large, &[outside], false);
        assert!(refused.is_err_and(|error| error.to_string().contains("not inside")), "{outside:?}");
    }
    assert!(session.predict(&large).is_err());
    large.rows.clear();
    large.blocks.clear();
    assert_eq!(session.predict_crops(&large, &crops, true).unwrap(), vec![Predictions::default(); 5]);
}

#[test]
fn probabilities_have_the_same_bits_with_and_without_embeddings() {
    let (mut session, _) = train(1, 5);
    let said = session.predict_crops(&batch(5, 12), &[Crop::default()], true).unwrap().remove(0);
    let share_bits: Vec<u32> = said.probabilities.iter().map(|share| share.to_bits()).collect();
    assert_eq!(share_bits, bits(&mut session));
    let plain = session.predict_crops(&batch(5, 12), &[Crop::default()], false).unwrap().remove(0);
    assert_eq!(plain, Predictions { embeddings: Vec::new(), ..said });
}

#[test]
fn a_saved_model_predicts_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (mut session, _) = train(1, 5);
    let hash = session.save(&path).unwrap();
    let mut loaded = Session::load(&path, Device::Cpu, 2).unwrap();
    assert_eq!(bits(&mut session), bits(&mut loaded));
    assert_eq!(loaded.config().classes, config(1).classes);
    assert_eq!(loaded.save(&folder.path().join("again")).unwrap(), hash);
    assert!(matches!(loaded.step(0, &batch(0, 4)), Err(TrainError::NoRound { .. })));
    let again = train(1, 5).0;
    assert_eq!(again.save(&path).unwrap(), hash);
}

#[test]
fn without_an_average_the_trained_weights_predict() {
    let plain = RoundConfig { ema: None, model: ModelKind::SmallNet { width: 8, dropout: 0.0 }, ..round() };
    // The first update of an average copies, so after one step both must predict the same.
    let averaged = RoundConfig { ema: Some(EMA), ..plain.clone() };
    let [one, two] = [plain, averaged].map(|config| {
        let mut session = Session::new(self::config(1)).unwrap();
        session.begin(0, &config).unwrap();
        session.step(0, &batch(0, 24)).unwrap();
        let first = bits(&mut session);
        session.step(1, &batch(1, 24)).unwrap();
        (first, bits(&mut session))
    });
    assert_eq!(one.0, two.0);
    assert_ne!(one.1, two.1);
}

/// What a few steps leave, under changed settings.
fn trained_with(change: impl Fn(&mut RoundConfig)) -> (Vec<StepMetrics>, Vec<u32>) {
    let mut config = RoundConfig { model: ModelKind::SmallNet { width: 8, dropout: 0.0 }, ..round() };
    change(&mut config);
    let mut session = Session::new(self::config(1)).unwrap();
    session.begin(0, &config).unwrap();
    let metrics = (0..3).map(|step| session.step(step, &batch(step, 24)).unwrap()).collect();
    (metrics, bits(&mut session))
}

#[test]
fn clipping_and_parts_change_the_training() {
    let plain = trained_with(|_| ());
    let unclipped = trained_with(|config| config.clip = Some(Clip::Norm(1e6)));
    assert_eq!(plain, unclipped);
    let clipped = trained_with(|config| config.clip = Some(Clip::Norm(0.1)));
    assert_eq!(clipped.0[0], plain.0[0], "the first loss comes before the first update");
    assert_ne!(clipped.1, plain.1);
    let parts = trained_with(|config| config.accumulate = 4);
    assert_eq!((parts.0[0].labelled, plain.0[0].labelled), (12, 12));
    assert_ne!(parts.1, plain.1, "batch norms see the parts");
    let fast = trained_with(|config| config.ema = Some(EmaConfig { warmup: false, ..EMA }));
    assert_eq!(fast.0, plain.0);
    assert_ne!(fast.1, plain.1);
}

#[test]
fn half_the_bits_learn_nearly_the_same_in_weights_of_all_bits() {
    let after = |precision| {
        let mut session = Session::new(SessionConfig { precision, ..config(1) }).unwrap();
        session.begin(0, &round()).unwrap();
        let losses: Vec<f64> = (0..16).map(|step| session.step(step, &batch(step, 24)).unwrap().loss).collect();
        (session, losses)
    };
    let ((_, whole), (mut session, half)) = (after(Precision::Float32), after(Precision::BFloat16));
    for (whole, half) in whole.iter().zip(&half) {
        assert!((whole - half).abs() < 0.05 * whole, "{half} for {whole}");
    }
    assert_ne!(whole, half);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    session.save(&path).unwrap();
    let (_, tensors) = crate::weights::read(&path, tch::Device::Cpu).unwrap();
    let whole = |tensor: &Tensor| matches!(tensor.kind(), tch::Kind::Float | tch::Kind::Int64);
    assert!(tensors.values().all(whole));
    // The file says what it computes with: whoever loads it gets the same answers.
    let asked = batch(99, 12);
    let mut loaded = Session::load(&path, Device::Cpu, 2).unwrap();
    assert_eq!(loaded.config().precision, Precision::BFloat16);
    assert_eq!(loaded.predict(&asked).unwrap(), session.predict(&asked).unwrap());
}

#[test]
fn a_step_is_concluded_once() {
    let mut session = Session::new(config(1)).unwrap();
    session.begin(0, &round()).unwrap();
    session.launch(0, &batch(0, 24)).unwrap();
    session.prefetch(&batch(1, 24)).unwrap();
    assert!(session.conclude().unwrap().loss > 0.0);
    assert!(matches!(session.conclude(), Err(TrainError::NoRound { .. })));
}

#[test]
fn a_batch_that_cannot_be_mixed_as_it_says_is_refused() {
    let mut session = Session::new(config(1)).unwrap();
    session.begin(0, &round()).unwrap();
    let alone = |partner| millstream_data::Mixed { partner, keep: 1 << 16, area: [0; 4] };
    let plans = [vec![alone(0)], (1..=24).map(alone).collect()];
    for mixing in plans {
        let wrong = Batch { mixing, ..batch(0, 24) };
        assert!(session.step(0, &wrong).unwrap_err().to_string().contains("cannot be mixed"));
    }
    let plain = session.predict(&batch(0, 24)).unwrap();
    let mixed = session.predict(&Batch { mixing: (0..24).rev().map(alone).collect(), ..batch(0, 24) }).unwrap();
    assert_eq!(plain, mixed, "with a share of all there is nothing of a partner");
}

#[test]
fn every_optimizer_learns() {
    let (betas, weight_decay) = ([0.9, 0.999], 1e-4);
    for optimizer in [
        OptimizerKind::AdamW { lr: 0.01, betas, eps: 1e-8, weight_decay },
        OptimizerKind::RmsProp { lr: 0.01, decay: 0.9, momentum: 0.9, eps: 1e-3, weight_decay },
        OptimizerKind::Lars { lr: 1.0, momentum: 0.9, nesterov: false, weight_decay, trust: 0.02, eps: 1e-8 },
        OptimizerKind::Lamb { lr: 0.03, betas, eps: 1e-6, weight_decay },
    ] {
        let mut session = Session::new(config(1)).unwrap();
        session.begin(0, &RoundConfig { optimizer: optimizer.clone(), steps: 16, ..round() }).unwrap();
        let losses: Vec<f64> = (0..16).map(|step| session.step(step, &batch(step, 24)).unwrap().loss).collect();
        assert!(losses[15] < 0.8 * losses[0], "{optimizer:?}: {losses:?}");
    }
}

#[test]
fn an_empty_batch_changes_nothing_and_the_rate_goes_on() {
    let (mut session, _) = train(1, 3);
    let before = bits(&mut session);
    let metrics = session.step(9, &batch(0, 0)).unwrap();
    assert_eq!(metrics, StepMetrics { learning_rate: 0.1, ..StepMetrics::default() });
    assert_eq!(bits(&mut session), before);
    assert!(session.predict(&batch(0, 0)).unwrap().is_empty());
}

#[test]
fn a_batch_that_does_not_fit_is_refused_and_does_no_harm() {
    let (mut session, _) = train(1, 2);
    let before = bits(&mut session);
    let mut wide = batch(0, 4);
    wide.shape.width = 17;
    let mut short = batch(0, 4);
    short.blocks[0].0.pop();
    let mut unknown = batch(0, 4);
    unknown.rows[1].target = Target::Hard(3);
    for wrong in [&wide, &short, &unknown] {
        assert!(matches!(session.step(2, wrong), Err(TrainError::Batch(_))));
    }
    assert!(matches!(session.predict(&wide), Err(TrainError::Batch(_))));
    assert_eq!(bits(&mut session), before);
}

#[test]
fn work_before_a_round_is_refused() {
    let mut session = Session::new(config(1)).unwrap();
    assert!(matches!(session.step(0, &batch(0, 4)), Err(TrainError::NoRound { asked: "a step" })));
    assert!(matches!(session.predict(&batch(0, 4)), Err(TrainError::NoRound { .. })));
    assert!(matches!(session.save(Path::new("/nowhere")), Err(TrainError::NoRound { .. })));
}

#[test]
fn divergence_is_an_error() {
    let mut session = Session::new(config(1)).unwrap();
    let optimizer = OptimizerKind::Sgd { lr: 1e30, momentum: 0.9, nesterov: true, weight_decay: 0.0 };
    session.begin(0, &RoundConfig { optimizer, schedule: ScheduleKind::Constant, ..round() }).unwrap();
    let error = (0..20).find_map(|step| session.step(step, &batch(step, 24)).err()).expect("diverged");
    assert!(matches!(error, TrainError::Diverged { round: 0, .. }), "{error}");
}

#[test]
fn settings_out_of_range_are_named() {
    #[track_caller]
    fn check(change: impl Fn(&mut RoundConfig), name: &str) {
        let mut config = round();
        change(&mut config);
        match config.check() {
            Err(TrainError::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    round().check().unwrap();
    let sgd = |lr, momentum, nesterov, weight_decay| OptimizerKind::Sgd { lr, momentum, nesterov, weight_decay };
    check(|config| config.steps = 0, "steps");
    check(|config| config.label_smoothing = 1.0, "label_smoothing");
    check(|config| config.ema = Some(EmaConfig { decay: f64::NAN, warmup: false }), "ema");
    check(|config| config.unlabelled_weight = -1.0, "unlabelled_weight");
    check(|config| config.model = ModelKind::AlexNet { dropout: 1.0 }, "dropout");
    check(|config| config.model = ModelKind::SmallNet { width: 0, dropout: 0.0 }, "width");
    check(|config| config.optimizer = sgd(0.0, 0.9, true, 0.0), "lr");
    check(|config| config.optimizer = sgd(0.1, 1.0, true, 0.0), "momentum");
    check(|config| config.optimizer = sgd(0.1, 0.0, true, 0.0), "nesterov");
    check(|config| config.optimizer = sgd(0.1, 0.9, true, f64::INFINITY), "weight_decay");
    let betas = |first, eps| OptimizerKind::AdamW { lr: 0.1, betas: [first, 0.9], eps, weight_decay: 0.0 };
    check(|config| config.optimizer = betas(1.0, 1e-8), "betas");
    check(|config| config.optimizer = betas(0.9, 0.0), "eps");
    let rmsprop = |decay| OptimizerKind::RmsProp { lr: 0.1, decay, momentum: 0.0, eps: 1e-3, weight_decay: 0.0 };
    check(|config| config.optimizer = rmsprop(-0.1), "decay");
    let lars =
        |trust, nesterov| OptimizerKind::Lars { lr: 0.1, momentum: 0.0, nesterov, weight_decay: 0.0, trust, eps: 0.0 };
    check(|config| config.optimizer = lars(0.0, false), "trust");
    check(|config| config.optimizer = lars(0.001, true), "nesterov");
    check(|config| config.clip = Some(Clip::Norm(0.0)), "clip");
    check(|config| config.clip = Some(Clip::Value(f64::INFINITY)), "clip");
    check(|config| config.accumulate = 0, "accumulate");
    check(|config| config.schedule = ScheduleKind::Cosine { warmup: 40, floor: 0.0 }, "warmup");
    check(|config| config.schedule = ScheduleKind::Cosine { warmup: 0, floor: 1.5 }, "floor");
    check(|config| config.schedule = ScheduleKind::CosineArc { warmup: 0, half_turns: 0.6 }, "half_turns");
    check(|config| config.schedule = ScheduleKind::Step { every: 0, gamma: 0.1 }, "every");
    check(|config| config.schedule = ScheduleKind::Step { every: 1, gamma: 0.0 }, "gamma");
    let falls = |warmup, every| ScheduleKind::Exponential { warmup, every, decay: 0.97, staircase: true };
    check(|config| config.schedule = falls(40, 1.0), "warmup");
    check(|config| config.schedule = falls(0, 0.0), "every");
    check(|config| config.schedule = ScheduleKind::OneCycle { warmup: 1.5 }, "warmup");
}

#[test]
fn a_session_checks_what_it_is_told() {
    let refused = |config: SessionConfig| Session::new(config).err().expect("refused").to_string();
    assert!(refused(SessionConfig { std: vec![0.0], ..config(1) }).contains("`std` cannot be [0.0]"));
    assert!(refused(SessionConfig { mean: vec![], ..config(1) }).contains("one number a channel"));
    assert!(refused(SessionConfig { classes: vec!["one".to_owned()], ..config(1) }).contains("two classes"));
    assert!(refused(SessionConfig { threads: 0, ..config(1) }).contains("`threads`"));
    let error = Session::new(config(1))
        .unwrap()
        .begin(0, &RoundConfig { model: ModelKind::AlexNet { dropout: 0.5 }, ..round() });
    assert!(matches!(error, Err(TrainError::ImageTooSmall { minimum: 63, .. })));
}

#[test]
fn the_environment_is_described() {
    let environment = crate::probe();
    assert!(environment.libtorch.starts_with("2."), "{environment:?}");
    if let Err(reason) = environment.cuda {
        assert!(!reason.is_empty());
        let error = Session::new(SessionConfig { device: Device::Cuda, ..config(1) }).err().expect("no CUDA here");
        assert!(matches!(error, TrainError::NoCuda { .. }));
        assert!(error.to_string().contains(&reason));
    }
}

/// Steps `from..to` of round 0, in a session that has begun it.
fn go_on(session: &mut Session, steps: std::ops::Range<u32>) {
    for step in steps {
        session.step(step, &batch(step, 24)).unwrap();
    }
}

fn file_of(session: &Session, folder: &Path) -> [u8; 32] {
    session.save(&folder.join("model.safetensors")).unwrap()
}

#[test]
fn a_round_goes_on_from_a_snapshot_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.safetensors");
    let adamw = OptimizerKind::AdamW { lr: 0.01, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 };
    let averaged = Some(EmaConfig { decay: 0.9, warmup: true });
    for (optimizer, ema) in [(round().optimizer, averaged), (adamw, averaged), (round().optimizer, None)] {
        let config_of_round = RoundConfig { optimizer, ema, ..round() };
        let mut whole = Session::new(config(1)).unwrap();
        whole.begin(0, &config_of_round).unwrap();
        go_on(&mut whole, 0..7);
        let snapshot = whole.snapshot().unwrap();
        go_on(&mut whole, 7..12);
        snapshot.write(&path, "seven").unwrap();
        assert_eq!(crate::read_note(&path).unwrap(), "seven");

        let mut rest = Session::new(config(1)).unwrap();
        rest.begin(0, &config_of_round).unwrap();
        rest.restore(&path).unwrap();
        go_on(&mut rest, 7..12);
        assert_eq!(file_of(&rest, folder.path()), file_of(&whole, folder.path()));
        let kept =
            |session: &Session| session.snapshot().unwrap().write(&path, "").map(|()| std::fs::read(&path).unwrap());
        assert_eq!(kept(&rest).unwrap(), kept(&whole).unwrap(), "optimizer and averages too");
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.safetensors");
    train(1, 2).0.snapshot().unwrap().write(&path, "").unwrap();
    let refuse = |config_of_round: RoundConfig, named: &str| {
        let mut session = Session::new(config(1)).unwrap();
        assert!(matches!(session.restore(&path), Err(TrainError::NoRound { .. })));
        session.begin(0, &config_of_round).unwrap();
        let error = session.restore(&path).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    };
    refuse(
        RoundConfig { model: ModelKind::SmallNet { width: 16, dropout: 0.2 }, ..round() },
        "is not as the model needs",
    );
    refuse(RoundConfig { ema: None, ..round() }, "nothing in this round has a tensor `ema.");
    let sgd = OptimizerKind::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    refuse(RoundConfig { optimizer: sgd, ..round() }, "nothing in this round has a tensor `velocity.");
    std::fs::write(&path, &std::fs::read(&path).unwrap()[..5000]).unwrap();
    refuse(round(), "damaged");
}

/// Every tensor of the model that predicts.
fn weights_of(session: &Session) -> std::collections::BTreeMap<String, Tensor> {
    session.predictor("a test").unwrap().1.params.copies().unwrap()
}

/// A model of 12 steps in a folder, and a round that starts from it.
fn transferred(freeze: Freeze) -> (tempfile::TempDir, RoundConfig) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    train(1, 12).0.save(&path).unwrap();
    let transfer = Transfer { freeze, ..Transfer::default() };
    (folder, RoundConfig { weights: Some(path), transfer, ..round() })
}

fn run(config: &RoundConfig, steps: u32) -> Session {
    let mut session = Session::new(self::config(1)).unwrap();
    session.begin(1, config).unwrap();
    for step in 0..steps {
        session.step(step, &batch(0, 24)).unwrap();
    }
    session
}

#[test]
fn a_round_starts_from_the_weights_of_a_file() {
    let (_folder, config) = transferred(Freeze::Nothing);
    let mut session = run(&config, 0);
    assert_eq!(bits(&mut session), bits(&mut train(1, 12).0));
    assert_eq!(session.loaded().unwrap().loaded.len(), 22);
    let mut missing = config.clone();
    missing.weights = Some("no/such.pth".into());
    let error = session.begin(2, &missing).unwrap_err().to_string();
    assert!(error.contains("no/such.pth"), "{error}");
}

#[test]
fn a_frozen_body_stays_to_the_last_bit_and_the_head_learns() {
    for keep in [false, true] {
        let (_folder, config) = transferred(Freeze::Body);
        let config = RoundConfig { features_keep: keep, ..config };
        let (before, after) = (weights_of(&run(&config, 0)), weights_of(&run(&config, 6)));
        for (name, tensor) in &before {
            assert_eq!(tensor.equal(&after[name]), !name.starts_with("head."), "{name}");
        }
    }
}

#[test]
fn frozen_tensors_stay_to_the_last_bit_among_others_that_train() {
    let (_folder, config) = transferred(Freeze::Tensors(vec!["blocks.1.*".to_owned(), "*.conv.weight".to_owned()]));
    let (before, after) = (weights_of(&run(&config, 0)), weights_of(&run(&config, 6)));
    for (name, tensor) in &before {
        let frozen = name.starts_with("blocks.1.") || name.ends_with("conv.weight");
        assert_eq!(tensor.equal(&after[name]), frozen, "{name}");
    }
}

#[test]
fn slower_tensors_move_less() {
    let (_folder, config) = transferred(Freeze::Nothing);
    let moved = |decay| {
        let rates = Rates::LayerDecay { decay, min: 0.0 };
        let transfer = Transfer { rates, ..Transfer::default() };
        let config = RoundConfig { transfer, ema: None, ..config.clone() };
        let (before, after) = (weights_of(&run(&config, 0)), weights_of(&run(&config, 1)));
        ["blocks.0.conv.weight", "head.weight"].map(|name| (&after[name] - &before[name]).norm().double_value(&[]))
    };
    let ([stem, head], [slow, same]) = (moved(1.0), moved(0.5));
    assert_eq!(head, same);
    assert!((slow / stem - 0.5f64.powi(4)).abs() < 1e-4, "{slow} {stem}");
}

#[test]
fn the_head_is_the_same_to_the_last_bit_whether_features_are_kept_or_not() {
    let (_folder, config) = transferred(Freeze::Body);
    let config = RoundConfig { features_keep: true, ..config };
    let train = |most: usize| {
        let mut session = run(&config, 0);
        let training = session.current.as_mut().unwrap().training.as_mut().unwrap();
        training.features = Some(Features::bounded(true, most));
        // Other images beside each other every time, some of them seen before.
        for (step, rows) in (0..).zip([24, 7, 20, 24, 7, 33]) {
            session.step(step, &batch(0, rows)).unwrap();
        }
        bits(&mut session)
    };
    let kept = train(1 << 20);
    assert_eq!(train(0), kept);
    assert_eq!(train(1000), kept, "eight images");
}

/// The batch of [`batch`], in which what is not labelled has no target and comes in two views.
fn two_views(salt: u32, rows: u32) -> Batch {
    let mut batch = batch(salt, rows);
    let first = batch.rows.iter().position(|row| !row.labelled).unwrap();
    for (place, row) in batch.rows[first..].iter_mut().enumerate() {
        (row.record, row.key, row.view) = (place as u32 / 2, Key(place as u128 / 2), (place % 2) as u8);
        row.target = Target::None;
    }
    let size = SHAPE.bytes();
    for pair in batch.blocks[0].0[first * size..].chunks_exact_mut(2 * size) {
        let (weak, strong) = pair.split_at_mut(size);
        strong.copy_from_slice(weak);
    }
    batch
}

fn flexmatch() -> RoundConfig {
    let threshold = Threshold::Flexible { tau: 0.8, warmup: true, mapping: Mapping::Convex };
    let consistency = ConsistencyConfig {
        weak: Some(0),
        threshold,
        weight: 1.0,
        ramp: [0.0, 0.0],
        soft: None,
        images: 6,
        mean_teacher: false,
    };
    RoundConfig { consistency: Some(consistency), ..round() }
}

fn consistent(steps: std::ops::Range<u32>, session: &mut Session) -> Vec<StepMetrics> {
    steps.map(|step| session.step(step, &two_views(step, 24)).unwrap()).collect()
}

#[test]
fn a_mean_teacher_is_sure_when_the_average_is() {
    let accepted = |mean_teacher| {
        let fixmatch =
            ConsistencyConfig { threshold: Threshold::Fixed(0.8), mean_teacher, ..flexmatch().consistency.unwrap() };
        // An average that hardly moves stays as ignorant as it began.
        let ema = Some(EmaConfig { decay: 0.99999, warmup: false });
        let mut session = Session::new(config(1)).unwrap();
        session.begin(0, &RoundConfig { consistency: Some(fixmatch), ema, ..round() }).unwrap();
        consistent(0..40, &mut session).iter().map(|metrics| metrics.accepted).sum::<u32>()
    };
    assert!(accepted(false) > 0);
    assert_eq!(accepted(true), 0);
}

#[test]
fn a_model_learns_from_its_own_word() {
    let mut session = Session::new(config(1)).unwrap();
    session.begin(0, &flexmatch()).unwrap();
    let metrics = consistent(0..40, &mut session);
    assert!(metrics.iter().all(|metrics| (metrics.labelled, metrics.asked) == (12, 6)), "{metrics:?}");
    // All is accepted while nothing is known, then little, in the end most.
    assert_eq!(metrics[0].accepted, 6);
    assert!(metrics[39].accepted >= 4, "{metrics:?}");
    let mut alone = Session::new(config(1)).unwrap();
    let weight = flexmatch().consistency.map(|consistency| ConsistencyConfig { weight: 0.0, ..consistency });
    alone.begin(0, &RoundConfig { consistency: weight, ..round() }).unwrap();
    consistent(0..40, &mut alone);
    assert_ne!(bits(&mut session), bits(&mut alone), "what the model says of unlabelled images matters");
}

#[test]
fn a_question_leaves_no_trace_in_the_model() {
    let weightless = flexmatch().consistency.map(|consistency| ConsistencyConfig { weight: 0.0, ..consistency });
    let model = ModelKind::SmallNet { width: 8, dropout: 0.0 };
    let counted = |config: &RoundConfig| {
        let mut session = Session::new(self::config(1)).unwrap();
        session.begin(0, config).unwrap();
        consistent(0..3, &mut session);
        let net = &session.current.as_ref().unwrap().net;
        let counts = net.params.entries().iter().filter(|param| param.name.ends_with("num_batches_tracked"));
        counts.map(|param| param.tensor.int64_value(&[])).collect::<Vec<_>>()
    };
    assert_eq!(counted(&RoundConfig { model, consistency: weightless, ..round() }), [3; 4]);
}

#[test]
fn thresholds_of_classes_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    let start = || {
        let mut session = Session::new(config(1)).unwrap();
        session.begin(0, &flexmatch()).unwrap();
        session
    };
    let mut whole = start();
    consistent(0..16, &mut whole);
    whole.snapshot().unwrap().write(&path, "").unwrap();
    let rest = consistent(16..24, &mut whole);
    assert!(rest.iter().any(|metrics| metrics.accepted < 6), "thresholds matter: {rest:?}");
    let mut resumed = start();
    resumed.restore(&path).unwrap();
    assert_eq!(consistent(16..24, &mut resumed), rest);
    assert_eq!(bits(&mut resumed), bits(&mut whole));
    let mut other = Session::new(config(1)).unwrap();
    other.begin(0, &round()).unwrap();
    assert!(other.restore(&path).unwrap_err().to_string().contains("curriculum"));
}

#[test]
fn a_student_follows_its_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("teacher.safetensors");
    let (mut teacher, _) = train(1, 40);
    teacher.save(&path).unwrap();
    let asked = TeacherConfig { path: path.clone(), temperature: 2.0, task: 0.0, weight: 1.0 };
    // No label is true: only the teacher knows.
    let lie = |step| {
        let mut batch = batch(step, 24);
        batch.rows.iter_mut().for_each(|row| row.target = Target::Hard(0));
        batch
    };
    let mut taught = |mean: f32, asked: Option<&TeacherConfig>| {
        let mut student = Session::new(SessionConfig { mean: vec![mean], ..config(2) }).unwrap();
        let model = ModelKind::SmallNet { width: 6, dropout: 0.0 };
        student.begin(0, &RoundConfig { model, teacher: asked.cloned(), label_smoothing: 0.0, ..round() }).unwrap();
        (0..40).for_each(|step| student.step(step, &lie(step)).map(drop).unwrap());
        let (own, wanted) = (student.predict(&batch(3, 12)).unwrap(), teacher.predict(&batch(3, 12)).unwrap());
        own.iter().zip(wanted).map(|(a, b)| (a - b).abs()).sum::<f32>() / own.len() as f32
    };
    // The student sees images under another normalisation than the teacher does.
    let far = taught(0.7, Some(&asked));
    assert!(far < 0.15, "{far}");
    let alone = taught(0.3, None);
    assert!(alone > 0.3, "{alone}");
    let mixed = TeacherConfig { task: 1.0, weight: 0.0, ..asked };
    assert_eq!(taught(0.3, Some(&mixed)), alone, "a teacher of no weight changes nothing");
}

#[test]
fn a_teacher_of_other_classes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("teacher.safetensors");
    train(1, 1).0.save(&path).unwrap();
    let refused = |config: SessionConfig| {
        let teacher = Some(TeacherConfig { path: path.clone(), temperature: 1.0, task: 0.5, weight: 0.5 });
        let mut session = Session::new(config).unwrap();
        session.begin(0, &RoundConfig { teacher, ..round() }).unwrap_err().to_string()
    };
    let classes = vec!["across".to_owned(), "up".to_owned(), "blank".to_owned()];
    let text = refused(SessionConfig { classes, ..config(1) });
    assert!(text.contains("it knows the classes across, down, blank"), "{text}");
    let gray =
        SessionConfig { shape: Shape { channels: 3, ..SHAPE }, mean: vec![0.5; 3], std: vec![0.5; 3], ..config(1) };
    assert!(refused(gray).contains("1 channels, these have 3"));
}
