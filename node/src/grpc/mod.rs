//! The client API over gRPC: thin services over the engine, on the local socket and over TLS.
//!
//! A handler decodes, asks the engine as whoever asks, encodes; there is no rule of the domain here.
//! Every request shows a token, over the socket as over TLS (`admit`). Every request has a deadline
//! and a size, every stream a bounded queue.

mod admit;
mod attachments;
mod decode;
mod information;
mod local;
mod log;
mod node;
mod people;
mod referrals;
mod remote;
mod server;
mod status;

use std::{path::PathBuf, sync::Arc, time::Instant};

use rand_core::OsRng;
use tutti_core::society::Origin;

pub(crate) use local::Socket;
pub use local::SocketError;
pub(crate) use remote::RemoteApi;
pub(crate) use server::Services;

use crate::{
    engine::{Order, Receipt, Refused, Write, runtime},
    local::{Actor, Gate},
    metrics::Metrics,
    peers,
    store::DiskStore,
};

/// The engine as the services hold it.
pub(crate) type Handle = runtime::Handle<DiskStore, OsRng>;

/// What the services need.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) engine: Handle,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) peers: peers::View,
    pub(crate) about: Arc<About>,
    pub(crate) gate: Gate,
}

/// What stays the same while the node runs.
pub(crate) struct About {
    pub(crate) dir: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) started_at_ms: u64,
    /// Where other nodes reach this one, for people.
    pub(crate) listen: String,
    /// Plain sentences from the start: what was cut, rebuilt or set aside.
    pub(crate) notices: Vec<String>,
}

impl Context {
    /// Commits a write, and measures how long its caller waited.
    async fn write(&self, by: Actor, write: Write) -> Result<Receipt, Refused> {
        self.write_approved(by, write, "").await
    }

    /// The same; `draft` is the one that a second person has approved, or empty.
    async fn write_approved(
        &self,
        by: Actor,
        write: Write,
        draft: &str,
    ) -> Result<Receipt, Refused> {
        let begun = Instant::now();
        let draft = if draft.is_empty() { None } else { Some(decode::draft(draft)?) };
        let written = self.engine.write(Order { by, write, draft }).await;
        self.metrics.commit(begun.elapsed(), written.is_ok());
        written
    }
}
