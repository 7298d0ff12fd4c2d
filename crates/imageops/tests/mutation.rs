//! Ten thousand damaged files: each is decoded or becomes a dead letter, and soon.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use millstream_imageops::{Image, ImageError, Limits, Options, Rng, SampleKey, Truncated, decode};

const MUTANTS: u32 = 10_000;
const THREADS: u32 = 2;

/// A file that takes longer holds a worker up.
const LONG: Duration = Duration::from_secs(1);

/// Such that the loops of this crate, which tests run unoptimised, take a fraction of a second at most.
const LIMITS: Limits = Limits { pixels: 4_000_000, memory: 256 << 20 };

/// A whole file, and the sides of its image.
struct Seed {
    name: String,
    bytes: Vec<u8>,
    sides: [u32; 2],
}

fn options(truncated: Truncated) -> Options {
    Options { limits: LIMITS, truncated, ..Options::default() }
}

/// Files of every format and kind, each of which decodes.
fn seeds() -> Vec<Seed> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["golden/decode", "fuzz/seeds/decode"].map(|folder| crate_folder.join(folder).read_dir().unwrap());
    let mut paths: Vec<_> = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seed = |path: &std::path::PathBuf| {
        let (name, bytes) = (path.display().to_string(), std::fs::read(path).unwrap());
        let image = decode(&bytes, 3, &options(Truncated::Refuse)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Seed { name, bytes, sides: [image.width, image.height] }
    };
    paths.iter().map(seed).collect()
}

/// A range of at least one byte that lies in the file.
fn run(rng: &mut Rng, length: usize) -> Range<usize> {
    let start = rng.range(length as u32) as usize;
    let longest = (length - start).min(64) as u32;
    start..start + 1 + rng.range(longest) as usize
}

fn flip_bits(bytes: &mut [u8], rng: &mut Rng) {
    for _ in 0..=rng.range(64) {
        bytes[rng.range(bytes.len() as u32) as usize] ^= 1 << rng.range(8);
    }
}

/// Overwrites a side of the image by a large number, wherever the file's head holds it: in either byte order, of two or
/// four bytes, or in digits.
fn blow_up(seed: &Seed, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.bytes.clone();
    let large = [500, 1999, 2001, 30_000, 65_535][rng.range(5) as usize];
    let digits = |side: u32| side.to_string().into_bytes();
    let forms: [&dyn Fn(u32) -> Vec<u8>; 4] = [
        &digits,
        &|side| (side as u16).to_be_bytes().to_vec(),
        &|side| (side as u16).to_le_bytes().to_vec(),
        // A GIF and a WebP hold two bytes, an ICO one.
        &|side| vec![side as u8],
    ];
    for side in seed.sides {
        let form = forms[rng.range(4) as usize];
        let (old, new) = (form(side), form(large));
        let head = &bytes[..bytes.len().min(256)];
        let places: Vec<usize> = (0..head.len()).filter(|&at| head[at..].starts_with(&old)).collect();
        if let Some(&at) = places.get(rng.range(places.len() as u32) as usize) {
            bytes.splice(at..at + old.len(), new);
        }
    }
    bytes
}

/// The head of one file and the tail of another.
fn splice(one: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let cut = |bytes: &[u8], rng: &mut Rng| rng.range(bytes.len() as u32) as usize;
    [&one[..cut(one, rng)], &other[cut(other, rng)..]].concat()
}

/// A damaged file, and which seed and damage it is.
fn mutant(seeds: &[Seed], number: u32) -> (String, Vec<u8>) {
    let mut rng = Rng::new(&SampleKey { seed: 1, round: 0, epoch: 0, key: number.into(), copy: 0, view: 0 }, 0);
    let rng = &mut rng;
    // In turn, so that every file meets every damage.
    let seed = &seeds[number as usize % seeds.len()];
    let other = &seeds[rng.range(seeds.len() as u32) as usize].bytes;
    let mut bytes = seed.bytes.clone();
    let damages = ["bits", "cut", "two files", "splice", "zeros", "ones", "missing", "large"];
    let damage = damages[rng.range(damages.len() as u32) as usize];
    let place = run(rng, bytes.len());
    match damage {
        "bits" => flip_bits(&mut bytes, rng),
        "cut" => bytes.truncate(rng.range(bytes.len() as u32) as usize),
        "two files" => bytes.extend(other),
        "splice" => bytes = splice(&bytes, other, rng),
        "zeros" => bytes[place].fill(0),
        "ones" => bytes[place].fill(0xFF),
        "missing" => drop(bytes.drain(place)),
        _ => bytes = blow_up(seed, rng),
    }
    if rng.coin(0.5) {
        mend_checksums(&mut bytes);
    }
    (format!("mutant {number}, {damage} of {}", seed.name), bytes)
}

