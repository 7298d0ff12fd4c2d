//! Model files: safetensors with what is needed to use the model.
//!
//! The tensors carry the model's own names. One metadata entry, `millstream`, holds a [`Card`] as JSON: the format keeps
//! its entries in no order, so a second one would make the bytes differ from run to run.

mod foreign;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use millstream_data::{Shape, write_atomically};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

use crate::error::While;
use crate::model::Params;
use crate::{Device, ModelKind, Precision, SessionConfig, TrainError};

pub(crate) use foreign::{Entry, open};

/// The metadata entry.
const ENTRY: &str = "millstream";
/// The version of [`Card`] that this code writes and reads.
const FORMAT: u32 = 1;

/// What one must know about a model to use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    format: u32,
    pub(crate) model: ModelKind,
    pub(crate) classes: Vec<String>,
    pub(crate) shape: Shape,
    pub(crate) mean: Vec<f32>,
    pub(crate) std: Vec<f32>,
    /// Files of older builds do not say.
    #[serde(default)]
    pub(crate) precision: Precision,
}

impl Card {
    /// Of a model that was trained in that session.
    pub(crate) fn new(model: ModelKind, session: SessionConfig) -> Card {
        let SessionConfig { classes, shape, mean, std, precision, .. } = session;
        Card { format: FORMAT, model, classes, shape, mean, std, precision }
    }

    /// The model, and a session that it fits: with seed 0 and one thread.
    pub(crate) fn into_parts(self, device: Device) -> Result<(ModelKind, SessionConfig), TrainError> {
        let Card { model, classes, shape, mean, std, precision, .. } = self;
        let config =
            SessionConfig { seed: 0, classes, shape, mean, std, device, precision, deterministic: false, threads: 1 };
        config.check()?;
        Ok((model, config))
    }
}

/// Writes the file and returns the blake3 hash of its bytes. Equal weights and cards give equal bytes.
pub(crate) fn save(path: &Path, params: &Params, card: &Card) -> Result<[u8; 32], TrainError> {
    keep(path, &packed(params, card).map_err(|reason| write_error(path, reason))?)
}

/// The hash that [`save`] would return.
#[cfg(test)]
pub(crate) fn hash(params: &Params, card: &Card) -> Result<[u8; 32], TrainError> {
    let bytes = packed(params, card).map_err(|reason| write_error(Path::new("the model"), reason))?;
    Ok(*blake3::hash(&bytes).as_bytes())
}

/// The bytes of a model file.
fn packed(params: &Params, card: &Card) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let tensors = params.entries().iter().map(|param| (param.name.as_str(), &param.tensor));
    pack(tensors, serde_json::to_string(card)?)
}

/// Writes tensors with one metadata entry, whole or not at all, and returns the blake3 hash of the file's bytes.
pub(crate) fn write<'a>(
    path: &Path,
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
    entry: String,
) -> Result<[u8; 32], TrainError> {
    keep(path, &pack(tensors, entry).map_err(|reason| write_error(path, reason))?)
}

/// Writes a file whole or not at all, and returns the blake3 hash of its bytes.
fn keep(path: &Path, bytes: &[u8]) -> Result<[u8; 32], TrainError> {
    write_atomically(path, |file| file.write_all(bytes)).map_err(|error| write_error(path, error.into()))?;
    Ok(*blake3::hash(bytes).as_bytes())
}

fn write_error(path: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> TrainError {
    TrainError::File { doing: "write", path: path.to_owned(), source }
}

/// A safetensors file of float and whole-number tensors, with one metadata entry.
fn pack<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
    entry: String,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut parts = Vec::new();
    for (name, tensor) in tensors {
        let shape: Vec<usize> = tensor.size().iter().map(|side| usize::try_from(*side)).collect::<Result<_, _>>()?;
        let dtype = if tensor.kind() == Kind::Int64 { Dtype::I64 } else { Dtype::F32 };
        parts.push((name, dtype, shape, bytes_of(tensor)?));
    }
    let mut views = Vec::with_capacity(parts.len());
    for (name, dtype, shape, bytes) in &parts {
        views.push((*name, TensorView::new(*dtype, shape.clone(), bytes)?));
    }
    Ok(safetensors::serialize(views, Some(HashMap::from([(ENTRY.to_owned(), entry)])))?)
}

/// The values in PyTorch's order. Every machine that libtorch is built for is little-endian, as the format is.
fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>, TchError> {
    let tensor = tensor.detach().f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let count = tensor.numel();
    let mut bytes = vec![0; count * tensor.kind().elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, count)?;
    Ok(bytes)
}

/// Reads a file that [`save`] wrote: its card, and its tensors on `device`.
pub(crate) fn load(path: &Path, device: tch::Device) -> Result<(Card, BTreeMap<String, Tensor>), TrainError> {
    let (metadata, tensors) = read(path, device)?;
    let unusable = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    Ok((card(metadata.as_ref()).map_err(unusable)?, tensors))
}

