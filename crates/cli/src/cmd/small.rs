//! Small pictures of images, for pages.

use millstream_imageops::{Filter, Image, Picture, Renderer, SampleKey, Step, View};

/// The image, brought to a longer side of `side` pixels where it is larger; none where it cannot be decoded.
pub(crate) fn small(renderer: &mut Renderer, picture: Picture<'_>, side: u32) -> Option<Image> {
    let key = SampleKey { seed: 0, round: 0, epoch: 0, key: 0, copy: 0, view: 0 };
    let mut whole = Image::default();
    renderer.render_image(&View::of_any_size(Vec::new(), 3).ok()?, picture, &key, &mut whole).ok()?;
    let longer = whole.width.max(whole.height);
    if longer <= side {
        return Some(whole);
    }
    let scaled = |of: u32| (u64::from(of) * u64::from(side) / u64::from(longer)).max(1) as u32;
    let step = Step::Resize { width: scaled(whole.width), height: scaled(whole.height), filter: Filter::Bilinear };
    let mut image = Image::default();
    renderer.render_image(&View::of_any_size(vec![step], 3).ok()?, whole.picture(), &key, &mut image).ok()?;
    Some(image)
}
