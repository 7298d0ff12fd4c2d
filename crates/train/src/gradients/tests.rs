//! Parts of a batch against the whole, and clipping.

use millstream_data::{Key, Row, Shape, Target};

use super::*;
use crate::ModelKind;
use crate::loss::{Labels, shared_by};
use crate::model::{Dimensions, Mode, Net, Origin};
use crate::random::{Purpose, seeded};

const SHAPE: Shape = Shape { height: 16, width: 16, channels: 1 };

fn net() -> Net {
    let at = Dimensions::new(&SHAPE, 3);
    let seeded = seeded(1, 0, Purpose::Weights);
    Net::build(&ModelKind::SmallNet { width: 8, dropout: 0.0 }, at, Origin::Fresh(tch::Device::Cpu, &seeded)).unwrap()
}

/// Every third row has a label.
fn targets(rows: u32) -> Targets {
    let row = |number: u32| Row {
        record: number,
        key: Key(7),
        view: 0,
        epoch: 0,
        copy: 0,
        target: Target::Hard(number % 3),
        labelled: number % 3 == 1,
    };
    let rows: Vec<Row> = (0..rows).map(row).collect();
    let labels = Labels { classes: 3, smoothing: 0.1, distilled: None, taught: false };
    Targets::alone(&rows, &shared_by(&rows, 2.0), &labels).unwrap()
}

fn run(net: &Net, images: &Tensor, parts: u32) -> (Score, Vec<Tensor>) {
    let trained: Vec<Tensor> = net.params.trained().map(|param| param.tensor.shallow_clone()).collect();
    let targets = targets(u32::try_from(images.size()[0]).unwrap());
    // Norms with running statistics: each row is on its own.
    let logits = |rows: Range<usize>| {
        let images = images.f_narrow(0, rows.start as i64, rows.len() as i64)?;
        net.model.forward(&images, Mode::Predict)
    };
    let gradients = gradients(&trained, &targets, parts_of(targets.rows(), parts), logits).unwrap();
    (gradients.score().unwrap(), gradients.tensors)
}

#[test]
fn parts_add_up_to_the_whole_batch() {
    let net = net();
    let images = seeded(2, 0, Purpose::Step(0, 0)).uniform(&[6, 1, 16, 16], 1.0).unwrap();
    let (whole, tensors) = run(&net, &images, 1);
    assert_eq!(whole.labelled, 2);
    // More parts than pairs of rows are as many as pairs.
    for parts in [4, 100] {
        let (found, parts_of) = run(&net, &images, parts);
        assert!((found.loss - whole.loss).abs() < 1e-6, "{} for {}", found.loss, whole.loss);
        assert_eq!((found.labelled, found.labelled_correct), (whole.labelled, whole.labelled_correct));
        for (found, whole) in parts_of.iter().zip(&tensors) {
            let far = ((found - whole).norm() / whole.norm()).double_value(&[]);
            assert!(far < 1e-5, "{parts} parts: {far}");
        }
    }
}

#[test]
fn rows_are_split_evenly() {
    let lengths = |rows, parts| split(rows, parts_of(rows, parts)).map(|part| part.len()).collect::<Vec<_>>();
    assert_eq!(lengths(8, 4), [2, 2, 2, 2]);
    assert_eq!(lengths(7, 3), [2, 2, 3]);
    // A batch norm over one row would have nothing to divide by.
    assert_eq!(lengths(5, 4), [2, 3]);
    assert_eq!(lengths(2, 4), [2]);
    assert_eq!(lengths(1, 4), [1]);
    assert_eq!(lengths(3, 0), [3]);
    assert!(lengths(0, 4).is_empty());
    // As many parts as other ranks have, where batch norms are those of all ranks.
    assert_eq!(split(0, 2).collect::<Vec<_>>(), [0..0, 0..0]);
    assert_eq!(split(7, 3).collect::<Vec<_>>(), [0..2, 2..4, 4..7]);
}

#[test]
fn the_norm_of_all_gradients_is_clipped_as_in_torch() {
    let clipped = |how| {
        let mut gradients = [Tensor::from_slice(&[3f32, 0.0]), Tensor::from_slice(&[-4f32])];
        clip(&mut gradients, how).unwrap();
        Vec::<f32>::try_from(Tensor::cat(&gradients, 0)).unwrap()
    };
    // torch.nn.utils.clip_grad_norm_ with 0.5; the norm is 5.
    let near = |found: Vec<f32>, expected: [f32; 3]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7);
    assert!(near(clipped(Clip::Norm(0.5)), [0.299_999_94, 0.0, -0.399_999_92]));
    assert_eq!(clipped(Clip::Norm(6.0)), [3.0, 0.0, -4.0]);
    assert_eq!(clipped(Clip::Value(3.5)), [3.0, 0.0, -3.5]);
    // The 1e-6 shows where the norm is small.
    let mut small = [Tensor::from_slice(&[1e-6f32])];
    clip(&mut small, Clip::Norm(1e-6)).unwrap();
    assert!((small[0].double_value(&[0]) - 5e-7).abs() < 1e-12);
    clip(&mut [], Clip::Norm(1.0)).unwrap();
}
