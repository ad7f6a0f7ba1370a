//! A link between two nodes that a test has in its hand.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A TCP link that forwards to a node, and can be cut (at once, or after so many bytes) or slow.
pub(crate) struct Link {
    port: u16,
    inner: Arc<Inner>,
}

struct Inner {
    target: String,
    open: AtomicBool,
    /// Bytes towards the node that are let through before everything is cut once.
    budget: AtomicU64,
    cuts: AtomicU64,
    /// Bytes a second that are let through, each way and stream; 0: as many as come.
    rate: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Link {
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback port");
        let port = listener.local_addr().expect("address").port();
        let inner = Arc::new(Inner {
            target: target.into(),
            open: AtomicBool::new(true),
            budget: AtomicU64::new(u64::MAX),
            cuts: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            streams: Mutex::default(),
        });
        let accepting = Arc::downgrade(&inner);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(inner) = accepting.upgrade() else { return };
                inner.accept(stream);
            }
        });
        Self { port, inner }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Cuts every stream and refuses new ones.
    pub(crate) fn cut(&self) {
        self.inner.open.store(false, Ordering::SeqCst);
        self.inner.drop_all();
    }

    /// Lets streams through again.
    pub(crate) fn heal(&self) {
        self.inner.open.store(true, Ordering::SeqCst);
    }

    /// Cuts every stream once, after `bytes` more bytes; then goes on as if nothing were.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.inner.budget.store(bytes, Ordering::SeqCst);
    }

    /// Lets so many bytes a second through, each way and stream; 0: as many as come.
    pub(crate) fn slow(&self, bytes_per_s: u64) {
        self.inner.rate.store(bytes_per_s, Ordering::SeqCst);
    }

    /// How often a budget ran out.
    pub(crate) fn cuts(&self) -> u64 {
        self.inner.cuts.load(Ordering::SeqCst)
    }
}

impl Inner {
    fn accept(self: Arc<Self>, client: TcpStream) {
        if !self.open.load(Ordering::SeqCst) {
            return;
        }
        let Ok(node) = TcpStream::connect(&self.target) else { return };
        let (Ok(client_copy), Ok(node_copy)) = (client.try_clone(), node.try_clone()) else {
            return;
        };
        let kept = [client.try_clone(), node.try_clone()];
        self.streams.lock().expect("lock").extend(kept.into_iter().flatten());
        let inner = Arc::clone(&self);
        thread::spawn(move || inner.forward(client, node));
        thread::spawn(move || self.forward(node_copy, client_copy));
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let count = count as u64;
            let rate = self.rate.load(Ordering::SeqCst);
            if let Some(micros) = (count * 1_000_000).checked_div(rate) {
                thread::sleep(Duration::from_micros(micros));
            }
            let left = self
                .budget
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    Some(if left == u64::MAX { left } else { left.saturating_sub(count) })
                })
                .unwrap_or(u64::MAX);
            let cut = left != u64::MAX && left <= count;
            // The last piece before the cut is only half of what came: in the middle of a frame.
            let pass = if cut { count.div_ceil(2) } else { count } as usize;
            if to.write_all(&buffer[..pass]).is_err() {
                break;
            }
            if cut {
                self.budget.store(u64::MAX, Ordering::SeqCst);
                self.cuts.fetch_add(1, Ordering::SeqCst);
                self.drop_all();
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn drop_all(&self) {
        for stream in self.streams.lock().expect("lock").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
