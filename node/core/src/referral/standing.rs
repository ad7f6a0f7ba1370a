//! How the person's word on a referral stands now: what was said last, by which side, and whether a
//! person of the other side has gone on since.
//!
//! Derived, never written. A consent that one side renews holds at once between the two, on that side's word
//! alone, so it is shown whether anybody on the other side has seen it; nothing that it adds is passed on
//! before (ADR 12). A renewal that repeats word for word what the other side has recorded anew confirms it, and is
//! no news. Invariant: what the word is agrees with
//! [`Referral::consent`], which is what may be done.

use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Event, EventRef, Kind, Outcome, Referral, Why,
    check::{has_ended, holds},
};
use crate::society::Society;

/// What the person's word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing is on record; the referral rests on another basis.
    None,
    /// The person was asked, and has not answered.
    Requested,
    /// The person has not agreed; the referral rests on another basis.
    Refused,
    /// The person has agreed.
    Given,
    /// The person has agreed anew, to more or for longer.
    Renewed,
    /// The person has agreed anew after all that was said before, and the referral was reopened.
    GivenAnew,
    /// The person no longer agrees.
    Withdrawn,
    /// The person agreed up to a day that is past.
    Ended,
}

impl Word {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Requested,
        Self::Refused,
        Self::Given,
        Self::Renewed,
        Self::GivenAnew,
        Self::Withdrawn,
        Self::Ended,
    ];

    /// Its name, in `snake_case`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Requested => "requested",
            Self::Refused => "refused",
            Self::Given => "given",
            Self::Renewed => "renewed",
            Self::GivenAnew => "given_anew",
            Self::Withdrawn => "withdrawn",
            Self::Ended => "ended",
        }
    }
}

/// How the person's word stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'a> {
    /// What it is.
    pub word: Word,
    /// The last event that counts and says something of it; `None` only where nothing was sent.
    pub said_in: Option<&'a Event>,
    /// Where it was renewed or given anew: the other society, as long as no person there has written
    /// anything having seen that. Until then nothing is passed on by what the receiver's renewal adds.
    pub unseen_by: Option<Society>,
}

/// Whether a person of the other side has gone on with the event at `at`: has written something
/// having seen it. `outcomes` are those of its referral.
pub fn is_seen(outcomes: &[Outcome], at: &EventRef) -> bool {
    has_seen(outcomes.iter(), at)
}

/// The same where not all are looked at.
pub(crate) fn has_seen<'a>(mut outcomes: impl Iterator<Item = &'a Outcome>, at: &EventRef) -> bool {
    outcomes.any(|outcome| {
        if outcome.why == Some(Why::NotAParty) {
            return false;
        }
        let event = &outcome.event;
        let society = at.origin.society();
        let seen = event.body.seen.as_ref().and_then(EventRef::from_seen);
        event.society != society
            && event.is_by_a_person()
            && seen.is_some_and(|seen| seen.origin.society() == society && seen >= *at)
    })
}

impl Referral {
    /// How the person's word stands at `now_s`, seconds since the Unix epoch.
    pub fn standing(&self, now_s: u64) -> Standing<'_> {
        let mut said: Option<(&Event, Option<&v1::Consent>)> = None;
        for event in self.effective() {
            let consent = match &event.body.transition {
                Some(Transition::Sent(sent)) => sent.consent.as_ref(),
                Some(Transition::Reopened(reopened)) => reopened.consent.as_ref(),
                Some(Transition::ConsentWithdrawn(_)) => None,
                Some(Transition::ConsentRenewed(renewed)) => {
                    let confirms = |(before, held): &(&Event, Option<&v1::Consent>)| {
                        let anew = [Some(Kind::ConsentRenewed), Some(Kind::Reopened)];
                        anew.contains(&before.kind())
                            && before.society != event.society
                            && *held == renewed.consent.as_ref()
                    };
                    if said.as_ref().is_some_and(confirms) {
                        continue;
                    }
                    renewed.consent.as_ref()
                }
                _ => continue,
            };
            said = Some((event, consent));
        }
        let said_in = said.map(|(event, _)| event);
        let anew = match said_in.and_then(|event| event.body.transition.as_ref()) {
            Some(Transition::ConsentWithdrawn(_)) => {
                return Standing { word: Word::Withdrawn, said_in, unseen_by: None };
            }
            Some(Transition::ConsentRenewed(_)) => Some(Word::Renewed),
            Some(Transition::Reopened(_)) => Some(Word::GivenAnew),
            _ => None,
        };
        let unseen = said_in.filter(|event| anew.is_some() && !is_seen(&self.outcomes, &event.at));
        Standing {
            word: word(self.consent.as_ref(), anew, now_s),
            said_in,
            unseen_by: unseen
                .and_then(|event| self.side_of(event.society))
                .map(|side| self.society(side.other())),
        }
    }
}

/// What a consent on record is; `anew` where it was said after sending.
fn word(consent: Option<&v1::Consent>, anew: Option<Word>, now_s: u64) -> Word {
    let Some(consent) = consent else { return Word::None };
    if holds(Some(consent)) {
        return match anew {
            _ if has_ended(consent, now_s) => Word::Ended,
            Some(word) => word,
            None => Word::Given,
        };
    }
    use v1::ConsentStatus as S;
    match S::try_from(consent.status) {
        Ok(S::Requested) => Word::Requested,
        Ok(S::Refused) => Word::Refused,
        Ok(S::Withdrawn) => Word::Withdrawn,
        Ok(S::Expired) => Word::Ended,
        // It holds, above; or it says nothing that this version knows.
        Ok(S::Given | S::Renewed | S::Unspecified) | Err(_) => Word::None,
    }
}
