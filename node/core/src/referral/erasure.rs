//! What of a referral is to be erased, and who has confirmed that it did.
//!
//! The person's word (consent withdrawn, erasure requested), the sender's (the whole referral was
//! entered in error) or the end of the time to keep it make the *content* of its events due, also
//! where a record says that its content is empty: it need not be true. The
//! records stay: they say what happened, with no personal data. Each side's receipts are events of
//! its own; a receipt is a signed claim, no proof. Invariant: what is due by somebody's word is a
//! function of the events alone; only the end of the time depends on the clock that asks.
//!
//! Source: `docs/protocol.md`, "Erasure".

use std::collections::BTreeSet;

use tutti_proto::v1::{self, ErasureReason, referral_event::Transition};

use super::{
    Event, EventRef, Kind, Passed, Referral, ReferralId, Side,
    attachment::Source,
    evolve::{Stop, TakenBack},
};
use crate::{
    limits::{LIST_MAX, STRAY_CONTENT_DAYS},
    roster::DataProtection,
    society::Society,
};

/// What is to be erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Erasure {
    /// Why.
    pub reason: ErasureReason,
    /// On whose word; `None` where the time to keep it has passed.
    pub on: Option<Event>,
    /// Whether it is the case; else the case goes on, and it is files that were taken back, or what was
    /// there before it was reopened.
    pub of_case: bool,
    /// The entries whose content it is.
    pub entries: Vec<EventRef>,
    /// Those of them that a reopening which has not arrived may yet save.
    pub doubtful: Vec<EventRef>,
    /// What the sender and the receiver say of it.
    pub confirmations: [Confirmation; 2],
}

/// What one side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The side's society.
    pub society: Society,
    /// The entries that none of its receipts names, and those of its own that one names and of which
    /// nothing is known here: their contents may have come before their records.
    pub open: Vec<EventRef>,
    /// When it wrote its latest receipt, by its clock.
    pub at_ms: Option<u64>,
    /// What its latest receipt says of the referrals by which it has passed the case on: of all before it
    /// was stopped, and of those to which files went along that were taken back.
    pub onward: Vec<OnwardClaim>,
    /// What its latest receipt says of the referral that it has passed on by this one; `None` where
    /// no word for the whole case goes there from here.
    pub earlier: Option<EarlierClaim>,
}

/// What one side says of the referral that it has passed on by this one. To whom the case was sent
/// there, and by whom, it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EarlierClaim {
    /// It is stopped, too.
    pub stopped: bool,
    /// Both its sides have confirmed that they erased, and so has everybody before and beside it.
    pub confirmed: bool,
}

/// What one side says of a referral by which it has passed the case on to a third society.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnwardClaim {
    /// The third society.
    pub to: Society,
    /// The referral that was sent there.
    pub referral: ReferralId,
    /// It is stopped, too; where it is about files alone, they are taken back there, too.
    pub stopped: bool,
    /// Both its sides have confirmed that they erased, and so have those further on.
    pub confirmed: bool,
}

impl Confirmation {
    /// Whether the side has confirmed everything, also for those to whom it passed the case on.
    pub fn is_whole(&self) -> bool {
        self.open.is_empty() && self.onward.iter().all(|claim| claim.confirmed)
    }
}

impl Erasure {
    /// Whether both sides have confirmed everything, also for those to whom they passed it on.
    pub fn is_confirmed(&self) -> bool {
        self.confirmations.iter().all(Confirmation::is_whole)
    }

    /// Whether so has everybody whom the person's word reaches, also those before.
    pub fn is_confirmed_by_all(&self) -> bool {
        self.is_confirmed() && self.is_confirmed_before()
    }

    fn is_confirmed_before(&self) -> bool {
        self.confirmations.iter().all(|side| side.earlier.is_none_or(|earlier| earlier.confirmed))
    }

    /// The same without those who have the case by the referral `onward`: what is told to them.
    pub fn is_confirmed_but_for(&self, onward: &ReferralId) -> bool {
        let others = |side: &Confirmation| {
            let mut others = side.onward.iter().filter(|claim| claim.referral != *onward);
            side.open.is_empty() && others.all(|claim| claim.confirmed)
        };
        self.confirmations.iter().all(others) && self.is_confirmed_before()
    }

