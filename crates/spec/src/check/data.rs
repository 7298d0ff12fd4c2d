//! The section `data`: names, references, and the order of the splits.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use crate::diagnostic::{Code, nearest, quoted, suggest};
use crate::plan::{DataPlan, KeyPlan, LayoutPlan, SourcePlan, SplitPlan, TakePlan};
use crate::raw::{self, Named};
use crate::yaml::Path;

pub(super) fn data(checker: &mut Checker<'_>, raw: &raw::Data, unlabelled: bool) -> DataPlan {
    for (section, names) in [("sources", keys(&raw.sources)), ("splits", keys(&raw.splits))] {
        names.iter().for_each(|name| check_name(checker, section, name));
    }
    let absent = required_splits(checker, &raw.splits, unlabelled);
    references(checker, raw, &absent);
    let order = Order::of(checker, raw);
    labels(checker, raw, &order);
    let key = match raw.key {
        raw::Key::Place => KeyPlan::Place,
        raw::Key::Content => KeyPlan::Content,
    };
    let sources = raw.sources.iter().map(|(name, source)| (name.clone(), source_plan(source))).collect();
    let splits = order.iter().filter_map(|name| raw.splits.get(*name).map(|split| split_plan(name, split))).collect();
    DataPlan { key, sources, splits, held_out: None }
}

fn keys<T>(named: &Named<T>) -> Vec<&str> {
    named.keys().map(String::as_str).collect()
}

fn split_path(name: &str) -> Path {
    Path::of(&["data", "splits", name])
}

fn check_name(checker: &mut Checker<'_>, section: &str, name: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        let path = Path::of(&["data", section]).key(name);
        let help = "use up to 64 letters, digits, `-` and `_`";
        checker.key_error(&path, Code::OutOfRange, format!("`{name}` is no name for one of the {section}"), help);
    }
}

/// Reports the splits that every pipeline needs and this one lacks, and gives their names back.
fn required_splits(checker: &mut Checker<'_>, splits: &Named<raw::Split>, unlabelled: bool) -> Vec<&'static str> {
    let wanted = [
        ("labelled", true, "the images with labels that training starts from"),
        ("test", true, "the images with labels that models are tested on, which no training ever sees"),
        ("unlabelled", unlabelled, "the images without labels that rounds learn from, too"),
    ];
    let others = keys(splits).into_iter().filter(|name| wanted.iter().all(|(known, ..)| known != name));
    let others: Vec<&str> = others.collect();
    let absent = wanted.into_iter().filter(|(name, needed, _)| *needed && !splits.contains_key(*name));
    absent
        .map(|(name, _, what)| {
            let path = Path::of(&["data", "splits"]);
            let message = format!("there is no split `{name}`");
            match nearest(name, others.iter().copied()) {
                Some(other) => checker.key_error(
                    &path.key(other),
                    Code::Missing,
                    message,
                    format!("is `{other}` meant? It must be called `{name}`"),
                ),
                None => checker.error(
                    &path,
                    Code::Missing,
                    message,
                    format!("{name}: {what}, such as `{name}: {{ from: train }}`"),
                ),
            }
            name
        })
        .collect()
}

/// Every name in `from` and `except` must be something. About the `absent` ones enough has been said.
fn references(checker: &mut Checker<'_>, raw: &raw::Data, absent: &[&str]) {
    let sources = keys(&raw.sources);
    let splits = keys(&raw.splits);
    for (name, split) in &raw.splits {
        if split.from.0.is_empty() {
            let help = format!("name a source or another split: {}", quoted(sources.iter().copied()));
            checker.error(
                &split_path(name).key("from"),
                Code::Missing,
                format!("split `{name}` draws from nothing"),
                help,
            );
        }
        for (path, other) in referenced(name, "from", &split.from) {
            if !sources.contains(&other) && !splits.contains(&other) && !absent.contains(&other) {
                let known = sources.iter().chain(splits.iter().filter(|known| **known != name)).copied();
                let help = suggest(other, "there are", known);
                checker.error(&path, Code::Reference, format!("there is no source and no split `{other}`"), help);
            }
        }
        for (path, other) in referenced(name, "except", &split.except) {
            if !splits.contains(&other) && !absent.contains(&other) {
                let known = splits.iter().copied().filter(|known| *known != name);
                let help = match sources.contains(&other) {
                    true => format!(
                        "`{other}` is a source, and `except` names splits: leave the source out of `from` instead"
                    ),
                    false => suggest(other, "there are", known),
                };
                checker.error(&path, Code::Reference, format!("there is no split `{other}`"), help);
            }
        }
    }
}

/// The names under a key of a split, each with its path.
fn referenced<'a>(split: &str, key: &str, names: &'a raw::Names) -> Vec<(Path, &'a str)> {
    let path = split_path(split).key(key);
    // A name may stand without a list: its item is then located at the name itself.
    names.0.iter().enumerate().map(|(position, name)| (path.item(position), name.as_str())).collect()
}

