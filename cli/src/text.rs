//! Text by others, made safe for a terminal, and text of ours, fitted to it.
//!
//! Invariant: nothing that another society, a file or a peer wrote reaches the terminal except
//! through [`line`] or [`block`]. A referral's text could otherwise move the cursor, retitle the
//! window, or show letters in another order than they are stored.

use std::fmt::Write as _;

/// One line: control codes, line breaks and bidirectional overrides are shown, not obeyed.
pub(crate) fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            char if is_unsafe(char) => {
                let _ = match u32::from(char) {
                    byte @ 0..=0xff => write!(safe, "\\x{byte:02x}"),
                    point => write!(safe, "\\u{{{point:x}}}"),
                };
            }
            char => safe.push(char),
        }
    }
    safe
}

/// Several lines, each behind `margin`, so that no line can pass for one of ours.
pub(crate) fn block(text: &str, margin: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|piece| format!("{margin}{}", line(piece.strip_suffix('\r').unwrap_or(piece))))
        .collect();
    lines.join("\n")
}

/// What a terminal would obey, or hide while it changes how the rest is read.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            // Line and paragraph separator; zero-width space; byte order mark.
            '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{feff}'
            // Bidirectional embeddings, overrides and isolates. Right-to-left writing needs none.
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible operators, deprecated format characters, interlinear annotation.
            | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
            // Tags: text that no eye can see.
            | '\u{e0000}'..='\u{e007f}')
}

/// Breaks safe text at spaces so that each line is at most `width` columns, behind `margin`. Line
/// breaks in it stay. A word that is longer than a line stays whole.
pub(crate) fn wrap(text: &str, margin: &str, width: usize) -> String {
    let room = width.saturating_sub(columns(margin)).max(20);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut current = String::new();
        for word in paragraph.split(' ') {
            if !current.is_empty() && columns(&current) + 1 + columns(word) > room {
                lines.push(std::mem::take(&mut current));
            } else if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines.iter().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
}

/// How many columns of a terminal the text takes.
pub(crate) fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// `s` where there is not exactly one.
pub(crate) fn s(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `y` where there is one, else `ies`.
pub(crate) fn ies(count: u64) -> &'static str {
    if count == 1 { "y" } else { "ies" }
}

/// This command as it was typed, for commands that are suggested.
pub(crate) fn program() -> String {
    std::env::args().next().map_or_else(|| "tutti".to_owned(), |name| shell(&name))
}

/// One word of a command, quoted for a shell where it must be.
pub(crate) fn shell(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@,+%".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        for (hostile, safe) in [
            ("\x1b[2J", "\\x1b[2J"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\u{9b}31m", "\\x9b31m"),
            ("ding\x07", "ding\\x07"),
            ("back\x08space", "back\\x08space"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("a\nstate: accepted", "a\\nstate: accepted"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("a\u{85}b", "a\\x85b"),
            ("\u{7f}", "\\x7f"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(line(hostile), safe);
        }
    }

    #[test]
    fn every_writing_stays_as_it_is() {
        for text in
            ["María Ñuñez", "محمد", "فارسی می\u{200c}خواهم", "சென்னை", "新加坡", "👩\u{200d}⚕️"]
        {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn no_control_code_survives_any_path() {
        let all: String = (0..=0x10ffff).filter_map(char::from_u32).collect();
        assert!(!line(&all).chars().any(is_unsafe));
        assert!(!block(&all, "| ").chars().any(|char| char != '\n' && is_unsafe(char)));
    }

    #[test]
    fn a_block_keeps_its_lines_behind_the_margin() {
        assert_eq!(block("a\n\x1b[1mb\r\n", "│ "), "│ a\n│ \\x1b[1mb\n│ ");
    }

    #[test]
    fn wrapping_counts_columns_and_keeps_long_words() {
        assert_eq!(wrap("aaa bbb ccc", "", 20), "aaa bbb ccc");
        assert_eq!(wrap("新加坡新加坡新加坡 新加坡", "  ", 22), "  新加坡新加坡新加坡\n  新加坡");
        let word = "x".repeat(40);
        assert_eq!(wrap(&format!("a {word} b"), "", 20), format!("a\n{word}\nb"));
    }

    #[test]
    fn a_shell_reads_back_the_word() {
        assert_eq!(shell("/tmp/a-b"), "/tmp/a-b");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(shell(""), "''");
    }
}
