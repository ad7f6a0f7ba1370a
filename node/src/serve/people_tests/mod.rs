//! Who may do what, through the real API of a running node: every role, every way to stand to a
//! case, every way to ask. What is expected is the one table; what is tried is each call.

#![allow(clippy::unwrap_used)]

mod answers;
mod at_the_node;
mod entry;
mod matrix;
mod steps;
mod watching;

use std::{collections::BTreeMap, path::PathBuf};

use tonic::{Code, Status};
use tutti_core::{
    people::{Action, Relation, Role, Roles, Verdict, may},
    referral::form::{ReferralForm, example},
};
use tutti_proto::{
    node::v1::{
        self as api, access_client::AccessClient, advance_referral_request::Transition,
        approvals_client::ApprovalsClient, attachments_client::AttachmentsClient,
        drafts_client::DraftsClient, information_client::InformationClient, log_client::LogClient,
        login_client::LoginClient, node_client::NodeClient, people_client::PeopleClient,
        referrals_client::ReferralsClient,
    },
    v1,
};

use super::*;
use crate::{
    client::{Connection, Target, connect},
    testing::{Federation, Running, reconfigure},
};

/// The person of every case here, and what the code of each begins with.
const CANARY: &str = "Canary Santos";
const CODE: &str = "Canary-Code";

struct Node {
    home: PathBuf,
    running: Running,
    operator: Connection,
}

impl Node {
    async fn start(federation: &mut Federation, code: &str) -> Self {
        federation.release(code);
        let home = federation.home(code);
        let running = Running::start(&home).await.unwrap();
        let operator = connect(&Target::Dir(home.clone())).await.unwrap();
        Self { home, running, operator }
    }

    async fn with(&self, token: &str) -> Connection {
        let (dir, token) = (self.home.clone(), token.to_owned().into());
        connect(&Target::DirAs { dir, token }).await.unwrap()
    }

    /// A person with these roles, and the connection that is theirs.
    async fn person(&self, name: &str, roles: &[Role]) -> Connection {
        let mut people = PeopleClient::new(self.operator.clone());
        let roles = roles.iter().map(|role| role.name().into()).collect();
        people.add_account(api::AddAccountRequest { name: name.into(), roles }).await.unwrap();
        let issued = people
            .issue_token(api::IssueTokenRequest {
                name: name.into(),
                scopes: ["read", "write", "admin", "export"].map(String::from).into(),
                ..Default::default()
            })
            .await
            .unwrap();
        self.with(&issued.into_inner().token).await
    }
}

fn form(to: &str, case: &str, services: &[&str]) -> (v1::Sent, v1::ReferralContent) {
    let mut form: ReferralForm = toml::from_str(example()).unwrap();
    form.receiver = to.into();
    form.services_requested = services.iter().map(ToString::to_string).collect();
    let content = form.content.get_or_insert_default();
    content.case_code = case.into();
    content.person.name = CANARY.into();
    if let Some(consent) = &mut form.consent {
        consent.recipients = vec![to.into()];
    }
    form.to_messages().unwrap()
}

async fn send(connection: &Connection, key: u8, to: &str, services: &[&str]) -> String {
    let (sent, content) = form(to, &format!("{CODE} {key}"), services);
    let request = api::SendReferralRequest {
        idempotency_key: vec![key; 16],
        sent: Some(sent),
        content: Some(content),
        draft: String::new(),
    };
    ReferralsClient::new(connection.clone()).send(request).await.unwrap().into_inner().id
}

async fn get(
    connection: &Connection,
    id: &str,
    with_content: bool,
    break_glass: &str,
) -> Result<api::Referral, Status> {
    get_for(connection, id, with_content, break_glass, "").await
}

/// A case for the person's own copy of it.
async fn print(
    connection: &Connection,
    id: &str,
    break_glass: &str,
) -> Result<api::Referral, Status> {
    get_for(connection, id, true, break_glass, "print").await
}

async fn get_for(
    connection: &Connection,
    id: &str,
    with_content: bool,
    break_glass: &str,
    purpose: &str,
) -> Result<api::Referral, Status> {
    let request = api::GetReferralRequest {
        id: id.into(),
        with_content,
        break_glass: break_glass.into(),
        purpose: purpose.into(),
        ..Default::default()
    };
    let mut client = ReferralsClient::new(connection.clone());
    client.get(request).await.map(tonic::Response::into_inner)
}

async fn listed(connection: &Connection) -> Vec<String> {
    listed_as(connection, api::ListReferralsRequest::default()).await
}

async fn listed_as(connection: &Connection, request: api::ListReferralsRequest) -> Vec<String> {
    let mut client = ReferralsClient::new(connection.clone());
    let page = client.list(request).await.unwrap().into_inner();
    page.referrals.into_iter().map(|referral| referral.id).collect()
}

async fn advance(connection: &Connection, id: &str, step: Transition) -> Result<(), Status> {
    let mut key = [0; 16];
    rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut key);
    let request = api::AdvanceReferralRequest {
        idempotency_key: key.into(),
        id: id.into(),
        transition: Some(step),
        ..Default::default()
    };
    ReferralsClient::new(connection.clone()).advance(request).await.map(drop)
}

async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "gave up waiting: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn share(key: Vec<u8>) -> api::PublishInformationRequest {
    let form: tutti_core::information::form::InformationForm =
        toml::from_str(tutti_core::information::form::example()).unwrap();
    let (_, version) = form.to_messages().unwrap();
    api::PublishInformationRequest {
        idempotency_key: key,
        visibility: v1::Visibility::Public as i32,
        version: Some(version),
        ..Default::default()
    }
}

/// Whether the refusal is that of somebody who may not; what the domain refuses is no matter here.
fn allowed<T>(answer: &Result<T, Status>) -> bool {
    !matches!(answer, Err(status) if matches!(
        status.code(), Code::PermissionDenied | Code::NotFound | Code::Unauthenticated
    ))
}
