//! What a frozen body makes of images.

use std::collections::BTreeMap;

use millstream_data::Row;
use tch::{TchError, Tensor};

use crate::model::{Mode, Model};

/// Most bytes of features that are kept.
const MOST: usize = 512 << 20;

/// The features of images, without gradients. They may be kept, where each view of a record is always the same image.
///
/// Float sums can depend on how many images are in a batch, so what is to be kept is computed image by image: then it
/// does not matter what was kept before, nor how much.
pub(crate) struct Features {
    kept: Option<Kept>,
}

struct Kept {
    rows: BTreeMap<Place, Vec<f32>>,
    bytes: usize,
    most: usize,
}

/// The record, the number of the view, and whether the record is labelled: the views of labelled records are not those of
/// others.
type Place = (u32, u8, bool);

impl Features {
    pub(crate) fn new(keep: bool) -> Features {
        Features::bounded(keep, MOST)
    }

    /// `most` bytes are kept.
    pub(super) fn bounded(keep: bool, most: usize) -> Features {
        Features { kept: keep.then(|| Kept { rows: BTreeMap::new(), bytes: 0, most }) }
    }

    /// `rows x width`.
    pub(crate) fn of(&mut self, model: &dyn Model, images: &Tensor, rows: &[Row]) -> Result<Tensor, TchError> {
        let _no_grad = tch::no_grad_guard();
        match &mut self.kept {
            None => model.body(images, Mode::Predict),
            Some(kept) => kept.of(model, images, rows),
        }
    }
}

impl Kept {
    fn of(&mut self, model: &dyn Model, images: &Tensor, rows: &[Row]) -> Result<Tensor, TchError> {
        let mut values = Vec::new();
        for (index, row) in (0..).zip(rows) {
            let place = (row.record, row.view, row.labelled);
            if let Some(features) = self.rows.get(&place) {
                values.extend_from_slice(features);
                continue;
            }
            let features = alone(model, images, index)?;
            values.extend_from_slice(&features);
            self.keep(place, features);
        }
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Tensor::f_from_slice(&values)?.f_reshape([count, -1])?.f_to_device(images.device())
    }

    fn keep(&mut self, place: Place, features: Vec<f32>) {
        let bytes = self.bytes + size_of_val(features.as_slice());
        if bytes <= self.most {
            self.bytes = bytes;
            self.rows.insert(place, features);
        }
    }
}

/// The features of one image. It is copied so that it lies in memory as any other.
fn alone(model: &dyn Model, images: &Tensor, index: i64) -> Result<Vec<f32>, TchError> {
    let image = images.f_narrow(0, index, 1)?.f_detach_copy()?;
    let features = model.body(&image, Mode::Predict)?.f_flatten(0, -1)?.f_contiguous()?;
    let mut values = vec![0.0; features.numel()];
    features.f_copy_data(&mut values, features.numel())?;
    Ok(values)
}

#[cfg(test)]
mod tests;
