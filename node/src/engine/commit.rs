//! Writing: decide, seal, sign, append, and only then answer.

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    information::InformationId,
    referral::{Command, ReferralId},
    society::Origin,
    store::Store,
};
use tutti_proto::v1;

use super::{Engine, Refused};

/// What a person wants written. `key` is 16 bytes, drawn by the caller: the same key again answers
/// as the first time.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Write {
    /// A new referral.
    Send { key: [u8; 16], sent: Box<v1::Sent>, content: Box<v1::ReferralContent> },
    /// The next step of one.
    Advance { key: [u8; 16], id: ReferralId, command: Command, note: String },
    /// A new information share.
    Publish { key: [u8; 16], visibility: Visibility, version: Box<v1::InformationVersion> },
    /// Another version of one.
    Revise { key: [u8; 16], id: InformationId, version: Box<v1::InformationVersion> },
    /// Takes one back.
    Retract { key: [u8; 16], id: InformationId, reason: String },
}

/// What a write gives back once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The referral or information share.
    pub id: [u8; 16],
    /// The log.
    pub origin: Origin,
    /// The entry.
    pub index: u64,
    /// When, by this node's clock.
    pub recorded_at_ms: u64,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Commits a group of writes: one append, one signature. An answer for each, in order.
    pub fn write(&mut self, group: Vec<Write>, now_ms: u64) -> Vec<Result<Receipt, Refused>> {
        let _ = now_ms;
        let refused = |_| {
            self.check_writing()?;
            Err(Refused::Internal("writing is not built yet".into()))
        };
        group.into_iter().map(refused).collect()
    }
}
