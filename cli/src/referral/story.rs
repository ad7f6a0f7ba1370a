//! A referral's story: each event in plain words, one row each.
//!
//! What a record says stands here, all of it but what sent the referral: that is told above the story.
//! Invariant: what the person said and what nobody asked are never told alike.

use tutti_core::referral::codes::{self, Code};
use tutti_proto::{
    node::v1::{Referral, ReferralEventView},
    v1::{self, referral_event::Transition},
};

use super::{names as listed, short};
use crate::{names, text, time};

/// What stands above the columns of the story.
pub(super) const HEADINGS: [&str; 6] = ["when", "who", "what", "entry", "witnesses", "delivery"];

/// Every event, in the order in which they count.
pub(super) fn rows(referral: &Referral) -> impl Iterator<Item = Vec<String>> {
    referral.events.iter().map(|event| row(event, &referral.events))
}

fn row(event: &ReferralEventView, all: &[ReferralEventView]) -> Vec<String> {
    let what = what(event, all);
    let who = match text::line(&event.by) {
        name if name.is_empty() => event.society.clone(),
        name => format!("{}, {name}", event.society),
    };
    vec![
        time::local(event.recorded_at_ms),
        who,
        match event.effective {
            true => what,
            false => format!("({what}) {}", event.explanation),
        },
        format!("{} {}", event.society, event.index),
        event.witnesses.to_string(),
        names::delivery_words(event.delivery()).to_owned(),
    ]
}

/// What an event says: `closed: need met; the person's own word: satisfied`.
fn what(event: &ReferralEventView, all: &[ReferralEventView]) -> String {
    let name = words(&event.transition);
    let transition = event.event.as_ref().and_then(|record| record.transition.as_ref());
    let mut said = match transition {
        Some(transition) => details(transition, event, all),
        None => vec![words(&event.code)],
    };
    if event.extent == "case" {
        said.push("whole case".into());
    }
    said.retain(|part| !part.is_empty());
    match said.is_empty() {
        true => name,
        false => format!("{name}: {}", said.join("; ")),
    }
}

fn details(
    transition: &Transition,
    event: &ReferralEventView,
    all: &[ReferralEventView],
) -> Vec<String> {
    let code = words(&event.code);
    match transition {
        Transition::InformationRequested(asked) => vec![fields("asked for", &asked.fields)],
        Transition::InformationProvided(given) => {
            vec![fields("disclosed", &given.information_disclosed)]
        }
        Transition::AppointmentScheduled(appointment) => {
            vec![time::short(appointment.at.saturating_mul(1000))]
        }
        Transition::ServiceDelivered(delivered) => {
            let services = words(&listed::<v1::ServiceCategory>(&delivered.services_delivered));
            vec![code, services]
        }
        Transition::Closed(closed) => vec![code, feedback(closed.feedback)],
        Transition::Reopened(reopened) => vec![
            code,
            reopened.consent.as_ref().map(agreed).unwrap_or_default(),
            fields("told anew", &reopened.information_disclosed),
        ],
        Transition::ConsentRenewed(renewed) => {
            vec![renewed.consent.as_ref().map(agreed).unwrap_or_default()]
        }
        Transition::ConsentWithdrawn(withdrawn) => vec![
            format!("by the {code}"),
            spoken::<v1::ConsentForm>(withdrawn.form),
            carried(&withdrawn.carried),
        ],
        Transition::ErasureRequested(requested) => {
            vec![format!("on the word of the {code}"), carried(&requested.carried)]
        }
        Transition::Erased(erased) => {
            let entries = erased.entries.len() as u64;
            vec![
                code,
                format!("content of {entries} entr{}", if entries == 1 { "y" } else { "ies" }),
            ]
        }
        Transition::Corrected(corrected) => vec![
            corrected.event.as_ref().map(|at| entry(at, all)).unwrap_or_default(),
            fields("told anew", &corrected.information_disclosed),
        ],
        Transition::EnteredInError(which) => {
            let file = hex::encode(&which.attachment);
            let file = match file.as_str() {
                "" => String::new(),
                file => format!("file {}", short(file)),
            };
            let entry = which.event.as_ref().map(|at| entry(at, all)).unwrap_or_default();
            vec![entry, file, carried(&which.carried)]
        }
        Transition::Attached(part) => {
            vec![code, format!("file {}", short(&hex::encode(&part.attachment_id)))]
        }
        Transition::Onward(onward) => vec![format!("to {}", onward.receiver)],
        Transition::Declined(_) => vec![decline(event)],
        Transition::Sent(_)
        | Transition::Acknowledged(_)
        | Transition::Accepted(_)
        | Transition::Withdrawn(_)
        | Transition::Expired(_)
        | Transition::ServiceStarted(_)
        | Transition::AppointmentMissed(_)
        | Transition::Paused(_)
        | Transition::Resumed(_)
        | Transition::FollowUp(_)
        | Transition::Cancelled(_)
        | Transition::HandoverProposed(_)
        | Transition::HandoverAccepted(_)
        | Transition::HandoverDeclined(_) => vec![code],
    }
}

/// Why help was declined, and whether that lies with the society or with the person.
pub(super) fn decline(event: &ReferralEventView) -> String {
    let code = words(&event.code);
    match event.reason_of.as_str() {
        "provider" => format!("{code} ({}'s reason)", event.society),
        "person" => format!("{code} (the person's reason)"),
        _ => code,
    }
}

