//! Weights of any program: safetensors, and what `torch.save` writes.
//!
//! A checkpoint of PyTorch is a pickle, that is, a program. It is never run: `pytorch-reader` understands the few calls
//! that rebuild tensors, and keeps everything else as a name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use pytorch_reader::{DType, PytorchReader};
use tch::{Kind, Tensor};

use super::{decoded, unread};
use crate::TrainError;
use crate::error::While;

/// What programs put before the names of a model's tensors: the key under which a checkpoint keeps the state dict, and what
/// wraps the model when it trains on several devices.
const WRAPPERS: [&str; 4] = ["state_dict.", "model_state_dict.", "model.", "module."];

/// A tensor of a file.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Read already.
    Here(Tensor),
    /// To be read when it is known to fit: a checkpoint may claim tensors that are far larger than the file.
    There(pytorch_reader::Tensor),
}

impl Entry {
    /// Its sizes.
    pub(crate) fn shape(&self) -> Vec<i64> {
        match self {
            Entry::Here(tensor) => tensor.size(),
            Entry::There(tensor) => {
                tensor.shape().iter().map(|side| i64::try_from(*side).unwrap_or(i64::MAX)).collect()
            }
        }
    }

    /// Its values on the CPU, as F32 or I64.
    pub(crate) fn tensor(&self, path: &Path) -> Result<Tensor, TrainError> {
        match self {
            Entry::Here(tensor) => Ok(tensor.shallow_clone()),
            Entry::There(tensor) => {
                let unusable = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
                let kind = kind_of(tensor.dtype())
                    .ok_or_else(|| unusable(unread(&tensor.name, &format!("{:?}", tensor.dtype()))))?;
                let bytes = tensor.read().map_err(|error| unusable(error.to_string()))?;
                decoded(&bytes, &self.shape(), kind).during("reading a checkpoint")
            }
        }
    }
}

fn kind_of(dtype: DType) -> Option<Kind> {
    match dtype {
        DType::F32 => Some(Kind::Float),
        DType::F16 => Some(Kind::Half),
        DType::BF16 => Some(Kind::BFloat16),
        DType::I64 => Some(Kind::Int64),
        _ => None,
    }
}

/// The tensors of a safetensors file or a checkpoint of PyTorch, by the names that the model gave them.
pub(crate) fn open(path: &Path) -> Result<BTreeMap<String, Entry>, TrainError> {
    let tensors: BTreeMap<String, Entry> = if is_safetensors(path)? {
        let (_, tensors) = super::read(path, tch::Device::Cpu)?;
        tensors.into_iter().map(|(name, tensor)| (name, Entry::Here(tensor))).collect()
    } else {
        let reader = PytorchReader::new(path).map_err(|error| TrainError::Weights {
            path: path.to_owned(),
            reason: format!(
                "it is neither a safetensors file nor a state dict of PyTorch that can be read without running it \
                 ({error}); write one with `torch.save(model.state_dict(), FILE)`"
            ),
        })?;
        reader.into_tensors().into_iter().map(|(name, tensor)| (name, Entry::There(tensor))).collect()
    };
    Ok(unwrapped(tensors))
}

/// A safetensors file is the length of its header, 8 bytes, and a header in JSON.
fn is_safetensors(path: &Path) -> Result<bool, TrainError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    read.map_err(|error| TrainError::File { doing: "read", path: path.to_owned(), source: error.into() })?;
    Ok(start.get(8) == Some(&b'{'))
}

/// Leaves out what a checkpoint has beside the weights of the model, and what it puts before their names.
fn unwrapped(mut tensors: BTreeMap<String, Entry>) -> BTreeMap<String, Entry> {
    let wrapper = |tensors: &BTreeMap<String, Entry>| {
        WRAPPERS.into_iter().find(|wrapper| tensors.keys().any(|name| name.starts_with(wrapper)))
    };
    while let Some(wrapper) = wrapper(&tensors) {
        let inner =
            tensors.into_iter().filter_map(|(name, entry)| Some((name.strip_prefix(wrapper)?.to_owned(), entry)));
        tensors = inner.collect();
    }
    tensors
}

#[cfg(test)]
mod tests;