/// Puts splits after those that they refer to.
struct Order<'a> {
    raw: &'a raw::Data,
    done: Vec<&'a str>,
    open: Vec<&'a str>,
}

impl<'a> Order<'a> {
    /// All splits in order. Cycles are reported, each once, and cut.
    fn of(checker: &mut Checker<'_>, raw: &'a raw::Data) -> Vec<&'a str> {
        let mut order = Order { raw, done: Vec::new(), open: Vec::new() };
        for name in raw.splits.keys() {
            order.visit(checker, name);
        }
        order.done
    }

    fn visit(&mut self, checker: &mut Checker<'_>, name: &'a str) {
        let Some(split) = self.raw.splits.get(name).filter(|_| !self.done.contains(&name)) else {
            return;
        };
        self.open.push(name);
        let from = referenced(name, "from", &split.from);
        let from = from.into_iter().filter(|(_, other)| !self.raw.sources.contains_key(*other));
        let edges: Vec<_> = from.chain(referenced(name, "except", &split.except)).collect();
        for (path, other) in edges {
            match self.open.iter().position(|open| *open == other) {
                Some(start) => self.cycle(checker, &path, start),
                None => self.visit(checker, other),
            }
        }
        self.open.pop();
        self.done.push(name);
    }

    fn cycle(&self, checker: &mut Checker<'_>, path: &Path, start: usize) {
        let members = self.open.get(start..).unwrap_or_default();
        let first = members.first().copied().unwrap_or_default();
        let chain = members.iter().chain([&first]).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" -> ");
        let message = format!("split `{first}` depends on itself: {chain}");
        checker.error(
            path,
            Code::Cycle,
            message,
            "remove one of these references: a split can only use what is drawn before it",
        );
    }
}

/// What is labelled by hand, tested on, or drawn by class must come from sources that have labels.
fn labels(checker: &mut Checker<'_>, raw: &raw::Data, order: &[&str]) {
    let mut bare: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in order {
        let Some(split) = raw.splits.get(*name) else {
            continue;
        };
        let mut without = BTreeSet::new();
        for (path, other) in referenced(name, "from", &split.from) {
            let found = match raw.sources.get(other) {
                Some(source) if lacks_labels(source) && checker.untouched(&Path::of(&["data", "sources", other])) => {
                    BTreeSet::from([other])
                }
                Some(_) => BTreeSet::new(),
                None => bare.get(other).cloned().unwrap_or_default(),
            };
            let by_class = matches!(split.take, raw::Take::PerClass(_));
            let chosen = !split.except.0.is_empty() || matches!(split.take, raw::Take::List(_));
            if let (Some(source), true) =
                (found.first(), by_class || (matches!(*name, "labelled" | "validation" | "test") && !chosen))
            {
                let why = if by_class { "is drawn by class" } else { "needs labels" };
                let help = format!("add the labels of `{source}`, or draw from another source");
                checker.error(
                    &path,
                    Code::Conflict,
                    format!("split `{name}` {why}, but source `{source}` has no labels"),
                    help,
                );
            } else if !by_class && !chosen {
                without.extend(found);
            }
        }
        bare.insert(name, without);
    }
}

fn lacks_labels(source: &raw::Source) -> bool {
    match source {
        raw::Source::Idx(idx) => idx.labels.is_none(),
        raw::Source::Folder(folder) => folder.layout == raw::Layout::Flat,
        raw::Source::Csv(_) | raw::Source::Webdataset(_) | raw::Source::Parquet(_) => false,
    }
}

fn source_plan(raw: &raw::Source) -> SourcePlan {
    match raw {
        raw::Source::Idx(idx) => SourcePlan::Idx { images: idx.images.clone(), labels: idx.labels.clone() },
        raw::Source::Folder(folder) => {
            let layout = match folder.layout {
                raw::Layout::Classes => LayoutPlan::Classes,
                raw::Layout::Flat => LayoutPlan::Flat,
            };
            SourcePlan::Folder { path: folder.path.clone(), layout }
        }
        raw::Source::Csv(csv) => SourcePlan::Csv { path: csv.path.clone(), root: csv.root.clone() },
        raw::Source::Webdataset(tar) => SourcePlan::WebDataset { path: tar.path.clone() },
        raw::Source::Parquet(raw::Parquet { path, image, label }) => {
            SourcePlan::Parquet { path: path.clone(), image: image.clone(), label: label.clone() }
        }
    }
}

fn split_plan(name: &str, raw: &raw::Split) -> SplitPlan {
    let take = match &raw.take {
        raw::Take::All => TakePlan::All,
        raw::Take::PerClass(count) => TakePlan::PerClass(*count),
        raw::Take::Fraction(share) => TakePlan::Fraction(*share),
        raw::Take::List(path) => TakePlan::List(path.clone()),
    };
    SplitPlan { name: name.to_string(), from: raw.from.0.clone(), except: raw.except.0.clone(), take }
}
