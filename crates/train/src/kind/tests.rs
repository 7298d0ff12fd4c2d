//! Names and settings of models, as they are written.

use super::*;

#[track_caller]
fn check(text: &str, expected: &ModelKind, written: &str) {
    let kind: ModelKind = serde_json::from_str(text).unwrap();
    assert_eq!(&kind, expected);
    assert_eq!(serde_json::to_string(&kind).unwrap(), written);
    assert_eq!(serde_json::from_str::<ModelKind>(written).unwrap(), kind);
}

#[test]
fn settings_that_are_left_out_are_the_usual_ones() {
    let kind = ModelKind::ResNet { depth: ResNetDepth::D18, dropout: 0.0, drop_path: 0.0 };
    check(r#"{"resnet18":{}}"#, &kind, r#"{"resnet18":{"dropout":0.0,"drop_path":0.0}}"#);
    let kind = ModelKind::EfficientNet { size: EfficientNetSize::B4, dropout: 0.4, drop_path: 0.3 };
    check(r#"{"efficientnet_b4":{"drop_path":0.3}}"#, &kind, r#"{"efficientnet_b4":{"dropout":0.4,"drop_path":0.3}}"#);
    let kind = ModelKind::Vgg { depth: VggDepth::D16, norm: true, dropout: 0.25 };
    check(r#"{"vgg16_bn":{"dropout":0.25}}"#, &kind, r#"{"vgg16_bn":{"dropout":0.25}}"#);
    let kind = ModelKind::SmallNet { width: 4, dropout: 0.5 };
    check(r#"{"smallnet":{"width":4,"dropout":0.5}}"#, &kind, r#"{"smallnet":{"width":4,"dropout":0.5}}"#);
}

#[test]
fn every_model_is_found_by_its_name_and_reads_what_it_writes() {
    let all = ModelKind::all();
    assert_eq!(all.len(), 23);
    for kind in all {
        assert_eq!(ModelKind::named(kind.name()).as_ref(), Some(&kind));
        let written = serde_json::to_string(&kind).unwrap();
        assert_eq!(serde_json::from_str::<ModelKind>(&written).unwrap(), kind);
        kind.check().unwrap();
    }
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let refused = |text: &str| serde_json::from_str::<ModelKind>(text).unwrap_err().to_string();
    assert!(refused(r#"{"resnet19":{}}"#).starts_with("there is no model `resnet19`: take one of smallnet, alexnet,"));
    assert!(refused(r#"{"vgg11":{"drop_path":0.1}}"#).starts_with("vgg11 has no setting `drop_path`"));
    assert!(refused(r#"{"resnet18":{"depth":3}}"#).contains("unknown field `depth`"));
    assert!(refused(r#"{"resnet18":{},"vgg11":{}}"#).starts_with("a model is one name with its settings"));
    assert!(refused("{}").starts_with("a model is one name"));
}

#[test]
fn rates_out_of_range_are_refused() {
    for rate in [-0.1, 1.0, f64::NAN] {
        let kind = ModelKind::EfficientNetLite0 { dropout: 0.2, drop_path: rate };
        assert!(matches!(kind.check(), Err(TrainError::Setting { setting: "drop_path", .. })));
        let kind = ModelKind::AlexNetLrn { dropout: rate };
        assert!(matches!(kind.check(), Err(TrainError::Setting { setting: "dropout", .. })));
    }
}
