//! What is said about bad definitions.

use proptest::prelude::*;

use super::*;

/// A mistake as (code, line, what is underlined, part of the message).
type Found = (Code, usize, &'static str, &'static str);

/// Checks that the text has exactly these mistakes, in this order.
fn check(text: &str, expected: &[Found]) {
    let Err(mistakes) = parse_text(text) else { panic!("no mistake found in\n{text}") };
    let items = mistakes.items().iter();
    let found: Vec<_> = items.filter_map(|item| item.place.as_ref().map(|place| (item, place))).collect();
    assert_eq!(found.len(), expected.len(), "{mistakes}\n{text}");
    for ((item, place), (code, line, under, message)) in found.iter().zip(expected) {
        let found = (item.code, place.line, underlined(place));
        assert_eq!(found, (*code, *line, (*under).to_string()), "{mistakes}\n{text}");
        assert!(item.message.contains(message), "{mistakes}");
    }
}

/// Replaces one part of the good definition and expects one mistake and part of its help.
fn one(from: &str, to: &str, expected: Found, help: &str) {
    let text = changed(from, to);
    check(&text, &[expected]);
    let mistakes = parse_text(&text).unwrap_err();
    let found = mistakes.items()[0].help.clone().unwrap_or_default();
    assert!(found.contains(help), "{mistakes}");
}

#[test]
fn six_different_mistakes_are_all_reported_at_once() {
    let text = GOOD
        .replace("seed: 3", "sead: 3")
        .replace("take: { per_class: 10 }", "take: { per_class: ten }")
        .replace("except: labelled", "except: labeled")
        .replace("size: [28, 30]", "size: [28]")
        .replace("    - rotate: 9", "    - rotaet: 9")
        .replace("threshold: 0.85", "threshold: 1.5");
    check(
        &text,
        &[
            (Code::UnknownKey, 2, "sead", "unknown key `sead`"),
            (Code::WrongType, 10, "ten", "`per_class` must be a whole number from 1"),
            (Code::Reference, 11, "labeled", "there is no split `labeled`"),
            (Code::OutOfRange, 14, "size", "`size` must be a list of 2 numbers, but has 1"),
            (Code::UnknownKey, 21, "rotaet", "`augment[1]` has no kind `rotaet`"),
            (Code::OutOfRange, 29, "1.5", "`threshold` must be a number above 0 and below 1, but it is 1.5"),
        ],
    );
    let shown = parse_text(&text).unwrap_err().to_string();
    assert!(shown.ends_with("\n6 mistakes"), "{shown}");
    let example = "\
error: there is no split `labeled`
  --> demo.yaml:11:42
   |
11 |     unlabelled: { from: [train], except: labeled }
   |                                          ^^^^^^^
   = help: did you mean `labelled`?
";
    assert!(shown.contains(example), "{shown}");
}

#[test]
fn text_that_is_not_yaml() {
    for text in
        ["a: [1, 2\nb: 3\n", "a: \"open\n", "a: b: c\n", "a:\n\tb: 1\n", "}", "a: 1\n b: 2\n", "%", "a: {b: ${HOME}}\n"]
    {
        let mistakes = parse_text(text).unwrap_err();
        let item = &mistakes.items()[0];
        assert!(matches!(item.code, Code::Syntax | Code::WrongType), "{mistakes}");
        assert!(item.place.as_ref().is_some_and(|place| place.line >= 1), "{mistakes}");
        assert!(item.help.is_some(), "{mistakes}");
    }
    check("a: *b\n", &[(Code::Syntax, 1, "*", "not YAML")]);
}

#[test]
fn yaml_that_no_pipeline_needs() {
    check(&format!("{GOOD}---\nname: two\n"), &[(Code::Syntax, 30, "---", "a second document")]);
    one("name: demo", "name: !x demo", (Code::Syntax, 1, "!x demo", "a tag"), "remove it");
    one("seed: 3", "<<: {}\nseed: 3", (Code::Syntax, 2, "<<", "a merge key"), "write the keys out");
    check("? [a]\n: 1\n", &[(Code::Syntax, 1, "[", "as a key")]);
    one("seed: 3", "seed: 3\nseed: 4", (Code::DuplicateKey, 3, "seed", "`seed` is given twice"), "already on line 2");
    check("", &[(Code::Missing, 1, "", "says nothing")]);
    check("# nothing\n", &[(Code::Missing, 1, "#", "says nothing")]);
    check("just a word\n", &[(Code::WrongType, 1, "just a word", "the pipeline must be a mapping")]);
    check("- a\n- b\n", &[(Code::WrongType, 1, "-", "the pipeline must be a mapping")]);
}

