//! The session: a node between two peers that send it whatever they like.
//!
//! The input is a list of steps, each a byte that says what happens, a length of two bytes, and
//! what it takes. Afterwards the node holds what `ph` has signed, or less, and believes no fork.

#![allow(clippy::unwrap_used)]

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use std::collections::BTreeSet;

use tutti_core::{
    body::Part,
    session::{BodyWant, Effect, Exchange, Input, LinkId, Settings},
    society::Society,
    store::{MemoryStore, Reader as _, Store as _},
};
use tutti_proto::v1::{self, frame::Frame as Kind};

use super::federation::{Federation, SIZE, federation};

const STEPS_MAX: usize = 200;
const TICKS_MAX: usize = 200;

/// The node of `sg`.
struct Node {
    federation: &'static Federation,
    exchange: Exchange,
    store: MemoryStore,
    rng: ChaCha20Rng,
    now_ms: u64,
}

fn settings(federation: &Federation) -> Settings {
    Settings::new(
        federation.sg.society,
        federation.sg.origin(),
        federation.roster.version(),
        federation.roster.hash(),
        [1; 16],
    )
}

impl Node {
    fn new(federation: &'static Federation) -> Self {
        Self {
            federation,
            exchange: Exchange::new(settings(federation)),
            store: MemoryStore::new(),
            rng: ChaCha20Rng::seed_from_u64(7),
            now_ms: 1_000_000,
        }
    }

    fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let roster = &self.federation.roster;
            let effects =
                self.exchange.handle(input, self.now_ms, &self.store, roster, &mut self.rng);
            for effect in effects {
                match effect {
                    Effect::Send { frame, .. } => {
                        let len = frame.encoded_len();
                        assert!(len <= tutti_core::limits::FRAME_BYTES_MAX, "a frame of {len}");
                    }
                    Effect::Append(batch) => {
                        self.store.append(&batch, &[]).unwrap();
                        inputs.push(Input::Grew { origin: batch.origin().clone() });
                    }
                    Effect::Head(head) => {
                        self.store.put_head(&head).unwrap();
                        inputs.push(Input::Grew { origin: head.origin().clone() });
                    }
                    Effect::Cosign(mut head) => {
                        assert_eq!(*head.origin(), self.federation.ph.origin(), "only another's");
                        let root = self.federation.store.root_at(head.origin(), head.size());
                        assert_eq!(root.unwrap(), head.root(), "only what is so");
                        let sg = &self.federation.sg;
                        head.cosign(sg.society, &sg.witness, self.now_ms / 1000).unwrap();
                        self.store.put_head(&head).unwrap();
                        inputs.push(Input::Grew { origin: head.origin().clone() });
                    }
                    Effect::Body { want, body } => {
                        assert_eq!(body.key(), want.key());
                        self.store.put_bodies(&[body]).unwrap();
                    }
                    Effect::Close { .. } | Effect::BodyErased { .. } => {}
                    Effect::Met { .. } | Effect::Offered { .. } => {}
                    Effect::OwnLogShown { .. } => {}
                    Effect::Held { .. } | Effect::Arrived { .. } => {}
                    Effect::Evidence(_) => panic!("nobody has forked"),
                    Effect::OwnLogAhead { .. } => panic!("sg has signed nothing"),
                }
            }
        }
    }

    fn bytes(&mut self, link: LinkId, bytes: &[u8]) {
        if let Ok(frame) = v1::Frame::decode(bytes) {
            self.input(Input::Frame { link, frame });
        }
    }

    fn wait(&mut self, ms: u64) {
        let end_ms = self.now_ms.saturating_add(ms);
        for _ in 0..TICKS_MAX {
            match self.exchange.next_timer().filter(|at| *at <= end_ms) {
                Some(at) => {
                    self.now_ms = at.max(self.now_ms);
                    self.input(Input::Tick);
                }
                None => break,
            }
        }
        self.now_ms = end_ms;
    }

    fn check(&self) {
        let author = &self.federation.store;
        for log in self.store.logs() {
            let tree = self.store.tree(&log);
            assert!(tree.size() <= author.tree(&log).size(), "{log}");
            assert_eq!(tree.root(), author.root_at(&log, tree.size()).unwrap(), "{log}");
            assert!(self.store.evidence(&log).is_none());
        }
    }
}

/// See the module.
pub(super) fn session(data: &[u8]) {
    play(data).check();
}

/// How many entries of the log of `ph` the node holds in the end.
#[cfg(test)]
pub(super) fn entries_after(data: &[u8]) -> u64 {
    play(data).store.tree(&federation().ph.origin()).size()
}

