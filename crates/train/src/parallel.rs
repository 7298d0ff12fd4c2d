//! Data-parallel training: several sessions, one a rank, keep equal models, each from its part of every batch.
//!
//! The loss of a step is that of the whole batch: its weights are made of counts over all ranks, and its gradients are the sum of
//! theirs. What is left of a difference to one session is the order in which floats are added, and batch norms, which see the
//! part of their rank (as in PyTorch's `DistributedDataParallel`); their running statistics are the mean over the ranks. Where batch norms
//! are asked to act as one over all ranks, only the order is left, and what dropout draws.

use std::cell::Cell;
use std::time::{Duration, Instant};

use millstream_c10d::ProcessGroup;
use tch::{Device, Kind, TchError, Tensor};

use crate::TrainError;
use crate::error::While;
use crate::gradients::parts_of;
use crate::model::Param;

/// Gradients travel in buckets of at least so many numbers, so that the next is made ready while one is on its way: 25 MB, as
/// PyTorch has them (Li et al. 2020, "PyTorch Distributed", section 3.2.3).
const BUCKET: usize = 25 * 1024 * 1024 / 4;

/// The other sessions; none where this one is alone, and then nothing has to be asked.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    group: Option<ProcessGroup>,
    /// How long this session has waited for the others, and for what it sends them, since that was last asked.
    waited: Cell<Duration>,
}

/// How a rank's rows go through its network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passes<'a> {
    /// In how many parts, one after the other; some may be empty.
    pub(crate) parts: usize,
    /// The group over whose ranks batch norms take their statistics: all of them have as many parts.
    pub(crate) norms: Option<&'a ProcessGroup>,
}

impl Peers {
    pub(crate) fn of(group: ProcessGroup) -> Peers {
        Peers { group: Some(group), waited: Cell::default() }
    }

    /// This session among them, from 0.
    pub(crate) fn rank(&self) -> usize {
        self.group.as_ref().map_or(0, ProcessGroup::rank)
    }

    /// Does what waits for the others.
    fn timed<T>(&self, wait: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = wait();
        self.waited.set(self.waited.get() + begun.elapsed());
        done
    }

    /// Seconds that this session has waited for the others since it was last asked. Of all, the slowest has waited least.
    pub(crate) fn take_waited(&self) -> f64 {
        self.waited.take().as_secs_f64()
    }

    /// Waits for all ranks.
    pub(crate) fn meet(&self) -> Result<(), TrainError> {
        Ok(self.group.as_ref().map_or(Ok(()), |group| self.timed(|| group.barrier()))?)
    }

    /// The sums of some numbers over all ranks.
    pub(crate) fn total<const N: usize>(&self, numbers: [f64; N]) -> Result<[f64; N], TrainError> {
        let Some(group) = &self.group else { return Ok(numbers) };
        let sums = Tensor::f_from_slice(&numbers).during("counting over the ranks")?;
        let sum = group.all_reduce(&sums)?;
        self.timed(|| sum.wait())?;
        let mut totals = [0.0; N];
        sums.f_copy_data(&mut totals, N).during("counting over the ranks")?;
        Ok(totals)
    }

