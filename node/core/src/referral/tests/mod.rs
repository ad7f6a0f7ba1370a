#![allow(clippy::unwrap_used)]

mod any_order;
mod attaching;
mod chains;
mod deciding;
mod erasing;
mod forms;
mod keeping;
mod races;
mod scope;
mod search;
mod standing;
mod table;
mod words;

use tutti_proto::v1::{self, referral_event::Transition};

use super::*;
use crate::{
    roster::DataProtection,
    society::{Origin, Society},
};

const NOW_MS: u64 = 1_764_000_000_000;

/// The deadlines of these tests.
const RULES: DataProtection = DataProtection {
    emergency_hours: 24,
    urgent_hours: 72,
    normal_hours: 336,
    retention_days: 365,
    acknowledge_hours: None,
};

fn origin(code: &str) -> Origin {
    format!("m.example.org/{code}/1").parse().unwrap()
}

fn society(code: &str) -> Society {
    code.parse().unwrap()
}

/// The referral that sg sends to ph in these tests, by its event id.
fn id() -> ReferralId {
    ReferralId::of(&origin("sg"), &[7; 16])
}

fn sent_body() -> v1::Sent {
    v1::Sent {
        receiver: "ph".into(),
        priority: v1::Priority::Urgent as i32,
        services_requested: vec![v1::ServiceCategory::Health as i32],
        legal_basis: v1::LegalBasis::VitalInterest as i32,
        purpose: v1::Purpose::Assistance as i32,
        case_digest: vec![9; 32],
        ..Default::default()
    }
}

fn consent() -> v1::Consent {
    v1::Consent {
        status: v1::ConsentStatus::Given as i32,
        form: v1::ConsentForm::Written as i32,
        given_by: v1::ConsentGiver::Person as i32,
        language: "tgl".into(),
        expires_at: NOW_MS / 1000 + 1,
        recipients: vec!["ph".into()],
        purposes: vec![v1::Purpose::Assistance as i32],
        ..Default::default()
    }
}

/// What an event of that kind says; `about` is the event that it corrects, takes back, or erases.
/// A file of one part.
fn letter() -> v1::Attached {
    v1::Attached {
        attachment_id: vec![3; 16],
        part: 1,
        parts: 1,
        kind: v1::AttachmentKind::MedicalLetter as i32,
        source: None,
    }
}

