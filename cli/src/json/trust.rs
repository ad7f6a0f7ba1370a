//! Membership cards and rosters.

use serde::Serialize;
use tutti_core::{
    roster::{self, DataProtection, Desk, Draft, Relaying},
    society::Society,
};

/// `tutti card show --json`.
#[derive(Serialize)]
pub(crate) struct Card {
    society: Society,
    name: String,
    federation: String,
    endpoints: Vec<String>,
    role: roster::Role,
    fingerprint: String,
    tls_key: String,
    log_key: String,
    witness_key: String,
    root_key: String,
    desk: Option<Desk>,
}

/// `tutti roster show --json`.
#[derive(Serialize)]
pub(crate) struct Roster {
    federation: String,
    version: u64,
    sha256: String,
    fingerprint: String,
    threshold: u32,
    expires_on: String,
    data_protection: DataProtection,
    relaying: Relaying,
    signed: Vec<Society>,
    missing: Vec<Society>,
    finished: bool,
    asked_for: Vec<AskedFor>,
    members: Vec<Member>,
    groups: Vec<roster::Group>,
}

/// How many of a version's members must sign, and how many have.
#[derive(Serialize)]
struct AskedFor {
    version: u64,
    signed: usize,
    needed: usize,
}

#[derive(Serialize)]
struct Member {
    society: Society,
    name: String,
    role: roster::Role,
    status: roster::Status,
    endpoints: Vec<String>,
    desk: Option<Desk>,
}

impl From<&roster::Card> for Card {
    fn from(card: &roster::Card) -> Self {
        let member = &card.member;
        Self {
            society: member.society,
            name: member.name.clone(),
            federation: card.federation.clone(),
            endpoints: member.endpoints.clone(),
            role: member.role,
            fingerprint: card.fingerprint(),
            tls_key: member.tls_key.to_string(),
            log_key: member.log_key.to_string(),
            witness_key: member.witness_key.to_string(),
            root_key: member.root_key.to_string(),
            desk: member.desk.clone(),
        }
    }
}

impl From<&Draft> for Roster {
    fn from(draft: &Draft) -> Self {
        let document = draft.document();
        Self {
            federation: document.federation.clone(),
            version: document.version,
            sha256: hex::encode(draft.hash()),
            fingerprint: draft.fingerprint(),
            threshold: document.threshold,
            expires_on: document.expires_on.clone(),
            data_protection: document.data_protection,
            relaying: document.relaying,
            signed: draft.signed().collect(),
            missing: draft.missing(),
            finished: draft.is_finished(),
            asked_for: draft
                .standing()
                .iter()
                .map(|s| AskedFor { version: s.version, signed: s.signed, needed: s.needed })
                .collect(),
            members: document
                .members
                .iter()
                .map(|member| Member {
                    society: member.society,
                    name: member.name.clone(),
                    role: member.role,
                    status: member.status,
                    endpoints: member.endpoints.clone(),
                    desk: member.desk.clone(),
                })
                .collect(),
            groups: document.groups.clone(),
        }
    }
}
