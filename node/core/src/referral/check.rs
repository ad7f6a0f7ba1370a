//! Whether an event can be read at all: what every node checks on what it receives.
//!
//! This is about form alone, never about time or policy, so that every node answers alike for
//! ever. What a sender must heed besides is in [`super::decide`].

use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Event, EventRef, Kind, ReferralId, Side, Why, attachment,
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
        Transition::ServiceDelivered(delivered) => {
            is(
                codes::is_known::<v1::DeliveryResult>(delivered.result),
                "it says nothing of the result",
            )?;
            Kind::ServiceDelivered
        }
        Transition::Closed(closed) => {
            is(codes::is_known::<v1::Outcome>(closed.outcome), "it closes without an outcome")?;
            Kind::Closed
        }
        Transition::Expired(_) => Kind::Expired,
        Transition::ServiceStarted(_) => Kind::ServiceStarted,
        Transition::AppointmentScheduled(_) => Kind::AppointmentScheduled,
        Transition::AppointmentMissed(missed) => {
            is(codes::is_known::<v1::MissedCode>(missed.code), "it gives no reason")?;
            Kind::AppointmentMissed
        }
        Transition::Paused(paused) => {
            is(codes::is_known::<v1::PauseCode>(paused.code), "it gives no reason")?;
            Kind::Paused
        }
        Transition::Resumed(_) => Kind::Resumed,
        Transition::FollowUp(found) => {
            is(
                codes::is_known::<v1::FollowUpResult>(found.result),
                "it says nothing of the result",
            )?;
            Kind::FollowUp
        }
        Transition::Cancelled(cancelled) => {
            is(codes::is_known::<v1::CancelCode>(cancelled.code), "it cancels without a reason")?;
            Kind::Cancelled
        }
        Transition::Reopened(reopened) => {
            is(codes::is_known::<v1::ReopenCode>(reopened.code), "it gives no reason")?;
            is(holds(reopened.consent.as_ref()), "it brings no fresh consent")?;
            Kind::Reopened
        }
        Transition::Onward(onward) => {
            let third = onward.receiver.parse::<Society>();
            is(third.is_ok_and(|third| third != other), "it names no third society")?;
            is(onward.referral_id.len() == 16, "it names no referral")?;
            Kind::Onward
        }
        Transition::HandoverProposed(_) => Kind::HandoverProposed,
        Transition::HandoverAccepted(_) => Kind::HandoverAccepted,
        Transition::HandoverDeclined(_) => Kind::HandoverDeclined,
        Transition::ConsentWithdrawn(withdrawn) => {
            is(
                codes::is_known::<v1::ConsentGiver>(withdrawn.by),
                "it does not say who has withdrawn the consent",
            )?;
            is(is_carried(&withdrawn.carried), CARRIED)?;
            Kind::ConsentWithdrawn
        }
        Transition::ConsentRenewed(renewed) => {
            is(holds(renewed.consent.as_ref()), "it brings no consent")?;
            Kind::ConsentRenewed
        }
        Transition::Corrected(corrected) => {
            is(is_event(corrected.event.as_ref()), "it is about no event")?;
            Kind::Corrected
        }
        Transition::EnteredInError(v1::EnteredInError { event: None, carried, attachment })
            if attachment.is_empty() =>
        {
            is(is_carried(carried), CARRIED)?;
            Kind::EnteredInError
        }
        Transition::EnteredInError(v1::EnteredInError { event: None, carried, attachment }) => {
            is(attachment.len() == 16, "it is about no file")?;
            is(is_carried(carried), CARRIED)?;
            Kind::FileEnteredInError
        }
        Transition::EnteredInError(v1::EnteredInError { event, carried, attachment }) => {
            is(is_event(event.as_ref()), "it is about no event")?;
            is(attachment.is_empty(), "it is about an event and a file at once")?;
            is(carried.is_empty(), CARRIED)?;
            Kind::StepEnteredInError
        }
        Transition::ErasureRequested(requested) => {
            is(
                codes::is_known::<v1::ErasureGround>(requested.ground),
                "it does not say on whose word",
            )?;
            is(is_carried(&requested.carried), CARRIED)?;
            Kind::ErasureRequested
        }
        Transition::Erased(erased) => {
            is(codes::is_known::<v1::ErasureReason>(erased.reason), "it gives no reason")?;
            is(!erased.entries.is_empty(), "it names no entry")?;
            let named = |onward: &v1::OnwardErasure| onward.referral_id.len() == 16;
            is(erased.onward.iter().all(named), "it names no referral")?;
            Kind::Erased
        }
        Transition::Attached(attached) => {
            is(attachment::is_part(attached), "it is no part of a file")?;
            is(
                codes::is_known::<v1::AttachmentKind>(attached.kind),
                "it does not say what the file is",
            )?;
            is(event.has_content, "it comes without the bytes")?;
            Kind::Attached
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
    if kind.by().may(side) { Ok(kind) } else { Err(Why::WrongSide) }
}

/// Whether the person agrees, by this consent.
pub(crate) fn holds(consent: Option<&v1::Consent>) -> bool {
    let given = [v1::ConsentStatus::Given as i32, v1::ConsentStatus::Renewed as i32];
    consent.is_some_and(|consent| given.contains(&consent.status))
}

/// Whether what the person agreed to had an end, and that is past at `now_s`, seconds since the Unix epoch.
pub(crate) fn has_ended(consent: &v1::Consent, now_s: u64) -> bool {
    consent.expires_at != 0 && consent.expires_at <= now_s
}

const CARRIED: &str = "what it says it carries on is no event's id";

/// Whether it is the id of an event in another referral, or none.
fn is_carried(id: &[u8]) -> bool {
    id.is_empty() || id.len() == 16
}

fn is_event(event: Option<&v1::Seen>) -> bool {
    event.is_some_and(|event| EventRef::from_seen(event).is_some())
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
