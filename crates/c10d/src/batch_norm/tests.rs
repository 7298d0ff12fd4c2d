//! Against libtorch's batch norm over all rows at once.

use tch::{Device, Kind};

use super::*;
use crate::group::tests::on;

const EPSILON: f64 = 1e-3;
const MOMENTUM: f64 = 0.3;
const CHANNELS: i64 = 3;

/// Numbers that look drawn, and are the same everywhere.
fn numbers(shape: &[i64], salt: f64, kind: Kind) -> Tensor {
    let count: i64 = shape.iter().product();
    let line = Tensor::arange(count, (Kind::Double, Device::Cpu));
    ((line * 1.7 + salt).sin() * 43.0).frac().reshape(shape).to_kind(kind)
}

/// A batch norm with weights of its own and statistics that have moved before.
struct Norm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl Norm {
    fn new() -> Norm {
        let channel = |salt| numbers(&[CHANNELS], salt, Kind::Float);
        let weight = (channel(1.0) + 1.5).set_requires_grad(true);
        Norm { weight, bias: channel(2.0).set_requires_grad(true), mean: channel(3.0), variance: channel(4.0) + 2.0 }
    }

    fn over(&self, group: &ProcessGroup, input: &Tensor) -> Result<Tensor, C10Error> {
        let Norm { weight, bias, mean, variance } = self;
        let norm = BatchNorm { weight, bias, mean, variance, momentum: MOMENTUM, epsilon: EPSILON };
        group.batch_norm(input, norm)
    }

    fn alone(&self, input: &Tensor) -> Tensor {
        let [weight, bias, mean, variance] = [&self.weight, &self.bias, &self.mean, &self.variance].map(Some);
        input.batch_norm(weight, bias, mean, variance, true, MOMENTUM, EPSILON, true)
    }

    /// Outputs, gradients of values, weight and bias, running mean and variance.
    fn all(&self, input: &Tensor, output: &Tensor, outer: &Tensor) -> [Tensor; 6] {
        let inputs = [input, &self.weight, &self.bias];
        let gradients = Tensor::run_backward(&[(output * outer).sum(Kind::Float)], &inputs, false, false);
        let [dx, dweight, dbias] = gradients.try_into().unwrap();
        [output.detach(), dx, dweight, dbias, self.mean.copy(), self.variance.copy()]
    }
}

/// Whether two tensors are as close as so many parts of the largest number of the first.
#[track_caller]
fn close(one: &Tensor, other: &Tensor, part: f64, what: &str) {
    let [one, other] = [one, other].map(|tensor| tensor.to_kind(Kind::Double));
    let far = (&one - &other).abs().max().double_value(&[]) / one.abs().max().double_value(&[]);
    assert!(far < part, "{what}: {far}");
}

/// Ranks with so many rows each, against one that has all, over values around `offset`.
#[track_caller]
fn check(rows: &[i64], places: &[i64], offset: f64, (kind, part): (Kind, f64)) {
    let shape = [&[rows.iter().sum(), CHANNELS], places].concat();
    // Tensors do not go from thread to thread: each makes its own.
    let own = |start: i64, rows: i64| {
        let input = (numbers(&shape, 5.0, Kind::Float) + offset).to_kind(kind).narrow(0, start, rows).copy();
        (input.set_requires_grad(true), numbers(&shape, 6.0, kind).narrow(0, start, rows).copy())
    };
    let (norm, (input, outer)) = (Norm::new(), own(0, shape[0]));
    let wanted = norm.all(&input, &norm.alone(&input), &outer);
    let found = on(rows.len(), |group| {
        let start = rows[..group.rank()].iter().sum();
        let (norm, (input, outer)) = (Norm::new(), own(start, rows[group.rank()]));
        let output = norm.over(&group, &input).unwrap();
        norm.all(&input, &output, &outer)
    });
    let each = |at: usize| found.iter().map(|rank| rank[at].shallow_clone()).collect::<Vec<_>>();
    for (at, what) in [(0, "outputs"), (1, "gradients of values")] {
        close(&wanted[at], &Tensor::cat(&each(at), 0), part, what);
    }
    for (at, what) in [(2, "gradients of weights"), (3, "gradients of biases")] {
        let sum = Tensor::stack(&each(at), 0).sum_dim_intlist([0i64].as_slice(), false, None::<Kind>);
        close(&wanted[at], &sum, part, what);
    }
    for (at, what) in [(4, "running means"), (5, "running variances")] {
        close(&wanted[at], &found[0][at], part, what);
        assert!(each(at).iter().all(|rank| rank.equal(&found[0][at])), "{what} are equal to the bit");
    }
}

