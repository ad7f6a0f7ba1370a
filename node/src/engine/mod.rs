//! The engine: the one owner of all that is written.
//!
//! One thread runs it (see [`runtime`]); commands, questions and frames from peers reach it through
//! one queue. It decides, seals, appends, exchanges and projects. Invariant: nothing is answered,
//! pushed to a peer or cosigned before the store has made it durable. It knows no tokio and no
//! gRPC, so that a simulator can drive the same code.

mod allowed;
mod approvals;
mod attaching;
mod attachments;
mod carrying;
mod cases;
mod commit;
mod damaged;
mod deadlines;
mod delivery;
mod drafts;
mod erasing;
mod exchange;
mod fence;
mod groups;
mod held;
mod joined;
mod left_drafts;
mod people;
mod project;
mod query;
mod reading;
mod refused;
mod relay;
mod roster;
pub mod runtime;
mod strays;
mod watch;
mod write;

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use rand_core::CryptoRngCore;
use tutti_core::{
    information,
    local::LocalKeys,
    people::Action,
    referral,
    roster::Roster,
    sealing::PairKey,
    session::{Exchange, Settings},
    society::{Origin, Society},
    store::Store,
};
use tutti_proto::node::v1 as api;
use zeroize::Zeroizing;

pub use attachments::Passing;
pub(crate) use attachments::parse_attachment;
pub use exchange::PeerStatus;
pub use fence::Mode;
pub(crate) use query::desk_message;
pub use refused::Refused;
pub use watch::{Change, Watcher};
pub use write::{Order, Receipt, Write};

use crate::{
    clock::Now,
    keyring::Keyring,
    local::{Actor, DRAFT_KEEP_DAYS, Local},
    peers::Outbox,
};

/// What stays the same while a node runs.
pub struct Identity {
    /// The society.
    pub society: Society,
    /// Its name, for people.
    pub name: String,
    /// Its log.
    pub origin: Origin,
    /// Its keys.
    pub keyring: Keyring,
    /// When the process started, milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Where other nodes reach it, for people.
    pub listen: String,
}

/// See the module.
pub struct Engine<S, R> {
    identity: Identity,
    roster: Roster,
    store: S,
    rng: R,
    exchange: Exchange,
    routing: Routing,
    referrals: referral::Register,
    information: information::Register,
    recent: RefCell<cases::Recent>,
    opened_key: Zeroizing<[u8; 32]>,
    /// While what is held is read for the first time.
    starting: bool,
    unsettled: cases::Unsettled,
    projector: project::Projector,
    erasing: erasing::Erasing,
    deadlines: deadlines::Deadlines,
    deliveries: delivery::Deliveries,
    relay: relay::Relay,
    strays: strays::Strays,
    damaged: damaged::Damaged,
    links: BTreeMap<u64, exchange::Link>,
    peers: BTreeMap<Society, PeerStatus>,
    /// Happenings inside that the exchange is still to be told of.
    inbox: VecDeque<exchange::Happening>,
    arrived: exchange::Arrived,
    /// What was written here, by its idempotency key, which is the event's id: the entry.
    receipts: BTreeMap<[u8; 16], u64>,
    watch: watch::Hub,
    mode: Mode,
    /// The highest size at which our own log was ever signed, as a file outside backups tells.
    highwater: Option<u64>,
    /// Set where that is not known, until peers have told.
    unsure: Option<fence::Unsure>,
    /// Why a roster that was installed is not in force, where one is not.
    roster_refused: Option<String>,
    /// Who the society's people are, and who has read what.
    local: Local,
    /// Whether shares are published only once a second person has approved.
    review: bool,
    /// Days after which a draft is erased on which nobody works.
    draft_days: u32,
    /// When the engine was last given something to do.
    now: Now,
    /// Set where the store said that nothing it wrote last can be believed.
    fatal: Option<String>,
}

/// Recognises what is addressed to this society: one pair key a member.
pub(crate) struct Routing {
    pairs: BTreeMap<Society, PairKey>,
}

