//! The terminal: what goes to it, how wide it is, and whether it shows colours.
//!
//! All output goes through [`say`] and [`note`]: a reader that goes away (`| head`) ends the
//! command quietly. Colours only where standard output is a terminal and `NO_COLOR` is not set.

use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal as _, Write as _},
    sync::OnceLock,
};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

use crate::{failure::Exit, text};

/// Columns between two columns of a table.
const GAP: u16 = 2;

/// Columns where standard output is a terminal of unknown width.
const WIDTH_DEFAULT: usize = 80;

/// Writes a line to standard output.
pub(crate) fn say(line: impl Display) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        drop(out);
        // Whoever read has seen enough; anything else cannot be told on standard output.
        std::process::exit(match error.kind() {
            ErrorKind::BrokenPipe => 0,
            ErrorKind::StorageFull => {
                note("tutti: the answer could not be written: the disk is full");
                i32::from(Exit::DiskFull.code())
            }
            _ => i32::from(Exit::Internal.code()),
        });
    }
}

/// Writes a line to standard error: what is no part of the answer.
pub(crate) fn note(line: impl Display) {
    // Where even that cannot be written, nobody is left to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A style of the few that are used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// Headings and names.
    Bold,
    /// What may be passed over.
    Dim,
    /// Well.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

/// The text in a style, where colours are shown.
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    let code = match style {
        Style::Bold => 1,
        Style::Dim => 2,
        Style::Good => 32,
        Style::Warn => 33,
        Style::Bad => 31,
    };
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
}

fn colours() -> bool {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    *COLOURS.get_or_init(|| {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
    })
}

/// How many columns there are; `None` where standard output is no terminal, so that a table in a
/// pipe keeps one line a row.
pub(crate) fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let told = || rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let width = asked.or_else(|| told().map(|size| usize::from(size.ws_col)));
    Some(width.filter(|columns| *columns >= 20).unwrap_or(WIDTH_DEFAULT))
}

/// The width for running text: the terminal's, but no line that the eye loses its way in.
pub(crate) fn text_width() -> usize {
    width().unwrap_or(100).min(100)
}

/// A table that fits the terminal. Every cell is made safe here.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    render(headings, rows, width())
}

fn render(
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Option<usize>,
) -> String {
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.iter().map(|cell| text::line(cell)).collect()).collect();
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(headings.iter().copied());
    table.add_rows(&rows);
    match width {
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        Some(width) => {
            let needed = longest_words(headings, &rows);
            if needed.iter().sum::<usize>() > width {
                return one_below_the_other(headings, &rows);
            }
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
            for (column, needed) in table.column_iter_mut().zip(needed) {
                let needed = u16::try_from(needed).unwrap_or(u16::MAX);
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(needed)));
            }
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let (head, rest) = lines.split_at(lines.len().min(1));
    let mut shown: Vec<String> = head.iter().map(|line| paint(Style::Bold, line)).collect();
    shown.extend(rest.iter().cloned());
    shown.join("\n")
}

/// What each column needs so that no word is broken, with the gap behind it.
fn longest_words(headings: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |cell: &str| cell.split(' ').map(text::columns).max().unwrap_or(0);
    let column = |(place, heading): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| longest(cell));
        cells.max().unwrap_or(0).max(longest(heading)) + usize::from(GAP)
    };
    headings.iter().enumerate().map(column).collect()
}

/// For a narrow terminal: each row as lines of its own.
fn one_below_the_other(headings: &[&str], rows: &[Vec<String>]) -> String {
    let block = |row: &Vec<String>| {
        fields(headings.iter().zip(row).map(|(heading, cell)| (*heading, cell.clone())))
    };
    rows.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// `name: value` lines with the values in one column; several lines of a value stay together.
pub(crate) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let longest = fields.iter().map(|(name, _)| text::columns(name)).max().unwrap_or(0);
    let room = text_width().saturating_sub(longest + 2);
    let mut lines = Vec::new();
    for (name, value) in fields {
        // Ours to break, theirs to be shown: each line of the value is made safe.
        let safe = text::block(&value, "");
        let gap = " ".repeat(longest + 2);
        let wrapped = text::wrap(&safe, "", room).replace('\n', &format!("\n{gap}"));
        let pad = " ".repeat(longest - text::columns(name));
        lines.push(format!("{}{pad}  {wrapped}", paint(Style::Dim, name)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        vec![
            vec!["1".into(), "a reason that is long enough to need another line or two".into()],
            vec!["2".into(), "\x1b[2Jhostile\nsecond".into()],
        ]
    }

    #[test]
    fn a_table_fits_the_terminal_and_shows_control_codes() {
        let shown = render(&["no", "reason"], rows(), Some(30));
        assert!(shown.lines().all(|line| text::columns(line) <= 30), "{shown}");
        assert!(!shown.contains('\x1b'));
        assert!(shown.lines().count() > 4);
    }

    #[test]
    fn a_word_is_broken_only_where_there_is_no_room() {
        let row =
            vec!["a b c d e f g h i j k".to_owned(), "medical_escort_repatriation".to_owned()];
        let wide = render(&["x", "service"], [row.clone()], Some(40));
        assert!(wide.contains("medical_escort_repatriation"), "{wide}");
        let narrow = render(&["x", "service"], [row], Some(24));
        assert!(narrow.contains("x        a b c d"), "{narrow}");
        assert!(narrow.contains("\nservice  medical_escort_repatriation"), "{narrow}");
    }

    #[test]
    fn in_a_pipe_a_row_is_a_line() {
        let shown = render(&["no", "reason"], rows(), None);
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert!(shown.contains("\\x1b[2Jhostile\\nsecond"), "{shown}");
    }

    #[test]
    fn a_field_cannot_forge_another() {
        let shown = fields([("reason", "x\nstate  accepted".into()), ("empty", String::new())]);
        assert_eq!(shown, "reason  x\n        state  accepted");
    }
}