    /// How so many rows of this rank go through its network, in `wanted` parts if there are rows enough. If batch norms are to act as one
    /// `over` at least so many rows of all ranks, then all ranks go through it equally often: without rows of their own, if need be.
    pub(crate) fn passes(&self, rows: usize, wanted: u32, over: Option<usize>) -> Result<Passes<'_>, TrainError> {
        let alone = Passes { parts: parts_of(rows, wanted), norms: None };
        let (Some(least), Some(group)) = (over, self.group.as_ref().filter(|group| group.ranks() > 1)) else {
            return Ok(alone);
        };
        let [all] = self.total([rows as f64])?.map(|all| all as usize);
        if all < least {
            return Ok(alone);
        }
        // Some rank has as many rows as the mean or more: with these alone each part has two, unless there is but one part.
        Ok(Passes { parts: parts_of((all / group.ranks()).max(1), wanted), norms: Some(group) })
    }

    /// Gives tensors the values that they have at rank 0.
    pub(crate) fn agree<'a>(&self, tensors: impl Iterator<Item = &'a Tensor>) -> Result<(), TrainError> {
        let Some(group) = &self.group else { return Ok(()) };
        let _no_grad = tch::no_grad_guard();
        for tensor in tensors {
            let mut tensor = tensor.detach();
            let here = at_home(&tensor).during("starting equal")?;
            group.broadcast(&here, 0)?.wait()?;
            tensor.f_copy_(&here).during("starting equal")?;
        }
        Ok(())
    }

    /// Puts the sums over all ranks in place of some tensors of floats.
    pub(crate) fn sum(&self, tensors: &mut [Tensor]) -> Result<(), TrainError> {
        let Some(group) = &self.group else { return Ok(()) };
        let _no_grad = tch::no_grad_guard();
        let mut under_way = Vec::new();
        for bucket in buckets(tensors) {
            let flat = flat(&tensors[bucket.clone()]).during("adding gradients")?;
            under_way.push((group.all_reduce(&flat)?, flat, bucket));
        }
        for (pending, flat, bucket) in under_way {
            self.timed(|| pending.wait())?;
            spread(&flat, &mut tensors[bucket]).during("adding gradients")?;
        }
        Ok(())
    }

    /// Brings running statistics to their means over the ranks.
    pub(crate) fn mean_statistics(&self, params: &[Param]) -> Result<(), TrainError> {
        let Some(group) = &self.group else { return Ok(()) };
        let running = |param: &&Param| !param.role.trains() && param.tensor.kind() == Kind::Float;
        let mut here: Vec<Tensor> = params.iter().filter(running).map(|param| param.tensor.detach()).collect();
        let mut means: Vec<Tensor> = here.iter().map(Tensor::shallow_clone).collect();
        self.sum(&mut means)?;
        let _no_grad = tch::no_grad_guard();
        let ranks = group.ranks() as f64;
        let set = |to: &mut Tensor, sum: &Tensor| to.f_copy_(&sum.f_div_scalar(ranks)?).map(drop);
        here.iter_mut().zip(&means).try_for_each(|(to, sum)| set(to, sum)).during("averaging statistics")
    }

    /// What every rank has to say, rank after rank, in pairs of numbers that are not negative.
    pub(crate) fn tell(&self, pairs: Vec<[i64; 2]>) -> Result<Vec<[i64; 2]>, TrainError> {
        let Some(group) = &self.group else { return Ok(pairs) };
        let [all] = self.total([pairs.len() as f64])?;
        let mut numbers = pairs.concat();
        numbers.resize(2 * all as usize, -1);
        if numbers.is_empty() {
            return Ok(pairs);
        }
        let told = group.all_gather(&Tensor::f_from_slice(&numbers).during("telling the ranks")?)?;
        let mut heard = Vec::new();
        for tensor in &told {
            tensor.f_copy_data(&mut numbers, tensor.numel()).during("hearing the ranks")?;
            heard.extend(numbers.chunks_exact(2).filter(|pair| pair[0] >= 0).map(|pair| [pair[0], pair[1]]));
        }
        Ok(heard)
    }
}

/// A contiguous tensor of host memory: the same one where it is one.
fn at_home(tensor: &Tensor) -> Result<Tensor, TchError> {
    tensor.f_to_device(Device::Cpu)?.f_contiguous()
}

/// Runs of tensors that come to a bucket each.
fn buckets(tensors: &[Tensor]) -> Vec<std::ops::Range<usize>> {
    let (mut buckets, mut start, mut numbers) = (Vec::new(), 0, 0);
    for (index, tensor) in tensors.iter().enumerate() {
        numbers += tensor.numel();
        if numbers >= BUCKET || index + 1 == tensors.len() {
            buckets.push(start..index + 1);
            (start, numbers) = (index + 1, 0);
        }
    }
    buckets
}

fn flat(tensors: &[Tensor]) -> Result<Tensor, TchError> {
    let parts = tensors.iter().map(|tensor| at_home(tensor)?.f_flatten(0, -1));
    Tensor::f_cat(&parts.collect::<Result<Vec<_>, _>>()?, 0)
}

/// The opposite of [`flat`]: on a CPU the tensors are views of it.
fn spread(flat: &Tensor, tensors: &mut [Tensor]) -> Result<(), TchError> {
    let mut start = 0;
    for tensor in tensors {
        let length = tensor.numel() as i64;
        let part = flat.f_narrow(0, start, length)?.f_reshape(tensor.size())?;
        *tensor = part.f_to_device(tensor.device())?;
        start += length;
    }
    Ok(())
}