#[test]
fn bombs_are_refused() {
    let deep = "[".repeat(200);
    assert!(parse_text(&deep).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(parse_text(&bomb).unwrap_err().to_string().contains("more than 100000 values"));
    let splits: String = (0..2000).map(|n| format!("    s{n}: {{ from: s{} }}\n", n + 1)).collect();
    let text = changed("    test: { from: test }\n", &format!("    test: {{ from: test }}\n{splits}"));
    check(&text, &[(Code::OutOfRange, 9, "splits", "`splits` has 2003 entries")]);
}

#[test]
#[rustfmt::skip]
fn unknown_keys_come_with_the_known_one() {
    one("threshold: 0.85", "treshold: 0.85", (Code::UnknownKey, 29, "treshold", "unknown key `treshold` in `selection`"), "`threshold`");
    one("seed: 3", "seed: 3\nthreshold: 0.5", (Code::UnknownKey, 3, "threshold", "unknown key `threshold`"), "belongs in `selection`");
    one("  ema: 0.99", "  seed: 1", (Code::UnknownKey, 23, "seed", "`seed` in `training`"), "belongs at the top level");
    one("  ema: 0.99", "  colour: 1", (Code::UnknownKey, 23, "colour", "`colour`"), "`augment`, `batch`, `clip`, `distill`, `ema`");
    one("- equalize", "- equalize: { p: 1 }", (Code::UnknownKey, 22, "p", "`p` in `equalize`"), "nothing to set");
    // The key that was meant is not missed as well.
    one("stream:", "steam:", (Code::UnknownKey, 13, "steam", "`steam`"), "`stream`");
    one("  steps: 600", "  stpes: 600", (Code::UnknownKey, 18, "stpes", "`stpes`"), "`steps`");
}

#[test]
#[rustfmt::skip]
fn missing_keys_come_with_what_they_mean() {
    one("name: demo\n", "", (Code::Missing, 1, "seed", "the pipeline lacks the key `name`"), "The name of the pipeline");
    one("  channels: gray\n", "", (Code::Missing, 13, "stream", "`stream` lacks the key `channels`"), "Gray or colour");
    one("seed: 3", "seed:", (Code::Missing, 2, "seed", "`seed` has no value"), "a whole number");
    one("  steps: 600\n", "", (Code::Missing, 26, "model", "how many steps round 1 trains"), "training: { steps");
}

#[test]
#[rustfmt::skip]
fn values_of_the_wrong_type() {
    for (from, to, line, column, message, help) in [
        ("seed: 3", "seed: three", 2, 7, "`seed` must be a whole number of at least 0, but this is the text `three`", ""),
        ("seed: 3", "seed: '3'", 2, 7, "the text `3`", "remove the quotes"),
        ("seed: 3", "seed: 1_000", 2, 7, "the text `1_000`", "write 1000"),
        ("seed: 3", "seed: 3.0", 2, 7, "the number 3.0", "write 3"),
        ("seed: 3", "seed: [3]", 2, 1, "but this is a list", ""),
        ("name: demo", "name: 2024", 1, 7, "`name` must be text, but this is the number 2024", "\"2024\""),
        ("  ema: 0.99", "  ema: on", 23, 8, "`ema`", ""),
        ("  ema: 0.99", "  augment: flip", 23, 3, "given twice", ""),
        ("rounds:", "rounds: 3\nround:", 24, 9, "`rounds` must be a list", ""),
        ("size: [28, 30]", "size: 28", 14, 9, "`size` must be a list of 2 numbers", "[28, 28]"),
        ("size: [28, 30]", "size: 28x30", 14, 9, "`size` must be a list of 2 numbers", "[28, 30]"),
        ("threshold: 0.85", "threshold: 85%", 29, 14, "but this is the text `85%`", "write 0.85"),
        ("    - rotate: 9", "    - flip: 0.5", 21, 13, "`flip` must be a mapping", "`direction`, `p`"),
        ("channels: gray", "channels: grey", 15, 13, "`channels` cannot be `grey`", "`gray`"),
        ("channels: gray", "channels: 1", 15, 13, "`channels` must be `gray` or `rgb`", ""),
        ("from: [train]", "from: { a: b }", 11, 19, "`from` must be text", ""),
    ] {
        let mistakes = parse_text(&changed(from, to)).unwrap_err();
        let item = &mistakes.items()[0];
        let place = item.place.as_ref().unwrap();
        assert_eq!((place.line, place.column), (line, column), "{mistakes}");
        assert!(item.message.contains(message), "{mistakes}");
        assert!(
            item.help.as_deref().unwrap_or_default().contains(help),
            "{mistakes}"
        );
    }
}

#[test]
#[rustfmt::skip]
fn kinds_that_are_none_or_two() {
    one("{ smallnet: { width: 20 } }", "{ smalnet: { width: 20 } }", (Code::UnknownKey, 27, "smalnet", "`model` has no kind `smalnet`"), "`smallnet`");
    one("{ smallnet: { width: 20 } }", "resnet", (Code::UnknownKey, 27, "resnet", "`model` has no kind `resnet`"), "did you mean `resnet18`?");
    let two = "{ smallnet: { width: 20 }, alexnet: {} }";
    one("{ smallnet: { width: 20 } }", two, (Code::Conflict, 27, "alexnet", "two things at once: `smallnet` and `alexnet`"), "keep one");
    one("    - rotate: 9", "    - flip:\n      p: 1", (Code::Conflict, 22, "p", "`flip` and `p`"), "indent it below `flip`");
    one("{ smallnet: { width: 20 } }", "{}", (Code::WrongType, 27, "model", "one key out of `smallnet`, `alexnet`"), "");
    one("take: { per_class: 10 }", "take: { all: { x: 1 } }", (Code::WrongType, 10, "all", "`all` has nothing to set"), "the word alone");
}

#[test]
#[rustfmt::skip]
fn values_out_of_range() {
    for (value, found) in [
        ("0", true),
        ("1", true),
        ("-0.1", true),
        ("1.2", true),
        (".nan", true),
        ("0.001", false),
        ("0.999", false),
    ] {
        let result = parse_text(&changed("threshold: 0.85", &format!("threshold: {value}")));
        assert_eq!(result.is_err(), found, "{value}");
    }
    one("seed: 3", "seed: -1", (Code::OutOfRange, 2, "-1", "`seed` must be a whole number of at least 0, but it is -1"), "");
    one("seed: 3", "seed: 99999999999999999999", (Code::OutOfRange, 2, "99999999999999999999", "`seed`"), "");
    one("width: 20", "width: 5000", (Code::OutOfRange, 27, "5000", "from 1 to 4096"), "");
    one("width: 20", "width: 4294967296", (Code::OutOfRange, 27, "4294967296", "from 1 to 4096"), "");
    one("name: demo", "name: ../up", (Code::OutOfRange, 1, "../up", "no name for a pipeline"), "letters");
    one("name: demo", "name: ''", (Code::OutOfRange, 1, "''", "`name` is empty"), "");
    one("memory: 64MiB", "memory: plenty", (Code::OutOfRange, 3, "plenty", "`plenty` is no amount"), "256MiB");
    one("max_bad: 0.5%", "max_bad: 0.01", (Code::OutOfRange, 4, "0.01", "neither a share nor"), "write 1%");
    one("max_bad: 0.5%", "max_bad: 200%", (Code::OutOfRange, 4, "200%", "more than all"), "");
    one("    test: { from: test }", "    test: { from: test }\n    half day: { from: train }", (Code::OutOfRange, 13, "half day", "no name for one of the splits"), "letters");
}

#[test]
fn a_threshold_off_the_grid_is_refused_with_balance_only() {
    let with =
        |threshold: &str| changed("threshold: 0.85", &format!("threshold: {threshold}\n  balance: {{ per_class: 5 }}"));
    assert!(parse_text(&changed("threshold: 0.85", "threshold: 0.333")).is_ok());
    for good in ["0.85", "0.29", "0.57", "0.07"] {
        assert!(parse_text(&with(good)).is_ok(), "{good}");
    }
    check(&with("0.333"), &[(Code::Conflict, 29, "0.333", "must be a multiple of 0.01")]);
    assert!(parse_text(&with("0.333")).unwrap_err().to_string().contains("write 0.33 or 0.34"));
    assert!(parse_text(&with("0.999")).unwrap_err().to_string().contains("write 0.99,"));
}

#[test]
#[rustfmt::skip]
fn references_to_nothing_and_cycles() {
    one("{ from: test }", "{ from: tset }", (Code::Reference, 12, "tset", "no source and no split `tset`"), "`test`");
    one("except: labelled", "except: train", (Code::Reference, 11, "train", "there is no split `train`"), "is a source");
    one("from: [train]", "from: [train, valid]", (Code::Reference, 11, "valid", "`valid`"), "there are: `test`, `train`, `labelled`");
    one("from: [train]", "from: []", (Code::Missing, 11, "from", "draws from nothing"), "`train`");
    let cycle = changed(
        "    labelled: { from: train,",
        "    labelled: { from: unlabelled,",
    );
    check(
        &cycle,
        &[(
            Code::Cycle,
            11,
            "labelled",
            "`labelled` depends on itself: `labelled` -> `unlabelled` -> `labelled`",
        )],
    );
    let own = changed(
        "    test: { from: test }",
        "    test: { from: test, except: test }",
    );
    check(&own, &[(Code::Cycle, 12, "test", "`test` -> `test`")]);
    one("    labelled:", "    labeled:", (Code::Missing, 10, "labeled", "no split `labelled`"), "is `labeled` meant?");
}

#[test]
#[rustfmt::skip]
fn settings_that_do_not_go_together() {
    one("labels: a/labels", "labels: a/labels, images: x", (Code::DuplicateKey, 7, "images", "`images`"), "");
    let std = (
        Code::Conflict,
        16,
        "std",
        "`std` has 1 number, but images have 3 channels",
    );
    check(
        &changed("channels: gray", "channels: rgb"),
        &[(Code::Conflict, 16, "mean", "`mean` has 1 number"), std],
    );
    one("steps: 400", "steps: 4, schedule: { cosine: { warmup: 4 } }", (Code::Conflict, 26, "4", "leaves nothing of the 4 steps"), "shorter");
    one("  ema: 0.99", "  optimizer: { sgd: { momentum: 0 } }", (Code::Conflict, 23, "0", "needs a momentum"), "nesterov: false");
    one("    - rotate: 9", "    - randaugment: { magnitude: 31 }", (Code::OutOfRange, 21, "31", "the `magnitude` of `torchvision` with 31 `bins` is a whole number of 0 to 30"), "its scale");
    one("    - rotate: 9", "    - random_resized_crop: { scale: [1, 0.1] }", (Code::OutOfRange, 21, "scale", "from 1 down to 0.1"), "[0.1, 1]");
    one("  channels: gray", "  channels: gray\n  eval: [flip]", (Code::Conflict, 16, "flip", "`flip` is random"), "training.augment");
    one("{ smallnet: { width: 20 } }", "alexnet", (Code::Conflict, 27, "alexnet", "at least 63 pixels"), "enlarge");
    one("memory: 64MiB", "memory: 100kB", (Code::Conflict, 3, "100kB", "less than one batch"), "at least 1MiB");
    one("  steps: 600", "  steps: 600\n  batch: 65536\n  unlabelled_ratio: 1024", (Code::OutOfRange, 19, "65536", "in a step"), "at most");
    one("[28, 30]", "[65535, 65535]", (Code::OutOfRange, 14, "size", "too many for one image"), "at most 268435456 pixels");
}

#[test]
fn labels_that_nobody_has() {
    let bare = "images: a/images }";
    let text = changed("images: a/images, labels: a/labels }", bare);
    check(&text, &[(Code::Conflict, 10, "train", "`labelled` is drawn by class, but source `train` has no labels")]);
    one(
        "{ path: b }",
        "{ path: b, layout: flat }",
        (Code::Conflict, 12, "test", "`test` needs labels"),
        "draw from another source",
    );
    let through = changed("{ path: b }", "{ path: b, layout: flat }")
        .replace("test: { from: test }", "half: { from: test }\n    test: { from: half }");
    check(&through, &[(Code::Conflict, 13, "half", "source `test` has no labels")]);
}

#[test]
fn a_wrong_value_is_reported_once_however_much_hangs_on_it() {
    for (from, to) in [
        ("{ idx: { images: a/images, labels: a/labels } }", "idx"),
        ("{ idx: { images: a/images, labels: a/labels } }", "{ ixd: { images: a, labels: b } }"),
        ("{ from: [train], except: labelled }", "[train]"),
        ("size: [28, 30]", "size: [28, 0]"),
        ("steps: 600", "steps: many"),
        ("channels: gray", "channels: pink"),
        ("rounds:", "runds:"),
        ("{ per_class: 10 }", "{ per_clas: 10 }"),
    ] {
        let mistakes = parse_text(&changed(from, to)).unwrap_err();
        assert_eq!(mistakes.items().len(), 1, "{to}:\n{mistakes}");
    }
}

#[test]
fn variables_that_may_not_be_used() {
    one(
        "{ path: b }",
        "{ path: \"${PATH}\" }",
        (Code::Variable, 8, "\"${PATH}\"", "`PATH` is not one"),
        "`HOME`, `MILLSTREAM_DATA`",
    );
    one(
        "name: demo",
        "name: x-${MILLSTREAM_DTA}",
        (Code::Variable, 1, "${MILLSTREAM_DTA}", "`MILLSTREAM_DTA`"),
        "`MILLSTREAM_DATA`",
    );
    one("name: demo", "name: ${USER}", (Code::Variable, 1, "${USER}", "`USER` is not set"), "${USER:-...}");
}

#[test]
#[rustfmt::skip]
fn overrides_that_lead_nowhere() {
    for (key, value, column, message, help) in [
        ("sed", "4", 7, "unknown key `sed`", "`seed`"),
        ("seed", "x", 12, "`seed` must be a whole number", ""),
        ("seed", "", 7, "`seed` has no value", ""),
        ("selection.threshold", "1.5", 27, "above 0 and below 1", ""),
        ("rounds.7.training.steps", "5", 7, "the list `rounds` has no item `7`", "0 to 1"),
        ("rounds.x.training.steps", "5", 7, "has no item `x`", "0 to 1"),
        ("seed.x", "5", 7, "`seed` is `3`, which has no key `x`", "--set seed={x: ...}"),
        ("", "5", 7, "an empty key", "--set training.steps=100"),
        ("training..steps", "5", 7, "an empty key", ""),
        ("training.augment", "[", 25, "not YAML", ""),
        ("name", "${PATH}", 12, "`PATH` is not one", ""),
    ] {
        let mistakes = parse_good(&[(key, value)]).unwrap_err();
        let [item] = mistakes.items() else {
            panic!("{key}={value}: {mistakes}")
        };
        let place = item.place.as_ref().unwrap();
        assert_eq!(
            (place.file.as_str(), place.line, place.column),
            ("<command line>", 1, column),
            "{mistakes}"
        );
        assert_eq!(place.text, format!("--set {key}={value}"));
        assert!(item.message.contains(message), "{mistakes}");
        assert!(
            item.help.as_deref().unwrap_or_default().contains(help),
            "{mistakes}"
        );
    }
}

proptest! {
    /// Whatever is in the file, the answer is a plan or a list of mistakes.
    #[test]
    fn no_text_makes_it_panic(text in "[a-z :{}\\[\\]\\-&*!|>'\"#%@,.0-9$\n\t\u{e9}\u{1F600}]{0,200}") {
        if let Err(mistakes) = parse_text(&text) {
            prop_assert!(!mistakes.items().is_empty());
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }

    /// A piece cut out of a good definition, or a piece put in: the mistakes still have places in the text.
    #[test]
    fn no_damage_makes_it_panic(start in 0..GOOD.len(), length in 0usize..40, put in "[ \n:{}\\[\\]a-z0-9-]{0,6}") {
        let end = (start + length).min(GOOD.len());
        let text = format!("{}{put}{}", &GOOD[..start], &GOOD[end..]);
        if let Err(mistakes) = parse_text(&text) {
            let lines = text.lines().count().max(1);
            for place in mistakes.items().iter().filter_map(|item| item.place.as_ref()) {
                prop_assert!(place.line >= 1 && place.line <= lines + 1, "{}", mistakes);
            }
        }
    }
}
