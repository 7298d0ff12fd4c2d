//! Batch normalisation over the images of all ranks: PyTorch's `SyncBatchNorm`.

use std::ffi::{c_char, c_int, c_void};

use tch::Tensor;

use crate::ProcessGroup;
use crate::group::pointer;
use crate::shim::{C10Error, call};

/// What a batch norm has: float32 tensors of one number a channel, on the device of its images.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// What normalised values are multiplied by.
    pub weight: &'a Tensor,
    /// What is added to them then.
    pub bias: &'a Tensor,
    /// The running mean, which moves.
    pub mean: &'a Tensor,
    /// The running variance, which moves.
    pub variance: &'a Tensor,
    /// The share of this batch in the running statistics, in `[0, 1]`; with 0 they stay.
    pub momentum: f64,
    /// Added to the variance, above 0.
    pub epsilon: f64,
}

#[allow(unsafe_code, reason = "a function of our own C++, which catches every exception")]
unsafe extern "C" {
    fn millstream_batch_norm(
        group: *mut c_void,
        input: *const c_void,
        weight: *const c_void,
        bias: *const c_void,
        mean: *const c_void,
        variance: *const c_void,
        momentum: f64,
        epsilon: f64,
        output: *mut *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
}

impl ProcessGroup {
    /// Normalises `rows x channels x ...` values by the mean and variance of each channel over the values of all ranks:
    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias` (Ioffe and Szegedy 2015, algorithm 1). Ranks may have different
    /// numbers of rows, also none. Running statistics come out equal to the bit on all of them.
    ///
    /// The ranks add up three numbers a channel here, and two in the backward pass if `input` needs a gradient: all must do both, in the
    /// same order. The gradients of weight and bias are those of this rank's rows.
    ///
    /// # Errors
    /// There is but one value a channel, a rank is gone, or what libtorch says of the tensors. In the backward pass it is that which
    /// fails when a rank is gone.
    pub fn batch_norm(&self, input: &Tensor, norm: BatchNorm<'_>) -> Result<Tensor, C10Error> {
        let BatchNorm { weight, bias, mean, variance, momentum, epsilon } = norm;
        let [weight, bias, mean, variance] = [weight, bias, mean, variance].map(pointer);
        let (input, mut output) = (pointer(input), std::ptr::null_mut());
        // SAFETY: tensors of tch are pointers to libtorch's, which outlive the call, as the group does.
        #[allow(unsafe_code)]
        call("normalising over the training nodes", |error, room| unsafe {
            let output = &raw mut output;
            let group = self.handle();
            millstream_batch_norm(group, input, weight, bias, mean, variance, momentum, epsilon, output, error, room)
        })?;
        // SAFETY: the call left a tensor of libtorch there, which nobody else has.
        #[allow(unsafe_code)]
        Ok(unsafe { Tensor::from_ptr(output.cast()) })
    }
}

#[cfg(test)]
mod tests;
