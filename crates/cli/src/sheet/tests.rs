use super::*;

fn tile(value: u8, caption: &[&str]) -> Tile {
    let image = Image::from_pixels(40, 30, 1, vec![value; 1200]).unwrap();
    Tile { image, title: "t".to_owned(), caption: caption.iter().map(|line| (*line).to_owned()).collect() }
}

#[test]
fn long_lines_are_cut_between_words_and_long_words_anywhere() {
    assert_eq!(wrap("rotate 9.0", 17), ["rotate 9.0"]);
    assert_eq!(wrap("resize 8x8 bilinear of", 10), ["resize 8x8", " bilinear", " of"]);
    assert_eq!(wrap("abcdefghijklm", 5), ["abcd", " efgh", " ijkl", " m"]);
    assert_eq!(wrap("", 5), [""]);
    // Narrower than anything: it ends all the same.
    assert_eq!(wrap("ab c", 0).concat().replace(' ', ""), "abc");
}

#[test]
fn groups_stay_together_and_pictures_lie_where_they_should() {
    let groups = [vec![tile(10, &[]), tile(20, &[])], vec![tile(30, &[]), tile(40, &[])], vec![tile(50, &[])]];
    let sheet = draw(&groups, (40, 30), 5).unwrap();
    // Two groups of two fit into five columns; the third begins a row.
    let row = 30 + PAD + LINE + GAP;
    assert_eq!((sheet.width, sheet.height), (4 * (40 + GAP) + GAP, 2 * row + GAP));
    let value = |x: u32, y: u32| sheet.pixels[(y * sheet.width + x) as usize * 3];
    let column = |n: u32| GAP + n * (40 + GAP);
    assert_eq!([0, 1, 2, 3].map(|n| value(column(n), GAP)), [10, 20, 30, 40]);
    assert_eq!([value(column(0), GAP + row), value(column(1), GAP + row)], [50, BACKGROUND]);
    assert_eq!(value(0, 0), BACKGROUND);
}

#[test]
fn captions_are_dark_and_more_lines_make_a_higher_sheet() {
    let one = draw(&[vec![tile(200, &["rotate 9.0"])]], (160, 30), 1).unwrap();
    assert!(one.pixels.iter().any(|value| *value < 40), "letters are nearly black");
    let three = draw(&[vec![tile(200, &["rotate 9.0", "invert", "equalize"])]], (160, 30), 1).unwrap();
    assert_eq!(three.height, one.height + 2 * LINE);
    let unknown = draw(&[vec![tile(200, &["\u{1f600}"])]], (160, 30), 1).unwrap();
    assert!(
        unknown.pixels != draw(&[vec![tile(200, &[" "])]], (160, 30), 1).unwrap().pixels,
        "drawn as a question mark"
    );
}

#[test]
fn no_sheet_is_larger_than_an_image_may_be() {
    let many: Vec<Group> = (0..2000).map(|_| vec![tile(0, &[])]).collect();
    assert!(draw(&many, (40, 30), 1).is_none());
    assert!(draw(&many, (40, 30), 40).is_some());
}
