//! What may be written, and what a write gives back.

use tutti_core::{
    information::{self, InformationId, Readers},
    referral::{self, ReferralId},
    society::{Origin, Society},
};
use tutti_proto::v1;

use crate::local::Actor;

/// Something to write, and who asks for it.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who.
    pub by: Actor,
    /// What.
    pub write: Write,
    /// The draft that was approved by a second person, where this needs one.
    pub draft: Option<[u8; 16]>,
}

impl Order {
    /// What the node writes by its own rules; nothing that a person asks for.
    pub fn by_node(write: Write) -> Self {
        Self { by: Actor::node(), write, draft: None }
    }
}

/// Something to write. The `key` is drawn by whoever asks; the same again writes nothing new.
#[derive(Debug, Clone)]
pub enum Write {
    /// Send a referral.
    Send {
        /// The idempotency key.
        key: [u8; 16],
        /// The record's part; `case_digest` and `information_disclosed` are set here.
        sent: Box<v1::Sent>,
        /// The content's part.
        content: Box<v1::ReferralContent>,
    },
    /// Take a referral a step on.
    Advance {
        /// The idempotency key.
        key: [u8; 16],
        /// Which referral.
        id: ReferralId,
        /// Which step.
        command: referral::Command,
        /// Free text for the other side, or nothing.
        note: String,
    },
    /// Add one part of a file to a referral.
    Attach {
        /// The event's id, which follows from the file and the part.
        key: [u8; 16],
        /// Which referral.
        id: ReferralId,
        /// Which part of which file.
        attached: v1::Attached,
        /// Its bytes.
        part: Box<v1::AttachmentPart>,
    },
    /// Pass a case on: refer the person to a third society, and say so in the first referral. Both
    /// are written, or nothing is.
    PassOn {
        /// The idempotency key.
        key: [u8; 16],
        /// The referral that is passed on.
        id: ReferralId,
        /// The third society.
        to: Society,
        /// What is sent; where it is not given, the first referral with the case as it is known.
        told: Option<Box<(v1::Sent, v1::ReferralContent)>>,
        /// Services that take the place of those asked for, if any; only where nothing is told.
        services: Vec<i32>,
        /// Names of fields to leave out; only where nothing is told.
        withhold: Vec<String>,
    },
    /// Publish an information share; where it takes the place of another, both say so, or nothing
    /// is written.
    Publish {
        /// The idempotency key.
        key: [u8; 16],
        /// Who may read it.
        readers: Readers,
        /// What it says.
        version: Box<v1::InformationVersion>,
        /// The share whose place it takes.
        supersedes: Option<InformationId>,
    },
    /// Do something else with a share, or say something of it.
    Inform {
        /// The idempotency key.
        key: [u8; 16],
        /// Which share.
        id: InformationId,
        /// What.
        command: information::Command,
        /// The number of the version that a response is about; 0: the newest.
        version: u32,
    },
}

impl Write {
    /// The idempotency key.
    pub fn key(&self) -> [u8; 16] {
        match self {
            Self::Send { key, .. }
            | Self::Advance { key, .. }
            | Self::PassOn { key, .. }
            | Self::Attach { key, .. }
            | Self::Publish { key, .. }
            | Self::Inform { key, .. } => *key,
        }
    }
}

impl Write {
    /// Whether this is what was written under the key before: a key that is used for something
    /// else must not be answered with a receipt for what was not done.
    pub(super) fn repeats(&self, event: &v1::record::Event) -> bool {
        use v1::{record::Event, referral_event::Transition};
        let referral = |event: &v1::ReferralEvent, id: &ReferralId, kind| {
            event.referral_id == id.as_bytes() && referral::Kind::of(event) == Some(kind)
        };
        let share = |event: &v1::InformationEvent, id: &InformationId, kind| {
            event.information_id == id.as_bytes() && information::Kind::of(event) == Some(kind)
        };
        match (self, event) {
            (Self::Send { sent, .. }, Event::Referral(event)) => matches!(
                &event.transition,
                Some(Transition::Sent(before)) if before.receiver == sent.receiver
            ),
            (Self::PassOn { id, to, .. }, Event::Referral(event)) => matches!(
                &event.transition,
                Some(Transition::Sent(before))
                    if before.receiver == to.as_str() && before.onward_of == id.as_bytes()
            ),
            (Self::Advance { id, command, .. }, Event::Referral(event)) => {
                referral(event, id, command.kind())
            }
            (Self::Attach { id, attached, .. }, Event::Referral(event)) => {
                event.referral_id == id.as_bytes()
                    && event.transition.as_ref() == Some(&Transition::Attached(attached.clone()))
            }
            (Self::Publish { .. }, Event::Information(event)) => {
                information::Kind::of(event) == Some(information::Kind::Published)
            }
            (Self::Inform { id, command, .. }, Event::Information(event)) => {
                share(event, id, command.kind())
            }
            (
                Self::Send { .. }
                | Self::Advance { .. }
                | Self::PassOn { .. }
                | Self::Attach { .. },
                Event::Information(_),
            )
            | (Self::Publish { .. } | Self::Inform { .. }, Event::Referral(_)) => false,
        }
    }
}

/// What a write gives back once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The referral or information share.
    pub id: [u8; 16],
    /// The own log.
    pub origin: Origin,
    /// The entry there.
    pub index: u64,
    /// Milliseconds since the Unix epoch.
    pub recorded_at_ms: u64,
}
