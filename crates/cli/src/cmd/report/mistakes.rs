//! The most confident mistakes: pseudo-labels that the data contradict, as pictures.

use std::path::Path;

use anyhow::bail;
use millstream_cluster::Report;
use millstream_data::{LabelRow, Manifest, read_labels};
use millstream_dataflow::picture;
use millstream_imageops::{Options, Renderer, encode_png};
use millstream_pages::Page;

use crate::cmd::label_file::of_round;
use crate::cmd::small::small;
use crate::exit::Request;

/// So many are shown.
const SHOWN: usize = 40;
/// The longer side of a picture, in pixels, where the image is larger.
const SIDE: u32 = 160;

/// What was found.
pub(super) struct Mistakes {
    round: u32,
    /// Pseudo-labels whose truth the data tell, and how many of them are wrong.
    known: usize,
    wrong: usize,
    /// PNG pictures, and what was taken for what.
    pictures: Vec<(Vec<u8>, String)>,
}

/// Compares the labels of the last round of a run that has some with those that the data of its pipeline have.
pub(super) fn find(
    pipeline: &Path,
    overrides: &[(String, String)],
    run: &Path,
    report: &Report,
) -> anyhow::Result<Mistakes> {
    let plan = millstream_spec::load(pipeline, overrides)?;
    let manifest = millstream_dataflow::open(&plan)?;
    let (round, path) = of_round(run, report, None)?;
    let rows = read_labels(&path)?;
    let truth = |row: &LabelRow| manifest.entries()[manifest.find(row.key)? as usize].label;
    let known: Vec<(&LabelRow, u32)> = rows.iter().filter_map(|row| Some((row, truth(row)?))).collect();
    if known.is_empty() {
        let name = pipeline.display();
        bail!(Request(format!(
            "{name} knows the truth of no label in {}: is it the pipeline of this run?",
            path.display()
        )));
    }
    let mut wrong: Vec<(&LabelRow, u32)> = known.iter().copied().filter(|(row, truth)| row.class != *truth).collect();
    wrong.sort_by(|(a, _), (b, _)| b.confidence.total_cmp(&a.confidence).then(a.key.cmp(&b.key)));
    let mut renderer = Renderer::new(Options::default());
    let shown = wrong.iter().take(SHOWN);
    let pictures = shown.filter_map(|(row, truth)| show(&mut renderer, &manifest, row, *truth)).collect();
    Ok(Mistakes { round, known: known.len(), wrong: wrong.len(), pictures })
}

/// A picture of a record; none of one that cannot be read, which is a dead letter elsewhere.
fn show(renderer: &mut Renderer, manifest: &Manifest, row: &LabelRow, truth: u32) -> Option<(Vec<u8>, String)> {
    let payload = manifest.read(manifest.find(row.key)?, Vec::new()).ok()?;
    let image = small(renderer, picture(&payload), SIDE)?;
    let truth = manifest.classes().get(truth as usize)?;
    let says = format!("{} as {} ({:.1} %)", truth, row.class_name, 100.0 * row.confidence);
    Some((encode_png(&image).ok()?, says))
}

impl Mistakes {
    pub(super) fn show(&self, page: &mut Page) {
        page.section(&format!("The most confident mistakes of round {}", self.round));
        page.text(&format!(
            "Of {} pseudo-labels whose truth the data tell {} are wrong. The surest come first: what the image is, what it was taken for, \
             and how sure the model was.",
            self.known, self.wrong
        ));
        page.pictures(&self.pictures);
    }
}
