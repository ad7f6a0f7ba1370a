//! What a write says, before it is sealed: decided by the core, against the state as the writes
//! before it in the group leave it. Invariant: nothing here is written, signed or sealed.

use std::sync::Arc;

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    referral::{self, Brief, Referral, ReferralId},
    roster::{Member, Role, Status},
    society::Society,
    store::Store,
};
use tutti_proto::v1;

use super::{Engine, Group, Prepared, Refused, Write};
use crate::local::Actor;

/// What one event says and who may read it, before it is sealed.
pub(super) struct Draft {
    pub(super) id: [u8; 16],
    pub(super) visibility: Visibility,
    pub(super) addressees: Vec<Society>,
    pub(super) event: v1::record::Event,
    pub(super) content: Option<v1::content::Content>,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// The entries that a write leads to, in their order; the first bears its key.
    pub(super) fn prepare(
        &mut self,
        by: &Actor,
        approver: &str,
        write: Write,
        group: &Group,
        now_ms: u64,
    ) -> Result<Vec<Prepared>, Refused> {
        let key = write.key();
        let draft = match write {
            Write::Send { sent, content, .. } => {
                self.send(by, key, (*sent, *content), None, group, now_ms)?
            }
            Write::PassOn { .. } => {
                let [sent, told] = self.pass_on(by, write, group, now_ms)?;
                let mut second = [0; 16];
                self.rng.fill_bytes(&mut second);
                let after = group.prepared.len() as u64;
                let sent = self.seal((by, approver), key, sent, after, now_ms)?;
                let told = self.seal((by, ""), second, told, after + 1, now_ms)?;
                return Ok(vec![sent, told]);
            }
            Write::Advance { id, command, note, .. } => {
                self.advance(key, id, command, note, group, now_ms)?
            }
            Write::Attach { id, attached, part, .. } => {
                let command = referral::Command::Attach(attached);
                let draft = self.advance(key, id, command, String::new(), group, now_ms)?;
                Draft { content: Some(v1::content::Content::Attachment(*part)), ..draft }
            }
            Write::Publish { .. } | Write::Inform { .. } => {
                return self.inform((by, approver), write, group, now_ms);
            }
        };
        let after = group.prepared.len() as u64;
        Ok(vec![self.seal((by, approver), key, draft, after, now_ms)?])
    }

    pub(super) fn send(
        &self,
        actor: &Actor,
        key: [u8; 16],
        (sent, content): (v1::Sent, v1::ReferralContent),
        onward_of: Option<&referral::Referral>,
        group: &Group,
        now_ms: u64,
    ) -> Result<Draft, Refused> {
        let by = self.identity.society;
        let secret = &self.identity.keyring.local;
        let case_digest = referral::case_digest(secret, by, &content.case_code);
        let sent = v1::Sent { case_digest, ..sent };
        let duplicate = self.open_like(group, &sent);
        // Which it is, and whose, is for those who see it, and for whoever answers for people's data.
        let unseen = |first: &&Arc<Referral>| !self.sees(actor, (&first.id, &Brief::of(first, by)));
        if let Some(first) = duplicate.as_ref().filter(unseen) {
            return Err(Refused::OpenAtColleague(first.id));
        }
        let context = referral::Context {
            origin: &self.identity.origin,
            event_id: key,
            now_ms,
            note: "",
            duplicate: duplicate.as_deref(),
            onward_of,
            rules: self.roster.data_protection(),
        };
        let receiver = sent.receiver.clone();
        let command =
            referral::Command::Send { sent: Box::new(sent), content: Box::new(content.clone()) };
        let event = referral::decide(None, command, &context)?;
        // `decide` has parsed it.
        let receiver: Society =
            receiver.parse().map_err(|error| Refused::Invalid(format!("receiver: {error}")))?;
        self.check_receiver(receiver)?;
        Ok(Draft {
            id: *ReferralId::of(&self.identity.origin, &key).as_bytes(),
            visibility: Visibility::Addressed,
            addressees: vec![receiver],
            event: v1::record::Event::Referral(event),
            content: Some(v1::content::Content::Referral(content)),
        })
    }

