//! Erasing: the content of what must go, at once and for good, and the receipts for it.
//!
//! What is to be erased follows from the events alone ([`referral::Erasure`]), so that a crash, a
//! restore or an absence changes nothing: at the start, after each event and as time passes the
//! same is found due, and done before anything is shown. The store makes each erasure durable in
//! its own order; the receipt is written after it. Invariants: nothing that is due is wanted, taken or
//! opened any more; a receipt names only what is not held, and none is written while a draft that was sent
//! as this case, or a file on its way into it, lies here. A body belongs to one entry alone, so that nobody
//! loses another by it.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use tutti_core::{
    body::Part,
    limits::LIST_MAX,
    referral::{Brief, Command, Erasure, EventRef, Referral, ReferralId, Why},
    store::{BodyState, Store, StoreError},
};

use super::{Engine, Write, project::Subject};
use crate::local::Actor;

/// How often it is looked whether the time to keep a content has passed, and after how long a
/// receipt that could not be written is tried again, milliseconds.
const LOOK_MS: u64 = 60_000;

/// After how long what failed is tried again, milliseconds.
const RETRY_MS: u64 = 1000;

/// Receipts that are written at one time.
const RECEIPTS_MAX: usize = 64;

/// What is still to be done.
#[derive(Debug, Default)]
pub(super) struct Erasing {
    /// Not before everything that is held was read: the first half of a story may tell otherwise.
    ready: bool,
    /// Referrals for which a receipt is owed, or for which erasing failed.
    owed: BTreeSet<ReferralId>,
    /// Contents that nobody keeps, and that go with no case, where erasing failed.
    kept: BTreeSet<EventRef>,
    look_at_ms: u64,
    retry_at_ms: u64,
    /// Referrals that were stopped, where the case may have been passed on.
    pub(super) carry: BTreeSet<ReferralId>,
    pub(super) carry_at_ms: u64,
}

impl Erasing {
    /// Notes that a receipt may be owed.
    pub(super) fn owe(&mut self, id: ReferralId) {
        self.owed.insert(id);
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// At the start, when everything that is held was read.
    pub(super) fn begin_erasing(&mut self, now_ms: u64) {
        self.erasing.ready = true;
        self.look_for_erasures(true, now_ms);
        // Only what was stopped, or passes on another, has anything to be carried.
        let may = |brief: &Brief| brief.is_onward || brief.was_stopped();
        let all: Vec<ReferralId> =
            self.referrals.iter().filter(|(_, brief)| may(brief)).map(|(id, _)| *id).collect();
        all.iter().for_each(|id| self.note_onward(id));
        self.carry_stops(now_ms);
    }

    /// What an event has made due.
    pub(super) fn event_may_erase(&mut self, id: &ReferralId, now_ms: u64) {
        // Time passes for all that is held, not for what has come so far.
        if self.erasing.ready {
            self.erase_due(id, 0, now_ms);
            self.note_onward(id);
        }
    }

    /// As time passes: contents whose time is over, and receipts that are owed.
    pub(super) fn go_on_erasing(&mut self, now_ms: u64) {
        self.carry_stops(now_ms);
        self.discard_old_uploads(now_ms);
        let steady_ms = self.now.steady_ms;
        if steady_ms >= self.erasing.look_at_ms {
            self.discard_old_drafts(now_ms);
            self.look_for_erasures(false, now_ms);
        }
        if steady_ms >= self.erasing.retry_at_ms {
            for at in self.erasing.kept.clone() {
                self.discard_content(&at, now_ms);
            }
            if !self.erasing.owed.is_empty() {
                self.confirm_erasures(now_ms);
            }
        }
    }

    /// What a receipt confirms is looked at again at the start: a backup may have brought it back.
    fn look_for_erasures(&mut self, also_confirmed: bool, now_ms: u64) {
        self.erasing.look_at_ms = self.now.steady_ms.saturating_add(LOOK_MS);
        let rules = self.roster.data_protection();
        let due: Vec<ReferralId> = self
            .referrals
            .iter()
            .filter(|(id, brief)| {
                let news = || {
                    let case = self.case(id);
                    case.is_some_and(|case| {
                        let erasure = case.erasure(now_ms, rules);
                        erasure.is_some_and(|erasure| self.has_news(&case, &erasure, now_ms))
                    })
                };
                brief
                    .erasure(now_ms, rules)
                    .is_some_and(|due| also_confirmed || due.own_open || due.has_others && news())
            })
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.erase_due(&id, now_ms, now_ms);
        }
    }

