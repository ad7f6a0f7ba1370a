#![allow(clippy::unwrap_used)]

use tutti_core::referral::{
    copy::{self, Block, Copy, Erased, Language, Line, Piece, Weight},
    form::{ReferralForm, example},
};

use super::{lines::Row, *};

const DAY: u64 = 1_764_000_000;
const ARABIC: &str = "محمد علي من الدوحة لم يُدفع أجره منذ أربعة أشهر، وجواز سفره عند صاحب العمل.";
const THAI: &str = "ผู้ป่วยได้รับบาดเจ็บจากการทำงานก่อสร้างและไม่ได้รับค่าจ้างมาสี่เดือนต้องการเดินทางกลับบ้านพร้อมผู้ดูแลทางการแพทย์โดยเร็วที่สุด";

/// The page of the example, with a note.
fn page(language: Language, note: &str, erased: Option<&Erased>) -> Page {
    let form: ReferralForm = toml::from_str(example()).unwrap();
    let (sent, content) = form.to_messages().unwrap();
    copy::page(
        &Copy {
            id: "3f9a0000000000000000000000000000",
            sender: "Singapore Red Cross",
            receiver: "Qatar Red Crescent Society",
            desk: None,
            sent: &sent,
            sent_at: DAY,
            state: "in_progress",
            content: Some(&content),
            notes: &[("Qatar Red Crescent Society".into(), DAY, note.into())],
            files: &[],
            done: &copy::Done::default(),
            consent: sent.consent.as_ref(),
            onward: &[],
            kept_until: DAY + 86_400,
            erased,
            made_at: DAY,
        },
        language,
    )
}

/// This machine's fonts, where they have these texts; a machine without fonts cannot make a PDF. In
/// `.ci/run` there must be some.
fn fonts(texts: &str) -> Option<Fonts> {
    let mut fonts = Fonts::installed(None);
    match fonts.covering(texts) {
        Ok(_) => Some(fonts),
        Err(error) => {
            let must = std::env::var_os("TUTTI_FONTS_MUST_BE_HERE").is_some();
            assert!(!must, "{error}");
            eprintln!("NOT CHECKED: {error}");
            None
        }
    }
}

fn rows(page: &Page, fonts: &mut Fonts) -> Vec<Row> {
    lines::Setter::new(page, fonts).unwrap().set(page)
}

#[test]
fn every_letter_of_every_script_has_a_picture_in_every_language() {
    let Some(mut fonts) = fonts(&format!("a{ARABIC}{THAI}")) else { return };
    for language in Language::ALL {
        let page = page(language, &format!("{ARABIC}\n{THAI}\nNgô Thị Hà"), None);
        let mut letters = 0;
        for row in rows(&page, &mut fonts) {
            for cell in &row.cells {
                let line = cell.text.layout.get(cell.line).unwrap();
                for cluster in line.runs().flat_map(|run| run.visual_clusters().collect::<Vec<_>>())
                {
                    let text = &cell.text.text[cluster.text_range()];
                    let seen = text.chars().any(char::is_alphanumeric);
                    letters += usize::from(seen);
                    assert!(!seen || cluster.glyphs().all(|glyph| glyph.id != 0), "{text:?}");
                }
            }
        }
        assert!(letters > 800, "{language:?}: {letters}");
        assert!(pdf(&page, &mut fonts).unwrap().starts_with(b"%PDF-"));
    }
}

/// Arabic letters are joined: `لا` is one picture. Thai, which writes no spaces, is broken between
/// words, and no line is wider than its column.
#[test]
fn arabic_is_joined_and_thai_is_broken() {
    let Some(mut fonts) = fonts(&format!("a{ARABIC}{THAI}")) else { return };
    let long = THAI.repeat(4);
    for row in rows(&page(Language::English, &long, None), &mut fonts) {
        for cell in &row.cells {
            let line = cell.text.layout.get(cell.line).unwrap();
            let metrics = line.metrics();
            let width = metrics.advance - metrics.hanging_advance;
            assert!(cell.x + width <= lines::SHEET.0 - lines::MARGIN + 0.5);
            let range = line.text_range();
            let marks =
                ['\u{e31}', '\u{e34}', '\u{e35}', '\u{e36}', '\u{e37}', '\u{e38}', '\u{e48}'];
            let first = cell.text.text[range].chars().next();
            assert!(!first.is_some_and(|first| marks.contains(&first)), "a mark begins a line");
        }
    }
    let glyphs = |text: &str, fonts: &mut Fonts| -> usize {
        let page = page(Language::English, text, None);
        let rows = rows(&page, fonts);
        let cells = rows.iter().flat_map(|row| &row.cells);
        let cell = cells.into_iter().find(|cell| cell.text.text == text).unwrap();
        let line = cell.text.layout.get(cell.line).unwrap();
        line.runs()
            .map(|run| run.visual_clusters().map(|c| c.glyphs().count()).sum::<usize>())
            .sum()
    };
    assert_eq!(glyphs("لا", &mut fonts), 1);
    assert_eq!(glyphs("ab", &mut fonts), 2);
}

