use super::*;

const TEXT: &str = "
name: demo
data:
  sources:
    train-set: { idx: { images: images, labels: labels } }
    photos: { folder: { path: 'a \"b\"' } }
  splits:
    labelled: { from: train-set, take: { per_class: 10 } }
    unlabelled: { from: train-set, except: labelled }
    test: { from: photos, take: { fraction: 0.5 } }
stream: { size: [64, 64], channels: gray }
training: { steps: 600 }
rounds:
  - model: { smallnet: { width: 16 } }
  - model: alexnet
selection: { threshold: 0.85, balance: { per_class: 7 } }
";

fn drawn(format: Format) -> String {
    render(&crate::parse(TEXT, "demo.yaml", &[]).unwrap(), format)
}

#[test]
fn text_names_every_node_with_what_comes_in() {
    let expected = "\
demo
  source photos     folder a \"b\"
  source train-set  IDX images
  split labelled    10 of each class  <- source train-set
  split test        a share of 0.5  <- source photos
  split unlabelled  all  <- source train-set, split labelled (except)
  round 0           teacher smallnet(16), 600 steps of 64 images  <- split labelled, split test (tests)
  select 0          confidence >= 0.85, 7 of each class  <- split unlabelled, round 0 (labels)
  round 1           student alexnet, 600 steps of (64 + 3 x 64) images  <- split labelled, select 0 (pseudo-labels), split test (tests)
";
    assert_eq!(drawn(Format::Text), expected);
}

#[test]
fn whoever_says_what_unlabelled_images_are_is_shown() {
    let drawn = |training: &str| {
        let text = TEXT.replace("training: { steps: 600 }", &format!("training: {{ steps: 600, {training} }}"));
        render(&crate::parse(&text, "demo.yaml", &[]).unwrap(), Format::Text)
    };
    let own = drawn("unlabelled: pseudo_label");
    let first = "600 steps of (64 + 3 x 64) images  <- split labelled, split unlabelled (as the model says itself)";
    assert!(own.contains(first) && !own.contains("(pseudo-labels)"), "{own}");
    let taught = drawn("unlabelled: teacher, distill: { teacher: a.safetensors }");
    assert!(taught.contains("split unlabelled (as the teacher says), source teacher 1 (teaches)"), "{taught}");
    let before = drawn("distill: {}");
    assert!(before.contains("select 0 (pseudo-labels), round 0 (teaches)"), "{before}");
}

#[test]
fn a_round_shows_its_views_and_how_it_mixes() {
    let noise = |training: &str| {
        let text = TEXT.replace("training: { steps: 600 }", &format!("training: {{ steps: 600, {training} }}"));
        noise(&crate::parse(&text, "demo.yaml", &[]).unwrap().rounds[0].training)
    };
    assert!(noise("augment: []").is_empty());
    assert_eq!(noise("augment: [flip, { rotate: 3 }]"), ["view train: flip rotate"]);
    let views =
        "views: [{ name: weak }, { name: a, of: labelled, count: 2 }, { name: b, of: unlabelled, augment: [flip] }]";
    let expected = ["view weak: as it is", "view a, 2 of each labelled: as it is", "view b of unlabelled: flip"];
    assert_eq!(noise(views), expected);
    let mix = "mix: { cutmix: 1, mixup: 0.2, p: 0.5, per: element }";
    assert_eq!(noise(mix), ["mix by cutmix(1) or mixup(0.2), p 0.5, drawn for each image"]);
    assert_eq!(noise("mix: { mixup: 0.2 }"), ["mix by mixup(0.2)"]);
    let text = TEXT.replace("training: { steps: 600 }", "training: { steps: 600, augment: [flip] }");
    let drawn = render(&crate::parse(&text, "demo.yaml", &[]).unwrap(), Format::Mermaid);
    assert!(drawn.contains("600 steps of 64 images<br/>view train: flip"), "{drawn}");
}

#[test]
fn mermaid_and_dot_have_the_same_nodes_and_edges() {
    let mermaid = drawn(Format::Mermaid);
    assert!(mermaid.starts_with("---\ntitle: demo\n---\nflowchart TD\n"), "{mermaid}");
    assert!(mermaid.contains("    source_photos[(\"photos<br/>folder a #quot;b#quot;\")]\n"), "{mermaid}");
    assert!(mermaid.contains("    split_labelled -.->|except| split_unlabelled\n"), "{mermaid}");
    assert!(mermaid.contains("    select_0 -->|pseudo-labels| round_1\n"), "{mermaid}");
    let dot = drawn(Format::Dot);
    assert!(dot.starts_with("digraph \"demo\" {\n") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains("    source_train_d_set [shape=cylinder, label=\"train-set\\nIDX images\"];\n"), "{dot}");
    assert!(dot.contains("    select_0 -> round_1 [label=\"pseudo-labels\", style=solid];\n"), "{dot}");
    let arrows = |text: &str, arrows: &[&str]| arrows.iter().map(|arrow| text.matches(arrow).count()).sum::<usize>();
    assert_eq!(arrows(&mermaid, &["-->", "-.->"]), arrows(&dot, &[" -> "]));
}

#[test]
fn names_that_differ_stay_apart() {
    assert_ne!(id("a-b"), id("a_b"));
    assert_ne!(id("a_d_b"), id("a-b"));
}
