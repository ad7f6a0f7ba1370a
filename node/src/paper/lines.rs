//! From blocks to lines: what is set, in which size, where it begins, and what may not be parted.

use std::{borrow::Cow, collections::BTreeSet, rc::Rc};

use parley::{
    Alignment, AlignmentOptions, BaseDirection, FontFamily, FontFamilyName, FontWeight, Layout,
    LayoutContext, LineHeight, OverflowWrap, StyleProperty,
};
use tutti_core::referral::copy::{Block, Direction, Line, Page, Piece, Weight};

use super::{Fonts, PaperError};

/// Points. A4 with margins of 18 mm.
pub(super) const SHEET: (f32, f32) = (595.28, 841.89);
pub(super) const MARGIN: f32 = 51.0;
const WIDTH: f32 = SHEET.0 - 2.0 * MARGIN;
/// Between a frame and what stands in it.
pub(super) const PADDING: f32 = 9.0;
/// The column of names, and the gap behind it.
const NAMES: f32 = 158.0;
const GAP: f32 = 12.0;

const BLACK: u8 = 0x1a;
const GREY: u8 = 0x44;

/// A piece of set text, on one line.
#[derive(Clone)]
pub(super) struct Cell {
    /// From the left edge of the sheet, points.
    pub(super) x: f32,
    pub(super) text: Rc<Set>,
    /// Which line of it.
    pub(super) line: usize,
}

/// Text that is set: shaped, broken and aligned. Its brush is a grey, 0 being black.
pub(super) struct Set {
    pub(super) text: String,
    pub(super) layout: Layout<u8>,
}

/// A line across the sheet.
pub(super) struct Row {
    /// Empty space above it, if it is not the first on its sheet, points.
    pub(super) before: f32,
    pub(super) height: f32,
    pub(super) cells: Vec<Cell>,
    /// A thin line above it.
    pub(super) ruled: bool,
    /// The number of the frame that it stands in.
    pub(super) framed: Option<usize>,
    /// It may not be the last on its sheet.
    pub(super) with_next: bool,
}

/// How a text is set.
#[derive(Clone, Copy)]
struct Style {
    size: f32,
    bold: bool,
    grey: u8,
}

impl Style {
    const fn of(size: f32) -> Self {
        Self { size, bold: false, grey: BLACK }
    }

    const fn bold(size: f32) -> Self {
        Self { size, bold: true, grey: BLACK }
    }
}

const TITLE: Style = Style::bold(19.0);
const LEAD: Style = Style::of(11.0);
const SECTION: Style = Style::bold(13.0);
const HEADING: Style = Style::bold(10.5);
const TEXT: Style = Style::of(10.5);
const NAME: Style = Style { size: 10.5, bold: false, grey: GREY };
const FOOTER: Style = Style { size: 8.5, bold: false, grey: GREY };

/// Sets the blocks of a page one after the other.
pub(super) struct Setter<'a> {
    fonts: &'a mut Fonts,
    families: Vec<String>,
    /// Marks that no font has; a box stands for them.
    missing: BTreeSet<char>,
    layouts: LayoutContext<u8>,
    direction: Direction,
    rows: Vec<Row>,
    frame: Option<usize>,
}

impl<'a> Setter<'a> {
    pub(super) fn new(page: &Page, fonts: &'a mut Fonts) -> Result<Self, PaperError> {
        let mut all = String::from("?");
        for block in &page.blocks {
            match block {
                Block::Title(line)
                | Block::Lead(line)
                | Block::Section(_, line)
                | Block::Heading(line)
                | Block::Paragraph(line)
                | Block::Footer(line) => {
                    for Piece::Ours(text) | Piece::Strong(text) | Piece::Theirs(text) in &line.0 {
                        all.push_str(text);
                    }
                }
                Block::Text(text) => all.push_str(text),
                Block::Pairs(pairs) => {
                    for (name, value) in pairs {
                        all.push_str(name);
                        all.push_str(value);
                    }
                }
            }
        }
        let (families, missing) = fonts.covering(&all)?;
        Ok(Self {
            fonts,
            families,
            missing,
            layouts: LayoutContext::new(),
            direction: page.direction(),
            rows: Vec::new(),
            frame: None,
        })
    }

    /// All lines of the page.
    pub(super) fn set(mut self, page: &Page) -> Vec<Row> {
        let mut frames = 0;
        for block in &page.blocks {
            match block {
                Block::Title(line) => self.line(line, TITLE, 0.0, true),
                Block::Lead(line) => self.line(line, LEAD, 4.0, false),
                Block::Section(weight, line) => {
                    self.end_frame();
                    self.frame = (*weight != Weight::Plain).then_some(frames);
                    frames += 1;
                    let from = self.rows.len();
                    self.line(line, SECTION, 22.0, true);
                    if let Some(first) = self.rows.get_mut(from) {
                        first.ruled = *weight == Weight::Plain;
                    }
                }
                Block::Heading(line) => self.line(line, HEADING, 9.0, true),
                Block::Paragraph(line) => self.line(line, TEXT, 4.0, false),
                Block::Text(text) => {
                    let text = self.clean(text, true);
                    self.cells(vec![(MARGIN, WIDTH, text, TEXT, BaseDirection::Auto)], 3.0, false);
                }
                Block::Pairs(pairs) => {
                    for (name, value) in pairs {
                        self.pair(name, value);
                    }
                }
                Block::Footer(line) => {
                    self.end_frame();
                    self.frame = None;
                    self.line(line, FOOTER, 22.0, false);
                }
            }
        }
        self.end_frame();
        self.rows
    }

