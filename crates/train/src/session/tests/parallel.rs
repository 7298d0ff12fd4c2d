//! Sessions that train together, as threads of one process: to the group there is no difference.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use millstream_c10d::Table;

use super::*;

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
        let said: Vec<_> = (0..10).map(|step| session.step(step, &batch(step, 12)).unwrap()).collect();
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
