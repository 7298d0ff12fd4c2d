//! What a frozen body makes of images.

use std::collections::BTreeMap;

use millstream_data::Row;
use tch::{TchError, Tensor};

use crate::input::select;
use crate::model::{Mode, Model};

/// Most bytes of features that are kept.
const MOST: usize = 512 << 20;

/// Images that go through the body together where features are kept.
const TOGETHER: usize = 16;

/// The features of images, without gradients. They may be kept, where each view of a record is always the same image.
///
/// Float sums depend on how many images go through the body together (one alone differs from many in the last bit). So what
/// may be kept is always computed in parts of one size, the last of which is filled up; then the features of an image are
/// the same whatever else was kept.
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
    pub(crate) fn bounded(keep: bool, most: usize) -> Features {
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
        let places = rows.iter().map(|row| (row.record, row.view, row.labelled));
        let lacking: Vec<usize> =
            (0..).zip(places.clone()).filter(|(_, place)| !self.rows.contains_key(place)).map(|(row, _)| row).collect();
        let mut fresh = BTreeMap::new();
        for part in lacking.chunks(TOGETHER) {
            fresh.extend(part.iter().copied().zip(together(model, images, part)?));
        }
        let mut values = Vec::new();
        for (row, place) in (0..).zip(places) {
            if let Some(features) = fresh.get(&row).or_else(|| self.rows.get(&place)) {
                values.extend_from_slice(features);
            }
            if let Some(features) = fresh.remove(&row) {
                self.keep(place, features);
            }
        }
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Tensor::f_from_slice(&values)?.f_reshape([count, -1])?.f_to_device(images.device())
    }

    fn keep(&mut self, place: Place, features: Vec<f32>) {
        let bytes = self.bytes + size_of_val(features.as_slice());
        if bytes <= self.most && !self.rows.contains_key(&place) {
            self.bytes = bytes;
            self.rows.insert(place, features);
        }
    }
}

/// The features of at most [`TOGETHER`] rows of the images, each on its own.
fn together(model: &dyn Model, images: &Tensor, rows: &[usize]) -> Result<Vec<Vec<f32>>, TchError> {
    let filled: Vec<usize> =
        rows.iter().chain(std::iter::repeat(rows.first().unwrap_or(&0))).copied().take(TOGETHER).collect();
    let features = model.body(&select(images, &filled)?, Mode::Predict)?.f_contiguous()?;
    let mut values = vec![0.0; features.numel()];
    features.f_copy_data(&mut values, features.numel())?;
    Ok(values.chunks((values.len() / TOGETHER).max(1)).take(rows.len()).map(<[f32]>::to_vec).collect())
}

#[cfg(test)]
mod tests;
