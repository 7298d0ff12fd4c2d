use super::{encode_jpeg, encode_png};
use crate::{Image, ImageError, Options, decode};

fn gradient(width: u32, height: u32, channels: u8) -> Image {
    let bytes = width * height * u32::from(channels);
    Image::from_pixels(width, height, channels, (0..bytes).map(|i| (i * 255 / bytes) as u8).collect()).unwrap()
}

#[test]
fn png_gives_back_the_same_pixels() {
    for (width, height, channels) in [(1, 1, 1), (17, 5, 1), (31, 9, 3)] {
        let image = gradient(width, height, channels);
        let bytes = encode_png(&image).unwrap();
        assert_eq!(decode(&bytes, channels, &Options::default()).unwrap(), image);
    }
}

#[test]
fn jpeg_is_close_to_the_pixels_and_smaller_at_lower_quality() {
    for channels in [1, 3] {
        let image = gradient(61, 47, channels);
        let (fine, coarse) = (encode_jpeg(&image, 95).unwrap(), encode_jpeg(&image, 20).unwrap());
        assert!(coarse.len() < fine.len());
        let decoded = decode(&fine, channels, &Options::default()).unwrap();
        assert_eq!((decoded.width, decoded.height, decoded.channels), (61, 47, channels));
        let furthest = decoded.pixels.iter().zip(&image.pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(furthest < 12, "off by {furthest}");
    }
}

#[test]
fn what_cannot_be_encoded_is_refused() {
    let image = gradient(4, 4, 1);
    for quality in [0, 101] {
        assert!(matches!(encode_jpeg(&image, quality), Err(ImageError::Argument { .. })));
    }
    let long = Image::from_pixels(65_535, 1, 1, vec![0; 65_535]).unwrap();
    assert!(encode_png(&long).is_ok(), "a PNG may be that long");
    let error = encode_jpeg(&long, 90).unwrap_err();
    assert!(matches!(error, ImageError::Encode { format: "JPEG", .. }), "{error}");
    let broken = Image { width: 5, ..image };
    for result in [encode_png(&broken), encode_jpeg(&broken, 90)] {
        assert!(matches!(result, Err(ImageError::Shape { .. })));
    }
}
