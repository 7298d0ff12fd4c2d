//! The weights of one axis: for each output pixel, which source pixels it reads and how much of each.
//!
//! Everything is computed as Pillow's `Resample.c` does, operation by operation, for the last bit of a weight can
//! decide about a pixel: interval ends are f32, weights f64, and the result fixed point with [`BITS`] bits.

use std::f64::consts::PI;
use std::ops::Range;

use super::Axis;
use crate::Filter;

/// Bits behind the point of a weight. Of 32, 8 go to the pixel, 2 to overshoot (some weights are negative).
pub(super) const BITS: u32 = 32 - 8 - 2;

/// The source pixels of one output pixel.
#[derive(Copy, Clone, Debug)]
pub(super) struct Span {
    /// The first source pixel.
    pub(super) first: u32,
    /// How many source pixels, at least 1.
    pub(super) count: u32,
    /// Where its weights begin.
    offset: usize,
}

/// The weights of all output pixels of an axis' window.
#[derive(Default)]
pub(super) struct Weights {
    made_for: Option<(Axis, Filter, bool)>,
    /// One for each output pixel.
    pub(super) spans: Vec<Span>,
    /// All source pixels from the first to the last that is read.
    pub(super) reach: Range<u32>,
    /// The most source pixels that an output pixel has.
    pub(super) taps: usize,
    /// Whether each weight is below 1.9 in magnitude, which the SIMD paths rely on. No filter gives more than 1.3.
    pub(super) small: bool,
    fixed: Vec<i32>,
    real: Vec<f64>,
}

impl Weights {
    /// Computes the weights, unless they are there from the last time. `mirror` puts the output pixels in reverse.
    pub(super) fn prepare(&mut self, axis: &Axis, filter: Filter, mirror: bool) {
        if matches!(&self.made_for, Some((a, f, m)) if a == axis && *f == filter && *m == mirror) {
            return;
        }
        self.spans.clear();
        self.fixed.clear();
        let scale = Scale::new(axis, filter);
        match filter {
            Filter::Nearest => {}
            Filter::Bilinear => self.fill(axis, &scale, triangle),
            Filter::Bicubic => self.fill(axis, &scale, cubic),
            Filter::Lanczos => self.fill(axis, &scale, lanczos),
        }
        if mirror {
            self.spans.reverse();
        }
        let starts = self.spans.iter().map(|span| span.first);
        let ends = self.spans.iter().map(|span| span.first + span.count);
        self.reach = starts.min().unwrap_or(0)..ends.max().unwrap_or(0);
        self.taps = self.spans.iter().map(|span| span.count as usize).max().unwrap_or(0);
        self.small = self.fixed.iter().all(|weight| weight.unsigned_abs() < (19 << BITS) / 10);
        self.made_for = Some((axis.clone(), filter, mirror));
    }

    /// The weights of an output pixel, one for each source pixel of its span.
    #[inline]
    pub(super) fn of(&self, span: &Span) -> &[i32] {
        &self.fixed[span.offset..span.offset + span.count as usize]
    }

    /// Bytes of memory held.
    pub(super) fn capacity(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.fixed.capacity() * 4 + self.real.capacity() * 8
    }

    fn fill(&mut self, axis: &Axis, scale: &Scale, filter: impl Fn(f64) -> f64) {
        for index in axis.window.clone() {
            let center = scale.center(index);
            let reach = scale.reach(index);
            let weight = |place: u32| filter((f64::from(place) - center + 0.5) * scale.inverse);
            self.real.clear();
            self.real.extend(reach.clone().map(weight));
            let sum = self.real.iter().fold(0.0, |sum, weight| sum + weight);
            self.push(reach.start, if sum == 0.0 { 1.0 } else { sum });
        }
    }

    /// Adds the span of the weights in `real`. Zeros at its ends stay: without them a span could begin before the one
    /// before it, and the passes rely on spans going forward.
    fn push(&mut self, first: u32, sum: f64) {
        self.spans.push(Span { first, count: self.real.len() as u32, offset: self.fixed.len() });
        self.fixed.extend(self.real.iter().map(|weight| fixed_point(weight / sum)));
    }
}

/// Rounds to the nearest, halves away from zero.
fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << BITS);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// Where output pixels lie in the source, and how far the filter reaches there.
pub(super) struct Scale {
    from: f64,
    step: f64,
    /// Source pixels to each side.
    support: f64,
    /// Filter units per source pixel: below 1 where the image shrinks (antialiasing), else 1.
    inverse: f64,
    length: u32,
}

impl Scale {
    pub(super) fn new(axis: &Axis, filter: Filter) -> Self {
        let step = f64::from(axis.to as f32 - axis.from as f32) / f64::from(axis.size);
        let stretch = step.max(1.0);
        let radius = match filter {
            Filter::Nearest => 0.0,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        };
        let from = f64::from(axis.from as f32);
        Self { from, step, support: radius * stretch, inverse: 1.0 / stretch, length: axis.length }
    }

    /// The source place of the middle of an output pixel.
    fn center(&self, index: u32) -> f64 {
        self.from + (f64::from(index) + 0.5) * self.step
    }

    /// The source pixels that an output pixel may read.
    pub(super) fn reach(&self, index: u32) -> Range<u32> {
        let center = self.center(index);
        let end = ((center + self.support + 0.5) as u32).min(self.length);
        let start = ((center - self.support + 0.5) as u32).min(self.length - 1);
        start..end.max(start + 1)
    }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Cubic convolution with a = -0.5 (Keys 1981).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { libm::sin(x * PI) / (x * PI) }
}
