//! Splits, as they are typed: `NAME=PLACE`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use millstream_cluster::SplitInput;

use crate::exit::Request;

/// What data without a name are called.
const UNNAMED: &str = "data";

/// The splits that inputs and files of labels make, in the order in which they are named first.
pub(super) fn splits(inputs: &[String], labels: &[String]) -> anyhow::Result<Vec<SplitInput>> {
    let mut splits: Vec<SplitInput> = Vec::new();
    let named: Vec<(Option<&str>, &str)> = inputs.iter().map(|input| parted(input)).collect();
    if named.iter().any(|(name, _)| name.is_some()) != named.iter().all(|(name, _)| name.is_some()) {
        let (_, place) = named.iter().find(|(name, _)| name.is_none()).copied().unwrap_or_default();
        bail!(Request(format!(
            "{place} has no name, and other inputs have one: name each split, as in `train={place}`"
        )));
    }
    for (name, place) in named {
        let name = name.unwrap_or(UNNAMED);
        match splits.iter_mut().find(|split| split.name == name) {
            Some(split) => split.inputs.push(place.to_owned()),
            None => splits.push(SplitInput { name: name.to_owned(), inputs: vec![place.to_owned()], labels: None }),
        }
    }
    for labels in labels {
        let (name, file) = parted(labels);
        let only = splits.len() == 1;
        let Some(split) = splits.iter_mut().find(|split| name.map_or(only, |name| split.name == name)) else {
            bail!(Request(format!(
                "--labels {labels}: say of which split, as in `--labels {}={file}`",
                splits[0].name
            )));
        };
        split.labels = Some(PathBuf::from(file));
    }
    for split in &mut splits {
        split.labels = split.labels.take().or_else(|| beside(&split.inputs));
    }
    Ok(splits)
}

/// The name and the place. What is there as it is typed is a place, whatever it is called.
fn parted(text: &str) -> (Option<&str>, &str) {
    let plain = |name: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric() || ['-', '_'].contains(&letter));
    match text.split_once('=') {
        Some((name, place)) if !name.is_empty() && !place.is_empty() && plain(name) && !Path::new(text).exists() => {
            (Some(name), place)
        }
        _ => (None, text),
    }
}

/// The labels of an IDX file of images, called as those of MNIST and its relatives are.
fn beside(inputs: &[String]) -> Option<PathBuf> {
    let [images] = inputs else { return None };
    let (folder, name) = images.rsplit_once('/').map_or(("", &images[..]), |(folder, name)| (folder, name));
    let labels = Path::new(folder).join(name.replace("images-idx3", "labels-idx1"));
    (name.contains("images-idx3") && labels.is_file()).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(inputs: &[&str], labels: &[&str]) -> Result<Vec<SplitInput>, String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        splits(&owned(inputs), &owned(labels)).map_err(|error| error.to_string())
    }

    fn split(name: &str, inputs: &[&str], labels: Option<&str>) -> SplitInput {
        let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
        SplitInput { name: name.to_owned(), inputs, labels: labels.map(PathBuf::from) }
    }

    #[test]
    fn a_name_gathers_its_places() {
        let expected = vec![split("train", &["a.tar", "b.tar"], None), split("test", &["s3://x/c=1.tar"], None)];
        assert_eq!(told(&["train=a.tar", "test=s3://x/c=1.tar", "train=b.tar"], &[]), Ok(expected));
        assert_eq!(told(&["a.tar", "b.tar"], &[]), Ok(vec![split("data", &["a.tar", "b.tar"], None)]));
        assert_eq!(told(&["x/label=3/a.tar"], &[]), Ok(vec![split("data", &["x/label=3/a.tar"], None)]));
    }

    #[test]
    fn labels_belong_to_a_split() {
        let expected = vec![split("a", &["1.idx"], Some("1l.idx")), split("b", &["2.idx"], Some("2l.idx"))];
        assert_eq!(told(&["a=1.idx", "b=2.idx"], &["b=2l.idx", "a=1l.idx"]), Ok(expected));
        assert_eq!(told(&["1.idx"], &["1l.idx"]), Ok(vec![split("data", &["1.idx"], Some("1l.idx"))]));
        assert!(told(&["a=1.idx", "b=2.idx"], &["2l.idx"]).unwrap_err().contains("--labels a=2l.idx"));
        assert!(told(&["a=1.idx"], &["c=2l.idx"]).is_err());
        assert!(told(&["a=1.idx", "2.idx"], &[]).unwrap_err().contains("train=2.idx"));
    }
}
