//! `schema`: what a pipeline or a hosts file may say, for editors.

use std::process::ExitCode;

use super::print_json;
use crate::args::SchemaArgs;

pub(crate) fn schema(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    print_json(&if args.hosts { millstream_spec::hosts_schema() } else { millstream_spec::schema() })?;
    Ok(ExitCode::SUCCESS)
}
