//! Against Pillow: golden/decode.py wrote the files and what they decode to.

use super::*;

/// CRC-32 as zlib computes it.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |value: u32| (value >> 1) ^ (0xEDB8_8320 & (value & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |value, _| shift(value)))
}

#[test]
fn every_kind_of_file_decodes_as_in_pillow() {
    let list = include_str!("../../../golden/decode.txt");
    assert!(list.lines().count() >= 50);
    for line in list.lines() {
        let [name, width, height, rgb, gray] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        for (channels, crc) in [(3, rgb), (1, gray)] {
            let image = decode(&file(name), channels, &Options::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((image.width.to_string(), image.height.to_string()), (width.into(), height.into()), "{name}");
            assert_eq!(image.channels, channels, "{name}");
            assert_eq!(format!("{:08x}", crc32(&image.pixels)), crc, "{name}, {channels} channels");
        }
    }
}
