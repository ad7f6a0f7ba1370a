//! Forms that people fill in (TOML) and programs write (JSON), and what is said of wrong ones.

use std::path::Path;

use serde::de::DeserializeOwned;
use tutti_core::fields::FieldError;

use crate::failure::{Exit, Failure};

/// A form with its explanations takes a few KiB; texts in several languages some more.
pub(crate) const FORM_BYTES_MAX: usize = 1024 * 1024;

/// Reads a form; JSON where it begins with a brace. What is said of a wrong one names its line and
/// never repeats what stands there: that is somebody's case.
pub(crate) fn parse<F: DeserializeOwned>(file: &Path, text: &str) -> Result<F, Failure> {
    let read = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
            (error.line(), without_values(said))
        }),
        false => toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            (before.matches('\n').count() + 1, without_values(error.message()))
        }),
    };
    read.map_err(|(line, problem): (usize, String)| {
        let what = format!("{} cannot be read: line {line}: {problem}", file.display());
        nothing_sent(what).todo("correct that line; `template` shows the form")
    })
}

/// A parser's sentence without what it quotes of the file. It quotes what it found before it says
/// what it expected, and nothing else.
fn without_values(said: &str) -> String {
    let quotes = ["invalid type", "invalid value", "invalid length", "unknown"];
    match said.rsplit_once("expected ") {
        Some((found, expected)) if quotes.iter().any(|word| found.starts_with(word)) => {
            format!("something else stands there than is expected: {expected}")
        }
        None if quotes.iter().any(|word| said.starts_with(word)) => {
            "something stands there that is not expected".to_owned()
        }
        _ => said.trim_end().to_owned(),
    }
}

/// Every wrong field at once.
pub(crate) fn wrong(file: &Path, fields: &[FieldError]) -> Failure {
    let lines: Vec<String> = fields.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n");
    nothing_sent(format!("{} is not right yet:\n{lines}", file.display()))
        .todo("correct these, then send it again")
}

fn nothing_sent(what: String) -> Failure {
    Failure::new(Exit::Refused, what).kept("nothing was sent, and the form is as it was")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tutti_core::referral::form::{ReferralForm, template};

    #[test]
    fn a_form_that_cannot_be_read_is_not_repeated() {
        let canary = "Maria expected Santos";
        let fine = template();
        let json = |value: &str| format!("{{\n\"receiver\": \"ph\",\n{value}}}");
        let forms = [
            format!("{fine}\nsurname = \"{canary}\"\n"),
            format!("{fine}\n{canary}\n"),
            format!("{fine}\nx = \"{canary}\n"),
            format!("services_requested = \"{canary}\"\n"),
            format!("services_requested = [\"{canary}\", 3]\n"),
            format!("\"{canary}\" = 1\n"),
            format!("\"{canary}\" = 1\n\"{canary}\" = 1\n"),
            format!("[content.person]\nage = \"{canary}\"\n"),
            format!("[content.person]\nage = 1979 {canary}\n"),
            format!("[content]\nperson = \"{canary}\"\n"),
            json(&format!("\"content\": {{\"person\": \"{canary}\"}}")),
            json(&format!("\"{canary}\": 1")),
            json(&format!("\"stage\": [\"{canary}\"]")),
            json(&format!("\"stage\": \"{canary}")),
            json(&format!("\"stage\": {canary}")),
        ];
        for form in forms {
            let read = parse::<ReferralForm>(Path::new("case.toml"), &form);
            let said = read.err().unwrap_or_else(|| panic!("{form} was read")).to_string();
            assert!(!said.contains("Maria") && !said.contains("Santos"), "{said}");
            assert!(said.contains("line "), "{said}");
        }
    }
}
