//! `schema`: what a pipeline may say, for editors.

use std::process::ExitCode;

use super::print_json;

pub(crate) fn schema() -> anyhow::Result<ExitCode> {
    print_json(&millstream_spec::schema())?;
    Ok(ExitCode::SUCCESS)
}
