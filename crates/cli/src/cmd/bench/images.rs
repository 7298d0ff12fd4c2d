//! Images that are made up: they cost what real ones cost and can be told apart, so that no loss runs away.

use std::io::Write;
use std::path::{Path, PathBuf};

use millstream_data::{Batch, Block, Key, Row, Shape, Target, write_atomically};

/// As many as IDX labels tell apart.
pub(super) const CLASSES: u32 = 10;

/// Steps of brightness between one class and the next, and how many of noise are added.
const STEP: u32 = 20;
const NOISE: u32 = 56;

/// A file of images and one of their labels, in IDX.
#[derive(Clone, Debug)]
pub(super) struct IdxFiles {
    pub(super) images: PathBuf,
    pub(super) labels: PathBuf,
}

/// Makes `count` images, one class after the other and around again.
pub(super) fn write(folder: &Path, shape: Shape, count: u32) -> anyhow::Result<IdxFiles> {
    let files = IdxFiles { images: folder.join("images"), labels: folder.join("labels") };
    let Shape { height, width, channels } = shape;
    let sizes: &[u32] = if channels == 1 { &[count, height, width] } else { &[count, height, width, 3] };
    write_idx(&files.images, sizes, (0..count).map(|number| pixels(shape, number)))?;
    write_idx(&files.labels, &[count], (0..count).map(|number| vec![class(number) as u8]))?;
    Ok(files)
}

/// The first of these images as a batch.
pub(super) fn batch(shape: Shape, count: u32) -> Batch {
    let row = |record| Row {
        record,
        key: Key(u128::from(record)),
        view: 0,
        epoch: 0,
        copy: 0,
        target: Target::Hard(class(record)),
        labelled: true,
    };
    let blocks = vec![Block((0..count).flat_map(|number| pixels(shape, number)).collect())];
    Batch { shape, blocks, rows: (0..count).map(row).collect(), mixing: Vec::new(), dead: Vec::new() }
}

/// The names that IDX gives to the classes.
pub(super) fn classes() -> Vec<String> {
    (0..CLASSES).map(|class| class.to_string()).collect()
}

fn class(number: u32) -> u32 {
    number % CLASSES
}

/// The brightness is the class's, but for noise that differs from image to image.
fn pixels(shape: Shape, number: u32) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9) | 1;
    let mut noise = || {
        // Marsaglia's xorshift: nothing is to be guessed here, only to be uneven.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % NOISE
    };
    (0..shape.bytes()).map(|_| (class(number) * STEP + noise()) as u8).collect()
}

/// IDX of bytes: two zeros, the type, the number of sizes, the sizes, the values.
fn write_idx(path: &Path, sizes: &[u32], values: impl Iterator<Item = Vec<u8>>) -> anyhow::Result<()> {
    write_atomically(path, |file| {
        file.write_all(&[0, 0, 8, sizes.len() as u8])?;
        sizes.iter().try_for_each(|size| file.write_all(&size.to_be_bytes()))?;
        values.into_iter().try_for_each(|bytes| file.write_all(&bytes))
    })?;
    Ok(())
}
