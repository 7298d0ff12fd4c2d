//! Sessions that train together, as threads of one process: to the group there is no difference.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use millstream_c10d::Table;

use super::*;
use crate::model::Mode;

/// What each of so many sessions makes of it.
fn on<T: Send>(ranks: usize, work: impl Fn(Session) -> T + Sync) -> Vec<T> {
    let (table, work) = (Arc::new(Table::new(Duration::from_secs(20))), &work);
    std::thread::scope(|scope| {
        let rank = |rank| {
            let table = Arc::clone(&table);
            scope.spawn(move || {
                let at = (Ipv4Addr::LOCALHOST.into(), (rank, ranks));
                let group = ProcessGroup::new(table, at.0, at.1, Duration::from_secs(60)).unwrap();
                work(Session::new(config(1)).unwrap().with_peers(group))
            })
        };
        let all: Vec<_> = (0..ranks).map(rank).collect();
        all.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

/// The rows of a batch whose numbers fulfil something.
fn some(batch: &Batch, wanted: impl Fn(usize) -> bool) -> Batch {
    let pixels = batch.images().enumerate().filter(|(at, _)| wanted(*at)).flat_map(|(_, image)| image.to_vec());
    let rows = batch.rows.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, row)| row.clone());
    Batch { blocks: vec![Block(pixels.collect())], rows: rows.collect(), ..batch.clone() }
}

fn weights(session: &Session) -> Vec<Vec<f32>> {
    let net = &session.current.as_ref().unwrap().net;
    net.params.trained().map(|param| crate::consistency::numbers(&param.tensor).unwrap()).collect()
}

/// A step, and its figures but for the time that it took.
fn taught(session: &mut Session, step: u32, batch: &Batch) -> StepMetrics {
    StepMetrics { peers: 0.0, ..session.step(step, batch).unwrap() }
}

/// The largest difference of weights, in shares of the largest weight of their tensor.
fn distance(one: &[Vec<f32>], other: &[Vec<f32>]) -> f32 {
    let far = |(one, other): (&Vec<f32>, &Vec<f32>)| {
        let largest = one.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
        one.iter().zip(other).fold(0.0_f32, |most, (one, other)| most.max((one - other).abs() / largest))
    };
    one.iter().zip(other).map(far).fold(0.0, f32::max)
}

/// Batch norms see the images of their rank: where those are the same at both, all is as in one session that has them twice.
#[test]
fn two_sessions_train_as_one_does_on_all_their_images() {
    let round = || RoundConfig { model: ModelKind::SmallNet { width: 8, dropout: 0.0 }, ..round() };
    let mut alone = Session::new(config(1)).unwrap();
    alone.begin(0, &round()).unwrap();
    let mut losses = Vec::new();
    for step in 0..10 {
        let half = batch(step, 12);
        let mut whole = half.clone();
        whole.rows.extend(half.rows.clone());
        whole.blocks.extend(half.blocks.clone());
        losses.push(alone.step(step, &whole).unwrap());
    }
    let together = on(2, |mut session| {
        session.begin(0, &round()).unwrap();
        let said: Vec<_> = (0..10).map(|step| taught(&mut session, step, &batch(step, 12))).collect();
        (weights(&session), said, session.hash().unwrap())
    });
    assert!(distance(&weights(&alone), &together[0].0) < 1e-4, "{}", distance(&weights(&alone), &together[0].0));
    assert_eq!(together[0].2, together[1].2, "equal to the bit");
    for (one, both) in losses.iter().zip(&together[0].1) {
        assert!((one.loss - both.loss).abs() < 1e-4, "{one:?} {both:?}");
        assert_eq!((one.labelled, one.images, one.learning_rate), (both.labelled, both.images, both.learning_rate));
    }
    assert_eq!(together[0].1, together[1].1);
}

/// However the images of a batch fall on the ranks, also if one gets none: the loss weighs them as if they were at one.
#[test]
fn the_loss_does_not_depend_on_who_has_which_image() {
    // Nothing but the head trains, so that no batch norm comes in between.
    let transfer = Transfer { freeze: Freeze::Body, ..Transfer::default() };
    let model = ModelKind::SmallNet { width: 8, dropout: 0.0 };
    let round = RoundConfig { transfer, model, clip: Some(Clip::Norm(0.5)), ..round() };
    let mut alone = Session::new(config(1)).unwrap();
    alone.begin(0, &round).unwrap();
    let said: Vec<_> = (0..6).map(|step| alone.step(step, &batch(step, 24)).unwrap()).collect();
    let together = on(3, |mut session| {
        session.begin(0, &round).unwrap();
        let rank = session.rank();
        // Labelled images come first: most of them are at the first rank, and the last has none of any kind in two steps.
        let own = |step: u32, at: usize| match (rank, step % 3) {
            (0, _) => at < 9,
            (1, 0) => at >= 9,
            (1, _) => (9..20).contains(&at),
            (_, 0) => false,
            _ => at >= 20,
        };
        let said: Vec<_> =
            (0..6).map(|step| session.step(step, &some(&batch(step, 24), |at| own(step, at))).unwrap()).collect();
        (weights(&session), said)
    });
    for (found, metrics) in &together {
        assert!(distance(&weights(&alone), found) < 1e-4, "{}", distance(&weights(&alone), found));
        for (one, all) in said.iter().zip(metrics) {
            assert!((one.loss - all.loss).abs() < 1e-5, "{one:?} {all:?}");
            assert_eq!((one.labelled, one.labelled_correct), (all.labelled, all.labelled_correct));
        }
    }
}

/// What FlexMatch knows of single images is the same everywhere, and a session goes on where another stopped.
#[test]
fn what_is_learnt_of_each_image_is_shared() {
    let consistency = ConsistencyConfig {
        weak: None,
        threshold: Threshold::Flexible { tau: 0.4, warmup: false, mapping: Mapping::Convex },
        weight: 1.0,
        ramp: [0.0; 2],
        soft: None,
        images: 24,
        mean_teacher: false,
    };
    let round = RoundConfig { consistency: Some(consistency), ..round() };
    let states = on(2, |mut session| {
        session.begin(0, &round).unwrap();
        let rank = session.rank();
        for step in 0..8 {
            session.step(step, &some(&batch(step, 24), |at| at % 2 == rank)).unwrap();
        }
        let training = session.current.as_ref().unwrap().training.as_ref().unwrap();
        let (_, state) = training.consistency.as_ref().unwrap().state().unwrap().unwrap();
        (Vec::<i64>::try_from(&state).unwrap(), session.hash().unwrap())
    });
    assert_eq!(states[0], states[1]);
    let known = |parity: usize| states[0].0.iter().skip(parity).step_by(2).any(|class| *class >= 0);
    assert!(known(0) && known(1), "of images of both: {:?}", states[0].0);
}

/// The rows that a rank of so many gets of a batch: every so many-th, as slots are dealt out.
fn dealt(batch: &Batch, rank: usize, ranks: usize) -> Batch {
    some(batch, |at| at % ranks == rank)
}

fn synchronised() -> RoundConfig {
    RoundConfig { sync_batch_norm: true, model: ModelKind::SmallNet { width: 8, dropout: 0.0 }, ..round() }
}

/// What a session makes of batches of so many rows each.
struct Made {
    /// How far weights came from where they began; then averages and running statistics, which predict.
    moved: [Vec<f32>; 2],
    predictions: Vec<f32>,
    said: Vec<StepMetrics>,
    hash: [u8; 32],
}

/// All floats of the network in training, and of the one that predicts.
fn floats(session: &Session) -> [Vec<f32>; 2] {
    let of = |net: &Net, wanted: &dyn Fn(&crate::model::Param) -> bool| {
        let params = net.params.entries().iter().filter(|param| wanted(param));
        params.flat_map(|param| crate::consistency::numbers(&param.tensor).unwrap()).collect()
    };
    let statistics = |param: &crate::model::Param| param.tensor.kind() == tch::Kind::Float;
    let live = &session.current.as_ref().unwrap().net;
    [of(live, &|param| param.role.trains()), of(session.predictor("").unwrap().1, &statistics)]
}

fn made(session: &mut Session, config: &RoundConfig, rows: &[u32], ranks: usize) -> Made {
    session.begin(0, config).unwrap();
    let (rank, start) = (session.rank(), floats(session));
    let batches = (0..).zip(rows).map(|(step, rows)| (step, dealt(&batch(step, *rows), rank, ranks)));
    let said = batches.map(|(step, batch)| taught(session, step, &batch)).collect();
    let mut moved = floats(session);
    for (moved, start) in moved.iter_mut().flatten().zip(start.iter().flatten()) {
        *moved -= start;
    }
    Made { moved, predictions: session.predict(&batch(99, 12)).unwrap(), said, hash: session.hash().unwrap() }
}

/// The length of the difference, in lengths of the first.
fn apart(one: &[f32], other: &[f32]) -> f64 {
    let length = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    length(&mut one.iter().zip(other).map(|(one, other)| one - other)) / length(&mut one.iter().copied())
}

/// Batches of 24, and between them some that ranks share unevenly, down to one image.
const ROWS: [u32; 10] = [24, 24, 23, 5, 24, 3, 24, 1, 7, 24];

/// How far what several sessions make is from what one makes of all rows: the largest of weights, predictor and predictions. Only the first
/// `with` have rows. Counts are the same, and among the sessions every bit.
fn distance_from_one(config: &RoundConfig, rows: &[u32], (ranks, with): (usize, usize)) -> f64 {
    let one = made(&mut Session::new(self::config(1)).unwrap(), config, rows, 1);
    let all = on(ranks, |mut session| made(&mut session, config, rows, with));
    for (one, all) in one.said.iter().zip(&all[0].said) {
        let labelled_correct = all.labelled_correct;
        assert_eq!(StepMetrics { loss: all.loss, labelled_correct, ..*one }, *all);
    }
    assert!(all.iter().all(|rank| (&rank.said, rank.hash) == (&all[0].said, all[0].hash)), "equal to the bit");
    let pairs = one.moved.iter().zip(&all[0].moved).chain([(&one.predictions, &all[0].predictions)]);
    pairs.map(|(one, other)| apart(one, other)).fold(0.0, f64::max)
}

#[track_caller]
fn check_as_one(config: &RoundConfig, rows: &[u32], ranks: (usize, usize), within: f64) {
    let far = distance_from_one(config, rows, ranks);
    assert!(far < within, "{ranks:?}: {far}");
}

/// After ten steps what is left is a ten thousandth of the way that training took; batch norms of their own take another way.
#[test]
fn with_synchronised_norms_two_and_four_sessions_train_as_one() {
    for ranks in [(2, 2), (4, 4)] {
        check_as_one(&synchronised(), &ROWS, ranks, 1e-4);
        let parts = RoundConfig { accumulate: 2, clip: Some(Clip::Norm(0.5)), ..synchronised() };
        check_as_one(&parts, &[24, 24, 16, 24], ranks, 1e-4);
    }
    let own = RoundConfig { sync_batch_norm: false, ..synchronised() };
    let far = distance_from_one(&own, &ROWS[..3], (2, 2));
    assert!(far > 0.1, "{far}");
}

/// Networks with branches, depthwise convolutions and squeezes, also at a rank without images. After one step: in networks as deep as these
/// another order of sums moves a few values to the other side of a ReLU, in one session as well.
#[test]
fn deep_networks_of_several_sessions_train_as_one_with_synchronised_norms() {
    for name in ["resnet18", "efficientnet_b0"] {
        let drop_path = Some(0.0);
        let model = ModelKind::new(name, &crate::ModelSettings { dropout: drop_path, drop_path, width: None }).unwrap();
        let optimizer = OptimizerKind::Sgd { lr: 0.01, momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
        check_as_one(&RoundConfig { model, optimizer, ..synchronised() }, &[24], (4, 3), 1e-3);
    }
}

/// The model is asked about unlabelled images with the statistics of all of them.
#[test]
fn with_synchronised_norms_sessions_ask_as_one() {
    let consistency = ConsistencyConfig {
        weak: None,
        threshold: Threshold::Fixed(0.4),
        weight: 1.0,
        ramp: [0.0; 2],
        soft: Some(1.0),
        images: 24,
        mean_teacher: false,
    };
    let config = RoundConfig { consistency: Some(consistency), ..synchronised() };
    // Of three rows one is labelled, and ranks have one, or none, of the two others.
    check_as_one(&config, &[24, 24, 3, 24, 23, 1], (4, 4), 1e-4);
}

#[test]
fn a_session_alone_has_the_same_bits_with_and_without_synchronised_norms() {
    let own = RoundConfig { sync_batch_norm: false, ..synchronised() };
    let hash = |config: &RoundConfig| made(&mut Session::new(self::config(1)).unwrap(), config, &ROWS, 1).hash;
    let one_of_one = on(1, |mut session| made(&mut session, &synchronised(), &ROWS, 1).hash);
    assert_eq!([hash(&own), hash(&synchronised())], [one_of_one[0]; 2]);
}

#[test]
fn a_session_that_stops_is_an_error_of_the_others() {
    let outcomes = on(2, |mut session| {
        session.begin(0, &synchronised()).unwrap();
        session.step(0, &dealt(&batch(0, 24), session.rank(), 2)).unwrap();
        let gone = session.rank() == 1;
        (!gone).then(|| session.step(1, &dealt(&batch(1, 24), 0, 2)).map_err(|error| error.to_string()))
    });
    let error = outcomes[0].clone().unwrap().unwrap_err();
    assert!(error.starts_with("libtorch failed while"), "{error}");
}

/// In the midst of a pass, where no session asks whether the others are there.
#[test]
fn a_session_that_stops_between_forward_and_backward_is_an_error_of_the_others() {
    let outcomes = on(2, |mut session| {
        session.begin(0, &synchronised()).unwrap();
        let norms = session.peers.passes(6, 1, Some(1)).unwrap().norms;
        let Some(Current { net, training: Some(training), .. }) = &session.current else { unreachable!() };
        let seeded = seeded(1, 0, Purpose::Step(0, 0));
        let images = Tensor::ones([6, 1, 16, 16], (tch::Kind::Float, tch::Device::Cpu));
        let forward = || net.model.forward(&images, Mode::Train(&seeded, norms));
        let logits = forward().unwrap();
        if session.rank() == 1 {
            return None;
        }
        let backward = Tensor::f_run_backward(&[logits.sum(tch::Kind::Float)], &training.trained, false, false);
        let during = |error: tch::TchError| Err::<(), _>(error).during("working").unwrap_err().to_string();
        Some([during(backward.unwrap_err()), during(forward().unwrap_err())])
    });
    let [backward, forward] = outcomes[0].as_ref().unwrap();
    assert!(backward.starts_with("libtorch failed while working: "), "{backward}");
    assert!(
        forward.contains("while working: ") && forward.contains("normalising over the training nodes"),
        "{forward}"
    );
}
