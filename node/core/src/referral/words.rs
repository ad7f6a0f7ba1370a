//! How case codes are compared, which people write differently each time: `C-12`, `c 12`, `Ｃ‑１２`.
//!
//! Invariant: pure and total, the same on every machine. Nothing here is kept or shown; what is shown is
//! what was written.

use icu_normalizer::ComposingNormalizerBorrowed;

/// A case code as it is compared: in Unicode's form NFKC, each letter as the lower case of its upper case,
/// digits of other scripts as 0 to 9, what cannot be seen left out, and each run of white space, hyphens and
/// low lines as one hyphen, at its ends as none. Letters and digits are never joined across one: `1-12` is
/// not `11-2`, for a referral that is refused wrongly is help that does not come.
pub fn compared_code(code: &str) -> String {
    compared(&ComposingNormalizerBorrowed::new_nfkc().normalize(code))
}

/// What is in that form already.
pub(super) fn compared(text: &str) -> String {
    let mut compared = String::with_capacity(text.len());
    let mut gap = false;
    for char in text.chars().filter(|char| !is_invisible(*char)) {
        if is_gap(char) {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) && !compared.is_empty() {
            compared.push('-');
        }
        let folded = char.to_uppercase().flat_map(char::to_lowercase);
        compared.extend(folded.map(|char| digit(char).unwrap_or(char)));
    }
    compared
}

/// Between the parts of a code or a name.
fn is_gap(char: char) -> bool {
    // Hyphens and dashes of every script that has one, and the minus.
    const HYPHENS: [char; 9] = [
        '-', '_', '\u{58a}', '\u{5be}', '\u{2212}', '\u{2e3a}', '\u{2e3b}', '\u{301c}', '\u{30a0}',
    ];
    char.is_whitespace() || ('\u{2010}'..='\u{2015}').contains(&char) || HYPHENS.contains(&char)
}

/// Marks of direction, joiners, the soft hyphen: pasted along, and seen by nobody.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// A digit of a script in which cases are numbered, as 0 to 9.
fn digit(char: char) -> Option<char> {
    // Arabic, Persian and Urdu, Devanagari, Bengali, Tamil, Thai, Lao, Burmese, Khmer.
    const ZEROS: [u32; 9] = [0x660, 0x6f0, 0x966, 0x9e6, 0xbe6, 0xe50, 0xed0, 0x1040, 0x17e0];
    let value =
        ZEROS.iter().find_map(|zero| u32::from(char).checked_sub(*zero).filter(|v| *v < 10));
    value.and_then(|value| char::from_digit(value, 10))
}
