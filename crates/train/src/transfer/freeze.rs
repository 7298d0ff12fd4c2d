//! Tensors that stay as they are.

use super::pattern;
use crate::TrainError;
use crate::model::{Param, Params};

/// What of a model stays as it is: no gradient, no update, no weight decay. A batch norm whose weight is frozen normalises
/// with its running statistics, which stay as they are as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Freeze {
    /// Nothing: all of it trains.
    #[default]
    Nothing,
    /// Everything before the linear layers at the end.
    Body,
    /// The tensors whose names are of one of these patterns, in which `*` stands for any characters. Each must be of some
    /// tensor.
    Tensors(Vec<String>),
}

impl Freeze {
    pub(super) fn apply(&self, params: &mut Params) -> Result<(), TrainError> {
        let frozen = self.chosen(params)?;
        for (param, frozen) in params.entries_mut().iter_mut().zip(&frozen) {
            if *frozen {
                param.freeze()?;
            }
        }
        if params.trained().next().is_none() {
            return Err(TrainError::Setting {
                setting: "transfer.freeze",
                value: format!("{self:?}"),
                why: "it leaves nothing of the model to train",
            });
        }
        if frozen.contains(&true) {
            let (kept, all) = (frozen.iter().filter(|frozen| **frozen).count(), frozen.len());
            tracing::info!("{kept} of {all} tensors are frozen");
        }
        Ok(())
    }

    /// Whether each tensor stays.
    fn chosen(&self, params: &Params) -> Result<Vec<bool>, TrainError> {
        let head = params.head();
        let each = |stays: &dyn Fn(&Param) -> bool| params.entries().iter().map(stays).collect();
        Ok(match self {
            Freeze::Nothing => each(&|_| false),
            Freeze::Body => each(&|param| param.layer != head),
            Freeze::Tensors(patterns) => {
                patterns.iter().try_for_each(|pattern| pattern::require(pattern, "transfer.freeze", params))?;
                each(&|param| patterns.iter().any(|pattern| pattern::matches(pattern, &owner(param))))
            }
        })
    }
}

/// The name that decides on a tensor: its own, and for the statistics of a norm that of the norm's weight.
fn owner(param: &Param) -> String {
    match param.name.rsplit_once('.') {
        Some((layer, _)) if !param.role.trains() => format!("{layer}.weight"),
        _ => param.name.clone(),
    }
}