    /// What the side of that society has said so far of the referral that it passed on by this one.
    pub fn earlier(&self, society: Society) -> Option<EarlierClaim> {
        let own = self.confirmations.iter().find(|confirmation| confirmation.society == society);
        own.and_then(|confirmation| confirmation.earlier)
    }

    /// What the side of that society has said so far of those to whom it passed the case on.
    pub fn claims(&self, society: Society) -> &[OnwardClaim] {
        let own = self.confirmations.iter().find(|confirmation| confirmation.society == society);
        own.map_or(&[], |confirmation| &confirmation.onward)
    }

    /// What the side of that society has not confirmed yet.
    pub fn open(&self, society: Society) -> &[EventRef] {
        let own = self.confirmations.iter().find(|confirmation| confirmation.society == society);
        own.map_or(&[], |confirmation| &confirmation.open)
    }

    /// The receipt for these entries, with what is to be said of referrals further on and before.
    pub fn receipt(
        &self,
        entries: &[EventRef],
        onward: &[OnwardClaim],
        earlier: Option<EarlierClaim>,
    ) -> v1::Erased {
        let claim = |claim: &OnwardClaim| v1::OnwardErasure {
            referral_id: claim.referral.as_bytes().to_vec(),
            stopped: claim.stopped,
            confirmed: claim.confirmed,
        };
        v1::Erased {
            reason: self.reason as i32,
            on: self.on.as_ref().map(|event| event.at.to_seen()),
            entries: entries.iter().map(EventRef::to_seen).collect(),
            onward: onward.iter().take(LIST_MAX).map(claim).collect(),
            earlier: earlier.map(|EarlierClaim { stopped, confirmed }| v1::EarlierErasure {
                stopped,
                confirmed,
            }),
        }
    }
}

/// Until when a content may be kept that belongs to no case known here, milliseconds since the Unix
/// epoch: what sent the referral has not come, or its own record cannot be read. It is
/// [`STRAY_CONTENT_DAYS`] after the later of two times: `since_ms`, when it was first found so here, and
/// `recorded_at_ms`, when its author says it was written, unless that lies ahead of `now_ms`: whoever
/// writes down a time far off keeps nothing longer by it.
pub fn stray_until_ms(recorded_at_ms: u64, since_ms: u64, now_ms: u64) -> u64 {
    let written_ms = if recorded_at_ms <= now_ms { recorded_at_ms } else { 0 };
    since_ms.max(written_ms).saturating_add(STRAY_CONTENT_DAYS.saturating_mul(86_400_000))
}

impl Referral {
    /// Files that this society has taken back.
    pub fn taken_back_by(&self, society: Society) -> impl Iterator<Item = &[u8; 16]> {
        let own = self.taken_back.iter().filter(move |file| file.event.society == society);
        own.map(|file| &file.id)
    }

    /// Every file that was taken back, as a copy of it in another referral would name it.
    pub fn files_taken_back(&self) -> impl Iterator<Item = Source> {
        self.taken_back.iter().map(TakenBack::source)
    }

    /// The entries of all parts of files that were taken back.
    pub fn parts_taken_back(&self) -> impl Iterator<Item = &EventRef> {
        self.taken_back.iter().flat_map(|file| &file.due)
    }

    /// What stopped the referral last, and the referrals by which a side had passed it on before:
    /// the stop is to be carried there. `None` where nothing stopped it.
    pub fn stopped_by(&self) -> Option<(&Event, &[Passed])> {
        self.stop.as_ref().map(|stop| (&stop.event, stop.onward.as_slice()))
    }

    /// What is to be erased at `now_ms`; `None` where nothing is.
    pub fn erasure(&self, now_ms: u64, rules: &DataProtection) -> Option<Erasure> {
        self.erasure_where(self.retained_until_ms(rules) <= now_ms)
    }

