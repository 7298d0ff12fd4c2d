//! The section `stream`.

use millstream_imageops::{MAX_PIXELS, Step};

use super::Checker;
use super::steps::{self, Defaults};
use crate::diagnostic::Code;
use crate::plan::{DecodePlan, StreamPlan};
use crate::raw;
use crate::yaml::Path;

/// The mean pixel where `stream.normalize` says nothing, half of 255 rounded as timm rounds it.
pub(crate) const MIDDLE: u8 = 128;

pub(super) fn stream(checker: &mut Checker<'_>, raw: &raw::Stream) -> StreamPlan {
    let [height, width] = raw.size.map(|side| side.0);
    check_area(checker, &Path::of(&["stream", "size"]), (height, width));
    let channels = match raw.channels {
        raw::Channels::Gray => 1,
        raw::Channels::Rgb => 3,
    };
    let (mean, std) = normalize(checker, raw.normalize.as_ref(), channels);
    let decode = decode(&raw.decode);
    let mut plan =
        StreamPlan { height, width, channels, mean, std, eval: Vec::new(), eval_batch: raw.eval_batch, decode };
    plan.eval = eval(checker, &raw.eval, &defaults(&plan));
    plan
}

/// The steps of the view that models are tested with.
fn eval(checker: &mut Checker<'_>, raw: &[raw::Step], defaults: &Defaults) -> Vec<Step> {
    let path = Path::of(&["stream", "eval"]);
    let eval = steps::view(checker, &path, raw, defaults);
    for (position, step) in eval.iter().enumerate().filter(|(_, step)| step.is_random()) {
        let message =
            format!("the step `{}` is random, but models are tested and label on images as they are", step.name());
        checker.error(&path.item(position), Code::Conflict, message, "move it to `training.augment`");
    }
    eval
}

/// What steps take from the stream.
pub(super) fn defaults(stream: &StreamPlan) -> Defaults {
    let value = |mean: &f32| (f64::from(*mean) * 255.0).round_ties_even().clamp(0.0, 255.0) as u8;
    let mean = match stream.mean.as_slice() {
        [red, green, blue] => [value(red), value(green), value(blue)],
        others => [others.first().map_or(MIDDLE, value); 3],
    };
    Defaults { size: Some((stream.height, stream.width)), mean }
}

fn decode(raw: &raw::Decode) -> DecodePlan {
    DecodePlan {
        keep_truncated: raw.truncated == raw::Truncated::Keep,
        scale: raw.scale == raw::Scale::Auto,
        max_pixels: raw.max_pixels,
    }
}

/// Refuses images of more pixels than any step can make.
pub(super) fn check_area(checker: &mut Checker<'_>, path: &Path, (height, width): (u32, u32)) {
    if u64::from(height) * u64::from(width) > MAX_PIXELS {
        let message = format!("{height} x {width} pixels are too many for one image");
        checker.error(path, Code::OutOfRange, message, format!("an image has at most {MAX_PIXELS} pixels"));
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
