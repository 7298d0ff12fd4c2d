//! What a run's teacher said of unlabelled images: each with its pseudo-label, how sure the teacher was, and whether that was enough.

use std::path::Path;

use anyhow::bail;
use millstream_data::{LabelRow, Manifest, Shape, read_labels};
use millstream_dataflow::picture;
use millstream_imageops::{Image, Options, Renderer, SampleKey, View};

use super::tiles;
use crate::cmd::label_file::of_round;
use crate::cmd::report_of;
use crate::exit::Request;
use crate::sheet::{Group, Tile};

/// Records with their labels, the surest first.
pub(super) struct Pseudo {
    shown: Vec<Labelled>,
}

struct Labelled {
    row: LabelRow,
    record: u32,
    /// What the data say it is, where they do.
    truth: Option<String>,
}

impl Pseudo {
    /// The labels that a round of a run gave, or its last round that gave any. Of more than `images` those at even distances are shown, from
    /// the surest to the least sure.
    pub(super) fn read(run: &Path, round: Option<u32>, manifest: &Manifest, images: usize) -> anyhow::Result<Pseudo> {
        let report = report_of(run)?;
        let (_, path) = of_round(run, &report, round)?;
        let mut rows = read_labels(&path)?;
        rows.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.key.cmp(&b.key)));
        let all: Vec<Labelled> = rows.into_iter().filter_map(|row| Labelled::of(row, manifest)).collect();
        if all.is_empty() {
            bail!(Request(format!(
                "--run {}: it labelled no image of this pipeline; is it of another one?",
                run.display()
            )));
        }
        let chosen: Vec<usize> = even(all.len(), images).collect();
        let mut shown = all;
        let mut number = 0..;
        shown.retain(|_| number.next().is_some_and(|number| chosen.binary_search(&number).is_ok()));
        Ok(Pseudo { shown })
    }

    /// A tile for each.
    pub(super) fn groups(&self, manifest: &Manifest, shape: Shape) -> anyhow::Result<Vec<Group>> {
        let mut renderer = Renderer::new(Options::default());
        let whole = View::of_any_size(Vec::new(), shape.channels)?;
        let nothing_random = SampleKey { seed: 0, round: 0, epoch: 0, key: 0, copy: 0, view: 0 };
        let mut groups = Vec::new();
        for labelled in &self.shown {
            let payload = manifest.read(labelled.record, Vec::new())?;
            let mut image = Image::default();
            renderer.render_image(&whole, picture(&payload), &nothing_random, &mut image)?;
            groups.push(vec![Tile {
                image: tiles::fit(&image, shape)?,
                title: labelled.label(),
                caption: labelled.words(),
            }]);
        }
        Ok(groups)
    }

    /// A line for each: where it lies, its key, what it was taken for, and what became of that.
    pub(super) fn text(&self) -> String {
        let line = |labelled: &Labelled| {
            let LabelRow { place, key, .. } = &labelled.row;
            format!("{place}  key {:.8}  {}  {}", key.to_string(), labelled.label(), labelled.words().join("; "))
        };
        self.shown.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// So many of `count` numbers at even distances, the first and the last among them.
fn even(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let shown = count.min(most);
    (0..shown).map(move |number| number * (count - 1) / (shown - 1).max(1))
}

impl Labelled {
    /// None for a record that the pipeline does not have.
    fn of(row: LabelRow, manifest: &Manifest) -> Option<Labelled> {
        let record = manifest.find(row.key)?;
        let truth = manifest.entries().get(record as usize)?.label;
        let truth = truth.and_then(|class| manifest.classes().get(class as usize)).cloned();
        Some(Labelled { row, record, truth })
    }

    fn label(&self) -> String {
        format!("{} {:.1} %", self.row.class_name, 100.0 * self.row.confidence)
    }

    fn words(&self) -> Vec<String> {
        let LabelRow { selected, copies, class_name, .. } = &self.row;
        let selected = match (selected, copies) {
            (false, _) => "not selected".to_owned(),
            (true, 1) => "selected".to_owned(),
            (true, copies) => format!("selected, {copies} copies"),
        };
        let truth = self.truth.as_ref().map(|truth| match truth == class_name {
            true => "right".to_owned(),
            false => format!("wrong: it is {truth}"),
        });
        std::iter::once(selected).chain(truth).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_distances_reach_from_end_to_end() {
        assert_eq!(even(10, 4).collect::<Vec<_>>(), [0, 3, 6, 9]);
        assert_eq!(even(3, 8).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!((even(5, 1).collect::<Vec<_>>(), even(1, 5).collect::<Vec<_>>()), (vec![0], vec![0]));
    }
}
