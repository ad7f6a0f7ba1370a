//! One link while it is up: a task that reads, a task that writes, and one end for both.

use std::sync::Arc;

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tonic::{Status, Streaming};
use tutti_proto::v1;

use super::{
    Incoming, PeerEvent,
    limits::{FAREWELL_MAX, WAITING_BYTES_PER_LINK_MAX},
    outbox::{Inbox, Outbox},
    table::{NewLink, Table},
    wire::Grip,
};

/// What every link needs of the node.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) table: Arc<Table>,
    pub(super) events: mpsc::Sender<Incoming>,
    /// Bytes of frames that may wait for the engine.
    pub(super) waiting: Arc<Semaphore>,
}

/// The two directions of the stream.
pub(super) struct Ends<T> {
    pub(super) incoming: Streaming<v1::Frame>,
    pub(super) outgoing: mpsc::Sender<T>,
    /// How a frame is put on the stream.
    pub(super) wrap: fn(v1::Frame) -> T,
}

/// Runs an admitted link to its end and says why it ended.
pub(super) async fn run<T: Send + 'static>(
    context: Context,
    new: NewLink,
    link: u64,
    ends: Ends<T>,
) -> String {
    let NewLink { society, dialled, address, grip, .. } = new;
    let (outbox, inbox) = Outbox::new(grip.traffic().clone());
    let connected = PeerEvent::Connected { link, society, outbox, dialled, address };
    let why = if context.tell(connected).await.is_ok() {
        tracing::info!(peer = %society, link, dialled, "linked");
        let mut tasks = JoinSet::new();
        tasks.spawn(read(context.clone(), link, grip.clone(), ends.incoming));
        tasks.spawn(write(inbox, ends.outgoing, ends.wrap));
        let first = tasks.join_next().await;
        // Waits for both: no frame comes after `Closed`.
        tasks.shutdown().await;
        match grip.why() {
            Some(why) => why.into(),
            None => first.and_then(Result::ok).unwrap_or_else(|| "a fault of this node".into()),
        }
    } else {
        STOPPING.into()
    };
    tracing::info!(peer = %society, link, why, "link ended");
    context.table.gone(society, link, &why);
    // Nobody to tell where the engine has stopped.
    let _ = context.tell(PeerEvent::Closed { link, why: why.clone() }).await;
    // What is under way, such as the status that ends the stream, may still go out.
    tokio::time::sleep(FAREWELL_MAX).await;
    grip.cut();
    why
}

const STOPPING: &str = "this node is stopping";

impl Context {
    async fn tell(&self, event: PeerEvent) -> Result<(), ()> {
        self.events.send(Incoming { event, waiting: None }).await.map_err(|_| ())
    }
}

async fn read(
    context: Context,
    link: u64,
    grip: Arc<Grip>,
    mut incoming: Streaming<v1::Frame>,
) -> String {
    let own = Arc::new(Semaphore::new(WAITING_BYTES_PER_LINK_MAX));
    loop {
        let frame = match incoming.message().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return "the peer ended the stream".into(),
            Err(status) => return reason(&status),
        };
        grip.settle();
        // Waiting here is the back-pressure: HTTP/2 lets the peer send no more than the window.
        let size = u32::try_from(prost::Message::encoded_len(&frame)).unwrap_or(u32::MAX);
        let Ok(of_link) = own.clone().acquire_many_owned(size).await else {
            return STOPPING.into();
        };
        let Ok(of_all) = context.waiting.clone().acquire_many_owned(size).await else {
            return STOPPING.into();
        };
        let event = PeerEvent::Frame { link, frame };
        let incoming = Incoming { event, waiting: Some((of_link, of_all)) };
        if context.events.send(incoming).await.is_err() {
            return STOPPING.into();
        }
    }
}

async fn write<T>(mut inbox: Inbox, outgoing: mpsc::Sender<T>, wrap: fn(v1::Frame) -> T) -> String {
    loop {
        let frame = match inbox.next().await {
            Ok(frame) => frame,
            Err(why) => return why,
        };
        tokio::select! {
            biased;
            why = inbox.closed() => return why,
            sent = outgoing.send(wrap(frame)) => if sent.is_err() {
                return "the connection was lost".into();
            },
        }
    }
}

/// What a status says, in a few words. The text may be the peer's: it is cut short and has no
/// control codes.
pub(super) fn reason(status: &Status) -> String {
    let mut cause: &dyn std::error::Error = status;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = match cause.downcast_ref::<std::io::Error>() {
        Some(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            "nothing came in time".to_string()
        }
        Some(error) => error.to_string(),
        None if status.message().is_empty() => format!("{:?}", status.code()),
        None => status.message().to_string(),
    };
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
