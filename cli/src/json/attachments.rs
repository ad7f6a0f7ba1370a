//! Files that go with a referral.

use serde::Serialize;
use tutti_proto::node::v1 as api;

use super::given;
use crate::{names, time::rfc3339};

/// `tutti referral attachments --json`.
#[derive(Serialize)]
pub(crate) struct Attachments {
    attachments: Vec<Attachment>,
}

/// One file; the last four are `null` where the content was not opened, or the first part is not here.
#[derive(Serialize)]
pub(crate) struct Attachment {
    id: String,
    society: String,
    kind: String,
    recorded_at: Option<String>,
    parts: u32,
    parts_present: u32,
    parts_delivered: u32,
    state: &'static str,
    name: Option<String>,
    media_type: Option<String>,
    size: Option<u64>,
    sha256: Option<String>,
}

/// `tutti referral attach --json`.
#[derive(Serialize)]
pub(crate) struct Added {
    pub(crate) referral: String,
    pub(crate) attachment: String,
    pub(crate) kind: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// It went with the referral already; nothing was written.
    pub(crate) added_before: bool,
}

/// `tutti referral save --json`.
#[derive(Serialize)]
pub(crate) struct Saved {
    pub(crate) path: String,
    pub(crate) attachment: String,
    /// What its author calls it.
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

impl From<&[api::Attachment]> for Attachments {
    fn from(files: &[api::Attachment]) -> Self {
        Self { attachments: files.iter().map(Attachment::from).collect() }
    }
}

impl From<&api::Attachment> for Attachment {
    fn from(file: &api::Attachment) -> Self {
        Self {
            id: file.id.clone(),
            society: file.society.clone(),
            kind: file.kind.clone(),
            recorded_at: rfc3339(file.recorded_at_ms),
            parts: file.parts,
            parts_present: file.parts_present,
            parts_delivered: file.parts_delivered,
            state: names::body_state(file.state()),
            name: given(&file.name),
            media_type: given(&file.media_type),
            size: (file.size > 0).then_some(file.size),
            sha256: given(&hex::encode(&file.sha256)),
        }
    }
}
