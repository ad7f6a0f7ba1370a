//! The person's word, as it stands now.
//!
//! Invariant: what was withdrawn or has ended never looks as if it held, whatever was sent.

use tutti_core::referral::codes;
use tutti_proto::{
    node::v1::{ConsentStanding, Referral},
    v1,
};

use super::{joined, names as listed};
use crate::time;

/// How the person's word stands, in one or two lines.
pub(super) fn standing(referral: &Referral) -> String {
    let details = referral.consent.as_ref().map(details).unwrap_or_default();
    let Some(standing) = &referral.consent_standing else { return details };
    let said = said(standing);
    match standing.word.as_str() {
        "none" => "none on record".into(),
        "withdrawn" => format!("WITHDRAWN, {said}: nothing more may be passed on"),
        "ended" => format!(
            "ENDED on {}: ask the person, then renew-consent\nit was: {details}",
            time::day(standing.ends_at_ms / 1000)
        ),
        "renewed" => format!("{details}\nrenewed, {said}{}", unseen(standing, &referral.sender)),
        "given_anew" => {
            format!("{details}\ngiven anew, {said}{}", unseen(standing, &referral.sender))
        }
        "requested" => format!("asked for, NOT ANSWERED; {details}"),
        "refused" => format!("NOT AGREED; {details}"),
        // Given; or a word of a later version, of which the details tell.
        _ => details,
    }
}

fn said(standing: &ConsentStanding) -> String {
    format!("recorded by {} on {}", standing.society, time::local(standing.at_ms))
}

/// Who has not gone on with it; and that the receiver may not pass on by it meanwhile.
fn unseen(standing: &ConsentStanding, sender: &str) -> String {
    match standing.unseen_by.as_str() {
        "" => String::new(),
        society if society == sender => format!(
            "; nobody at {society} has gone on with that yet: passing on what it adds waits for them \
             (there: confirm-consent)"
        ),
        society => format!("; nobody at {society} has gone on with that yet"),
    }
}

fn details(consent: &v1::Consent) -> String {
    let said = |word: &str, what: &str| match what {
        "" => String::new(),
        what => format!("{word} {what}"),
    };
    let day = |at: u64| if at == 0 { String::new() } else { time::day(at) };
    joined(vec![
        codes::name::<v1::ConsentStatus>(consent.status).to_owned(),
        codes::name::<v1::ConsentForm>(consent.form).to_owned(),
        said("by the", codes::name::<v1::ConsentGiver>(consent.given_by)),
        said("in", &consent.language),
        if consent.interpreter { "through an interpreter".to_owned() } else { String::new() },
        said("explained", &day(consent.explained_at)),
        said("until", &day(consent.expires_at)),
        if consent.witnessed { "before a witness".to_owned() } else { String::new() },
        said("for", &consent.recipients.join(" and ")),
        said("to use for", &listed::<v1::Purpose>(&consent.purposes)),
        agreed_fields(consent),
    ])
}

/// Which fields the person agreed to, where they agreed.
fn agreed_fields(consent: &v1::Consent) -> String {
    use v1::ConsentStatus as S;
    match (consent.status(), consent.fields.as_slice()) {
        (S::Given | S::Renewed, []) => "agrees to everything that is disclosed".into(),
        (_, []) => String::new(),
        (_, named) => format!("only {}", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(word: &str, unseen_by: &str) -> String {
        let holds = v1::Consent {
            status: v1::ConsentStatus::Given as i32,
            recipients: vec!["ph".into()],
            expires_at: 1_772_588_405,
            ..Default::default()
        };
        let standing_now = ConsentStanding {
            word: word.into(),
            society: "ph".into(),
            at_ms: 1_764_000_000_000,
            ends_at_ms: 1_772_588_405_000,
            unseen_by: unseen_by.into(),
        };
        standing(&Referral {
            sender: "sg".into(),
            sent: Some(v1::Sent { consent: Some(holds.clone()), ..Default::default() }),
            consent: (word != "withdrawn" && word != "none").then_some(holds),
            consent_standing: Some(standing_now),
            ..Default::default()
        })
    }

    #[test]
    fn what_no_longer_holds_does_not_look_as_if_it_did() {
        assert!(told("given", "").starts_with("given, until 2026-03-0"), "{}", told("given", ""));
        let withdrawn = told("withdrawn", "");
        assert!(withdrawn.starts_with("WITHDRAWN, recorded by ph on 2025-11-2"), "{withdrawn}");
        assert!(!withdrawn.contains("given"), "{withdrawn}");
        let ended = told("ended", "");
        assert!(ended.starts_with("ENDED on 2026-03-0") && ended.contains("it was: given"));
        assert_eq!(told("none", ""), "none on record");
        assert!(told("refused", "").starts_with("NOT AGREED"));
        assert!(told("requested", "").contains("NOT ANSWERED"));
    }

    #[test]
    fn a_renewal_says_who_has_not_seen_it() {
        let unseen = told("renewed", "sg");
        assert!(unseen.contains("\nrenewed, recorded by ph on 2025-11-2"), "{unseen}");
        assert!(
            unseen.contains("; nobody at sg has gone on with that yet: passing on"),
            "{unseen}"
        );
        let other = told("renewed", "ph");
        assert!(other.ends_with("; nobody at ph has gone on with that yet"), "{other}");
        assert!(!told("given_anew", "").contains("nobody"));
    }

    /// A list that was left out goes for all there is: that must not look like nothing.
    #[test]
    fn whoever_agrees_to_no_list_of_fields_is_said_to_agree_to_everything() {
        let of = |status: v1::ConsentStatus, fields: &[&str]| {
            let fields = fields.iter().map(ToString::to_string).collect();
            details(&v1::Consent { status: status as i32, fields, ..Default::default() })
        };
        let everything = "agrees to everything that is disclosed";
        assert_eq!(of(v1::ConsentStatus::Given, &[]), format!("given, {everything}"));
        assert_eq!(
            of(v1::ConsentStatus::Given, &["person.name", "category.sex"]),
            "given, only person.name, category.sex"
        );
        assert!(!of(v1::ConsentStatus::Refused, &[]).contains(everything));
    }
}
