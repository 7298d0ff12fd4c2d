//! `preview`: what the training stream really sees, and what a teacher said of images.

mod compare;
mod mixture;
mod pseudo;
mod rows;
mod seen;
mod tiles;
mod views;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use millstream_data::{Manifest, Shape};
use millstream_imageops::encode_png;
use millstream_spec::Plan;

use super::{bad_record, load, print, stop_on_interrupt, write_out};
use crate::args::PreviewArgs;
use crate::exit::{BadData, Request};
use crate::say::say;
use crate::sheet::{self, Group};
pub(crate) use compare::Compare;
use pseudo::Pseudo;
use seen::Seen;
use views::Views;

/// Width of a sheet in pixels, unless `--columns` says otherwise.
const WIDTH: u32 = 1600;

pub(crate) fn preview(args: &PreviewArgs) -> anyhow::Result<ExitCode> {
    check_out(args.out.as_deref())?;
    let plan = load(&args.pipeline)?;
    let manifest = Arc::new(millstream_dataflow::open(&plan)?);
    let shape = millstream_dataflow::shape(&plan);
    if let Some(run) = &args.run {
        let pseudo = Pseudo::read(run, args.round, &manifest, args.images as usize)?;
        return write(args, shape, || pseudo.groups(&manifest, shape), &pseudo.text());
    }
    let seen = training(args, &plan, &manifest)?;
    write(args, shape, || Ok(tiles::groups(&seen, shape)?), &tiles::text(&seen))
}

/// The first images of a round's training.
fn training(args: &PreviewArgs, plan: &Plan, manifest: &Arc<Manifest>) -> anyhow::Result<Seen> {
    let round = args.round.unwrap_or(0);
    let views = Views::new(plan, round, args.view.as_deref())?;
    let stop = stop_on_interrupt()?;
    let variants = match &args.compare {
        Some(compare) => compare.variants(plan, round)?,
        None => vec![(String::new(), plan.clone())],
    };
    let mut seen = Seen::default();
    for (name, plan) in &variants {
        let mut shown = Seen::default();
        let jobs = || views.jobs(plan, manifest, args.images).map_err(|error| unusable(name, error));
        for twice in jobs()?.into_iter().zip(jobs()?) {
            shown.watch(twice, &views, args.images as usize, &stop)?;
        }
        seen.join(shown, name);
    }
    seen.dead.iter().map(bad_record).for_each(say);
    if seen.records.is_empty() && !seen.dead.is_empty() {
        bail!(BadData(format!("none of the {} images of round {round} can be used", seen.dead.len())));
    }
    if seen.records.is_empty() {
        bail!(Request(format!("round {round} has no image to show in this view: see its `of`")));
    }
    Ok(seen)
}

/// Draws the sheet if one is wanted, and prints the text if that is.
fn write(
    args: &PreviewArgs,
    shape: Shape,
    groups: impl FnOnce() -> anyhow::Result<Vec<Group>>,
    text: &str,
) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.out {
        let tile = tiles::size(shape);
        let columns = args.columns.unwrap_or_else(|| (WIDTH / tile.0).max(1));
        let Some(sheet) = sheet::draw(&groups()?, tile, columns) else {
            bail!(Request("too many images for one sheet: ask for fewer --images, or for more --columns".to_owned()));
        };
        write_out(path, &encode_png(&sheet)?)?;
    }
    if args.text || args.out.is_none() {
        print(text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A value that the pipeline itself could not have either.
fn unusable(name: &str, error: anyhow::Error) -> anyhow::Error {
    if name.is_empty() { error } else { Request(format!("--compare {name}: {error}")).into() }
}

fn check_out(out: Option<&Path>) -> anyhow::Result<()> {
    let png = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    match out {
        Some(path) if !png(path) => {
            bail!(Request(format!("--out writes a PNG: {} should end in .png", path.display())))
        }
        _ => Ok(()),
    }
}
