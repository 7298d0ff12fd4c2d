use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb, Rgba};

use super::*;

const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::WebP];

fn gradient() -> DynamicImage {
    let colour = |x: u32, y: u32| Rgb([(x * 7) as u8, (y * 9) as u8, (x * y) as u8]);
    image::RgbImage::from_fn(31, 17, colour).into()
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn all(bytes: &[u8]) -> Result<Image, ImageError> {
    decode(bytes, 3, &Options::default())
}

#[test]
fn every_format_decodes_to_its_size_and_near_its_colours() {
    let original = gradient().into_rgb8().into_raw();
    for format in FORMATS {
        let image = all(&encode(&gradient(), format)).unwrap();
        assert_eq!((image.width, image.height, image.channels), (31, 17, 3), "{format:?}");
        let error: u64 = image.pixels.iter().zip(&original).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = error as f64 / original.len() as f64;
        let allowed = if matches!(format, ImageFormat::Jpeg | ImageFormat::Gif) { 16.0 } else { 0.0 };
        assert!(mean <= allowed, "{format:?}: mean error {mean}");
    }
}

#[test]
fn gray_and_rgb_convert_as_pillow_does() {
    let one = |image: DynamicImage, channels| {
        decode(&encode(&image, ImageFormat::Png), channels, &Options::default()).unwrap().pixels
    };
    let rgb = |r, g, b| DynamicImage::from(image::RgbImage::from_pixel(1, 1, Rgb([r, g, b])));
    // Image.new("RGB", (1, 1), colour).convert("L") in Pillow.
    assert_eq!(one(rgb(255, 0, 0), 1), [76]);
    assert_eq!(one(rgb(0, 255, 0), 1), [150]);
    assert_eq!(one(rgb(0, 0, 255), 1), [29]);
    assert_eq!(one(rgb(10, 200, 99), 1), [132]);
    assert_eq!(one(image::GrayImage::from_pixel(1, 1, Luma([9])).into(), 3), [9, 9, 9]);
    assert_eq!(one(image::RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 0])).into(), 3), [1, 2, 3]);
    assert_eq!(one(image::GrayAlphaImage::from_pixel(1, 1, LumaA([7, 0])).into(), 1), [7]);
}

#[test]
fn orientation_is_applied() {
    let jpeg = encode(&gradient(), ImageFormat::Jpeg);
    // An EXIF block with one entry: orientation 6, to be turned clockwise by a quarter.
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], b"\xff\xe1", &length, exif, &jpeg[2..]].concat();
    let (plain, image) = (all(&jpeg).unwrap(), all(&turned).unwrap());
    assert_eq!((image.width, image.height), (17, 31));
    assert_eq!(image.pixels[..3], plain.pixels[16 * 31 * 3..][..3]);
}

#[test]
fn truncated_files_are_broken_whatever_could_be_shown() {
    for format in FORMATS {
        let whole = encode(&gradient(), format);
        for keep in [whole.len() / 4, whole.len() / 2, whole.len() * 3 / 4] {
            let error = all(&whole[..keep]).unwrap_err();
            assert!(
                matches!(error, ImageError::Broken { .. } | ImageError::TooLarge { .. }),
                "{format:?} {keep}: {error}"
            );
        }
    }
    let jpeg = encode(&gradient(), ImageFormat::Jpeg);
    let cut = all(&jpeg[..jpeg.len() - 2]).unwrap_err().to_string();
    assert_eq!(cut, "broken JPEG image: truncated: the end marker is missing");
    // What follows the end does not matter, and neither does an end marker inside of a segment.
    assert!(all(&[&jpeg[..], b"trailing"].concat()).is_ok());
    let thumbnail = [&jpeg[..2], b"\xff\xfe\0\x04\xff\xd9", &jpeg[2..]].concat();
    assert!(all(&thumbnail).is_ok());
    assert!(all(&thumbnail[..thumbnail.len() - 2]).is_err());
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
    let png = encode(&gradient(), ImageFormat::Png);
    let with = |pixels, memory| decode(&png, 3, &Options { limits: Limits { pixels, memory }, ..Options::default() });
    assert!(with(31 * 17, 1 << 20).is_ok());
    let error = with(31 * 17 - 1, 1 << 20).unwrap_err();
    assert!(matches!(&error, ImageError::TooLarge { found, .. } if found.contains("31x17")), "{error}");
    assert!(matches!(with(1 << 20, 100).unwrap_err(), ImageError::TooLarge { .. }));
    // A header that promises 60,000 x 60,000 pixels and holds none.
    let mut bomb = png.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    assert!(all(&bomb).is_err());
}

#[test]
fn only_gray_and_rgb_can_be_asked_for() {
    let png = encode(&gradient(), ImageFormat::Png);
    assert!(matches!(decode(&png, 4, &Options::default()).unwrap_err(), ImageError::Argument { .. }));
}

/// Damaged files of every format: an image or an error, never a panic that leaves `decode`.
#[test]
fn flipped_bits_never_panic() {
    let mut rng = crate::Rng::new(&crate::SampleKey { seed: 3, round: 0, epoch: 0, key: 0, copy: 0, view: 0 }, 0);
    let limited = Options { limits: Limits { pixels: 1 << 20, memory: 1 << 24 }, ..Options::default() };
    for format in FORMATS {
        let whole = encode(&gradient(), format);
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=rng.range(4) {
                let at = rng.range(bytes.len() as u32) as usize;
                bytes[at] ^= 1 << rng.range(8);
            }
            if let Ok(image) = decode(&bytes, 1, &limited) {
                image.check().unwrap();
            }
        }
    }
}
