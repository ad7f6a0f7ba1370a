//! One simulated node: the exchange as it runs in production, with a store, and its effects run as
//! the engine runs them.

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::RngCore as _;
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    entry::{Entry, EntryBytes, Header, Visibility},
    sealing::routing,
    session::{BodyWant, Effect, Exchange, Input, LinkId, Misbehaved, Settings},
    society::{Origin, Society},
    store::{BodyState, Store},
};
use tutti_proto::v1;

use super::{
    federation::{Federation, origin},
    truth::Truth,
};

/// What a node did that the network has to carry out.
#[derive(Debug)]
pub(super) enum Deed {
    Send { link: LinkId, frame: v1::Frame },
    Close { link: LinkId, why: Misbehaved },
    Appended { batch: VerifiedBatch },
}

/// How an author behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// As the protocol has it.
    Honest,
    /// One of several machines with the same keys, each of which tells its own history and is deaf
    /// to the others'. The number is the history's.
    Equivocator(usize),
}

/// See the module.
pub struct Node<S> {
    pub(super) society: Society,
    pub(super) conduct: Conduct,
    pub(super) store: S,
    exchange: Exchange,
    pub(super) rng: ChaCha20Rng,
    /// Its clock minus the true one, milliseconds.
    pub(super) skew_ms: i64,
    pub(super) up: bool,
    /// The size that its own log is known to have where that is more than it holds.
    fenced_at: u64,
    /// Until then it does not write: others may still have to tell it of its own log.
    pub(super) silent_until_ms: u64,
    pairs: BTreeMap<Society, routing::PairKey>,
}

impl<S: Store> Node<S> {
    pub(super) fn new(
        federation: &Federation,
        society: Society,
        conduct: Conduct,
        store: S,
        seed: u64,
        skew_ms: i64,
    ) -> Self {
        let others = federation.secrets.keys().filter(|other| **other != society);
        let pairs = others.map(|other| (*other, federation.pair(society, *other))).collect();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let exchange = fresh(federation, society, &mut rng);
        Self {
            society,
            conduct,
            store,
            exchange,
            rng,
            skew_ms,
            up: true,
            fenced_at: 0,
            silent_until_ms: 0,
            pairs,
        }
    }

