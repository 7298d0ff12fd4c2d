//! What right definitions become.

use std::path::PathBuf;

use super::*;

#[test]
fn a_definition_becomes_a_plan_with_every_default() {
    let plan = parse_text(GOOD).unwrap();
    assert_eq!((plan.name.as_str(), plan.seed, plan.memory, plan.threads), ("demo", 3, 64 << 20, 2));
    assert_eq!(plan.max_bad, MaxBad::Fraction(0.005));
    assert_eq!(plan.data.key, KeyPlan::Place);
    let folder = SourcePlan::Folder { path: PathBuf::from("b"), layout: LayoutPlan::Classes };
    assert_eq!(plan.data.sources[0], ("test".to_string(), folder));
    assert_eq!((plan.stream.height, plan.stream.width, plan.stream.channels), (28, 30, 1));
    assert_eq!((plan.stream.mean.as_slice(), plan.stream.std.as_slice()), (&[0.25f32][..], &[0.5f32][..]));
    assert_eq!((plan.stream.eval_batch, plan.stream.eval.len()), (256, 0));
    assert_eq!(plan.selection, SelectionPlan { threshold: 0.85, calibrate: None, balance: None });
    assert_eq!(plan.output.labels, LabelFormat::Parquet);
}

#[test]
fn a_round_replaces_the_common_training_key_by_key() {
    let plan = parse_text(GOOD).unwrap();
    let [teacher, student] = plan.rounds.as_slice() else { panic!("two rounds") };
    assert_eq!((teacher.training.steps, teacher.training.ema), (400, None));
    assert_eq!((student.training.steps, student.training.ema), (600, Some(EmaPlan { decay: 0.99, warmup: true })));
    assert_eq!((teacher.training.batch, teacher.training.unlabelled_ratio), (64, 3));
    assert_eq!(teacher.model, ModelPlan { name: "smallnet", width: Some(16), dropout: 0.0, drop_path: None });
    assert_eq!(student.training.schedule, SchedulePlan::OneCycle { warmup: 0.25 });
    let sgd = OptimizerPlan::Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0005 };
    assert_eq!(student.training.optimizer, sgd);
    assert_eq!(student.training.targets, TargetsPlan::Hard);
    assert_eq!(student.training.views, teacher.training.views);
}

#[test]
fn a_small_net_has_a_width_by_itself() {
    for written in ["smallnet", "{ smallnet: {} }"] {
        let plan = parse_text(&changed("{ smallnet: { width: 20 } }", written)).unwrap();
        let widths: Vec<_> = plan.rounds.iter().map(|round| round.model.width).collect();
        assert_eq!(widths, [Some(16); 2], "{written}");
    }
}

#[test]
fn splits_come_after_what_they_refer_to() {
    let text = changed(
        "    labelled: { from: train, take: { per_class: 10 } }",
        "    labelled: { from: z }\n    z: { from: y, take: { fraction: 0.5 } }\n    y: { from: train, except: [test], take: all }",
    );
    let plan = parse_text(&text).unwrap();
    let names: Vec<&str> = plan.data.splits.iter().map(|split| split.name.as_str()).collect();
    assert_eq!(names, ["test", "y", "z", "labelled", "unlabelled"]);
    assert_eq!(plan.data.splits[2].take, TakePlan::Fraction(0.5));
    assert_eq!(plan.data.splits[1].except, ["test"]);
}

#[test]
fn every_kind_can_be_written() {
    for (written, schedule) in [
        ("schedule: constant", SchedulePlan::Constant),
        ("schedule: { constant: {} }", SchedulePlan::Constant),
        ("schedule: cosine", SchedulePlan::Cosine { warmup: 0, floor: 0.0 }),
        ("schedule: { cosine: { warmup: 50 } }", SchedulePlan::Cosine { warmup: 50, floor: 0.0 }),
        ("schedule: { one_cycle: { warmup: 0 } }", SchedulePlan::OneCycle { warmup: 0.0 }),
    ] {
        let plan = parse_text(&changed("  ema: 0.99", &format!("  {written}"))).unwrap();
        assert_eq!(plan.rounds[1].training.schedule, schedule, "{written}");
    }
    for (written, targets) in [
        ("targets: hard", TargetsPlan::Hard),
        ("targets: soft", TargetsPlan::Soft { temperature: 1.0 }),
        ("targets: { soft: { temperature: 2 } }", TargetsPlan::Soft { temperature: 2.0 }),
    ] {
        let plan = parse_text(&changed("  ema: 0.99", &format!("  {written}"))).unwrap();
        assert_eq!(plan.rounds[1].training.targets, targets, "{written}");
    }
    let text = changed("{ folder: { path: b } }", "{ csv: { path: b.csv, root: c } }");
    let csv = SourcePlan::Csv { path: PathBuf::from("b.csv"), root: Some(PathBuf::from("c")) };
    assert_eq!(parse_text(&text).unwrap().data.sources[0].1, csv);
    let text = changed("{ folder: { path: b } }", "{ webdataset: { path: \"b-{00..09}.tar\" } }");
    let tar = SourcePlan::WebDataset { path: PathBuf::from("b-{00..09}.tar") };
    assert_eq!(parse_text(&text).unwrap().data.sources[0].1, tar);
    let text = changed("{ folder: { path: b } }", "{ parquet: { path: b.parquet, image: img } }");
    let parquet = SourcePlan::Parquet { path: PathBuf::from("b.parquet"), image: Some("img".to_owned()), label: None };
    assert_eq!(parse_text(&text).unwrap().data.sources[0].1, parquet);
    let text = changed("size: [28, 30]", "size: [64, 64]").replace("{ smallnet: { width: 20 } }", "alexnet");
    let alexnet = ModelPlan { name: "alexnet", width: None, dropout: 0.5, drop_path: None };
    assert_eq!(parse_text(&text).unwrap().rounds[1].model, alexnet);
}

