//! The body of the target `ops`.

mod case;

use case::Case;
use millstream_imageops::{Fill, Image, ImageError, Op, Renderer, View, apply};

/// Renders an image by a view, and applies the view's ops one by one: both give the same image, or both an error.
pub(crate) fn check(input: &[u8]) {
    let Ok(case) = Case::of(input) else { return };
    let Case { image, steps, shape, sample, .. } = case;
    let (height, width, channels) = shape;
    let view = match case.fixed {
        true => View::new(steps, shape),
        false => View::of_any_size(steps, channels),
    };
    let view = match view {
        Ok(view) => view,
        Err(error) => return refused(&error),
    };
    let mut renderer = Renderer::default();
    let mut rendered = Image::default();
    let result = renderer.render_image(&view, image.picture(), &sample, &mut rendered).map(|()| rendered);
    let ops = view.resolve(image.width, image.height, &sample);
    assert_eq!(result, one_by_one(image.clone(), channels, &ops), "{ops:?}");
    if case.fixed {
        let mut out = vec![0; height as usize * width as usize * usize::from(channels)];
        let done = renderer.render(&view, image.picture(), &sample, &mut out);
        assert_eq!(result.as_ref().map(|image| &image.pixels), done.as_ref().map(|()| &out));
    }
    match result {
        Ok(image) => fits(&image, channels),
        Err(error) => refused(&error),
    }
    assert_eq!(view.resolve(image.width, image.height, &sample), ops);
}

fn one_by_one(image: Image, channels: u8, ops: &[(Op, Fill)]) -> Result<Image, ImageError> {
    let Image { width, height, channels: own, pixels } = image;
    let mut image = Image::from_pixels(width, height, own, pixels)?.to_channels(channels);
    for (op, fill) in ops {
        apply(op, &mut image, *fill)?;
    }
    Ok(image)
}

fn fits(image: &Image, channels: u8) {
    let same = Image::from_pixels(image.width, image.height, channels, image.pixels.clone());
    assert_eq!(same.as_ref(), Ok(image));
}

/// Nothing here is encoded, so nothing but an argument can be wrong.
fn refused(error: &ImageError) {
    assert!(matches!(error, ImageError::Argument { .. } | ImageError::Shape { .. }), "{error}");
}
