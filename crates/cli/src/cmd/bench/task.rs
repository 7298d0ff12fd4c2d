//! What is done to the images of a benchmark: the recipes that loaders are usually measured by.

use std::path::Path;
use std::thread;

use millstream_data::{Batch, FolderLayout, Shape, SourceConfig};
use millstream_imageops::{Filter, Layout, Step, Variant, normalize};

use crate::args::Task;
use crate::exit::Request;

/// Mean and standard deviation of each channel over ImageNet, of pixels scaled to 0..1.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// The same over Fashion-MNIST.
const FASHION: ([f32; 1], [f32; 1]) = ([0.2860], [0.3530]);

/// Bytes of pixels that are normalised on a thread of their own: a training node, too, would use all its cores.
const WORTH_A_THREAD: usize = 1 << 20;

/// A recipe.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) steps: Vec<Step>,
    pub(super) shape: Shape,
    pub(super) batch: u32,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Work {
    /// Makes float32 NCHW of a batch, as models want it.
    pub(super) fn normalise(&self, batch: &Batch, floats: &mut Vec<f32>) {
        let Shape { height, width, channels } = self.shape;
        floats.resize(batch.bytes(), 0.0);
        let mut rest = &mut floats[..];
        thread::scope(|threads| {
            for block in &batch.blocks {
                let (out, later) = rest.split_at_mut(block.0.len());
                let shape = (height, width, channels);
                // A batch of another shape cannot come out of the stream.
                let mut work = move || normalize(&block.0, shape, &self.mean, &self.std, Layout::Nchw, out);
                if block.0.len() < WORTH_A_THREAD {
                    let _ = work();
                } else {
                    threads.spawn(work);
                }
                rest = later;
            }
        });
        std::hint::black_box(floats);
    }
}

/// The recipe of a task. `decode` has none: it is no stream.
pub(super) fn work(task: Task) -> anyhow::Result<Work> {
    let (height, width, filter) = (224, 224, Filter::Bilinear);
    let crop = Step::RandomResizedCrop { scale: (0.08, 1.0), ratio: (3.0 / 4.0, 4.0 / 3.0), height, width, filter };
    let flip = Step::RandomFlip { horizontal: true, p: 0.5 };
    let (variant, bins, fill) = (Variant::Torchvision, 31, [0; 3]);
    let randaugment = Step::RandAugment { variant, ops: 2, magnitude: 9.0, deviation: 0.0, bins, p: 1.0, fill };
    let photo = |steps| Work {
        steps,
        shape: Shape { height, width, channels: 3 },
        batch: 64,
        mean: IMAGENET.0.to_vec(),
        std: IMAGENET.1.to_vec(),
    };
    Ok(match task {
        Task::Basic => photo(vec![crop, flip]),
        Task::Randaug => photo(vec![crop, flip, randaugment]),
        Task::Eval => photo(vec![Step::ResizeShort { size: 256, filter }, Step::CenterCrop { height, width }]),
        Task::Fmnist => Work {
            steps: vec![Step::PadCrop { pad: 4, fill }, flip, randaugment],
            shape: Shape { height: 28, width: 28, channels: 1 },
            batch: 256,
            mean: FASHION.0.to_vec(),
            std: FASHION.1.to_vec(),
        },
        Task::Decode => return Err(Request("the task `decode` has no stream".to_owned()).into()),
    })
}

/// The images: a folder in any layout, or for `fmnist` an IDX file.
pub(super) fn source(corpus: &Path) -> anyhow::Result<SourceConfig> {
    let path = corpus.to_owned();
    if path.is_dir() {
        return Ok(SourceConfig::Folder { path, layout: FolderLayout::Flat });
    }
    if path.is_file() {
        return Ok(SourceConfig::Idx { images: path, labels: None });
    }
    Err(Request(format!("{}: there is no such folder of images or IDX file", path.display())).into())
}
