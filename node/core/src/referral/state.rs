//! The states of a referral, the kinds of its events, and the one table that joins them.

use std::fmt;

use tutti_proto::v1::{self, referral_event::Transition};

use super::{Side, table::row};

macro_rules! named {
    ($(#[$doc:meta])* $list:ident { $($(#[$item_doc:meta])* $item:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $list {
            $($(#[$item_doc])* $item,)+
        }

        impl $list {
            /// Every one, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// Its name, in `snake_case`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$item => $name,)+
                }
            }

            /// The one of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.name() == name)
            }
        }

        impl fmt::Display for $list {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// Where a referral stands.
    State {
        /// Sent, not answered.
        Sent = "sent",
        /// The receiver has it.
        Acknowledged = "acknowledged",
        /// The receiver needs to know more.
        InformationRequested = "information_requested",
        /// The receiver will help.
        Accepted = "accepted",
        /// The receiver is helping.
        InProgress = "in_progress",
        /// The help rests.
        OnHold = "on_hold",
        /// The receiver has done what it could.
        Completed = "completed",
        /// The receiver will not help, and has said why.
        Declined = "declined",
        /// Nobody answered in time.
        Expired = "expired",
        /// The sender took it back before it was accepted.
        Withdrawn = "withdrawn",
        /// One of the two ended it after it was accepted.
        Cancelled = "cancelled",
        /// The sender has closed the matter.
        Closed = "closed",
        /// The person no longer agrees: nothing goes on, and the content is erased.
        ConsentWithdrawn = "consent_withdrawn",
        /// The data are to be erased: nothing goes on.
        ErasureRequested = "erasure_requested",
        /// It should never have been sent: nothing goes on, and the content is erased.
        EnteredInError = "entered_in_error",
    }
}

impl State {
    /// Whether somebody is still to do something: a second referral of the same case for the same
    /// service to the same society is refused meanwhile.
    pub fn is_open(self) -> bool {
        match self {
            Self::Sent
            | Self::Acknowledged
            | Self::InformationRequested
            | Self::Accepted
            | Self::InProgress
            | Self::OnHold => true,
            Self::Completed
            | Self::Declined
            | Self::Expired
            | Self::Withdrawn
            | Self::Cancelled
            | Self::Closed
            | Self::ConsentWithdrawn
            | Self::ErasureRequested
            | Self::EnteredInError => false,
        }
    }

    /// Whether nothing may be disclosed and all content is to be erased.
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::ConsentWithdrawn | Self::ErasureRequested | Self::EnteredInError)
    }
}

named! {
    /// What an event does.
    Kind {
        /// The sender refers a person.
        Sent = "sent",
        /// The receiver has it.
        Acknowledged = "acknowledged",
        /// The receiver asks.
        InformationRequested = "information_requested",
        /// The sender answers.
        InformationProvided = "information_provided",
        /// The receiver will help.
        Accepted = "accepted",
        /// The receiver will not.
        Declined = "declined",
        /// The sender waits no longer: nobody answered in time.
        Expired = "expired",
        /// The sender takes it back.
        Withdrawn = "withdrawn",
        /// The receiver begins to help.
        ServiceStarted = "service_started",
        /// The receiver and the person will meet.
        AppointmentScheduled = "appointment_scheduled",
        /// They did not.
        AppointmentMissed = "appointment_missed",
        /// The help rests.
        Paused = "paused",
        /// It goes on.
        Resumed = "resumed",
        /// The receiver is done.
        ServiceDelivered = "service_delivered",
        /// Somebody asked how the person is.
        FollowUp = "follow_up",
        /// The sender closes the matter.
        Closed = "closed",
        /// Help that was promised ends.
        Cancelled = "cancelled",
        /// The sender takes up again what had ended, with fresh consent.
        Reopened = "reopened",
        /// The receiver has referred the person to a third society.
        Onward = "onward",
        /// The sender would give the case itself into the receiver's hands.
        HandoverProposed = "handover_proposed",
        /// The receiver takes it.
        HandoverAccepted = "handover_accepted",
        /// The receiver does not.
        HandoverDeclined = "handover_declined",
        /// The person no longer agrees.
        ConsentWithdrawn = "consent_withdrawn",
        /// The person has agreed anew, to more or for longer.
        ConsentRenewed = "consent_renewed",
        /// What an own event said is put right.
        Corrected = "corrected",
        /// An own event should never have been written.
        StepEnteredInError = "step_entered_in_error",
        /// An own file should never have been added: all of its parts.
        FileEnteredInError = "file_entered_in_error",
        /// The whole referral should never have been sent.
        EnteredInError = "entered_in_error",
        /// The data are to be erased.
        ErasureRequested = "erasure_requested",
        /// A receipt: its author holds the content no more.
        Erased = "erased",
        /// One part of a file goes with the case.
        Attached = "attached",
    }
}

