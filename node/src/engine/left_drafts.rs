//! The end of every draft: deleted by its author, else erased an hour after it was sent, or when nobody has
//! worked on it for as long as the society keeps them; and what becomes of those whose author has left.
//!
//! What was sent may still lie here, for it is deleted apart from that: it goes with the case.
//!
//! A draft holds a person's case, and no referral says how long that may be kept. Whoever has left can
//! neither send nor delete one: the focal point may go on with it, as with a case that is nobody's, and
//! whoever answers for accounts or for people's data may erase it. Invariant: who may not read a case
//! is told of a draft whose it is, when it was saved and when it goes, and nothing that it says.

use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Action, Relation, Verdict},
    referral::ReferralId,
    society::Origin,
    store::Store,
};
use tutti_proto::node::v1 as api;

use super::{
    Engine, Refused,
    allowed::not_allowed,
    drafts::{parse_id, use_name, writes},
    query::slice,
    reading::people_refused,
};
use crate::local::{Actor, PeopleError, Use};

const DAY_MS: u64 = 24 * 3_600_000;

/// How long a draft that was sent is kept, where no file waits with it and nobody works on it, milliseconds:
/// whoever had no answer may send it again meanwhile, and it goes out once.
const SENT_KEPT_MS: u64 = 3_600_000;

