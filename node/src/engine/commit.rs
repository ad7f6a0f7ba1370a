//! Writing: a group of writes is decided, sealed, signed and made durable as one.
//!
//! Each write is decided in turn against the state as the writes before it in the group leave it;
//! then there is one batch, one signature and one append, and only after it receipts, projections,
//! peers and watchers. A write whose key is known answers with its first receipt, also after a
//! restart: the key is the event's id. Invariant: what is refused has left no trace.

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    batch::VerifiedBatch,
    entry::{Commitment, EntryBytes, Header, Visibility},
    information::{self, InformationId},
    limits::BODY_BYTES_MAX,
    referral::{self, EventRef, ReferralId},
    roster::{Member, Role, Status},
    sealing::{self, Recipient, SealError, routing},
    society::Society,
    store::{Store, StoreError},
};
use tutti_proto::v1;
use zeroize::Zeroizing;

use super::{Engine, Mode, Receipt, Refused, Write, exchange::Happening};

/// One write, decided and sealed, not yet durable.
struct Prepared {
    key: [u8; 16],
    entry: EntryBytes,
    header: Header,
    bodies: Vec<Vec<u8>>,
    record: v1::Record,
    receipt: Receipt,
}

/// What the group has prepared so far, and the state as it would be.
#[derive(Default)]
struct Group {
    prepared: Vec<Prepared>,
    referrals: referral::Book,
    information: information::Book,
}

/// The answer to one write of a group.
enum Answer {
    Now(Result<Receipt, Refused>),
    /// That of the prepared one at this place, once it is durable.
    Prepared(usize),
}

/// What one event says and who may read it, before it is sealed.
struct Draft {
    id: [u8; 16],
    visibility: Visibility,
    addressees: Vec<Society>,
    event: v1::record::Event,
    content: Option<v1::content::Content>,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Commits `group`; one answer a write, in the same order.
    pub fn write(&mut self, group: Vec<Write>, now_ms: u64) -> Vec<Result<Receipt, Refused>> {
        let mut state = Group::default();
        let stopping = self.fatal.is_some();
        let answers: Vec<Answer> = group
            .into_iter()
            .map(|write| {
                let key = write.key();
                if let Some(receipt) = self.receipts.get(&key) {
                    let before = self.event_of(receipt);
                    let same = before.is_none_or(|before| write.repeats(&before));
                    return Answer::Now(if same { Ok(receipt.clone()) } else { Err(key_used()) });
                }
                if stopping {
                    return Answer::Now(Err(Refused::Stopping));
                }
                let mut prepared = state.prepared.iter().enumerate();
                if let Some((at, before)) = prepared.find(|(_, prepared)| prepared.key == key) {
                    let same = before.record.event.as_ref().is_some_and(|e| write.repeats(e));
                    return if same { Answer::Prepared(at) } else { Answer::Now(Err(key_used())) };
                }
                let prepared =
                    self.check_writing().and_then(|()| self.prepare(write, &state, now_ms));
                match prepared {
                    Err(refused) => Answer::Now(Err(refused)),
                    Ok(prepared) => {
                        state.take(prepared, &self.referrals, &self.information);
                        Answer::Prepared(state.prepared.len() - 1)
                    }
                }
            })
            .collect();
        let durable = self.append(&state.prepared);
        if durable.is_ok() && !state.prepared.is_empty() {
            self.show(&state.prepared, now_ms);
        }
        let answer = |answer| match answer {
            Answer::Now(result) => result,
            Answer::Prepared(at) => match (&durable, state.prepared.get(at)) {
                (Ok(()), Some(prepared)) => Ok(prepared.receipt.clone()),
                (Err(failed), _) => Err(failed.refused()),
                (Ok(()), None) => Err(Refused::Internal("a write was lost on its way".into())),
            },
        };
        answers.into_iter().map(answer).collect()
    }