#[test]
fn it_is_the_batch_norm_of_all_rows_however_they_fall_on_ranks() {
    let float = (Kind::Float, 1e-5);
    for rows in [&[4, 4][..], &[5, 1, 0, 2], &[0, 7], &[1, 1]] {
        check(rows, &[3, 2], 0.5, float);
    }
    check(&[3, 5], &[], 0.5, float);
    check(&[3, 5], &[1, 1], 0.5, float);
    check(&[3, 0, 5], &[3, 2], 0.5, (Kind::BFloat16, 0.02));
}

/// Were the squares added in single precision, nothing would be left of the variance.
#[test]
fn values_far_from_zero_keep_their_variance() {
    check(&[8, 5], &[3, 2], 1000.0, (Kind::Float, 1e-3));
}

/// Norms of as many channels each in two branches: sums of one must not meet those of another.
#[test]
fn branches_of_a_network_are_gone_through_in_one_order() {
    // The gradient of a network with regard to some of its rows.
    let gradient = |start: i64, rows: i64, norm: &dyn Fn(&Tensor) -> Tensor| {
        let own = |salt| numbers(&[6, CHANNELS, 4, 4], salt, Kind::Float).narrow(0, start, rows).copy();
        let input = own(5.0).set_requires_grad(true);
        let branch = norm(&(norm(&(&input * 1.5)).relu() + 0.5));
        let output = (branch + norm(&input.square())).square() * own(6.0);
        Tensor::run_backward(&[output.sum(Kind::Float)], &[input], false, false).remove(0)
    };
    let found = on(2, |group| {
        let norm = Norm::new();
        let start = if group.rank() == 0 { 0 } else { 2 };
        gradient(start, 2 + start, &|map| norm.over(&group, map).unwrap())
    });
    let norm = Norm::new();
    close(&gradient(0, 6, &|map| norm.alone(map)), &Tensor::cat(&found, 0), 1e-4, "gradients");
}

#[test]
fn a_single_value_of_all_ranks_is_refused_by_all() {
    for error in on(2, |group| {
        let rows = i64::try_from(group.rank()).unwrap();
        Norm::new().over(&group, &Tensor::zeros([rows, CHANNELS, 1, 1], (Kind::Float, Device::Cpu))).unwrap_err()
    }) {
        assert!(error.to_string().contains("one value a channel"), "{error}");
    }
}

#[test]
fn a_rank_that_goes_is_an_error_forward_and_backward() {
    let outcomes = on(2, |group| {
        let (norm, input) = (Norm::new(), numbers(&[4, CHANNELS, 2, 2], 5.0, Kind::Float).set_requires_grad(true));
        let output = norm.over(&group, &input).unwrap();
        if group.rank() == 1 {
            // It is gone when this returns.
            return None;
        }
        let backward = Tensor::f_run_backward(&[output.sum(Kind::Float)], &[&input], false, false).unwrap_err();
        Some((backward.to_string(), norm.over(&group, &input).unwrap_err().to_string()))
    });
    let (backward, forward) = outcomes[0].as_ref().unwrap();
    assert!(forward.contains("normalising over the training nodes"), "{forward}");
    assert!(backward.contains("gloo") || backward.contains("Connection"), "{backward}");
}
