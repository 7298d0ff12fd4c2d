//! Environment variables in values: `${NAME}` and `${NAME:-default}`.
//!
//! Only a few variables are looked at: those that say where things lie on this machine. Everything else that a run
//! depends on has to be in the definition, or on the command line with `--set`.

use crate::diagnostic::{Span, suggest};

/// The variables that a definition may use. Those of a user's machine, and our own two for places.
pub const VARIABLES: [&str; 5] = ["HOME", "MILLSTREAM_DATA", "MILLSTREAM_OUT", "TMPDIR", "USER"];

/// Looks a variable up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is wrong with a variable.
#[derive(Debug, PartialEq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) help: String,
    /// Characters before it, and of it.
    start: usize,
    length: usize,
}

impl Mistake {
    /// Its place in a value without quotes that stands at `span`.
    pub(crate) fn within(&self, span: Span) -> Span {
        let column = span.column + self.start;
        let end = column + self.length;
        if end <= span.end { Span { column, end, ..span } } else { span }
    }
}

/// The text with its variables filled in, and whether there were any. `$${` stands for `${`.
pub(crate) fn substitute(text: &str, environment: Environment<'_>) -> Result<(String, bool), Mistake> {
    let mut result = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(position) = rest.find("${") {
        let (before, after) = rest.split_at(position);
        found = true;
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str("${");
            rest = &after[2..];
            continue;
        }
        result.push_str(before);
        let start = text.chars().count() - after.chars().count();
        let length = after.find('}').map_or(after.len(), |end| end + 1);
        let written = &after[..length];
        let mistake = |(message, help)| Mistake { message, help, start, length: written.chars().count() };
        result.push_str(&value(written, environment).map_err(mistake)?);
        rest = &after[length..];
    }
    result.push_str(rest);
    Ok((result, found))
}

/// The value of `${...}`, or a message and what to do.
fn value(written: &str, environment: Environment<'_>) -> Result<String, (String, String)> {
    let Some(inside) = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return Err(("a variable without its `}`".to_string(), "write ${NAME} or ${NAME:-default}".to_string()));
    };
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !VARIABLES.contains(&name) {
        let help = format!(
            "{}\nother settings go into the file, or on the command line with --set",
            suggest(name, "a definition may use", VARIABLES)
        );
        return Err((format!("the variable `{name}` is not one that a definition may use"), help));
    }
    let set = environment(name).filter(|value| !value.is_empty());
    set.or_else(|| default.map(str::to_string)).ok_or_else(|| {
        (format!("the variable `{name}` is not set"), format!("set it, or give a default: ${{{name}:-...}}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/ada".to_string()),
            "TMPDIR" => Some(String::new()),
            "PATH" => Some("/bin".to_string()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, expected, found) in [
            ("data/mnist", "data/mnist", false),
            ("${HOME}/x", "/home/ada/x", true),
            ("${HOME:-y}${HOME}", "/home/ada/home/ada", true),
            ("${MILLSTREAM_DATA:-data/photos}/new", "data/photos/new", true),
            ("${TMPDIR:-/tmp}", "/tmp", true),
            ("${MILLSTREAM_DATA:-}", "", true),
            ("$${HOME} costs $5", "${HOME} costs $5", true),
            ("é${HOME}é", "é/home/adaé", true),
        ] {
            assert_eq!(substitute(text, &environment), Ok((expected.to_string(), found)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_a_mistake_with_its_place() {
        for (text, message, start, length) in [
            ("a/${PATH}", "not one that a definition may use", 2, 7),
            ("${home}", "not one that a definition may use", 0, 7),
            ("${USER}", "`USER` is not set", 0, 7),
            ("éé${HOME", "without its `}`", 2, 6),
            ("${HOME-x}", "not one that a definition may use", 0, 9),
            ("${}", "not one", 0, 3),
        ] {
            let mistake = substitute(text, &environment).unwrap_err();
            assert!(mistake.message.contains(message), "{text}: {}", mistake.message);
            assert_eq!((mistake.start, mistake.length), (start, length), "{text}");
        }
    }
}
