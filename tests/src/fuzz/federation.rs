//! Two societies, a signed log of one of them, and its export: what the targets hold inputs against.
//!
//! It is the same to the byte in every run, so that an input that one run has found says the same in
//! the next: keys and salts come from seeds, and what is sealed (for which `age` draws its own
//! randomness, ADR 1) lies frozen in `tests/fuzz/sealed`. Whoever changes the history changes the
//! keys with it, since they are drawn from its digest. So a head in the corpus that an older history
//! had signed is a forgery, which is refused, and never a second truth.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::OnceLock};

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use sha2::{Digest as _, Sha256};
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    entry::{EntryBytes, Header, Visibility},
    export,
    head::SignedHead,
    information::InformationId,
    referral::ReferralId,
    roster::Roster,
    sealing::{self, Identity},
    society::Origin,
    store::{MemoryStore, Reader as _, Store as _},
    tree::Tree,
};
use tutti_proto::v1;

use crate::seeds::{self, Seeded};

/// Entries in the log.
pub(super) const SIZE: u64 = 12;

/// See the module.
pub(super) struct Federation {
    pub(super) ph: Seeded,
    pub(super) sg: Seeded,
    pub(super) roster: Roster,
    /// Opens what is sealed in the log.
    pub(super) audit: Identity,
    /// The log of `ph`: `SIZE` entries, their records, and the head, cosigned by `sg`.
    pub(super) entries: Vec<EntryBytes>,
    pub(super) records: Vec<Body>,
    pub(super) head: SignedHead,
    pub(super) store: MemoryStore,
    pub(super) export: BTreeMap<String, Vec<u8>>,
}

/// Made once a process.
pub(super) fn federation() -> &'static Federation {
    static ONCE: OnceLock<Federation> = OnceLock::new();
    ONCE.get_or_init(Federation::new)
}

/// The records of the entries that are addressed, sealed to [`audit`] once and for all.
pub(super) const SEALED: [(u64, &[u8]); 6] = [
    (0, include_bytes!("../../fuzz/sealed/00.age")),
    (2, include_bytes!("../../fuzz/sealed/02.age")),
    (4, include_bytes!("../../fuzz/sealed/04.age")),
    (6, include_bytes!("../../fuzz/sealed/06.age")),
    (8, include_bytes!("../../fuzz/sealed/08.age")),
    (10, include_bytes!("../../fuzz/sealed/10.age")),
];

/// Opens what is sealed in the log.
pub(super) fn audit() -> Identity {
    Identity::generate(&mut ChaCha20Rng::seed_from_u64(3))
}

/// The message of a record: steps of a referral and of information in turn.
pub(super) fn record(origin: &Origin, index: u64) -> v1::Record {
    use v1::{information_event, record::Event, referral_event};
    let event_id = |index: u64| {
        let mut id = [5; 16];
        id[..8].copy_from_slice(&index.to_be_bytes());
        id
    };
    let referral = |transition| {
        Event::Referral(v1::ReferralEvent {
            referral_id: ReferralId::of(origin, &event_id(0)).as_bytes().to_vec(),
            seen: None,
            transition: Some(transition),
        })
    };
    let information = |transition| {
        Event::Information(v1::InformationEvent {
            information_id: InformationId::of(origin, &event_id(1)).as_bytes().to_vec(),
            transition: Some(transition),
            ..Default::default()
        })
    };
    let text =
        v1::LocalText { language: "eng".into(), title: "Hours".into(), ..Default::default() };
    let version = v1::InformationVersion { texts: vec![text], ..Default::default() };
    let sent = v1::Sent {
        receiver: "sg".into(),
        priority: v1::Priority::Urgent as i32,
        ..Default::default()
    };
    let (event, addressees) = match index % 4 {
        0 => (referral(referral_event::Transition::Sent(sent)), vec!["sg".to_string()]),
        1 => (information(information_event::Transition::Published(version)), vec![]),
        2 => (
            referral(referral_event::Transition::Withdrawn(v1::Withdrawn::default())),
            vec!["sg".into()],
        ),
        _ => (information(information_event::Transition::Revised(version)), vec![]),
    };
    v1::Record {
        origin: origin.to_string(),
        event_id: event_id(index).to_vec(),
        actor: "a1".into(),
        approver: String::new(),
        has_content: index.is_multiple_of(4),
        addressees,
        event: Some(event),
    }
}

/// Entries and their records, from nothing but seeds and what is frozen.
fn history(origin: &Origin) -> (Vec<EntryBytes>, Vec<Body>) {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (mut entries, mut records) = (Vec::new(), Vec::new());
    for index in 0..SIZE {
        let message = record(origin, index);
        let addressed = !message.addressees.is_empty();
        let body = if addressed {
            SEALED.iter().find(|(at, _)| *at == index).unwrap().1.to_vec()
        } else {
            sealing::salt(&message.encode_to_vec(), &mut rng).to_vec()
        };
        let body = Body::new(Place::new(origin, index, Part::Record), &body);
        let header = Header {
            origin: origin.clone(),
            index,
            recorded_at_ms: 1_764_000_000_000 + index,
            visibility: if addressed { Visibility::Addressed } else { Visibility::Federation },
            record: body.commitment(),
            content: addressed.then(|| Place::new(origin, index, Part::Content).commit(b"absent")),
            tags: if addressed { vec![[1; 16], [2; 16]] } else { vec![] },
        };
        entries.push(header.encode());
        records.push(body);
    }
    (entries, records)
}

/// What all keys are drawn from: another where entries or rosters are written otherwise.
fn seed(entries: &[EntryBytes]) -> u64 {
    let mut digest = Sha256::new();
    entries.iter().for_each(|entry| digest.update(entry.as_slice()));
    digest.update(seeds::roster().as_bytes());
    digest.update(seeds::ph().card());
    u64::from_be_bytes(digest.finalize()[..8].try_into().unwrap())
}

impl Federation {
    pub(super) fn new() -> Self {
        let origin = seeds::ph().origin();
        let (entries, records) = history(&origin);
        let seed = seed(&entries);
        let ph = Seeded::new("ph", "Philippine Red Cross", seed);
        let sg = Seeded::new("sg", "Singapore Red Cross Society", seed ^ 1);
        let roster = Roster::open_first(&seeds::draft(&[&ph, &sg]).to_bytes()).unwrap();
        let audit = audit();
        let batch =
            VerifiedBatch::author(&Tree::default(), &origin, entries.clone(), &ph.log).unwrap();
        let mut store = MemoryStore::new();
        store.append(&batch, &records).unwrap();
        let mut head = store.head(&origin).unwrap();
        head.cosign(sg.society, &sg.witness, 1_764_000_000).unwrap();
        store.put_head(&head).unwrap();
        let export = export::files(&store, &origin, &[roster.as_bytes().to_vec()], true)
            .map(|file| file.map(|file| (file.path, file.bytes)).unwrap())
            .collect();
        Self { ph, sg, roster, audit, entries, records, head, store, export }
    }
}