    /// What is to be erased while the time to keep it lasts, or once it is `over`.
    pub(super) fn erasure_where(&self, over: bool) -> Option<Erasure> {
        let party = |event: &&Event| self.side_of(event.society).is_some() && event.holds_content();
        let held = || self.outcomes.iter().map(|outcome| &outcome.event).filter(party);
        let of_files = |mut entries: Vec<EventRef>| {
            for at in self.parts_taken_back() {
                if !entries.contains(at) {
                    entries.push(at.clone());
                }
            }
            entries
        };
        let stopped = self.stop.as_ref().map(|stop| (stop, of_files(stop.due.clone())));
        let (reason, on, entries, doubtful) = match stopped {
            Some((Stop { event, doubtful, .. }, due)) if !over || due.len() == held().count() => {
                let reason = match event.kind() {
                    Some(Kind::ConsentWithdrawn) => ErasureReason::ConsentWithdrawn,
                    Some(Kind::EnteredInError) => ErasureReason::EnteredInError,
                    _ => ErasureReason::ErasureRequested,
                };
                let mut doubtful = doubtful.clone();
                // No reopening saves a file that was taken back.
                doubtful.retain(|at| !self.parts_taken_back().any(|part| part == at));
                (reason, Some(event.clone()), due, doubtful)
            }
            _ if over => {
                let entries = held().map(|event| event.at.clone()).collect();
                (ErasureReason::Retention, None, entries, Vec::new())
            }
            _ => {
                let last = self.taken_back.last()?;
                let entries = of_files(Vec::new());
                (ErasureReason::EnteredInError, Some(last.event.clone()), entries, Vec::new())
            }
        };
        let of_case = over || self.state.is_stopped();
        let confirmations =
            [Side::Sender, Side::Receiver].map(|side| self.confirmation(side, &entries));
        Some(Erasure { reason, on, of_case, entries, doubtful, confirmations })
    }

    /// The same told apart: that of the case, where there is one, and that of each file that was taken
    /// back, in order. A content that is due by both belongs to what made it due first.
    pub fn erasures_apart(&self, now_ms: u64, rules: &DataProtection) -> Vec<Erasure> {
        let end_ms = self.retained_until_ms(rules);
        let Some(mut whole) = self.erasure_where(end_ms <= now_ms) else { return Vec::new() };
        let stop = self.stop.as_ref().filter(|stop| whole.on.as_ref() == Some(&stop.event));
        let since_ms = match (stop, &whole.on) {
            (Some(stop), _) => Some(stop.event.recorded_at_ms),
            (None, None) => Some(end_ms),
            (None, Some(_)) => None,
        };
        let of_case: BTreeSet<EventRef> = match (stop, since_ms) {
            (Some(stop), _) => stop.due.iter().cloned().collect(),
            (None, Some(_)) => whole.entries.iter().cloned().collect(),
            (None, None) => BTreeSet::new(),
        };
        let mut files = Vec::new();
        for file in &self.taken_back {
            let later = since_ms.is_some_and(|since_ms| since_ms < file.event.recorded_at_ms);
            let mut entries = file.due.clone();
            entries.retain(|at| !(later && of_case.contains(at)));
            if !entries.is_empty() {
                let reason = ErasureReason::EnteredInError;
                let confirmations = self.confirmations_of_file(&entries);
                let (on, doubtful) = (Some(file.event.clone()), Vec::new());
                files.push(Erasure {
                    reason,
                    on,
                    of_case: false,
                    entries,
                    doubtful,
                    confirmations,
                });
            }
        }
        if since_ms.is_none() {
            return files;
        }
        let of_files = |at: &EventRef| files.iter().any(|file| file.entries.contains(at));
        whole.entries.retain(|at| of_case.contains(at) && !of_files(at));
        whole.doubtful.retain(|at| whole.entries.contains(at));
        for confirmation in &mut whole.confirmations {
            confirmation.open.retain(|at| whole.entries.contains(at));
            confirmation.at_ms = self.confirmed_at_ms(confirmation.society, &whole.entries);
        }
        [whole].into_iter().chain(files).collect()
    }

    /// What the two sides say of the parts of one file. Where it went along further on, that referral tells.
    fn confirmations_of_file(&self, entries: &[EventRef]) -> [Confirmation; 2] {
        [Side::Sender, Side::Receiver].map(|side| {
            let mut told = self.confirmation(side, entries);
            told.open.retain(|at| entries.contains(at));
            let at_ms = self.confirmed_at_ms(self.society(side), entries);
            Confirmation { at_ms, onward: Vec::new(), earlier: None, ..told }
        })
    }

