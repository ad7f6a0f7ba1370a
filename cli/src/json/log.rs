//! Entries of a log, and what a proof proves.

use prost::Message as _;
use serde::Serialize;
use tutti_core::{
    entry::{Commitment, Entry, Header, Visibility},
    head::SignedHead,
};
use tutti_proto::{node::v1 as api, v1};

use super::given;
use crate::{names, time::rfc3339};

/// One line of `tutti log show --json`.
#[derive(Serialize)]
pub(crate) struct LogEntry {
    index: u64,
    recorded_at: Option<String>,
    visibility: Option<&'static str>,
    summary: Option<String>,
    record: Option<Body>,
    content: Option<Body>,
    tags: usize,
    /// The entry's bytes, the leaf of the tree.
    entry: String,
}

#[derive(Serialize)]
struct Body {
    digest: String,
    size: u64,
    state: &'static str,
}

/// `tutti proof verify --json`.
#[derive(Serialize)]
pub(crate) struct Proven {
    origin: String,
    index: u64,
    size: u64,
    root: String,
    witnesses: Vec<Witness>,
    recorded_at: Option<String>,
    visibility: Option<&'static str>,
    record_digest: Option<String>,
    content_digest: Option<String>,
    record: Option<String>,
}

#[derive(Serialize)]
struct Witness {
    society: String,
    at: Option<String>,
}

impl From<&api::LogEntry> for LogEntry {
    fn from(entry: &api::LogEntry) -> Self {
        let header = Entry::parse(&entry.entry).ok().and_then(|entry| entry.header().cloned());
        let body = |commitment: &Commitment, state| Body {
            digest: hex::encode(commitment.digest),
            size: commitment.size,
            state: names::body_state(state),
        };
        let record = header.as_ref().map(|header| body(&header.record, entry.record_state()));
        let content = header
            .as_ref()
            .and_then(|header| header.content.as_ref())
            .map(|content| body(content, entry.content_state()));
        Self {
            index: entry.index,
            recorded_at: header.as_ref().and_then(|header| rfc3339(header.recorded_at_ms)),
            visibility: header.as_ref().map(visibility),
            summary: given(&entry.summary),
            record,
            content,
            tags: header.as_ref().map_or(0, |header| header.tags.len()),
            entry: hex::encode(&entry.entry),
        }
    }
}

impl Proven {
    /// What was proven of `entry` at `index` under `head`, and of its record, where that is there.
    pub(crate) fn new(
        index: u64,
        entry: &Entry,
        head: &SignedHead,
        record: Option<&v1::Record>,
    ) -> Self {
        let header = entry.header();
        let content = header.and_then(|header| header.content.as_ref());
        Self {
            origin: head.origin().to_string(),
            index,
            size: head.size(),
            root: hex::encode(head.root().0),
            witnesses: head
                .witnesses()
                .map(|word| Witness {
                    society: word.society.to_string(),
                    at: rfc3339(word.time_s.saturating_mul(1000)),
                })
                .collect(),
            recorded_at: header.and_then(|header| rfc3339(header.recorded_at_ms)),
            visibility: header.map(visibility),
            record_digest: header.map(|header| hex::encode(header.record.digest)),
            content_digest: content.map(|content| hex::encode(content.digest)),
            record: record.map(|record| hex::encode(record.encode_to_vec())),
        }
    }
}

fn visibility(header: &Header) -> &'static str {
    match header.visibility {
        Visibility::Public => "public",
        Visibility::Federation => "federation",
        Visibility::Addressed => "addressed",
    }
}
