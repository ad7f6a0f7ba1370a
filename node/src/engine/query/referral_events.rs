//! The events of a referral, as the client API shows them: the latest, as many as an answer has room for.
//!
//! What a case comes to takes all of its events; to show it takes the latest ones. The other side writes
//! half of them, and strangers may write some that do not count, each as long as the limits allow: with
//! all of them a list, or the case itself, would be larger than any client takes, and nobody could see it.
//! Invariants: the events in one answer have a bound in bytes, and the others are counted and can be asked
//! for; what strangers write takes no room from a step of the case.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    referral::{self, EventRef, Outcome, Referral, Why, codes},
    store::Store,
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, content::Content, referral_event::Transition},
};

use crate::engine::{Engine, Refused, delivery::Delivery};

/// Bytes of the events in the answer to one who asks for this referral alone; one that is larger, for a
/// note may be as long as a content, is there all the same.
const SHOWN_BYTES_MAX: usize = 1024 * 1024;

/// The same of one referral in a list. An ordinary case has some twenty events of 200 bytes.
const LISTED_BYTES_MAX: usize = 16 * 1024;

/// How much of a referral is told.
pub(in crate::engine) enum Depth {
    /// What lists show.
    Listed,
    /// All of it, by pages of its events.
    Shown {
        /// The person's case and the notes, too.
        with_content: bool,
        /// Only events before this one.
        before: Option<EventRef>,
    },
}

impl Depth {
    /// Whether the person's case and the notes are told.
    pub(super) fn with_content(&self) -> bool {
        match self {
            Self::Listed => false,
            Self::Shown { with_content, .. } => *with_content,
        }
    }
}

/// The events that one answer has room for.
pub(super) struct Events {
    /// In their order.
    pub(super) told: Vec<api::ReferralEventView>,
    /// How many more there are before them.
    pub(super) left: u32,
    /// How far this society's last step has come, told here or not.
    pub(super) delivery: api::Delivery,
}

/// The event that a request names; `None` where it names none.
pub(in crate::engine) fn events_before(text: &str) -> Result<Option<EventRef>, Refused> {
    let parse = |text: &str| {
        let (origin, index) = text.split_once(' ')?;
        Some(EventRef { origin: origin.parse().ok()?, index: index.parse().ok()? })
    };
    match text {
        "" => Ok(None),
        text => parse(text).map(Some).ok_or_else(|| {
            Refused::Invalid("events_before is no event: its ORIGIN, a blank, its INDEX".into())
        }),
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// The events of a referral, the latest that there is room for.
    pub(super) fn event_messages(
        &self,
        referral: &Referral,
        depth: &Depth,
        now_ms: u64,
    ) -> Result<Events, Refused> {
        let mut events = each_file_once(&referral.outcomes);
        // The latest come first into an answer, and what strangers write comes last of all.
        events.sort_by_key(|outcome| outcome.why != Some(Why::NotAParty));
        // A receipt for an erasure is no step of a person; of a file, its parts are told apart.
        let step = |outcome: &&&Outcome| {
            use referral::Kind::{Attached, Erased};
            !matches!(outcome.event.kind(), Some(Erased | Attached))
        };
        let mut steps = events.iter().rev().filter(step);
        let delivery =
            steps.find_map(|outcome| self.delivery(&outcome.event.at, &referral.outcomes));
        let room = match depth {
            Depth::Listed => LISTED_BYTES_MAX,
            Depth::Shown { before, .. } => {
                if let Some(before) = before {
                    let at = events.iter().position(|outcome| outcome.event.at == *before);
                    events.truncate(at.ok_or_else(|| {
                        Refused::Invalid("events_before is no event of this referral".into())
                    })?);
                }
                SHOWN_BYTES_MAX
            }
        };
        let mut witnessed = BTreeMap::new();
        let (mut told, mut bytes) = (Vec::new(), 0);
        for outcome in events.iter().rev() {
            let at = &outcome.event.at;
            let sizes = witnessed.entry(at.origin.clone()).or_insert_with_key(|origin| {
                let cosigned = self.store.cosigned(origin);
                cosigned.values().map(|head| head.size()).collect::<Vec<u64>>()
            });
            let witnesses = sizes.iter().filter(|size| **size > at.index).count();
            let mut event = self.event_message(outcome, depth.with_content(), witnesses, now_ms)?;
            let delivery = self.delivery(at, &referral.outcomes);
            event.delivery = delivery.map_or(api::Delivery::Unspecified, delivery_message) as i32;
            bytes += event.encoded_len();
            if bytes > room && !told.is_empty() {
                break;
            }
            told.push(event);
        }
        told.reverse();
        Ok(Events {
            left: u32::try_from(events.len() - told.len()).unwrap_or(u32::MAX),
            told,
            delivery: delivery.map_or(api::Delivery::Unspecified, delivery_message),
        })
    }

    fn event_message(
        &self,
        outcome: &referral::Outcome,
        with_content: bool,
        witnesses: usize,
        now_ms: u64,
    ) -> Result<api::ReferralEventView, Refused> {
        let event = &outcome.event;
        use referral::Kind::{Attached, Sent};
        let has_note = event.has_content && !matches!(event.kind(), Some(Sent | Attached));
        let note = if with_content && has_note {
            match self.open_content(&event.at, &event.event_id, now_ms)? {
                Some(Content::Note(note)) => note.text,
                Some(Content::Referral(_) | Content::Information(_) | Content::Attachment(_))
                | None => String::new(),
            }
        } else {
            String::new()
        };
        Ok(api::ReferralEventView {
            origin: event.at.origin.to_string(),
            index: event.at.index,
            society: event.society.to_string(),
            recorded_at_ms: event.recorded_at_ms,
            transition: event.kind().map_or("", referral::Kind::name).into(),
            code: code_of(event),
            effective: outcome.effective,
            explanation: outcome.why.as_ref().map(ToString::to_string).unwrap_or_default(),
            note,
            witnesses: u32::try_from(witnesses).unwrap_or(u32::MAX),
            content_state: self.content_state(event, now_ms)?.unwrap_or(api::BodyState::Unspecified)
                as i32,
            by: match event.society == self.identity.society {
                true => self.local.name_of(&event.actor).unwrap_or_default().into(),
                false => String::new(),
            },
            entries: erased_entries(event),
            event: Some(event.body.clone()),
            reason_of: whose_reason(event).into(),
            extent: event.extent().map_or("", codes::Code::name).into(),
            delivery: api::Delivery::Unspecified as i32,
        })
    }
}

/// Every event in its order, but of the parts of one file, which is one thing to a person, only the first.
fn each_file_once(outcomes: &[Outcome]) -> Vec<&Outcome> {
    let (mut files, mut told) = (BTreeSet::new(), Vec::with_capacity(outcomes.len()));
    for outcome in outcomes {
        if let Some(Transition::Attached(part)) = &outcome.event.body.transition
            && outcome.effective
            && !files.insert((outcome.event.society, part.attachment_id.as_slice()))
        {
            continue;
        }
        told.push(outcome);
    }
    told
}

fn delivery_message(delivery: Delivery) -> api::Delivery {
    match delivery {
        Delivery::Saved => api::Delivery::Saved,
        Delivery::WithRelay => api::Delivery::WithRelay,
        Delivery::OnTheirNode => api::Delivery::OnTheirNode,
        Delivery::Seen => api::Delivery::Seen,
    }
}

fn erased_entries(event: &referral::Event) -> Vec<String> {
    match &event.body.transition {
        Some(Transition::Erased(erased)) => {
            erased.entries.iter().map(|at| format!("{} {}", at.origin, at.index)).collect()
        }
        _ => Vec::new(),
    }
}

fn code_of(event: &referral::Event) -> String {
    let Some(transition) = &event.body.transition else { return String::new() };
    if let Transition::Onward(onward) = transition {
        return onward.receiver.clone();
    }
    if let Transition::EnteredInError(which) = transition {
        return hex::encode(&which.attachment);
    }
    named_code(transition).into()
}

/// Of a decline, whose reason it is.
fn whose_reason(event: &referral::Event) -> &'static str {
    match &event.body.transition {
        Some(Transition::Declined(declined)) => codes::known::<v1::DeclineCode>(declined.code)
            .and_then(codes::reason_of)
            .map_or("", codes::Reason::name),
        _ => "",
    }
}

