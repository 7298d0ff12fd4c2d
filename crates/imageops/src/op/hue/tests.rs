use super::*;

/// The four of all 2^24 colours for which Pillow's order of rounding matters.
#[test]
fn the_place_in_a_sector_is_rounded_once() {
    assert_eq!(to_rgb([201, 206, 199]), [156, 38, 199]);
    assert_eq!(to_rgb([224, 206, 199]), [199, 38, 156]);
    assert_eq!(to_rgb([201, 199, 206]), [163, 45, 206]);
    assert_eq!(to_rgb([224, 199, 206]), [206, 45, 163]);
}
