//! The EXIF orientation of a JPEG.

use image::metadata::Orientation;

const START_OF_SCAN: u8 = 0xDA;
const APP1: u8 = 0xE1;

/// The orientation out of the first EXIF block before the scans. It is a courtesy: a file whose block cannot be read
/// is shown as it lies.
pub(super) fn orientation(bytes: &[u8]) -> Orientation {
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
            return Orientation::from_exif_chunk(tiff).unwrap_or(Orientation::NoTransforms);
        }
    }
    Orientation::NoTransforms
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
