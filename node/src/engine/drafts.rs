//! Drafts of whoever asks: only their own, and only whoever may refer somebody has any.

use rand_core::CryptoRngCore;
use tutti_core::{people::Action, referral::form::ReferralForm, store::Store};
use tutti_proto::node::v1 as api;

use super::{Engine, Refused, allowed::not_allowed, reading::people_refused};
use crate::local::Actor;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Keeps a form as it is, with faults and all.
    pub fn save_draft(
        &mut self,
        actor: &Actor,
        request: &api::SaveDraftRequest,
        now_ms: u64,
    ) -> Result<api::DraftInfo, Refused> {
        let account = self.writer(actor)?;
        let id = match request.id.as_str() {
            "" => None,
            id => Some(parse(id)?),
        };
        let saved = self.local.save_draft(&account, id, &request.form, now_ms, &mut self.rng);
        let id = saved.map_err(|error| self.local_failed(error))?;
        Ok(info(&id, now_ms, &request.form))
    }

    /// What there is of one's own, the newest first.
    pub fn drafts(&self, actor: &Actor) -> Result<api::ListDraftsResponse, Refused> {
        let account = self.writer(actor)?;
        let mut drafts = Vec::new();
        for (id, saved_ms) in self.local.drafts(&account) {
            let (form, _) = self.local.draft(&account, &id).map_err(people_refused)?;
            drafts.push(info(&id, saved_ms, &form));
        }
        drafts.sort_by_key(|draft| std::cmp::Reverse(draft.saved_at_ms));
        Ok(api::ListDraftsResponse { drafts })
    }

    /// One, with its text.
    pub fn draft(&self, actor: &Actor, request: &api::DraftRequest) -> Result<api::Draft, Refused> {
        let account = self.writer(actor)?;
        let id = parse(&request.id)?;
        let (form, saved_ms) = self.local.draft(&account, &id).map_err(people_refused)?;
        Ok(api::Draft { info: Some(info(&id, saved_ms, &form)), form: form.to_string() })
    }

    /// Erases one in place.
    pub fn delete_draft(
        &mut self,
        actor: &Actor,
        request: &api::DraftRequest,
        now_ms: u64,
    ) -> Result<api::DraftInfo, Refused> {
        let account = self.writer(actor)?;
        let id = parse(&request.id)?;
        let gone = self.local.delete_draft(&account, &id, now_ms, &mut self.rng);
        gone.map_err(|error| self.local_failed(error))?;
        Ok(api::DraftInfo { id: request.id.clone(), ..api::DraftInfo::default() })
    }

    fn writer(&self, actor: &Actor) -> Result<[u8; 16], Refused> {
        self.check(actor, Action::Send)?;
        actor.account().copied().ok_or_else(|| not_allowed(Action::Send))
    }
}

fn parse(id: &str) -> Result<[u8; 16], Refused> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(id, &mut bytes)
        .map_err(|_| Refused::Invalid("a draft's id is 32 hexadecimal digits".into()))?;
    Ok(bytes)
}

fn info(id: &[u8; 16], saved_at_ms: u64, form: &str) -> api::DraftInfo {
    api::DraftInfo {
        id: hex::encode(id),
        saved_at_ms,
        bytes: u32::try_from(form.len()).unwrap_or(u32::MAX),
        faults: faults(form),
    }
}

/// What is wrong or missing yet. Whoever wrote the form reads it; it goes into no log.
fn faults(form: &str) -> Vec<String> {
    let read = match form.trim_start().starts_with('{') {
        true => serde_json::from_str::<ReferralForm>(form).map_err(|error| error.line()),
        false => toml::from_str::<ReferralForm>(form).map_err(|error| {
            let before = error.span().and_then(|span| form.get(..span.start)).unwrap_or_default();
            before.matches('\n').count() + 1
        }),
    };
    match read {
        Err(line) => vec![format!("line {line} cannot be read")],
        Ok(form) => match form.to_send() {
            Err(fields) => fields.iter().map(ToString::to_string).collect(),
            Ok(_) => Vec::new(),
        },
    }
}
