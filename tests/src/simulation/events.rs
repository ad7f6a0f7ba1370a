//! What happens next: virtual time, and the queue of all that is to come.

use tutti_proto::v1;

use super::{QUIET_MS, Simulation, network::kind, node::Deed};

#[derive(Debug)]
pub(super) enum Event {
    /// One end hears that the link is up.
    Up { link: u64 },
    /// One end hears that the link is gone.
    Down { node: usize, link: u64 },
    /// A frame arrives at an end.
    Frame { link: u64, frame: v1::Frame },
    /// A timer of a node rings, as set for that time; it may have been set anew since.
    Tick { node: usize, at_ms: u64 },
    /// A pair without a link tries to get one.
    Dial { one: usize, other: usize },
    /// A random link is cut.
    Cut,
    /// A machine is switched on.
    Start { node: usize },
}

/// More than ever happens in one millisecond.
const STILL_MAX: u64 = 2_000_000;

impl Simulation {
    pub(super) fn at(&mut self, wait_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now_ms + wait_ms, self.sequence), event);
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while self.next_event(end_ms) {}
        self.set_now(end_ms);
    }

    /// Lets time pass up to `end_ms`, and at once where nothing happens in it.
    pub fn run_until(&mut self, end_ms: u64) {
        while self.now_ms < self.busy_ms + QUIET_MS && self.next_event(end_ms) {}
        self.set_now(end_ms);
    }

    pub(super) fn set_now(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.truth.borrow_mut().now_ms = self.now_ms;
    }

    fn next_event(&mut self, end_ms: u64) -> bool {
        let Some(entry) = self.events.first_entry() else { return false };
        let (at_ms, _) = *entry.key();
        if at_ms > end_ms {
            return false;
        }
        let event = entry.remove();
        self.still = if at_ms > self.now_ms { 0 } else { self.still + 1 };
        assert!(self.still < STILL_MAX, "time stands still: {event:?} again and again");
        self.set_now(at_ms);
        self.happen(event);
        true
    }

    pub(super) fn happen(&mut self, event: Event) {
        let now_ms = self.now_ms;
        match event {
            Event::Up { link } => {
                let Some(wire) = self.wires.get(&(link / 2)) else { return };
                let (node, other) = if link.is_multiple_of(2) { (0, 1) } else { (1, 0) };
                let (node, other) = (wire.ends[node], wire.ends[other]);
                let society = self.nodes[other].society;
                self.busy_ms = now_ms;
                self.nodes[node].connected(link, society, link.is_multiple_of(2), now_ms);
                self.after(node);
            }
            Event::Down { node, link } => {
                self.nodes[node].closed(link, now_ms);
                self.after(node);
            }
            Event::Frame { link, frame } => {
                let Some(wire) = self.wires.get(&(link / 2)) else { return };
                let end = usize::from(link % 2 == 1);
                let (node, from) = (wire.ends[end], wire.ends[1 - end]);
                let kind = kind(&frame);
                // Nor is it news where a full disk asks again for what it cannot keep.
                let full = |node: usize| self.nodes[node].disk.platter().full;
                let again = matches!(kind, "want" | "batch") && (full(node) || full(from));
                if !again && !matches!(kind, "frontier" | "want_body" | "body_unavailable") {
                    self.busy_ms = now_ms;
                }
                if let Some(recording) = &mut self.recording {
                    recording.push((from, node, frame.clone()));
                }
                self.nodes[node].frame(link, frame, now_ms);
                self.after(node);
            }
            Event::Tick { node, at_ms } => {
                if self.ticks[node] != Some(at_ms) {
                    return;
                }
                self.ticks[node] = None;
                self.nodes[node].tick(now_ms);
                self.after(node);
            }
            Event::Dial { one, other } => self.dial(one, other),
            Event::Cut => {
                let at = self.random(self.wires.len() as u64);
                let at = usize::try_from(at).unwrap_or_default();
                if let Some(wire) = self.wires.keys().nth(at).copied() {
                    self.cut(wire);
                }
                let wait_ms = 1 + self.random(2 * self.network.cut_every_ms);
                self.at(wait_ms, Event::Cut);
            }
            Event::Start { node } => {
                if self.nodes[node].is_up() {
                    return;
                }
                self.busy_ms = now_ms;
                self.nodes[node].start(&self.federation, now_ms);
                self.nodes[node].tick(now_ms);
                self.dial_waiting();
                self.after(node);
                self.retry(node);
            }
        }
    }

    /// A node has had its turn: its frames go out, it is stopped where its disk has failed, and its
    /// next timer is set.
    pub(super) fn after(&mut self, node: usize) {
        let dying = self.nodes[node].is_dying();
        // What a process that ends had handed to the system may be sent yet.
        let sends = !dying || self.random(2) == 0;
        for deed in self.nodes[node].deeds() {
            match deed {
                Deed::Send { link, frame } if sends => self.carry(node, link, frame),
                Deed::Send { .. } => {}
                Deed::Close { link, why } => {
                    if let Some(wire) = self.wires.get(&(link / 2)) {
                        let peer = wire.ends[usize::from(link.is_multiple_of(2))];
                        let (who, peer) = (self.nodes[node].society, self.nodes[peer].society);
                        self.closed.push((who, peer, why));
                        self.cut(link / 2);
                    }
                }
            }
        }
        if dying {
            let away_ms = 1_000 + self.random(60_000);
            return self.stop(node, away_ms);
        }
        let Some(at_ms) = self.nodes[node].next_timer() else { return };
        let at_ms = at_ms.max(self.now_ms);
        if self.ticks[node].is_none_or(|set| at_ms < set) {
            self.ticks[node] = Some(at_ms);
            self.at(at_ms - self.now_ms, Event::Tick { node, at_ms });
        }
    }
}
