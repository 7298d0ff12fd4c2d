//! The named tensors of a model, in the order in which it was built.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::TrainError;
use crate::error::While;
use crate::random::Seeded;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Trained, with weight decay.
    Weight,
    /// Trained, without weight decay: biases and norms.
    Offset,
    /// Not trained: running statistics.
    Buffer,
}

/// First value of a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    /// Uniform between minus and plus this bound.
    Uniform(f64),
    Zeros,
    Ones,
}

/// Where the tensors of a new model come from.
pub(crate) enum Origin<'a> {
    /// Their [`Init`], drawn on the CPU so that every device starts from the same bits.
    Fresh(tch::Device, &'a Seeded),
    /// Tensors of another model or a file, by name; shapes must match and none may be missing or left over.
    Given(BTreeMap<String, Tensor>),
}

/// One named tensor.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tensor: Tensor,
}

/// What a model's layers ask for their tensors.
pub(crate) struct Builder<'a> {
    origin: Origin<'a>,
    entries: Vec<Param>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(origin: Origin<'a>) -> Builder<'a> {
        Builder { origin, entries: Vec::new() }
    }

    /// Makes the tensor `name`, or takes it from the origin. The result shares its memory with the one kept here.
    pub(crate) fn add(&mut self, name: String, shape: &[i64], role: Role, init: Init) -> Result<Tensor, TrainError> {
        let tensor = match &mut self.origin {
            Origin::Fresh(device, seeded) => fresh(shape, init, *device, seeded).during("making a parameter")?,
            Origin::Given(tensors) => given(tensors, &name, shape)?,
        };
        // Weights of convolutions lie in memory as the images do: channels last, which runs about a third faster.
        let tensor = channels_last(&tensor).during("laying out a parameter")?;
        let tensor = tensor.f_set_requires_grad(role != Role::Buffer).during("making a parameter")?;
        let shared = tensor.shallow_clone();
        self.entries.push(Param { name, role, tensor });
        Ok(shared)
    }

    /// The tensors, once all layers have theirs.
    pub(crate) fn finish(self) -> Result<Params, TrainError> {
        match &self.origin {
            Origin::Given(tensors) if !tensors.is_empty() => {
                let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
                Err(TrainError::Tensors(format!("the model has no tensor `{}`", names.join("`, `"))))
            }
            _ => Ok(Params { entries: self.entries }),
        }
    }
}

/// The named tensors of a model.
pub(crate) struct Params {
    entries: Vec<Param>,
}

impl Params {
    /// All tensors, in order of construction.
    pub(crate) fn entries(&self) -> &[Param] {
        &self.entries
    }

    /// The tensors that gradients are taken of, in order of construction.
    pub(crate) fn trained(&self) -> impl Iterator<Item = &Param> {
        self.entries.iter().filter(|param| param.role != Role::Buffer)
    }

    /// Deep copies of all tensors, by name.
    pub(crate) fn copies(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let copy =
            |param: &Param| Ok((param.name.clone(), param.tensor.detach().f_detach_copy().during("copying weights")?));
        self.entries.iter().map(copy).collect()
    }
}

fn fresh(shape: &[i64], init: Init, device: tch::Device, seeded: &Seeded) -> Result<Tensor, tch::TchError> {
    let options = (Kind::Float, tch::Device::Cpu);
    let tensor = match init {
        Init::Uniform(bound) => seeded.uniform(shape, bound)?,
        Init::Zeros => Tensor::f_zeros(shape, options)?,
        Init::Ones => Tensor::f_ones(shape, options)?,
    };
    tensor.f_to_device(device)
}

fn given(tensors: &mut BTreeMap<String, Tensor>, name: &str, shape: &[i64]) -> Result<Tensor, TrainError> {
    let Some(tensor) = tensors.remove(name) else {
        return Err(TrainError::Tensors(format!("the tensor `{name}` is missing")));
    };
    let found = tensor.size();
    if found != shape {
        return Err(TrainError::Tensors(format!("the tensor `{name}` has shape {found:?}, the model needs {shape:?}")));
    }
    Ok(tensor)
}

fn channels_last(tensor: &Tensor) -> Result<Tensor, tch::TchError> {
    if tensor.dim() != 4 {
        return Ok(tensor.shallow_clone());
    }
    tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}
