//! A drawing, as the text of an SVG element.

use std::fmt::Write;

/// Where a text stands by its point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing as it grows. Sizes are in pixels, from the upper left corner.
pub(crate) struct Svg {
    size: (f64, f64),
    body: String,
}

pub(crate) type Point = (f64, f64);

impl Svg {
    pub(crate) fn new(size: (f64, f64)) -> Self {
        Svg { size, body: String::new() }
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // A string takes all that is written to it.
        let _ = self.body.write_fmt(element);
    }

    pub(crate) fn line(&mut self, (x1, y1): Point, (x2, y2): Point, class: &str) {
        self.add(format_args!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    pub(crate) fn polyline(&mut self, points: &[Point], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(
            r#"<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{}"/>"#,
            points.join(" ")
        ));
    }

    /// A mark at a point, with what it says under the mouse.
    pub(crate) fn dot(&mut self, (x, y): Point, colour: &str, title: &str) {
        let title = escaped(title);
        self.add(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"><title>{title}</title></circle>"#
        ));
    }

    pub(crate) fn rect(&mut self, (x, y): Point, (width, height): (f64, f64), fill: &str, title: &str) {
        let title = escaped(title);
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"><title>{title}</title></rect>"#
        ));
    }

    pub(crate) fn text(&mut self, (x, y): Point, anchor: Anchor, class: &str, text: &str) {
        let (anchor, text) = (name(anchor), escaped(text));
        self.add(format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#));
    }

    /// The same, turned to be read from below.
    pub(crate) fn upright(&mut self, (x, y): Point, anchor: Anchor, text: &str) {
        let (anchor, text) = (name(anchor), escaped(text));
        self.add(format_args!(
            r#"<text text-anchor="{anchor}" transform="translate({x:.1} {y:.1}) rotate(-90)">{text}</text>"#
        ));
    }

    pub(crate) fn finish(self, label: &str) -> String {
        let (width, height) = self.size;
        let (label, body) = (escaped(label), self.body);
        format!(
            r#"<svg role="img" aria-label="{label}" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}">{body}</svg>"#
        )
    }
}

fn name(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    }
}

/// Text that means nothing to HTML. Control characters, which no HTML may hold, become blanks.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_markup() {
        assert_eq!(escaped("<b a='1'>\"&\0"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp; ");
        let mut svg = Svg::new((10.0, 10.0));
        svg.dot((1.0, 2.0), "red", "</title><script>");
        svg.text((0.0, 0.0), Anchor::End, "", "<x>");
        let text = svg.finish("\"><x>");
        assert!(!text.contains("<script") && !text.contains("<x>"), "{text}");
    }
}
