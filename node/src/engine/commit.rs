//! Writing: a group of writes is decided, sealed, signed and made durable as one.
//!
//! Each write is decided in turn against the state as the writes before it in the group leave it;
//! then there is one batch, one signature and one append, and only after it receipts, projections,
//! peers and watchers. A write whose key is known answers with its first receipt, also after a
//! restart: the key is the event's id. Invariant: what is refused has left no trace.

mod draft;
mod inform;
mod onward;
mod seal;

use std::{collections::BTreeMap, sync::Arc};

use rand_core::CryptoRngCore;
use tutti_core::{
    batch::VerifiedBatch,
    body::Body,
    entry::{EntryBytes, Header},
    information::{self, InformationId},
    referral::{self, EventRef, Referral, ReferralId},
    store::{Store, StoreError},
};
use tutti_proto::v1;

use super::{Engine, Mode, Order, Receipt, Refused, Write, exchange::Happening, project::Subject};
use crate::{clock::Now, local::Actor};

/// One write, decided and sealed, not yet durable.
struct Prepared {
    key: [u8; 16],
    entry: EntryBytes,
    header: Header,
    bodies: Vec<Body>,
    record: v1::Record,
    receipt: Receipt,
}

impl Prepared {
    fn at(&self) -> EventRef {
        EventRef { origin: self.receipt.origin.clone(), index: self.receipt.index }
    }

    /// What it says of the share `id`, where it is about that one.
    fn share_event(&self, id: &InformationId) -> Option<information::Event> {
        if self.receipt.id != *id.as_bytes() {
            return None;
        }
        let Self { receipt, record, header, .. } = self;
        let (recorded_at_ms, content) = (receipt.recorded_at_ms, header.content.is_some());
        information::Event::from_record(
            self.at(),
            recorded_at_ms,
            header.visibility,
            content,
            record,
        )
    }
}

/// What the group has prepared so far, and the state as it would be.
#[derive(Default)]
pub(super) struct Group {
    prepared: Vec<Prepared>,
    /// What the group has changed. A share is told when somebody asks: few writes do.
    referrals: BTreeMap<ReferralId, Arc<Referral>>,
}

impl Group {
    /// A referral as the group has changed it.
    pub(super) fn changed(&self, id: &ReferralId) -> Option<&Referral> {
        self.referrals.get(id).map(|case| &**case)
    }
}

/// The answer to one write of a group.
enum Answer {
    Now(Result<Receipt, Refused>),
    /// That of the prepared one at this place, once it is durable.
    Prepared(usize),
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Commits what the node itself writes by its own rules; nothing that a person asks for.
    pub fn write(
        &mut self,
        group: Vec<Write>,
        now: impl Into<Now>,
    ) -> Vec<Result<Receipt, Refused>> {
        let now_ms = self.set_now(now);
        self.commit_own(group, now_ms)
    }

    /// Commits `group`; one answer an order, in the same order. What somebody may not do is
    /// refused, and they get no receipt of what others did.
    pub fn write_all(
        &mut self,
        group: Vec<Order>,
        now: impl Into<Now>,
    ) -> Vec<Result<Receipt, Refused>> {
        let now_ms = self.set_now(now);
        self.commit(group, now_ms)
    }

    /// What the node writes by its own rules while it does something else.
    pub(super) fn commit_own(
        &mut self,
        group: Vec<Write>,
        now_ms: u64,
    ) -> Vec<Result<Receipt, Refused>> {
        self.commit(group.into_iter().map(Order::by_node).collect(), now_ms)
    }

