use crate::{Area, Erasure, Filter, Op, Sampling};

const AREA: Area = Area { left: 12, top: -40, width: 224, height: 200 };

#[test]
fn ops_are_named_with_their_arguments() {
    let (nearest, bicubic) = (Sampling::Nearest, Sampling::Bicubic);
    for (op, text) in [
        (Op::AutoContrast, "auto_contrast"),
        (Op::Rotate { degrees: 9.0, sampling: nearest }, "rotate 9.0"),
        (Op::Rotate { degrees: -0.1, sampling: bicubic }, "rotate -0.1 bicubic"),
        (Op::TranslateX { pixels: -30.0, sampling: nearest }, "translate_x -30.0"),
        (Op::Posterize(6), "posterize 6"),
        (Op::Solarize(178.5), "solarize 178.5"),
        (Op::SolarizeAdd { add: 33, threshold: 128 }, "solarize_add 33 below 128"),
        (Op::Crop(AREA), "crop 224x200+12-40"),
        (Op::Erase { area: AREA, with: Erasure::Fill }, "erase 224x200+12-40"),
        (Op::Erase { area: AREA, with: Erasure::Noise { seed: 3 } }, "erase 224x200+12-40 with noise"),
        (
            Op::Resize { area: Some(AREA), height: 20, width: 10, filter: Filter::Bilinear },
            "resize 10x20 bilinear of 224x200+12-40",
        ),
        (Op::Resize { area: None, height: 20, width: 10, filter: Filter::Lanczos }, "resize 10x20 lanczos"),
    ] {
        assert_eq!(op.to_string(), text);
    }
}

#[test]
fn decimals_are_cut_where_the_format_asks_for_it_also_in_chains() {
    let affine = Op::Affine {
        degrees: 1.2345,
        shear_x: 0.5,
        shear_y: -0.25,
        translate_x: 2.0,
        translate_y: 0.126,
        sampling: Sampling::Bilinear,
    };
    assert_eq!(format!("{affine:.2}"), "affine 1.23 shear 0.50 -0.25 translate 2.00 0.13 bilinear");
    assert_eq!(format!("{affine}"), "affine 1.2345 shear 0.5 -0.25 translate 2.0 0.126 bilinear");
    let chains = vec![(0.75, vec![Op::Invert, Op::Hue(0.125)]), (0.25, vec![Op::Posterize(4)])];
    let augmix = Op::AugMix { keep: 0.5, chains };
    assert_eq!(augmix.to_string(), "augmix keep 0.5 + 0.75 (invert, hue 0.125) + 0.25 (posterize 4)");
    assert_eq!(format!("{augmix:.1}"), "augmix keep 0.5 + 0.8 (invert, hue 0.1) + 0.2 (posterize 4)");
}
