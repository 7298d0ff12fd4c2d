//! Forward and backward: from a batch to the gradients of its loss.

use std::ops::Range;

use tch::{TchError, Tensor};

use crate::error::While;
use crate::loss::Targets;
use crate::{Clip, TrainError};

/// What a batch, or some parts of one, has to teach, after forward and backward. Nothing has been read back from the device yet.
pub(crate) struct Gradients {
    /// Of each trained tensor. No two share memory, for no two tensors of a model are added to each other.
    pub(crate) tensors: Vec<Tensor>,
    loss: Tensor,
    /// The likeliest class of each row, beside what it should be.
    guesses: Vec<(Targets, Tensor)>,
}

/// What the model said of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    pub(crate) loss: f64,
    /// Labelled rows, and how many of them the model took for what they are.
    pub(crate) labelled: u32,
    pub(crate) labelled_correct: u32,
}

/// Gradients of the loss of a batch with regard to `trained`. The rows go through the model, of which `logits` says what it makes
/// of some of them, in so many parts, one after the other, so that only one part's activations are in memory; batch norms see each part
/// alone.
pub(crate) fn gradients(
    trained: &[Tensor],
    targets: &Targets,
    parts: usize,
    mut logits: impl FnMut(Range<usize>) -> Result<Tensor, TchError>,
) -> Result<Gradients, TrainError> {
    let mut sum: Option<Gradients> = None;
    for rows in split(targets.rows(), parts) {
        let part = targets.part(&rows).during("preparing targets")?;
        let part = Gradients::of(trained, part, &logits(rows).during("running the model")?)?;
        match &mut sum {
            Some(sum) => sum.add(part).during("adding gradients")?,
            None => sum = Some(part),
        }
    }
    sum.map_or_else(|| Gradients::none(trained).during("making gradients"), Ok)
}

/// What is made of the rows in so many parts, one after the other, joined again.
pub(crate) fn in_parts(
    rows: usize,
    parts: usize,
    make: impl FnMut(Range<usize>) -> Result<Tensor, TchError>,
) -> Result<Tensor, TchError> {
    Tensor::f_cat(&split(rows, parts).map(make).collect::<Result<Vec<_>, _>>()?, 0)
}

/// Into how many parts rows are split, where so many are wanted: none is empty, nor a single row where there are more, for a batch norm over
/// one place has no variance.
pub(crate) fn parts_of(rows: usize, wanted: u32) -> usize {
    if rows == 0 { 0 } else { (wanted as usize).clamp(1, (rows / 2).max(1)) }
}

/// So many runs of rows, which differ by at most one in length.
fn split(rows: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let end = move |part: usize| (rows as u128 * part as u128 / parts as u128) as usize;
    (0..parts).map(move |part| end(part)..end(part + 1))
}

impl Gradients {
    /// What a batch without rows has to teach: other ranks may have some.
    fn none(trained: &[Tensor]) -> Result<Gradients, TchError> {
        let tensors = trained.iter().map(|tensor| tensor.detach().f_zeros_like()).collect::<Result<_, _>>()?;
        Ok(Gradients { tensors, loss: Tensor::f_zeros([], (tch::Kind::Float, tch::Device::Cpu))?, guesses: Vec::new() })
    }

    fn of(trained: &[Tensor], targets: Targets, logits: &Tensor) -> Result<Gradients, TrainError> {
        let loss = targets.loss(logits).during("computing the loss")?;
        let tensors = Tensor::f_run_backward(&[&loss], trained, false, false).during("computing gradients")?;
        let likeliest = logits.detach().f_argmax(1, false).during("reading predictions")?;
        Ok(Gradients { tensors, loss: loss.detach(), guesses: vec![(targets, likeliest)] })
    }

    fn add(&mut self, next: Gradients) -> Result<(), TchError> {
        for (sum, gradient) in self.tensors.iter_mut().zip(&next.tensors) {
            let _sum = sum.f_add_(gradient)?;
        }
        let _sum = self.loss.f_add_(&next.loss)?;
        self.guesses.extend(next.guesses);
        Ok(())
    }

    /// Waits for the device and reads back what the model said.
    pub(crate) fn score(&self) -> Result<Score, TchError> {
        let mut score = Score { loss: self.loss.f_double_value(&[])?, labelled: 0, labelled_correct: 0 };
        for (targets, likeliest) in &self.guesses {
            let mut classes = vec![0; likeliest.numel()];
            likeliest.f_copy_data(&mut classes, likeliest.numel())?;
            let (labelled, right) = targets.score(&classes);
            score.labelled += labelled;
            score.labelled_correct += right;
        }
        Ok(score)
    }
}

/// Makes gradients smaller in place. By norm as `torch.nn.utils.clip_grad_norm_`: times `min(1, most / (norm + 1e-6))`, with the
/// L2 norm of all of them together; on the device, without waiting for it.
pub(crate) fn clip(gradients: &mut [Tensor], how: Clip) -> Result<(), TchError> {
    let _no_grad = tch::no_grad_guard();
    match how {
        Clip::Norm(most) => {
            let norms = gradients.iter().map(Tensor::f_norm).collect::<Result<Vec<_>, _>>()?;
            if norms.is_empty() {
                return Ok(());
            }
            let below = Tensor::f_stack(&norms, 0)?.f_norm()?.f_add_scalar(1e-6)?;
            let factor = below.f_reciprocal()?.f_mul_scalar(most)?.f_clamp_max(1.0)?;
            gradients.iter_mut().try_for_each(|gradient| gradient.f_mul_(&factor).map(drop))
        }
        Clip::Value(most) => gradients.iter_mut().try_for_each(|gradient| gradient.f_clamp_(-most, most).map(drop)),
    }
}

#[cfg(test)]
mod tests;
