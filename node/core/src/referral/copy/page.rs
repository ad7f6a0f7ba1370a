//! What the page says, before it has a form: headings, lines and pairs, in order. [`super::html`]
//! gives it to a browser; a node gives the same to paper. Whose words they are goes with each piece,
//! so that neither form can take somebody's text for its own.

use super::words::{Direction, Language};

/// A page, whatever becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The language of our own words.
    pub language: Language,
    /// Its title, our own words and a number alone.
    pub title: String,
    /// What stands in it, in order.
    pub blocks: Vec<Block>,
}

impl Page {
    /// Where its lines begin.
    pub fn direction(&self) -> Direction {
        self.language.direction()
    }
}

/// A part of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// The heading of the whole.
    Title(Line),
    /// What it is, right below the title.
    Lead(Line),
    /// A section begins; all up to the next belongs to it.
    Section(Weight, Line),
    /// A heading within a section.
    Heading(Line),
    /// A paragraph.
    Paragraph(Line),
    /// A text by somebody, with the lines as they wrote them.
    Text(String),
    /// Names and their values, one pair below the other. No value is empty.
    Pairs(Vec<(&'static str, String)>),
    /// The last line, in small letters.
    Footer(Line),
}

/// How much a section is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As the others.
    Plain,
    /// That all is gone: nobody may miss it.
    Erased,
    /// How to take consent back: nobody may miss it.
    Withdraw,
}

/// A line of text, in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Piece>);

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Our own words.
    Ours(String),
    /// Our own words, to be seen first.
    Strong(String),
    /// Somebody's text, whose direction is its own.
    Theirs(String),
}

impl Line {
    /// Our own words alone.
    pub(super) fn ours(words: &str) -> Self {
        Self(vec![Piece::Ours(words.into())])
    }

    /// A sentence with places to fill: `{sender} has asked {receiver}`. What is not filled stays.
    pub(super) fn fill(sentence: &str, places: &[(&str, Self)]) -> Self {
        let mut pieces = Vec::new();
        let mut rest = sentence;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((place, behind)) = after.split_once('}') else { break };
            if !before.is_empty() {
                pieces.push(Piece::Ours(before.into()));
            }
            let filled = places.iter().find(|(name, _)| *name == place);
            pieces.extend(filled.into_iter().flat_map(|(_, line)| line.0.iter().cloned()));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Ours(rest.into()));
        }
        Self(pieces)
    }

    /// Somebody's text.
    pub(super) fn theirs(text: &str) -> Self {
        Self(vec![Piece::Theirs(text.into())])
    }

    /// Several names: `A, B and C`, with the words of the language between them.
    pub(super) fn list(items: &[String], comma: &str, and: &str) -> Self {
        let mut pieces = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                let last = at + 1 == items.len();
                pieces.push(Piece::Ours(if last { and } else { comma }.into()));
            }
            pieces.push(Piece::Theirs(item.clone()));
        }
        Self(pieces)
    }

    /// The same, to be seen first.
    pub(super) fn strong(mut self) -> Self {
        for piece in &mut self.0 {
            if let Piece::Ours(words) = piece {
                *piece = Piece::Strong(std::mem::take(words));
            }
        }
        self
    }

    /// With another line behind it, a space between them.
    pub(super) fn then(mut self, next: Self) -> Self {
        if !self.0.is_empty() && !next.0.is_empty() {
            self.0.push(Piece::Ours(" ".into()));
        }
        self.0.extend(next.0);
        self
    }
}
