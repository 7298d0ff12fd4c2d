//! The state of a round in the middle of its training, so that it can go on later as if nothing had happened.
//!
//! Random numbers are a function of seed, round and step, and the learning rate one of the step: so all there is to keep
//! are the weights, their averages, what the optimizer remembers, and what the round knows of its unlabelled images.

use std::collections::BTreeMap;
use std::path::Path;

use tch::Tensor;

use crate::TrainError;
use crate::consistency::Consistency;
use crate::ema::Ema;
use crate::error::While;
use crate::model::{Net, Params};
use crate::optim::Optimizer;
use crate::weights;

/// Copies, in the machine's memory, of all tensors that the rest of a round depends on. Training may go on while they are written.
#[derive(Debug)]
pub struct Snapshot {
    tensors: Vec<(String, Tensor)>,
}

/// How many updates the averaged weights have had.
const UPDATES: &str = "ema_updates";
/// What the names of the optimizer's tensors begin with.
const OPTIMIZER: &str = "optimizer.";

impl Snapshot {
    pub(crate) fn take(
        net: &Net,
        ema: Option<&Ema>,
        optimizer: &dyn Optimizer,
        consistency: Option<&Consistency>,
    ) -> Result<Snapshot, TrainError> {
        let copy = |(name, tensor): (String, Tensor)| {
            Ok((name, tensor.f_to_device_(tch::Device::Cpu, tensor.kind(), false, true).during("copying the state")?))
        };
        let remembered = optimizer.state().into_iter().map(|(name, tensor)| (format!("{OPTIMIZER}{name}"), tensor));
        let learnt = consistency.map(Consistency::state).transpose().during("copying the state")?.flatten();
        let all = live(net, ema).into_iter().chain(remembered).chain(learnt);
        let mut tensors: Vec<_> = all.map(copy).collect::<Result<_, TrainError>>()?;
        if let Some(ema) = ema {
            tensors.push((UPDATES.to_owned(), Tensor::from(i64::from(ema.updates()))));
        }
        Ok(Snapshot { tensors })
    }

    /// Writes a safetensors file, whole or not at all. `note` is for the caller: [`read_note`] gives it back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path, note: &str) -> Result<(), TrainError> {
        let tensors = || self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        let digest = weights::digest_of(tensors()).during("hashing the state")?;
        weights::write(path, tensors(), format!("{}{note}", digest.to_hex())).map(drop)
    }
}

/// The note in the file of a snapshot, whose tensors are what they were when it was written.
///
/// # Errors
/// The file cannot be read, is damaged, or has no note.
pub fn read_note(path: &Path) -> Result<String, TrainError> {
    let unusable = |reason: &str| TrainError::Weights { path: path.to_owned(), reason: reason.to_owned() };
    let (entry, digest) = weights::read_entry(path)?;
    let entry = entry.ok_or_else(|| unusable("it is no checkpoint of a Millstream run"))?;
    match entry.strip_prefix(digest.to_hex().as_str()) {
        Some(note) => Ok(note.to_owned()),
        None => Err(unusable("its tensors are not those that were written: the file is damaged")),
    }
}

/// Gives a network that has just begun, its averages, its optimizer and its unlabelled images what the file holds.
pub(crate) fn restore(
    path: &Path,
    net: &Net,
    ema: Option<&mut Ema>,
    optimizer: &mut dyn Optimizer,
    consistency: Option<&mut Consistency>,
) -> Result<(), TrainError> {
    let unusable = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    let (_, given) = weights::read(path, tch::Device::Cpu)?;
    let (remembered, mut given): (BTreeMap<_, _>, BTreeMap<_, _>) =
        given.into_iter().partition(|(name, _)| name.starts_with(OPTIMIZER));
    let updates = given.remove(UPDATES);
    for (name, mut tensor) in live(net, ema.as_deref()) {
        let kept = given.remove(&name).ok_or_else(|| unusable(format!("the tensor `{name}` is missing")))?;
        if (kept.size(), kept.kind()) != (tensor.size(), tensor.kind()) {
            return Err(unusable(format!("the tensor `{name}` is not as the model needs it")));
        }
        tensor.f_copy_(&kept).during("restoring the state")?;
    }
    if let (Some(ema), Some(updates)) = (ema, updates) {
        let updates = updates.f_int64_value(&[]).during("restoring the state")?;
        ema.restore(u32::try_from(updates).map_err(|_| unusable(format!("{updates} updates of the averages")))?);
    }
    let mut remembered =
        remembered.into_iter().map(|(name, tensor)| (name[OPTIMIZER.len()..].to_owned(), tensor)).collect();
    optimizer.restore(&mut remembered)?;
    if let Some(consistency) = consistency {
        consistency.restore(&mut given)?;
    }
    match given.keys().chain(remembered.keys()).next() {
        Some(name) => Err(unusable(format!("nothing in this round has a tensor `{name}`"))),
        None => Ok(()),
    }
}

/// The weights and their averages themselves, each under a name that says whose it is.
fn live(net: &Net, ema: Option<&Ema>) -> Vec<(String, Tensor)> {
    let of = |whose: &'static str, params: &Params| -> Vec<(String, Tensor)> {
        params.entries().iter().map(|param| (format!("{whose}.{}", param.name), param.tensor.detach())).collect()
    };
    let mut tensors = of("model", &net.params);
    tensors.extend(ema.iter().flat_map(|ema| of("ema", &ema.net.params)));
    tensors
}
