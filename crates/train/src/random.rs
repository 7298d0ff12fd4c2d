//! Random numbers as a function of where they are drawn.
//!
//! libtorch draws from one generator a process. All drawing goes through the [`Seeded`] guard, which has the generator to
//! itself from the first draw on, so two sessions of one process cannot disturb each other.

use std::cell::OnceCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Kind, TchError, Tensor};

static GENERATOR: Mutex<()> = Mutex::new(());

/// Sole use of libtorch's generator, freshly seeded. Whoever draws nothing does not wait for others: ranks of one process that wait
/// for each other within a step (batch norms over all ranks) must draw nothing.
pub(crate) struct Seeded {
    seed: i64,
    sole: OnceCell<MutexGuard<'static, ()>>,
}

impl Seeded {
    /// Before each draw.
    fn draw(&self) {
        self.sole.get_or_init(|| {
            let guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
            tch::manual_seed(self.seed);
            guard
        });
    }

    /// A tensor on the CPU, uniform between minus and plus `bound`.
    pub(crate) fn uniform(&self, shape: &[i64], bound: f64) -> Result<Tensor, TchError> {
        self.draw();
        Tensor::f_empty(shape, (Kind::Float, tch::Device::Cpu))?.f_uniform_(-bound, bound)
    }

    /// A tensor on the CPU, normal around 0.
    pub(crate) fn normal(&self, shape: &[i64], deviation: f64) -> Result<Tensor, TchError> {
        self.draw();
        Tensor::f_empty(shape, (Kind::Float, tch::Device::Cpu))?.f_normal_(0.0, deviation)
    }

    /// Drops each row with probability `rate` and scales the others up.
    pub(crate) fn drop_rows(&self, input: &Tensor, rate: f64) -> Result<Tensor, TchError> {
        self.draw();
        let mut sizes = vec![1; input.dim()];
        if let (Some(rows), Some(size)) = (sizes.first_mut(), input.size().first()) {
            *rows = *size;
        }
        let kept = Tensor::f_empty(sizes, (input.kind(), input.device()))?.f_bernoulli_float_(1.0 - rate)?;
        input.f_mul(&kept.f_div_scalar(1.0 - rate)?)
    }

    /// Drops each value with probability `rate` and scales the others up.
    pub(crate) fn dropout(&self, input: &Tensor, rate: f64) -> Result<Tensor, TchError> {
        self.draw();
        input.f_dropout(rate, true)
    }
}

/// What the numbers are drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The initial weights of a round's model.
    Weights,
    /// Dropout and drop path in one step, at one rank.
    Step(u32, usize),
}

/// libtorch's generator, seeded for one purpose of one round, until the guard is dropped.
pub(crate) fn seeded(seed: u64, round: u32, purpose: Purpose) -> Seeded {
    Seeded { seed: mix(seed, round, purpose), sole: OnceCell::new() }
}

fn mix(seed: u64, round: u32, purpose: Purpose) -> i64 {
    let (kind, step) = match purpose {
        Purpose::Weights => (0u8, 0),
        Purpose::Step(step, _) => (1, step),
    };
    let mut hasher = blake3::Hasher::new_derive_key("millstream train seed v1");
    hasher.update(&seed.to_le_bytes()).update(&round.to_le_bytes()).update(&[kind]).update(&step.to_le_bytes());
    if let Purpose::Step(_, rank @ 1..) = purpose {
        hasher.update(&(rank as u64).to_le_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    i64::from_le_bytes(bytes)
}
