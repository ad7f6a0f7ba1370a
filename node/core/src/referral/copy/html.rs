//! The page for a browser: no script, nothing that is fetched, one style that the page's own policy
//! names by its hash. Every text is escaped here, in one place; what cannot be shown is a replacement
//! character, and what others wrote stands in an element that keeps its direction to itself.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{
    page::{Block, Line, Page, Piece, Weight},
    words::Direction,
};

const STYLE: &str = include_str!("style.css");

/// The whole page, UTF-8.
pub fn html(page: &Page) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let direction = match page.direction() {
        Direction::LeftToRight => "ltr",
        Direction::RightToLeft => "rtl",
    };
    let mut out = Html(String::new());
    let _ = write!(
        out.0,
        "<!DOCTYPE html>\n<html lang=\"{}\" dir=\"{direction}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" \
         content=\"no-referrer\">\n<title>",
        page.language.code(),
    );
    out.text(&page.title);
    out.raw("</title>\n<style>");
    out.raw(STYLE);
    out.raw("</style>\n</head>\n<body>\n<main>\n");
    let mut in_section = false;
    for block in &page.blocks {
        if in_section && matches!(block, Block::Section(..) | Block::Footer(_)) {
            out.raw("</section>\n");
            in_section = false;
        }
        match block {
            Block::Title(line) => out.line("<h1>", line, "</h1>\n"),
            Block::Lead(line) => out.line("<p class=\"lead\">", line, "</p>\n"),
            Block::Section(weight, line) => {
                out.raw(match weight {
                    Weight::Plain => "<section>\n",
                    Weight::Erased => "<section class=\"erased\">\n",
                    Weight::Withdraw => "<section class=\"withdraw\">\n",
                });
                in_section = true;
                out.line("<h2>", line, "</h2>\n");
            }
            Block::Heading(line) => out.line("<h3>", line, "</h3>\n"),
            Block::Paragraph(line) => out.line("<p>", line, "</p>\n"),
            Block::Text(text) => {
                out.raw("<p class=\"free\" dir=\"auto\">");
                out.text(text);
                out.raw("</p>\n");
            }
            Block::Pairs(pairs) => {
                out.raw("<dl>\n");
                for (name, value) in pairs {
                    out.raw("<dt>");
                    out.text(name);
                    out.raw("</dt><dd class=\"free\" dir=\"auto\">");
                    out.text(value);
                    out.raw("</dd>\n");
                }
                out.raw("</dl>\n");
            }
            Block::Footer(line) => out.line("<footer><p>", line, "</p></footer>\n"),
        }
    }
    if in_section {
        out.raw("</section>\n");
    }
    out.raw("</main>\n</body>\n</html>\n");
    out.0
}

/// The page as it grows.
struct Html(String);

impl Html {
    /// Our own markup.
    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Anybody's text.
    fn text(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&#39;"),
                '\n' | '\t' => self.0.push(char),
                char if char.is_control() => self.0.push('\u{fffd}'),
                char => self.0.push(char),
            }
        }
    }

    fn line(&mut self, open: &str, line: &Line, close: &str) {
        self.raw(open);
        for piece in &line.0 {
            let (open, text, close) = match piece {
                Piece::Ours(text) => ("", text, ""),
                Piece::Strong(text) => ("<strong>", text, "</strong>"),
                Piece::Theirs(text) => ("<bdi>", text, "</bdi>"),
            };
            self.raw(open);
            self.text(text);
            self.raw(close);
        }
        self.raw(close);
    }
}
