//! Whole definitions: what they become, and what is said about bad ones.

use super::*;

mod bad;
mod calibration;
mod good;
mod optimizers;
mod pipelines;
mod steps;
mod transfer;
mod unlabelled;
mod views;

/// A definition that is right.
const GOOD: &str = "\
name: demo
seed: 3
memory: 64MiB
max_bad: 0.5%
data:
  sources:
    train: { idx: { images: a/images, labels: a/labels } }
    test: { folder: { path: b } }
  splits:
    labelled: { from: train, take: { per_class: 10 } }
    unlabelled: { from: [train], except: labelled }
    test: { from: test }
stream:
  size: [28, 30]
  channels: gray
  normalize: { mean: [0.25], std: [0.5] }
training:
  steps: 600
  augment:
    - affine: { degrees: 8, shear: 0.09, translate: 2 }
    - rotate: 9
    - equalize
  ema: 0.99
rounds:
  - model: { smallnet: { width: 16 } }
    training: { steps: 400, ema: off }
  - model: { smallnet: { width: 20 } }
selection:
  threshold: 0.85
";

fn environment(name: &str) -> Option<String> {
    (name == "MILLSTREAM_DATA").then(|| "/data".to_string())
}

fn parse_good(overrides: &[(&str, &str)]) -> Result<Plan, Diagnostics> {
    let overrides: Vec<_> = overrides.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    parse_with(GOOD, "demo.yaml", &overrides, &environment)
}

fn parse_text(text: &str) -> Result<Plan, Diagnostics> {
    parse_with(text, "demo.yaml", &[], &environment)
}

/// The good definition with one part replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` is not in the definition");
    GOOD.replacen(from, to, 1)
}

/// What a mistake has under it.
fn underlined(place: &Place) -> String {
    let characters = place.text.chars().skip(place.column - 1);
    characters.take(place.end_column - place.column).collect()
}
