//! One simulated machine: the engine as it runs in production, without threads, with two clocks of
//! its own and a simulated disk. The steady clock begins with the process; the one on the wall is
//! years off, and is set.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::RngCore as _;
use sha2::{Digest as _, Sha256};
use tutti_core::{
    body::{Part, Place},
    entry::Entry,
    session::Tally,
    society::Society,
    store::Reader as _,
};
use tutti_node::{
    clock::Now,
    engine::{Engine, Identity, Receipt, Refused, Write},
    peers::{Inbox, Outbox, PeerEvent},
};
use tutti_proto::v1;

use super::{
    disk::Disk,
    federation::{Federation, origin},
    truth::Truth,
};

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
pub struct Node {
    pub(super) society: Society,
    pub(super) conduct: Conduct,
    pub(super) disk: Disk,
    /// `None` while the machine is off.
    engine: Option<Engine<Disk, ChaCha20Rng>>,
    inboxes: BTreeMap<u64, Inbox>,
    rng: ChaCha20Rng,
    /// Its wall clock minus the true one, milliseconds.
    pub(super) skew_ms: i64,
    /// When its process began, by the true clock.
    pub(super) began_ms: u64,
    /// Counts of the runs that have ended.
    past: Tally,
    truth: Rc<RefCell<Truth>>,
}

/// What comes out of a node: a frame on a link, or the end of the link and why.
pub(super) enum Deed {
    Send { link: u64, frame: v1::Frame },
    Close { link: u64, why: String },
}

impl Node {
    pub(super) fn new(
        society: Society,
        conduct: Conduct,
        disk: Disk,
        seed: u64,
        skew_ms: i64,
        truth: Rc<RefCell<Truth>>,
    ) -> Self {
        Self {
            society,
            conduct,
            disk,
            engine: None,
            inboxes: BTreeMap::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            skew_ms,
            began_ms: 0,
            past: Tally::default(),
            truth,
        }
    }

    /// Its own clocks.
    fn clocks(&self, now_ms: u64) -> Now {
        let steady_ms = now_ms.saturating_sub(self.began_ms);
        Now { steady_ms, wall_ms: now_ms.saturating_add_signed(self.skew_ms) }
    }

    /// Milliseconds since the Unix epoch, as it believes.
    pub(super) fn clock(&self, now_ms: u64) -> u64 {
        self.clocks(now_ms).wall_ms
    }

    /// Its wall clock is set.
    pub(super) fn set_clock(&mut self, skew_ms: i64, now_ms: u64) {
        self.skew_ms = skew_ms;
        self.truth.borrow_mut().keeping.clock(self.society, skew_ms, now_ms);
        self.tick(now_ms);
    }

    /// A new process on the disk as it is.
    pub(super) fn start(&mut self, federation: &Federation, now_ms: u64) {
        let highwater = self.disk.platter().on();
        self.began_ms = now_ms;
        self.truth.borrow_mut().keeping.clock(self.society, self.skew_ms, now_ms);
        self.truth.borrow().check_start(self.society, &self.disk);
        let identity = self.identity(federation, self.clock(now_ms));
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.engine = Some(Engine::new(
            identity,
            federation.roster.clone(),
            self.disk.clone(),
            highwater,
            ChaCha20Rng::from_seed(seed),
            self.clocks(now_ms),
        ));
    }

    /// A second engine over a copy of the disk, as a start would build it, with a clock that stands.
    #[cfg(test)]
    pub(super) fn rebuilt(
        &self,
        federation: &Federation,
        now_ms: u64,
    ) -> Engine<tutti_core::store::MemoryStore, ChaCha20Rng> {
        let (store, highwater) = {
            let platter = self.disk.platter();
            (platter.backup(), platter.highwater())
        };
        let rng = ChaCha20Rng::from_seed([0; 32]);
        let roster = federation.roster.clone();
        let now = self.clocks(now_ms);
        Engine::new(self.identity(federation, now.wall_ms), roster, store, highwater, rng, now)
    }

