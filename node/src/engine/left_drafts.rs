//! The end of every draft: sent or deleted by its author, else erased when nobody has worked on it for
//! as long as the society keeps them; and what becomes of those whose author has left.
//!
//! A draft holds a person's case, and no referral says how long that may be kept. Whoever has left can
//! neither send nor delete one: the focal point may go on with it, as with a case that is nobody's, and
//! whoever answers for accounts or for people's data may erase it. Invariant: who may not read a case
//! is told of a draft whose it is, when it was saved and when it goes, and nothing that it says.

use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Action, Relation, Verdict},
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
use crate::local::{Actor, Use};

const DAY_MS: u64 = 24 * 3_600_000;

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
        self.local.draft_touched_ms(id, now_ms).saturating_add(kept_ms)
    }

    /// Erases the drafts whose time is over, with their files.
    pub(super) fn discard_old_drafts(&mut self, now_ms: u64) {
        let drafts = self.local.kept_drafts().map(|(id, account, _)| (*id, *account));
        let over: Vec<_> =
            drafts.filter(|(id, _)| self.draft_ends_ms(id, now_ms) <= now_ms).collect();
        for (id, account) in over {
            let gone = self.local.delete_draft(&account, &id, now_ms, &mut self.rng);
            match gone.and_then(|()| Ok(self.local.discard_uploads_of_draft(&id)?)) {
                Ok(_) => tracing::info!("a draft was erased: nobody has worked on it for long"),
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
        let soon = own.iter().filter(|(id, _)| self.draft_ends_ms(id, now_ms) <= soon_ms).count();
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
