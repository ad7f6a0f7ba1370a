//! Pushed batches that waited together, joined into one: one signature to check, one commit.
//!
//! A society that writes fast pushes many small batches. Where several of one log wait on a link
//! and each begins where the one before ends, they are what the peer could as well have sent as
//! one: the entries under the last head. The heads in between follow as heads, so that one that
//! contradicts the log is still found. Nothing else changes its order with entries or heads of the
//! same link; what was joined has no more entries than a frame may have, and no more bytes than an
//! answer.

use std::collections::BTreeMap;

use tutti_core::limits::{ANSWER_BYTES_MAX, BATCH_ENTRIES_MAX, HEADS_BYTES_MAX, HEADS_MAX};
use tutti_proto::v1::{self, frame::Frame as FrameKind};

use crate::peers::PeerEvent;

/// A batch that is growing: where it stands, its bytes, and the heads that it has passed.
struct Growing {
    at: usize,
    bytes: usize,
    passed: Vec<Vec<u8>>,
    passed_bytes: usize,
}

/// The same events, with the batches that continue each other joined.
pub(super) fn joined(events: Vec<PeerEvent>) -> Vec<PeerEvent> {
    let mut out: Vec<PeerEvent> = Vec::with_capacity(events.len());
    let mut growing: BTreeMap<u64, Growing> = BTreeMap::new();
    let mut passed: Vec<(usize, u64, Vec<Vec<u8>>)> = Vec::new();
    let mut end = |link: u64, grown: Option<Growing>| {
        if let Some(Growing { at, passed: heads, .. }) = grown.filter(|g| !g.passed.is_empty()) {
            passed.push((at, link, heads));
        }
    };
    for mut event in events {
        match kind(&mut event) {
            Kind::Batch(link, batch) => {
                let bytes = batch.entries.iter().map(Vec::len).sum();
                let last = growing.get_mut(&link);
                if let Some(last) = last
                    && let Some(Kind::Batch(_, into)) = out.get_mut(last.at).map(kind)
                    && last.take(into, batch, bytes)
                {
                    continue;
                }
                let next = Growing { at: out.len(), bytes, passed: Vec::new(), passed_bytes: 0 };
                end(link, growing.insert(link, next));
            }
            Kind::Aside => {}
            Kind::Other(link) => end(link, growing.remove(&link)),
        }
        out.push(event);
    }
    growing.into_iter().for_each(|(link, grown)| end(link, Some(grown)));
    // From the back, so that the places before stay what they are.
    passed.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    for (at, link, checkpoints) in passed {
        let heads = FrameKind::Heads(v1::Heads { checkpoints, frontier: false });
        let frame = v1::Frame { frame: Some(heads) };
        out.insert(at + 1, PeerEvent::Frame { link, frame });
    }
    out
}

enum Kind<'a> {
    Batch(u64, &'a mut v1::Batch),
    /// Of bodies: it has nothing to do with entries and heads.
    Aside,
    Other(u64),
}

fn kind(event: &mut PeerEvent) -> Kind<'_> {
    match event {
        PeerEvent::Connected { link, .. } | PeerEvent::Closed { link, .. } => Kind::Other(*link),
        PeerEvent::Frame { link, frame } => match &mut frame.frame {
            Some(FrameKind::Batch(batch)) => Kind::Batch(*link, batch),
            Some(
                FrameKind::WantBody(_)
                | FrameKind::BodyChunk(_)
                | FrameKind::BodyUnavailable(_)
                | FrameKind::Offer(_)
                | FrameKind::Held(_)
                | FrameKind::Received(_),
            ) => Kind::Aside,
            Some(
                FrameKind::Hello(_)
                | FrameKind::Heads(_)
                | FrameKind::Want(_)
                | FrameKind::Evidence(_)
                | FrameKind::Cosignatures(_)
                | FrameKind::Frontier(_)
                | FrameKind::Doubt(_)
                | FrameKind::Holdings(_),
            )
            | None => Kind::Other(*link),
        },
    }
}

