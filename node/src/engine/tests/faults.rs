//! A disk that is full, or that fails.

use std::{collections::BTreeMap, io};

use tlog_tiles::Hash;
use tutti_core::{
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    referral::EventRef,
    session::{Effect, Unkept},
    society::Society,
    store::{BodyState, Reader, StoreError},
    tree::Tree,
};

use super::{onward::withdraw_consent, *};
use crate::engine::Mode;

/// What the next append does.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Works,
    Full,
    Fails,
}

struct Faulty {
    memory: MemoryStore,
    next: Next,
    /// The entry that the disk does not give back at this moment.
    unreadable: Option<EventRef>,
}

fn faulty(next: Next) -> Faulty {
    Faulty { memory: MemoryStore::new(), next, unreadable: None }
}

impl Reader for Faulty {
    fn logs(&self) -> Vec<Origin> {
        self.memory.logs()
    }
    fn tree(&self, origin: &Origin) -> Tree {
        self.memory.tree(origin)
    }
    fn head(&self, origin: &Origin) -> Option<SignedHead> {
        self.memory.head(origin)
    }
    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead> {
        self.memory.cosigned(origin)
    }
    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        let unreadable = self.unreadable.as_ref().filter(|at| at.origin == *origin);
        let asked = start..start.saturating_add(count);
        match unreadable.is_some_and(|at| asked.contains(&at.index)) {
            true => Err(StoreError::Damaged {
                place: origin.to_string(),
                problem: "input/output error".into(),
            }),
            false => self.memory.entries(origin, start, count, max_bytes),
        }
    }
    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError> {
        self.memory.root_at(origin, size)
    }
    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        self.memory.consistency(origin, from, to)
    }
    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.memory.inclusion(origin, index, size)
    }
    fn body_state(&self, key: &BodyKey) -> BodyState {
        self.memory.body_state(key)
    }
    fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.body(key, offset, max_bytes)
    }
    fn opened(&self, key: &BodyKey) -> Option<Vec<u8>> {
        self.memory.opened(key)
    }
    fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.memory.notes()
    }
    fn evidence(&self, origin: &Origin) -> Option<Evidence> {
        self.memory.evidence(origin)
    }
}

impl Store for Faulty {
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        match self.next {
            Next::Works => self.memory.append(batch, bodies),
            Next::Full => Err(StoreError::Full(io::ErrorKind::StorageFull.into())),
            Next::Fails => Err(StoreError::Fatal(io::Error::other("fsync"))),
        }
    }
    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError> {
        self.memory.put_bodies(bodies)
    }
    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        self.memory.put_head(head)
    }
    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.memory.erase_body(key)
    }
    fn drop_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.memory.drop_body(key)
    }
    fn keep_opened(&mut self, key: &BodyKey, sealed: &[u8]) {
        self.memory.keep_opened(key, sealed);
    }
    fn put_note(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.memory.put_note(key, value)
    }
    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        self.memory.put_evidence(evidence)
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let federation = federation();
    let mut sg = engine(&federation, "sg", faulty(Next::Works));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    sg.inbox.clear();
    sg.store.next = Next::Full;
    let group = vec![advance(2, id, withdraw(), ""), send(1), advance(2, id, withdraw(), "")];
    let answers = sg.write(group, NOW_MS);
    assert!(matches!(answers[0], Err(Refused::Full)));
    assert!(answers[1].is_ok(), "what was written before is still known");
    assert!(matches!(answers[2], Err(Refused::Full)));
    assert_eq!(*sg.mode(), Mode::Full);
    assert!(
        sg.status(&Actor::node(), NOW_MS)
            .unwrap()
            .warnings
            .iter()
            .any(|text| text.contains("the disk is full"))
    );
    let request =
        api::GetReferralRequest { id: id.to_string(), with_content: true, ..Default::default() };
    let referral = sg.referral(&Actor::node(), &request, NOW_MS).unwrap();
    assert_eq!(referral.state(), api::ReferralState::Sent, "what is not durable is not shown");
    assert!(referral.content.is_some(), "reading goes on");
    assert!(sg.inbox.is_empty(), "no peer is told");
    sg.store.next = Next::Works;
    assert_eq!(one(&mut sg, advance(2, id, withdraw(), "")).unwrap().index, 1);
    assert_eq!(*sg.mode(), Mode::Writing);
}

