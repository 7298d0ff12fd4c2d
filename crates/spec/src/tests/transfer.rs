//! Weights that rounds start from, and what of them trains.

use std::path::PathBuf;

use super::*;

/// The good definition whose second round has these keys, and whose training has `training`.
fn with(training: &str, second: &str) -> String {
    changed("  ema: 0.99", &format!("  ema: 0.99{training}")).replace(
        "  - model: { smallnet: { width: 20 } }",
        &format!("  - model: {{ smallnet: {{ width: 16 }} }}{second}"),
    )
}

#[track_caller]
fn refused(text: &str, line: usize, under: &str, message: &str, help: &str) {
    let mistakes = parse_text(text).unwrap_err();
    let [item] = mistakes.items() else { panic!("{mistakes}") };
    let place = item.place.as_ref().unwrap();
    assert_eq!((place.line, underlined(place).as_str()), (line, under), "{mistakes}");
    assert!(item.message.contains(message), "{mistakes}");
    assert!(item.help.as_deref().unwrap_or_default().contains(help), "{mistakes}");
}

#[test]
fn weights_are_fresh_a_file_or_those_of_the_round_before() {
    let weights = |text: &str| parse_text(text).unwrap().rounds[1].weights.clone();
    assert_eq!(weights(&with("", "")), WeightsPlan::Fresh);
    assert_eq!(weights(&with("", "\n    weights: a/b.pth")), WeightsPlan::File(PathBuf::from("a/b.pth")));
    let variable = with("", "\n    weights: ${MILLSTREAM_DATA}/b.pth");
    assert_eq!(weights(&variable), WeightsPlan::File(PathBuf::from("/data/b.pth")));
    assert_eq!(weights(&with("", "\n    weights: previous")), WeightsPlan::Previous);
    let noisier = with("", "\n    weights: previous").replacen("{ width: 16 }", "{ width: 16, dropout: 0.5 }", 1);
    assert_eq!(weights(&noisier), WeightsPlan::Previous, "dropout has no weights");
}

#[test]
fn what_stays_and_how_fast_the_rest_trains() {
    let rate = |pattern: &str, rate| RateGroupPlan { pattern: pattern.to_string(), rate };
    let tensors = |names: &[&str]| Some(FreezePlan::Tensors(names.iter().map(|name| name.to_string()).collect()));
    for (written, freeze, rates) in [
        ("{ freeze: body }", Some(FreezePlan::Body), None),
        ("{ freeze: [blocks.0.*, '*.bias'] }", tensors(&["blocks.0.*", "*.bias"]), None),
        ("{ freeze: blocks.0.* }", tensors(&["blocks.0.*"]), None),
        ("{ rates: { layer_decay: 0.75 } }", None, Some(RatesPlan::LayerDecay { decay: 0.75, min: 0.0 })),
        (
            "{ rates: { layer_decay: { decay: 0.5, min: 0.01 } } }",
            None,
            Some(RatesPlan::LayerDecay { decay: 0.5, min: 0.01 }),
        ),
        (
            "{ freeze: [a*], rates: { groups: [{ match: blocks.*, rate: 0.1 }, { match: '*', rate: 2 }] } }",
            tensors(&["a*"]),
            Some(RatesPlan::Groups(vec![rate("blocks.*", 0.1), rate("*", 2.0)])),
        ),
    ] {
        let text = with("", &format!("\n    weights: w.pth\n    training: {{ transfer: {written} }}"));
        let plan = parse_text(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(plan.rounds[1].training.transfer, Some(TransferPlan { freeze, rates }), "{written}");
        assert_eq!(plan.rounds[0].training.transfer, None);
    }
}

#[test]
fn a_round_may_switch_off_what_all_rounds_have() {
    let off = with("\n  transfer: { rates: { layer_decay: 0.75 } }", "\n    training: { transfer: off }");
    let plan = parse_text(&off).unwrap();
    assert!(plan.rounds[0].training.transfer.is_some() && plan.rounds[1].training.transfer.is_none());
}

#[test]
fn the_canonical_text_tells_them_apart() {
    let texts = [
        with("", ""),
        with("", "\n    weights: a"),
        with("", "\n    weights: b"),
        with("", "\n    weights: previous"),
        with("\n  transfer: { rates: { layer_decay: 0.75 } }", ""),
        with("\n  transfer: { rates: { layer_decay: 0.5 } }", ""),
        with("", "\n    weights: a\n    training: { transfer: { freeze: body } }"),
    ];
    let canonical: std::collections::BTreeSet<String> =
        texts.iter().map(|text| parse_text(text).unwrap().canonical()).collect();
    assert_eq!(canonical.len(), texts.len());
}

#[test]
fn weights_that_nobody_has() {
    let first = changed("    training: { steps: 400, ema: off }", "    weights: previous");
    refused(&first, 26, "previous", "no round before the first", "give a file");
    let other = changed("{ smallnet: { width: 20 } }", "{ smallnet: { width: 20 } }\n    weights: previous");
    refused(
        &other,
        28,
        "previous",
        "round 1 goes on with the weights of round 0, which has another model",
        "same `model`",
    );
    refused(&with("", "\n    weights: ''"), 28, "''", "`weights` is empty", "");
    refused(&with("", "\n    weights: 3"), 28, "3", "`weights` must be text", "");
}

#[test]
fn transfers_that_make_no_sense() {
    let second = |transfer: &str| with("", &format!("\n    weights: w\n    training: {{ transfer: {transfer} }}"));
    refused(&second("{}"), 29, "transfer", "`transfer` says nothing", "`transfer: off`");
    refused(&second("{ freeze: [] }"), 29, "freeze", "`freeze` names nothing", "freeze: body");
    refused(&second("{ freeze: [body, a.*] }"), 29, "freeze", "`body` stands among patterns", "alone");
    refused(&second("{ rates: { groups: [] } }"), 29, "groups", "`groups` is empty", "rate: 0.1");
    refused(&second("{ rates: { layer_decay: 0 } }"), 29, "0", "`layer_decay`", "");
    refused(&second("{ rates: { layer_decay: 1.5 } }"), 29, "1.5", "`layer_decay`", "");
    refused(
        &second("{ rates: { groups: [{ match: a, rate: -1 }] } }"),
        29,
        "-1",
        "`rate` must be a number above 0",
        "",
    );
    refused(&second("{ freeze: body, rates: { layer_decay: 0.5 } }"), 29, "rates", "only the head trains", "keep one");
    refused(&second("{ frezee: body }"), 29, "frezee", "unknown key `frezee`", "`freeze`");
    let fresh = with("", "\n    training: { transfer: { freeze: body } }");
    refused(&fresh, 27, "model", "round 1 would keep fresh weights", "transfer: off");
}
