//! `augment`: augmented images as files, for whoever trains elsewhere or wants to see them.

mod images;
mod list;
mod target;
mod work;

use std::process::ExitCode;

use millstream_imageops::View;

use super::{cores, print, stop_on_interrupt};
use crate::args::{AugmentArgs, Channels};
use crate::exit::{BAD_DATA, Request};
use crate::say::say;
use images::Images;
use target::Target;
use work::Work;

pub(crate) fn augment(args: &AugmentArgs) -> anyhow::Result<ExitCode> {
    let steps = millstream_spec::parse_steps(&args.ops, "--ops", None)?;
    let channels = if args.channels == Channels::Gray { 1 } else { 3 };
    let view = View::of_any_size(steps, channels).map_err(|error| Request(error.to_string()))?;
    let images = Images::open(&args.input)?;
    let target = Target::new(args, &images)?;
    target.prepare(args.overwrite)?;
    let stop = stop_on_interrupt()?;
    let work = Work { images: &images, target: &target, view, channels, seed: args.seed, stop: &stop };
    let done = work.run(args.workers.map_or_else(cores, usize::from));
    if let Some(reason) = stop.reason() {
        let files: usize = done.iter().flat_map(|(_, result)| result).map(Vec::len).sum();
        say(format_args!("{files} files are in {}; --overwrite begins again", target.place()));
        return Err(reason.clone().into());
    }
    let (mut written, mut bad) = (Vec::new(), 0);
    for (number, result) in done {
        match result {
            Ok(files) => written.extend(files),
            Err(reason) => {
                say(format_args!("bad image: {}: {reason}", images.place(number)));
                bad += 1;
            }
        }
    }
    if target.has_list() {
        list::write(&target, &images, &written)?;
    }
    let (good, all) = (images.len() - bad, images.len());
    print(&format!("augmented {good} of {all} images; files written: {}, to {}", written.len(), target.place()))?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(BAD_DATA) })
}
