//! Referrals: one society asks another to help a person.
//!
//! [`decide`] says what a society may write; [`Book`] says what became of all that societies have
//! written. What a peer has signed is a fact: an event that is malformed, out of order, by the
//! wrong side or overtaken gets an outcome and a reason, never an error. Each side writes only its
//! own events, so that each is totally ordered by its own log, and the whole comes out the same on
//! every node in whatever order it arrives. Nothing here opens, seals or knows a key.
//!
//! Source: `docs/protocol.md`, "The referral".

pub mod attachment;
mod beside;
mod book;
mod carrying;
mod check;
pub mod codes;
pub mod copy;
mod decide;
mod erasure;
mod event;
mod evolve;
pub mod form;
mod ids;
mod keeping;
mod media;
pub mod onward;
pub mod overriding;
mod register;
mod search;
mod standing;
mod state;
mod steps;
mod table;
mod validate;
mod waiting;
mod words;

pub use book::{Book, Referral, Told, tell};
pub use carrying::extent_of_request;
pub(crate) use check::{
    event as check_form, has_ended as consent_has_ended, holds as consent_is_given,
};
pub use decide::{Command, Context, Refusal, decide};
pub use erasure::{Confirmation, EarlierClaim, Erasure, OnwardClaim, stray_until_ms};
pub use event::{Event, Outcome, Why};
pub use evolve::Passed;
pub use ids::{EventRef, IdError, ReferralId, Side, case_digest};
pub(crate) use ids::{derive, parse_id};
pub(crate) use keeping::{Keeping, may_follow_the_end, moves_the_end};
pub(crate) use onward::{Further, Words, wider};
pub use register::{Brief, Due, Register, Taken};
pub use search::Search;
pub use standing::{Standing, Word, is_seen};
pub use state::{By, Case, Kind, State, handover};
pub use table::transition;
pub(crate) use validate::uncovered;
pub use validate::{CATEGORIES, FIELDS, beyond_scope, categories, disclosed, disclosed_by};
pub use waiting::{DueAt, Owed};
pub(crate) use waiting::{hours, owes};
pub use words::compared_code;

#[cfg(test)]
mod tests;
