#![allow(clippy::unwrap_used)]

mod any_order;
mod deciding;
mod forms;
mod races;
mod table;

use tutti_proto::v1::{self, referral_event::Transition};

use super::*;
use crate::society::{Origin, Society};

const NOW_MS: u64 = 1_764_000_000_000;

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

fn body(kind: Kind) -> Transition {
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
        Kind::Completed => Transition::Completed(v1::Completed {
            result: v1::DeliveryResult::Fully as i32,
            services_delivered: Vec::new(),
        }),
        Kind::Closed => Transition::Closed(v1::Closed {
            outcome: v1::Outcome::NeedMet as i32,
            feedback: v1::Feedback::NotGiven as i32,
        }),
    }
}

/// An event as an honest author writes it: sg's and ph's entries at `index`, `seen` the other's.
fn event(by: &str, index: u64, kind: Kind, seen: Option<u64>) -> Event {
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
        body: v1::ReferralEvent {
            referral_id: id().as_bytes().to_vec(),
            seen: seen.map(|index| EventRef { origin: origin(other), index }.to_seen()),
            transition: Some(body(kind)),
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
