//! Information shares: what a society publishes for others, or for migrants and families, and what
//! others say to it.
//!
//! One author, so no races: only the society that published may revise, supersede or retract; what
//! others say names the version that they mean, and changes nothing of it. [`decide`] says what a
//! society may write; [`Book`] says what became of all that was written, and never fails. There is
//! no personal data in a share. One that is addressed is sealed all the same.
//!
//! Source: `docs/protocol.md`, "The information share".

mod book;
pub(crate) mod check;
mod decide;
mod event;
mod evolve;
mod filter;
pub mod form;
mod register;
mod share;
mod text;
mod validate;

pub use book::{Book, Told, tell};
pub use decide::{Command, Context, Refusal, decide};
pub use event::{By, Event, InformationId, Kind, Outcome, State, Why, transition};
pub use filter::Filter;
pub use form::Readers;
pub use register::{Brief, Register};
pub use share::{Response, Share, Version};
pub use text::{join, split};
pub use validate::check_translation;

#[cfg(test)]
mod tests;
