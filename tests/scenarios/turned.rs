//! A member that has turned: the test speaks for it, with its society's real keys, over the real wire.

use std::{fs, sync::Arc};

use tokio::sync::mpsc::Receiver;
use tutti_core::{roster::Roster, society::Society};
use tutti_node::{
    keyring::Keyring,
    peers::{Incoming, Peers},
};
use tutti_proto::v1::{self, frame::Frame as Kind};

use crate::harness::Federation;

/// See the module. Its node is not run.
pub(crate) struct Turned {
    pub(crate) keys: Keyring,
    society: Society,
    roster: Arc<Roster>,
}

impl Turned {
    pub(crate) fn of(federation: &Federation, society: &str) -> Self {
        let dir = &federation.at(society).dir;
        let roster = fs::read(dir.join("roster/1")).expect("the first roster");
        Self {
            keys: Keyring::open(&dir.join("keys"), None).expect("its keys"),
            society: society.parse().expect("a society"),
            roster: Arc::new(Roster::open_first(&roster).expect("the first roster")),
        }
    }

    /// Dials every member that has an endpoint.
    pub(crate) fn dial(&self) -> (Peers, Receiver<Incoming>) {
        Peers::start(self.society, self.roster.clone(), &self.keys.tls, None).expect("TLS")
    }

    /// What is said first on every link.
    pub(crate) fn hello(&self) -> v1::Frame {
        frame(Kind::Hello(v1::Hello {
            version: 1,
            federation: self.roster.federation().into(),
            society: self.society.to_string(),
            roster_version: self.roster.version(),
            roster_hash: self.roster.hash().to_vec(),
            incarnation: vec![7; 16],
        }))
    }
}

pub(crate) fn frame(kind: Kind) -> v1::Frame {
    v1::Frame { frame: Some(kind) }
}
