//! Parts and smaller scales of JPEGs, against the whole.

use std::ffi::c_int;

use proptest::prelude::*;
use turbojpeg_sys as tj;

use super::*;
use crate::{Filter, Picture, Renderer, SampleKey, Shelf, Step, View};

/// How an image is encoded.
#[derive(Copy, Clone, Debug)]
struct Encoding {
    subsampling: c_int,
    progressive: bool,
    /// MCU rows between restart markers, 0 for none.
    restart: c_int,
    lossless: bool,
}

const PLAIN: Encoding = Encoding { subsampling: 2, progressive: false, restart: 0, lossless: false };

/// A JPEG in memory of libjpeg-turbo's own encoder.
#[allow(unsafe_code)]
fn encode_jpeg(image: &Image, encoding: Encoding) -> Vec<u8> {
    let (mut buffer, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the image has the size that is passed; the buffer is allocated by the library, copied and freed.
    unsafe {
        let handle = tj::tj3Init(tj::TJINIT_TJINIT_COMPRESS as c_int);
        let set = |parameter: tj::TJPARAM, value| assert_eq!(tj::tj3Set(handle, parameter as c_int, value), 0);
        set(tj::TJPARAM_TJPARAM_QUALITY, 85);
        set(tj::TJPARAM_TJPARAM_SUBSAMP, encoding.subsampling);
        set(tj::TJPARAM_TJPARAM_PROGRESSIVE, c_int::from(encoding.progressive));
        set(tj::TJPARAM_TJPARAM_RESTARTROWS, encoding.restart);
        set(tj::TJPARAM_TJPARAM_LOSSLESS, c_int::from(encoding.lossless));
        let (width, height) = (image.width as c_int, image.height as c_int);
        let format = tj::TJPF_TJPF_RGB as c_int;
        let done =
            tj::tj3Compress8(handle, image.pixels.as_ptr(), width, 0, height, format, &raw mut buffer, &raw mut size);
        assert_eq!(done, 0);
        let bytes = std::slice::from_raw_parts(buffer, size as usize).to_vec();
        tj::tj3Free(buffer.cast());
        tj::tj3Destroy(handle);
        bytes
    }
}

/// 4:4:4, 4:2:2, 4:2:0, gray, 4:4:0, 4:1:1 and 4:4:1.
fn encodings() -> impl Strategy<Value = Encoding> {
    let make = |(subsampling, progressive, restart)| Encoding { subsampling, progressive, restart, lossless: false };
    (0..7, any::<bool>(), 0..3).prop_map(make)
}

fn sizes() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![4 => (1u32..150, 1u32..150), 1 => (1u32..20, 1u32..20)]
}

/// An area inside of an image, out of four numbers from 0 to 1.
fn area((width, height): (u32, u32), part: [f64; 4]) -> Area {
    let pick = |whole: u32, length: f64, start: f64| {
        let length = 1 + (f64::from(whole - 1) * length) as u32;
        (length, (f64::from(whole - length + 1) * start) as i32)
    };
    let ((width, left), (height, top)) = (pick(width, part[0], part[1]), pick(height, part[2], part[3]));
    Area { left, top, width, height }
}

/// The pixels of an area.
pub(super) fn cut(image: &Image, left: u32, top: u32, (width, height): (u32, u32)) -> Vec<u8> {
    let channels = usize::from(image.channels);
    let rows = image
        .pixels
        .chunks_exact(image.width as usize * usize::from(image.channels))
        .skip(top as usize)
        .take(height as usize);
    rows.flat_map(|row| &row[left as usize * channels..][..width as usize * channels]).copied().collect()
}

