//! Self-contained HTML pages: text, tables, charts and pictures in one file that a browser shows without a network and without scripts.
//!
//! All text is escaped: names of classes and files may be anything.

mod axis;
mod bars;
mod boxes;
mod lines;
mod matrix;
mod page;
mod svg;

pub use bars::{Bars, Group};
pub use boxes::{Boxes, Five};
pub use lines::{Lines, Series};
pub use matrix::Matrix;
pub use page::{Chart, Page};

/// The colours of series, told apart by the colour-blind as well (Okabe and Ito 2008), again from the start after the last.
pub(crate) const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];

pub(crate) fn colour(number: usize) -> &'static str {
    COLOURS[number % COLOURS.len()]
}
