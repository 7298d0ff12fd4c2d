//! How long it takes to add up over a group, as gradients do.

use std::time::{Duration, Instant};

use tch::{Kind, Tensor};

use super::ProcessGroup;
use crate::shim::C10Error;

const DOING: &str = "measuring sums over the training nodes";

impl ProcessGroup {
    /// How long each of `repetitions` sums of `floats` numbers takes, after one to warm up. All ranks must ask for the same; before
    /// each sum they wait for each other, so that none is counted that only waits for a rank that is late.
    ///
    /// # Errors
    /// What libtorch says of so many numbers; a rank is gone; a sum is wrong.
    pub fn time_all_reduce(&self, floats: usize, repetitions: usize) -> Result<Vec<Duration>, C10Error> {
        let own = (self.rank() + 1) as f64;
        let size = i64::try_from(floats).unwrap_or(i64::MAX);
        let mut tensor = Tensor::f_zeros(size, (Kind::Float, tch::Device::Cpu)).map_err(refused)?;
        let mut times = Vec::with_capacity(repetitions);
        for repetition in 0..=repetitions {
            let _ = tensor.f_fill_(own).map_err(refused)?;
            self.barrier()?;
            let begun = Instant::now();
            self.all_reduce(&tensor)?.wait()?;
            if repetition > 0 {
                times.push(begun.elapsed());
            }
        }
        self.check(&tensor)?;
        Ok(times)
    }

    /// Whether each number is the sum of 1, 2 and so on over the ranks: what is wrong is not to be measured.
    fn check(&self, tensor: &Tensor) -> Result<(), C10Error> {
        let expected = (self.ranks() * (self.ranks() + 1) / 2) as f64;
        let right = tensor.f_eq(expected).and_then(|equal| equal.f_all()).map_err(refused)?;
        match bool::try_from(right).map_err(refused)? {
            true => Ok(()),
            false => Err(C10Error { doing: DOING, reason: "the sums are wrong".to_owned() }),
        }
    }
}

fn refused(error: tch::TchError) -> C10Error {
    C10Error { doing: DOING, reason: error.to_string().lines().next().unwrap_or_default().to_owned() }
}
