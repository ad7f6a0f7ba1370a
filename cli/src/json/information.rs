//! Information shares: the form as it was published, what became of it, and what others say to it.

use serde::Serialize;
use tutti_core::information::form::{InformationForm, TextForm};
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
    not_yet_in_force: bool,
    text_is_here: bool,
    supersedes: Option<String>,
    superseded_by: Option<String>,
    /// As `tutti information template` has it.
    form: Option<InformationForm>,
    versions: Vec<Version>,
    translations: Vec<Translation>,
    responses: Vec<Response>,
    ignored: Vec<Response>,
    /// How many more there are of these three.
    said_left: u32,
}

#[derive(Serialize)]
struct Version {
    number: u32,
    origin: String,
    index: u64,
    recorded_at: Option<String>,
    reviewed: bool,
}

#[derive(Serialize)]
struct Translation {
    society: String,
    version_number: u32,
    stale: bool,
    reviewed: bool,
    origin: String,
    index: u64,
    recorded_at: Option<String>,
    text: Option<TextForm>,
}

#[derive(Serialize)]
struct Response {
    society: String,
    what: String,
    code: Option<String>,
    note: Option<String>,
    version_number: u32,
    stale: bool,
    origin: String,
    index: u64,
    recorded_at: Option<String>,
    explanation: Option<String>,
}

/// `tutti group list --json`.
#[derive(Serialize)]
pub(crate) struct Groups {
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    members: Vec<String>,
    of_the_federation: bool,
}

impl From<&[api::Group]> for Groups {
    fn from(groups: &[api::Group]) -> Self {
        let group = |group: &api::Group| Group {
            name: group.name.clone(),
            members: group.members.clone(),
            of_the_federation: group.of_the_federation,
        };
        Self { groups: groups.iter().map(group).collect() }
    }
}

impl From<&[api::InformationShare]> for Shares {
    fn from(shares: &[api::InformationShare]) -> Self {
        Self { shares: shares.iter().map(Share::from).collect() }
    }
}

impl From<&api::InformationShare> for Share {
    fn from(share: &api::InformationShare) -> Self {
        let form =
            |version| InformationForm::from_messages(share.visibility(), &share.parties, version);
        Self {
            id: share.id.clone(),
            society: share.society.clone(),
            state: names::information_state(share.state()),
            version_number: share.version_number,
            published_at: rfc3339(share.published_at_ms),
            changed_at: rfc3339(share.changed_at_ms),
            retraction_reason: given(&share.retraction_reason),
            not_yet_in_force: share.not_yet_in_force,
            text_is_here: share.text_is_here,
            supersedes: given(&share.supersedes),
            superseded_by: given(&share.superseded_by),
            form: share.version.as_ref().map(form),
            versions: share.versions.iter().map(Version::from).collect(),
            translations: share.translations.iter().map(Translation::from).collect(),
            responses: share.responses.iter().map(Response::from).collect(),
            ignored: share.ignored.iter().map(Response::from).collect(),
            said_left: share.said_left,
        }
    }
}

impl From<&api::InformationVersionInfo> for Version {
    fn from(version: &api::InformationVersionInfo) -> Self {
        Self {
            number: version.number,
            origin: version.origin.clone(),
            index: version.index,
            recorded_at: rfc3339(version.recorded_at_ms),
            reviewed: version.reviewed,
        }
    }
}

impl From<&api::InformationTranslation> for Translation {
    fn from(translation: &api::InformationTranslation) -> Self {
        Self {
            society: translation.society.clone(),
            version_number: translation.version_number,
            stale: translation.stale,
            reviewed: translation.reviewed,
            origin: translation.origin.clone(),
            index: translation.index,
            recorded_at: rfc3339(translation.recorded_at_ms),
            text: translation.text.as_ref().map(TextForm::from_message),
        }
    }
}

impl From<&api::InformationResponse> for Response {
    fn from(response: &api::InformationResponse) -> Self {
        Self {
            society: response.society.clone(),
            what: response.what.clone(),
            code: given(&response.code),
            note: given(&response.note),
            version_number: response.version_number,
            stale: response.stale,
            origin: response.origin.clone(),
            index: response.index,
            recorded_at: rfc3339(response.recorded_at_ms),
            explanation: given(&response.explanation),
        }
    }
}
