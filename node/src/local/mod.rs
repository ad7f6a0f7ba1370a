//! What stays in the house: who the society's people are, and who asks.
//!
//! Nothing in here is ever sent to another node.

mod actor;

pub use actor::Actor;
