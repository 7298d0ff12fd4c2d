//! Whether a JPEG is all there. The decoder fills in what is missing with gray; a training set should not.

const END_OF_IMAGE: u8 = 0xD9;

/// Whether the end marker follows the scans. Walks segment by segment, so that the end marker of a thumbnail inside of
/// a segment does not count (ITU-T T.81, annex B).
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        match next_marker(rest) {
            None => return false,
            Some((END_OF_IMAGE, _)) => return true,
            // Markers without a length: TEM and the restart markers.
            Some((0x01 | 0xD0..=0xD8, after)) => rest = after,
            Some((_, after)) => match skip_segment(after) {
                // After a scan header come coded data; no marker but a restart occurs in them, so the search
                // for the next marker passes over them like any padding.
                Some(after) => rest = after,
                None => return false,
            },
        }
    }
}

/// The next marker and what follows it. `FF 00` is a data byte, `FF FF` padding.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let at = bytes.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

/// Passes over a segment, whose first two bytes are its length including themselves.
fn skip_segment(bytes: &[u8]) -> Option<&[u8]> {
    let length = u16::from_be_bytes(*bytes.first_chunk()?);
    bytes.get(usize::from(length).max(2)..)
}