    /// What was written then; none where the books no longer say.
    fn event_of(&self, receipt: &Receipt) -> Option<v1::record::Event> {
        let at = EventRef { origin: receipt.origin.clone(), index: receipt.index };
        let referral = self.referrals.outcomes(&ReferralId::from_bytes(receipt.id));
        let share = self.information.outcomes(&InformationId::from_bytes(receipt.id));
        let referral = referral.iter().find(|outcome| outcome.event.at == at);
        let share = share.iter().find(|outcome| outcome.event.at == at);
        referral
            .map(|outcome| v1::record::Event::Referral(outcome.event.body.clone()))
            .or_else(|| share.map(|o| v1::record::Event::Information(o.event.body.clone())))
    }

    fn prepare(&mut self, write: Write, group: &Group, now_ms: u64) -> Result<Prepared, Refused> {
        let key = write.key();
        let draft = match write {
            Write::Send { sent, content, .. } => self.send(key, *sent, *content, group, now_ms)?,
            Write::Advance { id, command, note, .. } => {
                self.advance(key, id, command, note, group, now_ms)?
            }
            Write::Publish { visibility, version, .. } => {
                let command = information::Command::Publish { visibility, version: *version };
                self.inform(key, None, command, group)?
            }
            Write::Revise { id, version, .. } => {
                self.inform(key, Some(id), information::Command::Revise(*version), group)?
            }
            Write::Retract { id, reason, .. } => {
                let command = information::Command::Retract(v1::Retracted { reason });
                self.inform(key, Some(id), command, group)?
            }
        };
        self.seal(key, draft, group.prepared.len() as u64, now_ms)
    }

