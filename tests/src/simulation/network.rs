//! The network: links that are cut, partitions, and carriers that cannot be trusted.
//!
//! A link is a reliable, ordered stream while it is up, as gRPC over TLS gives it; when it is cut,
//! what was under way is lost. Between links there is no order. A carrier is a member through whom
//! others hear of each other and who tampers with what he sends: he drops, delays, repeats, splices
//! and alters frames. (Nobody but a member gets that far: the rest is TLS.)

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore as _;
use tutti_proto::v1::{self, frame::Frame as FrameKind};

/// How links behave.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// The shortest and the longest time one way, milliseconds; each link has its own.
    pub latency_ms: (u64, u64),
    /// What a frame may take more than its link's time, milliseconds.
    pub jitter_ms: u64,
    /// Every so often a random link is cut, milliseconds on average; 0 for never.
    pub cut_every_ms: u64,
    /// One in so many pairs gets a second link, over which all comes twice; 0 for none.
    pub second_link_in: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self { latency_ms: (10, 50), jitter_ms: 0, cut_every_ms: 0, second_link_in: 0 }
    }
}

/// A pair's way to each other. Link `2 * id` is the first one's end of it, `2 * id + 1` the other's.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) ends: [usize; 2],
    pub(super) latency_ms: u64,
    /// When the last frame in each direction arrives: none overtakes it.
    pub(super) arrives_ms: [u64; 2],
}

/// What a carrier does to one frame in a hundred.
#[derive(Debug, Clone, Copy)]
pub struct Tampering {
    /// It is gone.
    pub drops: u64,
    /// It comes up to two seconds later than what follows it.
    pub delays: u64,
    /// It comes twice.
    pub repeats: u64,
    /// It is altered, or put together from two.
    pub splices: u64,
}

/// A carrier, and frames that have gone through its hands.
#[derive(Debug)]
pub(super) struct Carrier {
    tampering: Tampering,
    seen: Vec<v1::Frame>,
}

impl Carrier {
    pub(super) fn new(tampering: Tampering) -> Self {
        Self { tampering, seen: Vec::new() }
    }

    /// What comes out for one frame: each with how much later it comes.
    pub(super) fn carry(
        &mut self,
        frame: v1::Frame,
        rng: &mut ChaCha20Rng,
    ) -> Vec<(u64, v1::Frame)> {
        let mut chance = |percent: u64| rng.next_u64() % 100 < percent;
        let (drops, delays) = (chance(self.tampering.drops), chance(self.tampering.delays));
        let (repeats, splices) = (chance(self.tampering.repeats), chance(self.tampering.splices));
        if drops {
            return Vec::new();
        }
        let at = usize::try_from(rng.next_u64() % 64).unwrap_or_default();
        let other = self.seen.get(at).or(self.seen.first()).cloned();
        match self.seen.get_mut(at) {
            Some(slot) => *slot = frame.clone(),
            None => self.seen.push(frame.clone()),
        }
        let later_ms = if delays { rng.next_u64() % 2_000 } else { 0 };
        let mut out = vec![(later_ms, frame.clone())];
        if repeats {
            out.push((rng.next_u64() % 2_000, frame.clone()));
        }
        if splices {
            out[0].1 = spliced(frame, other, rng);
        }
        out
    }
}

