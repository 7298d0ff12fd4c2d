//! Brace patterns: `{000..099}`, `{a,b}`, several of them and one in another, as shells and WebDataset have them.

use crate::DataError;

/// Names of one shape. Never written out: the n-th is made when it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Numbers from the first to the second, up or down, of at least so many digits.
    Range(u64, u64, usize),
    Choice(Vec<Pattern>),
}

impl Pattern {
    /// # Errors
    /// [`DataError::Malformed`] where braces do not match.
    pub(super) fn parse(text: &str) -> Result<Self, DataError> {
        let mut rest = text;
        match parse(&mut rest, true) {
            Some(pattern) if rest.is_empty() => Ok(pattern),
            _ => Err(DataError::Malformed {
                place: text.to_string(),
                found: "braces that do not match".to_string(),
                expected: "`{000..099}` or `{a,b}`".to_string(),
                help: "close what is open; a file whose name has braces can be given in a list",
            }),
        }
    }

    /// All names in their order.
    pub(super) fn names(self) -> impl Iterator<Item = String> + Send {
        (0..self.len()).map(move |index| self.name(index))
    }

    fn len(&self) -> u64 {
        self.0.iter().fold(1, |all, part| all.saturating_mul(part.len()))
    }

    /// The last part changes fastest.
    fn name(&self, mut index: u64) -> String {
        let mut texts = Vec::new();
        for part in self.0.iter().rev() {
            let count = part.len().max(1);
            texts.push(part.name(index % count));
            index /= count;
        }
        texts.into_iter().rev().collect()
    }
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Part::Text(_) => 1,
            Part::Range(from, to, _) => from.abs_diff(*to).saturating_add(1),
            Part::Choice(patterns) => patterns.iter().fold(0, |all, pattern| all.saturating_add(pattern.len())),
        }
    }

    fn name(&self, mut index: u64) -> String {
        match self {
            Part::Text(text) => text.clone(),
            Part::Range(from, to, width) if from <= to => format!("{:0width$}", from + index),
            Part::Range(from, _, width) => format!("{:0width$}", from - index),
            Part::Choice(patterns) => {
                for pattern in patterns {
                    match index.checked_sub(pattern.len()) {
                        None => return pattern.name(index),
                        Some(rest) => index = rest,
                    }
                }
                String::new()
            }
        }
    }
}

/// Reads up to the end, or, inside braces, up to what ends this alternative.
fn parse(rest: &mut &str, outside: bool) -> Option<Pattern> {
    let mut parts = Vec::new();
    let stops: &[char] = if outside { &['{', '}'] } else { &['{', '}', ','] };
    loop {
        let (text, after) = rest.split_at(rest.find(stops).unwrap_or(rest.len()));
        *rest = after;
        if !text.is_empty() {
            parts.push(Part::Text(text.to_string()));
        }
        match rest.strip_prefix('{') {
            Some(inner) => {
                *rest = inner;
                parts.push(braced(rest)?);
            }
            None => return Some(Pattern(parts)),
        }
    }
}

/// What stands in braces, the first of which is read.
fn braced(rest: &mut &str) -> Option<Part> {
    let mut choice = Vec::new();
    loop {
        choice.push(parse(rest, false)?);
        let ends = rest.starts_with('}');
        *rest = rest.strip_prefix([',', '}'])?;
        if ends {
            break;
        }
    }
    Some(match choice.as_slice() {
        [Pattern(parts)] => match parts.as_slice() {
            [Part::Text(text)] => range(text).unwrap_or_else(|| Part::Text(format!("{{{text}}}"))),
            _ => Part::Choice(choice),
        },
        _ => Part::Choice(choice),
    })
}

fn range(text: &str) -> Option<Part> {
    let (from, to) = text.split_once("..")?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let padded = [from, to].iter().any(|digits| digits.len() > 1 && digits.starts_with('0'));
    let width = if padded { from.len().max(to.len()) } else { 1 };
    Some(Part::Range(number(from)?, number(to)?, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_shell_makes() {
        for (pattern, names) in [
            ("a.tar", "a.tar"),
            ("t-{008..011}.tar", "t-008.tar t-009.tar t-010.tar t-011.tar"),
            ("{9..11}", "9 10 11"),
            ("{2..0}", "2 1 0"),
            ("{a,b}/{0..1}", "a/0 a/1 b/0 b/1"),
            ("x{a,{b,c}{0..1},}y", "xay xb0y xb1y xc0y xc1y xy"),
            ("{abc}.tar", "{abc}.tar"),
            ("a,b", "a,b"),
        ] {
            let made: Vec<String> = Pattern::parse(pattern).unwrap().names().collect();
            assert_eq!(made.join(" "), names, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_of_very_many_names_is_not_written_out() {
        let mut names = Pattern::parse("{0..999999999}{0..999999999}{0..9}").unwrap().names();
        assert_eq!(names.nth(21).as_deref(), Some("021"));
    }

    #[test]
    fn braces_that_do_not_match_are_refused() {
        for pattern in ["a{b", "a}b", "{a,{b}", "{a,b}}"] {
            let message = Pattern::parse(pattern).unwrap_err().to_string();
            assert!(message.contains("do not match"), "{pattern}: {message}");
        }
    }
}
