//! Views, mixing and decoding.

use millstream_imageops::{Mixing, Per, Step};

use super::*;

/// Message and help of the one mistake of the good definition with overrides.
fn mistake(overrides: &[(&str, &str)]) -> (String, String) {
    let mistakes = parse_good(overrides).unwrap_err();
    let [item] = mistakes.items() else { panic!("{mistakes}") };
    (item.message.clone(), item.help.clone().unwrap_or_default())
}

/// The good definition with views in place of `augment`.
fn with_views(views: &str) -> Result<Plan, Diagnostics> {
    let steps = "    - affine: { degrees: 8, shear: 0.09, translate: 2 }\n    - rotate: 9\n    - equalize\n";
    parse_text(&changed(&format!("  augment:\n{steps}"), &format!("  views: {views}\n")))
}

fn only_mistake(views: &str) -> Diagnostic {
    let mistakes = with_views(views).unwrap_err();
    let [item] = mistakes.items() else { panic!("{mistakes}") };
    item.clone()
}

#[test]
fn weak_and_strong_views() {
    let plan = with_views(
        "[{ name: weak, augment: [flip] }, { name: strong, augment: [equalize, flip], of: unlabelled, count: 2 }]",
    );
    let plan = plan.unwrap();
    let training = &plan.rounds[1].training;
    let flip = Step::RandomFlip { horizontal: true, p: 0.5 };
    assert_eq!(training.views.len(), 2);
    assert_eq!(training.views[0], ViewPlan { name: "weak".to_string(), steps: vec![flip], count: 1, of: ViewOf::All });
    assert_eq!((training.views[1].name.as_str(), training.views[1].steps.len()), ("strong", 2));
    assert_eq!((training.views[1].count, training.views[1].of), (2, ViewOf::Unlabelled));
    assert_eq!((training.images_per_labelled(), training.images_per_unlabelled()), (1, 3));
    assert_eq!(training.images(), 64 + 3 * 64 * 3);
}

