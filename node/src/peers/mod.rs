//! Peers: the wire between nodes, and nothing of what is said on it.
//!
//! Mutual TLS 1.3 by the roster's keys, one bidirectional gRPC stream a pair of societies, whoever
//! dials. What comes in is handed to the engine as [`PeerEvent`]s with the society that TLS has
//! proven; what the engine sends goes through a bounded [`Outbox`] a link. Invariants: no byte of a
//! stranger reaches a decoder of ours; every queue has a limit; a link that is too slow is closed
//! with the reason, and never slows another.

mod accept;
mod dial;
mod limits;
mod link;
mod members;
mod outbox;
pub(crate) mod pending;
mod service;
mod table;
pub(crate) mod tls;
mod traffic;
pub(crate) mod wire;

use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinSet,
};
use tutti_core::{roster::Roster, society::Society};
use tutti_proto::v1;

pub use crate::tls_key::{TlsKey, TlsKeyError};
pub use outbox::{Full, Inbox, Outbox};
pub use table::{LinkState, PeerState};
pub use tls::TlsError;
pub use traffic::Traffic;

/// Events that may wait for the engine; frames are bounded by their bytes as well.
const EVENTS_MAX: usize = 256;

/// What happens on the links. For each `Connected` there is one `Closed`, and no `Frame` after it.
#[derive(Debug)]
pub enum PeerEvent {
    /// A link is up.
    Connected {
        /// Its number in this run; never used again.
        link: u64,
        /// Whom TLS has proven at the other end.
        society: Society,
        /// What is sent goes here. Dropping the last copy closes the link.
        outbox: Outbox,
        /// Whether this side dialled.
        dialled: bool,
        /// The other end's address, for people.
        address: String,
    },
    /// A frame came in.
    Frame {
        /// On this link.
        link: u64,
        /// As it was decoded; nothing in it was checked.
        frame: v1::Frame,
    },
    /// The link is gone.
    Closed {
        /// Which.
        link: u64,
        /// Why, in a few words for people.
        why: String,
    },
}

/// An event on its way to the engine. While it lives, its bytes count as waiting.
#[derive(Debug)]
pub struct Incoming {
    /// What happened.
    pub event: PeerEvent,
    /// Of its link, and of all.
    waiting: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Incoming {
    /// The event, and what is to be dropped once it was handled.
    pub fn into_parts(self) -> (PeerEvent, impl Send + 'static) {
        (self.event, self.waiting)
    }
}

/// All links of a node.
pub struct Peers {
    own: Society,
    context: link::Context,
    tls: Arc<tls::MemberTls>,
    stop: watch::Sender<bool>,
    accepting: JoinSet<()>,
    dialling: JoinSet<()>,
    /// Ends the dialling by the roster that is in force.
    over: watch::Sender<bool>,
}

impl Peers {
    /// Starts accepting on `listener`, where there is one, and dialling every active member of
    /// `roster` that has endpoints. Events come out of the receiver.
    pub fn start(
        own: Society,
        roster: Arc<Roster>,
        key: &TlsKey,
        listener: Option<TcpListener>,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), TlsError> {
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let members = members::Members::new(roster.clone());
        let context = link::Context {
            table: Arc::new(table::Table::new(own, members.clone())),
            events,
            waiting: Arc::new(Semaphore::new(limits::WAITING_BYTES_MAX)),
        };
        let tls = Arc::new(tls::MemberTls::new(key, own, members.clone())?);
        let stop = watch::Sender::new(false);
        let mut accepting = JoinSet::new();
        if let Some(listener) = listener {
            let stopped = stop.subscribe();
            accepting.spawn(accept::run(listener, tls.clone(), members, context.clone(), stopped));
        }
        let (dialling, over) = (JoinSet::new(), watch::Sender::new(false));
        let mut peers = Self { own, context, tls, stop, accepting, dialling, over };
        peers.dial(&roster);
        Ok((peers, received))
    }

    fn dial(&mut self, roster: &Roster) {
        let others = roster.active().filter(|member| member.society != self.own);
        for member in others.filter(|member| !member.endpoints.is_empty()) {
            let target = dial::Target {
                own: self.own,
                society: member.society,
                endpoints: member.endpoints.clone(),
                key: member.tls_key,
            };
            let over = self.over.subscribe();
            self.dialling.spawn(dial::run(target, self.tls.clone(), self.context.clone(), over));
        }
    }

    /// Goes by another roster from now on: every link is ended at once, and those who are members
    /// by the new one come again, or are dialled, by the endpoints and keys that it names.
    pub fn follow(&mut self, roster: Arc<Roster>) {
        self.over.send_replace(true);
        while self.dialling.try_join_next().is_some() {}
        self.context.table.follow(roster.clone());
        self.over = watch::Sender::new(false);
        self.dial(&roster);
    }

    /// What is known of each active member.
    pub fn view(&self) -> View {
        View(self.context.table.clone())
    }

    /// Stops accepting and dialling, and ends every link.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.dialling.shutdown().await;
        self.context.table.cut_all("this node is stopping");
        while self.accepting.join_next().await.is_some() {}
    }
}

/// Reads the state of the links. Cheap to clone.
#[derive(Clone)]
pub struct View(Arc<table::Table>);

impl View {
    /// What is known of each active member, by code.
    pub fn states(&self) -> BTreeMap<Society, PeerState> {
        self.0.states()
    }
}

#[cfg(test)]
mod tests;