    /// What of a referral is to be erased at `at_ms` (0: whatever the time), as far as it is known
    /// for certain.
    fn due(&self, referral: &Referral, at_ms: u64) -> Option<(Erasure, Vec<EventRef>)> {
        let erasure = referral.erasure(at_ms, self.roster.data_protection())?;
        let settled = self.is_settled(referral);
        let certain = |at: &&EventRef| settled || !erasure.doubtful.contains(at);
        let entries = erasure.entries.iter().filter(certain).cloned().collect();
        Some((erasure, entries))
    }

    /// Whether all that the two sides have written and this node holds was read.
    pub(super) fn is_settled(&self, referral: &Referral) -> bool {
        let parties = [referral.sender, referral.receiver];
        let mut logs = self.store.logs().into_iter();
        !self.projector.wants_records_of(&parties)
            && logs.all(|origin| {
                !parties.contains(&origin.society())
                    || self.projector.cursor(&origin) == self.store.tree(&origin).size()
            })
    }

    /// Whether the content of an entry is to be erased, or was.
    pub(super) fn is_due(&self, at: &EventRef, now_ms: u64) -> bool {
        let Some(Subject::Referral(id)) = self.projector.subject(at) else { return false };
        let Some(brief) = self.referrals.get(id) else { return false };
        let is_one_of_many = brief.is_onward || brief.is_passed_on;
        if brief.erasure(now_ms, self.roster.data_protection()).is_none() && !is_one_of_many {
            return false;
        }
        let Some(referral) = self.case(id) else { return false };
        let due = self.due(&referral, now_ms).is_some_and(|(_, entries)| entries.contains(at));
        due || self.is_stopped_elsewhere(&referral) || self.is_recalled(&referral, at)
    }

    /// Whether something else is known of other referrals of the case than was said last.
    fn has_news(&self, referral: &Referral, erasure: &Erasure, now_ms: u64) -> bool {
        let own = self.identity.society;
        erasure.claims(own) != self.claims(referral, erasure, now_ms)
            || erasure.earlier(own) != self.earlier(referral, now_ms)
    }

    fn erase_due(&mut self, id: &ReferralId, at_ms: u64, now_ms: u64) {
        let rules = self.roster.data_protection();
        if self.referrals.get(id).is_none_or(|brief| brief.erasure(at_ms, rules).is_none()) {
            return;
        }
        let Some(referral) = self.case(id) else { return };
        let Some((erasure, entries)) = self.due(&referral, at_ms) else { return };
        let own = self.identity.society;
        let owed = !erasure.open(own).is_empty() || self.has_news(&referral, &erasure, now_ms);
        match erasure.of_case {
            true => {
                self.discard_uploads_of(id);
                self.discard_drafts_of(id, now_ms);
            }
            false => {
                let files: Vec<[u8; 16]> = referral.taken_back_by(own).copied().collect();
                self.discard_uploads_named(&files);
            }
        }
        self.discard_copies(&referral);
        let kept = self.keeps_beside(&referral, &erasure);
        if self.erase_entries(id, &entries, now_ms) && (owed || kept) {
            self.erasing.owed.insert(*id);
        }
    }

    /// Erases what lies in the local folder of cases that are to be erased, confirmed or not: a crash may have
    /// come in between, or a backup have brought it back.
    pub(super) fn erase_local(&mut self, now_ms: u64) {
        for id in self.referrals_kept_for() {
            self.erase_due(&id, now_ms, now_ms);
        }
    }

