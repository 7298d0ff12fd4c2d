//! The views of an image that a model is asked about; its answer is their mean.

use millstream_data::Shape;
use millstream_train::Crop;

/// Which views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Views {
    /// Five crops in place of the whole image: the four corners and the middle of the image at 8/7 of the model's size, as of
    /// 224 x 224 out of 256 x 256 (Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012,
    /// section 4.1).
    pub crops: bool,
    /// Each view in a mirror, too: with the crops there are ten.
    pub mirror: bool,
}

impl Views {
    /// The shape that images are rendered in, once for all views: the model's, or with crops 8/7 of its sides, each rounded to
    /// the nearest pixel.
    pub(super) fn rendered(self, model: Shape) -> Shape {
        let Shape { height, width, .. } = model;
        if self.crops { Shape { height: enlarged(height), width: enlarged(width), ..model } } else { model }
    }

    /// What of a rendered image the model is asked about.
    pub(super) fn of(self, model: Shape) -> Vec<Crop> {
        let whole = self.rendered(model);
        let (x, y) = (whole.width - model.width, whole.height - model.height);
        let places = match self.crops {
            true => vec![(0, 0), (x, 0), (0, y), (x, y), (middle(x), middle(y))],
            false => vec![(0, 0)],
        };
        let plain = places.into_iter().map(|(left, top)| Crop { left, top, mirrored: false });
        let both = |crop| [crop, Crop { mirrored: true, ..crop }].into_iter().take(1 + usize::from(self.mirror));
        plain.flat_map(both).collect()
    }
}

/// 8/7 of a side. Of whole numbers of sevenths none lies half way between two pixels.
fn enlarged(side: u32) -> u32 {
    u32::try_from((u64::from(side) * 8 + 3) / 7).unwrap_or(u32::MAX)
}

/// Half of what is left over, halves rounded to even, as torchvision's `five_crop` does.
fn middle(left_over: u32) -> u32 {
    (f64::from(left_over) / 2.0).round_ties_even() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(height: u32, width: u32) -> Shape {
        Shape { height, width, channels: 3 }
    }

    fn crop(left: u32, top: u32) -> Crop {
        Crop { left, top, mirrored: false }
    }

    #[test]
    fn crops_are_the_corners_and_the_middle_of_eight_sevenths() {
        let views = Views { crops: true, mirror: false };
        assert_eq!(views.rendered(shape(224, 224)), shape(256, 256));
        assert_eq!(views.of(shape(224, 224)), [crop(0, 0), crop(32, 0), crop(0, 32), crop(32, 32), crop(16, 16)]);
        // 28 * 8/7 = 32; 32 * 8/7 = 36.57; 64 * 8/7 = 73.14. Half of 5 is 2, of 9 is 4.
        assert_eq!(views.rendered(shape(32, 64)), shape(37, 73));
        assert_eq!(views.of(shape(32, 64)), [crop(0, 0), crop(9, 0), crop(0, 5), crop(9, 5), crop(4, 2)]);
        assert_eq!(views.rendered(shape(u32::MAX, 1)), shape(u32::MAX, 1));
    }

    #[test]
    fn a_mirror_doubles_the_views() {
        let seen = Views { crops: true, mirror: true }.of(shape(28, 28));
        assert_eq!(seen.len(), 10);
        for pair in seen.chunks(2) {
            assert_eq!(pair[1], Crop { mirrored: true, ..pair[0] });
        }
        let plain = Views::default();
        assert_eq!((plain.rendered(shape(28, 28)), plain.of(shape(28, 28))), (shape(28, 28), vec![crop(0, 0)]));
    }
}
