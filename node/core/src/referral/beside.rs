//! Referrals of one case beside each other: what the person's word for the whole case in one means for
//! the others that its sender has sent apart.
//!
//! A society may refer one case to several others, each time by a referral of its own. Each rests on what the
//! person agreed to there, and no node carries a word from one to the next, as it does along a chain in which a case
//! was passed on: whether they meant that one, too, only the person can say. But the sender knows that they are of
//! one case, and must not go on as if it had heard nothing. Invariant: it is a function of the events alone; no
//! receiver learns of another.
//!
//! Source: `docs/protocol.md`, "Further on, and back".

use tutti_proto::v1::{Extent, referral_event::Transition};

use super::{Kind, Referral, Why};
use crate::society::Society;

/// What of a referral the others of its case go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beside {
    /// The start of the digest of its case, where it was sent from here and has one.
    pub(super) case: Option<[u8; 8]>,
    /// As [`Referral::word_known_ms`] says, where it was sent from here.
    pub(super) word_ms: Option<u64>,
    /// As [`Referral::agreed_ms`] says.
    pub(super) agreed_ms: u64,
}

impl Beside {
    pub(super) fn of(referral: &Referral, own: Society) -> Self {
        let case = referral.sent.case_digest.first_chunk::<8>().copied();
        let case = case.filter(|_| referral.sender == own);
        let word_ms = case.and_then(|_| referral.word_known_ms(own));
        Self { case, word_ms, agreed_ms: referral.agreed_ms() }
    }
}

impl Referral {
    /// Since when `society` has known that the person's word for the whole case stands here, and nothing has taken
    /// this up again: when it wrote that word, or its first receipt behind it, by its own clock, milliseconds
    /// since the Unix epoch; `u64::MAX` before it has written either. `None` where no such word stands.
    fn word_known_ms(&self, society: Society) -> Option<u64> {
        let mut known_ms: Option<u64> = None;
        for outcome in &self.outcomes {
            let event = &outcome.event;
            // That the person has said it stays true where something else overtook it.
            let said = outcome.effective || matches!(outcome.why, Some(Why::Overtaken { .. }));
            let own = event.society == society;
            match event.kind() {
                Some(Kind::Reopened) if outcome.effective => known_ms = None,
                Some(_) if said && event.extent() == Some(Extent::Case) => {
                    known_ms = Some(match known_ms {
                        Some(before_ms) => before_ms.max(event.recorded_at_ms),
                        None if own => event.recorded_at_ms,
                        None => u64::MAX,
                    });
                }
                Some(Kind::Erased) if own && known_ms == Some(u64::MAX) => {
                    known_ms = Some(event.recorded_at_ms);
                }
                Some(_) | None => {}
            }
        }
        known_ms
    }

    /// When what the person agreed to here was recorded last: as it was sent, renewed, or given anew.
    /// Milliseconds since the Unix epoch, by the clock of whoever recorded it.
    fn agreed_ms(&self) -> u64 {
        let anew = self.effective().filter(|event| match &event.body.transition {
            Some(Transition::ConsentRenewed(_)) => true,
            Some(Transition::Reopened(reopened)) => reopened.consent.is_some(),
            _ => false,
        });
        anew.map(|event| event.recorded_at_ms).fold(self.sent_at_ms, u64::max)
    }
}