fn named_code(transition: &Transition) -> &'static str {
    match transition {
        Transition::Declined(declined) => codes::name::<v1::DeclineCode>(declined.code),
        Transition::Withdrawn(withdrawn) => codes::name::<v1::WithdrawCode>(withdrawn.code),
        Transition::ServiceDelivered(delivered) => {
            codes::name::<v1::DeliveryResult>(delivered.result)
        }
        Transition::Closed(closed) => codes::name::<v1::Outcome>(closed.outcome),
        Transition::AppointmentMissed(missed) => codes::name::<v1::MissedCode>(missed.code),
        Transition::Paused(paused) => codes::name::<v1::PauseCode>(paused.code),
        Transition::FollowUp(found) => codes::name::<v1::FollowUpResult>(found.result),
        Transition::Cancelled(cancelled) => codes::name::<v1::CancelCode>(cancelled.code),
        Transition::Reopened(reopened) => codes::name::<v1::ReopenCode>(reopened.code),
        Transition::ConsentWithdrawn(withdrawn) => codes::name::<v1::ConsentGiver>(withdrawn.by),
        Transition::ErasureRequested(requested) => {
            codes::name::<v1::ErasureGround>(requested.ground)
        }
        Transition::Erased(erased) => codes::name::<v1::ErasureReason>(erased.reason),
        Transition::Attached(attached) => codes::name::<v1::AttachmentKind>(attached.kind),
        Transition::Sent(_)
        | Transition::Acknowledged(_)
        | Transition::InformationRequested(_)
        | Transition::InformationProvided(_)
        | Transition::Accepted(_)
        | Transition::Expired(_)
        | Transition::ServiceStarted(_)
        | Transition::AppointmentScheduled(_)
        | Transition::Resumed(_)
        | Transition::Onward(_)
        | Transition::HandoverProposed(_)
        | Transition::HandoverAccepted(_)
        | Transition::HandoverDeclined(_)
        | Transition::ConsentRenewed(_)
        | Transition::Corrected(_)
        | Transition::EnteredInError(_) => "",
    }
}
