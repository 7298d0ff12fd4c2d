//! `inspect`: what data hold. Without `--out` a survey that takes seconds, however many they are; with it a look at every image.

mod examine;
mod page;
mod pictures;
mod splits;
mod survey;

use std::process::ExitCode;

use crate::args::InspectArgs;

pub(crate) fn inspect(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    match &args.out {
        Some(out) => examine::examine(args, out)?,
        None => survey::survey(args)?,
    }
    Ok(ExitCode::SUCCESS)
}
