//! The members of a simulated federation, with all their keys.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::RngCore as _;
use tutti_core::{
    keys::{KeyKind, NoteSecret},
    limits::FOUNDERS_MAX,
    roster::{Card, DataProtection, Draft, Member, Role, Roster, Status},
    sealing::{Identity, RoutingSecret},
    society::{Origin, Society},
};
use tutti_node::{keyring::Keyring, peers::TlsKey};
use zeroize::Zeroizing;

/// Its name.
pub(super) const NAME: &str = "migrants.example.org";

/// The secrets of one society, as they stand in its key files: a process that starts reads them.
#[derive(Debug)]
pub struct Secrets {
    log: Zeroizing<String>,
    witness: Zeroizing<String>,
    tls: Zeroizing<String>,
    case: Zeroizing<String>,
    audit: Zeroizing<String>,
    routing: Zeroizing<String>,
    local: [u8; 32],
}

impl Secrets {
    /// As a node that starts reads them.
    pub fn keyring(&self) -> Keyring {
        Keyring {
            log: self.log.parse().expect("a key as it was written"),
            witness: self.witness.parse().expect("a key as it was written"),
            tls: TlsKey::from_pem(&self.tls).expect("a key as it was written"),
            case: self.case.parse().expect("a key as it was written"),
            audit: self.audit.parse().expect("a key as it was written"),
            routing: self.routing.parse().expect("a key as it was written"),
            local: Zeroizing::new(self.local),
        }
    }
}

/// A roster and the secrets behind it.
#[derive(Debug)]
pub struct Federation {
    /// Signed by all.
    pub roster: Roster,
    /// By society.
    pub secrets: BTreeMap<Society, Secrets>,
}

/// The society with this number: aa, ab, ...
pub fn society(number: usize) -> Society {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
    format!("{}{}", letter(number / 26), letter(number)).parse().expect("two lower-case letters")
}

/// Its log.
pub fn origin(society: Society) -> Origin {
    Origin::new(NAME, society, 1).expect("a valid name")
}

impl Federation {
    /// So many societies, of which the last `relays` are relays; the same numbers give the same
    /// keys.
    pub fn new(members: usize, relays: usize, retention_days: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(members as u64);
        let (mut secrets, mut cards, mut roots) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (number, society) in (0..members).map(society).enumerate() {
            let (own, mut member, root) = draw(society, &mut rng);
            if number + relays >= members {
                member.role = Role::Relay;
            }
            let card = Card::sign(NAME, member, &root).expect("a sound card");
            cards.push(Card::open(&card).expect("a card as it was signed"));
            roots.push(root);
            secrets.insert(society, own);
        }
        Self { roster: found(&cards, &roots, retention_days), secrets }
    }
}

fn draw(society: Society, rng: &mut ChaCha20Rng) -> (Secrets, Member, NoteSecret) {
    let mut key =
        |name: String, kind| NoteSecret::generate(&name, kind, rng).expect("a valid name");
    let log = key(origin(society).to_string(), KeyKind::Signature);
    let root = key(format!("{NAME}/{society}/root"), KeyKind::Signature);
    let witness = key(format!("{NAME}/{society}/witness"), KeyKind::Cosignature);
    let tls = tls_pem(rng);
    let (case, audit) = (Identity::generate(rng), Identity::generate(rng));
    let routing = RoutingSecret::generate(rng);
    let member = Member {
        society,
        name: format!("Society {society}"),
        endpoints: Vec::new(),
        role: Role::Member,
        status: Status::Active,
        root_key: root.public().clone(),
        log_key: log.public().clone(),
        witness_key: witness.public().clone(),
        tls_key: TlsKey::from_pem(&tls).and_then(|key| key.spki()).expect("a sound key"),
        case_key: case.recipient(),
        audit_key: audit.recipient(),
        routing_key: routing.public(),
        desk: None,
    };
    let mut local = [0; 32];
    rng.fill_bytes(&mut local);
    let secrets = Secrets {
        log: log.to_secret_string(),
        witness: witness.to_secret_string(),
        tls,
        case: case.to_secret_string(),
        audit: audit.to_secret_string(),
        routing: routing.to_secret_string(),
        local,
    };
    (secrets, member, root)
}

/// A seed as PKCS#8 (RFC 8410): the library that draws such keys asks the operating system.
fn tls_pem(rng: &mut ChaCha20Rng) -> Zeroizing<String> {
    const PREFIX: [u8; 16] =
        [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    let der = Zeroizing::new([PREFIX.as_slice(), &*seed].concat());
    let text = BASE64_STANDARD.encode(&*der);
    Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
}

/// Version 1 by as many as may found a federation; who is left joins by later versions.
fn found(cards: &[Card], roots: &[NoteSecret], retention_days: u32) -> Roster {
    let protection = DataProtection {
        emergency_hours: 24,
        urgent_hours: 72,
        normal_hours: 336,
        retention_days,
        acknowledge_hours: None,
    };
    let founders = cards.len().min(FOUNDERS_MAX);
    let mut draft =
        Draft::found(&cards[..founders], 1, "2036-01-01", protection).expect("a sound roster");
    for root in &roots[..founders] {
        draft.sign(root).expect("a founder's key");
    }
    let mut roster = Roster::open_first(&draft.to_bytes()).expect("a roster that all signed");
    let mut members = founders;
    while members < cards.len() {
        // Each who joins signs, and one of those before.
        let next = cards.len().min(members + FOUNDERS_MAX - 1);
        let mut draft = Draft::succeed(&roster, |document| {
            document.members.extend(cards[members..next].iter().map(|card| card.member.clone()));
            document.members.sort_by_key(|member| member.society);
        })
        .expect("a sound successor");
        for root in roots[..1].iter().chain(&roots[members..next]) {
            draft.sign(root).expect("a member's key");
        }
        roster = Roster::open_next(&roster, &draft.to_bytes()).expect("a roster that all signed");
        members = next;
    }
    roster
}
