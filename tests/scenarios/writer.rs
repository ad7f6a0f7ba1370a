//! A program of a society's own that writes through the node's API, as fast as it is let, and
//! remembers every receipt: what was acknowledged must never be lost.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tutti_core::limits::TEXT_CHARS_MAX;
use tutti_node::client::{ConnectError, Connection, Target, connect};
use tutti_proto::{
    node::v1::{
        EntriesRequest, LogEntry, PublishInformationRequest, Receipt, StatusRequest,
        information_client::InformationClient, log_client::LogClient, node_client::NodeClient,
    },
    v1::{
        Audience, InformationKind, InformationVersion, LocalText, Severity, Verification,
        Visibility,
    },
};

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

pub(crate) async fn socket(dir: &Path) -> Result<Connection, ConnectError> {
    connect(&Target::Dir(dir.to_path_buf())).await
}

fn request(number: u64) -> PublishInformationRequest {
    static RUN: AtomicU64 = AtomicU64::new(1);
    let run = RUN.fetch_add(1, Ordering::SeqCst);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&run.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    PublishInformationRequest {
        idempotency_key: key.to_vec(),
        visibility: Visibility::Federation as i32,
        version: Some(InformationVersion {
            kind: InformationKind::ServiceChange as i32,
            countries: vec!["qa".into()],
            texts: vec![LocalText {
                language: "eng".into(),
                title: format!("Shelter hours, notice {number}"),
                summary: "Opening hours of the shelter have changed".into(),
                text: "The shelter is open from 8 to 20 o'clock.".into(),
                ..LocalText::default()
            }],
            audience: Audience::Migrants as i32,
            severity: Severity::Information as i32,
            verification: Verification::Verified as i32,
            ..InformationVersion::default()
        }),
        ..PublishInformationRequest::default()
    }
}

/// Publishes `count` notices at the node in `dir`, sixty-four at a time; all must succeed.
pub(crate) fn publish(dir: &Path, count: u64) -> Vec<Receipt> {
    runtime().block_on(async {
        let channel = socket(dir).await.expect("the node's socket");
        let mut receipts = Vec::new();
        let mut number = 0;
        while number < count {
            let group = (number..count.min(number + 64)).map(|number| {
                let mut client = InformationClient::new(channel.clone());
                tokio::spawn(async move { client.publish(request(number)).await })
            });
            for task in group.collect::<Vec<_>>() {
                let answer = task.await.expect("task");
                receipts.push(answer.expect("published").into_inner());
            }
            number += 64;
        }
        receipts
    })
}

/// Publishes one more notice, one of the longest; the refusal in the node's words.
pub(crate) fn try_publish(dir: &Path) -> Result<Receipt, String> {
    let mut long = request(0);
    for text in long.version.iter_mut().flat_map(|version| &mut version.texts) {
        text.text = "The shelter is open. ".repeat(TEXT_CHARS_MAX / 21);
    }
    runtime().block_on(async {
        let channel = socket(dir).await.expect("the node's socket");
        let answer = InformationClient::new(channel).publish(long).await;
        answer.map(tonic::Response::into_inner).map_err(|status| status.message().to_string())
    })
}

/// Every entry of the node's own log, by the API.
pub(crate) fn entries(dir: &Path) -> Vec<LogEntry> {
    runtime().block_on(async {
        let channel = socket(dir).await.expect("the node's socket");
        let mut client = LogClient::new(channel);
        let mut stream = client.entries(EntriesRequest::default()).await.expect("entries");
        let mut entries = Vec::new();
        while let Some(entry) = stream.get_mut().message().await.expect("entry") {
            entries.push(entry);
        }
        entries
    })
}

/// The mode that the node is in.
pub(crate) fn mode(dir: &Path) -> String {
    runtime().block_on(async {
        let channel = socket(dir).await.expect("the node's socket");
        let status = NodeClient::new(channel).status(StatusRequest {}).await.expect("status");
        status.into_inner().mode
    })
}

/// Where all who write in the background pass: closed, none asks for more.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Returns once it is open, or when `stop` says so.
    pub(crate) async fn pass(&self, stop: &AtomicBool) {
        while self.0.load(Ordering::SeqCst) && !stop.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Writers in the background that go on through every failure until they are stopped. What is not
/// acknowledged is asked for again under the same key.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    receipts: Arc<Mutex<Vec<Receipt>>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Writers {
    /// `count` writers at the node in `dir`.
    pub(crate) fn start(dir: &Path, count: u64, gate: &Gate) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let threads = (0..count).map(|_| {
            let (dir, stop, receipts) = (dir.to_path_buf(), stop.clone(), receipts.clone());
            let gate = gate.clone();
            thread::spawn(move || {
                runtime().block_on(async {
                    let mut number = 1;
                    let mut next = request(number);
                    while !stop.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        let Ok(channel) = socket(&dir).await else { continue };
                        let mut client = InformationClient::new(channel);
                        while !stop.load(Ordering::SeqCst) {
                            gate.pass(&stop).await;
                            let Ok(receipt) = client.publish(next.clone()).await else { break };
                            receipts.lock().expect("lock").push(receipt.into_inner());
                            number += 1;
                            next = request(number);
                        }
                    }
                });
            })
        });
        Self { threads: threads.collect(), stop, receipts }
    }

    /// None that writes; these were acknowledged before.
    pub(crate) fn stopped(receipts: &[Receipt]) -> Self {
        let receipts = Arc::new(Mutex::new(receipts.to_vec()));
        Self { stop: Arc::default(), receipts, threads: Vec::new() }
    }

    /// What was acknowledged, but for the first `skip`.
    pub(crate) fn receipts_from(&self, skip: usize) -> Vec<Receipt> {
        self.receipts.lock().expect("lock").get(skip..).unwrap_or_default().to_vec()
    }

    /// How many writes were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.receipts.lock().expect("lock").len()
    }

    /// Stops and gives what was acknowledged.
    pub(crate) fn stop(self) -> Vec<Receipt> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("writer");
        }
        std::mem::take(&mut *self.receipts.lock().expect("lock"))
    }
}
