use millstream_imageops::{Op, Sampling};
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Vec<Step>, Diagnostics> {
    parse_steps(text, "--ops", None)
}

fn rotate(degrees: f32) -> Step {
    Step::Apply { op: Op::Rotate { degrees, sampling: Sampling::Nearest }, fill: [0; 3], p: 1.0 }
}

#[test]
fn lists_and_single_steps() {
    let cutout = Step::Cutout { size: 8, fill: [0; 3], p: 1.0 };
    assert_eq!(parse("[{rotate: 9.0}, {cutout: 8}]"), Ok(vec![rotate(9.0), cutout.clone()]));
    assert_eq!(parse("- rotate: 9.0\n- cutout:\n    size: 8\n"), Ok(vec![rotate(9.0), cutout]));
    assert_eq!(parse("rotate: 9.0"), Ok(vec![rotate(9.0)]));
    assert_eq!(parse("randaugment"), parse("[{randaugment: {magnitude: 9}}]"));
    assert_eq!(parse("{randaugment: {variant: tf}}").map(|steps| steps[0].name()), Ok("randaugment"));
    assert_eq!(parse("[]"), Ok(Vec::new()));
}

#[test]
fn a_size_is_taken_from_the_caller_or_must_be_given() {
    let expected = Step::CenterCrop { height: 20, width: 30 };
    assert_eq!(parse_steps("center_crop", "--ops", Some((20, 30))), Ok(vec![expected.clone()]));
    assert_eq!(parse("center_crop: {size: [20, 30]}"), Ok(vec![expected]));
    for (text, column, example) in [
        ("[flip, center_crop]", 8, "{ size: [224, 224] }"),
        ("[{resize: {filter: nearest}}]", 3, "{ size: [224, 224] }"),
        ("resize_short", 1, "{ size: 224 }"),
        ("random_resized_crop", 1, "{ size: [224, 224] }"),
        ("five_crop", 1, "{ size: [224, 224] }"),
    ] {
        let mistakes = parse(text).unwrap_err();
        let [item] = mistakes.items() else { panic!("{mistakes}") };
        assert!(item.message.contains("needs a `size`"), "{mistakes}");
        assert!(item.help.as_ref().is_some_and(|help| help.contains(example)), "{mistakes}");
        assert_eq!(item.place.as_ref().map(|place| place.column), Some(column), "{mistakes}");
    }
}

#[test]
fn timm_fills_with_the_middle_gray() {
    let steps = parse("randaugment: {variant: timm}").unwrap();
    assert!(matches!(steps[0], Step::RandAugment { fill: [128, 128, 128], .. }));
}

#[test]
fn mistakes_are_shown_in_the_text_of_the_option() {
    let expected = "\
error: `--ops[0]` has no kind `rotaet`
 --> --ops:1:3
  |
1 | [{rotaet: 9.0}, {cutout: 0}]
  |   ^^^^^^
  = help: did you mean `rotate`?

error: `cutout` must be a whole number from 1 to 65535, but it is 0
 --> --ops:1:26
  |
1 | [{rotaet: 9.0}, {cutout: 0}]
  |                          ^

2 mistakes";
    assert_eq!(parse("[{rotaet: 9.0}, {cutout: 0}]").unwrap_err().to_string(), expected);
    for (text, message) in [
        ("", "`--ops` says nothing"),
        ("# flip", "`--ops` says nothing"),
        ("flop", "`--ops` has no kind `flop`"),
        ("7", "`--ops` must be one key out of"),
        ("[7]", "`--ops[0]` must be one key out of"),
        ("[flip", "not YAML"),
        ("{flip: {}, equalize: {}}", "`--ops` is two things at once: `flip` and `equalize`"),
        ("{}", "`--ops` must be one key out of"),
        ("flip: {p: 2}", "from 0 to 1"),
        ("[randaugment: {variant: timm, bins: 3}]", "`timm` has no `bins`"),
        ("${PATH}", "`PATH` is not one"),
    ] {
        let mistakes = parse(text).unwrap_err();
        let [item] = mistakes.items() else { panic!("{text}: {mistakes}") };
        assert!(item.message.contains(message), "{mistakes}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z_:{}\\[\\]\\-, .0-9]{0,60}") {
        if let Err(mistakes) = parse(&text) {
            prop_assert!(!mistakes.items().is_empty());
        }
    }

    /// Words of the language in any order: more of these get through to the checks.
    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(prop::sample::select(vec![
        "[", "]", "{", "}", ": ", ", ", "cutout", "randaugment", "gaussian_blur", "apply", "op", "size", "fill", "p",
        "variant", "timm", "magnitude", "crop", "5", "0.5", "-1", "[1, 2, 3]",
    ]), 0..16)) {
        if let Err(mistakes) = parse(&words.concat()) {
            prop_assert!(!mistakes.items().is_empty());
        }
    }
}
