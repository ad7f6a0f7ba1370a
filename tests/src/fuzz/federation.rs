//! Two societies, a signed log of one of them, and its export: what the targets hold inputs against.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::OnceLock};

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
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

/// The message of a record: steps of a referral and of information in turn.
pub(super) fn record(ph: &Seeded, index: u64) -> v1::Record {
    use v1::{information_event, record::Event, referral_event};
    let event_id = |index: u64| {
        let mut id = [5; 16];
        id[..8].copy_from_slice(&index.to_be_bytes());
        id
    };
    let origin = ph.origin();
    let referral = |transition| {
        Event::Referral(v1::ReferralEvent {
            referral_id: ReferralId::of(&origin, &event_id(0)).as_bytes().to_vec(),
            seen: None,
            transition: Some(transition),
        })
    };
    let information = |transition| {
        Event::Information(v1::InformationEvent {
            information_id: InformationId::of(&origin, &event_id(1)).as_bytes().to_vec(),
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

impl Federation {
    fn new() -> Self {
        let (ph, sg) = (seeds::ph(), seeds::sg());
        let roster = seeds::roster();
        let origin = ph.origin();
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let audit = Identity::generate(&mut rng);
        let (mut entries, mut records) = (Vec::new(), Vec::new());
        for index in 0..SIZE {
            let message = record(&ph, index);
            let addressed = !message.addressees.is_empty();
            let bytes = message.encode_to_vec();
            let body = if addressed {
                // Sealing draws from the system's randomness; the export need not be the same twice.
                sealing::seal(&bytes, &[audit.recipient()]).unwrap()
            } else {
                sealing::salt(&bytes, &mut rng)
            };
            let body = Body::new(Place::new(&origin, index, Part::Record), &body);
            let record = body.commitment();
            let header = Header {
                origin: origin.clone(),
                index,
                recorded_at_ms: 1_764_000_000_000 + index,
                visibility: if addressed { Visibility::Addressed } else { Visibility::Federation },
                record,
                content: addressed
                    .then(|| Place::new(&origin, index, Part::Content).commit(b"absent")),
                tags: if addressed { vec![[1; 16], [2; 16]] } else { vec![] },
            };
            entries.push(header.encode());
            records.push(body);
        }
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
