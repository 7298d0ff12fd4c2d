use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb};

use super::*;

mod golden;
mod partial;

/// Image with smooth colours and hard edges.
fn picture(width: u32, height: u32) -> Image {
    let colour = |x: u32, y: u32| {
        let edge = if (x / 7 + y / 5).is_multiple_of(3) { 90 } else { 0 };
        [(x * 5 + edge) as u8, (y * 6 + x) as u8, (x * y / 4 + edge) as u8]
    };
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| colour(x, y))).collect();
    Image::from_pixels(width, height, 3, pixels).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/golden/decode/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn jpeg() -> Vec<u8> {
    file("jpeg-420.jpg")
}

fn encode(format: ImageFormat) -> Vec<u8> {
    let picture = picture(31, 17);
    let colour = |x, y| Rgb(picture.pixels.as_chunks().0[(y * 31 + x) as usize]);
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image::RgbImage::from_fn(31, 17, colour)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn all(bytes: &[u8]) -> Result<Image, ImageError> {
    decode(bytes, 3, &Options::default())
}

fn keeping(bytes: &[u8]) -> Result<Image, ImageError> {
    decode(bytes, 3, &Options { truncated: Truncated::Keep, ..Options::default() })
}

#[test]
fn a_header_tells_format_and_size_and_is_enough() {
    let options = Options { truncated: Truncated::Keep, ..Options::default() };
    for (format, name) in [(ImageFormat::Png, "PNG"), (ImageFormat::Bmp, "BMP"), (ImageFormat::WebP, "WEBP")] {
        let header = header(&encode(format), &options).unwrap();
        assert_eq!((header.format.as_str(), header.width, header.height), (name, 31, 17));
    }
    let (jpeg, png) = (jpeg(), encode(ImageFormat::Png));
    let image = all(&jpeg).unwrap();
    let said = header(&jpeg[..jpeg.len() / 2], &options).unwrap();
    assert_eq!(said, Header { format: "JPEG".to_string(), width: image.width, height: image.height });
    assert_eq!(header(&png[..png.len() / 2], &options).unwrap().width, 31);
    assert!(header(b"no image", &options).is_err());
}

#[test]
fn damage_that_libjpeg_covers_up_is_told_to_who_wants_to_know() {
    let intact = |bytes: &[u8]| decode(bytes, 3, &Options { intact: true, ..Options::default() });
    let whole = jpeg();
    assert_eq!(intact(&whole).unwrap(), all(&whole).unwrap());
    let cut = [&whole[..whole.len() * 6 / 10], b"\xff\xd9"].concat();
    let gap = [&whole[..whole.len() / 2], &whole[whole.len() * 3 / 4..]].concat();
    for damaged in [cut, gap] {
        assert!(all(&damaged).is_ok());
        let error = intact(&damaged).unwrap_err().to_string();
        assert!(error.contains("damaged inside: "), "{error}");
    }
}

#[test]
fn truncated_files_are_broken_whatever_could_be_shown() {
    let formats = [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::WebP];
    let files = formats.map(encode).into_iter().chain([jpeg(), file("jpeg-420-progressive.jpg")]);
    for (number, whole) in files.enumerate() {
        for keep in [whole.len() / 4, whole.len() / 2, whole.len() * 3 / 4] {
            let error = all(&whole[..keep]).unwrap_err();
            let refused = matches!(error, ImageError::Broken { .. } | ImageError::TooLarge { .. });
            assert!(refused, "{number} {keep}: {error}");
        }
    }
}

#[test]
fn a_jpeg_ends_with_its_end_marker() {
    let jpeg = jpeg();
    let cut = all(&jpeg[..jpeg.len() - 2]).unwrap_err().to_string();
    assert_eq!(cut, "broken JPEG image: truncated: the end marker is missing");
    // What follows the end does not matter, and neither does an end marker inside of a segment.
    assert!(all(&[&jpeg[..], b"trailing"].concat()).is_ok());
    let thumbnail = [&jpeg[..2], b"\xff\xfe\0\x04\xff\xd9", &jpeg[2..]].concat();
    assert_eq!(all(&thumbnail).unwrap(), all(&jpeg).unwrap());
    assert!(all(&thumbnail[..thumbnail.len() - 2]).is_err());
    // Bytes between segments do not matter.
    let scan = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDB]).unwrap();
    let padded = [&jpeg[..scan], &[0xFF; 3], &jpeg[scan..]].concat();
    assert_eq!(all(&padded).unwrap(), all(&jpeg).unwrap());
}

