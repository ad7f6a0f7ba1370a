//! Information shares: the form as it was published, and what became of it.

use serde::Serialize;
use tutti_core::information::form::InformationForm;
use tutti_proto::node::v1 as api;

use super::given;
use crate::{names, time::rfc3339};

/// `tutti information list --json`.
#[derive(Serialize)]
pub(crate) struct Shares {
    shares: Vec<Share>,
}

/// `tutti information show --json`.
#[derive(Serialize)]
pub(crate) struct Share {
    id: String,
    society: String,
    state: &'static str,
    version_number: u32,
    published_at: Option<String>,
    changed_at: Option<String>,
    retraction_reason: Option<String>,
    /// As `tutti information template` has it.
    form: Option<InformationForm>,
}

impl From<&[api::InformationShare]> for Shares {
    fn from(shares: &[api::InformationShare]) -> Self {
        Self { shares: shares.iter().map(Share::from).collect() }
    }
}

impl From<&api::InformationShare> for Share {
    fn from(share: &api::InformationShare) -> Self {
        let form = |version| InformationForm::from_messages(share.visibility(), version);
        Self {
            id: share.id.clone(),
            society: share.society.clone(),
            state: names::information_state(share.state()),
            version_number: share.version_number,
            published_at: rfc3339(share.published_at_ms),
            changed_at: rfc3339(share.changed_at_ms),
            retraction_reason: given(&share.retraction_reason),
            form: share.version.as_ref().map(form),
        }
    }
}
