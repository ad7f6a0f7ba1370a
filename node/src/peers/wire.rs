//! A TCP connection under watch: its bytes are counted, it must come to something in time, and it
//! can be cut from outside.
//!
//! The deadline lies under TLS and HTTP/2, so one rule closes every kind of stall: before the
//! handshake, in the middle of it, before the preface, before the request, before the first frame.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::traffic::Traffic;
use crate::clock::now_ms;

/// The handle on a connection that others hold.
#[derive(Debug, Default)]
pub(crate) struct Grip {
    settled: AtomicBool,
    cut: AtomicBool,
    why: OnceLock<&'static str>,
    reader: Mutex<Option<Waker>>,
    traffic: Arc<Traffic>,
}

impl Grip {
    /// The connection has come to what it is for: the deadline no longer holds.
    pub(crate) fn settle(&self) {
        self.settled.store(true, SeqCst);
    }

    /// Ends the connection at once, for this reason where it had none.
    pub(crate) fn cut_because(&self, why: &'static str) {
        let _ = self.why.set(why);
        self.cut();
    }

    /// Why it was cut, where it was cut for a reason.
    pub(crate) fn why(&self) -> Option<&'static str> {
        self.why.get().copied()
    }

    /// Ends the connection at once.
    pub(crate) fn cut(&self) {
        self.cut.store(true, SeqCst);
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Whether the connection is cut; else the reader is woken when it is.
    fn poll_cut(&self, cx: &mut Context<'_>) -> bool {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *reader {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        self.cut.load(SeqCst)
    }
}

/// See the module.
pub(crate) struct Wire {
    stream: TcpStream,
    deadline: Option<Pin<Box<Sleep>>>,
    grip: Arc<Grip>,
}

impl Wire {
    /// Watches a connection, which must settle within `deadline`.
    pub(crate) fn new(stream: TcpStream, deadline: Duration) -> (Self, Arc<Grip>) {
        let grip = Arc::<Grip>::default();
        (Self { stream, deadline: Some(Box::pin(sleep(deadline))), grip: grip.clone() }, grip)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if wire.grip.poll_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Some(deadline) = &mut wire.deadline {
            if wire.grip.settled.load(SeqCst) {
                wire.deadline = None;
            } else if deadline.as_mut().poll(cx).is_ready() {
                // Bytes that trickle in buy no time.
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut wire.stream).poll_read(cx, buf))?;
        wire.grip.traffic.received(buf.filled().len() - before, now_ms());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.grip.cut.load(SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.grip.traffic.sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