#[test]
fn variables_are_filled_in_and_may_look_like_numbers() {
    let text = changed("{ path: b }", "{ path: \"${MILLSTREAM_DATA}/b\" }");
    let folder = SourcePlan::Folder { path: PathBuf::from("/data/b"), layout: LayoutPlan::Classes };
    assert_eq!(parse_text(&text).unwrap().data.sources[0].1, folder);
    let text = changed("{ folder: { path: b } }", "\n      folder:\n        path: ${MILLSTREAM_OUT:-7}");
    let folder = SourcePlan::Folder { path: PathBuf::from("7"), layout: LayoutPlan::Classes };
    assert_eq!(parse_text(&text).unwrap().data.sources[0].1, folder);
}

#[test]
fn overrides_take_the_place_of_what_the_file_says() {
    let plan = parse_good(&[
        ("seed", "9"),
        ("selection.threshold", "0.9"),
        ("selection.balance.per_class", "10"),
        ("rounds.1.training.batch", "32"),
        ("training.optimizer.sgd.lr", "0.5"),
        ("training.augment", "[flip, {rotate: 3}]"),
        ("output.labels", "csv"),
        ("data.splits.labelled.take", "{per_class: 20}"),
        ("max_bad", "2"),
    ]);
    let plan = plan.unwrap();
    assert_eq!((plan.seed, plan.selection.threshold, plan.max_bad), (9, 0.9, MaxBad::Count(2)));
    assert_eq!(plan.selection.balance, Some(BalancePlan { per_class: 10, upsample: true }));
    assert_eq!((plan.rounds[0].training.batch, plan.rounds[1].training.batch), (64, 32));
    assert!(matches!(plan.rounds[0].training.optimizer, OptimizerPlan::Sgd { lr: 0.5, .. }));
    assert_eq!(plan.rounds[0].training.views[0].steps.len(), 2);
    assert_eq!(plan.output.labels, LabelFormat::Csv);
    assert_eq!(plan.data.splits[0].take, TakePlan::PerClass(20));
}

#[test]
fn an_override_reaches_into_a_kind_written_as_a_bare_name() {
    let text = changed("  ema: 0.99", "  schedule: cosine");
    let overrides = [("training.schedule.cosine.warmup".to_string(), "7".to_string())];
    let plan = parse_with(&text, "demo.yaml", &overrides, &environment).unwrap();
    assert_eq!(plan.rounds[1].training.schedule, SchedulePlan::Cosine { warmup: 7, floor: 0.0 });
}

#[test]
fn aliases_and_empty_sections_are_fine() {
    let text =
        changed("  - model: { smallnet: { width: 20 } }", "  - model: &m { smallnet: { width: 20 } }\n  - model: *m");
    assert_eq!(
        parse_text(&text).unwrap().rounds[2].model,
        ModelPlan { name: "smallnet", width: Some(20), dropout: 0.0, drop_path: None }
    );
    let text = changed("selection:\n  threshold: 0.85\n", "selection:\n  # threshold: 0.85\noutput:\n");
    assert_eq!(parse_text(&text).unwrap().selection.threshold, 0.9);
}

#[test]
fn the_canonical_text_tells_apart_what_computes_differently() {
    let canonical = |overrides: &[(&str, &str)]| parse_good(overrides).unwrap().canonical();
    let original = canonical(&[]);
    for same in
        [("name", "other"), ("memory", "1GiB"), ("max_bad", "3"), ("training.batch", "64"), ("data.key", "place")]
    {
        assert_eq!(canonical(&[same]), original, "{same:?}");
    }
    for other in [
        ("seed", "4"),
        ("threads", "1"),
        ("data.key", "content"),
        ("data.splits.labelled.take.per_class", "11"),
        ("stream.eval_batch", "1"),
        ("stream.decode.truncated", "keep"),
        ("stream.decode.scale", "never"),
        ("stream.decode.max_pixels", "1000"),
        ("training.augment.0.affine.sampling", "nearest"),
        ("rounds.1.training.views", "[{name: train, count: 2}]"),
        ("training.mix.mixup", "0.2"),
        ("training.ema", "0.98"),
        ("training.ema", "{ decay: 0.99, warmup: false }"),
        ("training.optimizer", "adamw"),
        ("training.clip", "{ norm: 1.0 }"),
        ("training.accumulate", "2"),
        ("training.sync_batch_norm", "true"),
        ("training.schedule", "cosine"),
        ("rounds.1.model.smallnet.width", "21"),
        ("selection.threshold", "0.86"),
    ] {
        assert_ne!(canonical(&[other]), original, "{other:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&original).unwrap();
    assert_eq!(json["selection"]["threshold"].to_string(), "0.85");
}
