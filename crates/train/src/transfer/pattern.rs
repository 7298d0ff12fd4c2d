//! Patterns of tensor names.

use crate::TrainError;
use crate::model::{Param, Params};

/// Whether a name is of a pattern, in which `*` stands for any characters, dots included, or for none.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any: what is left of the name is then longest.
        let Some((_, after)) = name.split_once(part) else {
            return false;
        };
        name = after;
    }
    name.ends_with(end)
}

/// Refuses a pattern that is of no tensor that could train: it is a slip of the pen.
pub(super) fn require(pattern: &str, setting: &'static str, params: &Params) -> Result<(), TrainError> {
    let trainable = || params.entries().iter().filter(|param| param.role.trains());
    if trainable().any(|param| matches(pattern, &param.name)) {
        return Ok(());
    }
    let names: Vec<&str> = trainable().map(|param: &Param| param.name.as_str()).collect();
    Err(TrainError::Pattern { setting, pattern: pattern.to_owned(), names: super::some(names.into_iter()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_or_nothing() {
        for (pattern, name) in [
            ("features.0.*", "features.0.weight"),
            ("features.*", "features.0.block.1.weight"),
            ("*", "fc.bias"),
            ("*.bias", "fc.bias"),
            ("layer*.bn*.bias", "layer4.1.bn2.bias"),
            ("a*b*b", "abb"),
            ("fc.bias*", "fc.bias"),
            ("fc.bias", "fc.bias"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("features.0.*", "features.01.weight"),
            ("fc", "fc.bias"),
            ("*.bias", "fc.weight"),
            ("a*a", "a"),
            ("a*b*b", "ab"),
            ("", "a"),
            ("layer*.bn*.bias", "layer4.1.bias"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
