//! How to reach a society's referral desk: what its entry in the roster says of it, for people.
//!
//! Nothing in Tutti decides by it: it is what a caseworker, or the person, calls where no answer comes.
//! It names an office and its hours and never a person, since whoever has the roster reads it.
//! Invariant: a desk in a roster or card that was read names the office and at least one way to reach
//! it, in lines that are safe to show.
//!
//! Source: `docs/protocol.md`, "The roster".

use std::fmt;

use serde::{Deserialize, Serialize};

use super::document::check_line;
use crate::limits::DESK_BYTES_MAX;

/// A society's referral desk. Each field is one line, empty where there is nothing to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desk {
    /// `Migration desk, national headquarters`. Never empty.
    pub name: String,
    /// `+63 2 8790 2300`
    pub telephone: String,
    /// `migration.desk@redcross.org.ph`
    pub email: String,
    /// Any other way: a messenger, a form on the web, an address to come to.
    pub other: String,
    /// When somebody is there, and by which time: `Mon to Fri 8:00 to 17:00 (UTC+8)`
    pub hours: String,
    /// Which languages are spoken, for people: `English, Filipino, Arabic`
    pub languages: String,
}

/// Which line of a desk is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("desk.{field}: {problem}")]
pub struct DeskError {
    /// `telephone`
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Desk {
    /// The names of its lines, in the order of the roster.
    pub const FIELDS: [&'static str; 6] =
        ["name", "telephone", "email", "other", "hours", "languages"];

    /// Every line with its name, in the order of the roster; empty ones too.
    pub fn lines(&self) -> [(&'static str, &str); 6] {
        let [name, telephone, email, other, hours, languages] = Self::FIELDS;
        [
            (name, self.name.as_str()),
            (telephone, self.telephone.as_str()),
            (email, self.email.as_str()),
            (other, self.other.as_str()),
            (hours, self.hours.as_str()),
            (languages, self.languages.as_str()),
        ]
    }

    /// The line of that name; `None` where a desk has no such line.
    pub fn line_mut(&mut self, field: &str) -> Option<&mut String> {
        match field {
            "name" => Some(&mut self.name),
            "telephone" => Some(&mut self.telephone),
            "email" => Some(&mut self.email),
            "other" => Some(&mut self.other),
            "hours" => Some(&mut self.hours),
            "languages" => Some(&mut self.languages),
            _ => None,
        }
    }

    /// Whether nothing is said at all: then no desk is listed.
    pub fn is_empty(&self) -> bool {
        self.lines().iter().all(|(_, line)| line.is_empty())
    }

    /// Whether it can stand in a roster: the office named, a way to reach it, each line one line of
    /// text, all of them together at most [`DESK_BYTES_MAX`].
    ///
    /// # Errors
    /// [`DeskError`], which names the first line that cannot.
    pub fn check(&self) -> Result<(), DeskError> {
        let wrong = |field, problem: String| Err(DeskError { field, problem });
        for (field, line) in self.lines() {
            if let Err(problem) = check_line(line) {
                return wrong(field, problem);
            }
        }
        if self.name.is_empty() {
            return wrong("name", "is empty: name the office that is reached there".into());
        }
        if [&self.telephone, &self.email, &self.other].iter().all(|way| way.is_empty()) {
            let problem = "is empty, and so are email and other: say how the office is reached";
            return wrong("telephone", problem.into());
        }
        let bytes: usize = self.lines().iter().map(|(_, line)| line.len()).sum();
        if bytes > DESK_BYTES_MAX {
            let problem = format!(
                "with the other lines it is {bytes} bytes, and a desk has at most {DESK_BYTES_MAX}: \
                 say it shorter"
            );
            return wrong("name", problem);
        }
        Ok(())
    }
}

/// All that it says, on one line.
impl fmt::Display for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.lines().into_iter().map(|(_, line)| line);
        let said: Vec<&str> = said.filter(|line| !line.is_empty()).collect();
        f.write_str(&said.join("; "))
    }
}