    /// What stands in a frame stays together: only its last line may end a sheet.
    fn end_frame(&mut self) {
        let Some(frame) = self.frame else { return };
        let mut inside = self.rows.iter_mut().rev().skip(1);
        while let Some(row) = inside.next().filter(|row| row.framed == Some(frame)) {
            row.with_next = true;
        }
    }

    fn base(&self) -> BaseDirection {
        match self.direction {
            Direction::LeftToRight => BaseDirection::Ltr,
            Direction::RightToLeft => BaseDirection::Rtl,
        }
    }

    fn line(&mut self, line: &Line, style: Style, before: f32, with_next: bool) {
        let mut text = String::new();
        let mut strong = Vec::new();
        for piece in &line.0 {
            let from = text.len();
            match piece {
                Piece::Ours(words) | Piece::Strong(words) => {
                    text.push_str(&self.clean(words, false));
                }
                Piece::Theirs(theirs) => {
                    // Set apart, so that it turns nothing around.
                    text.push('\u{2068}');
                    text.push_str(&self.clean(theirs, true));
                    text.push('\u{2069}');
                }
            }
            if matches!(piece, Piece::Strong(_)) {
                strong.push(from..text.len());
            }
        }
        let base = self.base();
        let (x, width) = self.column();
        let set = self.shape(text, style, &strong, width, base);
        self.rows_of(&[(x, set)], before, with_next);
    }

    /// Where lines begin and how wide they are.
    fn column(&self) -> (f32, f32) {
        if self.frame.is_some() {
            (MARGIN + PADDING, WIDTH - 2.0 * PADDING)
        } else {
            (MARGIN, WIDTH)
        }
    }

    fn pair(&mut self, name: &str, value: &str) {
        let (x, width) = self.column();
        let values = width - NAMES - GAP;
        let (name_x, value_x) = match self.direction {
            Direction::LeftToRight => (x, x + NAMES + GAP),
            Direction::RightToLeft => (x + values + GAP, x),
        };
        let base = self.base();
        let (name, value) = (self.clean(name, false), self.clean(value, true));
        let cells = vec![
            (name_x, NAMES, name, NAME, base),
            (value_x, values, value, TEXT, BaseDirection::Auto),
        ];
        self.cells(cells, 3.0, false);
    }

    fn cells(
        &mut self,
        cells: Vec<(f32, f32, String, Style, BaseDirection)>,
        before: f32,
        with_next: bool,
    ) {
        let mut set = Vec::new();
        for (x, width, text, style, base) in cells {
            set.push((x, self.shape(text, style, &[], width, base)));
        }
        self.rows_of(&set, before, with_next);
    }

    fn shape(
        &mut self,
        text: String,
        style: Style,
        strong: &[std::ops::Range<usize>],
        width: f32,
        base: BaseDirection,
    ) -> Rc<Set> {
        let families: Vec<FontFamilyName<'_>> = self
            .families
            .iter()
            .map(|name| FontFamilyName::Named(Cow::Borrowed(name.as_str())))
            .collect();
        let mut builder = self.layouts.ranged_builder(&mut self.fonts.context, &text, 1.0, false);
        builder.set_base_direction(base);
        builder.push_default(StyleProperty::FontFamily(FontFamily::List(Cow::Owned(families))));
        builder.push_default(StyleProperty::FontSize(style.size));
        builder.push_default(StyleProperty::LineHeight(LineHeight::FontSizeRelative(1.45)));
        builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::Anywhere));
        builder.push_default(StyleProperty::Brush(style.grey));
        let bold = StyleProperty::FontWeight(FontWeight::BOLD);
        if style.bold {
            builder.push_default(bold.clone());
        }
        for range in strong {
            builder.push(bold.clone(), range.clone());
        }
        let mut layout = builder.build(&text);
        layout.break_all_lines(Some(width));
        let right = self.direction == Direction::RightToLeft;
        // A value in another script stands at its own side, as in a browser.
        let alignment = match base {
            BaseDirection::Auto => Alignment::Start,
            _ if right => Alignment::Right,
            _ => Alignment::Left,
        };
        layout.align(alignment, AlignmentOptions::default());
        Rc::new(Set { text, layout })
    }

    fn rows_of(&mut self, cells: &[(f32, Rc<Set>)], before: f32, with_next: bool) {
        let count = cells.iter().map(|(_, set)| set.layout.len()).max().unwrap_or(0);
        for line in 0..count {
            let here: Vec<Cell> = cells
                .iter()
                .filter(|(_, set)| line < set.layout.len())
                .map(|(x, set)| Cell { x: *x, text: Rc::clone(set), line })
                .collect();
            let heights = here.iter().filter_map(|cell| cell.text.layout.get(line));
            let height = heights.map(|line| line.metrics().line_height).fold(0.0, f32::max);
            self.rows.push(Row {
                before: if line == 0 { before } else { 0.0 },
                height,
                cells: here,
                ruled: false,
                framed: self.frame,
                // No single line at the foot or the head of a sheet.
                with_next: with_next || (line == 0 && count > 1) || line + 2 == count,
            });
        }
    }

    /// Text that can be set: no control codes, a box for a mark that no font has; and of somebody
    /// else's text no order of direction, which would reach beyond it.
    fn clean(&self, text: &str, theirs: bool) -> String {
        let turning =
            |char: char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        text.chars()
            .filter(|char| !(theirs && turning(*char)))
            .map(|char| match char {
                '\n' => '\n',
                '\t' => ' ',
                char if char.is_control() => '?',
                char if self.missing.contains(&char) => '?',
                char => char,
            })
            .collect()
    }
}
