//! Against Pillow 13.0.0 without tolerance: `golden/resample.txt`, written by `golden/resample.py`.

use super::*;
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

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
    };
    !bytes.iter().fold(!0, |crc, &b| (0..8).fold(crc ^ u32::from(b), step))
}

fn pair(size: &str) -> (u32, u32) {
    let (width, height) = size.split_once('x').unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

/// Runs one line of the golden file on each path; says what is wrong, if anything.
fn check_line(line: &str) -> Result<(), String> {
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
    for path in Path::available() {
        let found =
            format!("{:08x}", crc32(&run(path, &source(&pixels, width, height, channels), &x, &y, filter, false)));
        if found != expected {
            return Err(format!("{line}: {path:?} gives {found}"));
        }
    }
    Ok(())
}

#[test]
fn every_case_has_pillows_bits() {
    let path = std::env::var("MILLSTREAM_GOLDEN_RESAMPLE");
    let text =
        path.map_or(include_str!("../../golden/resample.txt").to_string(), |p| std::fs::read_to_string(p).unwrap());
    let wrong: Vec<String> = text.lines().filter_map(|line| check_line(line).err()).collect();
    let shown = wrong[..wrong.len().min(20)].join("\n");
    assert!(wrong.is_empty(), "{} of {} cases\n{shown}", wrong.len(), text.lines().count());
}

#[test]
#[ignore]
fn bench_tmp() {
    for path in Path::available() {
        for (w, h, c, tw, th, win) in [
            (300, 270, 3, 224, 224, 224),
            (480, 395, 3, 311, 256, 224),
            (1500, 1000, 3, 224, 224, 224),
            (100, 80, 3, 224, 224, 224),
            (28, 28, 1, 28, 28, 28),
            (28, 28, 1, 32, 32, 32),
            (300, 270, 1, 224, 224, 224),
        ] {
            for filter in [Filter::Bilinear, Filter::Bicubic] {
                let pixels = noise(w * h * c, 0);
                let x = |k: u32| Axis {
                    window: (tw - win) / 2..(tw - win) / 2 + win,
                    from: f64::from(k % 2) * 1e-3,
                    ..whole(w as u32, tw)
                };
                let y = Axis { window: (th - win) / 2..(th - win) / 2 + win, ..whole(h as u32, th) };
                let mut out = vec![0; (win * win) as usize * c];
                let mut r = Resampler::with_path(path);
                let mut times: Vec<f64> = (0..if w > 1000 { 300 } else { 2000 })
                    .map(|k| {
                        let y = Axis { from: f64::from(k % 2) * 1e-3, ..y.clone() };
                        let t = std::time::Instant::now();
                        r.resample(&source(&pixels, w as u32, h as u32, c as u8), &x(k), &y, filter, false, &mut out)
                            .unwrap();
                        t.elapsed().as_secs_f64() * 1e6
                    })
                    .collect();
                times.sort_by(f64::total_cmp);
                println!(
                    "{path:?} {w}x{h}x{c} -> {tw}x{th} win {win} {filter:?}: best {:.1} median {:.1} us",
                    times[0],
                    times[times.len() / 2]
                );
            }
        }
    }
}
