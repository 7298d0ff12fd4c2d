//! The section `stream`.

use super::{Checker, steps};
use crate::diagnostic::Code;
use crate::plan::StreamPlan;
use crate::raw;
use crate::yaml::Path;

/// Most pixels of an image, as in the image crate.
pub(super) const MOST_PIXELS: u64 = 1 << 28;

pub(super) fn stream(checker: &mut Checker<'_>, raw: &raw::Stream) -> StreamPlan {
    let [height, width] = raw.size.map(|side| side.0);
    check_area(checker, &Path::of(&["stream", "size"]), (height, width));
    let channels = match raw.channels {
        raw::Channels::Gray => 1,
        raw::Channels::Rgb => 3,
    };
    let (mean, std) = normalize(checker, raw.normalize.as_ref(), channels);
    let path = Path::of(&["stream", "eval"]);
    let eval = steps::view(checker, &path, &raw.eval, (height, width));
    for (position, step) in eval.iter().enumerate().filter(|(_, step)| step.is_random()) {
        let message =
            format!("the step `{}` is random, but models are tested and label on images as they are", step.name());
        checker.error(&path.item(position), Code::Conflict, message, "move it to `training.augment`");
    }
    StreamPlan { height, width, channels, mean, std, eval, eval_batch: raw.eval_batch }
}

/// Refuses images of more pixels than any step can make.
pub(super) fn check_area(checker: &mut Checker<'_>, path: &Path, (height, width): (u32, u32)) {
    if u64::from(height) * u64::from(width) > MOST_PIXELS {
        let message = format!("{height} x {width} pixels are too many for one image");
        checker.error(path, Code::OutOfRange, message, format!("an image has at most {MOST_PIXELS} pixels"));
    }
}

fn normalize(checker: &mut Checker<'_>, raw: Option<&raw::Normalize>, channels: u8) -> (Vec<f32>, Vec<f32>) {
    let count = usize::from(channels);
    let Some(raw) = raw else {
        return (vec![0.5; count], vec![0.5; count]);
    };
    let known = checker.sound(&Path::of(&["stream", "channels"]));
    for (key, numbers) in [("mean", &raw.mean), ("std", &raw.std)] {
        if numbers.len() != count && known {
            let message = format!(
                "`{key}` has {}, but images have {}",
                counted(numbers.len(), "number"),
                counted(count, "channel")
            );
            let help = "give one number for each channel: one for `gray`, three for `rgb`";
            checker.error(&Path::of(&["stream", "normalize", key]), Code::Conflict, message, help);
        }
    }
    let narrow = |numbers: &[f64]| numbers.iter().map(|number| *number as f32).collect();
    (narrow(&raw.mean), narrow(&raw.std))
}

/// "1 channel", "3 channels".
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