/// So long before a draft goes its author is told by `tutti status`, milliseconds.
const TOLD_BEFORE_MS: u64 = 7 * DAY_MS;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Keeps drafts for so many days after somebody worked on them last.
    pub fn keep_drafts(&mut self, days: u32) {
        self.draft_days = days;
    }

    /// When a draft is erased unless somebody works on it before, milliseconds since the Unix epoch.
    pub(super) fn draft_ends_ms(&self, id: &[u8; 16], now_ms: u64) -> u64 {
        let kept_ms = u64::from(self.draft_days).saturating_mul(DAY_MS);
        let touched_ms = self.local.draft_touched_ms(id, now_ms);
        let unsent_ms = touched_ms.saturating_add(kept_ms);
        match self.done_with_at_ms(id) {
            Some(sent_ms) => unsent_ms.min(sent_ms.saturating_add(SENT_KEPT_MS)),
            None => unsent_ms,
        }
    }

    /// When a draft was sent with which no file waits, and on which nobody has worked since.
    fn done_with_at_ms(&self, draft: &[u8; 16]) -> Option<u64> {
        let sent = self.referrals.get(&ReferralId::of(&self.identity.origin, draft))?;
        let waits = self.local.uploads_of_draft(draft).next().is_some();
        let worked_on = self.local.draft_touched_ms(draft, u64::MAX) > sent.sent_at_ms;
        (!waits && !worked_on).then_some(sent.sent_at_ms)
    }

    /// The drafts of which something lies here and that were sent as that referral: each goes out under its
    /// own number.
    fn drafts_sent_as(&self, id: &ReferralId) -> Vec<[u8; 16]> {
        let own = self.own_logs();
        let sent_as = |draft: &[u8; 16]| own.iter().any(|log| ReferralId::of(log, draft) == *id);
        self.local.drafts_here().into_iter().filter(sent_as).collect()
    }

    /// The logs of this society: a draft outlives the log into which it was sent.
    fn own_logs(&self) -> Vec<Origin> {
        let own = self.identity.society;
        let mut logs: Vec<Origin> = self.store.logs();
        logs.retain(|log| log.society() == own && *log != self.identity.origin);
        logs.push(self.identity.origin.clone());
        logs
    }

    /// Whether something of a draft that was sent as that referral is here still.
    pub(super) fn keeps_drafts_of(&self, id: &ReferralId) -> bool {
        !self.drafts_sent_as(id).is_empty()
    }

    /// Erases the drafts that were sent as a referral that is to be erased, with their files. What the disk does
    /// not let go is still known, so that it is tried again.
    pub(super) fn discard_drafts_of(&mut self, id: &ReferralId, now_ms: u64) {
        for draft in self.drafts_sent_as(id) {
            match self.discard_one(&draft, now_ms) {
                Ok(()) => {
                    tracing::info!(referral = %id, "the draft of a case that is erased was erased")
                }
                Err(error) => drop(self.local_failed(error)),
            }
        }
    }

    /// The referrals of which something lies in the local folder: drafts that were sent, files under way.
    pub(super) fn referrals_kept_for(&self) -> Vec<ReferralId> {
        let mut ids = self.local.referrals_of_uploads();
        let own = self.own_logs();
        for draft in self.local.drafts_here() {
            ids.extend(own.iter().map(|log| ReferralId::of(log, &draft)));
        }
        ids.into_iter().filter(|id| self.referrals.get(id).is_some()).collect()
    }

    /// Erases one draft, whoever's it is, and what was left of it, with its files.
    fn discard_one(&mut self, draft: &[u8; 16], now_ms: u64) -> Result<(), PeopleError> {
        let known = self.local.kept_drafts().find(|(id, ..)| *id == draft);
        if let Some(account) = known.map(|(_, account, _)| *account) {
            self.local.delete_draft(&account, draft, now_ms, &mut self.rng)?;
        }
        self.local.erase_again()?;
        self.local.discard_uploads_of_draft(draft)?;
        Ok(())
    }

    /// Erases the drafts whose time is over, with their files.
    pub(super) fn discard_old_drafts(&mut self, now_ms: u64) {
        if let Err(error) = self.local.erase_again() {
            self.local_failed(error.into());
        }
        let drafts = self.local.kept_drafts().map(|(id, ..)| *id);
        let over: Vec<[u8; 16]> =
            drafts.filter(|id| self.draft_ends_ms(id, now_ms) <= now_ms).collect();
        for id in over {
            match self.discard_one(&id, now_ms) {
                Ok(()) => tracing::info!(
                    "a draft was erased: it was sent, or nobody worked on it for long"
                ),
                Err(error) => {
                    let refused = self.local_failed(error);
                    tracing::warn!(%refused, "a draft whose time is over was not erased; it will be");
                }
            }
        }
    }

    /// Drafts of those who have left: whose and when, not what.
    pub fn left_drafts(
        &self,
        actor: &Actor,
        request: &api::ListLeftDraftsRequest,
        now_ms: u64,
    ) -> Result<api::ListLeftDraftsResponse, Refused> {
        let action = Action::DiscardDraft;
        if ![Action::TakeDraft, action, Action::WriteInformation].iter().any(|a| actor.may(*a)) {
            return Err(not_allowed(action));
        }
        let mut drafts: Vec<_> = self
            .left()
            .filter(|(.., used)| actor.may(action) || actor.may(takes(*used)))
            .map(|(id, account, used)| self.left_draft(actor, (&id, &account, used), now_ms))
            .collect();
        drafts.sort_by_key(|draft| (draft.erased_at_ms, draft.id.clone()));
        let (drafts, next_page_token) =
            slice(drafts, |draft| draft.id.as_str(), &request.page_token)?;
        Ok(api::ListLeftDraftsResponse { drafts, next_page_token })
    }

    /// Takes one of them over: it is read, so that is recorded with it.
    pub fn take_draft(
        &mut self,
        actor: &Actor,
        request: &api::DraftRequest,
        now_ms: u64,
    ) -> Result<api::DraftInfo, Refused> {
        if !actor.may(Action::TakeDraft) {
            self.check(actor, Action::WriteInformation)?;
        }
        let (id, _, used) = self.one_left(request)?;
        self.check(actor, takes(used))?;
        let account = self.writer(actor, used)?;
        let taken = self.local.take_draft(actor, &account, &id, now_ms, &mut self.rng);
        taken.map_err(|error| self.local_failed(error))?;
        let (form, saved_ms) = self.local.draft(&account, &id).map_err(people_refused)?;
        Ok(self.draft_info(&id, used, (saved_ms, &form), now_ms))
    }

    /// Erases one of them in place, unread.
    pub fn discard_draft(
        &mut self,
        actor: &Actor,
        request: &api::DraftRequest,
        now_ms: u64,
    ) -> Result<api::LeftDraft, Refused> {
        self.check(actor, Action::DiscardDraft)?;
        let (id, account, used) = self.one_left(request)?;
        let told = self.left_draft(actor, (&id, &account, used), now_ms);
        let gone = self.local.discard_draft(actor, &id, now_ms, &mut self.rng);
        gone.map_err(|error| self.local_failed(error))?;
        let files = self.local.discard_uploads_of_draft(&id);
        files.map_err(|error| self.local_failed(error.into()))?;
        self.changed(now_ms, "access", String::new(), "draft_discarded");
        Ok(told)
    }

    /// What a person should look at: own drafts that go soon, and those that somebody has left.
    pub(super) fn draft_warnings(&self, actor: &Actor, now_ms: u64) -> Vec<String> {
        let mut warnings = Vec::new();
        let soon_ms = now_ms.saturating_add(TOLD_BEFORE_MS);
        let own = actor.account().map(|account| self.local.drafts(account)).unwrap_or_default();
        // One that was sent is no work that would be lost.
        let unsent = own.iter().filter(|(id, _)| self.done_with_at_ms(id).is_none());
        let soon = unsent.filter(|(id, _)| self.draft_ends_ms(id, now_ms) <= soon_ms).count();
        // Where drafts are kept for a week or less, each would be told of from the beginning.
        if soon > 0 && u64::from(self.draft_days) * DAY_MS > TOLD_BEFORE_MS {
            warnings.push(format!(
                "{soon} of your drafts {} erased within seven days, for nobody works on {}. See \
                 `tutti referral draft list`, `tutti information draft list`",
                if soon == 1 { "is" } else { "are" },
                if soon == 1 { "it" } else { "them" },
            ));
        }
        let theirs = |used: &Use| actor.may(Action::DiscardDraft) || actor.may(takes(*used));
        let left = self.left().filter(|(.., used)| theirs(used)).count();
        if left > 0 {
            warnings.push(format!(
                "{left} draft{} of somebody who has left. See `tutti referral draft left`, `tutti \
                 information draft left`",
                if left == 1 { " is" } else { "s are" }
            ));
        }
        warnings
    }

    /// Drafts of an account that is off, or may no longer write what they are to become.
    fn left(&self) -> impl Iterator<Item = ([u8; 16], [u8; 16], Use)> {
        let stays = move |account: &[u8; 16], used: Use| {
            let known = self.local.accounts().find(|(id, _)| *id == account);
            known.is_some_and(|(_, known)| {
                known.active && known.roles.may(Relation::Nothing, writes(used)) == Verdict::Allow
            })
        };
        let all = self.local.kept_drafts();
        all.map(|(id, account, used)| (*id, *account, used))
            .filter(move |(_, account, used)| !stays(account, *used))
    }

    fn one_left(&self, request: &api::DraftRequest) -> Result<([u8; 16], [u8; 16], Use), Refused> {
        let id = parse_id(&request.id)?;
        let found = self.left().find(|(left, ..)| *left == id);
        found.ok_or_else(|| {
            Refused::NotFound(
                "there is no such draft of somebody who has left; nothing was done. See `tutti \
                 referral draft left`"
                    .into(),
            )
        })
    }

    fn left_draft(
        &self,
        actor: &Actor,
        (id, account, used): (&[u8; 16], &[u8; 16], Use),
        now_ms: u64,
    ) -> api::LeftDraft {
        let own = self.local.drafts(account);
        let saved_at_ms = own.iter().find(|(own, _)| own == id).map_or(0, |(_, saved)| *saved);
        let whose = self.local.accounts().find(|(id, _)| *id == account);
        api::LeftDraft {
            id: hex::encode(id),
            account: whose.map(|(_, known)| known.name.clone()).unwrap_or_default(),
            saved_at_ms,
            erased_at_ms: self.draft_ends_ms(id, now_ms),
            r#use: use_name(used).into(),
            files: u32::try_from(self.local.uploads_of_draft(id).count()).unwrap_or(u32::MAX),
            may_take: actor.may(takes(used)),
        }
    }
}

/// The action of whoever goes on with one of somebody who has left.
fn takes(used: Use) -> Action {
    match used {
        Use::Referral => Action::TakeDraft,
        Use::Publish(_) | Use::Revise(_) | Use::Translate(_) => Action::WriteInformation,
    }
}
