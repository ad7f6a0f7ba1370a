//! Drafts of whoever asks: only their own, and only whoever may write what it is to become.

use rand_core::CryptoRngCore;
use tutti_core::{
    information::{
        self, Command, InformationId, Readers,
        form::{InformationForm, TextForm},
    },
    people::Action,
    referral::{attachment, codes, form::ReferralForm, overriding::is_override},
    store::Store,
};
use tutti_proto::{node::v1 as api, v1};

use super::{Engine, Refused, Write, allowed::not_allowed, query::slice, reading::people_refused};
use crate::local::{Actor, Said, Upload, Use};

/// What a draft says once it is complete.
pub(super) enum Told {
    Referral(Box<v1::Sent>, Box<v1::ReferralContent>),
    Publish(Readers, Box<v1::InformationVersion>),
    Revise(Box<v1::InformationVersion>),
    Translate(Box<v1::LocalText>),
}

impl Told {
    /// Whether a write says exactly this of what the draft is for.
    pub(super) fn is(&self, write: &Write, used: Use) -> bool {
        match (self, write, used) {
            (Self::Referral(sent, content), Write::Send { sent: s, content: c, .. }, _) => {
                sent == s && content == c
            }
            (
                Self::Publish(readers, version),
                Write::Publish { readers: r, version: v, supersedes, .. },
                Use::Publish(place_of),
            ) => readers == r && version == v && *supersedes == place_of,
            (
                Self::Revise(version),
                Write::Inform { id, command: Command::Revise(v), .. },
                Use::Revise(meant),
            ) => version == v && *id == meant,
            (
                Self::Translate(text),
                Write::Inform { id, command: Command::Translate(t), .. },
                Use::Translate(meant),
            ) => text == t && *id == meant,
            _ => false,
        }
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Keeps a form as it is, with faults and all. What was approved of it before is over.
    pub fn save_draft(
        &mut self,
        actor: &Actor,
        request: &api::SaveDraftRequest,
        now_ms: u64,
    ) -> Result<api::DraftInfo, Refused> {
        let (id, used) = match request.id.as_str() {
            "" => (None, parse_use(&request.r#use, &request.target)?),
            id => {
                let id = parse_id(id)?;
                (Some(id), self.own_draft(actor, &id)?.1)
            }
        };
        let account = self.writer(actor, used)?;
        let form = &request.form;
        let saved = self.local.save_draft(&account, id, used, form, now_ms, &mut self.rng);
        let id = saved.map_err(|error| self.local_failed(error))?;
        Ok(self.draft_info(&id, used, (now_ms, form), now_ms))
    }

    /// What there is of one's own, the newest first.
    pub fn drafts(
        &self,
        actor: &Actor,
        request: &api::ListDraftsRequest,
        now_ms: u64,
    ) -> Result<api::ListDraftsResponse, Refused> {
        let account = match self.writer(actor, Use::Referral) {
            Ok(account) => account,
            Err(refused) => self.writer(actor, Use::Publish(None)).map_err(|_| refused)?,
        };
        let mut drafts = Vec::new();
        for (id, saved_ms) in self.local.drafts(&account) {
            let used = self.local.use_of(&id).unwrap_or(Use::Referral);
            if self.writer(actor, used).is_err() {
                continue;
            }
            let (form, _) = self.local.draft(&account, &id).map_err(people_refused)?;
            drafts.push(self.draft_info(&id, used, (saved_ms, &form), now_ms));
        }
        drafts.sort_by_key(|draft| std::cmp::Reverse(draft.saved_at_ms));
        let (drafts, next_page_token) =
            slice(drafts, |draft| draft.id.as_str(), &request.page_token)?;
        Ok(api::ListDraftsResponse { drafts, next_page_token })
    }

    /// One, with its text.
    pub fn draft(
        &self,
        actor: &Actor,
        request: &api::DraftRequest,
        now_ms: u64,
    ) -> Result<api::Draft, Refused> {
        let (id, used, account) = self.draft_of(actor, request)?;
        let (form, saved_ms) = self.local.draft(&account, &id).map_err(people_refused)?;
        let info = self.draft_info(&id, used, (saved_ms, &form), now_ms);
        Ok(api::Draft { info: Some(info), form: form.to_string() })
    }

    /// Erases one in place.
    pub fn delete_draft(
        &mut self,
        actor: &Actor,
        request: &api::DraftRequest,
        now_ms: u64,
    ) -> Result<api::DraftInfo, Refused> {
        let (id, _, account) = self.draft_of(actor, request)?;
        let gone = self.local.delete_draft(&account, &id, now_ms, &mut self.rng);
        gone.map_err(|error| self.local_failed(error))?;
        // What is left of them a start erases, for no draft is theirs any more.
        let files = self.local.discard_uploads_of_draft(&id);
        files.map_err(|error| self.local_failed(error.into()))?;
        Ok(api::DraftInfo { id: request.id.clone(), ..api::DraftInfo::default() })
    }

    fn draft_of(
        &self,
        actor: &Actor,
        request: &api::DraftRequest,
    ) -> Result<([u8; 16], Use, [u8; 16]), Refused> {
        if self.writer(actor, Use::Referral).is_err() {
            self.writer(actor, Use::Publish(None))?;
        }
        let id = parse_id(&request.id)?;
        let (account, used) = self.own_draft(actor, &id)?;
        self.writer(actor, used)?;
        Ok((id, used, account))
    }

    /// A draft of a referral, of one's own, and its author.
    pub(super) fn draft_of_referral(
        &self,
        actor: &Actor,
        draft: &str,
    ) -> Result<([u8; 16], [u8; 16]), Refused> {
        let (id, used, account) = self.draft_of(actor, &api::DraftRequest { id: draft.into() })?;
        match used {
            Use::Referral => Ok((id, account)),
            Use::Publish(_) | Use::Revise(_) | Use::Translate(_) => Err(Refused::Invalid(
                "files go with a referral alone, and this draft is of an information share".into(),
            )),
        }
    }

    /// The account of whoever may write what such a draft becomes.
    pub(super) fn writer(&self, actor: &Actor, used: Use) -> Result<[u8; 16], Refused> {
        let action = writes(used);
        self.check(actor, action)?;
        actor.account().copied().ok_or_else(|| not_allowed(action))
    }

    pub(super) fn draft_info(
        &self,
        id: &[u8; 16],
        used: Use,
        (saved_at_ms, form): (u64, &str),
        now_ms: u64,
    ) -> api::DraftInfo {
        let approval = match self.local.approval(id).map(|approval| &approval.said) {
            None => "",
            Some(Said::Asked) => "asked",
            Some(Said::Approved(_)) => "approved",
            Some(Said::Refused(..)) => "refused",
        };
        let files: Vec<&Upload> = self.local.uploads_of_draft(id).collect();
        let (needs_approval, faults) = match read_draft(form, used) {
            Ok(Told::Referral(sent, _)) => (is_override(&sent), faults_of(&sent, &files)),
            Ok(Told::Publish(..) | Told::Revise(_) | Told::Translate(_)) => {
                (self.review, Vec::new())
            }
            Err(faults) => (false, faults),
        };
        api::DraftInfo {
            id: hex::encode(id),
            saved_at_ms,
            bytes: u32::try_from(form.len()).unwrap_or(u32::MAX),
            faults,
            needs_approval,
            r#use: use_name(used).into(),
            target: used.target().map(|id| id.to_string()).unwrap_or_default(),
            approval: approval.into(),
            files: files.into_iter().map(file_message).collect(),
            erased_at_ms: self.draft_ends_ms(id, now_ms),
        }
    }
}

pub(super) fn file_message(file: &Upload) -> api::DraftFile {
    api::DraftFile {
        attachment: hex::encode(file.id),
        kind: codes::name::<v1::AttachmentKind>(file.kind).into(),
        name: file.name.clone(),
        size: file.size,
        whole: file.is_whole(),
        sha256: file.sha256.to_vec(),
    }
}

/// Why files cannot go with what is to be sent.
pub(super) fn faults_of(sent: &v1::Sent, files: &[&Upload]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let field = attachment::field(file.kind).unwrap_or("attachment");
        if !file.is_whole() {
            faults.push(format!(
                "{field}: not all of the file has come; attach it again, and it goes on where it stopped"
            ));
        }
        if let Err(refusal) = attachment::goes_along(sent, file.kind) {
            faults.push(format!("{field}: {refusal}"));
        }
    }
    faults
}

pub(super) fn parse_id(id: &str) -> Result<[u8; 16], Refused> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(id, &mut bytes)
        .map_err(|_| Refused::Invalid("a draft's id is 32 hexadecimal digits".into()))?;
    Ok(bytes)
}

/// What somebody must be allowed who writes what such a draft becomes.
pub(super) fn writes(used: Use) -> Action {
    match used {
        Use::Referral => Action::Send,
        Use::Publish(_) | Use::Revise(_) | Use::Translate(_) => Action::WriteInformation,
    }
}

/// What a draft becomes, for programs.
pub(super) fn use_name(used: Use) -> &'static str {
    match used {
        Use::Referral => "send",
        Use::Publish(_) => "publish",
        Use::Revise(_) => "revise",
        Use::Translate(_) => "translate",
    }
}

