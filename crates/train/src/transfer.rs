//! Transfer learning: weights to start from, tensors that stay as they are, and tensors that train more slowly.

mod features;
mod freeze;
mod pattern;
mod rates;
mod start;

pub use freeze::Freeze;
pub use rates::{RateGroup, Rates};
pub use start::{Change, Loaded, Reshaped};

pub(crate) use features::Features;
pub(crate) use start::load;

use crate::TrainError;
use crate::model::Params;

/// What of a model trains, and how fast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transfer {
    /// What stays as it is.
    pub freeze: Freeze,
    /// How fast the rest trains.
    pub rates: Rates,
}

impl Transfer {
    /// Checks every range.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        self.rates.check()
    }

    /// Sets the model up for it.
    pub(crate) fn apply(&self, params: &mut Params) -> Result<(), TrainError> {
        self.freeze.apply(params)?;
        self.rates.apply(params)
    }
}

/// Some of many names, for a line of text.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MOST: usize = 8;
    let left = names.len().saturating_sub(MOST);
    let shown: Vec<String> = names.take(MOST).map(|name| format!("`{name}`")).collect();
    match (shown.is_empty(), left) {
        (true, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        _ => format!("{} and {left} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
