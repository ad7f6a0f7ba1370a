//! Forms that people fill in (TOML) and programs write (JSON), and what is said of wrong ones.

use std::path::Path;

use serde::de::DeserializeOwned;
use tutti_core::fields::FieldError;

use crate::failure::{Exit, Failure};

/// A form with its explanations takes a few KiB; texts in several languages some more.
pub(crate) const FORM_BYTES_MAX: usize = 1024 * 1024;

/// Reads a form; JSON where it begins with a brace.
pub(crate) fn parse<F: DeserializeOwned>(file: &Path, text: &str) -> Result<F, Failure> {
    let read = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| error.to_string()),
        false => toml::from_str(text).map_err(|error| error.to_string()),
    };
    read.map_err(|problem: String| {
        let what = format!("{} cannot be read:\n{}", file.display(), problem.trim_end());
        nothing_sent(what).todo("correct that line; `template` shows the form")
    })
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
