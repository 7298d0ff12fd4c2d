//! The EXIF orientation of a JPEG or a WebP. It is a courtesy: a file whose EXIF block cannot be read is shown as it lies.

use image::metadata::Orientation;

const START_OF_SCAN: u8 = 0xDA;
const APP1: u8 = 0xE1;

/// The orientation out of the first EXIF block before the scans.
pub(super) fn of_jpeg(bytes: &[u8]) -> Orientation {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, after)) = next_marker(rest) {
        if marker == START_OF_SCAN {
            break;
        }
        rest = after;
        // Markers without a length: TEM, the restart markers and the start of the image.
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        let Some((segment, after)) = segment(after) else { break };
        rest = after;
        if let Some(tiff) = segment.strip_prefix(b"Exif\0\0").filter(|_| marker == APP1) {
            return of_tiff(tiff);
        }
    }
    Orientation::NoTransforms
}

/// The orientation out of the first EXIF chunk. The WebP decoder would make room for as many bytes as the chunk claims
/// to have, up to 4 GiB, before it reads any.
pub(super) fn of_webp(bytes: &[u8]) -> Orientation {
    // After "RIFF", a length and "WEBP".
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((kind, data, after)) = chunk(rest) {
        if kind == b"EXIF" {
            return of_tiff(data);
        }
        rest = after;
    }
    Orientation::NoTransforms
}

fn of_tiff(tiff: &[u8]) -> Orientation {
    Orientation::from_exif_chunk(tiff).unwrap_or(Orientation::NoTransforms)
}

/// Name and data of a RIFF chunk, and what follows. Data of an odd length are padded by a byte.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (data, rest) = rest.split_at_checked(length)?;
    Some((kind, data, rest.get(length % 2..).unwrap_or_default()))
}

/// The next marker and what follows it. `FF 00` is a data byte, `FF FF` padding.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let at = bytes.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

/// A segment without its length, which counts itself, and what follows (ITU-T T.81, annex B).
fn segment(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    Some((bytes.get(2..length)?, &bytes[length..]))
}
