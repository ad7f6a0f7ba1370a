//! Why a roster or a card is refused: each rule has its own answer.

use crate::{keys::KeyError, society::Society};

/// Which rule a roster, a draft of one, or a membership card breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// Above what is read.
    #[error("note is {0} bytes, more than is read")]
    Size(usize),
    /// Not a C2SP signed note.
    #[error("not a signed note")]
    Note,
    /// The first line is another.
    #[error("the first line is not {0}")]
    Kind(&'static str),
    /// Not JSON of that shape.
    #[error("its document is not of this version: {0}")]
    Document(String),
    /// Reading and writing give another text.
    #[error("its document is not in its one canonical form")]
    NotCanonical,
    /// A field has a value that it may not have.
    #[error("{place}: {problem}")]
    Field {
        /// Which field, and of which member.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Members do not stand in the order of their codes, or one stands there twice.
    #[error("members are not in the order of their codes, each once ({0})")]
    Order(Society),
    /// One key, one use.
    #[error("{first} and {second} are one key, and a key has one use")]
    KeyReused {
        /// Its first use.
        first: String,
        /// Its second use.
        second: String,
    },
    /// No number of members can meet it.
    #[error("threshold {threshold} is not between 1 and the {active} active members")]
    Threshold {
        /// What is asked for.
        threshold: u32,
        /// How many there are.
        active: usize,
    },
    /// A signature line is by no key that signs here.
    #[error("signature by {0} is by no root key of this roster or the one before")]
    Stranger(String),
    /// One key signed twice.
    #[error("{0} signed more than once")]
    SignedTwice(String),
    /// A signature does not verify.
    #[error("signature by {0} does not verify")]
    BadSignature(String),
    /// A founder has not signed version 1.
    #[error("founders have not signed: {}", list(.0))]
    FounderMissing(Vec<Society>),
    /// Not enough root keys of one roster signed.
    #[error("{signed} of the {threshold} root keys that version {version} asks for have signed")]
    TooFewSignatures {
        /// Whose keys and threshold.
        version: u64,
        /// How many of them signed.
        signed: usize,
        /// How many must.
        threshold: u32,
    },
    /// Not the version that comes next.
    #[error("roster has version {found} where {expected} comes next")]
    Version {
        /// What it has.
        found: u64,
        /// What it must have.
        expected: u64,
    },
    /// It follows another roster.
    #[error("roster does not name the hash of the version before")]
    Previous,
    /// It belongs to another federation.
    #[error("roster is of federation {found}, not {expected}")]
    Federation {
        /// What it names.
        found: String,
        /// What the version before named.
        expected: String,
    },
    /// A member of the version before is not there: whoever leaves stays listed as removed.
    #[error("member {0} is gone from the list; a member that leaves stays, as removed")]
    Dropped(Society),
    /// A log key changed without a new epoch, or the epoch went back.
    #[error("log key of {0} changed without a new, later epoch")]
    Epoch(Society),
    /// A chain of no rosters.
    #[error("no roster")]
    Empty,
    /// The key that is to sign is not one that signs here.
    #[error("key {0} is no member's root key")]
    NotARootKey(String),
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl RosterError {
    pub(super) fn field(place: impl Into<String>, problem: impl ToString) -> Self {
        Self::Field { place: place.into(), problem: problem.to_string() }
    }
}

fn list(societies: &[Society]) -> String {
    societies.iter().map(Society::as_str).collect::<Vec<_>>().join(", ")
}