fn play(data: &[u8]) -> Node {
    let federation = federation();
    let mut node = Node::new(federation);
    let truth = true_frames(federation);
    let mut rest = data;
    for _ in 0..STEPS_MAX {
        let Some(([what, low, high], after)) = rest.split_first_chunk::<3>() else { break };
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (taken, after) = after.split_at(len);
        rest = after;
        let link = LinkId::from(*what / 16 % 4);
        match what % 8 {
            0 => node.bytes(link, taken),
            1 => {
                let members: [Society; 2] = [federation.ph.society, federation.sg.society];
                let society = members[usize::from(taken.first().is_some_and(|b| b % 4 == 3))];
                node.input(Input::Connected { link, society });
            }
            2 => node.input(Input::Closed { link }),
            3 => {
                let ms = taken.iter().take(3).fold(0, |ms, byte| ms << 8 | u64::from(*byte));
                node.wait(ms);
            }
            4 => {
                let index = taken.first().map_or(0, |byte| u64::from(*byte) % SIZE);
                let commitment = federation.records[index as usize].commitment();
                let origin = federation.ph.origin();
                let (part, token, addressees) = (Part::Record, None, BTreeSet::new());
                let want =
                    BodyWant { origin, index, part, commitment, token, lent: false, addressees };
                node.input(Input::Want(want));
            }
            5 => {
                // A restart: the store stays.
                node.exchange = Exchange::new(settings(federation));
            }
            _ => {
                // A true frame, in which bytes are changed.
                let Some((which, patches)) = taken.split_first() else { continue };
                let mut bytes = truth[usize::from(*which) % truth.len()].clone();
                for patch in patches.chunks_exact(3) {
                    let at = usize::from(u16::from_le_bytes([patch[0], patch[1]])) % bytes.len();
                    bytes[at] ^= patch[2];
                }
                node.bytes(link, &bytes);
            }
        }
    }
    node.wait(2_000);
    node
}

/// One frame of each kind, all true.
fn true_frames(federation: &Federation) -> Vec<Vec<u8>> {
    let origin = federation.ph.origin();
    let log = origin.to_string();
    let batch = |start: u64, end: u64| {
        let entries = &federation.entries[start as usize..end as usize];
        let proof = federation.store.consistency(&origin, end, SIZE).unwrap();
        Kind::Batch(v1::Batch {
            origin: log.clone(),
            start,
            entries: entries.iter().map(|entry| entry.as_slice().to_vec()).collect(),
            checkpoint: federation.head.to_bytes(),
            consistency: proof.iter().map(|hash| hash.0.to_vec()).collect(),
            more: false,
        })
    };
    let mut cosigned = federation.head.bare();
    cosigned.cosign(federation.sg.society, &federation.sg.witness, 1).unwrap();
    let (origin, part) = (log.clone(), 1);
    let frames = vec![
        Kind::Hello(v1::Hello {
            version: 1,
            federation: federation.roster.federation().into(),
            society: "ph".into(),
            roster_version: federation.roster.version(),
            roster_hash: federation.roster.hash().to_vec(),
            incarnation: vec![9; 16],
        }),
        Kind::Heads(v1::Heads { checkpoints: vec![federation.head.to_bytes()], frontier: true }),
        batch(0, 5),
        batch(5, SIZE),
        batch(0, SIZE),
        Kind::Want(v1::Want { origin: log.clone(), start: 1, max_bytes: 500 }),
        Kind::WantBody(v1::WantBody { origin, index: 1, part, token: vec![], offset: 0 }),
        Kind::BodyChunk(v1::BodyChunk {
            origin: log.clone(),
            index: 1,
            part,
            offset: 0,
            data: federation.records[1].bytes().to_vec(),
        }),
        Kind::BodyUnavailable(v1::BodyUnavailable {
            origin: log.clone(),
            index: 1,
            part,
            reason: 1,
        }),
        Kind::Cosignatures(v1::Cosignatures {
            heads: vec![v1::CosignedHead {
                origin: log.clone(),
                size: SIZE,
                root: federation.head.root().0.to_vec(),
                cosignatures: cosigned.cosignatures().iter().flat_map(|c| c.to_bytes()).collect(),
            }],
        }),
        Kind::Doubt(v1::Doubt {
            first: federation.head.to_bytes(),
            second: federation.head.to_bytes(),
        }),
        Kind::Frontier(v1::Frontier { digests: vec![3; 256] }),
        Kind::Holdings(v1::Holdings {
            parts: 0xffff,
            logs: vec![v1::Holding {
                origin: log.clone(),
                size: SIZE,
                root: federation.head.root().0.to_vec(),
                witnesses: vec!["sg".into()],
            }],
        }),
        Kind::Evidence(v1::Evidence {
            first: federation.head.to_bytes(),
            second: federation.head.to_bytes(),
            root: vec![1; 32],
            consistency: vec![vec![2; 32]],
        }),
    ];
    frames.into_iter().map(|kind| v1::Frame { frame: Some(kind) }.encode_to_vec()).collect()
}

pub(super) fn frame_seeds() -> Vec<Vec<u8>> {
    true_frames(federation())
}

fn step(what: u8, taken: &[u8]) -> Vec<u8> {
    [&[what], (taken.len() as u16).to_le_bytes().as_slice(), taken].concat()
}

pub(super) fn session_seeds() -> Vec<Vec<u8>> {
    let truth = true_frames(federation());
    let open = [step(1, &[0]), step(6, &[0])].concat();
    let mut seeds = vec![
        // As it should go: connect, hello, heads, want a body, entries, the body.
        [
            open.clone(),
            step(6, &[1]),
            step(4, &[1]),
            step(6, &[2]),
            step(6, &[3]),
            step(3, &[4, 0]),
            step(6, &[7]),
        ]
        .concat(),
        // A second link, a restart, a long wait.
        [
            open.clone(),
            step(17, &[0]),
            step(22, &[0]),
            step(22, &[4]),
            step(5, &[]),
            step(1, &[0]),
            step(3, &[9, 9, 9]),
            step(2, &[]),
        ]
        .concat(),
    ];
    for frame in &truth {
        seeds.push([open.clone(), step(0, frame)].concat());
    }
    seeds
}
