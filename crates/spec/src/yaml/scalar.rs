//! What an unquoted word means: the core schema of YAML 1.2.

/// A value that is not made of others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// As written, with variables filled in.
    pub(crate) text: String,
    /// What that means.
    pub(crate) kind: Kind,
    /// Whether a variable was filled in: then it may be text even if it looks like a number.
    pub(crate) variable: bool,
}

/// The type of a scalar with its value.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
    /// Nobody knows: its variable is wrong, which has been reported.
    Broken,
}

/// The meaning of a word without quotes.
pub(crate) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => number(text).unwrap_or(Kind::Text),
    }
}

fn number(text: &str) -> Option<Kind> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            return Some(Kind::Float(if text.starts_with('-') { -f64::INFINITY } else { f64::INFINITY }));
        }
        ".nan" | ".NaN" | ".NAN" => return Some(Kind::Float(f64::NAN)),
        _ => {}
    }
    // Rust also reads "inf", "nan" and "infinity", which are words in YAML.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !unsigned.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let whole = text.parse().ok().map(Kind::Int);
    whole.or_else(|| text.parse().ok().map(Kind::Float))
}

/// A whole number without a sign.
fn radix(digits: &str, radix: u32) -> Option<Kind> {
    let good = digits.chars().all(|c| c.is_digit(radix));
    good.then(|| i128::from_str_radix(digits, radix).ok().map(Kind::Int)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_the_core_schema_says() {
        for (text, expected) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("True", Kind::Bool(true)),
            ("yes", Kind::Text),
            ("off", Kind::Text),
            ("12", Kind::Int(12)),
            ("-3", Kind::Int(-3)),
            ("+3", Kind::Int(3)),
            ("0o17", Kind::Int(15)),
            ("0xff", Kind::Int(255)),
            ("0x-1", Kind::Text),
            ("18446744073709551615", Kind::Int(u64::MAX.into())),
            ("0.85", Kind::Float(0.85)),
            (".5", Kind::Float(0.5)),
            ("1e-3", Kind::Float(0.001)),
            ("-.inf", Kind::Float(-f64::INFINITY)),
            ("inf", Kind::Text),
            ("nan", Kind::Text),
            ("1_000", Kind::Text),
            ("1.2.3", Kind::Text),
            ("256MiB", Kind::Text),
            (".", Kind::Text),
            ("-", Kind::Text),
        ] {
            assert_eq!(resolve(text), expected, "{text}");
        }
    }
}
