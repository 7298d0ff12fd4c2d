//! The named tensors of a model, in the order in which it was built.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::TrainError;
use crate::error::While;
use crate::model::Dimensions;
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
    /// How many batches the running statistics have seen: one whole number, always on the CPU. PyTorch keeps it, so its
    /// state dicts have it; nothing is computed from it.
    Counter,
}

impl Role {
    pub(crate) fn trains(self) -> bool {
        matches!(self, Role::Weight | Role::Offset)
    }

    fn kind(self) -> Kind {
        if self == Role::Counter { Kind::Int64 } else { Kind::Float }
    }
}

/// First value of a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    /// Uniform between minus and plus this bound.
    Uniform(f64),
    /// Normal around 0 with this standard deviation.
    Normal(f64),
    /// This number everywhere.
    Constant(f64),
}

/// Where the tensors of a new model come from.
pub(crate) enum Origin<'a> {
    /// Their [`Init`], drawn on the CPU so that every device starts from the same bits.
    Fresh(tch::Device, &'a Seeded),
    /// Tensors of another model or a file, by name; shapes must match and none may be missing or left over.
    Given(BTreeMap<String, Tensor>),
    /// Nowhere: each is one zero under the shape of the tensor, and takes no memory. For what a model would weigh.
    Nowhere,
}

/// Sizes of what goes from one layer to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) channels: i64,
    pub(crate) height: i64,
    pub(crate) width: i64,
}

/// One named tensor.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tensor: Tensor,
    /// Its share of the learning rate.
    pub(crate) rate: f64,
    /// Whether it stays as it is, whatever it is for.
    pub(crate) frozen: bool,
    /// Which layer it belongs to: 0 is the stem, and the head is the last.
    pub(crate) layer: usize,
}

impl Param {
    /// Keeps training away from it. Every layer that holds the tensor sees this: no gradient is taken of it.
    pub(crate) fn freeze(&mut self) -> Result<(), TrainError> {
        self.frozen = true;
        self.tensor.f_set_requires_grad(false).map(drop).during("freezing a parameter")
    }
}

