//! `validate`: every mistake at once.

use std::process::ExitCode;

use millstream_spec::Diagnostics;

use super::{load, print, print_json};
use crate::args::ValidateArgs;
use crate::exit::WRONG_REQUEST;

pub(crate) fn validate(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    let path = args.pipeline.pipeline.display();
    match load(&args.pipeline) {
        Ok(_) if args.json.json => print_json(&serde_json::json!({ "valid": true, "errors": [] }))?,
        Ok(plan) => print(&format!("{path}: valid, {} rounds", plan.rounds.len()))?,
        Err(error) => {
            let Some(diagnostics) = error.downcast_ref::<Diagnostics>().filter(|_| args.json.json) else {
                return Err(error);
            };
            print_json(&serde_json::json!({ "valid": false, "errors": diagnostics.to_json() }))?;
            return Ok(ExitCode::from(WRONG_REQUEST));
        }
    }
    Ok(ExitCode::SUCCESS)
}