    fn commit(&mut self, group: Vec<Order>, now_ms: u64) -> Vec<Result<Receipt, Refused>> {
        let mut state = Group::default();
        let stopping = self.fatal.is_some();
        let answers: Vec<Answer> = group
            .into_iter()
            .map(|Order { by, write, draft }| {
                let key = write.key();
                if let Some(index) = self.receipts.get(&key) {
                    return Answer::Now(self.repeated(&by, &write, *index, &state));
                }
                if stopping {
                    return Answer::Now(Err(Refused::Stopping));
                }
                let mut prepared = state.prepared.iter().enumerate();
                if let Some((at, before)) = prepared.find(|(_, prepared)| prepared.key == key) {
                    let same = before.record.event.as_ref().is_some_and(|e| write.repeats(e));
                    let may = self.check_order(&by, &write, &state);
                    return match may {
                        Ok(()) if same => Answer::Prepared(at),
                        Ok(()) => Answer::Now(Err(key_used())),
                        Err(refused) => Answer::Now(Err(refused)),
                    };
                }
                let prepared = self
                    .check_order(&by, &write, &state)
                    .and_then(|()| self.check_writing())
                    .and_then(|()| match &write {
                        // The case is opened for whoever passes it on as it is known.
                        Write::PassOn { id, told: None, .. } => {
                            self.record_reading(&by, *id, "onward", "", now_ms)
                        }
                        _ => Ok(()),
                    })
                    .and_then(|()| self.approver_of(&by, &write, draft))
                    .and_then(|approver| self.prepare(&by, &approver, write, &state, now_ms));
                match prepared {
                    Err(refused) => Answer::Now(Err(self.record_duplicate(&by, refused, now_ms))),
                    Ok(prepared) => {
                        // The first carries the key; what goes with it is durable with it.
                        let first = state.prepared.len();
                        for prepared in prepared {
                            self.take_prepared(&mut state, prepared);
                        }
                        Answer::Prepared(first)
                    }
                }
            })
            .collect();
        let durable = self.append(&mut state.prepared);
        if durable.is_ok() && !state.prepared.is_empty() {
            self.show(&state.prepared, now_ms);
            self.carry_stops(now_ms);
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

    /// The receipt for what was written under the same key, to whoever may have written it.
    fn repeated(
        &self,
        by: &Actor,
        write: &Write,
        index: u64,
        group: &Group,
    ) -> Result<Receipt, Refused> {
        let origin = self.identity.origin.clone();
        let at = EventRef { origin: origin.clone(), index };
        let event = match self.header_at(&at)? {
            Some(header) => Some((self.read_record(&header)?, header.recorded_at_ms)),
            None => None,
        };
        // Where the record cannot be read now, what was written is not known.
        let (before, recorded_at_ms) = match event {
            Some((Some(Ok(record)), recorded_at_ms)) => (record.event, recorded_at_ms),
            Some((Some(Err(_)) | None, recorded_at_ms)) => (None, recorded_at_ms),
            None => (None, 0),
        };
        if before.is_some_and(|before| !write.repeats(&before)) {
            return Err(key_used());
        }
        self.check_order(by, write, group)?;
        let id = match self.projector.subject(&at) {
            Some(Subject::Referral(id)) => *id.as_bytes(),
            Some(Subject::Information(id)) => *id.as_bytes(),
            Some(Subject::Unreadable(_) | Subject::Unknown) | None => {
                return Err(Refused::Internal("a receipt of what says nothing".into()));
            }
        };
        Ok(Receipt { id, origin, index, recorded_at_ms })
    }

    /// A referral as the group leaves it; refused where not all of it can be read.
    fn case_in(&self, group: &Group, id: &ReferralId) -> Result<Option<Arc<Referral>>, Refused> {
        if let Some(changed) = group.referrals.get(id) {
            return Ok(Some(changed.clone()));
        }
        self.check_readable(id)?;
        Ok(self.case(id))
    }

    /// Takes a prepared write, and its effect on what comes after it in the group.
    fn take_prepared(&self, group: &mut Group, prepared: Prepared) {
        let Prepared { receipt, record, header, .. } = &prepared;
        let (recorded_at_ms, content) = (receipt.recorded_at_ms, header.content.is_some());
        if let Some(event) =
            referral::Event::from_record(prepared.at(), recorded_at_ms, content, record)
        {
            let id = ReferralId::from_bytes(receipt.id);
            let before: Vec<_> = match group.referrals.get(&id) {
                Some(changed) => changed.outcomes.clone(),
                None => self.told_case(&id).outcomes().to_vec(),
            };
            let events = before.into_iter().map(|outcome| outcome.event).chain([event]);
            if let Some(case) = referral::tell(id, events).referral {
                group.referrals.insert(id, case);
            }
        }
        group.prepared.push(prepared);
    }

    /// Makes them durable. Their bodies are the store's from then on.
    fn append(&mut self, prepared: &mut [Prepared]) -> Result<(), Failed> {
        if prepared.is_empty() {
            return Ok(());
        }
        let origin = &self.identity.origin;
        let entries = prepared.iter().map(|prepared| prepared.entry.clone()).collect();
        let tree = self.store.tree(origin);
        let batch = VerifiedBatch::author(&tree, origin, entries, &self.identity.keyring.log)
            .map_err(|error| Failed::Other(error.to_string()))?;
        let bodies: Vec<Body> =
            prepared.iter_mut().flat_map(|prepared| std::mem::take(&mut prepared.bodies)).collect();
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
            self.keep_opened(&prepared.header, &prepared.record);
            self.apply(&prepared.header, &prepared.record, now_ms);
            self.projector.skip_to(&origin, prepared.receipt.index + 1);
        }
        self.inbox.push_back(Happening::Grew(origin.clone()));
        for prepared in prepared {
            self.deliver(&prepared.header);
        }
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

fn key_used() -> Refused {
    Refused::Invalid(
        "the idempotency key was used for another write already; nothing was written now. Give a \
         key again only to repeat the very same, and none for something new"
            .into(),
    )
}

#[cfg(test)]
mod tests;