/// Makes the checksums of a PNG's chunks right again, or its decoder would not look any further.
fn mend_checksums(bytes: &mut [u8]) {
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return;
    }
    let mut chunks = &mut bytes[8..];
    while let Some((length, rest)) = chunks.split_first_chunk_mut() {
        let length = 4 + u32::from_be_bytes(*length) as usize;
        let Some((chunk, rest)) = rest.split_at_mut_checked(length) else { return };
        let Some((sum, rest)) = rest.split_first_chunk_mut() else { return };
        *sum = crc32(chunk).to_be_bytes();
        chunks = rest;
    }
}

/// CRC-32 of the PNG specification, annex D.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |value: u32| (value >> 1) ^ (0xEDB8_8320 & (value & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |value, _| shift(value)))
}

/// How often each thing came of a mutant, and the longest time.
#[derive(Default, Debug)]
struct Tally {
    outcomes: BTreeMap<&'static str, u32>,
    longest: (Duration, String),
}

impl Tally {
    fn add(&mut self, seeds: &[Seed], number: u32) {
        let (name, bytes) = mutant(seeds, number);
        let options = options(if number.is_multiple_of(2) { Truncated::Keep } else { Truncated::Refuse });
        let (time, result) = timed(&bytes, &options);
        assert!(time < LONG, "{name}: {time:?}");
        *self.outcomes.entry(outcome(&name, &result)).or_default() += 1;
        self.longest = std::mem::take(&mut self.longest).max((time, name));
    }

    fn join(mut self, other: Self) -> Self {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        Self { outcomes: self.outcomes, longest: self.longest.max(other.longest) }
    }
}

/// Processor time that this thread has had: a busy machine makes nothing slower by it.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

fn timed(bytes: &[u8], options: &Options) -> (Duration, Result<Image, ImageError>) {
    let start = worked();
    let result = decode(bytes, 3, options);
    (worked() - start, result)
}

/// What came of it: a whole image, or an error that makes the record a dead letter.
fn outcome(name: &str, result: &Result<Image, ImageError>) -> &'static str {
    match result {
        Ok(image) => {
            let Image { width, height, channels, ref pixels } = *image;
            assert!(u64::from(width) * u64::from(height) <= LIMITS.pixels, "{name}");
            assert_eq!((channels, pixels.len()), (3, width as usize * height as usize * 3), "{name}");
            "decoded"
        }
        Err(error) => {
            assert!(error.is_in_the_bytes(), "{name}: {error}");
            match error {
                ImageError::UnknownFormat { .. } => "unknown format",
                ImageError::TooLarge { .. } => "too large",
                _ if error.to_string().contains("the decoder panicked") => "panic caught",
                _ => "broken",
            }
        }
    }
}

#[test]
#[allow(clippy::print_stdout)]
fn damaged_files_are_decoded_or_dead_letters_within_a_second() {
    let seeds = seeds();
    let part = |thread: u32| {
        let mut tally = Tally::default();
        (thread..MUTANTS).step_by(THREADS as usize).for_each(|number| tally.add(&seeds, number));
        tally
    };
    let tally = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let part = &part;
                    move || part(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Tally::default(), Tally::join)
    });
    println!("{tally:?}");
    assert_eq!(tally.outcomes.values().sum::<u32>(), MUTANTS);
    // The damage neither spares everything nor destroys everything.
    for outcome in ["decoded", "broken", "too large", "unknown format"] {
        assert!(tally.outcomes.get(outcome).is_some_and(|&count| count >= MUTANTS / 100), "{outcome}: {tally:?}");
    }
}

#[test]
fn seeds_are_whole_files_of_every_format() {
    let seeds = seeds();
    for format in ["jpg", "png", "webp", "gif", "bmp", "tif", "ico", "pbm", "pgm", "ppm", "pam", "qoi"] {
        assert!(seeds.iter().any(|seed| seed.name.ends_with(&format!(".{format}"))), "{format}");
    }
}