    fn identity(&self, federation: &Federation, now_ms: u64) -> Identity {
        Identity {
            society: self.society,
            name: format!("Society {}", self.society),
            origin: origin(self.society),
            keyring: federation.secrets[&self.society].keyring(),
            started_at_ms: now_ms,
            listen: String::new(),
        }
    }

    /// The process ends, however.
    pub(super) fn stop(&mut self) {
        self.past = self.tally();
        self.engine = None;
        self.inboxes.clear();
        self.disk.platter().off();
    }

    /// Whether its process runs.
    pub fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// Whether it has met an error after which the process must end.
    pub(super) fn is_dying(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.fatal().is_some())
    }

    /// When it wants to be ticked, by the true clock.
    pub(super) fn next_timer(&self) -> Option<u64> {
        let at_ms = self.engine.as_ref()?.next_timer()?;
        Some(self.began_ms.saturating_add(at_ms))
    }

    pub(super) fn connected(&mut self, link: u64, society: Society, dialled: bool, now_ms: u64) {
        let (outbox, inbox) = Outbox::detached();
        self.inboxes.insert(link, inbox);
        let address = format!("{society}.example.org:1");
        self.peer(PeerEvent::Connected { link, society, outbox, dialled, address }, now_ms);
    }

    pub(super) fn closed(&mut self, link: u64, now_ms: u64) {
        self.inboxes.remove(&link);
        self.peer(PeerEvent::Closed { link, why: "the link was cut".into() }, now_ms);
    }

    pub(super) fn frame(&mut self, link: u64, frame: v1::Frame, now_ms: u64) {
        if self.inboxes.contains_key(&link) && !self.is_deaf_to(&frame) {
            self.peer(PeerEvent::Frame { link, frame }, now_ms);
        }
    }

    fn peer(&mut self, event: PeerEvent, now_ms: u64) {
        let now = self.clocks(now_ms);
        if let Some(engine) = &mut self.engine {
            engine.peer(event, now);
        }
    }

    pub(super) fn tick(&mut self, now_ms: u64) {
        let now = self.clocks(now_ms);
        if let Some(engine) = &mut self.engine {
            engine.tick(now);
        }
    }

    /// What people at this society write; the runtime ticks after each round, and so is done here.
    pub(super) fn write(
        &mut self,
        group: Vec<Write>,
        now_ms: u64,
    ) -> Vec<Result<Receipt, Refused>> {
        let now = self.clocks(now_ms);
        let Some(engine) = &mut self.engine else {
            return group.iter().map(|_| Err(Refused::Stopping)).collect();
        };
        let answers = engine.write(group, now);
        engine.tick(now);
        answers
    }

    /// All that it has put into its outboxes, link by link.
    pub(super) fn deeds(&mut self) -> Vec<Deed> {
        let mut deeds = Vec::new();
        self.inboxes.retain(|link, inbox| {
            loop {
                match inbox.try_next() {
                    Ok(Some(frame)) => deeds.push(Deed::Send { link: *link, frame }),
                    Ok(None) => return true,
                    Err(why) => {
                        deeds.push(Deed::Close { link: *link, why });
                        return false;
                    }
                }
            }
        });
        deeds
    }

    /// An equivocator does not listen to what is said of its own log.
    fn is_deaf_to(&self, frame: &v1::Frame) -> bool {
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
            Some(v1::frame::Frame::Cosignatures(cosignatures)) => {
                cosignatures.heads.iter().any(|head| head.origin == own.as_str())
            }
            Some(v1::frame::Frame::Doubt(doubt)) => is_own(&doubt.first),
            Some(v1::frame::Frame::Evidence(evidence)) => is_own(&evidence.first),
            _ => false,
        }
    }

    /// Of its own log the head alone, where there were entries, and no proof of a fork.
    pub(super) fn withheld(&self, mut frame: v1::Frame) -> v1::Frame {
        if let Some(v1::frame::Frame::Batch(batch)) = &frame.frame
            && batch.origin == origin(self.society).as_str()
            && !batch.entries.is_empty()
        {
            let checkpoints = vec![batch.checkpoint.clone()];
            let heads = v1::Heads { checkpoints, frontier: false };
            frame.frame = Some(v1::frame::Frame::Heads(heads));
        }
        frame
    }

    /// The running engine.
    pub fn engine(&self) -> Option<&Engine<Disk, ChaCha20Rng>> {
        self.engine.as_ref()
    }

    /// The same, for what records who reads.
    #[cfg(test)]
    pub(super) fn engine_mut(&mut self) -> Option<&mut Engine<Disk, ChaCha20Rng>> {
        self.engine.as_mut()
    }

    /// What is stored, also while the machine is off.
    pub fn store(&self) -> &Disk {
        &self.disk
    }

    /// The society.
    pub fn society(&self) -> Society {
        self.society
    }

    /// Counts of its exchange over all its runs.
    pub fn tally(&self) -> Tally {
        let mut sum = self.past;
        if let Some(engine) = &self.engine {
            let now = engine.exchange_tally();
            sum.batches += now.batches;
            sum.batches_redundant += now.batches_redundant;
            sum.entries += now.entries;
            sum.pushes += now.pushes;
            sum.wants += now.wants;
            sum.heads_frames += now.heads_frames;
            sum.cosignature_frames += now.cosignature_frames;
            sum.bodies += now.bodies;
        }
        sum
    }

    /// A hash over all that is stored and all that is shown.
    pub fn state_hash(&self) -> String {
        let mut state = Sha256::new();
        let disk = &self.disk;
        for log in disk.logs() {
            let entries = disk.entries(&log, 0, u64::MAX, usize::MAX).expect("readable");
            state.update(format!("{log} {} ", disk.evidence(&log).is_some()));
            state.update(disk.head(&log).map(|head| head.to_bytes()).unwrap_or_default());
            for (witness, head) in disk.cosigned(&log) {
                state.update(format!("{witness} {}", head.size()));
            }
            for entry in entries {
                state.update(entry.as_slice());
                let Ok(Entry::V1(header)) = Entry::parse(entry.as_slice()) else { continue };
                let bodies = [Some(header.record), header.content].into_iter().flatten();
                for (part, commitment) in Part::ALL.into_iter().zip(bodies) {
                    let key = Place::new(&log, header.index, part).key(&commitment.digest);
                    let body = disk.body(&key, 0, usize::MAX).expect("readable");
                    state.update(format!("{:?}", disk.body_state(&key)));
                    state.update(body.unwrap_or_default());
                }
            }
        }
        if let Some(engine) = &self.engine {
            for referral in engine.cases() {
                state.update(format!("{referral:?}"));
            }
            for share in engine.shares_as_told() {
                state.update(format!("{share:?}"));
            }
        }
        hex::encode(state.finalize())
    }

    /// What is shown, without what the clocks and the seals' randomness put in.
    pub fn meaning(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(engine) = &self.engine else { return lines };
        for log in self.disk.logs() {
            let head = self.disk.head(&log).map_or(0, |head| head.cosignatures().len());
            lines.push(format!("{log} {} {head}", self.disk.tree(&log).size()));
        }
        for referral in engine.cases() {
            let outcomes = referral.outcomes.iter().map(|outcome| {
                format!("{:?} {:?} {:?}", outcome.event.at, outcome.effective, outcome.why)
            });
            lines.push(format!("{} {}", referral.id, referral.state));
            lines.extend(outcomes);
        }
        for share in engine.shares_as_told() {
            lines.push(format!("{:?} {:?} {}", share.id, share.state, share.version_number));
        }
        lines
    }
}