/// Who may write an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The sender alone.
    Sender,
    /// The receiver alone.
    Receiver,
    /// Either.
    Both,
}

impl By {
    /// Whether that side may.
    pub fn may(self, side: Side) -> bool {
        match self {
            Self::Sender => side == Side::Sender,
            Self::Receiver => side == Side::Receiver,
            Self::Both => true,
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::Both => "both",
        }
    }
}

impl Kind {
    /// The kind of an event's body; `None` where it says nothing that this version knows.
    pub fn of(body: &v1::ReferralEvent) -> Option<Self> {
        Some(match body.transition.as_ref()? {
            Transition::Sent(_) => Self::Sent,
            Transition::Acknowledged(_) => Self::Acknowledged,
            Transition::InformationRequested(_) => Self::InformationRequested,
            Transition::InformationProvided(_) => Self::InformationProvided,
            Transition::Accepted(_) => Self::Accepted,
            Transition::Declined(_) => Self::Declined,
            Transition::Expired(_) => Self::Expired,
            Transition::Withdrawn(_) => Self::Withdrawn,
            Transition::ServiceStarted(_) => Self::ServiceStarted,
            Transition::AppointmentScheduled(_) => Self::AppointmentScheduled,
            Transition::AppointmentMissed(_) => Self::AppointmentMissed,
            Transition::Paused(_) => Self::Paused,
            Transition::Resumed(_) => Self::Resumed,
            Transition::ServiceDelivered(_) => Self::ServiceDelivered,
            Transition::FollowUp(_) => Self::FollowUp,
            Transition::Closed(_) => Self::Closed,
            Transition::Cancelled(_) => Self::Cancelled,
            Transition::Reopened(_) => Self::Reopened,
            Transition::Onward(_) => Self::Onward,
            Transition::HandoverProposed(_) => Self::HandoverProposed,
            Transition::HandoverAccepted(_) => Self::HandoverAccepted,
            Transition::HandoverDeclined(_) => Self::HandoverDeclined,
            Transition::ConsentWithdrawn(_) => Self::ConsentWithdrawn,
            Transition::ConsentRenewed(_) => Self::ConsentRenewed,
            Transition::Corrected(_) => Self::Corrected,
            Transition::EnteredInError(which) if which.event.is_some() => Self::StepEnteredInError,
            Transition::EnteredInError(which) if !which.attachment.is_empty() => {
                Self::FileEnteredInError
            }
            Transition::EnteredInError(_) => Self::EnteredInError,
            Transition::ErasureRequested(_) => Self::ErasureRequested,
            Transition::Erased(_) => Self::Erased,
            Transition::Attached(_) => Self::Attached,
        })
    }

    /// Who may write it.
    pub fn by(self) -> By {
        row(self).0
    }

