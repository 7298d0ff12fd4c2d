//! Ranks as threads of one process: to Gloo there is no difference.

use std::net::Ipv4Addr;

use super::*;
use crate::Table;

fn table() -> Arc<Table> {
    Arc::new(Table::new(Duration::from_millis(500)))
}

fn join(table: &Arc<Table>, rank: usize, ranks: usize) -> Result<ProcessGroup, C10Error> {
    let table: Arc<dyn Rendezvous> = Arc::<Table>::clone(table);
    ProcessGroup::new(table, Ipv4Addr::LOCALHOST.into(), (rank, ranks), Duration::from_secs(20))
}

/// What each rank of a group makes of it.
pub(crate) fn on<T: Send>(ranks: usize, work: impl Fn(ProcessGroup) -> T + Sync) -> Vec<T> {
    let (table, work) = (table(), &work);
    std::thread::scope(|scope| {
        let rank = |rank| {
            let table = Arc::clone(&table);
            scope.spawn(move || work(join(&table, rank, ranks).unwrap()))
        };
        let all: Vec<_> = (0..ranks).map(rank).collect();
        all.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor).unwrap()
}

#[test]
fn sums_are_the_same_everywhere_and_several_may_be_under_way() {
    let sums = on(3, |group| {
        let own = Tensor::from_slice(&[0.1f32, 0.2, 0.3]) * (group.rank() as f64 + 1.0);
        let more = Tensor::from_slice(&[group.rank() as f32]);
        let (first, second) = (group.all_reduce(&own).unwrap(), group.all_reduce(&more).unwrap());
        second.wait().unwrap();
        first.wait().unwrap();
        (numbers(&own), numbers(&more))
    });
    assert!((sums[0].0[2] - 1.8).abs() < 1e-6 && sums[0].1 == [3.0], "{:?}", sums[0]);
    assert!(sums.iter().all(|sum| *sum == sums[0]), "equal to the bit: {sums:?}");
}

#[test]
fn one_tells_all_and_all_tell_each_other() {
    let told = on(3, |group| {
        let word = Tensor::from_slice(&[group.rank() as f32 + 5.0]);
        let all: Vec<f32> = group.all_gather(&word).unwrap().iter().flat_map(numbers).collect();
        group.broadcast(&word, 2).unwrap().wait().unwrap();
        group.barrier().unwrap();
        (all, numbers(&word), group.ranks())
    });
    assert_eq!(told, vec![(vec![5.0, 6.0, 7.0], vec![7.0], 3); 3]);
}

#[test]
fn a_rank_that_does_not_come_and_one_that_goes_are_errors() {
    let alone = join(&table(), 0, 2).unwrap_err();
    assert!(alone.reason.contains("has not come"), "{alone}");
    let outcomes = on(2, |group| match group.rank() {
        0 => group.all_reduce(&Tensor::from_slice(&[1f32])).and_then(Pending::wait).map_err(|error| error.to_string()),
        // It is gone when this returns.
        _ => Ok(()),
    });
    let error = outcomes[0].clone().unwrap_err();
    assert!(error.contains("adding up over the training nodes"), "{error}");
}

#[test]
fn all_ranks_time_the_same_sums() {
    let counts = on(3, |group| group.time_all_reduce(1000, 4).unwrap().len());
    assert_eq!(counts, [4, 4, 4]);
}
