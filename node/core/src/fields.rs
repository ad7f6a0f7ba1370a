//! Checking what people filled in: every wrong field at once, each with what would be right.
//!
//! Used by `decide` of referrals and information shares and by their forms. An error names the
//! field and the rule, and never repeats what was typed in: that may be personal.

use std::fmt;

use crate::{
    limits::{LINE_CHARS_MAX, LIST_MAX, TEXT_CHARS_MAX},
    referral::codes::{self, Code},
};

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Its name, with dots: `consent.status`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What may stand there, where that is a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<&'static str>,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)?;
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", self.allowed.join(", "))?;
        }
        Ok(())
    }
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<FieldError>);

/// Whether a field may be left empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It may not.
    Required,
    /// It may.
    Optional,
}

impl Fields {
    /// `Ok` where nothing was wrong.
    pub(crate) fn finish(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    pub(crate) fn wrong(&mut self, field: &str, problem: impl Into<String>) {
        self.allowed(field, problem, &[]);
    }

    pub(crate) fn allowed(
        &mut self,
        field: &str,
        problem: impl Into<String>,
        allowed: &[&'static str],
    ) {
        self.0.push(FieldError {
            field: field.into(),
            problem: problem.into(),
            allowed: allowed.to_vec(),
        });
    }

    pub(crate) fn check(&mut self, holds: bool, field: &str, problem: &str) {
        if !holds {
            self.wrong(field, problem);
        }
    }

    /// A number of a code list.
    pub(crate) fn code<C: Code>(&mut self, field: &str, number: i32, need: Need) {
        match codes::known::<C>(number) {
            Some(_) => {}
            None if number == 0 && need == Need::Optional => {}
            None if number == 0 => self.allowed(field, "is missing", C::NAMES),
            None => self.allowed(field, "is not in the list", C::NAMES),
        }
    }

    /// Numbers of a code list, each once.
    pub(crate) fn codes<C: Code>(&mut self, field: &str, numbers: &[i32], need: Need) {
        self.list(field, numbers, need, C::NAMES);
        if numbers.iter().any(|number| !codes::is_known::<C>(*number)) {
            self.allowed(field, "holds something that is not in the list", C::NAMES);
        }
    }

    /// The length of a list, and that nothing stands in it twice.
    pub(crate) fn list<T: Ord>(
        &mut self,
        field: &str,
        items: &[T],
        need: Need,
        allowed: &[&'static str],
    ) {
        if items.is_empty() && need == Need::Required {
            self.allowed(field, "is missing; give at least one", allowed);
        }
        if items.len() > LIST_MAX {
            self.wrong(field, format!("has {} items, more than {LIST_MAX}", items.len()));
        }
        let distinct: std::collections::BTreeSet<&T> = items.iter().collect();
        self.check(distinct.len() == items.len(), field, "names the same twice");
    }

    /// The name of a code, to its number; 0 where it is empty or wrong.
    pub(crate) fn parse_code<C: Code>(&mut self, field: &str, name: &str) -> i32 {
        if name.is_empty() {
            return 0;
        }
        codes::parse::<C>(name).map(Code::number).unwrap_or_else(|| {
            self.allowed(field, "is not in the list", C::NAMES);
            0
        })
    }

    /// Names of codes, to their numbers.
    pub(crate) fn parse_codes<C: Code>(&mut self, field: &str, names: &[String]) -> Vec<i32> {
        let numbers: Vec<i32> =
            names.iter().filter_map(|name| codes::parse::<C>(name).map(Code::number)).collect();
        if numbers.len() < names.len() {
            self.allowed(field, "holds something that is not in the list", C::NAMES);
        }
        numbers
    }

    /// An ISO 3166-1 alpha-2 code in lower case.
    pub(crate) fn country(&mut self, field: &str, code: &str, need: Need) {
        let well_formed = matches!(code.as_bytes(), [b'a'..=b'z', b'a'..=b'z']);
        let left_out = code.is_empty() && need == Need::Optional;
        if !well_formed && !left_out {
            self.wrong(
                field,
                "is not a country: two letters in lower case (ISO 3166-1), such as ph",
            );
        }
    }

    /// An ISO 639-3 code.
    pub(crate) fn language(&mut self, field: &str, code: &str, need: Need) {
        let well_formed = matches!(code.as_bytes(), [b'a'..=b'z', b'a'..=b'z', b'a'..=b'z']);
        let left_out = code.is_empty() && need == Need::Optional;
        if !well_formed && !left_out {
            self.wrong(
                field,
                "is not a language: three letters in lower case (ISO 639-3), such as tgl",
            );
        }
    }

    /// One line of free text.
    pub(crate) fn line(&mut self, field: &str, text: &str, need: Need) {
        self.length(field, text, LINE_CHARS_MAX, need);
        self.check(!text.contains(['\n', '\r']), field, "must be one line");
    }

    /// Free text of any number of lines.
    pub(crate) fn text(&mut self, field: &str, text: &str, need: Need) {
        self.length(field, text, TEXT_CHARS_MAX, need);
    }

    fn length(&mut self, field: &str, text: &str, chars_max: usize, need: Need) {
        let chars = text.chars().count();
        if chars > chars_max {
            self.wrong(field, format!("is {chars} characters long, more than {chars_max}"));
        }
        self.check(need == Need::Optional || !text.trim().is_empty(), field, "is missing");
        self.check(
            !is_placeholder(text),
            field,
            "was not filled in: write it, or take the line out",
        );
    }

    /// A date (YYYY-MM-DD), to seconds since the Unix epoch at its start in UTC; 0 where it is empty or wrong.
    pub(crate) fn date(&mut self, field: &str, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        date_to_seconds(text).unwrap_or_else(|| {
            self.wrong(field, "is not a date as 2026-03-31 is");
            0
        })
    }
}

/// What a form has where an answer belongs: `<how to reach them>`.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('<') && text.ends_with('>')
}

/// What is wrong, and what more is wrong with other fields.
pub(crate) fn with_more(
    mut wrong: Vec<FieldError>,
    more: Result<(), Vec<FieldError>>,
) -> Vec<FieldError> {
    let named: Vec<String> = wrong.iter().map(|error| error.field.clone()).collect();
    let more = more.err().unwrap_or_default();
    wrong.extend(more.into_iter().filter(|error| !named.contains(&error.field)));
    wrong
}

/// Seconds since the Unix epoch at the start of a date (YYYY-MM-DD, 1970 to 9999) in UTC.
pub(crate) fn date_to_seconds(text: &str) -> Option<u64> {
    let (year, month, day) = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => (text.get(..4)?, text.get(5..7)?, text.get(8..)?),
        _ => return None,
    };
    let number = |digits: &str| {
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten()
    };
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    Some(days_before(year, month).checked_add(day - 1)? * 86_400)
}

/// The date (YYYY-MM-DD) in UTC of a number of seconds since the Unix epoch, to the year 9999;
/// empty for 0.
pub(crate) fn seconds_to_date(seconds: u64) -> String {
    let days = seconds / 86_400;
    if seconds == 0 || days > days_before(9999, 12) + 30 {
        return String::new();
    }
    // The year is at most one more than this estimate, and never less.
    let estimate = 1970 + days / 366;
    let year = (estimate..).take_while(|year| days_before(*year, 1) <= days).last();
    let year = year.unwrap_or(estimate);
    let month = (1..=12).rev().find(|month| days_before(year, *month) <= days).unwrap_or(1);
    format!("{year:04}-{month:02}-{:02}", days - days_before(year, month) + 1)
}

/// The day (YYYY-MM-DD, UTC) of a time in milliseconds since the Unix epoch.
pub fn day_of(at_ms: u64) -> String {
    seconds_to_date((at_ms / 1000).max(1))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of that month, for years from 1970.
fn days_before(year: u64, month: u64) -> u64 {
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    (year - 1970) * 365 + leap_days + (1..month).map(|m| month_days(year, m)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real_and_survive() {
        for (text, seconds) in [
            ("1970-01-02", 86_400),
            ("2000-02-29", 951_782_400),
            ("2026-03-31", 1_774_915_200),
            ("9999-12-31", 253_402_214_400),
        ] {
            assert_eq!(date_to_seconds(text), Some(seconds));
            assert_eq!(seconds_to_date(seconds), text);
            assert_eq!(seconds_to_date(seconds + 86_399), text);
        }
        for day in 0..100_000 {
            assert_eq!(date_to_seconds(&seconds_to_date(day * 86_400 + 1)), Some(day * 86_400));
        }
        for bad in [
            "2026-02-29",
            "1900-01-01",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-1-1",
            "+026-01-01",
            "2026/01/01",
            "20260101",
            "２026-01-01",
            "2026-01-0é",
            "x",
        ] {
            assert_eq!(date_to_seconds(bad), None, "{bad}");
        }
        assert_eq!(seconds_to_date(0), "");
        assert_eq!(seconds_to_date(u64::MAX), "");
    }
}
