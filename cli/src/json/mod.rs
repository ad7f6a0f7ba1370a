//! The shapes of `--json`, as `docs/json.md` describes them.
//!
//! Invariants: a field keeps its name and meaning; new ones may come. Codes are the names of the
//! core's code lists, times RFC 3339 in UTC, hashes hexadecimal, and what is not known is `null` or
//! an empty list. Text by others is as it was written: JSON escapes it.

mod attachments;
mod event;
mod information;
mod log;
mod node;
mod people;
mod referral;
mod trust;

use serde::Serialize;

pub(crate) use attachments::{Added, Attachments, Saved};
pub(crate) use information::{Groups, Share, Shares};
pub(crate) use log::{LogEntry, Proven};
pub(crate) use node::{Change, Peers, Repaired, Status};
pub(crate) use people::{
    AccessLog, AccessReport, AccountAnswer, Accounts, ApprovalDraft, Approvals, Draft, DraftFile,
    DraftFiles, Drafts, LeftDrafts, Me, NewToken, Token, Tokens,
};
pub(crate) use referral::{Receipt, Referral, Referrals};
pub(crate) use trust::{Card, Roster};

use crate::screen::say;

/// Shows a document, indented.
pub(crate) fn print(document: &impl Serialize) {
    say(text(serde_json::to_string_pretty(document)));
}

/// Shows one document of several, on one line.
pub(crate) fn print_line(document: &impl Serialize) {
    say(text(serde_json::to_string(document)));
}

/// None of the shapes here can fail: no map with other keys than text, no reader.
fn text(document: serde_json::Result<String>) -> String {
    document.unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// The word that JSON has for a code.
pub(crate) fn word(code: &impl Serialize) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

/// `null` for an empty text.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