#[test]
fn of_a_truncated_file_the_first_rows_are_kept_if_asked_for() {
    for name in ["jpeg-444.jpg", "png-rgb.png", "bmp.bmp"] {
        let whole = file(name);
        let (expected, kept) = (all(&whole).unwrap(), keeping(&whole[..whole.len() * 2 / 3]).unwrap());
        assert_eq!((kept.width, kept.height), (expected.width, expected.height), "{name}");
        // A BMP begins with the bottom row.
        let first = |image: &Image| {
            let rows = image.pixels.chunks_exact(image.width as usize * usize::from(image.channels));
            let row = if name == "bmp.bmp" { rows.last() } else { rows.into_iter().next() };
            row.unwrap().to_vec()
        };
        assert_eq!(first(&kept), first(&expected), "{name}");
        assert_ne!(kept, expected, "{name}");
    }
    let (whole, expected) = (jpeg(), all(&jpeg()).unwrap());
    assert_eq!(keeping(&whole[..whole.len() - 2]).unwrap(), expected);
    assert!(keeping(&whole[..100]).is_err());
}

#[test]
fn a_jpeg_does_not_see_the_one_before() {
    let (full, gray) = (jpeg(), file("jpeg-gray.jpg"));
    let mut decoder = Decoder::new();
    let (options, mut image) = (Options::default(), Image::default());
    decoder.decode(&full, 3, &options, None, &mut image).unwrap();
    // Without its Huffman tables; the first image's must not stand in for them.
    let mut bare = gray[..2].to_vec();
    let mut rest = &gray[2..];
    while rest[1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] != 0xC4 && rest[1] != 0xDB {
            bare.extend(&rest[..length]);
        }
        rest = &rest[length..];
    }
    bare.extend(rest);
    let after = decoder.decode(&bare, 1, &options, None, &mut image).map(|()| image.clone());
    assert_eq!(after, decode(&bare, 1, &options));
    decoder.decode(&gray, 1, &options, None, &mut image).unwrap();
    assert_eq!(image, decode(&gray, 1, &options).unwrap());
}

#[test]
fn a_decoder_can_change_threads() {
    let mut decoder = Decoder::new();
    let mut image = Image::default();
    decoder.decode(&jpeg(), 3, &Options::default(), None, &mut image).unwrap();
    let elsewhere = std::thread::spawn(move || {
        let mut image = Image::default();
        decoder.decode(&jpeg(), 3, &Options::default(), None, &mut image).map(|()| image)
    });
    assert_eq!(elsewhere.join().unwrap().unwrap(), image);
}

#[test]
fn the_jpeg_library_has_a_version() {
    assert!(JPEG_LIBRARY.starts_with("libjpeg-turbo 3."), "{JPEG_LIBRARY}");
}

#[test]
fn steady_state_reuses_the_buffer() {
    let (large, small) = (file("jpeg-420.jpg"), file("jpeg-one-pixel.jpg"));
    let mut decoder = Decoder::new();
    let mut image = Image::default();
    decoder.decode(&large, 3, &Options::default(), None, &mut image).unwrap();
    let place = image.pixels.as_ptr();
    for bytes in [&small, &large, &small, &large] {
        decoder.decode(bytes, 3, &Options::default(), None, &mut image).unwrap();
        assert_eq!(image.pixels.as_ptr(), place);
    }
}

#[test]
fn other_bytes_are_no_image() {
    for bytes in [&b""[..], b"PK\x03\x04 not an image", b"<html>"] {
        let error = all(bytes).unwrap_err();
        assert!(matches!(error, ImageError::UnknownFormat { .. }), "{error}");
    }
    assert!(all(b"<html>").unwrap_err().to_string().contains("3c 68 74 6d 6c 3e"));
}

