//! The pure core of Tutti: logs, rosters, sealing, referrals, and the exchange between nodes.
//!
//! Time, randomness and storage are arguments; what comes back are values and effects. The same
//! code runs in the node, in the simulator and in the auditor's verifier. The bytes that it reads
//! and writes are described in `docs/protocol.md`.

#![forbid(unsafe_code)]

pub mod audit;
pub mod batch;
pub mod body;
pub mod entry;
pub mod evidence;
pub mod export;
pub mod fields;
pub mod head;
pub mod information;
pub mod keys;
pub mod limits;
pub mod local;
pub mod opened;
pub mod people;
mod places;
pub mod proof;
pub mod record;
pub mod referral;
pub mod roster;
pub mod sealing;
pub mod session;
pub mod society;
pub mod store;
pub mod tiles;
pub mod tree;