#[test]
fn a_round_has_its_own_views_or_augment_in_place_of_the_common_ones() {
    let common = with_views("[{ name: a, count: 3 }]").unwrap();
    assert_eq!(common.rounds[1].training.views[0].count, 3);
    let names = |key: &str, value: &str| {
        let plan = parse_good(&[(key, value)]).unwrap();
        plan.rounds.iter().map(|round| round.training.views[0].name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("rounds.1.training.views", "[{ name: b }]"), ["train", "b"]);
    let text = changed(
        "  augment:\n    - affine: { degrees: 8, shear: 0.09, translate: 2 }\n    - rotate: 9\n    - equalize\n",
        "  views: [{ name: a }]\n",
    )
    .replace("{ steps: 400, ema: off }", "{ steps: 400, augment: [flip] }");
    let plan = parse_text(&text).unwrap();
    assert_eq!(
        (plan.rounds[0].training.views[0].name.as_str(), plan.rounds[1].training.views[0].name.as_str()),
        ("train", "a")
    );
}

#[test]
#[rustfmt::skip]
fn views_that_do_not_go_together() {
    for (views, under, message, help) in [
        ("[{ name: a }, { name: a }]", "a", "two views are called `a`", "its own name"),
        ("[{ name: 'a b' }]", "'a b'", "`a b` is no name for a view", "letters"),
        ("[{ name: '' }]", "''", "`name` is empty", ""),
        ("[{ augment: [flip] }]", "{", "lacks the key `name`", "Its name"),
        ("[{ name: a, count: 17 }]", "17", "from 1 to 16", ""),
        ("[{ name: a, of: both }]", "both", "`of` cannot be `both`", "`labelled`"),
        ("[]", "views", "`views` must be a list of 1 to 255 items", ""),
        ("[{ name: a, of: unlabelled }]", "views", "no view is of labelled images", "of: labelled"),
        ("[{ name: a, of: labelled }]", "views", "no view is of unlabelled images", "unlabelled_ratio: 0"),
        ("[{ name: a, augment: [flop] }]", "flop", "has no kind `flop`", "`flip`"),
    ] {
        let item = only_mistake(views);
        assert!(item.message.contains(message), "{}", item.message);
        assert_eq!(underlined(item.place.as_ref().unwrap()), under, "{}", item.message);
        assert!(item.help.as_deref().unwrap_or_default().contains(help), "{:?}", item.help);
    }
    let many: Vec<String> = (0..16).map(|n| format!("{{ name: v{n}, count: 16 }}")).collect();
    let item = only_mistake(&format!("[{}]", many.join(", ")));
    assert!(item.message.contains("256 images of one"), "{}", item.message);
    let both = mistake(&[("training.views", "[{ name: a }]")]);
    assert!(both.0.contains("`augment` and `views`") && both.1.contains("one of the views"), "{both:?}");
}

#[test]
fn unlabelled_views_are_needed_only_where_unlabelled_images_are() {
    let views =
        [("rounds.1.training.views", "[{ name: a, of: labelled }]"), ("rounds.1.training.unlabelled_ratio", "0")];
    assert!(parse_good(&views).is_ok());
    assert!(parse_good(&views[..1]).is_err());
    assert!(parse_good(&[("rounds.0.training.views", "[{ name: a, of: labelled }]")]).is_ok());
}

#[test]
fn views_count_as_images_of_a_step() {
    let (message, _) = mistake(&[("memory", "1MiB"), ("rounds.1.training.views", "[{ name: a, count: 8 }]")]);
    assert!(message.contains("2048 images are 1720320 bytes"), "{message}");
    let (message, help) =
        mistake(&[("training.batch", "65536"), ("rounds.1.training.views", "[{ name: a, count: 8 }]")]);
    assert!(message.contains("in 8 views, are 2097152 in a step") && help.contains("1048576"), "{message}");
}

#[test]
fn mixing_is_off_or_has_a_kind() {
    let mix = |value: &str| parse_good(&[("training.mix", value)]).unwrap().rounds[0].training.mix;
    assert_eq!(parse_text(GOOD).unwrap().rounds[0].training.mix, None);
    assert_eq!(mix("off"), None);
    let expected = Mixing { cutmix: 1.0, mixup: 0.0, p: 1.0, switch: 0.5, per: Per::Batch };
    assert_eq!(mix("{ cutmix: 1 }"), Some(expected));
    let expected = Mixing { cutmix: 1.0, mixup: 0.2, p: 0.5, switch: 0.25, per: Per::Element };
    assert_eq!(mix("{ cutmix: 1, mixup: 0.2, p: 0.5, switch: 0.25, per: element }"), Some(expected));
    let plan = parse_good(&[("training.mix", "{ mixup: 0.2 }"), ("rounds.0.training.mix", "off")]).unwrap();
    assert!(plan.rounds[0].training.mix.is_none() && plan.rounds[1].training.mix.is_some());
    for (value, message, help) in [
        ("{}", "mixes nothing", "mixup: 0.2"),
        ("{ p: 0.5 }", "mixes nothing", "mix: off"),
        ("{ mixup: 1e-60 }", "mixes nothing", "mix: off"),
        ("on", "`mix` must be a mapping (`key: value`) or `off`", "`cutmix`, `mixup`"),
        ("{ cutmx: 1 }", "unknown key `cutmx`", "`cutmix`"),
        ("{ mixup: -1 }", "from 0 to 1000", ""),
        ("{ mixup: 1, p: 2 }", "from 0 to 1", ""),
        ("{ mixup: 1, per: image }", "`per` cannot be `image`", "`element`"),
    ] {
        let found = mistake(&[("training.mix", value)]);
        assert!(found.0.contains(message) && found.1.contains(help), "{found:?}");
    }
}

#[test]
fn decoding() {
    let decode = |value: &str| parse_good(&[("stream.decode", value)]).unwrap().stream.decode;
    let default = DecodePlan { keep_truncated: false, scale: true, max_pixels: 178_956_970 };
    assert_eq!(parse_text(GOOD).unwrap().stream.decode, default);
    assert_eq!(decode("{}"), default);
    assert_eq!(decode("{ truncated: keep }"), DecodePlan { keep_truncated: true, ..default });
    assert_eq!(decode("{ scale: never, max_pixels: 1000 }"), DecodePlan { scale: false, max_pixels: 1000, ..default });
    for (value, message) in [
        ("{ truncated: yes }", "`truncated` cannot be `yes`"),
        ("{ scale: half }", "`scale` cannot be `half`"),
        ("{ max_pixels: 0 }", "from 1 to 268435456"),
        ("{ pixels: 5 }", "unknown key `pixels`"),
    ] {
        let found = mistake(&[("stream.decode", value)]);
        assert!(found.0.contains(message), "{found:?}");
    }
}
