//! Learning rates that differ from tensor to tensor.

use super::pattern;
use crate::TrainError;
use crate::config::require;
use crate::model::Params;

/// By what the learning rate is multiplied.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rates {
    /// 1 everywhere.
    #[default]
    Equal,
    /// Less with each layer below the head, as timm's layer-wise decay: `max(min, decay^(L - i))` for layer `i`, where 0 is
    /// the stem, each block is a layer, and the head is layer `L`.
    LayerDecay {
        /// In `(0, 1]`.
        decay: f64,
        /// In `[0, 1]`.
        min: f64,
    },
    /// That of the first group whose pattern is of the tensor's name, else 1.
    Groups(Vec<RateGroup>),
}

/// Tensors that train at a rate of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct RateGroup {
    /// Their names; `*` stands for any characters. It must be of some tensor.
    pub pattern: String,
    /// By what their learning rate is multiplied, above 0 and at most 1000.
    pub rate: f64,
}

impl Rates {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        match self {
            Rates::Equal => Ok(()),
            Rates::LayerDecay { decay, min } => {
                require(*decay > 0.0 && *decay <= 1.0, "layer_decay", decay, "it lies above 0 and up to 1")?;
                require((0.0..=1.0).contains(min), "layer_decay.min", min, "it lies in [0, 1]")
            }
            Rates::Groups(groups) => groups.iter().try_for_each(|group| {
                let rate = group.rate;
                require(rate > 0.0 && rate <= 1000.0, "groups.rate", rate, "it lies above 0 and up to 1000")
            }),
        }
    }

    pub(super) fn apply(&self, params: &mut Params) -> Result<(), TrainError> {
        match self {
            Rates::Equal => return Ok(()),
            Rates::LayerDecay { decay, min } => {
                let head = params.head();
                for param in params.entries_mut() {
                    param.rate = min.max(decay.powi(i32::try_from(head - param.layer).unwrap_or(i32::MAX)));
                }
            }
            Rates::Groups(groups) => {
                groups.iter().try_for_each(|group| pattern::require(&group.pattern, "transfer.rates", params))?;
                for param in params.entries_mut() {
                    let group = groups.iter().find(|group| pattern::matches(&group.pattern, &param.name));
                    param.rate = group.map_or(1.0, |group| group.rate);
                }
            }
        }
        tracing::info!("learning rates, as shares of the schedule's:\n{}", table(params));
        Ok(())
    }
}

/// One line for each run of tensors with one rate.
pub(super) fn table(params: &Params) -> String {
    let trained: Vec<_> = params.trained().collect();
    let line = |run: &[&crate::model::Param]| {
        let [first, .., last] = run else {
            return run.first().map(|only| format!("  {:<10.5} {}", only.rate, only.name)).unwrap_or_default();
        };
        format!("  {:<10.5} {} to {} ({} tensors)", first.rate, first.name, last.name, run.len())
    };
    let lines: Vec<String> = trained.chunk_by(|one, next| one.rate == next.rate).map(line).collect();
    lines.join("\n")
}
