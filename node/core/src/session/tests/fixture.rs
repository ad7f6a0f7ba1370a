//! A small federation, its nodes, and a wire between them that the tests can listen in on.

use std::collections::BTreeMap;

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use tutti_proto::v1;

use super::super::{Effect, Exchange, Input, LinkId, Misbehaved, Settings, Unkept};
use crate::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    entry::{Commitment, EntryBytes, Header, Visibility},
    keys::{KeyKind, NoteSecret},
    roster::{Card, DataProtection, Draft, Member, Role, Roster, Status, TlsSpki},
    sealing::{Identity, RoutingSecret},
    society::{Origin, Society},
    store::{MemoryStore, Reader as _, Store as _},
};

pub(super) const FEDERATION: &str = "m.example.org";

pub(super) struct Secrets {
    pub(super) log: NoteSecret,
    pub(super) witness: NoteSecret,
    pub(super) routing: RoutingSecret,
}

pub(super) struct Federation {
    pub(super) roster: Roster,
    pub(super) secrets: BTreeMap<Society, Secrets>,
}

pub(super) fn society(code: &str) -> Society {
    code.parse().unwrap()
}

pub(super) fn origin(code: &str) -> Origin {
    Origin::new(FEDERATION, society(code), 1).unwrap()
}

impl Federation {
    pub(super) fn new(codes: &[&str]) -> Self {
        Self::with(codes, |_| {})
    }

    pub(super) fn with(codes: &[&str], change: impl Fn(&mut Member)) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(codes.len() as u64);
        let mut secrets = BTreeMap::new();
        let mut cards = Vec::new();
        let mut roots = Vec::new();
        for code in codes {
            let mut key = |name: String, kind| NoteSecret::generate(&name, kind, &mut rng).unwrap();
            let log = key(origin(code).to_string(), KeyKind::Signature);
            let root = key(format!("{FEDERATION}/{code}/root"), KeyKind::Signature);
            let tls = key("tls".into(), KeyKind::Signature);
            let witness = key(format!("{FEDERATION}/{code}/witness"), KeyKind::Cosignature);
            let routing = RoutingSecret::generate(&mut rng);
            let mut member = Member {
                society: society(code),
                name: format!("Society {code}"),
                endpoints: Vec::new(),
                role: Role::Member,
                status: Status::Active,
                root_key: root.public().clone(),
                log_key: log.public().clone(),
                witness_key: witness.public().clone(),
                tls_key: TlsSpki::from_ed25519(tls.public().as_bytes()).unwrap(),
                case_key: Identity::generate(&mut rng).recipient(),
                audit_key: Identity::generate(&mut rng).recipient(),
                routing_key: routing.public(),
                desk: None,
            };
            change(&mut member);
            cards.push(Card::open(&Card::sign(FEDERATION, member, &root).unwrap()).unwrap());
            roots.push(root);
            secrets.insert(society(code), Secrets { log, witness, routing });
        }
        let protection = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 365,
            acknowledge_hours: None,
        };
        let mut draft = Draft::found(&cards, 1, "2036-01-01", protection).unwrap();
        for root in &roots {
            draft.sign(root).unwrap();
        }
        Self { roster: Roster::open_first(&draft.to_bytes()).unwrap(), secrets }
    }

    pub(super) fn node(&self, code: &str) -> Node<'_> {
        let settings = Settings::new(
            society(code),
            origin(code),
            self.roster.version(),
            self.roster.hash(),
            [code.as_bytes()[0]; 16],
        );
        Node {
            federation: self,
            society: society(code),
            exchange: Exchange::new(settings),
            store: MemoryStore::new(),
            rng: ChaCha20Rng::seed_from_u64(7),
            now_ms: 1_000_000,
            sent: Vec::new(),
            closed: Vec::new(),
            others: Vec::new(),
            full: false,
        }
    }

    pub(super) fn hello(&self, code: &str) -> v1::Hello {
        v1::Hello {
            version: 1,
            federation: FEDERATION.into(),
            society: code.into(),
            roster_version: self.roster.version(),
            roster_hash: self.roster.hash().to_vec(),
            incarnation: vec![1; 16],
        }
    }
}

pub(super) type Kind = v1::frame::Frame;

/// A node whose effects are run as the engine would, and whose frames wait in `sent`.
pub(super) struct Node<'a> {
    pub(super) federation: &'a Federation,
    pub(super) society: Society,
    pub(super) exchange: Exchange,
    pub(super) store: MemoryStore,
    pub(super) rng: ChaCha20Rng,
    pub(super) now_ms: u64,
    pub(super) sent: Vec<(LinkId, Kind)>,
    pub(super) closed: Vec<(LinkId, Misbehaved)>,
    /// Effects that are neither sent nor stored.
    pub(super) others: Vec<Effect>,
    /// The disk is full: nothing is stored.
    pub(super) full: bool,
}

