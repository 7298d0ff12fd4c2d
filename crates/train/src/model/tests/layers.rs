//! Single layers against their formulas.

use super::*;
use crate::model::layers::{Conv, Filter, Norm, Padding, Statistics, Window, drop_path, local_response_norm};

#[test]
fn drop_path_drops_whole_rows_and_scales_the_others_up() {
    let ones = Tensor::ones([1000, 2, 3, 3], (Kind::Float, CPU)).set_requires_grad(true);
    let seeded = seeded(1, 0, Purpose::Step(0, 0));
    let dropped = drop_path(&ones, 0.75, Mode::Train(&seeded, None)).unwrap().detach();
    let rows = dropped.flatten(1, -1);
    assert!(rows.amin([1i64].as_slice(), false).equal(&rows.amax([1i64].as_slice(), false)));
    let kept = dropped.select(1, 0).select(1, 0).select(1, 0);
    assert_eq!(kept.max().double_value(&[]), 4.0);
    let share = kept.gt(0.0).to_kind(Kind::Float).mean(None).double_value(&[]);
    assert!((share - 0.25).abs() < 0.05, "{share}");
    assert!(drop_path(&ones, 0.0, Mode::Train(&seeded, None)).unwrap().equal(&ones));
    assert!(drop_path(&ones, 0.75, Mode::Predict).unwrap().equal(&ones));
    assert!(drop_path(&ones.detach(), 0.75, Mode::Train(&seeded, None)).unwrap().equal(&ones), "frozen");
}

#[test]
fn local_response_norm_sums_the_squares_of_five_channels() {
    let values: Vec<f32> = (1..=7).map(|value| value as f32 * 20.0).collect();
    let input = Tensor::from_slice(&values).reshape([1, 7, 1, 1]);
    let mut found = vec![0f32; 7];
    local_response_norm(&input).unwrap().flatten(0, -1).copy_data(&mut found, 7);
    for (channel, (found, value)) in found.iter().zip(&values).enumerate() {
        let around = &values[channel.saturating_sub(2)..(channel + 3).min(7)];
        let sum: f32 = around.iter().map(|value| value * value).sum();
        let expected = value / (2.0 + 1e-4 * sum).powf(0.75);
        assert!((found / expected - 1.0).abs() < 1e-5, "{channel}: {found} {expected}");
    }
}

/// TensorFlow's `SAME` has `ceil(length / stride)` places, whatever the sizes.
#[test]
fn same_padding_has_the_places_of_tensorflow() {
    for (length, side, stride) in [(224, 3, 2), (225, 3, 2), (112, 5, 2), (7, 5, 1), (1, 5, 2), (2, 1, 2)] {
        let window = Window { side, stride, padding: Padding::Same };
        let (before, after) = window.pads(length);
        assert_eq!(window.places(length), (length + stride - 1) / stride, "{length} {side} {stride}");
        assert!(after == before || after == before + 1);
    }
    assert_eq!(Window { side: 3, stride: 2, padding: Padding::Same }.pads(224), (0, 1));
}

#[test]
fn a_norm_refuses_to_train_on_one_value() {
    let seeded = seeded(1, 0, Purpose::Weights);
    let mut builder = Builder::new(Origin::Nowhere, dimensions(1, 1, 3));
    let norm = Norm::new(&mut builder, "norm", Statistics::TORCH).unwrap();
    let image = Tensor::zeros([1, 3, 1, 1], (Kind::Float, CPU));
    let error = norm.forward(&image, Mode::Train(&seeded, None)).unwrap_err();
    assert!(error.to_string().contains("one value a channel"));
    assert!(norm.forward(&image, Mode::Predict).is_ok());
}

/// Of 256 channels, in PyTorch's order inside: the same numbers as any other convolution's, and channels last outside.
#[test]
fn a_heavy_convolution_gives_what_others_give() {
    let seeded = seeded(1, 0, Purpose::Weights);
    for side in [5_u32, 6] {
        let mut builder = Builder::new(Origin::Fresh(CPU, &seeded), dimensions(side, side, 256));
        let conv = Conv::new(&mut builder, "conv", Filter::new(256, Window::centred(3, 1))).unwrap();
        let params = builder.finish().unwrap();
        let weight = &params.entries()[0].tensor;
        assert!(weight.is_contiguous(), "as the gradients that oneDNN makes");
        let side = i64::from(side);
        let images = seeded.normal(&[2, side, side, 256], 1.0).unwrap().permute([0, 3, 1, 2]);
        let (found, expected) = (conv.forward(&images).unwrap(), images.conv2d(weight, None::<&Tensor>, 1, 1, 1, 1));
        assert_eq!(found.stride(), images.stride(), "channels last, whichever way");
        let gradient =
            |map: &Tensor| Tensor::run_backward(&[map.square().sum(None)], &[weight], false, false).remove(0);
        for (found, expected) in [(&found, &expected), (&gradient(&found), &gradient(&expected))] {
            let (error, largest) = ((found - expected).abs().max(), expected.abs().max());
            assert!(error.double_value(&[]) < 1e-5 * largest.double_value(&[]), "{side}: {error:?}");
        }
    }
}
