//! What is wrong with a definition: every mistake with its place, as text in the manner of a compiler and as data.

use std::fmt;

use serde::Serialize;

/// Most characters of a line that are shown; a longer one is cut around the mistake.
const SHOWN: usize = 120;

/// Most mistakes that are kept. Nobody reads more, and each keeps its line.
const KEPT: usize = 200;

/// The kind of a mistake.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The file cannot be read.
    Unreadable,
    /// The text is not YAML, or YAML of a form that is not used here.
    Syntax,
    /// One key twice in one mapping.
    DuplicateKey,
    /// A key, or the name of a kind, that nothing knows.
    UnknownKey,
    /// Something that has no default is not said.
    Missing,
    /// A value of the wrong type.
    WrongType,
    /// A value of the right type that is not allowed.
    OutOfRange,
    /// A name that refers to nothing.
    Reference,
    /// Splits that are drawn from each other.
    Cycle,
    /// Two settings that do not go together.
    Conflict,
    /// A variable that is unknown, unset or badly written.
    Variable,
    /// A `--set` that leads nowhere.
    Override,
}

/// Where a mistake is. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as it was given, or `<command line>` for a `--set`.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// The column after the last one, on the same line.
    pub end_column: usize,
    /// The line itself.
    pub text: String,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// What is wrong, and why.
    pub message: String,
    /// Where; nowhere if the file cannot be read at all.
    pub place: Option<Place>,
    /// What to do.
    pub help: Option<String>,
    #[serde(skip)]
    span: Option<Span>,
}

/// All mistakes of a definition, in the order of the file. Its `Display` is what a user reads.
///
/// ```
/// let text = "name: demo\ntreads: 2\n";
/// let mistakes = millstream_spec::parse(text, "demo.yaml", &[]).unwrap_err();
/// assert!(mistakes.to_string().contains(
///     "error: unknown key `treads`\n --> demo.yaml:2:1\n  |\n2 | treads: 2\n  | ^^^^^^\n  = help: did you mean `threads`?\n"
/// ));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The mistakes, at least one.
    #[must_use]
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// The mistakes as JSON: a list of objects with `code`, `message`, `place` (`file`, `line`, `column`, `end_column`, `text`)
    /// and `help`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.items)
    }

    /// The one mistake of a file that cannot be read.
    pub(crate) fn unreadable(message: String, help: &str) -> Self {
        let help = Some(help.to_string());
        let item = Diagnostic { code: Code::Unreadable, message, place: None, help, span: None };
        Diagnostics { items: vec![item] }
    }
}

/// A stretch of one line of one source; lines and columns from 1, `end` after the last character.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) source: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) end: usize,
}

impl Span {
    /// Where a source begins.
    pub(crate) fn start(source: usize) -> Span {
        Span { source, line: 1, column: 1, end: 2 }
    }
}

/// Collects mistakes while a definition is read and checked.
#[derive(Debug, Default)]
pub(crate) struct Report {
    sources: Vec<Source>,
    items: Vec<Diagnostic>,
}

#[derive(Debug)]
struct Source {
    name: String,
    lines: Vec<String>,
}

impl Report {
    /// Adds a text that spans can point into.
    pub(crate) fn source(&mut self, name: &str, text: &str) -> usize {
        let lines = text.lines().map(str::to_string).collect();
        self.sources.push(Source { name: name.to_string(), lines });
        self.sources.len() - 1
    }

