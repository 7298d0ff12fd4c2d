//! `training.unlabelled` and `training.distill`.

use std::path::PathBuf;

use super::*;

/// The good definition whose training has these lines, too.
fn with(training: &str) -> String {
    changed("  ema: 0.99", &format!("  ema: 0.99\n{training}"))
}

/// The same, with a weak and a strong view instead of its own.
fn two_views(training: &str) -> String {
    let text = with(training);
    let (before, rest) = text.split_once("  augment:\n").unwrap();
    let after = rest.lines().skip_while(|line| line.starts_with("    ")).map(|line| format!("{line}\n"));
    let views =
        "  views:\n    - { name: weak, augment: [flip] }\n    - { name: strong, of: unlabelled, augment: [invert] }\n";
    format!("{before}{views}{}", after.collect::<String>())
}

#[track_caller]
fn training(text: &str, round: usize) -> TrainingPlan {
    parse_text(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}")).rounds[round].training.clone()
}

#[track_caller]
fn refused(text: &str, under: &str, message: &str, help: &str) {
    let mistakes = parse_text(text).unwrap_err();
    let item = &mistakes.items()[0];
    assert_eq!(underlined(item.place.as_ref().unwrap()), under, "{mistakes}");
    assert!(item.message.contains(message), "{mistakes}");
    assert!(item.help.as_deref().unwrap_or_default().contains(help), "{mistakes}");
}

#[test]
fn unlabelled_images_teach_by_selected_labels_or_the_model_s_own_word() {
    assert_eq!(training(&with(""), 1).unlabelled, UnlabelledPlan::Selected);
    assert_eq!(training(&with("  unlabelled: selected"), 1).unlabelled, UnlabelledPlan::Selected);
    let own = |weak: Option<&str>, threshold, weight, ramp| {
        UnlabelledPlan::Own(OwnPlan {
            weak: weak.map(str::to_owned),
            threshold,
            flexible: None,
            weight,
            ramp,
            mean_teacher: false,
        })
    };
    for (written, plan) in [
        ("pseudo_label", own(None, 0.95, 1.0, [0.0, 0.4])),
        ("{ pseudo_label: { threshold: 0, weight: 3, ramp: [0.1, 0.6] } }", own(None, 0.0, 3.0, [0.1, 0.6])),
        ("fixmatch", own(Some("weak"), 0.95, 1.0, [0.0; 2])),
        ("{ fixmatch: { threshold: 0.7, weight: 10 } }", own(Some("weak"), 0.7, 10.0, [0.0; 2])),
    ] {
        let text = two_views(&format!("  unlabelled: {written}"));
        assert_eq!(training(&text, 0).unlabelled, plan, "{written}");
    }
    // The first round of this definition has no averaged weights.
    let text = two_views("  unlabelled: { fixmatch: { mean_teacher: true } }");
    refused(&text, "unlabelled", "there are none", "give `ema`");
    let own = training(&text.replace(", ema: off", ""), 0).unlabelled;
    assert!(matches!(own, UnlabelledPlan::Own(OwnPlan { mean_teacher: true, .. })));
    let flexible = |text: &str| match training(&two_views(text), 0).unlabelled {
        UnlabelledPlan::Own(OwnPlan { flexible, .. }) => flexible,
        _ => None,
    };
    let convex = FlexiblePlan { warmup: true, mapping: MappingPlan::Convex };
    assert_eq!(flexible("  unlabelled: flexmatch"), Some(convex));
    let linear = FlexiblePlan { warmup: false, mapping: MappingPlan::Linear };
    assert_eq!(flexible("  unlabelled: { flexmatch: { warmup: false, mapping: linear } }"), Some(linear));
}

#[test]
fn one_round_alone_needs_the_split_that_it_learns_from() {
    let text = two_views("  unlabelled: fixmatch");
    let alone = text
        .replace("  - model: { smallnet: { width: 20 } }\n", "")
        .replace("    unlabelled: { from", "    more: { from");
    assert_ne!(alone, text);
    refused(&alone, "splits", "there is no split `unlabelled`", "rounds learn from");
    let selected = alone.replace("  unlabelled: fixmatch", "  unlabelled: selected");
    assert!(parse_text(&selected).is_ok(), "{}", parse_text(&selected).unwrap_err());
    let none = with("  unlabelled_ratio: 0").replace("    unlabelled: { from", "    more: { from");
    assert!(parse_text(&none).is_ok(), "no round takes any: {}", parse_text(&none).unwrap_err());
}

