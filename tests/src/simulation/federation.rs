//! The members of a simulated federation, with all their keys.

use std::collections::BTreeMap;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use tutti_core::{
    keys::{KeyKind, NoteSecret},
    roster::{Card, DataProtection, Draft, Member, Role, Roster, Status, TlsSpki},
    sealing::{Identity, PairKey, RoutingSecret},
    society::{Origin, Society},
};

/// Its name.
pub(super) const NAME: &str = "migrants.example.org";

/// The secrets of one society that the exchange needs.
#[derive(Debug)]
pub struct Secrets {
    /// Signs its log.
    pub log: NoteSecret,
    /// Cosigns others'.
    pub witness: NoteSecret,
    /// Recognises what is addressed to it.
    pub routing: RoutingSecret,
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
    /// So many societies; the same number gives the same keys.
    pub fn new(members: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(members as u64);
        let (mut secrets, mut cards, mut roots) = (BTreeMap::new(), Vec::new(), Vec::new());
        for society in (0..members).map(society) {
            let mut key = |name: String, kind| {
                NoteSecret::generate(&name, kind, &mut rng).expect("a valid name")
            };
            let log = key(origin(society).to_string(), KeyKind::Signature);
            let root = key(format!("{NAME}/{society}/root"), KeyKind::Signature);
            let tls = key("tls".into(), KeyKind::Signature);
            let witness = key(format!("{NAME}/{society}/witness"), KeyKind::Cosignature);
            let routing = RoutingSecret::generate(&mut rng);
            let member = Member {
                society,
                name: format!("Society {society}"),
                endpoints: Vec::new(),
                role: Role::Member,
                status: Status::Active,
                root_key: root.public().clone(),
                log_key: log.public().clone(),
                witness_key: witness.public().clone(),
                tls_key: TlsSpki::from_ed25519(tls.public().as_bytes()).expect("a sound key"),
                case_key: Identity::generate(&mut rng).recipient(),
                audit_key: Identity::generate(&mut rng).recipient(),
                routing_key: routing.public(),
            };
            let card = Card::sign(NAME, member, &root).expect("a sound card");
            cards.push(Card::open(&card).expect("a card as it was signed"));
            roots.push(root);
            secrets.insert(society, Secrets { log, witness, routing });
        }
        let protection = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 365,
        };
        let mut draft = Draft::found(&cards, 1, "2036-01-01", protection).expect("a sound roster");
        for root in &roots {
            draft.sign(root).expect("a founder's key");
        }
        let roster = Roster::open_first(&draft.to_bytes()).expect("a roster that all signed");
        Self { roster, secrets }
    }

    /// What two societies share.
    pub fn pair(&self, one: Society, other: Society) -> PairKey {
        let member = self.roster.member(other).expect("a member");
        self.secrets[&one].routing.pair(&member.routing_key)
    }
}
