//! From a batch of bytes to normalised images on the device.

use millstream_data::{Batch, Block, Mixed, Shape};
use tch::{Kind, TchError, Tensor};

use crate::TrainError;
use crate::error::While;
use crate::mixing::mix;

/// `pixel * scale + shift` brings a byte to `(pixel / 255 - mean) / std`, channel by channel.
pub(crate) struct Normalise {
    scale: Tensor,
    shift: Tensor,
    device: tch::Device,
}

impl Normalise {
    pub(crate) fn new(mean: &[f32], std: &[f32], device: tch::Device) -> Result<Normalise, TrainError> {
        let scale = std.iter().map(|std| 1.0 / (255.0 * f64::from(*std)));
        let shift = mean.iter().zip(std).map(|(mean, std)| -f64::from(*mean) / f64::from(*std));
        Normalise::of(scale, shift, device)
    }

    /// For images that are normalised by the first mean and deviation, to be so by the second.
    pub(crate) fn between(
        before: [&[f32]; 2],
        after: [&[f32]; 2],
        device: tch::Device,
    ) -> Result<Normalise, TrainError> {
        let both = || before[0].iter().zip(before[1]).zip(after[0].iter().zip(after[1]));
        let scale = both().map(|((_, before), (_, after))| f64::from(*before) / f64::from(*after));
        let shift =
            both().map(|((before, _), (after, std))| (f64::from(*before) - f64::from(*after)) / f64::from(*std));
        Normalise::of(scale, shift, device)
    }

    fn of(
        scale: impl Iterator<Item = f64>,
        shift: impl Iterator<Item = f64>,
        device: tch::Device,
    ) -> Result<Normalise, TrainError> {
        let [scale, shift]: [Vec<f32>; 2] = [scale.map(|x| x as f32).collect(), shift.map(|x| x as f32).collect()];
        let tensor = |values: &[f32]| Tensor::f_from_slice(values)?.f_to_device(device);
        Ok(Normalise {
            scale: tensor(&scale).during("preparing normalisation")?,
            shift: tensor(&shift).during("preparing normalisation")?,
            device,
        })
    }

    /// Images of floats that are there already.
    pub(crate) fn again(&self, images: &Tensor) -> Result<Tensor, TchError> {
        self.normalised(&images.f_permute([0, 2, 3, 1])?)
    }

    /// Images, `rows x channels x height x width`, channels last in memory. `there` are the pixels, where they have been brought to the
    /// device before.
    pub(crate) fn images(&self, batch: &Batch, shape: &Shape, there: Option<&Tensor>) -> Result<Tensor, TrainError> {
        let sizes = check(batch, shape)?;
        self.convert(batch, &sizes, there).during("moving a batch to the device")
    }

    /// What [`images`](Self::images) would be of a batch without rows.
    pub(crate) fn none(&self, shape: &Shape) -> Result<Tensor, TchError> {
        let Shape { height, width, channels } = *shape;
        Tensor::f_zeros([0, i64::from(channels), i64::from(height), i64::from(width)], (Kind::Float, self.device))
    }

    /// Bytes travel to the device as they are; there they are mixed, and one pass converts and normalises.
    fn convert(&self, batch: &Batch, sizes: &[i64; 4], there: Option<&Tensor>) -> Result<Tensor, TchError> {
        let bytes = match there {
            Some(bytes) => bytes.f_view(*sizes)?,
            None => pixels(batch)?.f_view(*sizes)?.f_to_device(self.device)?,
        };
        self.normalised(&mix(&bytes, &batch.mixing)?.f_to_kind(Kind::Float)?)
    }

    /// Of images with the channels last. Permuted last: of gray images libtorch could not tell from the order in memory that
    /// channels come last.
    fn normalised(&self, images: &Tensor) -> Result<Tensor, TchError> {
        self.shift.f_addcmul(images, &self.scale)?.f_permute([0, 3, 1, 2])
    }
}

