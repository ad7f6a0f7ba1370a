//! The second person: asking for approval, giving it, and holding a write against it.
//!
//! Invariant: what is approved is one text, byte for byte, with the files that go along; what is written
//! is what that text says; and whoever approves is somebody else, who may, also at the moment of writing. It is written once,
//! under the draft's number.

use rand_core::CryptoRngCore;
use tutti_core::{
    information,
    people::{Action, Relation, Verdict},
    referral::overriding::is_override,
    store::Store,
};
use tutti_proto::node::v1 as api;

use super::{
    Engine, Refused, Write,
    allowed::not_allowed,
    drafts::{Told, faults_of, file_message, parse_id, read_draft, use_name},
    query::slice,
    reading::people_refused,
};
use crate::local::{Actor, Approval, Of, Said, Upload, Use};

/// The reason for an override, or why one is refused, characters: a sentence, not a dossier.
const REASON: std::ops::RangeInclusive<usize> = 10..=500;

/// The action by which somebody approves.
fn approves(of: Of) -> Action {
    match of {
        Of::Override => Action::ApproveOverride,
        Of::Information => Action::ApproveInformation,
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Whether a share is published, revised and translated only once a second person has approved.
    pub fn set_review(&mut self, review: bool) {
        self.review = review;
    }

    /// Asks for approval of a draft of one's own, as it stands.
    pub fn ask_approval(
        &mut self,
        actor: &Actor,
        request: &api::AskApprovalRequest,
        now_ms: u64,
    ) -> Result<api::ApprovalInfo, Refused> {
        let id = parse_id(&request.draft)?;
        let (account, used) = self.own_draft(actor, &id)?;
        let (form, _) = self.local.draft(&account, &id).map_err(people_refused)?;
        let files: Vec<&Upload> = self.local.uploads_of_draft(&id).collect();
        let complete = read_draft(&form, used).and_then(|told| {
            let faults = match &told {
                Told::Referral(sent, _) => faults_of(sent, &files),
                Told::Publish(..) | Told::Revise(_) | Told::Translate(_) => Vec::new(),
            };
            if faults.is_empty() { Ok(told) } else { Err(faults) }
        });
        let told = complete.map_err(|faults| {
            Refused::State(format!(
                "the draft is not complete yet; nobody was asked. Correct:\n  {}",
                faults.join("\n  ")
            ))
        })?;
        let of = match &told {
            Told::Referral(sent, _) if is_override(sent) => Of::Override,
            Told::Referral(..) => {
                return Err(Refused::State(
                    "this draft overrides nobody's word, so it needs no approval; nobody was asked. \
                     Send it"
                        .into(),
                ));
            }
            Told::Publish(..) | Told::Revise(_) | Told::Translate(_) => Of::Information,
        };
        let reason = request.reason.trim();
        let length = reason.chars().count();
        if length > *REASON.end() || of == Of::Override && length < *REASON.start() {
            return Err(Refused::Invalid(format!(
                "reason: has {} to {} characters; nobody was asked. Say why, without names: it is \
                 recorded",
                REASON.start(),
                REASON.end()
            )));
        }
        let asked = self.local.ask_approval(actor, &id, of, reason, now_ms, &mut self.rng);
        asked.map_err(|error| self.local_failed(error))?;
        self.changed(now_ms, "approval", hex::encode(id), "asked");
        self.approval_info(actor, &id)
    }

    /// What waits for somebody's approval, and what became of their own requests.
    pub fn approvals(
        &self,
        actor: &Actor,
        request: &api::ListApprovalsRequest,
    ) -> Result<api::ListApprovalsResponse, Refused> {
        self.check(actor, Action::Status)?;
        let (mut own, mut waiting) = (Vec::new(), Vec::new());
        let ids: Vec<[u8; 16]> = self.local.approvals().map(|(id, _)| *id).collect();
        for id in ids {
            let Some(approval) = self.local.approval(&id) else { continue };
            if approval.asked_by == actor.pseudonym() {
                own.push(self.approval_info(actor, &id)?);
            } else if approval.said == Said::Asked && actor.may(approves(approval.of)) {
                waiting.push(self.approval_info(actor, &id)?);
            }
        }
        for list in [&mut own, &mut waiting] {
            list.sort_by_key(|info: &api::ApprovalInfo| (info.asked_at_ms, info.draft.clone()));
        }
        let all: Vec<api::ApprovalInfo> = waiting.into_iter().chain(own).collect();
        let (page, next_page_token) = slice(all, |info| info.draft.as_str(), &request.page_token)?;
        let (own, waiting) = page.into_iter().partition(|info| info.own);
        Ok(api::ListApprovalsResponse { waiting, own, next_page_token })
    }

    /// How many wait for somebody.
    pub(super) fn approvals_waiting(&self, actor: &Actor) -> usize {
        let waits = |approval: &Approval| {
            approval.said == Said::Asked
                && approval.asked_by != actor.pseudonym()
                && actor.may(approves(approval.of))
        };
        self.local.approvals().filter(|(_, approval)| waits(approval)).count()
    }

    /// The text that waits for somebody's approval, and what goes along. Who reads it is recorded first.
    pub fn read_approval(
        &mut self,
        actor: &Actor,
        request: &api::DraftRequest,
        now_ms: u64,
    ) -> Result<api::ApprovalDraft, Refused> {
        let id = parse_id(&request.id)?;
        self.may_answer(actor, &id)?;
        let read = self.local.reading_draft(actor, &id, now_ms, &mut self.rng);
        read.map_err(|error| self.local_failed(error))?;
        let (form, ..) = self.local.draft_for_approval(&id).map_err(people_refused)?;
        let info = self.approval_info(actor, &id)?;
        let files = self.local.uploads_of_draft(&id).map(file_message).collect();
        Ok(api::ApprovalDraft { info: Some(info), form: form.to_string(), files })
    }

    /// Approves exactly the text with that digest, or refuses it and says why.
    pub fn answer_approval(
        &mut self,
        actor: &Actor,
        request: &api::AnswerApprovalRequest,
        now_ms: u64,
    ) -> Result<api::ApprovalInfo, Refused> {
        let id = parse_id(&request.draft)?;
        let asked = self.may_answer(actor, &id)?;
        if request.digest.as_slice() != asked.digest {
            return Err(Refused::State(
                "the draft is not the one that you have read; nothing was approved. Read it again: \
                 `tutti approval show`"
                    .into(),
            ));
        }
        let reason = request.reason.trim();
        let refused = (!request.approve).then_some(reason);
        if refused.is_some_and(|reason| !REASON.contains(&reason.chars().count())) {
            return Err(Refused::Invalid(format!(
                "reason: a refusal has one, of {} to {} characters; nothing was changed",
                REASON.start(),
                REASON.end()
            )));
        }
        let answered = self.local.answer_approval(actor, &id, refused, now_ms, &mut self.rng);
        for alert in answered.map_err(|error| self.local_failed(error))? {
            tracing::warn!(alert, "an alert on approvals: `tutti access alerts`");
            self.changed(now_ms, "access", String::new(), alert);
        }
        let what = if request.approve { "approved" } else { "refused" };
        self.changed(now_ms, "approval", hex::encode(id), what);
        self.approval_info(actor, &id)
    }

    /// The request that somebody may answer: not their own, open, and theirs to judge.
    fn may_answer(&self, actor: &Actor, id: &[u8; 16]) -> Result<Approval, Refused> {
        let none = || {
            Refused::NotFound(
                "nothing of that number waits for your approval; nothing was done. See `tutti \
                 approval list`"
                    .into(),
            )
        };
        let asked = self.local.approval(id).ok_or_else(none)?;
        if !actor.may(approves(asked.of)) {
            return Err(none());
        }
        if asked.asked_by == actor.pseudonym() {
            return Err(Refused::NotAllowed(
                "you have asked for it yourself: it takes a second person. Nothing was done".into(),
            ));
        }
        if asked.said != Said::Asked {
            return Err(Refused::State(
                "it was answered already; nothing was changed. See `tutti approval list`".into(),
            ));
        }
        Ok(asked.clone())
    }

    fn approval_info(&self, actor: &Actor, id: &[u8; 16]) -> Result<api::ApprovalInfo, Refused> {
        let approval = self.local.approval(id);
        let approval = approval.ok_or_else(|| {
            Refused::NotFound("nobody was asked for that; nothing was done".into())
        })?;
        let name = |pseudonym: &str| {
            self.local.name_of(pseudonym).map_or_else(|| pseudonym.to_owned(), ToOwned::to_owned)
        };
        let (state, answered_by, answer) = match &approval.said {
            Said::Asked => ("asked", String::new(), String::new()),
            Said::Approved(by) => ("approved", name(by), String::new()),
            Said::Refused(by, why) => ("refused", name(by), why.clone()),
        };
        let used = self.local.use_of(id).unwrap_or(Use::Referral);
        Ok(api::ApprovalInfo {
            draft: hex::encode(id),
            of: approval.of.name().into(),
            state: state.into(),
            asked_by: name(&approval.asked_by),
            asked_at_ms: approval.asked_ms,
            reason: approval.reason.clone(),
            answered_by,
            answer,
            own: approval.asked_by == actor.pseudonym(),
            r#use: use_name(used).into(),
            target: used.target().map(|id| id.to_string()).unwrap_or_default(),
            digest: approval.digest.to_vec(),
        })
    }

    /// What a write needs a second person for.
    fn needs_approval(&self, write: &Write) -> Option<Of> {
        use information::Command;
        match write {
            Write::Send { sent, .. } => is_override(sent).then_some(Of::Override),
            Write::PassOn { told, .. } => {
                let is = told.as_ref().is_some_and(|told| is_override(&told.0));
                is.then_some(Of::Override)
            }
            Write::Publish { .. }
            | Write::Inform { command: Command::Revise(_) | Command::Translate(_), .. } => {
                self.review.then_some(Of::Information)
            }
            Write::Inform { .. } | Write::Advance { .. } | Write::Attach { .. } => None,
        }
    }

    /// The pseudonym of the second person who has approved exactly this; empty where none has and
    /// none is needed.
    ///
    /// # Errors
    /// Where one is needed, and the draft that is named was not approved as it stands, says
    /// something else than the write, or is somebody else's; or where its approver may no longer.
    pub(super) fn approver_of(
        &self,
        by: &Actor,
        write: &Write,
        draft: Option<[u8; 16]>,
    ) -> Result<String, Refused> {
        let needed = self.needs_approval(write);
        let approval = draft.and_then(|id| Some((id, self.local.approval(&id)?)));
        let Some((id, approval)) = approval else {
            return match needed {
                None => Ok(String::new()),
                Some(of) => Err(Refused::State(not_approved(of))),
            };
        };
        let approver = match &approval.said {
            Said::Approved(approver) => approver,
            Said::Asked | Said::Refused(..) => {
                return match needed {
                    None => Ok(String::new()),
                    Some(of) => Err(Refused::State(not_approved(of))),
                };
            }
        };
        self.own_draft(by, &id)?;
        let (form, used, digest) = self.local.draft_for_approval(&id).map_err(people_refused)?;
        let says = read_draft(&form, used).is_ok_and(|told| told.is(write, used));
        let fits = needed.is_none_or(|of| of == approval.of);
        if digest != approval.digest || !says || !fits || approval.asked_by != by.pseudonym() {
            return Err(Refused::State(
                "what was approved is another text than this, or other files; nothing was written. Send \
                 the draft as it was approved, or ask for approval again"
                    .into(),
            ));
        }
        // What was approved once is written once: whatever bears this number was it.
        if write.key() != id {
            return Err(Refused::Invalid(
                "idempotency_key: an approved draft is written under its own number, so that it goes \
                 out once; nothing was written"
                    .into(),
            ));
        }
        // Whoever has left, or may no longer, stands behind nothing that is still to be written.
        let still = self.local.accounts().any(|(account, known)| {
            known.active
                && self.local.pseudonym(account) == *approver
                && known.roles.may(Relation::Nothing, approves(approval.of)) == Verdict::Allow
        });
        if !still || *approver == by.pseudonym() {
            return Err(Refused::State(
                "whoever approved it may no longer approve; nothing was written. Ask for approval \
                 again"
                    .into(),
            ));
        }
        Ok(approver.clone())
    }

    /// A draft of somebody's own: the account, and what it is for.
    pub(super) fn own_draft(
        &self,
        actor: &Actor,
        id: &[u8; 16],
    ) -> Result<([u8; 16], Use), Refused> {
        let unknown =
            || Refused::NotFound("there is no such draft of yours; nothing was done".into());
        let account = *actor.account().ok_or_else(|| not_allowed(Action::Send))?;
        let own = self.local.drafts(&account).iter().any(|(own, _)| own == id);
        let used = self.local.use_of(id).filter(|_| own).ok_or_else(unknown)?;
        Ok((account, used))
    }
}

fn not_approved(of: Of) -> String {
    match of {
        Of::Override => "this overrides what the person said, so a second person must approve it \
                         first: a supervisor or the data-protection focal point. Nothing was sent. \
                         Keep it as a draft (`tutti referral draft new`), ask (`tutti referral draft \
                         ask-approval`), and send the draft once it is approved"
            .into(),
        Of::Information => "this society publishes what a second person has reviewed; nothing was \
                            published. Keep it as a draft (`tutti information draft new`), ask (`tutti \
                            information draft ask-review`), and publish the draft once it is approved"
            .into(),
    }
}
