//! `preview`: what the training stream really sees.

mod compare;
mod seen;
mod tiles;
mod views;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use millstream_imageops::encode_png;

use super::{bad_record, load, print, stop_on_interrupt, write_out};
use crate::args::PreviewArgs;
use crate::exit::{BadData, Request};
use crate::say::say;
use crate::sheet;
pub(crate) use compare::Compare;
use seen::Seen;
use views::Views;

/// Width of a sheet in pixels, unless `--columns` says otherwise.
const WIDTH: u32 = 1600;

pub(crate) fn preview(args: &PreviewArgs) -> anyhow::Result<ExitCode> {
    check_out(args.out.as_deref())?;
    let plan = load(&args.pipeline)?;
    let views = Views::new(&plan, args.round, args.view.as_deref())?;
    let manifest = Arc::new(millstream_dataflow::open(&plan)?);
    let stop = stop_on_interrupt()?;
    let variants = match &args.compare {
        Some(compare) => compare.variants(&plan, args.round)?,
        None => vec![(String::new(), plan.clone())],
    };
    let mut seen = Seen::default();
    for (name, plan) in &variants {
        let mut shown = Seen::default();
        for job in views.jobs(plan, &manifest, args.images).map_err(|error| unusable(name, error))? {
            shown.watch(job, &views, args.images as usize, &stop)?;
        }
        seen.join(shown, name);
    }
    seen.dead.iter().map(bad_record).for_each(say);
    if seen.records.is_empty() && !seen.dead.is_empty() {
        bail!(BadData(format!("none of the {} images of round {} can be used", seen.dead.len(), args.round)));
    }
    if seen.records.is_empty() {
        bail!(Request(format!("round {} has no image to show in this view: see its `of`", args.round)));
    }
    if let Some(path) = &args.out {
        let shape = millstream_dataflow::shape(&plan);
        let groups = tiles::groups(&seen, shape)?;
        let tile = tiles::size(shape);
        let columns = args.columns.unwrap_or_else(|| (WIDTH / tile.0).max(1));
        let Some(sheet) = sheet::draw(&groups, tile, columns) else {
            bail!(Request("too many images for one sheet: ask for fewer --images, or for more --columns".to_owned()));
        };
        write_out(path, &encode_png(&sheet)?)?;
    }
    if args.text || args.out.is_none() {
        print(&tiles::text(&seen))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A value that the pipeline itself could not have either.
fn unusable(name: &str, error: anyhow::Error) -> anyhow::Error {
    if name.is_empty() { error } else { Request(format!("--compare {name}: {error:#}")).into() }
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