#[test]
fn limits_stop_large_images_before_they_are_decoded() {
    for (bytes, (width, height)) in [(encode(ImageFormat::Png), (31, 17)), (jpeg(), (45, 35))] {
        let pixels = width * height;
        let with =
            |pixels, memory| decode(&bytes, 3, &Options { limits: Limits { pixels, memory }, ..Options::default() });
        assert!(with(pixels, 1 << 20).is_ok());
        let error = with(pixels - 1, 1 << 20).unwrap_err();
        let size = format!("{width}x{height}");
        assert!(matches!(&error, ImageError::TooLarge { found, .. } if found.contains(&size)), "{error}");
        assert!(matches!(with(1 << 20, 100).unwrap_err(), ImageError::TooLarge { .. }));
    }
    // A header that promises 60,000 x 60,000 pixels and holds none.
    let mut bomb = encode(ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    assert!(all(&bomb).is_err());
    let mut bomb = jpeg();
    let frame = bomb.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xEA, 0x60, 0xEA, 0x60]);
    assert!(matches!(all(&bomb).unwrap_err(), ImageError::TooLarge { .. }));
}

/// A progressive file that says it is `side x side` and goes on with scans of a header and no data.
fn empty_scans(side: u16, count: usize) -> Vec<u8> {
    let mut whole = file("jpeg-420-progressive.jpg");
    let frame = whole.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    whole[frame + 5..frame + 7].copy_from_slice(&side.to_be_bytes());
    whole[frame + 7..frame + 9].copy_from_slice(&side.to_be_bytes());
    let scan = whole.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    let length = 2 + usize::from(u16::from_be_bytes([whole[scan + 2], whole[scan + 3]]));
    [&whole[..scan], &whole[scan..scan + length].repeat(count), &[0xFF, 0xD9]].concat()
}

#[test]
fn absurd_numbers_of_scans_are_refused_the_fewer_the_larger_the_image() {
    for (side, most) in [(40, 500), (2000, 500), (4000, 125), (9000, 50)] {
        let error = all(&empty_scans(side, 600)).unwrap_err();
        assert_eq!(error.to_string(), format!("broken JPEG image: more than {most} scans"), "{side} pixels a side");
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let bytes = jpeg();
    assert!(matches!(decode(&bytes, 4, &Options::default()).unwrap_err(), ImageError::Argument { .. }));
    let mut decoder = Decoder::new();
    for (left, top, width, height) in [(-1, 0, 4, 4), (0, 0, 46, 1), (44, 34, 2, 1), (0, 0, 0, 4), (0, 30, 4, 6)] {
        let wanted = Wanted { area: Area { left, top, width, height }, least: None };
        let options = Options::default();
        let opened = decoder.open(&bytes, &options).unwrap();
        let error = opened.read(3, &wanted, None, &mut Image::default()).unwrap_err();
        assert!(matches!(error, ImageError::Argument { .. }), "{error}");
    }
}

/// Damaged files of every format: an image or an error, never a panic that leaves `decode`.
#[test]
fn flipped_bits_never_panic() {
    // A linear congruential generator (Knuth's MMIX constants): these need not be good random numbers.
    let mut state = 3u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let options = Options { limits: Limits { pixels: 1 << 20, memory: 1 << 24 }, ..Options::default() };
    let names = ["jpeg-420.jpg", "jpeg-422-progressive.jpg", "jpeg-cmyk.jpg", "jpeg-restart.jpg", "png-palette.png"];
    let others = ["bmp.bmp", "gif.gif", "tiff-lzw.tif", "webp-lossless.webp", "qoi.qoi", "ico.ico", "pnm.ppm"];
    let mut decoder = Decoder::new();
    for whole in names.iter().chain(&others).map(|name| file(name)) {
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=draw(4) {
                let at = draw(bytes.len());
                bytes[at] ^= 1 << draw(8);
            }
            let mut image = Image::default();
            if decoder.decode(&bytes, 1, &options, None, &mut image).is_ok() {
                image.check().unwrap();
            }
        }
    }
}