impl Node<'_> {
    pub(super) fn origin(&self) -> Origin {
        origin(self.society.as_str())
    }

    pub(super) fn input(&mut self, input: Input) {
        let effects = self.exchange.handle(
            input,
            self.now_ms,
            &self.store,
            &self.federation.roster,
            &mut self.rng,
        );
        let each = self.exchange.logs.iter().filter_map(|(_, log)| log.next_timer());
        assert_eq!(self.exchange.logs.next_timer(), each.min(), "a timer is lost, or rings twice");
        let digests = self.exchange.logs.digests();
        self.exchange.logs.iter_mut().for_each(drop);
        assert_eq!(self.exchange.logs.digests(), digests, "a digest is of what was held before");
        self.fits(&effects);
        for effect in effects {
            if let Some(unkept) = unkept(&effect).filter(|_| self.full) {
                self.input(Input::NotKept(unkept));
                continue;
            }
            match effect {
                Effect::Send { link, frame } => self.sent.push((link, frame.frame.unwrap())),
                Effect::Close { link, why } => self.closed.push((link, why)),
                Effect::Append(batch) => {
                    self.store.append(&batch, &[]).unwrap();
                    self.input(Input::Grew { origin: batch.origin().clone() });
                }
                Effect::Head(head) => {
                    self.store.put_head(&head).unwrap();
                    self.input(Input::Grew { origin: head.origin().clone() });
                }
                Effect::Cosign(mut head) => {
                    let secrets = &self.federation.secrets[&self.society];
                    assert_ne!(head.origin().society(), self.society);
                    self.others.push(Effect::Cosign(head.clone()));
                    head.cosign(self.society, &secrets.witness, self.now_ms / 1000).unwrap();
                    self.store.put_head(&head).unwrap();
                    self.input(Input::Grew { origin: head.origin().clone() });
                }
                Effect::Evidence(evidence) => {
                    self.store.put_evidence(&evidence).unwrap();
                    self.others.push(Effect::Evidence(evidence));
                }
                Effect::Body { want, body } => {
                    self.store.put_bodies(std::slice::from_ref(&body)).unwrap();
                    self.others.push(Effect::Body { want, body });
                }
                Effect::Met { .. } => {}
                other @ (Effect::BodyErased { .. }
                | Effect::OwnLogAhead { .. }
                | Effect::OwnLogShown { .. }
                | Effect::Offered { .. }
                | Effect::Held { .. }
                | Effect::Arrived { .. }) => {
                    self.others.push(other);
                }
            }
        }
    }

    /// Whatever comes of one input, it fits into what may wait on a link four times over.
    fn fits(&self, effects: &[Effect]) {
        let mut waiting: BTreeMap<LinkId, usize> = BTreeMap::new();
        for effect in effects {
            if let Effect::Send { link, frame } = effect {
                *waiting.entry(*link).or_default() += frame.encoded_len() + 256;
            }
        }
        assert!(waiting.values().all(|bytes| *bytes <= 1 << 20), "too much at once: {waiting:?}");
    }

    pub(super) fn frame(&mut self, link: LinkId, kind: Kind) {
        self.input(Input::Frame { link, frame: v1::Frame { frame: Some(kind) } });
    }

    /// Connects to `code` as link `link`, with a sound hello.
    pub(super) fn meet(&mut self, link: LinkId, code: &str) {
        self.input(Input::Connected { link, society: society(code) });
        self.frame(link, Kind::Hello(self.federation.hello(code)));
    }

    /// Lets time pass, with a tick at every timer.
    pub(super) fn wait(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        for _ in 0..10_000 {
            match self.exchange.next_timer().filter(|at| *at <= end_ms) {
                Some(at) => {
                    self.now_ms = at.max(self.now_ms);
                    self.input(Input::Tick);
                }
                None => {
                    self.now_ms = end_ms;
                    return;
                }
            }
        }
        panic!("a timer is due again and again");
    }

    pub(super) fn take(&mut self) -> Vec<(LinkId, Kind)> {
        std::mem::take(&mut self.sent)
    }

    /// Writes `count` entries into the own log, each with these bodies' commitments.
    pub(super) fn write(&mut self, count: u64) {
        let batch = self.author(count, 0);
        self.store.append(&batch, &[]).unwrap();
        self.input(Input::Grew { origin: self.origin() });
    }

    /// Signs entries that continue the own log; `branch` makes them differ.
    pub(super) fn author(&self, count: u64, branch: u64) -> VerifiedBatch {
        let tree = self.store.tree(&self.origin());
        let entries = (tree.size()..tree.size() + count)
            .map(|index| entry(self.society.as_str(), index, branch))
            .collect();
        let log = &self.federation.secrets[&self.society].log;
        VerifiedBatch::author(&tree, &self.origin(), entries, log).unwrap()
    }

    /// Writes one entry with a record of these bytes.
    pub(super) fn write_body(
        &mut self,
        body: &[u8],
        visibility: Visibility,
        tags: Vec<[u8; 16]>,
    ) -> Commitment {
        let index = self.store.tree(&self.origin()).size();
        let body = Body::new(Place::new(&self.origin(), index, Part::Record), body);
        self.commit(body.commitment(), &[body], visibility, tags)
    }

    /// Writes one entry with this record, and keeps these bodies.
    pub(super) fn commit(
        &mut self,
        record: Commitment,
        bodies: &[Body],
        visibility: Visibility,
        tags: Vec<[u8; 16]>,
    ) -> Commitment {
        let tree = self.store.tree(&self.origin());
        let header = Header {
            origin: self.origin(),
            index: tree.size(),
            recorded_at_ms: 1,
            visibility,
            record,
            // Of an addressed entry there is one, which nobody here holds.
            content: (visibility == Visibility::Addressed)
                .then_some(Commitment { digest: [9; 32], size: 1024 }),
            tags,
        };
        let log = &self.federation.secrets[&self.society].log;
        let entries = vec![header.encode()];
        let batch = VerifiedBatch::author(&tree, &self.origin(), entries, log).unwrap();
        self.store.append(&batch, bodies).unwrap();
        self.input(Input::Grew { origin: self.origin() });
        record
    }
}

