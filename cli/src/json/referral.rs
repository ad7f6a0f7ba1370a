//! Referrals: the form as it was sent, the story, and the case where it was asked for.

use serde::Serialize;
use tutti_core::{
    referral::form::{ConsentForm, ReferralForm},
    roster::Desk,
};
use tutti_proto::node::v1 as api;

use super::{attachments::Attachment, event::Event, given};
use crate::{desk, names, time::rfc3339};

/// What a write gives back with `--json`.
#[derive(Serialize)]
pub(crate) struct Receipt {
    id: String,
    origin: String,
    index: u64,
    recorded_at: Option<String>,
}

/// `tutti referral list --json`.
#[derive(Serialize)]
pub(crate) struct Referrals {
    referrals: Vec<Referral>,
}

/// `tutti referral show --json`.
#[derive(Serialize)]
pub(crate) struct Referral {
    id: String,
    sender: String,
    receiver: String,
    state: &'static str,
    sent_at: Option<String>,
    changed_at: Option<String>,
    acknowledgement_due_at: Option<String>,
    due_at: Option<String>,
    overdue: bool,
    acknowledgement_overdue: bool,
    answer_overdue: bool,
    content_state: &'static str,
    /// As `tutti referral template` has it; with `content` only where that was opened.
    form: Option<ReferralForm>,
    /// How the person's word stands now; `form` has what was sent.
    consent: Option<Consent>,
    /// What is to be erased, and who has confirmed; `null` where nothing is.
    erasure: Option<Erasure>,
    owner: String,
    handover_open: bool,
    retained_until: Option<String>,
    onward: Vec<String>,
    /// The referral that this one passes on.
    onward_of: Option<String>,
    delivery: Option<&'static str>,
    assigned_to: Option<String>,
    overridden: Option<Overridden>,
    attachments: Vec<Attachment>,
    events: Vec<Event>,
    direction: Option<&'static str>,
    waits_for: Option<String>,
    sender_desk: Option<Desk>,
    receiver_desk: Option<Desk>,
    /// How many there are before them: more than fit.
    events_left: u32,
    /// Others of the case that go on, where the person has taken back the whole case here.
    unstopped: Vec<Unstopped>,
}

#[derive(Serialize)]
struct Unstopped {
    id: String,
    receiver: String,
    state: &'static str,
}

#[derive(Serialize)]
struct Consent {
    word: String,
    society: Option<String>,
    at: Option<String>,
    ends_at: Option<String>,
    unseen_by: Option<String>,
    /// As the form has it; `null` where none was given, or it was withdrawn.
    holds: Option<ConsentForm>,
}

#[derive(Serialize)]
struct Overridden {
    reason: String,
    basis: String,
    author: String,
    approver: Option<String>,
    by_two: bool,
}

#[derive(Serialize)]
struct Erasure {
    reason: String,
    by: Option<String>,
    at: Option<String>,
    entries: u32,
    of_case: bool,
    confirmations: Vec<Confirmation>,
}

#[derive(Serialize)]
struct Confirmation {
    society: String,
    confirmed: bool,
    at: Option<String>,
    open: u32,
    onward: Vec<OnwardErasure>,
    earlier: Option<EarlierErasure>,
}

#[derive(Serialize)]
struct EarlierErasure {
    stopped: bool,
    confirmed: bool,
}

#[derive(Serialize)]
struct OnwardErasure {
    society: String,
    id: String,
    stopped: bool,
    confirmed: bool,
}

impl From<&api::Receipt> for Receipt {
    fn from(receipt: &api::Receipt) -> Self {
        Self {
            id: receipt.id.clone(),
            origin: receipt.origin.clone(),
            index: receipt.index,
            recorded_at: rfc3339(receipt.recorded_at_ms),
        }
    }
}

impl From<&[api::Referral]> for Referrals {
    fn from(referrals: &[api::Referral]) -> Self {
        Self { referrals: referrals.iter().map(Referral::from).collect() }
    }
}

