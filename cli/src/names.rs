//! The names of the client API's own codes, in `snake_case`; those of records are in the core.

use tutti_proto::{node::v1 as api, v1};

/// A referral's state.
pub(crate) fn referral_state(state: api::ReferralState) -> &'static str {
    use api::ReferralState as S;
    match state {
        S::Unspecified => "unknown",
        S::Sent => "sent",
        S::Acknowledged => "acknowledged",
        S::InformationRequested => "information_requested",
        S::Accepted => "accepted",
        S::Declined => "declined",
        S::Withdrawn => "withdrawn",
        S::Completed => "completed",
        S::Closed => "closed",
        S::InProgress => "in_progress",
        S::OnHold => "on_hold",
        S::Expired => "expired",
        S::Cancelled => "cancelled",
        S::ConsentWithdrawn => "consent_withdrawn",
        S::ErasureRequested => "erasure_requested",
        S::EnteredInError => "entered_in_error",
    }
}

/// Every state by its name.
pub(crate) const REFERRAL_STATES: [&str; 15] = [
    "sent",
    "acknowledged",
    "information_requested",
    "accepted",
    "declined",
    "withdrawn",
    "completed",
    "closed",
    "in_progress",
    "on_hold",
    "expired",
    "cancelled",
    "consent_withdrawn",
    "erasure_requested",
    "entered_in_error",
];

/// The state of that name.
pub(crate) fn parse_referral_state(name: &str) -> Option<api::ReferralState> {
    let place = REFERRAL_STATES.iter().position(|state| *state == name)?;
    api::ReferralState::try_from(i32::try_from(place).ok()? + 1).ok()
}

/// Whether a body is here.
/// How far something has come, for a program.
pub(crate) fn delivery(delivery: api::Delivery) -> Option<&'static str> {
    match delivery {
        api::Delivery::Unspecified => None,
        api::Delivery::Saved => Some("saved"),
        api::Delivery::WithRelay => Some("with_relay"),
        api::Delivery::OnTheirNode => Some("on_their_node"),
        api::Delivery::Seen => Some("seen"),
    }
}

/// The same for a caseworker; empty where there is nothing to say.
pub(crate) fn delivery_words(delivery: api::Delivery) -> &'static str {
    match delivery {
        api::Delivery::Unspecified => "",
        api::Delivery::Saved => "saved here",
        api::Delivery::WithRelay => "with a relay",
        api::Delivery::OnTheirNode => "on their node",
        api::Delivery::Seen => "seen",
    }
}

pub(crate) fn body_state(state: api::BodyState) -> &'static str {
    match state {
        api::BodyState::Unspecified => "none",
        api::BodyState::Present => "present",
        api::BodyState::Absent => "absent",
        api::BodyState::Erased => "erased",
    }
}

/// An information share's state.
pub(crate) fn information_state(state: api::InformationState) -> &'static str {
    match state {
        api::InformationState::Unspecified => "unknown",
        api::InformationState::Published => "published",
        api::InformationState::Revised => "revised",
        api::InformationState::Retracted => "retracted",
        api::InformationState::Superseded => "superseded",
        api::InformationState::Expired => "expired",
    }
}

/// Who may read.
pub(crate) fn visibility(visibility: v1::Visibility) -> &'static str {
    match visibility {
        v1::Visibility::Unspecified => "unknown",
        v1::Visibility::Public => "public",
        v1::Visibility::Federation => "federation",
        v1::Visibility::Addressed => "addressed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_the_name_that_the_protocol_buffers_give() {
        for name in REFERRAL_STATES {
            let state = parse_referral_state(name).expect("a state");
            assert_eq!(referral_state(state), name);
            let proto = state.as_str_name().to_lowercase();
            assert_eq!(proto.strip_prefix("referral_state_"), Some(name));
        }
        assert_eq!(parse_referral_state("unknown"), None);
    }
}