/// What a full disk makes of an effect.
fn unkept(effect: &Effect) -> Option<Unkept> {
    match effect {
        Effect::Append(batch) => Some(Unkept::Entries(batch.origin().clone())),
        Effect::Head(head) => Some(Unkept::Head(head.clone())),
        Effect::Cosign(head) => Some(Unkept::Cosignature(head.origin().clone())),
        Effect::Evidence(evidence) => Some(Unkept::Evidence(evidence.origin().clone())),
        Effect::Body { want, .. } => Some(Unkept::Body(want.clone())),
        Effect::Send { .. }
        | Effect::Close { .. }
        | Effect::BodyErased { .. }
        | Effect::Met { .. }
        | Effect::Offered { .. }
        | Effect::Held { .. }
        | Effect::Arrived { .. }
        | Effect::OwnLogShown { .. }
        | Effect::OwnLogAhead { .. } => None,
    }
}

pub(super) fn entry(code: &str, index: u64, branch: u64) -> EntryBytes {
    Header {
        origin: origin(code),
        index,
        recorded_at_ms: 1_764_000_000_000 + branch,
        visibility: Visibility::Federation,
        record: Commitment { digest: [index as u8; 32], size: 4096 },
        content: None,
        tags: Vec::new(),
    }
    .encode()
}

/// A batch as it goes over the wire.
pub(super) fn message(batch: &VerifiedBatch) -> v1::Batch {
    v1::Batch {
        origin: batch.origin().to_string(),
        start: batch.start(),
        entries: batch.entries().iter().map(|entry| entry.as_slice().to_vec()).collect(),
        checkpoint: batch.head().to_bytes(),
        consistency: batch.consistency().iter().map(|hash| hash.0.to_vec()).collect(),
        more: false,
    }
}

pub(super) fn heads(heads: &[&crate::head::SignedHead]) -> Kind {
    let checkpoints = heads.iter().map(|head| head.to_bytes()).collect();
    Kind::Heads(v1::Heads { checkpoints, frontier: true })
}

/// The cosignatures on a head, by themselves.
pub(super) fn cosignatures(head: &crate::head::SignedHead) -> Kind {
    let cosignatures = head.cosignatures().iter().flat_map(|one| one.to_bytes()).collect();
    let head = v1::CosignedHead {
        origin: head.origin().to_string(),
        size: head.size(),
        root: head.root().0.to_vec(),
        cosignatures,
    };
    Kind::Cosignatures(v1::Cosignatures { heads: vec![head] })
}

/// Carries what two nodes sent each other on their one link until nothing is under way.
pub(super) fn carry(one: &mut Node<'_>, other: &mut Node<'_>, link: LinkId) {
    for _ in 0..1_000 {
        let (there, back) = (one.take(), other.take());
        if there.is_empty() && back.is_empty() {
            return;
        }
        for (_, frame) in there.into_iter().filter(|(on, _)| *on == link) {
            other.frame(link, frame);
        }
        for (_, frame) in back.into_iter().filter(|(on, _)| *on == link) {
            one.frame(link, frame);
        }
    }
    panic!("two nodes never fall silent");
}

/// A link between two nodes, hello included.
pub(super) fn join(one: &mut Node<'_>, other: &mut Node<'_>, link: LinkId) {
    one.input(Input::Connected { link, society: other.society });
    other.input(Input::Connected { link, society: one.society });
    carry(one, other, link);
}