    /// Its own clock.
    fn clock(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.skew_ms)
    }

    /// A new process on the same disk.
    pub(super) fn restart(&mut self, federation: &Federation) {
        self.exchange = fresh(federation, self.society, &mut self.rng);
        self.up = true;
    }

    /// When it wants to be ticked, by the true clock.
    pub(super) fn next_timer(&self) -> Option<u64> {
        self.exchange.next_timer().map(|at| at.saturating_add_signed(-self.skew_ms))
    }

    /// Counts of its exchange since it was started.
    pub fn tally(&self) -> tutti_core::session::Tally {
        self.exchange.tally()
    }

    /// Links that are up on its side.
    pub fn links(&self) -> usize {
        self.exchange.links().count()
    }

    /// Bodies that it waits for.
    pub fn bodies_wanted(&self) -> usize {
        self.exchange.bodies_wanted()
    }

    /// The store, for reading.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The society.
    pub fn society(&self) -> Society {
        self.society
    }

    /// Runs an input and all that comes of it.
    pub(super) fn input(
        &mut self,
        input: Input,
        now_ms: u64,
        federation: &Federation,
        truth: &mut Truth,
    ) -> Vec<Deed> {
        let clock_ms = self.clock(now_ms);
        let mut deeds = Vec::new();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if self.is_deaf_to(&input) {
                continue;
            }
            let effects = self.exchange.handle(
                input,
                clock_ms,
                &self.store,
                &federation.roster,
                &mut self.rng,
            );
            for effect in effects {
                self.run(effect, clock_ms, federation, truth, &mut inputs, &mut deeds);
            }
        }
        deeds
    }

    fn run(
        &mut self,
        effect: Effect,
        clock_ms: u64,
        federation: &Federation,
        truth: &mut Truth,
        inputs: &mut VecDeque<Input>,
        deeds: &mut Vec<Deed>,
    ) {
        match effect {
            Effect::Send { link, frame } => deeds.push(Deed::Send { link, frame }),
            Effect::Close { link, why } => deeds.push(Deed::Close { link, why }),
            Effect::Append(batch) => {
                // What a store refuses is asked for again: nothing more is to be done.
                if self.store.append(&batch, &[]).is_ok() {
                    truth.check_log(self.society, &self.store, batch.origin());
                    inputs.push_back(Input::Grew { origin: batch.origin().clone() });
                    inputs.extend(self.wants(&batch).into_iter().map(Input::Want));
                    deeds.push(Deed::Appended { batch });
                }
            }
            Effect::Head(head) => {
                if self.store.put_head(&head).is_ok() {
                    truth.check_log(self.society, &self.store, head.origin());
                    inputs.push_back(Input::Grew { origin: head.origin().clone() });
                }
            }
            Effect::Cosign(mut head) => {
                if self.conduct == Conduct::Honest {
                    truth.check_cosigning(self.society, &self.store, &head);
                }
                let witness = &federation.secrets[&self.society].witness;
                head.cosign(self.society, witness, clock_ms / 1000).expect("a time before 2^63");
                if self.store.put_head(&head).is_ok() {
                    inputs.push_back(Input::Grew { origin: head.origin().clone() });
                }
            }
            Effect::Body { want, body } => {
                assert_eq!(body.key(), want.key());
                let _ = self.store.put_bodies(&[body]);
            }
            Effect::BodyErased { .. } => {}
            // Nothing is offered here.
            Effect::Met { .. } | Effect::Offered { .. } => {}
            Effect::Held { .. } | Effect::Arrived { .. } => {}
            Effect::Evidence(evidence) => {
                truth.check_evidence(self.society, &evidence);
                let _ = self.store.put_evidence(&evidence);
            }
            Effect::OwnLogAhead { size } => self.fenced_at = self.fenced_at.max(size),
        }
    }

    /// An equivocator does not listen to what is said of its own log.
    fn is_deaf_to(&self, input: &Input) -> bool {
        let Input::Frame { frame, .. } = input else { return false };
        if self.conduct == Conduct::Honest {
            return false;
        }
        let own = origin(self.society);
        let is_own = |checkpoint: &[u8]| checkpoint.starts_with(format!("{own}\n").as_bytes());
        match &frame.frame {
            Some(v1::frame::Frame::Heads(heads)) => {
                heads.checkpoints.iter().any(|checkpoint| is_own(checkpoint))
            }
            Some(v1::frame::Frame::Batch(batch)) => batch.origin == own.as_str(),
            Some(v1::frame::Frame::Evidence(evidence)) => is_own(&evidence.first),
            _ => false,
        }
    }

    /// Whether it would sign anything now.
    pub(super) fn may_write(&self, now_ms: u64) -> bool {
        let own = origin(self.society);
        let held = self.store.tree(&own).size();
        self.up
            && now_ms >= self.silent_until_ms
            && (self.conduct != Conduct::Honest
                || held >= self.fenced_at && self.store.evidence(&own).is_none())
    }

    /// Signs entries with small bodies and keeps them.
    pub(super) fn write(
        &mut self,
        count: u64,
        clock_ms: u64,
        federation: &Federation,
        truth: &mut Truth,
    ) -> VerifiedBatch {
        let own = origin(self.society);
        let before = self.store.tree(&own);
        let (mut entries, mut bodies) = (Vec::new(), Vec::new());
        for index in before.size()..before.size().saturating_add(count) {
            let (entry, body) = self.entry(&own, index, clock_ms);
            entries.push(entry);
            bodies.push(body);
        }
        let log = &federation.secrets[&self.society].log;
        let batch = VerifiedBatch::author(&before, &own, entries, log).expect("a sound batch");
        let branch = match self.conduct {
            Conduct::Honest => 0,
            Conduct::Equivocator(branch) => branch,
        };
        truth.signed(branch, &batch, &before);
        self.store.append(&batch, &bodies).expect("a store that works");
        batch
    }

    /// One in four is addressed to somebody, the others are for all members.
    fn entry(&mut self, own: &Origin, index: u64, clock_ms: u64) -> (EntryBytes, Body) {
        let mut body = vec![0; 64 + (self.rng.next_u32() % 400) as usize];
        self.rng.fill_bytes(&mut body);
        let at = usize::try_from(self.rng.next_u64() % 1_000).unwrap_or_default();
        let addressee = self.pairs.iter().nth(at % self.pairs.len().max(1));
        let (visibility, tags) = match addressee {
            Some((_, pair)) if self.rng.next_u32().is_multiple_of(4) => {
                let token = routing::token(pair, own, index, 0);
                (Visibility::Addressed, vec![routing::tag(&token), [7; 16]])
            }
            _ => (Visibility::Federation, Vec::new()),
        };
        let body = Body::new(Place::new(own, index, Part::Record), &body);
        let record = body.commitment();
        let header = Header {
            origin: own.clone(),
            index,
            recorded_at_ms: clock_ms,
            visibility,
            record,
            content: None,
            tags,
        };
        (header.encode(), body)
    }

    /// The bodies of a batch that this node may have.
    fn wants(&self, batch: &VerifiedBatch) -> Vec<BodyWant> {
        let headers = batch.entries().iter().filter_map(|entry| {
            Entry::parse(entry.as_slice()).ok().and_then(|entry| entry.header().cloned())
        });
        headers.filter_map(|header| self.want(&header)).collect()
    }

    /// What it wants of one entry; `None` where it may not have the body.
    pub(super) fn want(&self, header: &Header) -> Option<BodyWant> {
        let pair = self.pairs.get(&header.origin.society())?;
        let token = match header.visibility {
            Visibility::Addressed => {
                Some(routing::claim(pair, &header.origin, header.index, &header.tags)?.1)
            }
            Visibility::Public | Visibility::Federation => None,
        };
        Some(BodyWant {
            origin: header.origin.clone(),
            index: header.index,
            part: Part::Record,
            commitment: header.record,
            token,
            lent: false,
            addressees: Default::default(),
        })
    }

    /// The bodies that it may have and lacks.
    pub(super) fn absent(&self) -> Vec<BodyWant> {
        let logs = self.store.logs().into_iter();
        logs.flat_map(|log| self.store.entries(&log, 0, u64::MAX, usize::MAX).unwrap_or_default())
            .filter_map(|entry| Entry::parse(entry.as_slice()).ok()?.header().cloned())
            .filter_map(|header| self.want(&header))
            .collect()
    }

    /// Every entry's body is here exactly where it may be. `complete`: and none is missing.
    pub(super) fn check_bodies(&self, complete: bool) {
        for log in self.store.logs() {
            let entries = self.store.entries(&log, 0, u64::MAX, usize::MAX).unwrap_or_default();
            for entry in entries {
                let Ok(entry) = Entry::parse(entry.as_slice()) else { continue };
                let Some(header) = entry.header() else { continue };
                let own = header.origin.society() == self.society;
                let key = header.place(Part::Record).key(&header.record.digest);
                let here = self.store.body_state(&key) == BodyState::Present;
                let who = self.society;
                if !own && self.want(header).is_none() {
                    assert!(!here, "{who} holds a body that is not for it");
                } else if complete {
                    assert!(here, "{who} lacks the body of {} {}", header.origin, header.index);
                }
            }
        }
    }
}

fn fresh(federation: &Federation, society: Society, rng: &mut ChaCha20Rng) -> Exchange {
    let mut incarnation = [0; 16];
    rng.fill_bytes(&mut incarnation);
    let roster = &federation.roster;
    Exchange::new(Settings::new(
        society,
        origin(society),
        roster.version(),
        roster.hash(),
        incarnation,
    ))
}
