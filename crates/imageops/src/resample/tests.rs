//! Against Pillow 13.0.0 without tolerance: `golden/resample.txt`, written by `golden/resample.py`.

use proptest::prelude::*;

use super::*;
use crate::golden::{self, Tally};
use crate::{Rng, SampleKey};

const FILTERS: [Filter; 4] = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];

/// The same pixels as `source` in resample.py.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(&SampleKey { seed, round: 0, epoch: 0, key: 0, copy: 0, view: 0 }, 0);
    let mut value = || (rng.next_u64() >> 56) as u8;
    let cut = |v: u8| if seed % 2 == 1 { if v > 127 { 255 } else { 0 } } else { v };
    (0..bytes).map(|_| cut(value())).collect()
}

fn whole(length: u32, size: u32) -> Axis {
    Axis { length, from: 0.0, to: f64::from(length), size, window: 0..size }
}

fn source(pixels: &[u8], width: u32, height: u32, channels: u8) -> Source<'_> {
    Source { pixels, width, height, channels, left: 0, top: 0 }
}

fn run(path: Path, source: &Source<'_>, x: &Axis, y: &Axis, filter: Filter, mirror: bool) -> Vec<u8> {
    let mut out = vec![0; x.window.len() * y.window.len() * usize::from(source.channels)];
    Resampler::with_path(path).resample(source, x, y, filter, mirror, &mut out).unwrap();
    out
}

