//! Why the engine did not do what it was asked: one enum, mapped to a status in one place.

use tutti_core::{
    information,
    referral::{self, ReferralId},
    store::StoreError,
};

/// Each says what happened, what was kept and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// No such referral, share, log or entry here.
    #[error("{0}")]
    NotFound(String),
    /// The state of things does not allow it.
    #[error("{0}")]
    State(String),
    /// A second open referral of a case that whoever asks does not see: the first, which is for the
    /// alert on it alone. No text and no status names it.
    #[error(
        "a case of that code was referred to that society for that service already, and is open with a \
         colleague; nothing was sent. It is on record that you tried, and the data-protection focal \
         point is told which it is. Ask your focal point or a supervisor: they see all cases"
    )]
    OpenAtColleague(ReferralId),
    /// This society may not do that.
    #[error("{0}")]
    NotAllowed(String),
    /// The node signs nothing at present.
    #[error("{0}")]
    NotWriting(String),
    /// No room on the disk.
    #[error(
        "the disk is full; nothing was written and nothing was lost. Free some room and try again"
    )]
    Full,
    /// The node is stopping, or had to end.
    #[error("the node is stopping; nothing was written. Try again when it runs")]
    Stopping,
    /// A fault of the node's own.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::Full,
            StoreError::OutOfRange(index) => Self::NotFound(format!(
                "entry {index} is not in the log as it is held here. See `tutti log show`"
            )),
            StoreError::Erased => Self::State("the body was erased; it cannot be had again".into()),
            StoreError::Conflict { .. } | StoreError::Damaged { .. } | StoreError::Fatal(_) => {
                Self::Internal(format!("{error}. See the node's own log"))
            }
        }
    }
}

impl From<referral::Refusal> for Refused {
    fn from(refusal: referral::Refusal) -> Self {
        use referral::Refusal as R;
        let text = refusal.to_string();
        match refusal {
            R::Fields(_) => Self::Invalid(text),
            R::NotFound => Self::NotFound(text),
            R::AlreadySent
            | R::State { .. }
            | R::Duplicate { .. }
            | R::Handover(_)
            | R::NotDue
            | R::TimeIsOver { .. }
            | R::Consent(_)
            | R::Onward { .. }
            | R::Unasked
            | R::Unseen { .. }
            | R::TooMany => Self::State(text),
            R::NotAParty | R::WrongSide { .. } => Self::NotAllowed(text),
        }
    }
}

impl From<information::Refusal> for Refused {
    fn from(refusal: information::Refusal) -> Self {
        use information::Refusal as R;
        let text = refusal.to_string();
        match refusal {
            R::Fields(_) => Self::Invalid(text),
            R::NotFound => Self::NotFound(text),
            R::AlreadyPublished
            | R::Retracted
            | R::Superseded(_)
            | R::NoVersion { .. }
            | R::SaidBefore(_)
            | R::NothingToTakeBack
            | R::Narrower
            | R::TooMany => Self::State(text),
            R::NotTheAuthor(_) | R::OwnShare | R::NotAParty => Self::NotAllowed(text),
        }
    }
}
