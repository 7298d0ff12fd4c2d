//! `graph`: the pipeline drawn.

use std::process::ExitCode;

use millstream_spec::graph::{Format, render};

use super::{load, print};
use crate::args::{GraphArgs, GraphFormat};

pub(crate) fn graph(args: &GraphArgs) -> anyhow::Result<ExitCode> {
    let format = match args.format {
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Dot => Format::Dot,
        GraphFormat::Text => Format::Text,
    };
    print(&render(&load(&args.pipeline)?, format))?;
    Ok(ExitCode::SUCCESS)
}