/// That nobody has asked is another thing than that the person did not say.
fn feedback(number: i32) -> String {
    match spoken::<v1::Feedback>(number) {
        said if said.is_empty() => "nothing is noted of what the person thought of the help".into(),
        said => format!("the person's own word: {said}"),
    }
}

fn fields(what: &str, names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("{what}: {}", names.join(", ")),
    }
}

/// What a consent goes for, in short: whole it stands above the story as long as it holds.
fn agreed(consent: &v1::Consent) -> String {
    let until = match consent.expires_at {
        0 => String::new(),
        at => format!(", until {}", time::day(at)),
    };
    format!(
        "{} for {}{until}",
        spoken::<v1::ConsentStatus>(consent.status),
        consent.recipients.join(" and ")
    )
}

/// The entry that is meant, by the number in its column, and what it was.
fn entry(at: &v1::Seen, all: &[ReferralEventView]) -> String {
    let same = |event: &&ReferralEventView| event.origin == at.origin && event.index == at.index;
    match all.iter().find(same) {
        Some(event) => {
            format!("entry {} {}, “{}”", event.society, event.index, words(&event.transition))
        }
        None => format!("entry {} of {}", at.index, at.origin),
    }
}

fn carried(id: &[u8]) -> String {
    match id {
        [] => String::new(),
        _ => "carried here by their node from another referral of the case".into(),
    }
}

fn spoken<C: Code>(number: i32) -> String {
    words(codes::name::<C>(number))
}

/// A code as people say it.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(transition: Transition, name: &str, code: &str) -> String {
        let event = v1::ReferralEvent { transition: Some(transition), ..Default::default() };
        let view = ReferralEventView {
            transition: name.into(),
            code: code.into(),
            event: Some(event),
            ..Default::default()
        };
        let before = ReferralEventView {
            origin: "m.org/sg/1".into(),
            index: 4,
            society: "sg".into(),
            transition: "appointment_missed".into(),
            ..Default::default()
        };
        what(&view, &[before, view.clone()])
    }

    #[test]
    fn what_a_record_says_is_told_in_plain_words() {
        let closed = |feedback| Transition::Closed(v1::Closed { outcome: 1, feedback });
        let closed = |feedback| told(closed(feedback), "closed", "need_met");
        assert_eq!(closed(2), "closed: need met; the person's own word: partly satisfied");
        assert_eq!(closed(4), "closed: need met; the person's own word: not given");
        assert_eq!(
            closed(0),
            "closed: need met; nothing is noted of what the person thought of the help"
        );
        let services = vec![
            v1::ServiceCategory::MedicalEscortRepatriation as i32,
            v1::ServiceCategory::FamilyContact as i32,
        ];
        let delivered = v1::ServiceDelivered { result: 2, services_delivered: services };
        assert_eq!(
            told(Transition::ServiceDelivered(delivered), "service_delivered", "partly"),
            "service delivered: partly; medical escort repatriation, family contact"
        );
        let at = v1::AppointmentScheduled { at: 1_772_588_405 };
        let when = told(Transition::AppointmentScheduled(at), "appointment_scheduled", "");
        assert!(when.starts_with("appointment scheduled: 2026-03-0"), "{when}");
        let asked = v1::InformationRequested { fields: vec!["person.languages".into()] };
        assert_eq!(
            told(Transition::InformationRequested(asked), "information_requested", ""),
            "information requested: asked for: person.languages"
        );
        let event = Some(v1::Seen { origin: "m.org/sg/1".into(), index: 4 });
        let which = v1::EnteredInError { event, ..Default::default() };
        assert_eq!(
            told(Transition::EnteredInError(which), "step_entered_in_error", ""),
            "step entered in error: entry sg 4, “appointment missed”"
        );
        let event = Some(v1::Seen { origin: "m.org/sg/1".into(), index: 9 });
        let information_disclosed = vec!["reason".into()];
        let corrected = v1::Corrected { event, information_disclosed };
        assert_eq!(
            told(Transition::Corrected(corrected), "corrected", ""),
            "corrected: entry 9 of m.org/sg/1; told anew: reason"
        );
        let withdrawn = v1::ConsentWithdrawn { by: 1, form: 2, carried: vec![7; 16], extent: 0 };
        assert_eq!(
            told(Transition::ConsentWithdrawn(withdrawn), "consent_withdrawn", "person"),
            "consent withdrawn: by the person; verbal; carried here by their node from another \
             referral of the case"
        );
        let declined = v1::Declined { code: v1::DeclineCode::PersonUnreachable as i32 };
        let view = ReferralEventView {
            society: "ph".into(),
            transition: "declined".into(),
            code: "person_unreachable".into(),
            reason_of: "person".into(),
            event: Some(v1::ReferralEvent {
                transition: Some(Transition::Declined(declined)),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(what(&view, &[]), "declined: person unreachable (the person's reason)");
        let view =
            ReferralEventView { reason_of: "provider".into(), code: "unsafe".into(), ..view };
        assert_eq!(what(&view, &[]), "declined: unsafe (ph's reason)");
        let accepted = told(Transition::Accepted(v1::Accepted {}), "accepted", "");
        assert_eq!(accepted, "accepted");
    }
}
