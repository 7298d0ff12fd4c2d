//! What a plan does to the pixels of a batch.

use std::ops::Range;

use super::draw::WHOLE;
use super::{How, Mix};
use crate::op::refuse;
use crate::{Area, ImageError};

/// Mixes a batch in place. `pixels` are the samples one after the other, each of `shape` (height, width, channels) as
/// [`View::render`](crate::View::render) leaves them. What comes from a partner are its pixels before mixing. A blended
/// value is rounded half up.
///
/// Following partners leads through all samples, so that one sample's pixels in `scratch` are all that must be saved.
///
/// # Errors
/// [`ImageError::Argument`], with the pixels unchanged, if `pixels` has another length than the plan's samples, if the
/// partners are not one cycle through all samples, or if an area reaches out of the image.
pub fn mix(pixels: &mut [u8], shape: (u32, u32, u8), plan: &[Mix], scratch: &mut Vec<u8>) -> Result<(), ImageError> {
    let batch = Batch::new(shape);
    batch.check(pixels.len(), plan)?;
    let Some(first) = pixels.get(..batch.bytes) else { return Ok(()) };
    scratch.clear();
    scratch.extend_from_slice(first);
    let mut at = 0;
    for _ in plan {
        let Some(step) = plan.get(at) else { break };
        let partner = step.partner as usize;
        if partner == 0 {
            batch.combine(&mut pixels[batch.range(at)], scratch, step);
        } else if let Ok([own, other]) = pixels.get_disjoint_mut([batch.range(at), batch.range(partner)]) {
            batch.combine(own, other, step);
        }
        at = partner;
    }
    Ok(())
}

/// The measures of a batch.
struct Batch {
    height: u32,
    width: u32,
    channels: usize,
    /// Bytes of one sample.
    bytes: usize,
}

impl Batch {
    fn new((height, width, channels): (u32, u32, u8)) -> Self {
        let channels = usize::from(channels);
        // A product that does not fit is longer than any slice, so the check refuses it.
        let bytes = (height as usize).saturating_mul(width as usize).saturating_mul(channels);
        Self { height, width, channels, bytes }
    }

    fn range(&self, sample: usize) -> Range<usize> {
        sample * self.bytes..(sample + 1) * self.bytes
    }

    fn check(&self, bytes: usize, plan: &[Mix]) -> Result<(), ImageError> {
        let wrong = |name, found: String, allowed| Err(refuse("mix", name, found, allowed));
        if self.bytes.checked_mul(plan.len()) != Some(bytes) {
            return wrong("pixels", format!("{bytes} bytes"), "the bytes of one sample times the length of the plan");
        }
        if !is_cycle(plan) {
            return wrong("partners", format!("{} samples", plan.len()), "one cycle through all samples");
        }
        let outside = |mix: &&Mix| matches!(mix.how, How::Cut(area) if !self.holds(area));
        match plan.iter().find(outside) {
            Some(mix) => wrong("area", format!("{:?}", mix.how), "an area inside of the image"),
            None => Ok(()),
        }
    }

    fn holds(&self, area: Area) -> bool {
        let fits = |start: i32, length: u32, size: u32| {
            u32::try_from(start).is_ok_and(|start| start.checked_add(length).is_some_and(|end| end <= size))
        };
        fits(area.left, area.width, self.width) && fits(area.top, area.height, self.height)
    }

    fn combine(&self, own: &mut [u8], other: &[u8], mix: &Mix) {
        match mix.how {
            How::Not => {}
            How::Cut(area) => self.paste(own, other, area),
            How::Blend => blend(own, other, mix.keep),
        }
    }

    fn paste(&self, own: &mut [u8], other: &[u8], area: Area) {
        let stride = self.width as usize * self.channels;
        let start = area.left as usize * self.channels;
        let columns = start..start + area.width as usize * self.channels;
        for y in (area.top as usize..).take(area.height as usize) {
            let row = y * stride..(y + 1) * stride;
            own[row.clone()][columns.clone()].copy_from_slice(&other[row][columns.clone()]);
        }
    }
}

/// Whether following partners from the first sample leads through all of them and back.
fn is_cycle(plan: &[Mix]) -> bool {
    let mut at = 0;
    for rest in (0..plan.len()).rev() {
        match plan.get(at) {
            Some(mix) => at = mix.partner as usize,
            None => return false,
        }
        if (at == 0) != (rest == 0) {
            return false;
        }
    }
    true
}

/// A share in whole 65536ths.
pub(super) fn whole_parts(share: f32) -> u32 {
    (f64::from(share) * WHOLE).round().clamp(0.0, WHOLE) as u32
}

/// `keep` times the own value plus the rest of the other's, rounded half up, in whole 65536ths.
fn blend(own: &mut [u8], other: &[u8], keep: f32) {
    let keep = whole_parts(keep);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[allow(unsafe_code)]
        // SAFETY: the CPU has AVX2, which is all that the function asks for.
        unsafe {
            blend_avx2(own, other, keep);
        }
        return;
    }
    blend_values(own, other, keep);
}

/// The same integers, compiled for wider registers: a quarter of the time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn blend_avx2(own: &mut [u8], other: &[u8], keep: u32) {
    blend_values(own, other, keep);
}

#[inline(always)]
fn blend_values(own: &mut [u8], other: &[u8], keep: u32) {
    let rest = WHOLE as u32 - keep;
    for (a, b) in own.iter_mut().zip(other) {
        *a = ((u32::from(*a) * keep + u32::from(*b) * rest + 0x8000) >> 16) as u8;
    }
}

#[cfg(test)]
mod tests;
