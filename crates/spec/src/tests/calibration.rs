//! The split `validation` and what calibrates with it.

use super::*;

/// The good definition with a validation split, and calibrated.
fn calibrated() -> String {
    let text = changed(
        "    labelled: { from: train, take",
        "    validation: { from: train, take: { per_class: 5 } }\n    labelled: { from: train, except: validation, take",
    );
    let text = text.replacen("except: labelled }", "except: [labelled, validation] }", 1);
    text.replacen("  threshold: 0.85", "  threshold: 0.85\n  calibrate: temperature", 1)
}

fn error(text: &str) -> (Diagnostics, Code, usize, String, String) {
    let mistakes = parse_text(text).unwrap_err();
    let [item] = mistakes.items() else { panic!("{mistakes}") };
    let place = item.place.as_ref().unwrap();
    let (code, line, under, help) = (item.code, place.line, underlined(place), item.help.clone().unwrap_or_default());
    (mistakes, code, line, under, help)
}

#[test]
fn a_plan_says_whether_it_calibrates() {
    let plan = parse_text(&calibrated()).unwrap();
    assert_eq!(plan.selection.calibrate, Some(CalibratePlan::Temperature));
    assert!(plan.canonical().contains(r#""calibrate":"temperature""#));
    let off = calibrated().replace("calibrate: temperature", "calibrate: off");
    assert_eq!(parse_text(&off).unwrap().selection.calibrate, None);
    assert_eq!(
        parse_text(&off).unwrap().canonical(),
        parse_text(&off.replace("  calibrate: off\n", "")).unwrap().canonical()
    );
}

#[test]
fn a_validation_split_may_be_there_for_its_own_sake() {
    let plan = parse_text(&calibrated().replace("  calibrate: temperature\n", "")).unwrap();
    assert!(plan.data.splits.iter().any(|split| split.name == "validation"));
    let drawn = graph::render(&plan, graph::Format::Text);
    assert!(drawn.contains("split validation (validates)") && drawn.contains("  confidence >= 0.85"), "{drawn}");
}

#[test]
fn the_graph_shows_what_calibrates() {
    let drawn = graph::render(&parse_text(&calibrated()).unwrap(), graph::Format::Text);
    assert_eq!(drawn.matches("split validation (calibrates)").count(), 2, "{drawn}");
    assert!(drawn.contains("  calibrated confidence >= 0.85  <-"), "{drawn}");
}

#[test]
fn calibration_without_a_validation_split_comes_with_one_to_copy() {
    let text = changed("  threshold: 0.85", "  threshold: 0.85\n  calibrate: temperature");
    let (mistakes, code, line, under, help) = error(&text);
    assert_eq!((code, line, under.as_str()), (Code::Missing, 30, "temperature"), "{mistakes}");
    assert!(help.contains("`validation: { from: train, take: { per_class: 50 } }`"), "{mistakes}");
    assert!(help.contains("`except` of `labelled` and `unlabelled`"), "{mistakes}");
    let (.., under, help) = error(&calibrated().replace("validation", "validaton"));
    assert_eq!(
        (under.as_str(), help.as_str()),
        ("temperature", "is `validaton` meant? It must be called `validation`")
    );
}

#[test]
fn what_calibrates_must_have_labels() {
    let text =
        calibrated().replacen("validation: { from: train, take: { per_class: 5 } }", "validation: { from: b }", 1);
    let text =
        text.replacen("    test: { folder", "    b: { folder: { path: c, layout: flat } }\n    test: { folder", 1);
    let (mistakes, code, _, under, help) = error(&text);
    assert_eq!((code, under.as_str()), (Code::Conflict, "b"), "{mistakes}");
    assert!(help.contains("add the labels of `b`"), "{mistakes}");
}

#[test]
fn a_misspelt_way_to_calibrate_is_found() {
    let (mistakes, code, line, under, help) = error(&calibrated().replace("temperature", "temprature"));
    assert_eq!((code, line, under.as_str()), (Code::UnknownKey, 31, "temprature"), "{mistakes}");
    assert!(help.contains("`temperature`"), "{mistakes}");
}
