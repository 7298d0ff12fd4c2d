//! Matrices of counts, as coloured cells.

use crate::bars::cut;
use crate::page::Chart;
use crate::svg::{Anchor, Svg};

/// Up to so many classes the cells hold their counts.
const MOST_COUNTS: usize = 20;
/// More classes than this make no picture that can be read.
const MOST_CLASSES: usize = 150;

/// How often each column came up in each row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// What is shown.
    pub title: String,
    /// What rows and columns mean.
    pub axes: (String, String),
    /// The names of rows and columns.
    pub names: Vec<String>,
    /// Row after row.
    pub counts: Vec<Vec<u64>>,
}

impl Chart for Matrix {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> String {
        let classes = self.names.len();
        if classes > MOST_CLASSES {
            return format!("<p>{classes} classes are too many for a picture.</p>");
        }
        let side: f64 = if classes <= MOST_COUNTS { 40.0 } else { 12.0 };
        let (left, top) = (140.0, 12.0);
        let cells = side * classes as f64;
        let mut svg = Svg::new((left + cells + 16.0, top + cells + 140.0));
        for (row, (counts, name)) in self.counts.iter().zip(&self.names).enumerate() {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            for (column, (count, other)) in counts.iter().zip(&self.names).enumerate() {
                let (x, y) = (left + side * column as f64, top + side * row as f64);
                let share = *count as f64 / total;
                svg.rect((x, y), (side - 1.0, side - 1.0), &shade(share), &format!("{name} → {other}: {count}"));
                if classes <= MOST_COUNTS && *count > 0 {
                    let class = if share > 0.4 { "light" } else { "" };
                    svg.text((x + side / 2.0, y + side / 2.0 + 4.0), Anchor::Middle, class, &count.to_string());
                }
            }
            let middle = side * (row as f64 + 0.5);
            svg.text((left - 6.0, top + middle + 4.0), Anchor::End, "", &cut(name));
            svg.upright((left + middle + 4.0, top + cells + 8.0), Anchor::End, &cut(name));
        }
        svg.upright((14.0, top + cells / 2.0), Anchor::Middle, &self.axes.0);
        svg.text((left + cells / 2.0, top + cells + 130.0), Anchor::Middle, "", &self.axes.1);
        svg.finish(&self.title)
    }
}

/// White for nothing, blue for all. The root lets rare confusions be seen.
fn shade(share: f64) -> String {
    let weight = share.clamp(0.0, 1.0).sqrt();
    let mix = |to: f64| (255.0 + (to - 255.0) * weight).round();
    format!("rgb({} {} {})", mix(0.0), mix(114.0), mix(178.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_was_taken_for_what() {
        let names = ["cat", "dog"].map(str::to_owned).to_vec();
        let matrix =
            Matrix { title: "confusion".to_owned(), names, counts: vec![vec![7, 1], vec![0, 9]], ..Matrix::default() };
        let text = matrix.draw();
        assert!(text.contains("<title>cat → dog: 1</title>") && text.contains(r#"class="light""#), "{text}");
        assert_eq!(text.matches("<rect").count(), 4);
        assert_eq!((shade(0.0), shade(1.0)), ("rgb(255 255 255)".to_owned(), "rgb(0 114 178)".to_owned()));
        let many = Matrix { names: vec![String::new(); 151], ..Matrix::default() };
        assert!(many.draw().contains("too many"));
    }
}