/// The same file with an EXIF block that holds an orientation.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let exif = [b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", &[orientation][..], &[0; 6]].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]
    #[test]
    fn an_area_has_the_pixels_of_the_whole(
        encoding in encodings(), size in sizes(), part in [0.0..1.0, 0.0..1.0, 0.0..1.0, 0.0..1.0],
        orientation in 1u8..9, channels in prop_oneof![Just(1u8), Just(3)], there in prop_oneof![Just(1.0), 0.6..1.0],
    ) {
        let bytes = turned(&encode_jpeg(&picture(size.0, size.1), encoding), orientation);
        let bytes = &bytes[..(bytes.len() as f64 * there) as usize];
        let options = Options { truncated: Truncated::Keep, ..Options::default() };
        let whole = decode(bytes, channels, &options);
        // Not even the header may be there.
        prop_assume!(whole.is_ok() || there == 1.0);
        let whole = whole.unwrap();
        let area = area((whole.width, whole.height), part);
        let mut decoder = Decoder::new();
        let mut image = Image::default();
        let opened = decoder.open(bytes, &options).unwrap();
        prop_assert_eq!((opened.width(), opened.height()), (whole.width, whole.height));
        let placed = opened.read(channels, &Wanted { area, least: None }, None, &mut image).unwrap();
        image.check().unwrap();
        prop_assert_eq!((placed.width, placed.height, placed.scale), (whole.width, whole.height, (1, 1)));
        let (left, top) = (area.left as u32 - placed.left, area.top as u32 - placed.top);
        let size = (area.width, area.height);
        prop_assert_eq!(cut(&image, left, top, size), cut(&whole, area.left as u32, area.top as u32, size));
    }

    #[test]
    fn a_scaled_area_has_the_pixels_of_the_whole_scaled(
        encoding in encodings(), size in (100u32..400, 100u32..400), part in [0.3..1.0, 0.0..1.0, 0.3..1.0, 0.0..1.0],
        orientation in 1u8..9, divisor in prop_oneof![Just(2u32), Just(4)],
    ) {
        let bytes = turned(&encode_jpeg(&picture(size.0, size.1), encoding), orientation);
        let read = |area: Area| {
            let (options, mut decoder, mut image) = (Options::default(), Decoder::new(), Image::default());
            let opened = decoder.open(&bytes, &options).unwrap();
            let least = |side: u32| (side / (divisor * 2)).max(1);
            let wanted = Wanted { area, least: Some((least(area.width), least(area.height))) };
            let placed = opened.read(3, &wanted, None, &mut image).unwrap();
            (placed, image)
        };
        let upright = if orientation < 5 { size } else { (size.1, size.0) };
        let (whole, expected) = read(Area { left: 0, top: 0, width: upright.0, height: upright.1 });
        let wanted = area(upright, part);
        let (placed, image) = read(wanted);
        prop_assume!(placed.scale == whole.scale);
        prop_assert_eq!((placed.width, placed.height), (whole.width, whole.height));
        let part = |start: i32, length: u32| {
            let first = start as u32 / placed.scale.1;
            (first, (start as u32 + length).div_ceil(placed.scale.1) - first)
        };
        let ((left, width), (top, height)) = (part(wanted.left, wanted.width), part(wanted.top, wanted.height));
        let found = cut(&image, left - placed.left, top - placed.top, (width, height));
        prop_assert_eq!(found, cut(&expected, left, top, (width, height)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn what_is_rendered_does_not_depend_on_a_shelf(
        encoding in encodings(), size in (60u32..400, 60u32..400), side in 8u32..100, orientation in 1u8..9,
        channels in prop_oneof![Just(1u8), Just(3)], room in prop_oneof![Just(0u64), Just(u64::MAX)],
    ) {
        let bytes = turned(&encode_jpeg(&picture(size.0, size.1), encoding), orientation);
        let (scale, ratio) = ((0.08, 1.0), (0.75, 1.333));
        let crop = Step::RandomResizedCrop { scale, ratio, height: side, width: side, filter: Filter::Bilinear };
        let view = View::new(vec![crop], (side, side, channels)).unwrap();
        let shelf = Shelf::new(room);
        let mut renderers = [None, Some(shelf.clone())].map(|shelf| Renderer::default().sharing(shelf));
        for epoch in 0..8 {
            let sample = SampleKey { seed: 1, round: 0, epoch, key: 7, copy: 0, view: 0 };
            let [alone, shared] = renderers.each_mut().map(|renderer| {
                let mut out = vec![0; (side * side) as usize * usize::from(channels)];
                renderer.render(&view, Picture::Encoded(&bytes), &sample, &mut out).unwrap();
                out
            });
            prop_assert_eq!(alone, shared);
        }
        prop_assert_eq!(shelf.images() > 0, room > 0);
    }
}

#[test]
fn narrow_areas_have_the_pixels_of_the_whole() {
    let (options, mut decoder, mut image) = (Options::default(), Decoder::new(), Image::default());
    // 4:2:2, 4:2:0 and 4:1:1, whose columns of blocks are 16, 16 and 32 wide.
    for (subsampling, width) in [1, 2, 5].into_iter().flat_map(|s| [5, 17, 18, 19, 34, 35].map(|width| (s, width))) {
        let bytes = encode_jpeg(&picture(width, 9), Encoding { subsampling, ..PLAIN });
        let whole = decode(&bytes, 3, &options).unwrap();
        for (left, columns) in (0..width).flat_map(|left| (1..=(width - left).min(4)).map(move |c| (left, c))) {
            let area = Area { left: left as i32, top: 2, width: columns, height: 5 };
            let opened = decoder.open(&bytes, &options).unwrap();
            let placed = opened.read(3, &Wanted { area, least: None }, None, &mut image).unwrap();
            let found = cut(&image, left - placed.left, 2 - placed.top, (columns, 5));
            assert_eq!(found, cut(&whole, left, 2, (columns, 5)), "{subsampling}: {columns} at {left} of {width}");
        }
    }
}

#[test]
fn the_smallest_scale_that_is_large_enough_is_taken() {
    let bytes = encode_jpeg(&picture(640, 480), PLAIN);
    let scale_of = |bytes: &[u8], area: Area, least, options: &Options| {
        let (mut decoder, mut image) = (Decoder::new(), Image::default());
        let placed = decoder.open(bytes, options).unwrap().read(3, &Wanted { area, least }, None, &mut image).unwrap();
        image.check().unwrap();
        (placed.scale, placed.width, placed.height)
    };
    let options = Options::default();
    let whole = Area { left: 0, top: 0, width: 640, height: 480 };
    let cases = [
        (Some((1, 1)), (1, 4)),
        (Some((80, 60)), (1, 4)),
        (Some((80, 61)), (1, 2)),
        (Some((160, 120)), (1, 2)),
        (Some((161, 1)), (1, 1)),
        (None, (1, 1)),
    ];
    for (least, scale) in cases {
        assert_eq!(scale_of(&bytes, whole, least, &options), (scale, 640 / scale.1, 480 / scale.1), "{least:?}");
    }
    let small = Area { left: 13, top: 9, width: 200, height: 200 };
    assert_eq!(scale_of(&bytes, small, Some((50, 50)), &options), ((1, 2), 320, 240));
    let never = Options { scale: false, ..options };
    assert_eq!(scale_of(&bytes, whole, Some((1, 1)), &never), ((1, 1), 640, 480));
    // Mirrored, the scaled pixels would lie between those of the upright image if the last stood for fewer pixels.
    let odd = encode_jpeg(&picture(637, 480), PLAIN);
    let area = Area { width: 637, ..whole };
    assert_eq!(scale_of(&odd, area, Some((1, 1)), &options), ((1, 4), 160, 120));
    assert_eq!(scale_of(&turned(&odd, 2), area, Some((1, 1)), &options), ((1, 1), 637, 480));
    let standing = Area { width: 480, height: 640, ..whole };
    assert_eq!(scale_of(&turned(&bytes, 6), standing, Some((60, 80)), &options), ((1, 4), 120, 160));
    assert_eq!(scale_of(&turned(&bytes, 6), standing, Some((80, 60)), &options), ((1, 2), 240, 320));
}

#[test]
fn scaled_pixels_are_near_means() {
    let bytes = encode_jpeg(&picture(64, 48), Encoding { subsampling: 0, ..PLAIN });
    let full = all(&bytes).unwrap();
    let (options, mut decoder, mut image) = (Options::default(), Decoder::new(), Image::default());
    let area = Area { left: 0, top: 0, width: 64, height: 48 };
    let wanted = Wanted { area, least: Some((8, 6)) };
    decoder.open(&bytes, &options).unwrap().read(3, &wanted, None, &mut image).unwrap();
    assert_eq!((image.width, image.height), (16, 12));
    let mut error = 0;
    for (at, value) in image.pixels.iter().enumerate() {
        let (x, y, channel) = (at / 3 % 16 * 4, at / 48 * 4, at % 3);
        let sum: u32 = (0..16).map(|i| u32::from(full.pixels[((y + i / 4) * 64 + x + i % 4) * 3 + channel])).sum();
        error += (sum / 16).abs_diff(u32::from(*value));
    }
    assert!(error < 8 * image.pixels.len() as u32, "{error}");
}

/// libjpeg keeps the coefficients (2 bytes each) of a progressive image, beside the pixels.
#[test]
fn a_progressive_jpeg_may_not_need_more_memory_than_allowed() {
    let limits = Limits { pixels: 1 << 20, memory: 64 * 400 * 3 };
    let options = Options { limits, ..Options::default() };
    let (baseline, picture) = (Encoding { subsampling: 0, ..PLAIN }, picture(64, 400));
    assert!(decode(&encode_jpeg(&picture, baseline), 3, &options).is_ok());
    let progressive = encode_jpeg(&picture, Encoding { progressive: true, ..baseline });
    assert!(decode(&progressive, 3, &Options::default()).is_ok());
    assert!(matches!(decode(&progressive, 3, &options), Err(ImageError::TooLarge { .. })));
}

#[test]
fn a_lossless_jpeg_comes_whole() {
    let original = picture(50, 40);
    let bytes = encode_jpeg(&original, Encoding { subsampling: 0, lossless: true, ..PLAIN });
    let (options, mut decoder, mut image) = (Options::default(), Decoder::new(), Image::default());
    let wanted = Wanted { area: Area { left: 20, top: 11, width: 9, height: 7 }, least: Some((1, 1)) };
    let placed = decoder.open(&bytes, &options).unwrap().read(3, &wanted, None, &mut image).unwrap();
    assert_eq!(placed, Placed { left: 0, top: 0, width: 50, height: 40, scale: (1, 1) });
    assert_eq!(image, original);
}

/// A part that ends far above the end of a file is refused all the same if that is missing.
#[test]
fn a_part_of_a_truncated_jpeg_is_broken() {
    let bytes = encode_jpeg(&picture(64, 400), Encoding { restart: 1, ..PLAIN });
    let wanted = Wanted { area: Area { left: 0, top: 0, width: 64, height: 16 }, least: None };
    let cut = &bytes[..bytes.len() * 3 / 4];
    let (refusing, mut decoder, mut image) = (Options::default(), Decoder::new(), Image::default());
    assert!(decoder.open(cut, &refusing).is_err());
    let keeping = Options { truncated: Truncated::Keep, ..refusing };
    decoder.open(cut, &keeping).unwrap().read(3, &wanted, None, &mut image).unwrap();
    assert_eq!(image.pixels, cut_of_whole(&bytes));
}

fn cut_of_whole(bytes: &[u8]) -> Vec<u8> {
    cut(&all(bytes).unwrap(), 0, 0, (64, 16))
}
