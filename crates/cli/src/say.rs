//! Words for people, on standard error.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error. That nobody reads it is no reason to fail.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
