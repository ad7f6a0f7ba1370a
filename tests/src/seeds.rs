//! Societies whose keys come from seeds: the same everywhere and for ever.

// Keys that were made here are sound, and not every caller wants each of them.
#![allow(clippy::unwrap_used, dead_code)]

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use tutti_core::{
    entry::{Commitment, EntryBytes, Header, Visibility},
    keys::{KeyKind, NoteSecret},
    roster::{Card, DataProtection, Draft, Member, Role, Roster, Status, TlsSpki},
    sealing::{Identity, RoutingSecret},
    society::{Origin, Society},
};

pub(crate) const FEDERATION: &str = "migrants.example.org";

pub(crate) struct Seeded {
    pub(crate) society: Society,
    pub(crate) root: NoteSecret,
    pub(crate) log: NoteSecret,
    pub(crate) witness: NoteSecret,
    pub(crate) routing: RoutingSecret,
    pub(crate) member: Member,
}

impl Seeded {
    pub(crate) fn new(code: &str, name: &str, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut note = |name: &str, kind| {
            NoteSecret::generate(&format!("{FEDERATION}/{code}/{name}"), kind, &mut rng).unwrap()
        };
        let (root, log) = (note("root", KeyKind::Signature), note("1", KeyKind::Signature));
        let witness = note("witness", KeyKind::Cosignature);
        let tls = note("tls", KeyKind::Signature);
        let (case, audit) = (Identity::generate(&mut rng), Identity::generate(&mut rng));
        let routing = RoutingSecret::generate(&mut rng);
        let society = code.parse().unwrap();
        let member = Member {
            society,
            name: name.into(),
            endpoints: vec![format!("tutti.{code}.example.org:7400")],
            role: Role::Member,
            status: Status::Active,
            root_key: root.public().clone(),
            log_key: log.public().clone(),
            witness_key: witness.public().clone(),
            tls_key: TlsSpki::from_ed25519(tls.public().as_bytes()).unwrap(),
            case_key: case.recipient(),
            audit_key: audit.recipient(),
            routing_key: routing.public(),
            desk: None,
        };
        Self { society, root, log, witness, routing, member }
    }

    pub(crate) fn origin(&self) -> Origin {
        self.log.public().name().parse().unwrap()
    }

    pub(crate) fn card(&self) -> Vec<u8> {
        Card::sign(FEDERATION, self.member.clone(), &self.root).unwrap()
    }
}

pub(crate) fn ph() -> Seeded {
    Seeded::new("ph", "Philippine Red Cross", 1)
}

pub(crate) fn sg() -> Seeded {
    Seeded::new("sg", "Singapore Red Cross Society", 2)
}

/// Version 1 of a federation of two.
pub(crate) fn draft(founders: &[&Seeded]) -> Draft {
    let cards: Vec<Card> = founders.iter().map(|f| Card::open(&f.card()).unwrap()).collect();
    let times = DataProtection {
        emergency_hours: 24,
        urgent_hours: 72,
        normal_hours: 336,
        retention_days: 730,
        acknowledge_hours: None,
    };
    let mut draft = Draft::found(&cards, 2, "2028-12-31", times).unwrap();
    for founder in founders {
        draft.sign(&founder.root).unwrap();
    }
    draft
}

pub(crate) fn roster() -> Roster {
    Roster::open_first(&draft(&[&ph(), &sg()]).to_bytes()).unwrap()
}

/// An addressed entry with a content and two tags.
pub(crate) fn header(origin: &Origin, index: u64) -> Header {
    let digest = |part: u8| {
        let mut digest = [part; 32];
        digest[..8].copy_from_slice(&index.to_be_bytes());
        digest
    };
    Header {
        origin: origin.clone(),
        index,
        recorded_at_ms: 1_764_000_000_000 + index * 1_000,
        visibility: Visibility::Addressed,
        record: Commitment { digest: digest(1), size: 4_000 },
        content: Some(Commitment { digest: digest(2), size: 8_000 }),
        tags: vec![[3; 16], [4; 16]],
    }
}

/// The log of `ph`.
pub(crate) fn entries(origin: &Origin, size: u64) -> Vec<EntryBytes> {
    (0..size).map(|index| header(origin, index).encode()).collect()
}