/// The pixels of a batch in one run.
pub(crate) fn pixels(batch: &Batch) -> Result<Tensor, TchError> {
    let block = |block: &Block| Tensor::f_from_slice(&block.0);
    match &batch.blocks[..] {
        [] => Tensor::f_from_slice::<u8>(&[]),
        [only] => block(only),
        blocks => Tensor::f_cat(&blocks.iter().map(block).collect::<Result<Vec<_>, _>>()?, 0),
    }
}

/// Some images, one after the other. In memory the channels are last, and stay so.
pub(crate) fn select(images: &Tensor, rows: &[usize]) -> Result<Tensor, TchError> {
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let rows = Tensor::f_from_slice(&rows)?.f_to_device(images.device())?;
    images.f_permute([0, 2, 3, 1])?.f_index_select(0, &rows)?.f_permute([0, 3, 1, 2])
}

/// The batch's sizes in memory, rows first and channels last, if they are those of the session.
fn check(batch: &Batch, shape: &Shape) -> Result<[i64; 4], TrainError> {
    if batch.shape != *shape {
        return Err(TrainError::Batch(format!("its images are {:?}, the model was made for {shape:?}", batch.shape)));
    }
    let (rows, channels) = (batch.rows.len(), usize::from(shape.channels));
    let needed = [shape.height as usize, shape.width as usize, channels]
        .iter()
        .try_fold(rows, |product, side| product.checked_mul(*side));
    if needed != Some(batch.bytes()) {
        let found = batch.bytes();
        return Err(TrainError::Batch(format!("it has {found} bytes of pixels for {rows} images of {shape:?}")));
    }
    let size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let fits = |mixed: &Mixed| {
        let [left, top, right, bottom] = mixed.area;
        (mixed.partner as usize) < rows && mixed.keep <= 1 << 16 && left <= right && top <= bottom
    };
    if !batch.mixing.is_empty() && (batch.mixing.len() != rows || !batch.mixing.iter().all(fits)) {
        return Err(TrainError::Batch(format!("its {rows} images cannot be mixed as it says")));
    }
    Ok([size(rows), i64::from(shape.height), i64::from(shape.width), size(channels)])
}

#[cfg(test)]
mod tests {
    use millstream_data::{Key, Row, Target};

    use super::*;

    #[test]
    fn each_channel_is_scaled_by_its_own_mean_and_deviation() {
        let shape = Shape { height: 1, width: 2, channels: 3 };
        let row = Row { record: 0, key: Key(1), view: 0, epoch: 0, copy: 0, target: Target::None, labelled: false };
        let batch = Batch {
            shape,
            blocks: vec![Block(vec![0, 51, 102]), Block(vec![255, 204, 153])],
            rows: vec![row],
            mixing: Vec::new(),
            dead: Vec::new(),
        };
        let normalise = Normalise::new(&[0.0, 0.2, 0.5], &[1.0, 0.5, 0.1], tch::Device::Cpu).unwrap();
        let images = normalise.images(&batch, &shape, None).unwrap();
        assert_eq!((images.size(), images.stride()), (vec![1, 3, 1, 2], vec![6, 1, 6, 3]));
        let expected = Tensor::from_slice(&[0f32, 1.0, 0.0, 1.2, -1.0, 1.0]).reshape([1, 3, 1, 2]);
        assert!((images - expected).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn gray_images_count_as_channels_last_too() {
        let shape = Shape { height: 2, width: 3, channels: 1 };
        let row = Row { record: 0, key: Key(1), view: 0, epoch: 0, copy: 0, target: Target::None, labelled: false };
        let batch = Batch {
            shape,
            blocks: vec![Block(vec![0; 12])],
            rows: vec![row.clone(), row],
            mixing: Vec::new(),
            dead: Vec::new(),
        };
        let images = Normalise::new(&[0.5], &[0.5], tch::Device::Cpu).unwrap().images(&batch, &shape, None).unwrap();
        // With a stride of 6 for the channel, as of any tensor in PyTorch's order, convolutions run at half the speed.
        assert_eq!((images.size(), images.stride()), (vec![2, 1, 2, 3], vec![6, 1, 3, 1]));
    }
}
