//! Carrying: what stops one referral of a case also stops others of it.
//!
//! A society that has passed a case on is a party to both referrals, and the only one that is. What
//! stops the first it carries on to the second, always. What stops the second it carries back to the
//! first where it is the person's word for the whole case. So a word reaches everybody who has the
//! case, along a tree: each word goes over each link once, and never back to where it came from.
//! Invariant: what is still to be carried follows from the events of the two referrals alone.
//!
//! Source: `docs/protocol.md`, "Further on, and back".

use tutti_proto::v1::{self, ErasureGround, Extent, referral_event::Transition};

use super::{Command, Event, Outcome, Referral, Why, codes, transition};

impl Event {
    /// The event in another referral that this one carries on or back; empty where there is none.
    pub(crate) fn carried(&self) -> &[u8] {
        match &self.body.transition {
            Some(Transition::ConsentWithdrawn(withdrawn)) => &withdrawn.carried,
            Some(Transition::ErasureRequested(requested)) => &requested.carried,
            Some(Transition::EnteredInError(which)) => &which.carried,
            _ => &[],
        }
    }

    /// How far it goes, where it stops the referral on somebody's word.
    pub fn extent(&self) -> Option<Extent> {
        match &self.body.transition {
            Some(Transition::ConsentWithdrawn(withdrawn)) => {
                Some(extent_of_withdrawal(withdrawn.extent))
            }
            Some(Transition::ErasureRequested(requested)) => {
                Some(extent_of_request(requested.extent, requested.ground))
            }
            _ => None,
        }
    }
}

/// How far a withdrawal of consent goes: for the whole case, where it does not say that it is for
/// this referral alone. What the person is not known to have kept is taken back.
pub(super) fn extent_of_withdrawal(extent: i32) -> Extent {
    match extent == Extent::Referral as i32 {
        true => Extent::Referral,
        false => Extent::Case,
    }
}

/// The same of a request to erase. What an authority or a society asks of one holder says nothing of
/// the others.
pub fn extent_of_request(extent: i32, ground: i32) -> Extent {
    match is_the_persons(ground) && extent != Extent::Referral as i32 {
        true => Extent::Case,
        false => Extent::Referral,
    }
}

/// Whether a request to erase is the word of the person, or of whoever speaks for them.
pub(super) fn is_the_persons(ground: i32) -> bool {
    let grounds = [ErasureGround::Person, ErasureGround::Caregiver, ErasureGround::Guardian];
    grounds.iter().any(|own| *own as i32 == ground)
}

impl Referral {
    /// What is still to be written in `onward`, by which this one was passed on, since this one was
    /// stopped. `None` where nothing stopped it, where that came from there, or was carried.
    pub fn to_carry_on(&self, onward: &Self) -> Option<Command> {
        let (event, _) = self.stopped_by()?;
        if onward.has_word(event) {
            return None;
        }
        possible(onward, carrying(event)?)
    }

    /// Whether the word that `event` is, which stopped the referral before this one, stands here too: it
    /// was carried here, or came from here. That stays so when this one is taken up again.
    pub fn has_word(&self, event: &Event) -> bool {
        let mut own = self.outcomes.iter().map(|outcome| &outcome.event);
        own.any(|own| own.event_id[..] == *event.carried()) || self.carries(event)
    }

    /// What is still to be written in `first`, which this one passes on, since the person's word for
    /// the whole case stopped this one. Once for each such word, also for one that something else
    /// overtook here: that the person has said it stays true.
    pub fn to_carry_back(&self, first: &Self) -> Option<Command> {
        let words = self.words_for_the_case();
        let news = words.filter(|event| !first.carries_back(event));
        news.filter_map(carrying).find_map(|command| possible(first, command))
    }

    /// Whether the person's word for the whole case is to be carried from here to the referral that
    /// this one passes on.
    pub fn goes_back(&self) -> bool {
        !self.sent.onward_of.is_empty() && self.words_for_the_case().next().is_some()
    }

    /// Such words, but for those that the sender has carried here from there.
    fn words_for_the_case(&self) -> impl Iterator<Item = &Event> {
        let stands = |outcome: &&Outcome| {
            outcome.effective || matches!(outcome.why, Some(Why::Overtaken { .. }))
        };
        let events = self.outcomes.iter().filter(stands).map(|outcome| &outcome.event);
        events.filter(|event| {
            let came_from_there = event.society == self.sender && !event.carried().is_empty();
            event.extent() == Some(Extent::Case) && !came_from_there
        })
    }

    /// Whether an event of this referral carries on that one, which stopped the referral before it.
    pub fn carries(&self, event: &Event) -> bool {
        self.carried_by(self.sender, event)
    }

    /// Whether an event of this referral carries back that one, which stopped one that passes it on.
    pub fn carries_back(&self, event: &Event) -> bool {
        self.carried_by(self.receiver, event)
    }

    fn carried_by(&self, society: crate::society::Society, event: &Event) -> bool {
        let own = self.outcomes.iter().map(|outcome| &outcome.event);
        own.filter(|own| own.society == society).any(|own| *own.carried() == event.event_id[..])
    }
}

fn possible(there: &Referral, command: Command) -> Option<Command> {
    transition(Some(there.state), command.kind()).map(|_| command)
}

/// What carries that event to another referral. A code that nobody knows must not keep a person's
/// word from being carried, so it is left out.
fn carrying(event: &Event) -> Option<Command> {
    let carried = event.event_id.to_vec();
    let extent = event.extent().unwrap_or_default() as i32;
    match event.body.transition.clone()? {
        Transition::ConsentWithdrawn(v1::ConsentWithdrawn { by, form, .. }) => {
            let form = if codes::is_known::<v1::ConsentForm>(form) { form } else { 0 };
            let withdrawn = v1::ConsentWithdrawn { by, form, carried, extent };
            Some(Command::WithdrawConsent(withdrawn))
        }
        Transition::ErasureRequested(v1::ErasureRequested { ground, .. }) => {
            Some(Command::RequestErasure(v1::ErasureRequested { ground, carried, extent }))
        }
        Transition::EnteredInError(v1::EnteredInError { event: None, attachment, .. })
            if attachment.is_empty() =>
        {
            Some(Command::EnterInError(v1::EnteredInError { carried, ..Default::default() }))
        }
        _ => None,
    }
}
