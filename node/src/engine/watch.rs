//! Watching: a bounded queue for each watcher. One that is too slow loses the oldest and is told
//! how many; it never slows the engine.

use tokio::sync::broadcast;
use tutti_proto::node::v1 as api;

/// How many changes a watcher may lag behind.
const QUEUE: usize = 1024;

/// Something that changed.
pub type Change = api::WatchEvent;

/// The receiving end of one watcher.
pub struct Watcher {
    receiver: broadcast::Receiver<Change>,
    kinds: Vec<String>,
}

impl Watcher {
    /// The next change of the kinds that were asked for; `None` when the node stops. A change of
    /// kind `missed` says how many were lost.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            match self.receiver.recv().await {
                Ok(change) if self.kinds.is_empty() || self.kinds.contains(&change.kind) => {
                    return Some(change);
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(count)) => {
                    return Some(Change {
                        kind: "missed".into(),
                        what: "the watcher was too slow; read the state again".into(),
                        count,
                        ..Change::default()
                    });
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// The sending end.
pub(crate) struct Hub(broadcast::Sender<Change>);

impl Default for Hub {
    fn default() -> Self {
        Self(broadcast::Sender::new(QUEUE))
    }
}

impl Hub {
    pub(crate) fn subscribe(&self, kinds: Vec<String>) -> Watcher {
        Watcher { receiver: self.0.subscribe(), kinds }
    }

    pub(crate) fn tell(&self, change: Change) {
        // Nobody watching is no error.
        let _ = self.0.send(change);
    }
}
