//! Who is waited for, since when, and until when: deadlines to acknowledge and to answer.
//!
//! Invariants: each follows from the events and the roster alone; *overdue* is derived and never written;
//! nothing but asking starts the time anew.
//!
//! Source: `docs/protocol.md`, "Who waits".

use tutti_proto::v1;

use super::{Brief, Kind, Referral, Side, State};
use crate::roster::DataProtection;

/// What may be due from whoever is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owed {
    /// To say that it has arrived.
    Acknowledgement,
    /// To say what becomes of it.
    Answer,
}

impl Owed {
    /// Both, the one that is due first before the other.
    pub const ALL: [Self; 2] = [Self::Acknowledgement, Self::Answer];
}

/// When each is due, milliseconds since the Unix epoch; `None` where it is not owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DueAt {
    /// That it has arrived; whoever answers has said so, too.
    pub acknowledgement_ms: Option<u64>,
    /// The answer.
    pub answer_ms: Option<u64>,
}

impl DueAt {
    fn new(state: State, since_ms: Option<u64>, priority: i32, deadlines: &DataProtection) -> Self {
        let due = |owed| {
            let hours = u64::from(hours(owed, priority, deadlines));
            Some(since_ms?.saturating_add(hours.saturating_mul(3_600_000)))
        };
        Self {
            acknowledgement_ms: due(Owed::Acknowledgement).filter(|_| state == State::Sent),
            answer_ms: due(Owed::Answer),
        }
    }

    /// When that is due.
    pub fn of(&self, owed: Owed) -> Option<u64> {
        match owed {
            Owed::Acknowledgement => self.acknowledgement_ms,
            Owed::Answer => self.answer_ms,
        }
    }

    /// Whether that was due before `now_ms`.
    pub fn is_overdue(&self, owed: Owed, now_ms: u64) -> bool {
        self.of(owed).is_some_and(|due_ms| due_ms < now_ms)
    }

    /// Whether anything was.
    pub fn any_overdue(&self, now_ms: u64) -> bool {
        Owed::ALL.into_iter().any(|owed| self.is_overdue(owed, now_ms))
    }
}

impl Referral {
    /// Who has to answer now, and since when (milliseconds since the Unix epoch, by the clock of
    /// the side that waits). `None` where nobody has to. Whatever the side that waits puts right, renews
    /// or takes back meanwhile, it has waited since it asked.
    pub fn waits_for(&self) -> Option<(Side, u64)> {
        let side = owes(self.state)?;
        let waiting = self.society(side.other());
        let mut asks = self.effective().filter(|event| event.kind().is_some_and(Kind::asks));
        let since = asks.rfind(|event| event.society == waiting)?;
        Some((side, since.recorded_at_ms))
    }

    /// When it is due that whoever is waited for acknowledges and answers.
    pub fn due_at(&self, deadlines: &DataProtection) -> DueAt {
        let since_ms = self.waits_for().map(|(_, since_ms)| since_ms);
        DueAt::new(self.state, since_ms, self.sent.priority, deadlines)
    }

    /// When an answer is due, milliseconds since the Unix epoch; `None` where none is.
    pub fn due_at_ms(&self, deadlines: &DataProtection) -> Option<u64> {
        self.due_at(deadlines).answer_ms
    }

    /// Whether an acknowledgement or an answer was due before `now_ms`. Derived, never written.
    pub fn overdue(&self, now_ms: u64, deadlines: &DataProtection) -> bool {
        self.due_at(deadlines).any_overdue(now_ms)
    }
}

impl Brief {
    /// When each is due, as [`Referral::due_at`] says.
    pub fn due_at(&self, deadlines: &DataProtection) -> DueAt {
        let since_ms = self.waits_for.map(|(_, since_ms)| since_ms);
        DueAt::new(self.state, since_ms, self.priority, deadlines)
    }

    /// Whether anything was due before `now_ms`, as [`Referral::overdue`] says.
    pub fn overdue(&self, now_ms: u64, deadlines: &DataProtection) -> bool {
        self.due_at(deadlines).any_overdue(now_ms)
    }
}

/// Who owes an answer in that state.
pub(crate) fn owes(state: State) -> Option<Side> {
    match state {
        State::Sent | State::Acknowledged => Some(Side::Receiver),
        State::InformationRequested => Some(Side::Sender),
        State::Accepted
        | State::InProgress
        | State::OnHold
        | State::Completed
        | State::Declined
        | State::Expired
        | State::Withdrawn
        | State::Cancelled
        | State::Closed
        | State::ConsentWithdrawn
        | State::ErasureRequested
        | State::EnteredInError => None,
    }
}

/// The hours that a referral of that priority leaves for it.
pub(crate) fn hours(owed: Owed, priority: i32, deadlines: &DataProtection) -> u32 {
    let [emergency, urgent, normal] = match owed {
        Owed::Acknowledgement => deadlines.hours_to_acknowledge(),
        Owed::Answer => deadlines.hours_to_answer(),
    };
    match v1::Priority::try_from(priority) {
        Ok(v1::Priority::Emergency) => emergency,
        Ok(v1::Priority::Urgent) => urgent,
        Ok(v1::Priority::Normal | v1::Priority::Unspecified) | Err(_) => normal,
    }
}