fn pair(size: &str) -> (u32, u32) {
    let (width, height) = size.split_once('x').unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

/// Runs one line of the golden file on a path and compares it with what Pillow has.
fn difference(line: &str, path: Path) -> f64 {
    let [input, interval, output, expected] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
    let [channels, size, seed] = input.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (channels, (width, height)) = (channels.parse().unwrap(), pair(size));
    let pixels = noise(width as usize * height as usize * usize::from(channels), seed.parse().unwrap());
    let numbers: Vec<f64> = interval.split(' ').map(|n| n.parse().unwrap()).collect();
    let (target, name) = output.split_once(' ').unwrap();
    let target = pair(target);
    let x = Axis { from: numbers[0], to: numbers[2], ..whole(width, target.0) };
    let y = Axis { from: numbers[1], to: numbers[3], ..whole(height, target.1) };
    let filter = FILTERS.into_iter().find(|filter| format!("{filter:?}").to_lowercase() == name).unwrap();
    golden::difference(&run(path, &source(&pixels, width, height, channels), &x, &y, filter, false), expected)
}

#[test]
fn every_case_has_pillows_bits() {
    let mut tally = Tally::new("resample", 0.0);
    for line in golden::cases("MILLSTREAM_GOLDEN_RESAMPLE", include_str!("../../golden/resample.txt")).lines() {
        let (case, _) = line.rsplit_once(" | ").unwrap();
        tally.add(case, Path::available().map(|path| difference(line, path)).fold(0.0, f64::max));
    }
    golden::finish([tally]);
}

prop_compose! {
    /// An axis with any interval and the whole window.
    fn axis()(length in 1u32..300, size in 1u32..300, ends in (0.0f64..1.0, 0.001f64..1.0), cut in any::<bool>()) -> Axis {
        let from = ends.0 * f64::from(length) * 0.9;
        let to = from + ends.1 * (f64::from(length) - from);
        if cut { Axis { from, to, ..whole(length, size) } } else { whole(length, size) }
    }
}

proptest! {
    #[test]
    fn every_path_gives_the_same_bits(x in axis(), y in axis(), gray in any::<bool>(), kind in 0usize..4, seed in 0u64..100) {
        let (channels, filter) = (if gray { 1 } else { 3 }, FILTERS[kind]);
        let pixels = noise((x.length * y.length) as usize * usize::from(channels), seed);
        let source = source(&pixels, x.length, y.length, channels);
        let expected = run(Path::Scalar, &source, &x, &y, filter, false);
        for path in Path::available() {
            prop_assert_eq!(&run(path, &source, &x, &y, filter, false), &expected);
        }
    }

    /// Also with only that part of the source in memory that the window reads.
    #[test]
    fn a_window_is_cut_from_the_whole(x in axis(), y in axis(), starts in (0.0f64..1.0, 0.0f64..1.0), sizes in (1u32..90, 1u32..90), kind in 0usize..4) {
        let filter = FILTERS[kind];
        let pixels = noise((x.length * y.length * 3) as usize, 1);
        let window = |axis: &Axis, start: f64, size: u32| {
            let start = (start * f64::from(axis.size)) as u32;
            Axis { window: start..(start + size).min(axis.size), ..axis.clone() }
        };
        let (part_x, part_y) = (window(&x, starts.0, sizes.0), window(&y, starts.1, sizes.1));
        let (columns, rows) = (part_x.reach(filter), part_y.reach(filter));
        let memory: Vec<u8> = rows.clone().flat_map(|row| {
            let start = (row * x.length + columns.start) as usize * 3;
            pixels[start..start + columns.len() * 3].to_vec()
        }).collect();
        let part = Source {
            left: columns.start as i32,
            top: rows.start as i32,
            ..source(&memory, columns.len() as u32, rows.len() as u32, 3)
        };
        for path in Path::available() {
            let all = run(path, &source(&pixels, x.length, y.length, 3), &x, &y, filter, false);
            let expected: Vec<u8> = part_y.window.clone().flat_map(|row| {
                let start = (row * x.size + part_x.window.start) as usize * 3;
                all[start..start + part_x.window.len() * 3].to_vec()
            }).collect();
            prop_assert_eq!(run(path, &part, &part_x, &part_y, filter, false), expected);
        }
    }

    #[test]
    fn mirror_reverses_each_row(x in axis(), y in axis(), gray in any::<bool>(), kind in 0usize..4) {
        let channels = if gray { 1 } else { 3 };
        let pixels = noise((x.length * y.length * channels) as usize, 2);
        let source = source(&pixels, x.length, y.length, channels as u8);
        for path in Path::available() {
            let mut expected = run(path, &source, &x, &y, FILTERS[kind], false);
            for row in expected.chunks_exact_mut((x.size * channels) as usize) {
                row.reverse();
                row.chunks_exact_mut(channels as usize).for_each(<[u8]>::reverse);
            }
            prop_assert_eq!(run(path, &source, &x, &y, FILTERS[kind], true), expected);
        }
    }
}

/// 33 to 43 rows with the cubic filter: row 21 lies on a source row, and all its other weights are 0.
#[test]
fn rows_that_only_the_next_output_row_reads_are_kept() {
    let (x, y) = (whole(7, 5), whole(33, 43));
    let pixels = noise(7 * 33, 1);
    let source = source(&pixels, 7, 33, 1);
    let all = run(Path::Scalar, &source, &x, &y, Filter::Bicubic, false);
    let part = run(Path::Scalar, &source, &x, &Axis { window: 21..23, ..y }, Filter::Bicubic, false);
    assert_eq!(part, all[21 * 5..23 * 5]);
}

/// A crop that is resized: memory holds more than the source, and nothing around the crop bleeds in.
#[test]
fn memory_may_hold_more_than_the_source() {
    let (width, height) = (70, 50);
    let pixels = noise(width * height * 3, 4);
    let (left, top, columns, rows) = (11, 7, 40, 31);
    let crop: Vec<u8> = (top..top + rows)
        .flat_map(|row| pixels[(row * width + left) * 3..(row * width + left + columns) * 3].to_vec())
        .collect();
    let (x, y) = (whole(columns as u32, 24), whole(rows as u32, 45));
    let whole = Source { left: -(left as i32), top: -(top as i32), ..source(&pixels, width as u32, height as u32, 3) };
    for (path, filter) in Path::available().flat_map(|path| FILTERS.map(|filter| (path, filter))) {
        let expected = run(path, &source(&crop, columns as u32, rows as u32, 3), &x, &y, filter, false);
        assert_eq!(run(path, &whole, &x, &y, filter, false), expected);
    }
}

#[test]
fn a_resampler_forgets_the_last_image() {
    let mut resampler = Resampler::default();
    for (width, height, size, channels) in [(90, 80, 33, 3), (90, 80, 33, 1), (20, 80, 33, 1), (5, 4, 60, 3)] {
        let pixels = noise((width * height * channels) as usize, 3);
        let source = source(&pixels, width, height, channels as u8);
        let (x, y) = (whole(width, size), whole(height, size));
        let mut out = vec![0; (size * size * channels) as usize];
        for filter in FILTERS {
            resampler.resample(&source, &x, &y, filter, false, &mut out).unwrap();
            assert_eq!(out, run(Path::Scalar, &source, &x, &y, filter, false));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let pixels = [0; 12 * 10 * 3];
    let good = source(&pixels, 12, 10, 3);
    let (x, y) = (whole(12, 5), whole(10, 4));
    let refuse = |source: &Source<'_>, x: &Axis, y: &Axis, bytes: usize| {
        for filter in FILTERS {
            let result = Resampler::default().resample(source, x, y, filter, false, &mut vec![0; bytes]);
            assert!(matches!(result, Err(ImageError::Resize { .. })), "{result:?}");
        }
    };
    refuse(&good, &x, &y, 59);
    refuse(&source(&pixels, 11, 10, 3), &x, &y, 60);
    refuse(&Source { left: 2, ..good }, &x, &y, 60);
    refuse(&Source { top: -3, ..good }, &x, &y, 60);
    refuse(&good, &Axis { window: 0..6, ..x.clone() }, &y, 72);
    refuse(&good, &Axis { window: 2..2, ..x.clone() }, &y, 0);
    refuse(&good, &Axis { from: f64::NAN, ..x.clone() }, &y, 60);
    refuse(&good, &Axis { from: 3.0, to: 3.0, ..x.clone() }, &y, 60);
    refuse(&good, &x, &Axis { to: 10.5, ..y.clone() }, 60);
    refuse(&good, &whole(0, 5), &y, 60);
}
