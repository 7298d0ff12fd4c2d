//! Weights that a round starts from, and what became of each tensor.

use std::fmt;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use super::some;
use crate::TrainError;
use crate::error::While;
use crate::model::{Param, Params, Role};
use crate::weights::{self, Entry};

/// What a file of weights had for a model. What counts the batches of a norm is not spoken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The file.
    pub path: PathBuf,
    /// Tensors of the model whose values are now those of the file.
    pub loaded: Vec<String>,
    /// Tensors of the model that the file lacks: they keep their first values.
    pub missing: Vec<String>,
    /// Tensors of the file that the model lacks.
    pub unexpected: Vec<String>,
    /// Tensors that have another shape in the file, where that can be helped.
    pub reshaped: Vec<Reshaped>,
}

/// A tensor that has another shape in the file than in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshaped {
    /// Its name.
    pub name: String,
    /// Its shape in the file.
    pub given: Vec<i64>,
    /// Its shape in the model.
    pub needed: Vec<i64>,
    /// What was done about it.
    pub change: Change,
}

/// What was done about another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The last layer is for another number of classes: it keeps its first values.
    Fresh,
    /// The first convolution was made for colour and the images are gray: it was summed over its three channels, which is
    /// the same as showing it the gray image three times.
    Summed,
}

/// Gives the model the weights of a file.
pub(crate) fn load(path: &Path, params: &Params) -> Result<Loaded, TrainError> {
    let _no_grad = tch::no_grad_guard();
    let unusable = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    let mut given = weights::open(path)?;
    let names: Vec<String> = given.keys().cloned().collect();
    let mut report = Loaded::of(path);
    for (index, param) in params.entries().iter().enumerate() {
        match given.remove(&param.name) {
            Some(entry) => {
                let change = change(params, index, &entry.shape()).map_err(unusable)?;
                take(param, &entry, change, path)?;
                report.note(param, &entry, change);
            }
            None if param.role == Role::Counter => {}
            None => report.missing.push(param.name.clone()),
        }
    }
    if report.loaded.is_empty() {
        let theirs = some(names.iter().map(String::as_str));
        let ours = some(report.missing.iter().map(String::as_str));
        return Err(unusable(format!("it has no tensor of the model: it has {theirs}; the model has {ours}")));
    }
    report.unexpected = given.into_keys().collect();
    Ok(report)
}

impl Loaded {
    fn of(path: &Path) -> Loaded {
        let [loaded, missing, unexpected] = [const { Vec::new() }; 3];
        Loaded { path: path.to_owned(), loaded, missing, unexpected, reshaped: Vec::new() }
    }

    /// Whether each tensor of the model and each of the file found its like.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.reshaped.is_empty()
    }

    fn note(&mut self, param: &Param, entry: &Entry, change: Option<Change>) {
        if let Some(change) = change {
            let (given, needed) = (entry.shape(), param.tensor.size());
            self.reshaped.push(Reshaped { name: param.name.clone(), given, needed, change });
        }
        if change != Some(Change::Fresh) && param.role != Role::Counter {
            self.loaded.push(param.name.clone());
        }
    }
}

/// What must be done to a tensor of that shape to be the one at `index`, or why it cannot be.
fn change(params: &Params, index: usize, given: &[i64]) -> Result<Option<Change>, String> {
    let Some(param) = params.entries().get(index) else {
        return Ok(None);
    };
    let needed = param.tensor.size();
    if given == needed {
        return Ok(None);
    }
    // Weight and bias of the last layer come last.
    let last = index + 2 >= params.entries().len() && given.len() == needed.len() && given.get(1..) == needed.get(1..);
    let gray_of = |given: &[i64]| matches!(given, [to, 3, height, width] if needed == [*to, 1, *height, *width]);
    let colour = index == 0 && gray_of(given);
    match (last, colour) {
        (true, _) => Ok(Some(Change::Fresh)),
        (_, true) => Ok(Some(Change::Summed)),
        _ => Err(format!(
            "its tensor `{}` has shape {given:?}, the model needs {needed:?}: these are the weights of another model, or \
             of one with other settings",
            param.name
        )),
    }
}

fn take(param: &Param, entry: &Entry, change: Option<Change>, path: &Path) -> Result<(), TrainError> {
    if change == Some(Change::Fresh) {
        return Ok(());
    }
    let given = entry.tensor(path)?;
    let needed = if param.role == Role::Counter { Kind::Int64 } else { Kind::Float };
    if given.kind() != needed {
        let (name, kind) = (&param.name, given.kind());
        let reason = format!("its tensor `{name}` is of type {kind:?}, the model needs {needed:?}");
        return Err(TrainError::Weights { path: path.to_owned(), reason });
    }
    copy(param, &given, change).during("taking over weights")
}

fn copy(param: &Param, given: &Tensor, change: Option<Change>) -> Result<(), tch::TchError> {
    let mut ours = param.tensor.detach();
    match change {
        Some(Change::Summed) => ours.f_copy_(&given.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Float)?),
        _ => ours.f_copy_(given),
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &[String]| some(names.iter().map(String::as_str));
        write!(f, "weights of {}: {} tensors loaded", self.path.display(), self.loaded.len())?;
        if !self.missing.is_empty() {
            write!(f, "\n  missing, so they start fresh: {}", names(&self.missing))?;
        }
        if !self.unexpected.is_empty() {
            write!(f, "\n  unexpected, so they are left out: {}", names(&self.unexpected))?;
        }
        for Reshaped { name, given, needed, change } in &self.reshaped {
            match change {
                Change::Fresh => write!(f, "\n  other classes, so it starts fresh: `{name}` {given:?} as {needed:?}")?,
                Change::Summed => {
                    write!(f, "\n  colour, so it is summed over channels: `{name}` {given:?} to {needed:?}")?
                }
            }
        }
        Ok(())
    }
}
