//! A federation for measuring: keys, roster, ports on loopback, and logs of any size.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use prost::Message as _;
use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    entry::{Commitment, EntryBytes, Header, Visibility},
    information::{
        InformationId, Readers,
        form::{self as information_form, InformationForm},
    },
    referral::form::{self as referral_form, ReferralForm},
    roster::{Card, DataProtection, Draft, Member, Role, Roster, Status},
    sealing,
    society::{Origin, Society},
    store::{Reader as _, Store},
};
use tutti_node::{
    config::{Config, NewNode},
    engine::Write,
    keyring::Keyring,
    local, rosters,
    store::DiskStore,
};
use tutti_proto::v1;

pub(crate) const FEDERATION: &str = "migrants.example.org";

pub(crate) struct Federation {
    dir: TempDir,
    pub(crate) roster: Arc<Roster>,
    listeners: BTreeMap<String, TcpListener>,
}

/// A folder on the disk that the build is on, never in memory.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

pub(crate) fn society(code: &str) -> Society {
    code.parse().expect("a society")
}

pub(crate) fn origin(code: &str) -> Origin {
    Origin::new(FEDERATION, society(code), 1).expect("an origin")
}

impl Federation {
    pub(crate) fn found(codes: &[&str]) -> Self {
        let dir = folder();
        let (mut cards, mut roots, mut listeners) = (Vec::new(), Vec::new(), BTreeMap::new());
        for code in codes {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.set_nonblocking(true).expect("non-blocking");
            let listen = listener.local_addr().expect("an address");
            listeners.insert((*code).to_string(), listener);
            let home = dir.path().join(code);
            let config = Config::create(
                &home,
                &NewNode {
                    society: society(code),
                    name: format!("Society of {code}"),
                    federation: FEDERATION.into(),
                    listen: Some(listen),
                    endpoints: vec![listen.to_string()],
                    api_listen: None,
                    metrics_listen: None,
                    desk: None,
                },
            )
            .expect("a configuration");
            let (keyring, root) =
                Keyring::create(&config.keys(), &config.origin, None, &mut OsRng).expect("keys");
            DiskStore::begin(&home).expect("a new node");
            let (secret, now_ms) = (&keyring.local, 1_764_000_000_000);
            local::found(&home, secret, &config.origin, "operator", now_ms, &mut OsRng)
                .expect("an account");
            let member = Member {
                society: config.society,
                name: config.name.clone(),
                endpoints: config.endpoints.clone(),
                role: Role::Member,
                status: Status::Active,
                root_key: root.public().clone(),
                log_key: keyring.log.public().clone(),
                witness_key: keyring.witness.public().clone(),
                tls_key: keyring.tls.spki().expect("a TLS key"),
                case_key: keyring.case.recipient(),
                audit_key: keyring.audit.recipient(),
                routing_key: keyring.routing.public(),
                desk: None,
            };
            let card = Card::sign(FEDERATION, member, &root).expect("a card");
            fs::write(config.card(), &card).expect("written");
            cards.push(Card::open(&card).expect("a card"));
            roots.push(root);
        }
        let protection = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 365,
            acknowledge_hours: None,
        };
        let mut draft = Draft::found(&cards, 1, "2040-01-01", protection).expect("a roster");
        for root in &roots {
            draft.sign(root).expect("signed");
        }
        let bytes = draft.to_bytes();
        for code in codes {
            rosters::install(&dir.path().join(code), &bytes).expect("installed");
        }
        let roster = Arc::new(Roster::open_first(&bytes).expect("a roster"));
        Self { dir, roster, listeners }
    }

    pub(crate) fn home(&self, code: &str) -> PathBuf {
        self.dir.path().join(code)
    }

    pub(crate) fn keyring(&self, code: &str) -> Keyring {
        Keyring::open(&self.home(code).join("keys"), None).expect("keys")
    }

    /// The listener whose address is in the roster.
    pub(crate) fn listener(&self, code: &str) -> TcpListener {
        self.listeners[code].try_clone().expect("a listener")
    }

    /// Frees the ports, for nodes that bind them by themselves.
    pub(crate) fn release(&mut self) -> Vec<SocketAddr> {
        let listeners = std::mem::take(&mut self.listeners);
        listeners.values().map(|listener| listener.local_addr().expect("an address")).collect()
    }

    /// Opens the data of `code` in a folder of its own.
    pub(crate) fn store(&self, dir: &Path, code: &str) -> DiskStore {
        let opened = DiskStore::open(dir, &origin(code), &*self.roster, &mut |_, _, _| ());
        opened.expect("a store").store
    }

    /// Fills the log of `code` in `dir` up to `size` entries whose bodies nobody has.
    pub(crate) fn fill(&self, dir: &Path, code: &str, size: u64) -> DiskStore {
        const AT_ONCE: u64 = 2048;
        let (mut store, own, keys) = (self.store(dir, code), origin(code), self.keyring(code));
        while store.tree(&own).size() < size {
            let held = store.tree(&own);
            let end = size.min(held.size() + AT_ONCE);
            let entries = (held.size()..end).map(|index| sealed_entry(&own, index)).collect();
            let batch = VerifiedBatch::author(&held, &own, entries, &keys.log).expect("a batch");
            store.append(&batch, &[]).expect("appended");
        }
        store
    }
}