    /// Notes a mistake. An empty `help` is none.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        let place = Some(self.place(span));
        let help = (!help.is_empty()).then_some(help);
        let item = Diagnostic { code, message, place, help, span: Some(span) };
        if self.items.len() < KEPT && !self.items.contains(&item) {
            self.items.push(item);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The mistakes in the order of their places, if there are any.
    pub(crate) fn finish(mut self) -> Result<(), Diagnostics> {
        if self.items.is_empty() {
            return Ok(());
        }
        self.items.sort_by_key(|item| item.span);
        Err(Diagnostics { items: self.items })
    }

    /// The text of a line, without its end.
    pub(crate) fn line(&self, source: usize, line: usize) -> &str {
        let source = self.sources.get(source);
        source.and_then(|source| source.lines.get(line.saturating_sub(1))).map_or("", String::as_str)
    }

    fn place(&self, span: Span) -> Place {
        let file = self.sources.get(span.source).map_or("", |source| source.name.as_str());
        let text = self.line(span.source, span.line);
        // The parser counts the blanks after a quoted value in.
        let blanks = text.chars().take(span.end.saturating_sub(1)).skip(span.column.saturating_sub(1));
        let blanks = blanks.fold(0, |blanks, c| if c.is_whitespace() { blanks + 1 } else { 0 });
        Place {
            file: file.to_string(),
            line: span.line,
            column: span.column,
            end_column: span.end.saturating_sub(blanks).max(span.column + 1),
            text: text.to_string(),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            writeln!(f, "{item}")?;
        }
        match self.items.len() {
            1 => write!(f, "1 mistake"),
            KEPT => write!(f, "{KEPT} mistakes, and perhaps more"),
            count => write!(f, "{count} mistakes"),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        let margin = self.place.as_ref().map_or(0, |place| place.line.to_string().len());
        if let Some(place) = &self.place {
            place.show(f, margin)?;
        }
        for line in self.help.iter().flat_map(|help| help.lines()).enumerate().map(help_line) {
            writeln!(f, "{:margin$} {line}", "")?;
        }
        Ok(())
    }
}

fn help_line((number, line): (usize, &str)) -> String {
    let head = if number == 0 { "= help:" } else { "       " };
    format!("{head} {line}")
}

impl Place {
    fn show(&self, f: &mut fmt::Formatter<'_>, margin: usize) -> fmt::Result {
        let (line, before, length) = self.window();
        writeln!(f, "{:margin$}--> {}:{}:{}", "", self.file, self.line, self.column)?;
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{} | {line}", self.line)?;
        writeln!(f, "{:margin$} | {:before$}{}", "", "", "^".repeat(length))
    }

    /// The line as a terminal can show it, how many characters of it come before the mistake, and how many are it.
    fn window(&self) -> (String, usize, usize) {
        let clean: Vec<char> = self.text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let before = self.column.saturating_sub(1);
        let length = self.end_column.saturating_sub(self.column).clamp(1, SHOWN / 2);
        if clean.len() <= SHOWN {
            return (clean.into_iter().collect(), before, length);
        }
        let first = before.saturating_sub(SHOWN / 3).min(clean.len());
        let last = first.saturating_add(SHOWN).min(clean.len());
        let (head, tail) = (mark(first > 0), mark(last < clean.len()));
        let middle: String = clean.get(first..last).unwrap_or_default().iter().collect();
        (format!("{head}{middle}{tail}"), before - first.min(before) + head.len(), length)
    }
}

/// What stands for the part of a line that is cut off.
fn mark(cut: bool) -> &'static str {
    if cut { "..." } else { "" }
}

/// The candidate that a word was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word.to_lowercase(), candidate);
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}

/// "did you mean", or what there is to choose from.
pub(crate) fn suggest<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("{what}: {}", quoted(candidates)),
    }
}

/// Names in a row: `a`, `b`, `c`.
pub(crate) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Span, help: &str) -> String {
        let mut report = Report::default();
        report.source("a.yaml", text);
        report.error(Code::Syntax, span, "wrong", help);
        report.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_is_shown_as_a_compiler_would() {
        let span = Span { source: 0, line: 12, column: 3, end: 6 };
        let text = format!("{}  key: 1\n", "\n".repeat(11));
        let expected = "error: wrong\n  --> a.yaml:12:3\n   |\n12 |   key: 1\n   |   ^^^\n   = help: first\n           second\n\n1 mistake";
        assert_eq!(shown(&text, span, "first\nsecond"), expected);
    }

    #[test]
    fn a_long_line_is_cut_around_the_mistake() {
        let text = format!("{}HERE{}", "a".repeat(1000), "b".repeat(1000));
        let shown = shown(&text, Span { source: 0, line: 1, column: 1001, end: 1005 }, "");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[3].find("HERE"), lines[4].find("^^^^"));
        assert!(lines[3].len() < 140, "{}", lines[3]);
    }

    #[test]
    fn control_characters_and_places_outside_the_text_do_no_harm() {
        assert!(!shown("a\u{1b}[2J: 1", Span { source: 0, line: 1, column: 1, end: 2 }, "").contains('\u{1b}'));
        assert!(shown("", Span { source: 7, line: 9, column: 80, end: 0 }, "").contains("9:80"));
    }

    #[test]
    fn mistakes_come_in_the_order_of_the_file_and_once() {
        let mut report = Report::default();
        report.source("a.yaml", "one\ntwo\n");
        for line in [2, 1, 2] {
            let span = Span { source: 0, line, column: 1, end: 4 };
            report.error(Code::Missing, span, format!("line {line}"), "");
        }
        let found = report.finish().unwrap_err();
        let messages: Vec<&str> = found.items().iter().map(|item| item.message.as_str()).collect();
        assert_eq!(messages, ["line 1", "line 2"]);
        assert_eq!(found.to_json()[0]["place"]["line"], 1);
    }

    #[test]
    fn a_near_miss_is_recognised_and_a_far_one_is_not() {
        let known = ["threshold", "balance", "steps"];
        for (word, expected) in [("treshold", Some("threshold")), ("Steps", Some("steps")), ("colour", None)] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