impl From<&api::Referral> for Referral {
    fn from(referral: &api::Referral) -> Self {
        let form = |sent| ReferralForm::from_messages(sent, referral.content.as_ref());
        Self {
            id: referral.id.clone(),
            sender: referral.sender.clone(),
            receiver: referral.receiver.clone(),
            state: names::referral_state(referral.state()),
            sent_at: rfc3339(referral.sent_at_ms),
            changed_at: rfc3339(referral.changed_at_ms),
            acknowledgement_due_at: rfc3339(referral.acknowledgement_due_at_ms),
            due_at: rfc3339(referral.due_at_ms),
            overdue: referral.overdue,
            acknowledgement_overdue: referral.acknowledgement_overdue,
            answer_overdue: referral.answer_overdue,
            content_state: names::body_state(referral.content_state()),
            form: referral.sent.as_ref().map(form),
            consent: referral.consent_standing.as_ref().map(|standing| Consent {
                word: standing.word.clone(),
                society: given(&standing.society),
                at: rfc3339(standing.at_ms),
                ends_at: rfc3339(standing.ends_at_ms),
                unseen_by: given(&standing.unseen_by),
                holds: referral.consent.as_ref().map(ConsentForm::from_message),
            }),
            erasure: referral.erasure.as_ref().map(Erasure::from),
            owner: referral.owner.clone(),
            handover_open: referral.handover_open,
            retained_until: rfc3339(referral.retained_until_ms),
            onward: referral.onward.clone(),
            onward_of: referral.sent.as_ref().and_then(|sent| given(&hex::encode(&sent.onward_of))),
            delivery: names::delivery(referral.delivery()),
            assigned_to: given(&referral.assigned_to),
            overridden: referral.overridden.as_ref().map(|overridden| Overridden {
                reason: overridden.reason.clone(),
                basis: overridden.basis.clone(),
                author: overridden.author.clone(),
                approver: given(&overridden.approver),
                by_two: overridden.by_two,
            }),
            attachments: referral.attachments.iter().map(Attachment::from).collect(),
            events: referral.events.iter().map(Event::from).collect(),
            direction: match referral.direction() {
                api::Direction::Sent => Some("sent"),
                api::Direction::Received => Some("received"),
                api::Direction::Unspecified => None,
            },
            waits_for: given(&referral.waits_for),
            sender_desk: referral.sender_desk.as_ref().map(desk::of),
            receiver_desk: referral.receiver_desk.as_ref().map(desk::of),
            events_left: referral.events_left,
            unstopped: referral
                .unstopped
                .iter()
                .map(|other| Unstopped {
                    id: other.id.clone(),
                    receiver: other.receiver.clone(),
                    state: names::referral_state(other.state()),
                })
                .collect(),
        }
    }
}

impl From<&api::Erasure> for Erasure {
    fn from(erasure: &api::Erasure) -> Self {
        let onward = |onward: &api::OnwardErasure| OnwardErasure {
            society: onward.society.clone(),
            id: onward.id.clone(),
            stopped: onward.stopped,
            confirmed: onward.confirmed,
        };
        let confirmation = |side: &api::ErasureConfirmation| Confirmation {
            society: side.society.clone(),
            confirmed: side.confirmed,
            at: rfc3339(side.at_ms),
            open: side.open,
            onward: side.onward.iter().map(onward).collect(),
            earlier: side.earlier.as_ref().map(|earlier| EarlierErasure {
                stopped: earlier.stopped,
                confirmed: earlier.confirmed,
            }),
        };
        Self {
            reason: erasure.reason.clone(),
            by: given(&erasure.by),
            at: rfc3339(erasure.at_ms),
            entries: erasure.entries,
            of_case: erasure.of_case,
            confirmations: erasure.confirmations.iter().map(confirmation).collect(),
        }
    }
}
