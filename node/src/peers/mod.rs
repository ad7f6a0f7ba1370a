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
mod outbox;
pub(crate) mod pending;
mod service;
mod table;
pub(crate) mod tls;
mod tls_key;
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

pub use outbox::{Full, Inbox, Outbox};
pub use table::{LinkState, PeerState};
pub use tls::TlsError;
pub use tls_key::{TlsKey, TlsKeyError};
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
    table: Arc<table::Table>,
    stop: watch::Sender<bool>,
    accepting: JoinSet<()>,
    dialling: JoinSet<()>,
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
        let others: Vec<_> =
            roster.active().filter(|member| member.society != own).cloned().collect();
        let table = Arc::new(table::Table::new(own, others.iter().map(|member| member.society)));
        let context = link::Context {
            table: table.clone(),
            events,
            waiting: Arc::new(Semaphore::new(limits::WAITING_BYTES_MAX)),
        };
        let tls = Arc::new(tls::MemberTls::new(key, own, roster.clone())?);
        let stop = watch::Sender::new(false);
        let (mut accepting, mut dialling) = (JoinSet::new(), JoinSet::new());
        if let Some(listener) = listener {
            let stopped = stop.subscribe();
            accepting.spawn(accept::run(listener, tls.clone(), roster, context.clone(), stopped));
        }
        for member in others.into_iter().filter(|member| !member.endpoints.is_empty()) {
            let target = dial::Target {
                own,
                society: member.society,
                endpoints: member.endpoints,
                key: member.tls_key,
            };
            dialling.spawn(dial::run(target, tls.clone(), context.clone()));
        }
        Ok((Self { table, stop, accepting, dialling }, received))
    }

    /// What is known of each active member.
    pub fn view(&self) -> View {
        View(self.table.clone())
    }

    /// Stops accepting and dialling, and ends every link.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.dialling.shutdown().await;
        self.table.cut_all();
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
