//! Whether an event can be read at all: what every node checks on what it receives.
//!
//! This is about form alone, never about time or policy, so that every node answers alike for
//! ever. What a sender must heed besides is in [`super::decide`].

use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Event, EventRef, Kind, ReferralId, Side, Why,
    codes::{self, Code},
};
use crate::society::Society;

/// Checks an event that would send the referral `id`; gives the receiver.
pub(super) fn sent(id: ReferralId, event: &Event) -> Result<Society, Why> {
    let Some(Transition::Sent(sent)) = &event.body.transition else {
        return Err(Why::NotSent);
    };
    let is = |holds: bool, what| if holds { Ok(()) } else { Err(Why::Malformed(what)) };
    is(
        ReferralId::of(&event.at.origin, &event.event_id) == id,
        "the referral's id does not belong to this log and event",
    )?;
    let receiver: Society =
        sent.receiver.parse().map_err(|_| Why::Malformed("the receiver is no society"))?;
    is(receiver != event.society, "a society refers to itself")?;
    addressed(event, receiver)?;
    is(codes::is_known::<v1::LegalBasis>(sent.legal_basis), "it has no legal basis")?;
    is(codes::is_known::<v1::Priority>(sent.priority), "it has no priority")?;
    is(!sent.services_requested.is_empty(), "it asks for no service")?;
    is(
        all_known::<v1::ServiceCategory>(&sent.services_requested),
        "it asks for a service that is not in the list",
    )?;
    let by_consent = sent.legal_basis == v1::LegalBasis::Consent as i32;
    is(!by_consent || sent.consent.is_some(), "its basis is consent and there is none")?;
    Ok(receiver)
}

/// Checks any event by one of the parties; gives what it does. `other` is the other party.
pub(crate) fn event(
    id: ReferralId,
    side: Side,
    other: Society,
    event: &Event,
) -> Result<Kind, Why> {
    let is = |holds: bool, what| if holds { Ok(()) } else { Err(Why::Malformed(what)) };
    let Some(transition) = &event.body.transition else {
        return Err(Why::Malformed("it says nothing that can be read"));
    };
    let kind = match transition {
        Transition::Sent(_) => return sent(id, event).map(|_| Kind::Sent),
        Transition::Acknowledged(_) => Kind::Acknowledged,
        Transition::InformationRequested(_) => Kind::InformationRequested,
        Transition::InformationProvided(_) => Kind::InformationProvided,
        Transition::Accepted(_) => Kind::Accepted,
        Transition::Declined(declined) => {
            is(codes::is_known::<v1::DeclineCode>(declined.code), "it declines without a reason")?;
            Kind::Declined
        }
        Transition::Withdrawn(withdrawn) => {
            is(
                codes::is_known::<v1::WithdrawCode>(withdrawn.code),
                "it withdraws without a reason",
            )?;
            Kind::Withdrawn
        }
        Transition::Completed(completed) => {
            is(
                codes::is_known::<v1::DeliveryResult>(completed.result),
                "it completes without a result",
            )?;
            Kind::Completed
        }
        Transition::Closed(closed) => {
            is(codes::is_known::<v1::Outcome>(closed.outcome), "it closes without an outcome")?;
            Kind::Closed
        }
    };
    addressed(event, other)?;
    if let Some(seen) = &event.body.seen {
        let seen = EventRef::from_seen(seen);
        is(
            seen.is_some_and(|seen| seen.origin.society() == other),
            "what it says it has seen is not in the other side's log",
        )?;
    }
    if kind.side() == side { Ok(kind) } else { Err(Why::WrongSide) }
}

fn addressed(event: &Event, other: Society) -> Result<(), Why> {
    if event.addressees == [other] {
        Ok(())
    } else {
        Err(Why::Malformed("it is not addressed to the other side, and to it alone"))
    }
}

fn all_known<C: Code>(numbers: &[i32]) -> bool {
    numbers.iter().all(|number| codes::is_known::<C>(*number))
}