    /// What a person does to write it, as the command is called: `acknowledge`, …
    pub fn command(self) -> &'static str {
        match self {
            Self::Sent => "send",
            Self::Acknowledged => "acknowledge",
            Self::InformationRequested => "request-information",
            Self::InformationProvided => "provide-information",
            Self::Accepted => "accept",
            Self::Declined => "decline",
            Self::Expired => "expire",
            Self::Withdrawn => "withdraw",
            Self::ServiceStarted => "start",
            Self::AppointmentScheduled => "schedule",
            Self::AppointmentMissed => "missed",
            Self::Paused => "pause",
            Self::Resumed => "resume",
            Self::ServiceDelivered => "deliver",
            Self::FollowUp => "follow-up",
            Self::Closed => "close",
            Self::Cancelled => "cancel",
            Self::Reopened => "reopen",
            Self::Onward => "onward",
            Self::HandoverProposed => "handover propose",
            Self::HandoverAccepted => "handover accept",
            Self::HandoverDeclined => "handover decline",
            Self::ConsentWithdrawn => "withdraw-consent",
            Self::ConsentRenewed => "renew-consent",
            Self::Corrected => "correct",
            Self::StepEnteredInError | Self::FileEnteredInError | Self::EnteredInError => {
                "entered-in-error"
            }
            Self::ErasureRequested => "request-erasure",
            Self::Erased => "confirm-erasure",
            Self::Attached => "attach",
        }
    }

    /// Whether it stops the referral: nothing is disclosed after it, and all content is erased.
    pub fn stops(self) -> bool {
        matches!(self, Self::ConsentWithdrawn | Self::ErasureRequested | Self::EnteredInError)
    }

    /// Whether it belongs to stopping, taking files back and erasing: there is always room for it, and
    /// nothing is said beside it.
    pub fn ends(self) -> bool {
        self.stops() || matches!(self, Self::FileEnteredInError | Self::Erased)
    }

    /// Whether it asks the other side for an answer, so that the time to answer runs from it. Nothing else
    /// that the side which waits writes gives the other one more time: it would hide that it is late.
    pub fn asks(self) -> bool {
        matches!(
            self,
            Self::Sent | Self::InformationRequested | Self::InformationProvided | Self::Reopened
        )
    }

    /// Whether its author may take it back as entered in error. What has left the house, what a
    /// person has said about consent, and receipts stay.
    pub fn is_voidable(self) -> bool {
        match self {
            Self::Acknowledged
            | Self::InformationRequested
            | Self::Accepted
            | Self::Declined
            | Self::Expired
            | Self::Withdrawn
            | Self::ServiceStarted
            | Self::AppointmentScheduled
            | Self::AppointmentMissed
            | Self::Paused
            | Self::Resumed
            | Self::ServiceDelivered
            | Self::FollowUp
            | Self::Closed
            | Self::Cancelled
            | Self::HandoverProposed
            | Self::HandoverAccepted
            | Self::HandoverDeclined => true,
            Self::Sent
            | Self::InformationProvided
            | Self::Reopened
            | Self::Onward
            | Self::ConsentWithdrawn
            | Self::ConsentRenewed
            | Self::Corrected
            | Self::StepEnteredInError
            | Self::FileEnteredInError
            | Self::EnteredInError
            | Self::ErasureRequested
            | Self::Erased
            | Self::Attached => false,
        }
    }
}

/// Whose the case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Case {
    /// The sender's.
    #[default]
    Senders,
    /// The sender's, who has proposed to hand it over.
    Proposed,
    /// The receiver's.
    Receivers,
}

/// Whose the case is after an event; `None` where the event does not fit.
///
/// | event | from | to |
/// |---|---|---|
/// | handover_proposed | the sender's | proposed |
/// | handover_accepted | proposed | the receiver's |
/// | handover_declined | proposed | the sender's |
/// | any other | any | the same |
pub fn handover(case: Case, kind: Kind) -> Option<Case> {
    match (case, kind) {
        (Case::Senders, Kind::HandoverProposed) => Some(Case::Proposed),
        (Case::Proposed, Kind::HandoverAccepted) => Some(Case::Receivers),
        (Case::Proposed, Kind::HandoverDeclined) => Some(Case::Senders),
        (
            Case::Senders | Case::Proposed | Case::Receivers,
            Kind::HandoverProposed | Kind::HandoverAccepted | Kind::HandoverDeclined,
        ) => None,
        (case, _) => Some(case),
    }
}
