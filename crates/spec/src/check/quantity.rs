//! Numbers with units.

use crate::plan::MaxBad;

/// What is wrong, and what to do.
type Mistake = (String, String);

/// Units of bytes, the decimal ones as disks are sold and the binary ones as memory is.
const UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Most bytes that anybody could mean.
const MOST: f64 = (1u64 << 60) as f64;

/// `256MiB`, `1.5 GB`, or a number of bytes.
pub(super) fn bytes(text: &str) -> Result<u64, Mistake> {
    let (number, unit) = split(text);
    let factor = match unit {
        "" => Some(1),
        unit => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor),
    };
    let help = "write a number and a unit, such as 256MiB or 1.5GB".to_string();
    let (Some(number), Some(factor)) = (number, factor) else {
        return Err((format!("`{text}` is no amount of memory"), help));
    };
    let bytes = number * factor as f64;
    if (1.0..MOST).contains(&bytes) {
        return Ok(bytes as u64);
    }
    Err((format!("`{text}` is {} memory", if bytes < 1.0 { "no" } else { "too much" }), help))
}

/// `0.5%`, or a number of records.
pub(super) fn share_or_count(text: &str) -> Result<MaxBad, Mistake> {
    let (number, unit) = split(text);
    let help = "write a share such as 1%, or a number of records such as 20".to_string();
    match (number, unit) {
        (Some(percent), "%") if percent <= 100.0 => Ok(MaxBad::Fraction(percent / 100.0)),
        (Some(_), "%") => Err((format!("`{text}` is more than all records"), help)),
        (Some(share), "") if share.fract() != 0.0 => {
            let message = format!("`{text}` is neither a share nor a number of records");
            // Rounded: 0.07 * 100 is a little more than 7.
            let percent = (share * 1e8).round() / 1e6;
            Err((message, if share < 1.0 { format!("for a share write {percent}%") } else { help }))
        }
        (Some(_), "") => {
            text.trim().parse().map(MaxBad::Count).map_err(|_| (format!("`{text}` is no number of records"), help))
        }
        _ => Err((format!("`{text}` is neither a share nor a number of records"), help)),
    }
}

/// A number that is not negative, if there is one, and what follows it.
fn split(text: &str) -> (Option<f64>, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory() {
        for (text, expected) in
            [("256MiB", 256 << 20), ("1.5 GB", 1_500_000_000), ("1kB", 1000), ("4096", 4096), ("2TiB", 2 << 40)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "256 M", "-1MiB", "0", "0.1B", "1e9", "9999999TiB", "1.2.3MB", "10%"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_and_counts() {
        for (text, expected) in [
            ("1%", MaxBad::Fraction(0.01)),
            ("0.5 %", MaxBad::Fraction(0.005)),
            ("0%", MaxBad::Fraction(0.0)),
            ("20", MaxBad::Count(20)),
            ("0", MaxBad::Count(0)),
        ] {
            assert_eq!(share_or_count(text), Ok(expected), "{text}");
        }
        for text in ["", "101%", "-1", "many", "1.5", "20MiB", "99999999999999999999"] {
            assert!(share_or_count(text).is_err(), "{text}");
        }
        assert_eq!(share_or_count("0.07").unwrap_err().1, "for a share write 7%");
    }
}
