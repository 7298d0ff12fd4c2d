//! Why a machine has not said that it is there.

/// What is wrong with a machine on which a process was started and never answered, and what to do. The process may have ended, with an
/// exit code if the system has not killed it, and `said` something.
pub(super) fn absence(host: &str, ended: bool, code: Option<i32>, said: &str) -> (String, String) {
    match code {
        Some(255) => {
            (format!("ssh cannot log in there: {said}"), format!("mend its name or keys until `ssh {host} true` works"))
        }
        Some(127) => (
            format!("millstream is not there: {said}"),
            "copy it there, and its libraries to `../lib` from it, or set `program` in the hosts file".to_owned(),
        ),
        _ if ended => {
            let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
            let said = if said.is_empty() { "it ended without a word. Is it millstream?" } else { said };
            let problem = format!("millstream could not be started{code}: {said}");
            (problem, "look at `program` and `dir` in the hosts file".to_owned())
        }
        _ => ("no answer in time".to_owned(), format!("is it up? try `ssh {host} true`")),
    }
}