impl Routing {
    fn new(keyring: &Keyring, roster: &Roster) -> Self {
        let pairs = roster
            .members()
            .iter()
            .map(|member| (member.society, keyring.routing.pair(&member.routing_key)))
            .collect();
        Self { pairs }
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Takes the store as it is on the disk and brings every projection up to it.
    ///
    /// `highwater` is the highest size at which the own log was ever signed; `None` where that is
    /// not known: then nothing is signed until peers have told of it.
    pub fn new(
        identity: Identity,
        roster: Roster,
        store: S,
        highwater: Option<u64>,
        mut rng: R,
        now: impl Into<Now>,
    ) -> Self {
        let now = now.into();
        let mut incarnation = [0; 16];
        rng.fill_bytes(&mut incarnation);
        let settings = Settings::new(
            identity.society,
            identity.origin.clone(),
            roster.version(),
            roster.hash(),
            incarnation,
        );
        let routing = Routing::new(&identity.keyring, &roster);
        let notes = store.notes();
        // The name of a log is the name of a key.
        let local = Local::in_memory(&identity.keyring.local, &identity.origin)
            .expect("an origin makes the name of a key");
        let keys = LocalKeys::derive(&identity.keyring.local, &identity.origin)
            .expect("an origin makes the name of a key");
        let mut engine = Self {
            exchange: Exchange::new(settings),
            routing,
            referrals: referral::Register::new(identity.society),
            information: information::Register::default(),
            recent: RefCell::default(),
            opened_key: keys.opened,
            starting: true,
            unsettled: cases::Unsettled::default(),
            projector: project::Projector::default(),
            erasing: erasing::Erasing::default(),
            deadlines: deadlines::Deadlines::default(),
            deliveries: delivery::Deliveries::read(&notes),
            relay: relay::Relay::read(&notes),
            strays: strays::Strays::read(&notes),
            damaged: damaged::Damaged::default(),
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            inbox: VecDeque::new(),
            arrived: exchange::Arrived::default(),
            receipts: BTreeMap::new(),
            watch: watch::Hub::default(),
            mode: Mode::Writing,
            highwater,
            unsure: highwater.is_none().then(fence::Unsure::default),
            now,
            fatal: None,
            review: false,
            draft_days: DRAFT_KEEP_DAYS,
            roster_refused: None,
            local,
            identity,
            roster,
            store,
            rng,
        };
        engine.set_mode();
        engine.project_all(now.wall_ms);
        engine.settle_all(now.wall_ms);
        engine.begin_erasing(now.wall_ms);
        engine.want_contents(now.wall_ms);
        engine
    }

    /// Puts the local log of a node's directory in place of the one in memory, and erases what lies there of
    /// cases that are to be erased.
    pub fn set_local(&mut self, local: Local) {
        self.local = local;
        self.erase_local(self.now.wall_ms);
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The roster in force.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The store, for reading.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Why the process must end, where it must.
    pub fn fatal(&self) -> Option<&str> {
        self.fatal.as_deref()
    }

    /// When something is due next, by the steady clock. A deadline goes by the other one, and if
    /// that is set meanwhile, moves.
    pub fn next_timer(&self) -> Option<u64> {
        let Now { steady_ms, wall_ms } = self.now;
        let until_ms = |at_ms: u64| steady_ms.saturating_add(at_ms.saturating_sub(wall_ms));
        let timers = [
            self.exchange.next_timer(),
            self.deadlines.next().map(until_ms),
            self.deliveries.next_look(),
            self.next_listening(),
        ];
        timers.into_iter().flatten().min()
    }

    /// Takes the time of what comes now; gives that of the wall clock.
    fn set_now(&mut self, now: impl Into<Now>) -> u64 {
        self.now = now.into();
        self.now.wall_ms
    }

    /// From now on, tells what changes.
    pub fn watch(&mut self, actor: &Actor, kinds: Vec<String>) -> Result<Watcher, Refused> {
        self.check(actor, Action::Status)?;
        Ok(self.watch.subscribe(kinds))
    }

    fn changed(&mut self, now_ms: u64, kind: &str, id: String, what: &str) {
        self.watch.tell(api::WatchEvent {
            at_ms: now_ms,
            kind: kind.into(),
            id,
            what: what.into(),
            count: 1,
        });
    }
}

/// How a link is handed to the engine.
pub type LinkOutbox = Outbox;

#[cfg(test)]
mod tests;
