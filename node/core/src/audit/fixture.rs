//! A witnessed log with something special at a few places, and the means to make others.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use tutti_proto::v1::{self, referral_event::Transition};

use crate::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    entry::{Commitment, EntryBytes, Header, Visibility},
    export,
    head::{Head, SignedHead},
    information::InformationId,
    referral::ReferralId,
    roster::{
        Roster,
        tests::{Founder, found, founders},
    },
    sealing,
    store::{MemoryStore, Reader, Store},
    tiles::bundle,
};

pub(super) type Export = BTreeMap<String, Vec<u8>>;

/// A log of `ph`, witnessed by `qa` and `sg`, as `ph` holds it.
pub(super) struct Fixture {
    pub(super) founders: Vec<Founder>,
    pub(super) roster: Roster,
    pub(super) store: MemoryStore,
}

pub(super) const SIZE: u64 = 600;
/// What is special in the log, by index.
pub(super) const SEALED: u64 = 3;
pub(super) const ERASED: u64 = 260;
pub(super) const UNKNOWN: u64 = 300;

impl Fixture {
    pub(super) fn new() -> Self {
        let founders = founders(&["ph", "qa", "sg"]);
        let roster = found(&founders);
        let (mut store, mut rng) = (MemoryStore::new(), ChaCha20Rng::seed_from_u64(11));
        let ph = &founders[0];
        let origin = ph.origin();
        let (mut entries, mut bodies) = (Vec::new(), Vec::new());
        for index in 0..SIZE {
            let (record, visibility) = match index {
                SEALED => (referral(ph, index), Visibility::Addressed),
                _ => (information(ph, index), Visibility::Federation),
            };
            let body = match visibility {
                Visibility::Addressed => {
                    let keys = [ph.case.recipient(), ph.audit.recipient()];
                    sealing::seal(&record.encode_to_vec(), &keys).unwrap()
                }
                _ => sealing::salt(&record.encode_to_vec(), &mut rng),
            };
            let body = Body::new(Place::new(&origin, index, Part::Record), &body);
            let commitment = body.commitment();
            let absent = Commitment { digest: [9; 32], size: 1024 };
            let header = Header {
                origin: origin.clone(),
                index,
                recorded_at_ms: 1_764_000_000_000 + index,
                visibility,
                record: commitment,
                content: (index == SEALED).then_some(absent),
                tags: if index == SEALED { vec![[1; 16], [2; 16]] } else { vec![] },
            };
            entries.push(match index {
                UNKNOWN => EntryBytes::new(&[8, 2, 1, 2, 3]),
                _ => header.encode(),
            });
            // Few bodies are enough, and the rest are absent.
            if index < 5 || index == ERASED {
                bodies.push(body);
            }
        }
        for (start, end) in [(0, 256), (256, 400), (400, 600)] {
            let held = store.tree(&origin);
            let batch =
                VerifiedBatch::author(&held, &origin, entries[start..end].to_vec(), &ph.log);
            store.append(&batch.unwrap(), &[]).unwrap();
            let witness = &founders[if end == 400 { 1 } else { 2 }];
            let mut head = store.head(&origin).unwrap();
            head.cosign(witness.society, &witness.witness, 1_764_000_000 + end as u64).unwrap();
            store.put_head(&head).unwrap();
        }
        store.put_bodies(&bodies).unwrap();
        store.erase_body(&bodies[5].key()).unwrap();
        Self { founders, roster, store }
    }

    pub(super) fn export(&self) -> Export {
        let origin = self.founders[0].origin();
        export::files(&self.store, &origin, &[self.roster.as_bytes().to_vec()], true)
            .map(|file| file.map(|file| (file.path, file.bytes)).unwrap())
            .collect()
    }
}

pub(super) fn event_id(index: u64) -> [u8; 16] {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&index.to_be_bytes());
    id
}

pub(super) fn record(founder: &Founder, index: u64, event: v1::record::Event) -> v1::Record {
    v1::Record {
        origin: founder.origin().to_string(),
        event_id: event_id(index).to_vec(),
        actor: "a1".into(),
        approver: String::new(),
        addressees: Vec::new(),
        has_content: false,
        event: Some(event),
    }
}

pub(super) fn information(founder: &Founder, index: u64) -> v1::Record {
    use v1::information_event::Transition;
    let text = v1::LocalText { language: "eng".into(), title: "x".into(), ..Default::default() };
    let version = v1::InformationVersion { texts: vec![text], ..Default::default() };
    let id = InformationId::of(&founder.origin(), &event_id(index));
    let event = v1::InformationEvent {
        information_id: id.as_bytes().to_vec(),
        transition: Some(Transition::Published(version)),
        ..Default::default()
    };
    record(founder, index, v1::record::Event::Information(event))
}

