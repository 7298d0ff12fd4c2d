//! Reading the text of a definition.

use std::path::Path;

use crate::Diagnostics;

/// Longest definition, in bytes. What is longer is some other file.
const LONGEST: u64 = 1 << 20;

/// The text of a file that should be a `kind`.
pub(crate) fn read(path: &Path, kind: &str) -> Result<String, Diagnostics> {
    let name = path.display();
    let unreadable = |why: String, help: &str| Diagnostics::unreadable(format!("cannot read {name}: {why}"), help);
    let found = std::fs::metadata(path).map_err(|error| unreadable(error.to_string(), "check the path"))?;
    if !found.is_file() {
        return Err(unreadable("it is not a file".to_string(), &format!("give the YAML file of a {kind}")));
    }
    if found.len() > LONGEST {
        let why = format!("it has {} bytes, a {kind} has at most {LONGEST}", found.len());
        return Err(unreadable(why, "is this the right file?"));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string(), "check its permissions"))?;
    let help = format!("a {kind} is UTF-8 text: is this the right file?");
    String::from_utf8(bytes).map_err(|error| unreadable(error.to_string(), &help))
}
