//! One event of a referral: what became of it, and what its record says.

use serde::Serialize;
use tutti_core::referral::{
    codes::{self, Code},
    form::ConsentForm,
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, referral_event::Transition},
};

use super::given;
use crate::{names, time::rfc3339};

#[derive(Serialize)]
pub(super) struct Event {
    origin: String,
    index: u64,
    society: String,
    recorded_at: Option<String>,
    transition: String,
    code: Option<String>,
    /// Of a decline: whose reason it is, `provider` or `person`.
    reason_of: Option<String>,
    effective: bool,
    explanation: Option<String>,
    note: Option<String>,
    witnesses: u32,
    content_state: &'static str,
    entries: Vec<String>,
    extent: Option<String>,
    delivery: Option<&'static str>,
    by: Option<String>,
    /// The last event of the other side that its author had seen: ORIGIN INDEX.
    seen: Option<String>,
    #[serde(flatten)]
    said: Said,
}

/// What the record says besides its one code; `null` and empty where its transition says no such thing.
#[derive(Default, Serialize)]
struct Said {
    /// Of a closing: the person's own word on the help.
    feedback: Option<&'static str>,
    /// Of help that was delivered: what it was.
    services: Vec<&'static str>,
    /// Of an appointment: when it is.
    appointment_at: Option<String>,
    /// Names of the fields that are asked for, or are disclosed by this event.
    fields: Vec<String>,
    /// The entry that is put right or taken back: ORIGIN INDEX.
    about: Option<String>,
    /// The file that is added or taken back.
    attachment: Option<String>,
    /// Of a consent that was renewed or given anew.
    consent: Option<ConsentForm>,
    /// Of a withdrawal of consent: how it was said.
    form: Option<&'static str>,
    /// A node carried it here by itself, from another referral of the case.
    carried: bool,
}

impl From<&api::ReferralEventView> for Event {
    fn from(event: &api::ReferralEventView) -> Self {
        let record = event.event.as_ref();
        Self {
            origin: event.origin.clone(),
            index: event.index,
            society: event.society.clone(),
            recorded_at: rfc3339(event.recorded_at_ms),
            transition: event.transition.clone(),
            code: given(&event.code),
            reason_of: given(&event.reason_of),
            effective: event.effective,
            explanation: given(&event.explanation),
            note: given(&event.note),
            witnesses: event.witnesses,
            content_state: names::body_state(event.content_state()),
            entries: event.entries.clone(),
            extent: given(&event.extent),
            delivery: names::delivery(event.delivery()),
            by: given(&event.by),
            seen: record.and_then(|record| record.seen.as_ref()).map(place),
            said: record
                .and_then(|record| record.transition.as_ref())
                .map(said)
                .unwrap_or_default(),
        }
    }
}

fn said(transition: &Transition) -> Said {
    let mut said = Said::default();
    match transition {
        Transition::InformationRequested(asked) => said.fields = asked.fields.clone(),
        Transition::InformationProvided(given) => {
            said.fields = given.information_disclosed.clone();
        }
        Transition::AppointmentScheduled(appointment) => {
            said.appointment_at = rfc3339(appointment.at.saturating_mul(1000));
        }
        Transition::ServiceDelivered(delivered) => {
            let services = delivered.services_delivered.iter();
            said.services =
                services.map(|code| codes::name::<v1::ServiceCategory>(*code)).collect();
        }
        Transition::Closed(closed) => said.feedback = name::<v1::Feedback>(closed.feedback),
        Transition::Reopened(reopened) => {
            said.consent = reopened.consent.as_ref().map(ConsentForm::from_message);
            said.fields = reopened.information_disclosed.clone();
        }
        Transition::ConsentRenewed(renewed) => {
            said.consent = renewed.consent.as_ref().map(ConsentForm::from_message);
        }
        Transition::ConsentWithdrawn(withdrawn) => {
            said.form = name::<v1::ConsentForm>(withdrawn.form);
            said.carried = !withdrawn.carried.is_empty();
        }
        Transition::ErasureRequested(requested) => said.carried = !requested.carried.is_empty(),
        Transition::Corrected(corrected) => {
            said.about = corrected.event.as_ref().map(place);
            said.fields = corrected.information_disclosed.clone();
        }
        Transition::EnteredInError(which) => {
            said.about = which.event.as_ref().map(place);
            said.attachment = given(&hex::encode(&which.attachment));
            said.carried = !which.carried.is_empty();
        }
        Transition::Attached(part) => said.attachment = given(&hex::encode(&part.attachment_id)),
        // What is said when it is sent is in `form`; of the others the code says all.
        Transition::Sent(_)
        | Transition::Acknowledged(_)
        | Transition::Accepted(_)
        | Transition::Declined(_)
        | Transition::Withdrawn(_)
        | Transition::Expired(_)
        | Transition::ServiceStarted(_)
        | Transition::AppointmentMissed(_)
        | Transition::Paused(_)
        | Transition::Resumed(_)
        | Transition::FollowUp(_)
        | Transition::Cancelled(_)
        | Transition::Onward(_)
        | Transition::HandoverProposed(_)
        | Transition::HandoverAccepted(_)
        | Transition::HandoverDeclined(_)
        | Transition::Erased(_) => {}
    }
    said
}

/// `null` where none is given.
fn name<C: Code>(number: i32) -> Option<&'static str> {
    Some(codes::name::<C>(number)).filter(|name| !name.is_empty())
}

fn place(at: &v1::Seen) -> String {
    format!("{} {}", at.origin, at.index)
}
