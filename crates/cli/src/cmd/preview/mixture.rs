//! A sample that was mixed with another of its batch.

use millstream_data::{Mixed, Target};

use super::rows::Came;

/// Shares of a label whose class is named; below are those of label smoothing.
const LEAST: f32 = 0.05;

/// What two samples came to, and how.
pub(super) struct Mixture {
    /// The sample itself, before.
    pub(super) own: Vec<u8>,
    /// The other one, before.
    pub(super) partner: Vec<u8>,
    /// Where the other one's record lies.
    pub(super) place: String,
    /// The other one's class, if it is in the stream for its label.
    pub(super) class: Option<String>,
    /// `cutmix 12x10+3+4` or `mixup 0.63`.
    pub(super) how: String,
    /// `0.63 cat + 0.37 dog`; none where nobody knows what the two show.
    pub(super) label: Option<String>,
}

/// What is to be mixed with what.
pub(super) struct Pair<'a> {
    pub(super) own: &'a Came,
    pub(super) partner: &'a Came,
    mixed: Mixed,
}

impl<'a> Pair<'a> {
    /// The pair of a row among all rows before they were mixed; none if it stays as it is.
    pub(super) fn of(number: usize, unmixed: &'a [Came]) -> Option<Pair<'a>> {
        let own = unmixed.get(number)?;
        let (mixed, partner) = own.mixing?;
        let stays = mixed.area == [0; 4] && mixed.keep == 1 << 16;
        let partner = unmixed.get(partner).filter(|_| !stays)?;
        Some(Pair { own, partner, mixed })
    }

    /// What comes of it: `place` and `class` are the partner's.
    pub(super) fn mixture(&self, classes: &[String], place: String, class: Option<String>) -> Mixture {
        Mixture {
            own: self.own.pixels.clone(),
            partner: self.partner.pixels.clone(),
            place,
            class,
            how: how(&self.mixed),
            label: label(&self.own.row.target, classes),
        }
    }
}

fn how(mixed: &Mixed) -> String {
    match mixed.area {
        [0, 0, 0, 0] => format!("mixup {:.2}", f64::from(mixed.keep) / 65_536.0),
        [left, top, right, bottom] => format!("cutmix {}x{}+{left}+{top}", right - left, bottom - top),
    }
}

/// The soft label, the largest share first.
fn label(target: &Target, classes: &[String]) -> Option<String> {
    let Target::Soft(distribution) = target else { return None };
    let mut shares: Vec<(f32, &String)> = distribution.iter().copied().zip(classes).collect();
    let all: f32 = shares.iter().map(|(share, _)| share).sum();
    shares.retain(|(share, _)| *share >= LEAST);
    shares.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let rest = all - shares.iter().map(|(share, _)| share).sum::<f32>();
    let mut parts: Vec<String> = shares.iter().map(|(share, class)| format!("{share:.2} {class}")).collect();
    if rest >= 0.005 {
        parts.push(format!("{rest:.2} others"));
    }
    Some(parts.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_areas_are_written_out() {
        let classes = ["cat", "dog", "eel"].map(str::to_owned);
        let soft = Target::Soft(vec![0.36, 0.63, 0.01]);
        assert_eq!(label(&soft, &classes).as_deref(), Some("0.63 dog + 0.36 cat + 0.01 others"));
        assert_eq!(label(&Target::Soft(vec![0.02, 0.96, 0.02]), &classes).as_deref(), Some("0.96 dog + 0.04 others"));
        assert_eq!(label(&Target::Hard(1), &classes), None);
        let mixed = |keep, area| how(&Mixed { partner: 1, keep, area });
        assert_eq!(mixed(1 << 15, [0; 4]), "mixup 0.50");
        assert_eq!(mixed(1 << 16, [3, 4, 15, 14]), "cutmix 12x10+3+4");
    }
}