/// A step of the referral that `ph` sent at [`SEALED`], or that was sent to it.
pub(super) fn step(founder: &Founder, index: u64, transition: Transition) -> v1::Record {
    let sends = matches!(transition, Transition::Sent(_));
    let id = ReferralId::of(&founder.origin(), &event_id(SEALED));
    let event = v1::ReferralEvent {
        referral_id: id.as_bytes().to_vec(),
        seen: None,
        transition: Some(transition),
    };
    let mut record = record(founder, index, v1::record::Event::Referral(event));
    record.addressees = vec!["sg".into()];
    record.has_content = sends;
    record
}

pub(super) fn referral(founder: &Founder, index: u64) -> v1::Record {
    let sent = v1::Sent {
        receiver: "sg".into(),
        priority: v1::Priority::Urgent as i32,
        legal_basis: v1::LegalBasis::VitalInterest as i32,
        services_requested: vec![v1::ServiceCategory::Health as i32],
        ..Default::default()
    };
    step(founder, index, Transition::Sent(sent))
}

/// Makes the log anew with other entries, signed by its own key: a society that lies.
pub(super) fn resign(fixture: &Fixture, entries: Vec<EntryBytes>) -> Export {
    log_of(&fixture.founders[0], &fixture.roster, entries)
}

/// A log of that society with these entries, which nobody has witnessed.
pub(super) fn log_of(author: &Founder, roster: &Roster, entries: Vec<EntryBytes>) -> Export {
    let mut tree = crate::tree::Tree::default();
    entries.iter().for_each(|entry| tree.push(entry.leaf_hash(), |_| ()));
    let head = Head { origin: author.origin(), size: tree.size(), root: tree.root() };
    let head = SignedHead::sign(head, &author.log).unwrap();
    let mut files = Export::from([
        ("roster/1".into(), roster.as_bytes().to_vec()),
        ("checkpoint".into(), head.to_bytes()),
    ]);
    let mut tiler = crate::tiles::Tiler::default();
    for entry in &entries {
        tiler.push(entry.leaf_hash(), |place, bytes| drop(files.insert(place.to_string(), bytes)));
    }
    files.extend(tiler.partial().into_iter().map(|(place, bytes)| (place.to_string(), bytes)));
    for (number, entries) in (0u64..).zip(entries.chunks(256)) {
        let place = crate::tiles::Place::new(crate::tiles::Layer::Entries, number, tree.size());
        files.insert(place.unwrap().to_string(), bundle(entries));
    }
    files
}

/// One record of federation visibility as a log of one entry.
pub(super) fn one_record(
    fixture: &Fixture,
    header: impl FnOnce(&mut Header),
    body: Vec<u8>,
) -> Export {
    let mut own = Header {
        origin: fixture.founders[0].origin(),
        index: 0,
        recorded_at_ms: 1,
        visibility: Visibility::Federation,
        record: Place::new(&fixture.founders[0].origin(), 0, Part::Record).commit(&body),
        content: None,
        tags: vec![],
    };
    header(&mut own);
    let mut files = resign(fixture, vec![own.encode()]);
    files.insert(export::body_path(&own.record.digest), body);
    files
}

pub(super) fn salted(record: &v1::Record) -> Vec<u8> {
    [vec![1; 32], record.encode_to_vec()].concat()
}

/// Addressed records from entry 0 on, sealed to the audit key of `ph`, as its whole log.
pub(super) fn sealed_log(fixture: &Fixture, records: &[v1::Record]) -> Export {
    let ph = &fixture.founders[0];
    let (mut entries, mut bodies) = (Vec::new(), Vec::new());
    for (index, record) in (0u64..).zip(records) {
        let body = sealing::seal(&record.encode_to_vec(), &[ph.audit.recipient()]).unwrap();
        let record = Place::new(&ph.origin(), index, Part::Record).commit(&body);
        let header = Header {
            origin: ph.origin(),
            index,
            recorded_at_ms: 1,
            visibility: Visibility::Addressed,
            record,
            content: Some(Commitment { digest: [9; 32], size: 1024 }),
            tags: vec![[1; 16], [2; 16]],
        };
        entries.push(header.encode());
        bodies.push((export::body_path(&record.digest), body));
    }
    let mut files = resign(fixture, entries);
    files.extend(bodies);
    files
}
