//! Ridge regression of embeddings onto class targets, with exact leave-one-out predictions: what embeddings say of a record whose own
//! label nobody has learned from.
//!
//! With G = X'X, penalty l and A = G + l I the weights are A^-1 X'Y. Without row i the prediction of it would be
//! (f_i - h_i y_i) / (1 - h_i), with f_i = x_i' W and the leverage h_i = x_i' A^-1 x_i (Allen 1974, "The Relationship Between Variable
//! Selection and Data Augmentation and a Method for Prediction"): one factorisation serves all rows.

use tch::{Kind, TchError, Tensor};

use crate::consistency::numbers;
use crate::error::{TrainError, While};

/// A leverage is below 1; closer to it than this, what is left is not to be told from rounding.
const MOST_LEVERAGE: f64 = 1.0 - 1e-9;
/// The penalty of the constant term, in shares of the mean penalty of a feature: it is to be free, and A to be invertible.
const FREE: f64 = 1e-6;

/// The sums of a regression, fed by rows. Its size is that of the features squared, whatever the number of rows.
#[derive(Debug)]
pub struct Ridge {
    width: i64,
    classes: i64,
    gram: Tensor,
    cross: Tensor,
}

impl Ridge {
    /// A regression of embeddings of `width` numbers onto so many classes, without rows.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn new(width: usize, classes: usize) -> Result<Self, TrainError> {
        let (width, classes) = (size(width)?, size(classes)?);
        let zeros = |columns| Tensor::f_zeros([width + 1, columns], (Kind::Double, tch::Device::Cpu));
        let sums = || Ok((zeros(width + 1)?, zeros(classes)?));
        let (gram, cross) = sums().during("preparing a regression")?;
        Ok(Ridge { width, classes, gram, cross })
    }

    /// Adds rows: embeddings, `rows x width`, and for each the shares of its classes, `rows x classes`.
    ///
    /// # Errors
    /// [`TrainError::Batch`] for numbers that are no whole rows; libtorch refuses.
    pub fn add(&mut self, embeddings: &[f32], targets: &[f32]) -> Result<(), TrainError> {
        let (rows, targets) = self.rows(embeddings, targets)?;
        let mut add = || -> Result<(), TchError> {
            let across = rows.f_tr()?;
            let _ = self.gram.f_add_(&across.f_matmul(&rows)?)?;
            let _ = self.cross.f_add_(&across.f_matmul(&targets)?)?;
            Ok(())
        };
        add().during("adding to a regression")
    }

    /// Solves it. `penalty` is in shares of the mean of the features' squares summed over the rows, above 0.
    ///
    /// # Errors
    /// libtorch refuses: the sums are not finite.
    pub fn fit(&self, penalty: f64) -> Result<Fitted<'_>, TrainError> {
        let solve = || -> Result<(Tensor, Tensor), TchError> {
            let features = self.gram.f_diagonal(0, 0, 1)?.f_narrow(0, 0, self.width)?;
            let each = penalty * features.f_mean(Kind::Double)?.f_double_value(&[])?.max(f64::MIN_POSITIVE);
            let penalties = Tensor::f_full([self.width + 1], each, (Kind::Double, tch::Device::Cpu))?;
            let _ = penalties.f_narrow(0, self.width, 1)?.f_mul_scalar_(FREE)?;
            let factor = self.gram.f_add(&penalties.f_diag(0)?)?.f_linalg_cholesky(false)?;
            let inverse = factor.f_cholesky_inverse(false)?;
            let weights = inverse.f_matmul(&self.cross)?;
            Ok((inverse, weights))
        };
        let (inverse, weights) = solve().during("solving a regression")?;
        Ok(Fitted { sums: self, inverse, weights })
    }

    /// The rows with a constant as the last feature, and their targets.
    fn rows(&self, embeddings: &[f32], targets: &[f32]) -> Result<(Tensor, Tensor), TrainError> {
        let count = size(targets.len())? / self.classes;
        if size(embeddings.len())? != count * self.width || size(targets.len())? != count * self.classes {
            let (found, with) = (embeddings.len(), targets.len());
            return Err(TrainError::Batch(format!(
                "{found} features and {with} targets are no rows of {} and {}",
                self.width, self.classes
            )));
        }
        let make = || -> Result<(Tensor, Tensor), TchError> {
            let rows = Tensor::f_from_slice(embeddings)?.f_view([count, self.width])?.f_to_kind(Kind::Double)?;
            let constant = Tensor::f_ones([count, 1], (Kind::Double, tch::Device::Cpu))?;
            let targets = Tensor::f_from_slice(targets)?.f_view([count, self.classes])?.f_to_kind(Kind::Double)?;
            Ok((Tensor::f_cat(&[rows, constant], 1)?, targets))
        };
        make().during("preparing rows")
    }
}

