//! The states of a referral, the kinds of its events, and the one table that joins them.

use std::fmt;

use tutti_proto::v1::{self, referral_event::Transition};

use super::Side;

/// Where a referral stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Sent, not answered.
    Sent,
    /// The receiver has it.
    Acknowledged,
    /// The receiver needs to know more.
    InformationRequested,
    /// The receiver will help.
    Accepted,
    /// The receiver will not help, and has said why.
    Declined,
    /// The sender took it back before it was accepted.
    Withdrawn,
    /// The receiver has done what it could.
    Completed,
    /// The sender has closed the matter.
    Closed,
}

impl State {
    /// Every state, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Sent,
        Self::Acknowledged,
        Self::InformationRequested,
        Self::Accepted,
        Self::Declined,
        Self::Withdrawn,
        Self::Completed,
        Self::Closed,
    ];

    /// `sent`, `acknowledged`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::InformationRequested => "information_requested",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Completed => "completed",
            Self::Closed => "closed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether somebody is still to do something: a second referral of the same case for the same
    /// service to the same society is refused meanwhile.
    pub fn is_open(self) -> bool {
        match self {
            Self::Sent | Self::Acknowledged | Self::InformationRequested | Self::Accepted => true,
            Self::Declined | Self::Withdrawn | Self::Completed | Self::Closed => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The sender refers a person.
    Sent,
    /// The receiver has it.
    Acknowledged,
    /// The receiver asks.
    InformationRequested,
    /// The sender answers.
    InformationProvided,
    /// The receiver will help.
    Accepted,
    /// The receiver will not.
    Declined,
    /// The sender takes it back.
    Withdrawn,
    /// The receiver is done.
    Completed,
    /// The sender closes the matter.
    Closed,
}

impl Kind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Sent,
        Self::Acknowledged,
        Self::InformationRequested,
        Self::InformationProvided,
        Self::Accepted,
        Self::Declined,
        Self::Withdrawn,
        Self::Completed,
        Self::Closed,
    ];

    /// The kind of an event's body; `None` where it says nothing that this version knows.
    pub fn of(body: &v1::ReferralEvent) -> Option<Self> {
        Some(match body.transition.as_ref()? {
            Transition::Sent(_) => Self::Sent,
            Transition::Acknowledged(_) => Self::Acknowledged,
            Transition::InformationRequested(_) => Self::InformationRequested,
            Transition::InformationProvided(_) => Self::InformationProvided,
            Transition::Accepted(_) => Self::Accepted,
            Transition::Declined(_) => Self::Declined,
            Transition::Withdrawn(_) => Self::Withdrawn,
            Transition::Completed(_) => Self::Completed,
            Transition::Closed(_) => Self::Closed,
        })
    }

    /// `sent`, `acknowledged`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::InformationRequested => "information_requested",
            Self::InformationProvided => "information_provided",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Completed => "completed",
            Self::Closed => "closed",
        }
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
            Self::Withdrawn => "withdraw",
            Self::Completed => "complete",
            Self::Closed => "close",
        }
    }

    /// Who alone may do it.
    pub fn side(self) -> Side {
        match self {
            Self::Sent | Self::InformationProvided | Self::Withdrawn | Self::Closed => Side::Sender,
            Self::Acknowledged
            | Self::InformationRequested
            | Self::Accepted
            | Self::Declined
            | Self::Completed => Side::Receiver,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The table. `None` before the referral was sent; the answer is `None` where the event does not
/// lead anywhere from that state.
///
/// | event (by) | from | to |
/// |---|---|---|
/// | sent (sender) | nothing | sent |
/// | acknowledged (receiver) | sent | acknowledged |
/// | information_requested (receiver) | sent, acknowledged | information_requested |
/// | information_provided (sender) | information_requested | acknowledged |
/// | accepted (receiver) | sent, acknowledged | accepted |
/// | declined (receiver) | sent, acknowledged, information_requested | declined |
/// | withdrawn (sender) | sent, acknowledged, information_requested | withdrawn |
/// | completed (receiver) | accepted | completed |
/// | closed (sender) | completed, declined, withdrawn | closed |
pub fn transition(state: Option<State>, kind: Kind) -> Option<State> {
    use State as S;
    let Some(state) = state else {
        return match kind {
            Kind::Sent => Some(S::Sent),
            Kind::Acknowledged
            | Kind::InformationRequested
            | Kind::InformationProvided
            | Kind::Accepted
            | Kind::Declined
            | Kind::Withdrawn
            | Kind::Completed
            | Kind::Closed => None,
        };
    };
    match (state, kind) {
        (S::Sent, Kind::Acknowledged) | (S::InformationRequested, Kind::InformationProvided) => {
            Some(S::Acknowledged)
        }
        (S::Sent | S::Acknowledged, Kind::InformationRequested) => Some(S::InformationRequested),
        (S::Sent | S::Acknowledged, Kind::Accepted) => Some(S::Accepted),
        (S::Sent | S::Acknowledged | S::InformationRequested, Kind::Declined) => Some(S::Declined),
        (S::Sent | S::Acknowledged | S::InformationRequested, Kind::Withdrawn) => {
            Some(S::Withdrawn)
        }
        (S::Accepted, Kind::Completed) => Some(S::Completed),
        (S::Completed | S::Declined | S::Withdrawn, Kind::Closed) => Some(S::Closed),

        (S::Sent, Kind::Sent | Kind::InformationProvided | Kind::Completed | Kind::Closed)
        | (
            S::Acknowledged,
            Kind::Sent
            | Kind::Acknowledged
            | Kind::InformationProvided
            | Kind::Completed
            | Kind::Closed,
        )
        | (
            S::InformationRequested,
            Kind::Sent
            | Kind::Acknowledged
            | Kind::InformationRequested
            | Kind::Accepted
            | Kind::Completed
            | Kind::Closed,
        )
        | (
            S::Accepted,
            Kind::Sent
            | Kind::Acknowledged
            | Kind::InformationRequested
            | Kind::InformationProvided
            | Kind::Accepted
            | Kind::Declined
            | Kind::Withdrawn
            | Kind::Closed,
        )
        | (
            S::Declined | S::Withdrawn | S::Completed,
            Kind::Sent
            | Kind::Acknowledged
            | Kind::InformationRequested
            | Kind::InformationProvided
            | Kind::Accepted
            | Kind::Declined
            | Kind::Withdrawn
            | Kind::Completed,
        )
        | (
            S::Closed,
            Kind::Sent
            | Kind::Acknowledged
            | Kind::InformationRequested
            | Kind::InformationProvided
            | Kind::Accepted
            | Kind::Declined
            | Kind::Withdrawn
            | Kind::Completed
            | Kind::Closed,
        ) => None,
    }
}