fn body(kind: Kind, about: Option<&EventRef>) -> Transition {
    match kind {
        Kind::Sent => Transition::Sent(sent_body()),
        Kind::Acknowledged => Transition::Acknowledged(v1::Acknowledged {}),
        Kind::InformationRequested => {
            Transition::InformationRequested(v1::InformationRequested::default())
        }
        Kind::InformationProvided => {
            Transition::InformationProvided(v1::InformationProvided::default())
        }
        Kind::Accepted => Transition::Accepted(v1::Accepted {}),
        Kind::Declined => {
            Transition::Declined(v1::Declined { code: v1::DeclineCode::NoCapacity as i32 })
        }
        Kind::Withdrawn => {
            Transition::Withdrawn(v1::Withdrawn { code: v1::WithdrawCode::PersonLeft as i32 })
        }
        Kind::ServiceDelivered => Transition::ServiceDelivered(v1::ServiceDelivered {
            result: v1::DeliveryResult::Fully as i32,
            services_delivered: vec![v1::ServiceCategory::FamilyContact as i32],
        }),
        Kind::Expired => Transition::Expired(v1::Expired {}),
        Kind::ServiceStarted => Transition::ServiceStarted(v1::ServiceStarted {}),
        Kind::AppointmentScheduled => {
            Transition::AppointmentScheduled(v1::AppointmentScheduled { at: 1_764_000_000 })
        }
        Kind::AppointmentMissed => Transition::AppointmentMissed(v1::AppointmentMissed { code: 1 }),
        Kind::Paused => Transition::Paused(v1::Paused { code: 1 }),
        Kind::Resumed => Transition::Resumed(v1::Resumed {}),
        Kind::FollowUp => Transition::FollowUp(v1::FollowUp { result: 1 }),
        Kind::Cancelled => Transition::Cancelled(v1::Cancelled { code: 1 }),
        Kind::Reopened => Transition::Reopened(v1::Reopened {
            code: 1,
            consent: Some(consent()),
            information_disclosed: Vec::new(),
        }),
        Kind::Onward => {
            Transition::Onward(v1::Onward { receiver: "qa".into(), referral_id: vec![5; 16] })
        }
        Kind::HandoverProposed => Transition::HandoverProposed(v1::HandoverProposed {}),
        Kind::HandoverAccepted => Transition::HandoverAccepted(v1::HandoverAccepted {}),
        Kind::HandoverDeclined => Transition::HandoverDeclined(v1::HandoverDeclined {}),
        Kind::ConsentWithdrawn => Transition::ConsentWithdrawn(v1::ConsentWithdrawn {
            by: 1,
            form: 2,
            ..Default::default()
        }),
        Kind::ConsentRenewed => {
            Transition::ConsentRenewed(v1::ConsentRenewed { consent: Some(consent()) })
        }
        Kind::Corrected => Transition::Corrected(v1::Corrected {
            event: about.map(EventRef::to_seen),
            information_disclosed: Vec::new(),
        }),
        Kind::FileEnteredInError => Transition::EnteredInError(v1::EnteredInError {
            attachment: vec![3; 16],
            ..Default::default()
        }),
        Kind::StepEnteredInError => Transition::EnteredInError(v1::EnteredInError {
            event: about.map(EventRef::to_seen),
            ..Default::default()
        }),
        Kind::EnteredInError => Transition::EnteredInError(v1::EnteredInError::default()),
        Kind::ErasureRequested => {
            Transition::ErasureRequested(v1::ErasureRequested { ground: 1, ..Default::default() })
        }
        Kind::Erased => Transition::Erased(v1::Erased {
            reason: 1,
            on: None,
            entries: about.map(EventRef::to_seen).into_iter().collect(),
            ..Default::default()
        }),
        Kind::Attached => Transition::Attached(v1::Attached {
            attachment_id: vec![3; 16],
            part: 1,
            parts: 1,
            kind: v1::AttachmentKind::Photo as i32,
            source: None,
        }),
        Kind::Closed => Transition::Closed(v1::Closed {
            outcome: v1::Outcome::NeedMet as i32,
            feedback: v1::Feedback::NotGiven as i32,
        }),
    }
}

/// An event as an honest author writes it: sg's and ph's entries at `index`, `seen` the other's. It
/// is about its author's entry before it, where it is about one.
fn event(by: &str, index: u64, kind: Kind, seen: Option<u64>) -> Event {
    let about = EventRef { origin: origin(by), index: index.saturating_sub(1) };
    event_about(by, index, kind, seen, &about)
}

fn event_about(by: &str, index: u64, kind: Kind, seen: Option<u64>, about: &EventRef) -> Event {
    let other = if by == "sg" { "ph" } else { "sg" };
    let mut event_id = [0; 16];
    event_id[0] = if by == "sg" { 1 } else { 2 };
    event_id[8..].copy_from_slice(&index.to_be_bytes());
    if kind == Kind::Sent {
        event_id = [7; 16];
    }
    Event {
        at: EventRef { origin: origin(by), index },
        society: society(by),
        recorded_at_ms: NOW_MS + index,
        event_id,
        addressees: vec![society(other)],
        commits_content: true,
        has_content: true,
        actor: String::new(),
        approver: String::new(),
        body: v1::ReferralEvent {
            referral_id: id().as_bytes().to_vec(),
            seen: seen.map(|index| EventRef { origin: origin(other), index }.to_seen()),
            transition: Some(body(kind, Some(about))),
        },
    }
}

fn book(events: impl IntoIterator<Item = Event>) -> Book {
    let mut book = Book::default();
    for event in events {
        book.apply(event);
    }
    book
}

/// State and outcomes, a line each: what a snapshot holds.
fn story(book: &Book) -> String {
    let mut text = match book.get(&id()) {
        Some(referral) => format!("{}\n", referral.state),
        None => "nothing\n".into(),
    };
    for outcome in book.outcomes(&id()) {
        let event = &outcome.event;
        let kind = event.kind().map_or("?", Kind::name);
        text += &format!("{} {} {kind}", event.society, event.at.index);
        match &outcome.why {
            None => text += "\n",
            Some(why) => text += &format!(": {why}\n"),
        }
    }
    text
}