    /// When that society wrote its latest receipt that names one of these entries.
    fn confirmed_at_ms(&self, society: Society, entries: &[EventRef]) -> Option<u64> {
        let own = self.effective().filter(|event| event.society == society);
        let names = |event: &&Event| match &event.body.transition {
            Some(Transition::Erased(erased)) => {
                let mut named = erased.entries.iter().filter_map(EventRef::from_seen);
                named.any(|at| entries.contains(&at))
            }
            _ => false,
        };
        own.filter(names).map(|event| event.recorded_at_ms).next_back()
    }

    fn confirmation(&self, side: Side, entries: &[EventRef]) -> Confirmation {
        let society = self.society(side);
        let mut named = BTreeSet::new();
        let mut at_ms = None;
        let passed = self.stop.iter().flat_map(|stop| &stop.onward);
        let passed = passed.filter(|passed| passed.at.origin.society() == society);
        let mut onward: Vec<OnwardClaim> = passed
            .map(|Passed { to, referral, .. }| OnwardClaim {
                to: *to,
                referral: *referral,
                stopped: false,
                confirmed: false,
            })
            .collect();
        let passes_on = side == Side::Sender && self.stop.is_some() && self.goes_back();
        let mut earlier = passes_on.then(EarlierClaim::default);
        let stops = onward.len();
        let mut stopped = self.stop.is_none();
        for outcome in self.outcomes.iter().filter(|o| o.effective) {
            stopped |= self.stop.as_ref().is_some_and(|stop| stop.event.at == outcome.event.at);
            if outcome.event.society != society {
                continue;
            }
            if let Some(Transition::Erased(erased)) = &outcome.event.body.transition {
                named.extend(erased.entries.iter().filter_map(EventRef::from_seen));
                at_ms = Some(outcome.event.recorded_at_ms);
                if let (Some(earlier), Some(said), true) = (&mut earlier, erased.earlier, stopped) {
                    let v1::EarlierErasure { stopped, confirmed } = said;
                    *earlier = EarlierClaim { stopped, confirmed };
                }
                // A receipt from before says nothing of what stopped it last.
                for said in erased.onward.iter().filter(|_| stopped) {
                    let of = |claim: &&mut OnwardClaim| {
                        *claim.referral.as_bytes() == said.referral_id[..]
                    };
                    match onward.iter_mut().find(of) {
                        Some(claim) => {
                            (claim.stopped, claim.confirmed) = (said.stopped, said.confirmed);
                        }
                        None => onward.extend(self.passed_on_by(society, said)),
                    }
                }
            }
        }
        if let Some(of_files) = onward.get_mut(stops..) {
            of_files.sort_by_key(|claim| claim.referral);
        }
        let mut open: Vec<EventRef> =
            entries.iter().filter(|at| !named.contains(at)).cloned().collect();
        let known: BTreeSet<&EventRef> = self.outcomes.iter().map(|o| &o.event.at).collect();
        let is_ahead = |at: &EventRef| at.origin.society() == society && !known.contains(at);
        open.extend(named.into_iter().filter(is_ahead));
        Confirmation { society, open, at_ms, onward, earlier }
    }

    /// What a side says of a referral that nothing was to stop: that files which went along there were
    /// taken back. `None` where it has passed the case on by none such.
    fn passed_on_by(&self, society: Society, said: &v1::OnwardErasure) -> Option<OnwardClaim> {
        let own = self.outcomes.iter().map(|outcome| &outcome.event);
        let mut own = own.filter(|event| event.society == society);
        own.find_map(|event| match &event.body.transition {
            Some(Transition::Onward(onward)) if onward.referral_id == said.referral_id => {
                let referral = <[u8; 16]>::try_from(onward.referral_id.as_slice()).ok()?;
                Some(OnwardClaim {
                    to: onward.receiver.parse().ok()?,
                    referral: ReferralId::from_bytes(referral),
                    stopped: said.stopped,
                    confirmed: said.confirmed,
                })
            }
            _ => None,
        })
    }
}
