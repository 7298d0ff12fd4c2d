//! EXIF orientation: how an image as it is stored becomes upright.

use image::metadata::Orientation;

use super::{Area, Placed};
use crate::Image;

/// Upright is the stored image, transposed if so, and then mirrored.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    transpose: bool,
    mirror_x: bool,
    mirror_y: bool,
}

impl From<Orientation> for Turn {
    fn from(orientation: Orientation) -> Self {
        let turn = |transpose, mirror_x, mirror_y| Self { transpose, mirror_x, mirror_y };
        match orientation {
            Orientation::NoTransforms => turn(false, false, false),
            Orientation::FlipHorizontal => turn(false, true, false),
            Orientation::Rotate180 => turn(false, true, true),
            Orientation::FlipVertical => turn(false, false, true),
            Orientation::Rotate90FlipH => turn(true, false, false),
            Orientation::Rotate90 => turn(true, true, false),
            Orientation::Rotate270FlipH => turn(true, true, true),
            Orientation::Rotate270 => turn(true, false, true),
        }
    }
}

impl Turn {
    /// Whether stored is upright.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// A (width, height) of the other of the two.
    pub(super) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// The stored area that becomes `area` of the upright image of this size.
    pub(super) fn stored(self, area: Area, (width, height): (u32, u32)) -> Area {
        let left = if self.mirror_x { width as i32 - area.left - area.width as i32 } else { area.left };
        let top = if self.mirror_y { height as i32 - area.top - area.height as i32 } else { area.top };
        match self.transpose {
            false => Area { left, top, ..area },
            true => Area { left: top, top: left, width: area.height, height: area.width },
        }
    }

    /// Turns part of a stored image upright, in place of it. `spare` becomes garbage.
    pub(super) fn apply(self, image: &mut Image, placed: &mut Placed, spare: &mut Vec<u8>) {
        if self.is_none() {
            return;
        }
        std::mem::swap(&mut image.pixels, spare);
        image.pixels.resize(spare.len(), 0);
        match image.channels {
            1 => self.copy::<1>(spare, (image.width, image.height), &mut image.pixels),
            _ => self.copy::<3>(spare, (image.width, image.height), &mut image.pixels),
        }
        (image.width, image.height) = self.size((image.width, image.height));
        (placed.width, placed.height) = self.size((placed.width, placed.height));
        if self.transpose {
            (placed.left, placed.top) = (placed.top, placed.left);
        }
        if self.mirror_x {
            placed.left = placed.width - placed.left - image.width;
        }
        if self.mirror_y {
            placed.top = placed.height - placed.top - image.height;
        }
    }

    fn copy<const C: usize>(self, from: &[u8], stored: (u32, u32), to: &mut [u8]) {
        let (width, height) = self.size(stored);
        let from = from.as_chunks::<C>().0;
        let rows = to.as_chunks_mut::<C>().0.chunks_exact_mut(width as usize);
        for (row, y) in rows.zip(order(height, self.mirror_y)) {
            for (pixel, x) in row.iter_mut().zip(order(width, self.mirror_x)) {
                let (x, y) = if self.transpose { (y, x) } else { (x, y) };
                *pixel = from[y * stored.0 as usize + x];
            }
        }
    }
}

fn order(length: u32, backwards: bool) -> impl Iterator<Item = usize> {
    let length = length as usize;
    (0..length).map(move |i| if backwards { length - 1 - i } else { i })
}