impl Growing {
    /// Takes the batch that begins where `into` ends; `false` where it does not, or it is too much.
    fn take(&mut self, into: &mut v1::Batch, batch: &mut v1::Batch, bytes: usize) -> bool {
        let end = into.start.checked_add(into.entries.len() as u64);
        let fits = into.entries.len() + batch.entries.len() <= BATCH_ENTRIES_MAX
            && self.bytes + bytes <= ANSWER_BYTES_MAX
            && self.passed.len() < HEADS_MAX
            && self.passed_bytes + into.checkpoint.len() <= HEADS_BYTES_MAX;
        let continues = into.origin == batch.origin
            && end == Some(batch.start)
            && !into.entries.is_empty()
            && !batch.entries.is_empty();
        if !fits || !continues {
            return false;
        }
        self.bytes += bytes;
        if into.checkpoint != batch.checkpoint {
            self.passed_bytes += into.checkpoint.len();
            self.passed.push(std::mem::take(&mut into.checkpoint));
        }
        into.entries.append(&mut batch.entries);
        into.checkpoint = std::mem::take(&mut batch.checkpoint);
        into.consistency = std::mem::take(&mut batch.consistency);
        into.more = batch.more;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(link: u64, origin: &str, start: u64, entries: usize) -> PeerEvent {
        let batch = v1::Batch {
            origin: origin.into(),
            start,
            entries: vec![vec![7; 100]; entries],
            checkpoint: format!("head {}", start.wrapping_add(entries as u64)).into_bytes(),
            consistency: Vec::new(),
            more: false,
        };
        PeerEvent::Frame { link, frame: v1::Frame { frame: Some(FrameKind::Batch(batch)) } }
    }

    fn other(link: u64, frame: FrameKind) -> PeerEvent {
        PeerEvent::Frame { link, frame: v1::Frame { frame: Some(frame) } }
    }

    /// What comes of them, in short.
    fn told(events: Vec<PeerEvent>) -> Vec<String> {
        let tell = |event: PeerEvent| match event {
            PeerEvent::Frame { link, frame } => match frame.frame {
                Some(FrameKind::Batch(batch)) => {
                    let (start, count) = (batch.start, batch.entries.len());
                    let head = String::from_utf8_lossy(&batch.checkpoint).into_owned();
                    format!("{link}: {} {start}+{count} {head}", batch.origin)
                }
                Some(FrameKind::Heads(heads)) => {
                    format!("{link}: {} heads", heads.checkpoints.len())
                }
                _ => format!("{link}: frame"),
            },
            _ => "link".into(),
        };
        joined(events).into_iter().map(tell).collect()
    }

    #[test]
    fn batches_that_continue_each_other_are_one_and_the_heads_between_follow() {
        let chunk = || FrameKind::BodyChunk(v1::BodyChunk::default());
        let events = vec![
            batch(1, "a", 5, 2),
            other(1, chunk()),
            batch(2, "a", 5, 2),
            batch(1, "a", 7, 1),
            batch(1, "a", 8, 3),
        ];
        assert_eq!(told(events), ["1: a 5+6 head 11", "1: 2 heads", "1: frame", "2: a 5+2 head 7"]);
    }

    #[test]
    fn what_does_not_continue_or_is_too_much_stays_apart() {
        let gap = vec![batch(1, "a", 0, 2), batch(1, "a", 3, 1)];
        assert_eq!(told(gap).len(), 2);
        let logs = vec![batch(1, "a", 0, 2), batch(1, "b", 2, 1)];
        assert_eq!(told(logs).len(), 2);
        let nothing = vec![batch(1, "a", 0, 0), batch(1, "a", 0, 1)];
        assert_eq!(told(nothing).len(), 2);
        let heads = other(1, FrameKind::Heads(v1::Heads::default()));
        let between = vec![batch(1, "a", 0, 2), heads, batch(1, "a", 2, 1)];
        assert_eq!(told(between).len(), 3, "the order of heads and entries stays");
        let many = vec![batch(1, "a", 0, 4000), batch(1, "a", 4000, 97)];
        assert_eq!(told(many).len(), 2, "no more entries than a frame may have");
        let wrap = vec![batch(1, "a", u64::MAX, 1), batch(1, "a", 0, 1)];
        assert_eq!(told(wrap).len(), 2);
    }
}