fn parse_use(name: &str, target: &str) -> Result<Use, Refused> {
    let share = || -> Result<InformationId, Refused> {
        target
            .parse()
            .map_err(|error| Refused::Invalid(format!("target: {error}; nothing was kept")))
    };
    match name {
        "" | "send" if target.is_empty() => Ok(Use::Referral),
        "publish" if target.is_empty() => Ok(Use::Publish(None)),
        "publish" => Ok(Use::Publish(Some(share()?))),
        "revise" => Ok(Use::Revise(share()?)),
        "translate" => Ok(Use::Translate(share()?)),
        _ => Err(Refused::Invalid(
            "use: is none of send, publish, revise and translate, or has a target that it needs not; \
             nothing was kept"
                .into(),
        )),
    }
}

/// What a draft says; or what is wrong or missing yet. Whoever wrote the form reads it; it goes into
/// no log.
pub(super) fn read_draft(form: &str, used: Use) -> Result<Told, Vec<String>> {
    let all = |fields: Vec<tutti_core::fields::FieldError>| {
        fields.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    match used {
        Use::Referral => {
            let (sent, content) = read::<ReferralForm>(form)?.to_send().map_err(all)?;
            Ok(Told::Referral(Box::new(sent), Box::new(content)))
        }
        Use::Publish(_) => {
            let (readers, version) = read::<InformationForm>(form)?.to_messages().map_err(all)?;
            Ok(Told::Publish(readers, Box::new(version)))
        }
        Use::Revise(_) => {
            let (_, version) = read::<InformationForm>(form)?.to_messages().map_err(all)?;
            Ok(Told::Revise(Box::new(version)))
        }
        Use::Translate(_) => {
            let text = read::<TextForm>(form)?.to_message();
            information::check_translation(&text).map_err(all)?;
            Ok(Told::Translate(Box::new(text)))
        }
    }
}

/// TOML, or JSON where it begins with a brace.
fn read<F: serde::de::DeserializeOwned>(form: &str) -> Result<F, Vec<String>> {
    let read = match form.trim_start().starts_with('{') {
        true => serde_json::from_str::<F>(form).map_err(|error| error.line()),
        false => toml::from_str::<F>(form).map_err(|error| {
            let before = error.span().and_then(|span| form.get(..span.start)).unwrap_or_default();
            before.matches('\n').count() + 1
        }),
    };
    read.map_err(|line| vec![format!("line {line} cannot be read")])
}
