//! Information shares: what a society publishes for others, or for migrants and families.
//!
//! One author, one log, no races: only the society that published may revise or retract.
//! [`decide`] says what a society may write; [`Book`] says what became of all that was written,
//! and never fails. There is no personal data in a share: it is not sealed.
//!
//! Source: `docs/protocol.md`, "The information share".

mod book;
mod decide;
mod event;
mod filter;
pub mod form;

pub use book::{Book, Share};
pub use decide::{Command, Context, Refusal, decide};
pub use event::{Event, InformationId, Kind, Outcome, State, Why, transition};
pub use filter::Filter;

#[cfg(test)]
mod tests;
