//! Asking: every message of the client API about referrals, information shares and logs.
//!
//! What is shown is what the books say; contents are opened here, on demand, one by one, and never
//! kept. Invariants: nothing here writes; every answer is bounded, in bytes too, whatever others have
//! written; every list comes in one stable order, the newest first; no error holds anything out of a body.

mod beside;
mod desk;
mod information;
mod logs;
mod page;
mod referral_events;
mod referrals;
mod search;
mod shares;

pub(super) use page::slice;
pub(super) use referral_events::{Depth, events_before};

pub(crate) use desk::desk_message;
use tutti_core::store::BodyState;
use tutti_proto::node::v1 as api;

fn state_of_body(state: BodyState) -> api::BodyState {
    match state {
        BodyState::Present => api::BodyState::Present,
        BodyState::Absent => api::BodyState::Absent,
        BodyState::Erased => api::BodyState::Erased,
    }
}
