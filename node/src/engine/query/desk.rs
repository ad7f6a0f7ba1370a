//! Whom to call at the other society, as the roster in force says it.

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::Referral,
    roster::{Desk, Member},
    society::Society,
    store::Store,
};
use tutti_proto::node::v1 as api;

use crate::engine::Engine;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// How a society's desk is reached; `None` where the roster does not say.
    pub(super) fn desk_of(&self, society: Society) -> Option<api::Desk> {
        self.roster.member(society).and_then(desk_message)
    }

    /// Which way it went, as this society sees it.
    pub(super) fn direction(&self, referral: &Referral) -> api::Direction {
        match self.identity.society {
            own if own == referral.sender => api::Direction::Sent,
            own if own == referral.receiver => api::Direction::Received,
            _ => api::Direction::Unspecified,
        }
    }
}

/// The desk of a member, as the client API has it.
pub(crate) fn desk_message(member: &Member) -> Option<api::Desk> {
    let Desk { name, telephone, email, other, hours, languages } = member.desk.clone()?;
    Some(api::Desk { name, telephone, email, other, hours, languages })
}
