//! Layer-wise rates, for LARS and LAMB.

use tch::{TchError, Tensor};

/// The ratio, or 1 where one of the norms that it was made of is 0. All of it stays on the device.
pub(super) fn ratio(ratio: &Tensor, weight: &Tensor, update: &Tensor) -> Result<Tensor, TchError> {
    let both = weight.f_gt(0.0)?.f_logical_and(&update.f_gt(0.0)?)?;
    ratio.f_where_scalarother(&both, 1.0)
}
