//! What waits to be sent on one link: bounded by the memory that it takes, however many frames it is.
//!
//! Sending never waits. An outbox that is full means a peer that does not read: the link is closed
//! by whoever was told so, and the peer catches up over the next one.

use std::sync::Arc;

use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tutti_proto::v1;

use super::traffic::Traffic;

/// Bytes that may wait on one link. All that a peer can ask for at once, and what it is told besides, is
/// less: see [`tutti_core::limits`]. Else it would be cut off again and again at the same place.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a frame takes besides its bytes while it waits. So small ones are not without end either.
const FRAME_BYTES: usize = 256;

/// The frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The peer does not read as fast as we write.
    #[error("too much is waiting to be sent")]
    Behind,
    /// The link is closed already.
    #[error("the link is closed")]
    Closed,
}

/// The engine's end of a link. Dropping the last copy closes the link.
#[derive(Debug, Clone)]
pub struct Outbox {
    frames: mpsc::UnboundedSender<(v1::Frame, OwnedSemaphorePermit)>,
    bytes: Arc<Semaphore>,
    closing: Arc<watch::Sender<Option<String>>>,
    traffic: Arc<Traffic>,
}

/// The link's end: gives the frames in order.
#[derive(Debug)]
pub struct Inbox {
    frames: mpsc::UnboundedReceiver<(v1::Frame, OwnedSemaphorePermit)>,
    closing: watch::Receiver<Option<String>>,
}

impl Outbox {
    /// An outbox and where its frames come out. `traffic` counts the link's bytes.
    pub(crate) fn new(traffic: Arc<Traffic>) -> (Self, Inbox) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(None);
        let bytes = Arc::new(Semaphore::new(BYTES_MAX));
        let outbox = Self { frames: sender, bytes, closing: Arc::new(closing), traffic };
        (outbox, Inbox { frames: receiver, closing: closed })
    }

    /// An outbox that belongs to no wire: for tests of the engine.
    pub fn detached() -> (Self, Inbox) {
        Self::new(Arc::default())
    }

    /// Queues a frame, or refuses at once.
    pub fn try_send(&self, frame: v1::Frame) -> Result<(), Full> {
        let size = frame.encoded_len().saturating_add(FRAME_BYTES);
        let size = u32::try_from(size).map_err(|_| Full::Behind)?;
        let permit = self.bytes.clone().try_acquire_many_owned(size).map_err(|_| Full::Behind)?;
        self.frames.send((frame, permit)).map_err(|_| Full::Closed)
    }

    /// Closes the link. The first reason stays; it is shown to people here, not sent to the peer.
    pub fn close(&self, why: impl Into<String>) {
        self.closing.send_if_modified(|said| {
            let first = said.is_none();
            said.get_or_insert_with(|| why.into());
            first
        });
    }

    /// What the link has carried so far.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }
}

impl Inbox {
    /// The next frame; its bytes no longer count. `Err` with the reason once the engine has closed
    /// the link.
    pub async fn next(&mut self) -> Result<v1::Frame, String> {
        tokio::select! {
            biased;
            why = closed(&mut self.closing) => Err(why),
            Some((frame, _)) = self.frames.recv() => Ok(frame),
        }
    }

    /// What is there now, for whoever drives an engine without a runtime: the next frame, nothing,
    /// or the reason for which the engine has closed the link.
    pub fn try_next(&mut self) -> Result<Option<v1::Frame>, String> {
        if let Some(why) = self.closing.borrow().as_ref() {
            return Err(why.clone());
        }
        match self.frames.try_recv() {
            Ok((frame, _)) => Ok(Some(frame)),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => {
                Err("this node let go of the link".into())
            }
        }
    }

    /// Comes back with the reason once the engine has closed the link.
    pub(super) async fn closed(&mut self) -> String {
        closed(&mut self.closing).await
    }
}

async fn closed(closing: &mut watch::Receiver<Option<String>>) -> String {
    match closing.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        Err(_) => "this node let go of the link".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frame(bytes: usize) -> v1::Frame {
        let chunk = v1::BodyChunk { data: vec![0; bytes], ..Default::default() };
        v1::Frame { frame: Some(v1::frame::Frame::BodyChunk(chunk)) }
    }

    #[tokio::test]
    async fn the_limit_holds_for_small_frames_too_and_taking_frees_room() {
        let (outbox, mut inbox) = Outbox::detached();
        let size = frame(1).encoded_len() + FRAME_BYTES;
        for _ in 0..BYTES_MAX / size {
            outbox.try_send(frame(1)).unwrap();
        }
        assert_eq!(outbox.try_send(frame(1)), Err(Full::Behind));
        inbox.next().await.unwrap();
        outbox.try_send(frame(1)).unwrap();

        let (outbox, mut inbox) = Outbox::detached();
        outbox.try_send(frame(BYTES_MAX - 1000)).unwrap();
        assert_eq!(outbox.try_send(frame(1000)), Err(Full::Behind));
        inbox.next().await.unwrap();
        outbox.try_send(frame(1000)).unwrap();
    }

    #[tokio::test]
    async fn closing_tells_the_first_reason() {
        let (outbox, mut inbox) = Outbox::detached();
        outbox.close("forged entry");
        outbox.close("second");
        assert_eq!(inbox.next().await, Err("forged entry".into()));
        drop(inbox);
        assert_eq!(outbox.try_send(frame(1)), Err(Full::Closed));
        let (outbox, mut inbox) = Outbox::detached();
        drop(outbox);
        assert!(inbox.next().await.is_err());
    }
}
