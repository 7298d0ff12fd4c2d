//! The page around charts, tables and pictures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::svg::escaped;

/// What a page is made to look like: no font, no script and no picture comes from elsewhere.
const STYLE: &str = include_str!("page.css");

/// How a JPEG begins.
const JPEG: [u8; 2] = [0xff, 0xd8];

/// Something that is drawn.
pub trait Chart {
    /// What it shows.
    fn title(&self) -> &str;
    /// The drawing, as HTML.
    fn draw(&self) -> String;
    /// Whether there is nothing to be seen in it.
    fn is_empty(&self) -> bool {
        false
    }
}

/// A page as it grows, from the top.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Page { title: title.to_owned(), body: format!("<h1>{}</h1>\n", escaped(title)) }
    }

    fn add(&mut self, html: &str) {
        self.body.push_str(html);
        self.body.push('\n');
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.add(&format!("<h2>{}</h2>", escaped(title)));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.add(&format!("<p>{}</p>", escaped(text)));
    }

    /// A table. Cells that begin like a number stand at the right.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let row = |cells: &mut dyn Iterator<Item = String>| format!("<tr>{}</tr>", cells.collect::<String>());
        let head = row(&mut head.iter().map(|name| format!("<th>{}</th>", escaped(name))));
        let cell = |text: &String| {
            let number = text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-');
            format!("<td{}>{}</td>", if number { " class=\"number\"" } else { "" }, escaped(text))
        };
        let body: String = rows.iter().map(|cells| row(&mut cells.iter().map(cell))).collect();
        self.add(&format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>"));
    }

    /// Charts, side by side where there is room. Empty ones are left out.
    pub fn charts(&mut self, charts: &[&dyn Chart]) {
        let figure = |chart: &&dyn Chart| {
            format!("<figure>{}<figcaption>{}</figcaption></figure>", chart.draw(), escaped(chart.title()))
        };
        self.add(&format!(
            "<div class=\"row\">{}</div>",
            charts.iter().filter(|chart| !chart.is_empty()).map(figure).collect::<String>()
        ));
    }

    /// Text to be copied, as it is.
    pub fn code(&mut self, text: &str) {
        let lines: Vec<String> = text.lines().map(escaped).collect();
        self.add(&format!("<pre>{}</pre>", lines.join("\n")));
    }

    /// PNG or JPEG pictures with what is said of each, side by side where there is room.
    pub fn pictures(&mut self, pictures: &[(Vec<u8>, String)]) {
        let picture = |(png, says): &(Vec<u8>, String)| {
            let says = escaped(says);
            let (kind, data) = (if png.starts_with(&JPEG) { "jpeg" } else { "png" }, STANDARD.encode(png));
            format!(
                "<figure><img alt=\"{says}\" src=\"data:image/{kind};base64,{data}\"><figcaption>{says}</figcaption></figure>"
            )
        };
        self.add(&format!("<div class=\"row\">{}</div>", pictures.iter().map(picture).collect::<String>()));
    }

    /// The whole file.
    #[must_use]
    pub fn finish(self) -> String {
        let (title, body) = (escaped(&self.title), self.body);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_from_elsewhere_and_no_text_is_markup() {
        let mut page = Page::new("a <b>");
        page.section("<i>");
        page.text("1 < 2");
        page.table(&["<u>"], &[vec!["-3".to_owned()], vec!["<s>".to_owned()]]);
        page.pictures(&[(vec![1, 2, 3], "<em>".to_owned()), (vec![0xff, 0xd8, 7], String::new())]);
        page.code("a: <s>\nb: 2");
        let text = page.finish();
        for tag in ["<b>", "<i>", "<u>", "<s>", "<em>", "http:", "https:", "<script"] {
            assert!(!text.contains(tag), "{tag} in {text}");
        }
        assert!(text.contains("<td class=\"number\">-3</td>") && text.contains("data:image/png;base64,AQID"));
        assert!(text.contains("data:image/jpeg;base64,/9gH") && text.contains("<pre>a: &lt;s&gt;\nb: 2</pre>"));
    }
}