#[test]
fn the_model_s_own_word_needs_a_weak_view_and_others() {
    let one = with("  unlabelled: fixmatch");
    refused(&one, "unlabelled", "unlabelled images have no view `weak`", "name: strong, of: unlabelled");
    let named = two_views("  unlabelled: { fixmatch: { weak: mild } }");
    refused(&named, "unlabelled", "no view `mild`", "views:");
    let only = two_views("  unlabelled: fixmatch").replace("of: unlabelled", "of: labelled");
    refused(&only, "unlabelled", "only the view `weak`", "views:");
    let often = two_views("  unlabelled: flexmatch").replace("name: weak,", "name: weak, count: 2,");
    refused(&often, "unlabelled", "comes 2 times", "remove its `count`");
    assert!(parse_text(&with("  unlabelled: pseudo_label")).is_ok(), "each view is asked about itself");
}

#[test]
fn what_does_not_go_with_the_model_s_own_word() {
    let none = two_views("  unlabelled: fixmatch\n  unlabelled_ratio: 0");
    refused(&none, "unlabelled", "`unlabelled_ratio` is 0", "unlabelled_ratio");
    let taught = two_views("  unlabelled: fixmatch\n  distill: { teacher: a.safetensors }");
    refused(&taught, "unlabelled", "either a teacher", "distill: off");
    let back = with("  unlabelled: { pseudo_label: { ramp: [0.6, 0.1] } }");
    refused(&back, "ramp", "lies before the first", "ramp: [0.1, 0.6]");
    let zero = two_views("  unlabelled: { flexmatch: { threshold: 0 } }");
    refused(&zero, "0", "above 0", "");
}

#[test]
fn a_teacher_is_the_round_before_or_a_file() {
    assert_eq!(training(&with(""), 1).distill, None);
    let plan = |teacher, weight, label_weight| Some(DistillPlan { teacher, temperature: 4.0, weight, label_weight });
    let previous = with("  distill: {}");
    assert_eq!(training(&previous, 0).distill, None, "the first round has none");
    let found = training(&previous, 1).distill.unwrap();
    assert_eq!((found.teacher, found.weight), (TeacherPlan::Previous, 0.9));
    assert!((found.label_weight - 0.1).abs() < 1e-12);
    let file = with("  distill: { teacher: a/b.safetensors, weight: 1, label_weight: 0.5 }");
    let teacher = || TeacherPlan::File(PathBuf::from("a/b.safetensors"));
    assert_eq!(training(&file, 0).distill, plan(teacher(), 1.0, 0.5));
    let heavy = with("  distill: { teacher: a/b.safetensors, weight: 2 }");
    assert_eq!(training(&heavy, 0).distill, plan(teacher(), 2.0, 0.0));
    assert_eq!(training(&with("  distill: off"), 1).distill, None);
}

#[test]
fn a_first_round_has_no_round_before_it() {
    let own = changed(
        "    training: { steps: 400, ema: off }",
        "    training: { steps: 400, distill: { teacher: previous } }",
    );
    refused(&own, "distill", "no round before the first", "teacher: FILE");
    let alone = with("  distill: {}").replace("  - model: { smallnet: { width: 20 } }\n", "");
    refused(&alone, "distill", "no round before the first", "teacher: FILE");
    let nothing = with("  distill: { weight: 0 }");
    refused(&nothing, "0", "above 0", "");
}

#[test]
fn stored_labels_are_distilled_at_a_temperature() {
    assert_eq!(training(&with("  targets: distill"), 1).targets, TargetsPlan::Distill { temperature: 4.0 });
    let warm = with("  targets: { distill: { temperature: 2 } }");
    assert_eq!(training(&warm, 1).targets, TargetsPlan::Distill { temperature: 2.0 });
}

#[test]
fn a_teacher_alone_may_say_what_unlabelled_images_are() {
    let file = with("  unlabelled: teacher\n  distill: { teacher: a.safetensors }");
    assert_eq!(training(&file, 0).unlabelled, UnlabelledPlan::Teacher);
    let first = with("  unlabelled: teacher\n  distill: {}");
    refused(&first, "unlabelled", "round 0 has no teacher", "teacher: FILE");
    let stored = with("  unlabelled: teacher\n  targets: soft\n  distill: { teacher: a }");
    refused(&stored, "targets", "there are none", "leave `targets` out");
    let none = with("  unlabelled: teacher\n  unlabelled_ratio: 0\n  distill: { teacher: a }");
    refused(&none, "unlabelled", "`unlabelled_ratio` is 0", "unlabelled_ratio");
}