#[test]
fn a_disk_that_fails_ends_the_engine() {
    let federation = federation();
    let mut sg = engine(&federation, "sg", faulty(Next::Fails));
    assert!(matches!(one(&mut sg, send(1)), Err(Refused::Stopping)));
    assert!(sg.fatal().unwrap().contains("fsync"));
    // It is never tried again.
    sg.store.next = Next::Works;
    assert!(matches!(one(&mut sg, send(1)), Err(Refused::Stopping)));
    assert_eq!(sg.store.logs().len(), 0);
    assert_eq!(sg.referral_counts(&Actor::node()).values().sum::<u64>(), 0);
}

#[test]
fn what_a_full_disk_did_not_take_from_a_peer_is_told_to_the_exchange() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let mut ph = engine(&federation, "ph", faulty(Next::Full));
    let writes = vec![send(3)];
    assert!(sg.write(writes, NOW_MS)[0].is_ok());
    let log = origin("sg");
    let entries = sg.store.entries(&log, 0, 1, usize::MAX).unwrap();
    let head = sg.store.head(&log).unwrap();
    let batch = VerifiedBatch::verify(&Tree::default(), 0, &entries, head, Vec::new()).unwrap();
    ph.run(Effect::Append(batch), NOW_MS);
    assert!(ph.fatal().is_none());
    let told = ph.inbox.pop_front();
    assert!(
        matches!(&told, Some(Happening::NotKept(Unkept::Entries(origin))) if *origin == log),
        "{told:?}"
    );
    assert!(ph.inbox.is_empty(), "nothing grew");
}

#[test]
fn a_fenced_node_signs_nothing_and_still_knows_its_receipts() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let first = one(&mut sg, send(1)).unwrap();
    sg.own_log_is_ahead(7);
    let refused = one(&mut sg, advance(2, id_of(&first), withdraw(), "")).unwrap_err();
    assert!(matches!(refused, Refused::NotWriting(_)), "{refused}");
    assert_eq!(one(&mut sg, send(1)).unwrap(), first);
    assert_eq!(sg.store.tree(&origin("sg")).size(), 1);
}

/// Its header says which content it is. Without that none was looked for, and none was erased.
#[test]
fn a_receipt_names_no_content_whose_entry_could_not_be_read() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let mut ph = engine(&federation, "ph", faulty(Next::Works));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    let at = EventRef { origin: origin("sg"), index: 0 };
    let key = sg.header_at(&at).unwrap().unwrap().body_key(Part::Content).unwrap();
    assert_eq!(ph.store.body_state(&key), BodyState::Present);
    ph.store.unreadable = Some(at);
    one(&mut sg, advance(2, id, withdraw_consent(), "")).unwrap();
    pass(&sg, &mut ph);
    let receipts = |ph: &On<Faulty>| ph.store.tree(&origin("ph")).size();
    for later_ms in [0, 2000, 61_000, 63_000] {
        ph.tick(NOW_MS + later_ms);
        assert_eq!((ph.store.body_state(&key), receipts(&ph)), (BodyState::Present, 0));
    }
    ph.store.unreadable = None;
    ph.tick(NOW_MS + 125_000);
    assert_eq!((ph.store.body_state(&key), receipts(&ph)), (BodyState::Erased, 1));
    let erasure = shown(&ph, id).erasure.unwrap();
    assert!(erasure.confirmations.iter().any(|side| side.society == "ph" && side.confirmed));
}