    /// Whether something is here still that was under way into it, or that it was sent from, and is to go: a
    /// disk did not let it be erased.
    fn keeps_beside(&self, referral: &Referral, erasure: &Erasure) -> bool {
        let mut taken_back = referral.taken_back_by(self.identity.society);
        match erasure.of_case {
            true => self.local.has_uploads_of(&referral.id) || self.keeps_drafts_of(&referral.id),
            false => taken_back.any(|id| self.local.upload(id).is_some()),
        }
    }

    /// Erases what of a referral's contents is here; says whether the node can go on.
    pub(super) fn erase_entries(
        &mut self,
        id: &ReferralId,
        entries: &[EventRef],
        now_ms: u64,
    ) -> bool {
        let mut erased = 0;
        for at in entries {
            match self.erase_content(at, now_ms) {
                Ok(done) => erased += usize::from(done),
                Err(StoreError::Fatal(error)) => {
                    self.fatal = Some(format!("erasing failed: {error}"));
                    return false;
                }
                Err(error) => {
                    tracing::error!(%at, %error, "a content was not erased; it will be tried again")
                }
            }
        }
        if erased > 0 {
            tracing::info!(referral = %id, erased, "contents erased");
            self.changed(now_ms, "referral", id.to_string(), "content_erased");
        }
        true
    }

    /// A content has not come, and its time is over. At the start, when not all was read that is
    /// held, that is not certain yet.
    pub(super) fn never_take(&mut self, at: &EventRef, now_ms: u64) {
        if !self.erasing.ready {
            return;
        }
        match self.erase_content(at, now_ms) {
            Ok(_) => {}
            Err(StoreError::Fatal(error)) => self.fatal = Some(format!("erasing failed: {error}")),
            // It is tried again as time passes, and no receipt names it before.
            Err(error) => tracing::warn!(%at, %error, "a content was not marked as erased"),
        }
    }

    /// Erases the content beside an event for which nobody keeps one. What is still to come is waited
    /// for like all others, and its author gives it out until it has arrived: so nobody in between
    /// learns from it that a case ends.
    pub(super) fn discard_silent(&mut self, at: &EventRef, now_ms: u64) {
        let here = match at.origin == self.identity.origin {
            true => self.has_arrived(at),
            false => self.content_state_at(at) == Some(BodyState::Present),
        };
        if here {
            self.discard_content(at, now_ms);
        }
    }

    /// Erases what societies have written of a referral that are no party to it: no case of theirs
    /// would ever take it along.
    pub(super) fn discard_strangers(&mut self, id: &ReferralId, now_ms: u64) {
        let told = self.told_case(id);
        let strangers =
            told.outcomes().iter().filter(|outcome| outcome.why == Some(Why::NotAParty));
        for outcome in strangers.filter(|outcome| outcome.event.commits_content) {
            self.discard_content(&outcome.event.at, now_ms);
        }
    }

    /// Erases the content of an event that goes with no case.
    pub(super) fn discard_content(&mut self, at: &EventRef, now_ms: u64) {
        match self.erase_content(at, now_ms) {
            Ok(_) => {
                self.erasing.kept.remove(at);
            }
            Err(StoreError::Fatal(error)) => self.fatal = Some(format!("erasing failed: {error}")),
            Err(error) => {
                // Told once, and not every second while a disk is full.
                if self.erasing.kept.insert(at.clone()) {
                    tracing::error!(%at, %error, "a content that nobody keeps was not erased; it will be tried again");
                }
                let again_at_ms = self.now.steady_ms.saturating_add(RETRY_MS);
                self.erasing.retry_at_ms = self.erasing.retry_at_ms.max(again_at_ms);
            }
        }
    }

    fn content_state_at(&self, at: &EventRef) -> Option<BodyState> {
        let header = self.header_at(at).ok().flatten();
        let key = header.and_then(|header| header.body_key(Part::Content));
        key.map(|key| self.store.body_state(&key))
    }