/// What a model's layers ask for their tensors, in the order in which images pass through them.
pub(crate) struct Builder<'a> {
    origin: Origin<'a>,
    entries: Vec<Param>,
    /// What reaches the next layer. Every layer reads it and leaves its own output here.
    pub(crate) map: Map,
    /// What convolutions and linear layers compute with.
    pub(crate) compute: Kind,
    /// Whether norms become part of the convolutions before them when the model predicts.
    pub(crate) folds: bool,
    /// Multiplications with weights, of one image, in the layers so far.
    pub(crate) macs: i64,
    layer: usize,
    in_head: bool,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(origin: Origin<'a>, dimensions: Dimensions) -> Builder<'a> {
        Builder {
            origin,
            entries: Vec::new(),
            map: dimensions.images(),
            compute: dimensions.precision.kind(),
            folds: dimensions.folds,
            macs: 0,
            layer: 0,
            in_head: false,
        }
    }

    /// What follows belongs to the next layer, unless the present one has no tensors yet.
    pub(crate) fn next_layer(&mut self) {
        if self.entries.last().is_some_and(|last| last.layer == self.layer) {
            self.layer += 1;
        }
    }

    /// What follows belongs to the head, which is one layer: all that reads features and no longer a map.
    pub(crate) fn enter_head(&mut self) {
        if !self.in_head {
            self.next_layer();
            self.in_head = true;
        }
    }

    /// Makes the tensor `name`, or takes it from the origin. The result shares its memory with the one kept here.
    pub(crate) fn add(&mut self, name: String, shape: &[i64], role: Role, init: Init) -> Result<Tensor, TrainError> {
        let tensor = match &mut self.origin {
            Origin::Fresh(device, seeded) => fresh(shape, role, init, *device, seeded).during("making a parameter")?,
            Origin::Given(tensors) => given(tensors, &name, shape, role)?,
            Origin::Nowhere => nowhere(shape, role).during("outlining a model")?,
        };
        let tensor = tensor.f_set_requires_grad(role.trains()).during("making a parameter")?;
        let shared = tensor.shallow_clone();
        self.entries.push(Param { name, role, tensor, rate: 1.0, frozen: false, layer: self.layer });
        Ok(shared)
    }

    /// Counts the product of these as multiplications.
    pub(crate) fn spend(&mut self, sizes: &[i64]) {
        self.macs = self.macs.saturating_add(sizes.iter().fold(1, |product, size| product.saturating_mul(*size)));
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

    /// The same, to say how they train.
    pub(crate) fn entries_mut(&mut self) -> &mut [Param] {
        &mut self.entries
    }

    /// The tensors that gradients are taken of, in order of construction.
    pub(crate) fn trained(&self) -> impl Iterator<Item = &Param> {
        self.entries.iter().filter(|param| param.role.trains() && !param.frozen)
    }

    /// Whether there are running statistics that follow training.
    pub(crate) fn follow(&self) -> bool {
        self.entries.iter().any(|param| param.role == Role::Buffer && !param.frozen)
    }

    /// The layer of the head, which is the last.
    pub(crate) fn head(&self) -> usize {
        self.entries.last().map_or(0, |last| last.layer)
    }

    /// Deep copies of all tensors, by name.
    pub(crate) fn copies(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let copy =
            |param: &Param| Ok((param.name.clone(), param.tensor.detach().f_detach_copy().during("copying weights")?));
        self.entries.iter().map(copy).collect()
    }
}

fn fresh(shape: &[i64], role: Role, init: Init, device: tch::Device, seeded: &Seeded) -> Result<Tensor, tch::TchError> {
    let tensor = match init {
        Init::Uniform(bound) => seeded.uniform(shape, bound)?,
        Init::Normal(deviation) => seeded.normal(shape, deviation)?,
        Init::Constant(value) => Tensor::f_full(shape, value, (role.kind(), tch::Device::Cpu))?,
    };
    if role == Role::Counter { Ok(tensor) } else { laid_out(&tensor.f_to_device(device)?) }
}

/// A counter may be missing: files of other programs, and older ones of ours, have none.
fn given(tensors: &mut BTreeMap<String, Tensor>, name: &str, shape: &[i64], role: Role) -> Result<Tensor, TrainError> {
    let tensor = match tensors.remove(name) {
        Some(tensor) => tensor,
        None if role == Role::Counter => Tensor::from(0i64),
        None => return Err(TrainError::Tensors(format!("the tensor `{name}` is missing"))),
    };
    let (size, kind, needed) = (tensor.size(), tensor.kind(), role.kind());
    if size != shape {
        return Err(TrainError::Tensors(format!("the tensor `{name}` has shape {size:?}, the model needs {shape:?}")));
    }
    if kind != needed {
        return Err(TrainError::Tensors(format!(
            "the tensor `{name}` is of type {kind:?}, the model needs {needed:?}"
        )));
    }
    let placed = if role == Role::Counter { tensor.f_to_device(tch::Device::Cpu) } else { laid_out(&tensor) };
    placed.during("laying out a parameter")
}

fn nowhere(shape: &[i64], role: Role) -> Result<Tensor, tch::TchError> {
    Tensor::f_zeros([0i64; 0].as_slice(), (role.kind(), tch::Device::Cpu))?.f_expand(shape, false)
}

/// On a GPU weights of convolutions lie in memory as the images do, channels last, which cuDNN computes with. On the CPU they do not:
/// oneDNN brings weights into a form of its own and hands out gradients in PyTorch's order, and an update that goes through
/// two orders at once takes several times as long.
fn laid_out(tensor: &Tensor) -> Result<Tensor, tch::TchError> {
    if tensor.dim() == 4 && tensor.device().is_cuda() { channels_last(tensor) } else { tensor.f_contiguous() }
}

/// The same values with the channels of a place side by side in memory.
pub(super) fn channels_last(tensor: &Tensor) -> Result<Tensor, tch::TchError> {
    tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}
