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

use rand_core::CryptoRngCore;
use tutti_core::{
    batch::VerifiedBatch,
    body::Body,
    entry::{EntryBytes, Header},
    information::{self, InformationId},
    referral::{self, EventRef, ReferralId},
    store::{Store, StoreError},
};
use tutti_proto::v1;

use super::{Engine, Mode, Order, Receipt, Refused, Write, exchange::Happening};

/// One write, decided and sealed, not yet durable.
struct Prepared {
    key: [u8; 16],
    entry: EntryBytes,
    header: Header,
    bodies: Vec<Body>,
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

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Commits what the node itself writes by its own rules; nothing that a person asks for.
    pub fn write(&mut self, group: Vec<Write>, now_ms: u64) -> Vec<Result<Receipt, Refused>> {
        self.write_all(group.into_iter().map(Order::by_node).collect(), now_ms)
    }

    /// Commits `group`; one answer an order, in the same order. What somebody may not do is
    /// refused, and they get no receipt of what others did.
    pub fn write_all(&mut self, group: Vec<Order>, now_ms: u64) -> Vec<Result<Receipt, Refused>> {
        let mut state = Group::default();
        let stopping = self.fatal.is_some();
        let answers: Vec<Answer> = group
            .into_iter()
            .map(|Order { by, write, draft }| {
                let key = write.key();
                if let Some(receipt) = self.receipts.get(&key) {
                    let before = self.event_of(receipt);
                    let same = before.is_none_or(|before| write.repeats(&before));
                    return Answer::Now(match same {
                        // To whoever may have written it.
                        true => self
                            .check_order(&by, &write, &state.referrals)
                            .map(|()| receipt.clone()),
                        false => Err(key_used()),
                    });
                }
                if stopping {
                    return Answer::Now(Err(Refused::Stopping));
                }
                let mut prepared = state.prepared.iter().enumerate();
                if let Some((at, before)) = prepared.find(|(_, prepared)| prepared.key == key) {
                    let same = before.record.event.as_ref().is_some_and(|e| write.repeats(e));
                    let may = self.check_order(&by, &write, &state.referrals);
                    return match may {
                        Ok(()) if same => Answer::Prepared(at),
                        Ok(()) => Answer::Now(Err(key_used())),
                        Err(refused) => Answer::Now(Err(refused)),
                    };
                }
                let prepared = self
                    .check_order(&by, &write, &state.referrals)
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
                    Err(refused) => Answer::Now(Err(refused)),
                    Ok(prepared) => {
                        // The first carries the key; what goes with it is durable with it.
                        let first = state.prepared.len();
                        for prepared in prepared {
                            state.take(prepared, &self.referrals, &self.information);
                        }
                        Answer::Prepared(first)
                    }
                }
            })
            .collect();
        let durable = self.append(&state.prepared);
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

    fn append(&mut self, prepared: &[Prepared]) -> Result<(), Failed> {
        if prepared.is_empty() {
            return Ok(());
        }
        let origin = &self.identity.origin;
        let entries = prepared.iter().map(|prepared| prepared.entry.clone()).collect();
        let tree = self.store.tree(origin);
        let batch = VerifiedBatch::author(&tree, origin, entries, &self.identity.keyring.log)
            .map_err(|error| Failed::Other(error.to_string()))?;
        let bodies: Vec<Body> = prepared.iter().flat_map(|p| p.bodies.clone()).collect();
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
            self.apply(&prepared.header, &prepared.record, now_ms);
            self.projector.skip_to(&origin, prepared.receipt.index + 1);
        }
        self.inbox.push_back(Happening::Grew(origin.clone()));
        for prepared in prepared {
            self.deliver(&prepared.header, now_ms);
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
        let content = header.content.is_some();
        if let Some(event) =
            referral::Event::from_record(at.clone(), recorded_at_ms, content, record)
        {
            let id = ReferralId::from_bytes(receipt.id);
            if self.referrals.get(&id).is_none() {
                self.referrals.adopt(referrals, &id);
            }
            self.referrals.apply(event);
        } else if let Some(event) =
            information::Event::from_record(at, recorded_at_ms, header.visibility, content, record)
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