    /// An open referral of ours of the same case, service and receiver. Of one that the group has
    /// changed, the group knows best.
    fn open_like(&self, group: &Group, sent: &v1::Sent) -> Option<Arc<referral::Referral>> {
        let own = self.identity.society;
        let alike = |case: &Arc<referral::Referral>| case.is_like(own, sent);
        let unchanged = |id: &ReferralId| group.changed(id).is_none();
        let of_case = || self.referrals.of_case(sent).into_iter().filter(unchanged);
        let known = || of_case().filter_map(|id| self.case(&id)).find(alike);
        group.referrals.values().find(|case| alike(case)).cloned().or_else(known)
    }

    fn check_receiver(&self, receiver: Society) -> Result<(), Refused> {
        if self.can_receive(receiver) {
            return Ok(());
        }
        Err(Refused::Invalid(format!(
            "{receiver} cannot receive referrals in this federation; nothing was sent. Societies \
             that can: {}",
            self.receivers().join(", ")
        )))
    }

    /// Whether something new may be sealed to that society.
    pub(super) fn can_receive(&self, society: Society) -> bool {
        self.roster.member(society).is_some_and(|member| self.is_receiver(member))
    }

    /// To whom something new may be sealed.
    pub(super) fn receivers(&self) -> Vec<&str> {
        let members = self.roster.members().iter().filter(|member| self.is_receiver(member));
        members.map(|member| member.society.as_str()).collect()
    }

    fn is_receiver(&self, member: &Member) -> bool {
        member.status == Status::Active
            && member.role != Role::Observer
            && member.society != self.identity.society
    }

    pub(super) fn advance(
        &self,
        key: [u8; 16],
        id: ReferralId,
        command: referral::Command,
        note: String,
        group: &Group,
        now_ms: u64,
    ) -> Result<Draft, Refused> {
        let referral = self.case_in(group, &id)?;
        let referral = referral.as_deref();
        // What is told further on is held against the person's word for what is passed on.
        let first = match referral {
            Some(onward) if onward.sender == self.identity.society && reaches_on(&command) => {
                let first = <[u8; 16]>::try_from(onward.sent.onward_of.as_slice()).ok();
                let first = first.map(|id| self.case_in(group, &ReferralId::from_bytes(id)));
                first.transpose()?.flatten()
            }
            _ => None,
        };
        let context = referral::Context {
            origin: &self.identity.origin,
            event_id: key,
            now_ms,
            note: &note,
            duplicate: None,
            onward_of: first.as_deref(),
            rules: self.roster.data_protection(),
        };
        let command = self.with_own_log(command);
        let case = match &command {
            referral::Command::Reopen(_, case) | referral::Command::Correct(_, case) => {
                case.as_deref().cloned()
            }
            _ => None,
        };
        let event = referral::decide(referral, command, &context)?;
        let other = referral
            .and_then(|r| Some(r.society(r.side_of(self.identity.society)?.other())))
            .ok_or_else(|| Refused::from(referral::Refusal::NotFound))?;
        let note = if note.trim().is_empty() { None } else { Some(v1::Note { text: note }) };
        Ok(Draft {
            id: *id.as_bytes(),
            visibility: Visibility::Addressed,
            addressees: vec![other],
            event: v1::record::Event::Referral(event),
            content: case
                .map(v1::content::Content::Referral)
                .or(note.map(v1::content::Content::Note)),
        })
    }

    /// A client names an entry of this society's log by its index alone.
    fn with_own_log(&self, mut command: referral::Command) -> referral::Command {
        let event = match &mut command {
            referral::Command::Correct(corrected, _) => corrected.event.as_mut(),
            referral::Command::EnterInError(which) => which.event.as_mut(),
            _ => None,
        };
        if let Some(event) = event.filter(|event| event.origin.is_empty()) {
            event.origin = self.identity.origin.to_string();
        }
        command
    }
}

/// Whether it tells the other society of a person, or says what may be told.
fn reaches_on(command: &referral::Command) -> bool {
    use referral::Command as C;
    matches!(
        command,
        C::ProvideInformation(_)
            | C::Correct(_, Some(_))
            | C::Attach(_)
            | C::Reopen(..)
            | C::RenewConsent(_)
    )
}