/// What a safetensors file says of itself.
type Metadata = Option<HashMap<String, String>>;

/// Reads a safetensors file of any program. Floats of 16 bits become F32.
pub(crate) fn read(path: &Path, device: tch::Device) -> Result<(Metadata, BTreeMap<String, Tensor>), TrainError> {
    let bytes = bytes_of_file(path)?;
    let (metadata, file) = whole(path, &bytes)?;
    let unusable = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let kind = kind_of(view.dtype()).ok_or_else(|| unusable(unread(name, &format!("{:?}", view.dtype()))))?;
        tensors.insert(name.to_owned(), tensor_of(&view, kind, device).during("reading a model file")?);
    }
    Ok((metadata, tensors))
}

/// The metadata entry of a file that is whole, if it has one, and the digest of its tensors.
pub(crate) fn read_entry(path: &Path) -> Result<(Option<String>, blake3::Hash), TrainError> {
    let bytes = bytes_of_file(path)?;
    let (metadata, file) = whole(path, &bytes)?;
    let digest = digest(file.iter().map(|(name, view)| (name, blake3::hash(view.data()))).collect());
    Ok((metadata.and_then(|mut entries| entries.remove(ENTRY)), digest))
}

/// The digest of tensors as [`write`] writes them.
pub(crate) fn digest_of<'a>(tensors: impl Iterator<Item = (&'a str, &'a Tensor)>) -> Result<blake3::Hash, TchError> {
    let hash = |(name, tensor)| Ok((name, blake3::hash(&bytes_of(tensor)?)));
    Ok(digest(tensors.map(hash).collect::<Result<_, TchError>>()?))
}

/// One hash of many, whatever order they come in.
fn digest(mut hashes: Vec<(&str, blake3::Hash)>) -> blake3::Hash {
    hashes.sort_unstable_by_key(|(name, _)| *name);
    let mut hasher = blake3::Hasher::new();
    for (name, hash) in hashes {
        hasher.update(blake3::hash(name.as_bytes()).as_bytes()).update(hash.as_bytes());
    }
    hasher.finalize()
}

fn bytes_of_file(path: &Path) -> Result<Vec<u8>, TrainError> {
    let unread =
        |error: std::io::Error| TrainError::File { doing: "read", path: path.to_owned(), source: error.into() };
    std::fs::read(path).map_err(unread)
}

/// What a safetensors file says of itself, and its tensors, which lie in `bytes`.
fn whole<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Metadata, SafeTensors<'a>), TrainError> {
    let damaged = |error| TrainError::Weights {
        path: path.to_owned(),
        reason: format!("it is not a safetensors file, or is damaged ({error})"),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    Ok((header.metadata().clone(), SafeTensors::deserialize(bytes).map_err(damaged)?))
}

fn card(metadata: Option<&HashMap<String, String>>) -> Result<Card, String> {
    let Some(text) = metadata.and_then(|entries| entries.get(ENTRY)) else {
        return Err("its metadata has no entry `millstream`: it was written by another program, and the classes and \
                    the preparation of images are not known; give a model file of a Millstream run"
            .to_owned());
    };
    let card: Card =
        serde_json::from_str(text).map_err(|error| format!("its entry `millstream` cannot be understood ({error})"))?;
    if card.format != FORMAT {
        return Err(format!("it has format {}, this program reads format {FORMAT}", card.format));
    }
    Ok(card)
}

/// The kinds of numbers that models are made of, and what they are kept as while they are read.
fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::I64 => Some(Kind::Int64),
        _ => None,
    }
}

fn unread(name: &str, kind: &str) -> String {
    format!("the tensor `{name}` is of type {kind}, only F32, F16, BF16 and I64 are read")
}

/// safetensors has checked that the bytes are as many as the shape needs.
fn tensor_of(view: &TensorView<'_>, kind: Kind, device: tch::Device) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = view.shape().iter().map(|side| i64::try_from(*side).unwrap_or(i64::MAX)).collect();
    decoded(view.data(), &shape, kind)?.f_to_device(device)
}

/// A tensor of little-endian numbers, as F32 or I64.
fn decoded(bytes: &[u8], shape: &[i64], kind: Kind) -> Result<Tensor, TchError> {
    let size = i64::try_from(kind.elt_size_in_bytes()).unwrap_or(i64::MAX);
    let needed = shape.iter().try_fold(size, |product, side| product.checked_mul(*side));
    // libtorch copies as many bytes as the shape says.
    if needed.and_then(|needed| usize::try_from(needed).ok()) != Some(bytes.len()) {
        return Err(TchError::Torch(format!("{} bytes are not of the shape {shape:?}", bytes.len())));
    }
    let tensor = Tensor::f_from_data_size(bytes, shape, kind)?;
    if kind == Kind::Int64 { Ok(tensor) } else { tensor.f_to_kind(Kind::Float) }
}

#[cfg(test)]
mod tests;