    /// Erases the content of one entry; says whether it was here.
    fn erase_content(&mut self, at: &EventRef, now_ms: u64) -> Result<bool, StoreError> {
        let Some(header) = self.header_at(at)? else { return Ok(false) };
        let place = header.place(Part::Content);
        let Some(key) = header.body_key(Part::Content) else { return Ok(false) };
        // Nobody is asked for it any more.
        if self.projector.end_waiting(&place).is_some() {
            self.exchange.unwant(&place);
            // Its author need not wait for it to arrive.
            self.say_arrived(&header, now_ms);
        }
        let state = self.store.body_state(&key);
        if state == BodyState::Erased {
            return Ok(false);
        }
        // What never came is marked, too: else a clock that is set back would have it fetched after
        // its receipt.
        self.store.erase_body(&key)?;
        if at.origin == self.identity.origin {
            self.offer_anew(at.index);
        }
        Ok(state == BodyState::Present)
    }

    /// Writes the receipts that are owed.
    fn confirm_erasures(&mut self, now_ms: u64) {
        if self.check_writing().is_err() || self.fatal.is_some() {
            return;
        }
        let ids: Vec<ReferralId> = self.erasing.owed.iter().take(RECEIPTS_MAX).copied().collect();
        let mut group = Vec::new();
        for id in &ids {
            self.erasing.owed.remove(id);
            self.erase_due(id, now_ms, now_ms);
            let Some(referral) = self.case(id) else { continue };
            let Some((erasure, due)) = self.due(&referral, now_ms) else { continue };
            if self.keeps_beside(&referral, &erasure) {
                // No receipt before that is gone, too.
                self.erasing.owed.insert(*id);
                continue;
            }
            let own = self.identity.society;
            let open = erasure.open(own).iter();
            let gone = open.filter(|at| due.contains(at) && self.is_gone(at));
            let mut gone: Vec<EventRef> = gone.take(LIST_MAX).cloned().collect();
            if gone.is_empty() && self.has_news(&referral, &erasure, now_ms) {
                // What was confirmed before is named again, with what is known of the others.
                let open = erasure.open(own);
                let before = erasure.entries.iter();
                let before = before.filter(|at| !open.contains(at) && self.is_gone(at));
                gone = before.take(LIST_MAX).cloned().collect();
            }
            if gone.is_empty() {
                continue;
            }
            let mut key = [0; 16];
            let (claims, earlier) =
                (self.claims(&referral, &erasure, now_ms), self.earlier(&referral, now_ms));
            let command = Command::ConfirmErasure(erasure.receipt(&gone, &claims, earlier));
            self.rng.fill_bytes(&mut key);
            group.push(Write::Advance { key, id: *id, command, note: String::new() });
        }
        self.erasing.retry_at_ms = self.now.steady_ms.saturating_add(RETRY_MS);
        for answer in self.commit_own(group, now_ms) {
            if let Err(refused) = answer {
                tracing::warn!(%refused, "the receipt for an erasure was not written; it will be");
                self.erasing.retry_at_ms = self.now.steady_ms.saturating_add(LOOK_MS);
            }
        }
    }

    /// Whether the content of an entry is not here and will never be. Of what cannot be looked at that is not
    /// known: the receipt for it stays owed, and is tried again with the next look.
    fn is_gone(&self, at: &EventRef) -> bool {
        match self.header_at(at) {
            Ok(Some(header)) => {
                let content = header.body_key(Part::Content);
                content.is_none_or(|key| self.store.body_state(&key) == BodyState::Erased)
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Referrals whose content is to be erased and that not everybody who had it has confirmed.
    pub fn erasures_open(&self, actor: &Actor, now_ms: u64) -> u64 {
        let rules = self.roster.data_protection();
        let open =
            |brief: &Brief| brief.erasure(now_ms, rules).is_some_and(|erasure| !erasure.confirmed);
        self.counted_by(actor).filter(|(_, brief)| open(brief)).count() as u64
    }
}