    fn send(
        &self,
        key: [u8; 16],
        sent: v1::Sent,
        content: v1::ReferralContent,
        group: &Group,
        now_ms: u64,
    ) -> Result<Draft, Refused> {
        let by = self.identity.society;
        let secret = &self.identity.keyring.local;
        let case_digest = referral::case_digest(secret, by, &content.case_code);
        let sent = v1::Sent { case_digest, ..sent };
        // Of a referral that the group has changed, the group knows best.
        let unchanged = |found: &&referral::Referral| group.referrals.get(&found.id).is_none();
        let duplicate = group
            .referrals
            .open_like(by, &sent)
            .or_else(|| self.referrals.open_like(by, &sent).filter(unchanged));
        let context = referral::Context {
            origin: &self.identity.origin,
            event_id: key,
            now_ms,
            note: "",
            duplicate,
            onward_of: None,
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

    fn check_receiver(&self, receiver: Society) -> Result<(), Refused> {
        let may = |member: &&Member| {
            member.status == Status::Active
                && member.role != Role::Observer
                && member.society != self.identity.society
        };
        if self.roster.member(receiver).is_some_and(|member| may(&member)) {
            return Ok(());
        }
        let names: Vec<&str> =
            self.roster.members().iter().filter(may).map(|m| m.society.as_str()).collect();
        Err(Refused::Invalid(format!(
            "{receiver} cannot receive referrals in this federation; nothing was sent. Societies \
             that can: {}",
            names.join(", ")
        )))
    }

    fn advance(
        &self,
        key: [u8; 16],
        id: ReferralId,
        command: referral::Command,
        note: String,
        group: &Group,
        now_ms: u64,
    ) -> Result<Draft, Refused> {
        let referral = group.referrals.get(&id).or_else(|| self.referrals.get(&id));
        let context = referral::Context {
            origin: &self.identity.origin,
            event_id: key,
            now_ms,
            note: &note,
            duplicate: None,
            onward_of: None,
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

    fn inform(
        &self,
        key: [u8; 16],
        id: Option<InformationId>,
        command: information::Command,
        group: &Group,
    ) -> Result<Draft, Refused> {
        let share =
            id.and_then(|id| group.information.get(&id).or_else(|| self.information.get(&id)));
        let visibility = match &command {
            information::Command::Publish { visibility, .. } => *visibility,
            information::Command::Revise(_) | information::Command::Retract(_) => {
                share.map_or(Visibility::Federation, |share| share.visibility)
            }
        };
        let context = information::Context { origin: &self.identity.origin, event_id: key };
        let event = information::decide(share, command, &context)?;
        let id = id.unwrap_or_else(|| InformationId::of(&self.identity.origin, &key));
        Ok(Draft {
            id: *id.as_bytes(),
            visibility,
            addressees: Vec::new(),
            event: v1::record::Event::Information(event),
            content: None,
        })
    }

    /// Seals a draft and makes its entry, which will be the one `after` further than the log's end.
    fn seal(
        &mut self,
        key: [u8; 16],
        draft: Draft,
        after: u64,
        now_ms: u64,
    ) -> Result<Prepared, Refused> {
        let origin = self.identity.origin.clone();
        let index = self.store.tree(&origin).size() + after;
        let record = v1::Record {
            origin: origin.to_string(),
            event_id: key.to_vec(),
            // Accounts come with a later version; until then nobody is told apart.
            actor: String::new(),
            addressees: draft.addressees.iter().map(Society::to_string).collect(),
            event: Some(draft.event),
        };
        let content = draft.content.map(|content| v1::Content {
            origin: origin.to_string(),
            event_id: key.to_vec(),
            content: Some(content),
        });
        let parties = self.parties(&draft.addressees)?;
        let record_bytes = record.encode_to_vec();
        let mut bodies = Vec::with_capacity(2);
        let mut tags = Vec::new();
        match draft.visibility {
            Visibility::Public | Visibility::Federation => {
                let salted = sealing::salt(&record_bytes, &mut self.rng);
                if salted.len() as u64 > BODY_BYTES_MAX {
                    return Err(too_large(salted.len()));
                }
                bodies.push(salted);
            }
            Visibility::Addressed => {
                let both: Vec<Recipient> = parties
                    .iter()
                    .flat_map(|m| [m.case_key.clone(), m.audit_key.clone()])
                    .collect();
                let case: Vec<Recipient> = parties.iter().map(|m| m.case_key.clone()).collect();
                bodies.push(sealing::seal(&record_bytes, &both).map_err(not_sealed)?);
                if let Some(content) = &content {
                    let message = Zeroizing::new(content.encode_to_vec());
                    bodies.push(sealing::seal(&message, &case).map_err(not_sealed)?);
                }
                let keys: Vec<_> = parties
                    .iter()
                    .filter(|member| member.society != self.identity.society)
                    .map(|member| member.routing_key)
                    .collect();
                let secret = &self.identity.keyring.routing;
                tags = routing::tags(secret, &keys, &origin, index, &mut self.rng)
                    .map_err(|error| Refused::Internal(error.to_string()))?;
            }
        }
        let mut commitments = bodies
            .iter()
            .map(|body| Commitment { digest: sealing::digest(body), size: body.len() as u64 });
        let record_commitment = commitments
            .next()
            .ok_or_else(|| Refused::Internal("an entry without a record".into()))?;
        let header = Header {
            origin: origin.clone(),
            index,
            recorded_at_ms: now_ms,
            visibility: draft.visibility,
            record: record_commitment,
            content: commitments.next(),
            tags,
        };
        let receipt = Receipt { id: draft.id, origin, index, recorded_at_ms: now_ms };
        let entry = header.encode();
        Ok(Prepared { key, entry, header, bodies, record, receipt })
    }

    /// The addressees and this society, by the roster.
    fn parties(&self, addressees: &[Society]) -> Result<Vec<Member>, Refused> {
        let member = |society: &Society| {
            self.roster.member(*society).cloned().ok_or_else(|| {
                Refused::NotAllowed(format!(
                    "{society} is not in the roster, so nothing can be sealed to it; nothing was \
                     written. Install the newest roster"
                ))
            })
        };
        addressees.iter().chain([&self.identity.society]).map(member).collect()
    }

    fn append(&mut self, prepared: &[Prepared]) -> Result<(), Failed> {
        if prepared.is_empty() {
            return Ok(());
        }
        let origin = &self.identity.origin;
        let entries = prepared.iter().map(|prepared| prepared.entry.clone()).collect();
        let tree = self.store.tree(origin);
        let batch = VerifiedBatch::author(&tree, origin, entries, &self.identity.keyring.log)
            .map_err(|error| Failed::Other(error.to_string()))?;
        let bodies: Vec<&[u8]> =
            prepared.iter().flat_map(|p| &p.bodies).map(Vec::as_slice).collect();
        match self.store.append(&batch, &bodies) {
            Ok(()) => {
                let size = self.store.tree(&self.identity.origin).size();
                self.highwater = Some(self.highwater.unwrap_or(0).max(size));
                if self.mode == Mode::Full {
                    self.set_mode();
                }
                Ok(())
            }
            Err(StoreError::Full(problem)) => {
                if self.mode != Mode::Full {
                    tracing::warn!(%problem, "the disk is full: nothing new can be written");
                }
                self.mode = Mode::Full;
                Err(Failed::Full)
            }
            Err(StoreError::Fatal(error)) => {
                self.fatal = Some(StoreError::Fatal(error).to_string());
                Err(Failed::Stopping)
            }
            Err(error) => Err(Failed::Other(error.to_string())),
        }
    }

    /// Shows what is durable now: receipts, projections, peers, watchers.
    fn show(&mut self, prepared: &[Prepared], now_ms: u64) {
        let origin = self.identity.origin.clone();
        // What is not projected yet, if anything, comes first.
        if let Some(first) = prepared.first() {
            self.project_until(&origin, first.receipt.index, now_ms);
        }
        for prepared in prepared {
            self.projector.claim(&prepared.header);
            self.apply(&prepared.header, &prepared.record, now_ms);
            self.projector.skip_to(&origin, prepared.receipt.index + 1);
        }
        self.inbox.push_back(Happening::Grew(origin.clone()));
        self.changed(now_ms, "log", origin.to_string(), "grew");
    }
}

/// Why a group was not made durable.
enum Failed {
    Full,
    Stopping,
    Other(String),
}

impl Failed {
    fn refused(&self) -> Refused {
        match self {
            Self::Full => Refused::Full,
            Self::Stopping => Refused::Stopping,
            Self::Other(error) => {
                Refused::Internal(format!("nothing was written: {error}. See the node's own log"))
            }
        }
    }
}

impl Group {
    /// Takes a prepared write, and its effect on what comes after it in the group.
    fn take(
        &mut self,
        prepared: Prepared,
        referrals: &referral::Book,
        information: &information::Book,
    ) {
        let Prepared { receipt, record, header, .. } = &prepared;
        let at = EventRef { origin: receipt.origin.clone(), index: receipt.index };
        let recorded_at_ms = receipt.recorded_at_ms;
        if let Some(event) = referral::Event::from_record(
            at.clone(),
            recorded_at_ms,
            header.content.is_some(),
            record,
        ) {
            let id = ReferralId::from_bytes(receipt.id);
            if self.referrals.get(&id).is_none() {
                self.referrals.adopt(referrals, &id);
            }
            self.referrals.apply(event);
        } else if let Some(event) =
            information::Event::from_record(at, recorded_at_ms, header.visibility, record)
        {
            let id = InformationId::from_bytes(receipt.id);
            if self.information.get(&id).is_none() {
                self.information.adopt(information, &id);
            }
            self.information.apply(event);
        }
        self.prepared.push(prepared);
    }
}

fn key_used() -> Refused {
    Refused::Invalid(
        "the idempotency key was used for another write already; nothing was written now. Give a \
         key again only to repeat the very same, and none for something new"
            .into(),
    )
}

fn too_large(bytes: usize) -> Refused {
    Refused::Invalid(format!(
        "the text is {bytes} bytes with all its languages, more than {BODY_BYTES_MAX}; nothing was \
         written. Shorten it"
    ))
}

fn not_sealed(error: SealError) -> Refused {
    match error {
        SealError::TooLarge(bytes) => too_large(bytes),
        SealError::NoRecipient
        | SealError::TooManyRecipients(_)
        | SealError::Age(_)
        | SealError::Write(_) => Refused::Internal(format!("nothing was written: {error}")),
    }
}
