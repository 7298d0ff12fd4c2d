//! The pipeline that `bench train` measures: a definition like those of `run`, read by the same reader.

use std::path::Path;

use anyhow::bail;
use millstream_data::Shape;
use millstream_spec::Plan;
use millstream_train::{ModelKind, ModelSettings, ModelSize};

use super::images::{CLASSES, IdxFiles};
use crate::args::{BenchTrainArgs, Channels};
use crate::cmd::cores;
use crate::exit::Request;

/// Mean and standard deviation of MNIST's pixels, and of ImageNet's by channel.
const GRAY: &str = "{ mean: [0.1307], std: [0.3081] }";
const RGB: &str = "{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }";

/// Room for batches under way, and for at least so much.
const BATCHES: u64 = 12;
const MEMORY: u64 = 64 << 20;

/// What is trained, on images of which shape.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) model: ModelKind,
    pub(super) shape: Shape,
}

impl Subject {
    /// What the arguments ask for, if there is such a model and it can take such images.
    pub(super) fn new(args: &BenchTrainArgs) -> anyhow::Result<Subject> {
        let model = ModelKind::new(&args.model, &ModelSettings { width: args.width, ..ModelSettings::default() })?;
        let side = args.size.unwrap_or_else(|| model.usual_side());
        let channels = if args.channels == Channels::Gray { 1 } else { 3 };
        let shape = Shape { height: side, width: side, channels };
        ModelSize::of(&model, &shape, CLASSES as usize)?;
        Ok(Subject { model, shape })
    }

    /// The checked pipeline over these images.
    pub(super) fn plan(&self, args: &BenchTrainArgs, files: &IdxFiles) -> anyhow::Result<Plan> {
        let plan = millstream_spec::parse(&self.text(args, files)?, "bench.yaml", &args.overrides)?;
        match plan.rounds.as_slice() {
            [_] => Ok(plan),
            _ => bail!(Request("`bench train` measures one round: leave `rounds` as they are".to_owned())),
        }
    }

    fn text(&self, args: &BenchTrainArgs, IdxFiles { images, labels }: &IdxFiles) -> anyhow::Result<String> {
        let Shape { height, width, channels } = self.shape;
        let model = serde_json::to_string(&self.model)?;
        let (channels, normalize) = if channels == 1 { ("gray", GRAY) } else { ("rgb", RGB) };
        let memory = (BATCHES * u64::from(args.batch) * self.shape.bytes() as u64).max(MEMORY).div_ceil(1 << 20);
        let threads = args.threads.map_or_else(cores, usize::from);
        let (batch, steps) = (args.batch, args.warmup + args.steps);
        Ok(format!(
            "name: bench
memory: {memory}MiB
threads: {threads}
data:
  sources: {{ all: {{ idx: {{ images: {images}, labels: {labels} }} }} }}
  splits:
    test: {{ from: all, take: {{ per_class: 1 }} }}
    labelled: {{ from: all, except: test }}
stream: {{ size: [{height}, {width}], channels: {channels}, normalize: {normalize} }}
training:
  steps: {steps}
  batch: {batch}
  augment: [{{ pad_crop: {{ pad: 4 }} }}, flip]
  optimizer: {{ sgd: {{ lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0005 }} }}
  schedule: constant
  label_smoothing: 0.1
rounds: [{{ model: {model} }}]
",
            images = quoted(images)?,
            labels = quoted(labels)?,
        ))
    }
}

/// A path as a string of YAML, which takes those of JSON.
fn quoted(path: &Path) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&path.to_string_lossy())?)
}