/// All that the page says is on a sheet, in its order; no sheet is overfull, no heading is alone at
/// the foot of one, and how to withdraw is not parted.
#[test]
fn nothing_is_lost_between_the_sheets() {
    let Some(mut fonts) = fonts("a") else { return };
    let note: String =
        (0..400).map(|line| format!("line {line} {}\n", "word ".repeat(line % 40))).collect();
    let page = page(Language::English, &note, Some(&Erased::default()));
    let rows = rows(&page, &mut fonts);
    let count = rows.len();
    let sheets = sheets::fill(rows);
    assert!(sheets.len() > 10);
    assert_eq!(sheets.iter().map(Vec::len).sum::<usize>(), count);
    let mut frames = std::collections::BTreeMap::new();
    for (number, sheet) in sheets.iter().enumerate() {
        let mut at = 0.0;
        for placed in sheet {
            assert!(placed.top >= at, "lines stand on one another");
            at = placed.top + placed.row.height;
            if let Some(frame) = placed.row.framed {
                frames.entry(frame).or_insert_with(Vec::new).push(number);
            }
        }
        assert!(at <= lines::SHEET.1 - lines::MARGIN);
        let last = number + 1 == sheets.len();
        assert!(last || !sheet.last().unwrap().row.with_next, "parted on sheet {number}");
    }
    assert_eq!(frames.len(), 2);
    for sheets in frames.values() {
        assert!(sheets.iter().all(|sheet| sheet == &sheets[0]), "a frame is parted");
    }
    let said = page.blocks.iter().any(|block| matches!(block, Block::Section(Weight::Withdraw, _)));
    assert!(said);
}

#[test]
fn the_same_page_gives_the_same_bytes() {
    let Some(mut fonts) = fonts("a") else { return };
    let page = page(Language::English, "a note", None);
    let first = pdf(&page, &mut fonts).unwrap();
    assert_eq!(first, pdf(&page, &mut Fonts::installed(None)).unwrap());
    // One sheet or two, and only the letters that it needs.
    assert!(first.len() < 200_000, "{}", first.len());
}

/// Whatever somebody wrote: it is set, or the page is refused with the letters named.
#[test]
fn no_text_breaks_a_page() {
    let Some(mut fonts) = fonts("a") else { return };
    let mut texts: Vec<String> = vec![
        String::new(),
        "\u{202e}gnirts\u{2066}x\u{2067}\u{2068}".into(),
        "\u{0}\u{1b}[31m\u{9b}x\u{7f}\r\n\t\u{85}\u{2028}\u{2029}".into(),
        "a".repeat(20_000),
        "\u{300}\u{301}".repeat(500),
        "\u{fe0f}\u{200d}\u{200b}".repeat(50),
        "🙂👩🏽‍⚕️🇸🇬 fine".into(),
        "\u{10ffff}\u{e000}\u{fffe}".into(),
        "\n".repeat(300),
    ];
    texts.push(texts.concat());
    for text in texts {
        match pdf(&page(Language::English, &text, None), &mut fonts) {
            Ok(bytes) => assert!(bytes.starts_with(b"%PDF-")),
            Err(error) => assert!(matches!(error, PaperError::Letters { .. }), "{error}"),
        }
    }
}

/// An order of direction in somebody's text does not reach beyond it.
#[test]
fn a_name_turns_nothing_around() {
    let Some(mut fonts) = fonts("a") else { return };
    let turned = Page {
        language: Language::English,
        title: "t".into(),
        blocks: vec![Block::Paragraph(Line(vec![
            Piece::Theirs("\u{202e}eman\u{2066}".into()),
            Piece::Ours(" has asked".into()),
        ]))],
    };
    let rows = rows(&turned, &mut fonts);
    assert_eq!(rows[0].cells[0].text.text, "\u{2068}eman\u{2069} has asked");
}

#[test]
fn letters_that_no_font_has_are_named() {
    let Some(fonts) = fonts("a") else { return };
    let error = fonts.with_only("DejaVu Sans Mono Oblique").covering("a").unwrap_err();
    assert_eq!(error, PaperError::NoFonts);
    let plain = |name: &str| matches!(name, "Noto Sans" | "DejaVu Sans" | "Liberation Sans");
    let Some(name) = Fonts::installed(None).named().find(|name| plain(name)) else { return };
    let mut one = Fonts::installed(None).with_only(&name);
    let refused = pdf(&page(Language::Thai, "", None), &mut one);
    let Err(PaperError::Letters { letters }) = refused else { panic!("{name} has Thai letters") };
    assert!(letters.contains('ก'), "{letters}");
}
