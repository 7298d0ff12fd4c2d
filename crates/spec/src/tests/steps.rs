//! Every step and op, as it is written and as the plan has it.

use millstream_imageops::{Area, Erasure, Filter, LearnedPolicy, Op, Sampling, Step, Variant, View};

use super::*;

/// The steps of a list that replaces the steps of the good definition; its stream has 28 rows, 30 columns, and a mean
/// of 0.25.
fn augment(steps: &str) -> Vec<Step> {
    let plan = parse_good(&[("training.augment", steps)]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [view] = plan.rounds[1].training.views.as_slice() else { panic!("one view") };
    assert_eq!((view.name.as_str(), view.count, view.of), ("train", 1, ViewOf::All));
    // What the language allows the image crate allows, too.
    View::new(view.steps.clone(), (28, 30, 1)).unwrap();
    view.steps.clone()
}

/// Checks what one step becomes.
fn becomes(step: &str, expected: &Step) {
    assert_eq!(augment(&format!("[{step}]")), std::slice::from_ref(expected), "{step}");
}

fn op_becomes(step: &str, op: &Op) {
    becomes(step, &Step::Apply { op: op.clone(), fill: [0; 3], p: 1.0 });
}

#[test]
#[rustfmt::skip]
fn sizes_and_crops() {
    let filter = Filter::Bilinear;
    becomes("resize: { size: [40, 50], filter: lanczos }", &Step::Resize { height: 40, width: 50, filter: Filter::Lanczos });
    becomes("resize", &Step::Resize { height: 28, width: 30, filter });
    becomes("resize_short", &Step::ResizeShort { size: 28, filter });
    becomes("random_resized_crop: { scale: [0.5, 1] }", &Step::RandomResizedCrop { scale: (0.5, 1.0), ratio: (0.75, 1.3333), height: 28, width: 30, filter });
    becomes("center_crop: { size: [20, 21] }", &Step::CenterCrop { height: 20, width: 21 });
    becomes("five_crop", &Step::FiveCrop { height: 28, width: 30 });
    becomes("five_crop: { size: [20, 21] }", &Step::FiveCrop { height: 20, width: 21 });
    becomes("pad_crop: { pad: 2, fill: 9 }", &Step::PadCrop { pad: 2, fill: [9; 3] });
    becomes("pad_crop: { fill: [1, 2, 3] }", &Step::PadCrop { pad: 4, fill: [1, 2, 3] });
    becomes("flip: { p: 0.25, direction: vertical }", &Step::RandomFlip { horizontal: false, p: 0.25 });
    becomes("affine:", &Step::RandomAffine { degrees: 0.0, shear: 0.0, translate: 0.0, sampling: Sampling::Bilinear, fill: [0; 3] });
    becomes("affine: { degrees: 8, sampling: bicubic, fill: 7 }", &Step::RandomAffine { degrees: 8.0, shear: 0.0, translate: 0.0, sampling: Sampling::Bicubic, fill: [7; 3] });
}

#[test]
#[rustfmt::skip]
fn policies() {
    becomes("trivial_augment_wide", &Step::TrivialAugmentWide { bins: 31, fill: [0; 3] });
    becomes("trivial_augment_wide: { bins: 11, fill: 4 }", &Step::TrivialAugmentWide { bins: 11, fill: [4; 3] });
    becomes("auto_augment", &Step::AutoAugment { policy: LearnedPolicy::ImageNet, fill: [0; 3] });
    becomes("auto_augment: { policy: svhn }", &Step::AutoAugment { policy: LearnedPolicy::Svhn, fill: [0; 3] });
    becomes("augmix", &Step::AugMix { severity: 3, width: 3, depth: None, alpha: 1.0, all_ops: true, fill: [0; 3] });
    becomes("augmix: { depth: 2, all_ops: false }", &Step::AugMix { severity: 3, width: 3, depth: Some(2), alpha: 1.0, all_ops: false, fill: [0; 3] });
}

/// Each variant of RandAugment has the defaults of its original.
#[test]
fn variants_of_randaugment() {
    for (name, variant, p, fill) in [
        ("torchvision", Variant::Torchvision, 1.0, 0),
        ("timm", Variant::Timm, 0.5, 64),
        ("timm-inc", Variant::TimmInc, 0.5, 64),
        ("tf", Variant::Tf, 1.0, 128),
        ("dali", Variant::Dali, 1.0, 128),
        ("fixmatch", Variant::Fixmatch, 1.0, 128),
    ] {
        let (magnitude, deviation, fill) = (9.0, 0.0, [fill; 3]);
        let expected = Step::RandAugment { variant, ops: 2, magnitude, deviation, bins: 31, p, fill };
        becomes(&format!("randaugment: {{ variant: {name} }}"), &expected);
    }
    assert_eq!(augment("[randaugment]"), augment("[{ randaugment: { variant: torchvision } }]"));
    let (variant, fill) = (Variant::Timm, [1, 2, 3]);
    becomes(
        "randaugment: { variant: timm, ops: 3, magnitude: 7.5, deviation: 0.5, p: 0.75, fill: [1, 2, 3] }",
        &Step::RandAugment { variant, ops: 3, magnitude: 7.5, deviation: 0.5, bins: 31, p: 0.75, fill },
    );
    let (variant, fill) = (Variant::Dali, [128; 3]);
    becomes(
        "randaugment: { variant: dali, magnitude: 10, bins: 11 }",
        &Step::RandAugment { variant, ops: 2, magnitude: 10.0, deviation: 0.0, bins: 11, p: 1.0, fill },
    );
}

#[test]
#[rustfmt::skip]
fn colours_noise_and_erasing() {
    becomes("color_jitter: { brightness: 0.4, hue: 0.1 }", &Step::ColorJitter { brightness: 0.4, contrast: 0.0, saturation: 0.0, hue: 0.1 });
    becomes("gaussian_blur", &Step::RandomBlur { sigma: (0.1, 2.0), p: 0.5 });
    becomes("gaussian_blur: { sigma: [1, 3], p: 1 }", &Step::RandomBlur { sigma: (1.0, 3.0), p: 1.0 });
    op_becomes("gaussian_blur: 1.5", &Op::GaussianBlur(1.5));
    becomes("gaussian_noise: { sigma: 8 }", &Step::RandomNoise { sigma: 8.0, p: 1.0 });
    becomes("cutout: 8", &Step::Cutout { size: 8, fill: [0; 3], p: 1.0 });
    becomes("cutout: { size: 8, p: 0.5, fill: 128 }", &Step::Cutout { size: 8, fill: [128; 3], p: 0.5 });
    becomes("random_erasing", &Step::RandomErasing { scale: (0.02, 0.33), ratio: (0.3, 3.3), noise: false, fill: [0; 3], p: 0.5 });
    becomes("random_erasing: { noise: true, p: 1 }", &Step::RandomErasing { scale: (0.02, 0.33), ratio: (0.3, 3.3), noise: true, fill: [0; 3], p: 1.0 });
}

#[test]
#[rustfmt::skip]
fn ops() {
    let sampling = Sampling::Nearest;
    let area = Area { left: -1, top: 2, width: 3, height: 4 };
    op_becomes("identity:", &Op::Identity);
    op_becomes("auto_contrast", &Op::AutoContrast);
    op_becomes("equalize", &Op::Equalize);
    op_becomes("invert", &Op::Invert);
    op_becomes("rotate: 9.5", &Op::Rotate { degrees: 9.5, sampling });
    op_becomes("shear_x: 0.5", &Op::ShearX { tangent: 0.5, sampling });
    op_becomes("shear_y: -1", &Op::ShearY { tangent: -1.0, sampling });
    op_becomes("translate_x: -3", &Op::TranslateX { pixels: -3.0, sampling });
    op_becomes("translate_y: 2.5", &Op::TranslateY { pixels: 2.5, sampling });
    op_becomes("brightness: 0.5", &Op::Brightness(0.5));
    op_becomes("color: 0.5", &Op::Color(0.5));
    op_becomes("contrast: 0.5", &Op::Contrast(0.5));
    op_becomes("sharpness: 0.5", &Op::Sharpness(0.5));
    op_becomes("posterize: 4", &Op::Posterize(4));
    op_becomes("solarize: 128", &Op::Solarize(128.0));
    op_becomes("solarize_add: 30", &Op::SolarizeAdd { add: 30, threshold: 128 });
    op_becomes("solarize_add: { add: -5, threshold: 7 }", &Op::SolarizeAdd { add: -5, threshold: 7 });
    op_becomes("hue: -0.25", &Op::Hue(-0.25));
    op_becomes("grayscale", &Op::Grayscale);
    op_becomes("erase: { left: -1, top: 2, width: 3, height: 4 }", &Op::Erase { area, with: Erasure::Fill });
    op_becomes("crop: { left: -1, top: 2, width: 3, height: 4 }", &Op::Crop(area));
    op_becomes("flip_horizontal: {}", &Op::FlipHorizontal);
    op_becomes("flip_vertical", &Op::FlipVertical);
    becomes("apply: { op: { posterize: 4 }, p: 0.5 }", &Step::Apply { op: Op::Posterize(4), fill: [0; 3], p: 0.5 });
    becomes("apply: { op: { solarize_add: 3 }, p: 1, fill: [1, 2, 3] }", &Step::Apply { op: Op::SolarizeAdd { add: 3, threshold: 128 }, fill: [1, 2, 3], p: 1.0 });
    becomes("apply: { op: { gaussian_blur: 2 }, p: 0.5 }", &Step::Apply { op: Op::GaussianBlur(2.0), fill: [0; 3], p: 0.5 });
}

/// The image crate calls a step what the language calls it, so that messages can be understood.
#[test]
fn names_are_those_of_the_image_crate() {
    for name in [
        "resize",
        "resize_short",
        "random_resized_crop",
        "center_crop",
        "five_crop",
        "pad_crop",
        "flip",
        "affine",
        "randaugment",
        "trivial_augment_wide",
        "auto_augment",
        "augmix",
        "color_jitter",
        "gaussian_blur",
        "random_erasing",
        "identity",
        "auto_contrast",
        "equalize",
        "invert",
        "grayscale",
        "flip_horizontal",
        "flip_vertical",
    ] {
        assert_eq!(augment(&format!("[{name}]"))[0].name(), name);
    }
}

/// The widest arguments: what the language allows the image crate must not refuse when the run begins.
#[test]
fn the_image_crate_allows_what_the_language_allows() {
    for step in [
        "random_resized_crop: { scale: [0.0001, 0.0001], ratio: [0.01, 100] }",
        "resize_short: { size: 16384 }",
        "pad_crop: { pad: 32767 }",
        "affine: { degrees: 180, shear: 2, translate: 65535 }",
        "randaugment: { ops: 64, magnitude: 1000, bins: 1001 }",
        "randaugment: { variant: timm, magnitude: 100, deviation: 1000 }",
        "randaugment: { variant: timm-inc, magnitude: 0 }",
        "randaugment: { variant: tf, magnitude: 100 }",
        "randaugment: { variant: dali, magnitude: 1, bins: 2 }",
        "randaugment: { variant: fixmatch, magnitude: 10, p: 0 }",
        "trivial_augment_wide: { bins: 2 }",
        "trivial_augment_wide: { bins: 1001 }",
        "augmix: { severity: 10, width: 10, depth: 10, alpha: 1000 }",
        "color_jitter: { brightness: 99, contrast: 99, saturation: 99, hue: 0.5 }",
        "gaussian_blur: { sigma: [0, 100] }",
        "gaussian_blur: 100",
        "gaussian_noise: { sigma: 255 }",
        "cutout: 65535",
        "random_erasing: { scale: [0.0001, 1], ratio: [0.01, 100] }",
        "rotate: -360",
        "shear_x: 10",
        "translate_y: -65535",
        "sharpness: 100",
        "posterize: 8",
        "solarize: 256",
        "solarize_add: { add: -255, threshold: 255 }",
        "hue: -0.5",
        "erase: { left: -65535, top: 65535, width: 65535, height: 1 }",
        "crop: { left: -65535, top: 65535, width: 1, height: 65535 }",
    ] {
        assert_eq!(augment(&format!("[{step}]")).len(), 1, "{step}");
    }
}

#[test]
fn timm_fills_with_the_mean_of_each_channel() {
    let text = changed("channels: gray", "channels: rgb")
        .replace("{ mean: [0.25], std: [0.5] }", "{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }")
        .replace("    - rotate: 9", "    - randaugment: { variant: timm }");
    let plan = parse_text(&text).unwrap();
    assert!(matches!(plan.rounds[0].training.views[0].steps[1], Step::RandAugment { fill: [124, 116, 104], .. }));
    let without = text.replace("  normalize: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }\n", "");
    let plan = parse_text(&without).unwrap();
    assert!(matches!(plan.rounds[0].training.views[0].steps[1], Step::RandAugment { fill: [128, 128, 128], .. }));
}

#[test]
#[rustfmt::skip]
fn mistakes_in_steps() {
    for (step, under, message, help) in [
        ("cutout: eight", "eight", "`cutout` must be a whole number from 1 to 65535 or a mapping", "`fill`, `p`, `size`"),
        ("cutout: 0", "0", "`cutout` must be a whole number from 1 to 65535, but it is 0", ""),
        ("cutout: 2.5", "2.5", "`cutout` must be a whole number from 1 to 65535 or a mapping", ""),
        ("cutout:", "cutout", "`cutout` lacks the key `size`", "Side of the square"),
        ("cutout: { side: 8 }", "side", "unknown key `side`", "did you mean `size`?"),
        ("cutout: [8]", "cutout", "but this is a list", "its keys are"),
        ("gaussian_blur: 101", "101", "from 0 to 100, but it is 101", ""),
        ("gaussian_blur: { sigma: [2, 1] }", "sigma", "`sigma` goes from 2 down to 1", "[1, 2]"),
        ("gaussian_blur: { sigma: 2 }", "2", "`sigma` must be a list of 2 numbers", "[2, 2]"),
        ("random_erasing: { ratio: [3, 0.3] }", "ratio", "`ratio` goes from 3 down to 0.3", "[0.3, 3]"),
        ("pad_crop: { fill: 256 }", "256", "`fill` must be a whole number from 0 to 255, but it is 256", ""),
        ("pad_crop: { fill: [1, 2] }", "fill", "`fill` must be a list of 3 numbers, but has 2", ""),
        ("pad_crop: { fill: [1, 2, 300] }", "300", "`fill[2]` must be a whole number from 0 to 255", ""),
        ("pad_crop: { fill: black }", "black", "`fill` must be a whole number from 0 to 255 or a list of 3 numbers", ""),
        ("affine: { sampling: lanczos }", "lanczos", "`sampling` cannot be `lanczos`", "`nearest`, `bilinear`, `bicubic`"),
        ("randaugment: { variant: tim }", "tim", "`variant` cannot be `tim`", "did you mean `timm`?"),
        ("randaugment: { variant: timm, magnitude: 101 }", "101", "the `magnitude` of `timm` is 0 to 100, but here it is 101", "in each variant"),
        ("randaugment: { variant: fixmatch, magnitude: 11 }", "11", "the `magnitude` of `fixmatch` is 0 to 10", ""),
        ("randaugment: { magnitude: 9.5 }", "9.5", "the `magnitude` of `torchvision` with 31 `bins` is a whole number of 0 to 30", ""),
        ("randaugment: { variant: tf, magnitude: 101 }", "101", "the `magnitude` of `tf` is 0 to 100", ""),
        ("randaugment: { variant: dali, bins: 9 }", "randaugment", "the `magnitude` of `dali` with 9 `bins` is a whole number of 0 to 8, but here it is 9", ""),
        ("randaugment: { deviation: 0.5 }", "deviation", "`torchvision` has no `deviation`", "`timm` and `timm-inc`"),
        ("randaugment: { variant: timm, bins: 31 }", "bins", "`timm` has no `bins`", "`torchvision` and `dali`"),
        ("auto_augment: { policy: mnist }", "mnist", "`policy` cannot be `mnist`", "`imagenet`"),
        ("augmix: { alpha: 0 }", "0", "`alpha` must be a number above 0", ""),
        ("augmix: { severity: 11 }", "11", "from 1 to 10", ""),
        ("color_jitter: { hue: 0.6 }", "0.6", "from 0 to 0.5", ""),
        ("solarize_add: 300", "300", "from -255 to 255", ""),
        ("hue: 1", "1", "from -0.5 to 0.5", ""),
        ("crop: { left: 0, top: 0, width: 65535, height: 65535 }", "crop", "too many for one image", ""),
        ("erase: 5", "5", "`erase` must be a mapping", "`height`, `left`, `top`, `width`"),
        ("apply: { op: { cutout: 8 }, p: 1 }", "cutout", "`op` has no kind `cutout`", ""),
        ("cutuot: 8", "cutuot", "has no kind `cutuot`", "did you mean `cutout`?"),
    ] {
        let mistakes = parse_good(&[("training.augment", &format!("[{{{step}}}]"))]).unwrap_err();
        let found: Vec<_> = mistakes.items().iter().filter(|item| item.message.contains(message)).collect();
        let [item] = found.as_slice() else { panic!("{step}: {mistakes}") };
        assert_eq!(underlined(item.place.as_ref().unwrap()), under, "{mistakes}");
        assert!(item.help.as_deref().unwrap_or_default().contains(help), "{mistakes}");
    }
}