/// The entry of a referral from one society to another, as far as those who are neither can tell.
pub(crate) fn sealed_entry(origin: &Origin, index: u64) -> EntryBytes {
    let digest = |what: &str| -> [u8; 32] { Sha256::digest(format!("{what} {index}")).into() };
    let tag = |what: &str| -> [u8; 16] { digest(what)[..16].try_into().expect("16 bytes") };
    Header {
        origin: origin.clone(),
        index,
        recorded_at_ms: 1_764_000_000_000 + index,
        visibility: Visibility::Addressed,
        record: Commitment { digest: digest("record"), size: 7_500 },
        content: Some(Commitment { digest: digest("content"), size: 4_300 }),
        tags: vec![tag("one"), tag("two")],
    }
    .encode()
}

/// An entry that is for the members, and its body: a share of information of 1 KiB, or of 3.
pub(crate) fn open_entry(origin: &Origin, index: u64, kib: usize) -> (EntryBytes, Body) {
    let text = v1::LocalText {
        language: "eng".into(),
        title: format!("Guidance {index}"),
        text: "x".repeat((kib - 1) * 1024),
        ..v1::LocalText::default()
    };
    let version = v1::InformationVersion { texts: vec![text], ..Default::default() };
    let event = v1::InformationEvent {
        information_id: InformationId::of(origin, &key(index)).as_bytes().to_vec(),
        transition: Some(v1::information_event::Transition::Published(version)),
        ..Default::default()
    };
    let record = v1::Record {
        origin: origin.to_string(),
        event_id: key(index).to_vec(),
        actor: String::new(),
        approver: String::new(),
        addressees: Vec::new(),
        has_content: false,
        event: Some(v1::record::Event::Information(event)),
    };
    let body = sealing::salt(&record.encode_to_vec(), &mut OsRng);
    let body = Body::new(Place::new(origin, index, Part::Record), &body);
    let record = body.commitment();
    let header = Header {
        origin: origin.clone(),
        index,
        recorded_at_ms: 1_764_000_000_000 + index,
        visibility: Visibility::Federation,
        record,
        content: None,
        tags: Vec::new(),
    };
    (header.encode(), body)
}

/// Bytes that are nowhere twice.
pub(crate) fn body(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 32);
    let mut block = Sha256::digest(seed.to_be_bytes());
    while bytes.len() < len {
        bytes.extend(block);
        block = Sha256::digest(block);
    }
    bytes.truncate(len);
    bytes
}

fn key(seed: u64) -> [u8; 16] {
    Sha256::digest(seed.to_be_bytes())[..16].try_into().expect("16 bytes")
}

/// Publishes an information share: one body, not sealed.
pub(crate) fn publish(seed: u64) -> Write {
    let form: InformationForm = toml::from_str(information_form::example()).expect("a form");
    let (_, mut version) = form.to_messages().expect("a share");
    version.texts[0].title = format!("Guidance {seed}");
    Write::Publish {
        key: key(seed),
        readers: Readers {
            visibility: Visibility::Federation,
            addressees: Vec::new(),
            group: String::new(),
        },
        version: Box::new(version),
        supersedes: None,
    }
}

/// Sends a referral from `sg` to `ph`: a record sealed to four keys, a content sealed to two.
pub(crate) fn send(seed: u64) -> Write {
    let form: ReferralForm = toml::from_str(referral_form::example()).expect("a form");
    let (sent, mut content) = form.to_messages().expect("a referral");
    content.case_code = format!("case {seed}");
    Write::Send { key: key(seed), sent: Box::new(sent), content: Box::new(content) }
}