/// A regression that is solved.
#[derive(Debug)]
pub struct Fitted<'a> {
    sums: &'a Ridge,
    inverse: Tensor,
    weights: Tensor,
}

impl Fitted<'_> {
    /// What would be predicted of each of some rows had it been left out, `rows x classes`: about a probability, but perhaps below 0 or
    /// above 1. Rows and targets are as in [`Ridge::add`].
    ///
    /// # Errors
    /// Those of [`Ridge::add`].
    pub fn leave_one_out(&self, embeddings: &[f32], targets: &[f32]) -> Result<Vec<f32>, TrainError> {
        let (rows, targets) = self.sums.rows(embeddings, targets)?;
        let predict = || -> Result<Vec<f32>, TchError> {
            let told = rows.f_matmul(&self.weights)?;
            let leverage = rows.f_matmul(&self.inverse)?.f_mul(&rows)?.f_sum_dim_intlist(1, true, Kind::Double)?;
            let leverage = leverage.f_clamp(0.0, MOST_LEVERAGE)?;
            let without = told.f_sub(&leverage.f_mul(&targets)?)?.f_div(&leverage.f_neg()?.f_add_scalar(1.0)?)?;
            numbers(&without)
        };
        predict().during("leaving one out")
    }
}

fn size(number: usize) -> Result<i64, TrainError> {
    i64::try_from(number).map_err(|_| TrainError::Batch(format!("{number} numbers are too many")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 3;
    const ROWS: usize = 12;

    /// The first feature is about 1 or -1 in turn, the others are anything in [-0.5, 0.5); the class follows the first, but for the fifth
    /// row.
    fn data() -> (Vec<f32>, Vec<f32>) {
        let noise = |at: usize| ((at as u32).wrapping_mul(0x9e37_79b9) >> 8) as f32 / 16_777_216.0 - 0.5;
        let side = |row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
        let feature = |at: usize| if at.is_multiple_of(WIDTH) { side(at / WIDTH) + 0.1 * noise(at) } else { noise(at) };
        let embeddings: Vec<f32> = (0..ROWS * WIDTH).map(feature).collect();
        let class = |row: usize| usize::from((side(row) > 0.0) != (row == 4));
        let targets = (0..ROWS).flat_map(|row| [1 - class(row), class(row)]).map(|share| share as f32).collect();
        (embeddings, targets)
    }

    fn without(row: usize, numbers: &[f32], each: usize) -> Vec<f32> {
        [&numbers[..row * each], &numbers[(row + 1) * each..]].concat()
    }

    #[test]
    fn leaving_one_out_is_fitting_without_it() {
        let (embeddings, targets) = data();
        let mut all = Ridge::new(WIDTH, 2).unwrap();
        all.add(&embeddings[..5 * WIDTH], &targets[..10]).unwrap();
        all.add(&embeddings[5 * WIDTH..], &targets[10..]).unwrap();
        let trace = |ridge: &Ridge| {
            let features = ridge.gram.diagonal(0, 0, 1).narrow(0, 0, WIDTH as i64);
            features.mean(Kind::Double).double_value(&[])
        };
        let told = all.fit(0.1).unwrap().leave_one_out(&embeddings, &targets).unwrap();
        for row in 0..ROWS {
            let mut rest = Ridge::new(WIDTH, 2).unwrap();
            rest.add(&without(row, &embeddings, WIDTH), &without(row, &targets, 2)).unwrap();
            // The same penalty, in other shares.
            let fitted = rest.fit(0.1 * trace(&all) / trace(&rest)).unwrap();
            let one = &embeddings[row * WIDTH..][..WIDTH];
            let (one, _) = rest.rows(one, &[0.0, 0.0]).unwrap();
            let expected = numbers(&one.matmul(&fitted.weights)).unwrap();
            for (told, expected) in told[2 * row..][..2].iter().zip(expected) {
                assert!((told - expected).abs() < 1e-5, "row {row}: {told}, not {expected}");
            }
        }
        assert!(told[8] < told[9] && targets[8] > targets[9], "the fifth row contradicts its label");
    }

    #[test]
    fn numbers_that_are_no_rows_are_refused() {
        let mut ridge = Ridge::new(3, 2).unwrap();
        assert!(ridge.add(&[0.0; 4], &[0.0; 2]).unwrap_err().to_string().contains("no rows"));
        assert!(ridge.add(&[0.0; 3], &[0.0; 3]).is_err());
    }
}