/// A frame that no honest node has sent.
fn spliced(mut frame: v1::Frame, other: Option<v1::Frame>, rng: &mut ChaCha20Rng) -> v1::Frame {
    let way = rng.next_u32() % 6;
    let other = other.and_then(|other| other.frame);
    match (&mut frame.frame, other) {
        (Some(FrameKind::Batch(batch)), Some(FrameKind::Batch(other))) => match way {
            0 => batch.entries = other.entries,
            1 => batch.checkpoint = other.checkpoint,
            2 => batch.origin = other.origin,
            3 => batch.entries.splice(..0, other.entries).for_each(drop),
            4 => batch.consistency = other.consistency,
            _ => batch.start = other.start,
        },
        (Some(FrameKind::Batch(batch)), _) => match way {
            0 => batch.entries.reverse(),
            1 => batch.start += 1,
            2 => batch.entries.push(batch.entries.first().cloned().unwrap_or_default()),
            3 => drop(batch.entries.pop()),
            4 => flip(&mut batch.checkpoint, rng),
            _ => batch.entries.iter_mut().for_each(|entry| flip(entry, rng)),
        },
        (Some(FrameKind::Heads(heads)), _) => {
            for head in &mut heads.checkpoints {
                if rng.next_u32().is_multiple_of(3) {
                    flip(head, rng);
                }
            }
        }
        (Some(FrameKind::BodyChunk(chunk)), _) => flip(&mut chunk.data, rng),
        (Some(FrameKind::WantBody(want)), _) => {
            want.index += 1;
            flip(&mut want.token, rng);
        }
        (Some(FrameKind::Want(want)), _) => want.start += 1,
        (Some(FrameKind::Cosignatures(cosignatures)), _) => {
            cosignatures.heads.iter_mut().for_each(|head| flip(&mut head.cosignatures, rng));
        }
        (Some(FrameKind::Doubt(doubt)), _) => flip(&mut doubt.second, rng),
        (Some(FrameKind::Frontier(frontier)), _) => flip(&mut frontier.digests, rng),
        (Some(FrameKind::Holdings(holdings)), _) => match way {
            0 => holdings.parts ^= 0xffff,
            1 => holdings.logs.iter_mut().for_each(|log| log.witnesses.clear()),
            2 => holdings.logs.iter_mut().for_each(|log| log.size += 1),
            _ => holdings.logs.iter_mut().for_each(|log| flip(&mut log.root, rng)),
        },
        (Some(FrameKind::Evidence(evidence)), _) => flip(&mut evidence.second, rng),
        _ => {}
    }
    frame
}

fn flip(bytes: &mut [u8], rng: &mut ChaCha20Rng) {
    if let Some(bits) = (bytes.len() as u64 * 8).checked_sub(1) {
        let bit = usize::try_from(rng.next_u64() % (bits + 1)).unwrap_or_default();
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// The name of a frame's kind.
pub(super) fn kind(frame: &v1::Frame) -> &'static str {
    match &frame.frame {
        Some(FrameKind::Hello(_)) => "hello",
        Some(FrameKind::Heads(heads)) if heads.frontier => "frontier",
        Some(FrameKind::Heads(_)) => "heads",
        Some(FrameKind::Want(_)) => "want",
        Some(FrameKind::Batch(_)) => "batch",
        Some(FrameKind::WantBody(_)) => "want_body",
        Some(FrameKind::BodyChunk(_)) => "body_chunk",
        Some(FrameKind::BodyUnavailable(_)) => "body_unavailable",
        Some(FrameKind::Evidence(_)) => "evidence",
        Some(FrameKind::Offer(_)) => "offer",
        Some(FrameKind::Held(_)) => "held",
        Some(FrameKind::Received(_)) => "received",
        Some(FrameKind::Doubt(_)) => "doubt",
        Some(FrameKind::Cosignatures(_)) => "cosignatures",
        // It is no news, and no part of what follows from any.
        Some(FrameKind::Frontier(_) | FrameKind::Holdings(_)) => "frontier",
        None => "empty",
    }
}

/// Frames and their bytes, by kind.
#[derive(Debug, Clone, Default)]
pub struct Traffic(BTreeMap<&'static str, (u64, u64)>);

impl Traffic {
    pub(super) fn count(&mut self, frame: &v1::Frame, bytes: usize) {
        let (frames, sum) = self.0.entry(kind(frame)).or_default();
        *frames += 1;
        *sum += bytes as u64;
    }

    /// Frames of this kind.
    pub fn frames(&self, kind: &str) -> u64 {
        self.0.get(kind).map_or(0, |(frames, _)| *frames)
    }

    /// By kind: how many, and their bytes.
    pub fn by_kind(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.0.iter().map(|(kind, (frames, bytes))| (*kind, *frames, *bytes))
    }

    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|(_, bytes)| bytes).sum()
    }

    /// What came after `before`.
    pub fn since(&self, before: &Self) -> Self {
        let less = |kind: &'static str, (frames, bytes): (u64, u64)| {
            let (f, b) = before.0.get(kind).copied().unwrap_or_default();
            (kind, (frames - f, bytes - b))
        };
        Self(self.0.iter().map(|(kind, counts)| less(kind, *counts)).collect())
    }
}
