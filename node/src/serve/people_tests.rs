//! Who may do what, through the real API of a running node: every role, every way to stand to a
//! case, every way to ask. What is expected is the one table; what is tried is each call.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, path::PathBuf};

use tonic::{Code, Status};
use tutti_core::{
    people::{Action, Relation, Role, Roles, Verdict, may},
    referral::form::{ReferralForm, example},
};
use tutti_proto::{
    node::v1::{
        self as api, access_client::AccessClient, advance_referral_request::Transition,
        drafts_client::DraftsClient, information_client::InformationClient, log_client::LogClient,
        login_client::LoginClient, node_client::NodeClient, people_client::PeopleClient,
        referrals_client::ReferralsClient,
    },
    v1,
};

use super::*;
use crate::{
    client::{Connection, Target, connect},
    testing::{Federation, Running},
};

const CANARY: &str = "Canary Santos";

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
    let (sent, content) = form(to, &format!("C-{key}"), services);
    let request = api::SendReferralRequest {
        idempotency_key: vec![key; 16],
        sent: Some(sent),
        content: Some(content),
    };
    ReferralsClient::new(connection.clone()).send(request).await.unwrap().into_inner().id
}

async fn get(
    connection: &Connection,
    id: &str,
    with_content: bool,
    break_glass: &str,
) -> Result<api::Referral, Status> {
    let request = api::GetReferralRequest {
        id: id.into(),
        with_content,
        break_glass: break_glass.into(),
        ..Default::default()
    };
    let mut client = ReferralsClient::new(connection.clone());
    client.get(request).await.map(tonic::Response::into_inner)
}

async fn listed(connection: &Connection) -> Vec<String> {
    let mut client = ReferralsClient::new(connection.clone());
    let page = client.list(api::ListReferralsRequest::default()).await.unwrap().into_inner();
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

/// Whether the refusal is that of somebody who may not; what the domain refuses is no matter here.
fn allowed<T>(answer: &Result<T, Status>) -> bool {
    !matches!(answer, Err(status) if matches!(
        status.code(), Code::PermissionDenied | Code::NotFound | Code::Unauthenticated
    ))
}

/// Every role × every relation × every action about a case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_does_with_every_case_what_the_table_says_and_nothing_else() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let ph = Node::start(&mut federation, "ph").await;
    let colleague = sg.person("colleague", &[Role::Caseworker]).await;
    let health: &[&str] = &["health"];
    let mut people = BTreeMap::new();
    for role in Role::ALL.iter().copied() {
        people.insert(role, sg.person(role.name(), &[role]).await);
    }
    let mut referrals = ReferralsClient::new(sg.operator.clone());
    let mut key = 0;
    // Of each relation one for each role: what one does to it changes nothing for the next.
    let mut cases = BTreeMap::new();
    for role in Role::ALL.iter().copied() {
        for relation in Relation::ALL.iter().copied() {
            key += 1;
            let id = match relation {
                Relation::Nothing => continue,
                Relation::NoParty => "ab".repeat(16),
                Relation::Other => send(&colleague, key, "ph", health).await,
                Relation::Own => send(&sg.operator, key, "ph", health).await,
                Relation::Triage => send(&ph.operator, key, "sg", health).await,
                Relation::TriageRfl => send(&ph.operator, key, "sg", &["rfl_tracing"]).await,
            };
            if relation == Relation::Own {
                let assign =
                    api::AssignReferralRequest { id: id.clone(), name: role.name().into() };
                // Who takes no cases can have none: then this is a colleague's to them.
                let given = referrals.assign(assign).await;
                assert_eq!(
                    given.is_ok(),
                    may(role, Relation::Own, Action::Act) == Verdict::Allow,
                    "{role}: {given:?}"
                );
            }
            cases.insert((role, relation), id);
        }
    }
    let incoming = 2 * Role::ALL.len();
    for _ in 0..600 {
        if listed(&people[&Role::DataProtection]).await.len() >= 4 * Role::ALL.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = listed(&people[&Role::DataProtection]).await;
    assert_eq!(all.len(), 2 * Role::ALL.len() + incoming, "everything has arrived");

    let nobody = "cd".repeat(16);
    let mut tried = 0;
    for ((role, relation), id) in &cases {
        let (role, relation, person) = (*role, *relation, &people[role]);
        // Somebody to whom no case can be given stands to it as to a colleague's.
        let takes = may(role, Relation::Own, Action::Act) == Verdict::Allow;
        let relation = match relation {
            Relation::Own if !takes => Relation::Other,
            relation => relation,
        };
        let verdict = |action| may(role, relation, action);
        let what = format!("{role} + {relation}");
        let sees = verdict(Action::See) == Verdict::Allow;
        let unknown = get(person, &nobody, false, "").await.unwrap_err();

        // See: by list, by showing, in the summaries of the log, and on the watch.
        assert_eq!(listed(person).await.contains(id), sees, "{what}: list");
        let shown = get(person, id, false, "").await;
        assert_eq!(shown.is_ok(), sees, "{what}: show");
        if let Ok(shown) = &shown {
            assert!(shown.content.is_none(), "{what}: no content unasked");
        }
        let mut logs = LogClient::new(person.clone());
        if let Ok(entries) = logs.entries(api::EntriesRequest::default()).await {
            let mut entries = entries.into_inner();
            let mut told = false;
            while let Some(entry) = entries.message().await.unwrap() {
                told |= entry.summary.contains(id.as_str());
            }
            assert!(sees || !told, "{what}: summary");
        }

        // Open, with and without breaking the glass.
        let opened = get(person, id, true, "").await;
        assert_eq!(opened.is_ok(), verdict(Action::Open) == Verdict::Allow, "{what}: open");
        let broken = get(person, id, true, "the person is in danger now").await;
        assert_eq!(broken.is_ok(), verdict(Action::Open) != Verdict::Deny, "{what}: glass");
        for answer in [&opened, &broken].into_iter().flatten() {
            let name = answer.content.clone().and_then(|c| c.person).map(|p| p.name);
            assert_eq!(name.as_deref(), Some(CANARY), "{what}");
        }

        // Act, stop, assign.
        // What is wrong with the step itself is said to whoever may take it.
        let renewed = Transition::RenewConsent(v1::ConsentRenewed::default());
        let acted = advance(person, id, renewed).await;
        assert_eq!(allowed(&acted), verdict(Action::Act) == Verdict::Allow, "{what}: act");
        let mut client = ReferralsClient::new(person.clone());
        let assign = api::AssignReferralRequest { id: id.clone(), name: "colleague".into() };
        let keep = relation == Relation::Own || relation == Relation::NoParty || !sees;
        let assigned = client.assign(assign).await;
        assert_eq!(allowed(&assigned), verdict(Action::Assign) == Verdict::Allow, "{what}: assign");
        if !keep && assigned.is_ok() {
            let back = api::AssignReferralRequest { id: id.clone(), name: String::new() };
            referrals.assign(back).await.unwrap();
        }
        let after = match (relation, assigned.is_ok()) {
            (Relation::NoParty, _) | (_, false) => relation,
            (Relation::Own, true) => Relation::Other,
            (Relation::Other, true) => Relation::Triage,
            (relation, true) => relation,
        };
        let stop =
            v1::ConsentWithdrawn { by: v1::ConsentGiver::Person as i32, ..Default::default() };
        let stopped = advance(person, id, Transition::WithdrawConsent(stop)).await;
        let expected = may(role, after, Action::Stop) == Verdict::Allow;
        assert_eq!(allowed(&stopped), expected, "{what}: stop, {stopped:?}");

        // Whoever sees nothing cannot tell it from what does not exist.
        if !sees {
            let refusals = [shown.err(), opened.err(), acted.err(), assigned.err(), stopped.err()];
            for refused in refusals.into_iter().flatten() {
                assert_eq!(
                    (refused.code(), refused.message()),
                    (unknown.code(), unknown.message()),
                    "{what}"
                );
            }
        }
        tried += 1;
    }
    assert_eq!(tried, Role::ALL.len() * 5);
    sg.running.stop().await.unwrap();
    ph.running.stop().await.unwrap();
}

/// Every role × every action about no case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_does_at_the_node_what_the_table_says_and_nothing_else() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let own = send(&sg.operator, 1, "ph", &["health"]).await;
    let mut shares = InformationClient::new(sg.operator.clone());
    for role in Role::ALL.iter().copied() {
        let person = sg.person(role.name(), &[role]).await;
        for action in Action::ALL.iter().copied().filter(|action| !action.is_about_a_case()) {
            let expected = may(role, Relation::Nothing, action) == Verdict::Allow;
            let key = vec![role as u8 + 2, action as u8, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
            let done = match action {
                Action::Send => {
                    let (sent, content) = form("ph", &format!("S-{role}"), &["cash"]);
                    let request = api::SendReferralRequest {
                        idempotency_key: key,
                        sent: Some(sent),
                        content: Some(content),
                    };
                    let mut drafts = DraftsClient::new(person.clone());
                    let kept = drafts.save(api::SaveDraftRequest::default()).await;
                    assert_eq!(kept.is_ok(), expected, "{role}: draft");
                    assert_eq!(drafts.list(api::ListDraftsRequest {}).await.is_ok(), expected);
                    ReferralsClient::new(person.clone()).send(request).await.map(drop)
                }
                Action::Status => {
                    let mut node = NodeClient::new(person.clone());
                    assert_eq!(node.peers(api::PeersRequest {}).await.is_ok(), expected);
                    assert_eq!(node.watch(api::WatchRequest::default()).await.is_ok(), expected);
                    node.status(api::StatusRequest {}).await.map(drop)
                }
                Action::Count => {
                    let status =
                        NodeClient::new(person.clone()).status(api::StatusRequest {}).await;
                    let counted = status.unwrap().into_inner().referrals.values().sum::<u64>();
                    let seen = listed(&person).await.len() as u64;
                    assert!(if expected { counted >= 1 } else { counted == seen }, "{role}");
                    continue;
                }
                Action::ReadInformation => InformationClient::new(person.clone())
                    .list(api::ListInformationRequest::default())
                    .await
                    .map(drop),
                Action::WriteInformation => {
                    InformationClient::new(person.clone()).publish(share(key)).await.map(drop)
                }
                Action::RetractInformation => {
                    let id = shares.publish(share(key.clone())).await.unwrap().into_inner().id;
                    let reason = "superseded".into();
                    let mut other = key;
                    other[15] = 9;
                    let request =
                        api::RetractInformationRequest { idempotency_key: other, id, reason };
                    InformationClient::new(person.clone()).retract(request).await.map(drop)
                }
                Action::ReadLog => {
                    let mut logs = LogClient::new(person.clone());
                    let origin = String::new();
                    let proved =
                        logs.prove(api::ProveRequest { origin, ..Default::default() }).await;
                    assert_eq!(proved.is_ok(), expected, "{role}: prove");
                    logs.entries(api::EntriesRequest::default()).await.map(drop)
                }
                Action::Export => LogClient::new(person.clone())
                    .export(api::ExportRequest::default())
                    .await
                    .map(drop),
                Action::ManagePeople => manages(&person, role, expected).await,
                Action::ReadAccess => {
                    let mut access = AccessClient::new(person.clone());
                    let taken = access.export(api::ExportAccessRequest {}).await;
                    assert_eq!(taken.is_ok(), expected, "{role}: access export");
                    access.list(api::ListAccessRequest::default()).await.map(drop)
                }
                _ => unreachable!("{action} is about a case"),
            };
            assert_eq!(done.is_ok(), expected, "{role} + {action}: {done:?}");
            if let Err(status) = done {
                assert_eq!(status.code(), Code::PermissionDenied, "{role} + {action}");
                assert!(!status.message().contains(&own));
            }
        }
    }
    sg.running.stop().await.unwrap();
}

fn share(key: Vec<u8>) -> api::PublishInformationRequest {
    let form: tutti_core::information::form::InformationForm =
        toml::from_str(tutti_core::information::form::template()).unwrap();
    let (_, version) = form.to_messages().unwrap();
    api::PublishInformationRequest {
        idempotency_key: key,
        visibility: v1::Visibility::Public as i32,
        version: Some(version),
    }
}

/// Every call that manages people.
async fn manages(person: &Connection, role: Role, expected: bool) -> Result<(), Status> {
    let mut people = PeopleClient::new(person.clone());
    let name = format!("new-{role}");
    let roles = vec!["observer".to_string()];
    let made = people
        .add_account(api::AddAccountRequest { name: name.clone(), roles: roles.clone() })
        .await;
    let target = if expected { name } else { "operator".into() };
    let set = people.set_roles(api::SetRolesRequest { name: target.clone(), roles }).await;
    let code = people.renew_start_code(api::AccountRequest { name: target.clone() }).await;
    let issued = people
        .issue_token(api::IssueTokenRequest { name: target.clone(), ..Default::default() })
        .await;
    let all = people.list_tokens(api::ListTokensRequest { all: true }).await;
    let off = people.set_active(api::SetActiveRequest { name: target, active: false }).await;
    let revoked = people.revoke_token(api::RevokeTokenRequest { id: "00".repeat(8) }).await;
    for (what, ok) in [
        ("roles", set.is_ok()),
        ("start code", code.is_ok()),
        ("issue", issued.is_ok()),
        ("tokens", all.is_ok()),
        ("off", off.is_ok()),
    ] {
        assert_eq!(ok, expected, "{role}: {what}");
    }
    let unknown = revoked.unwrap_err().code();
    assert_eq!(unknown, if expected { Code::NotFound } else { Code::PermissionDenied });
    made.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_opens_nothing_and_a_token_is_good_for_what_it_says() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    for wrong in ["", "tutti_00", "no token"] {
        let stranger = sg.with(wrong).await;
        let refused = [
            NodeClient::new(stranger.clone()).status(api::StatusRequest {}).await.err(),
            ReferralsClient::new(stranger.clone())
                .list(api::ListReferralsRequest::default())
                .await
                .err(),
            InformationClient::new(stranger.clone())
                .list(api::ListInformationRequest::default())
                .await
                .err(),
            LogClient::new(stranger.clone()).list(api::ListLogsRequest {}).await.err(),
            PeopleClient::new(stranger.clone()).who_am_i(api::WhoAmIRequest {}).await.err(),
            AccessClient::new(stranger.clone()).list(api::ListAccessRequest::default()).await.err(),
            DraftsClient::new(stranger).list(api::ListDraftsRequest {}).await.err(),
        ];
        for status in refused {
            assert_eq!(status.unwrap().code(), Code::Unauthenticated);
        }
    }
    let maria = sg.person("maria", &[Role::Caseworker]).await;
    let (first, second) =
        (send(&maria, 1, "ph", &["health"]).await, send(&maria, 2, "ph", &["health"]).await);
    let mut people = PeopleClient::new(maria.clone());
    let narrow = |scopes: &[&str], cases: &[&str]| api::IssueTokenRequest {
        scopes: scopes.iter().map(ToString::to_string).collect(),
        cases: cases.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let reads = people.issue_token(narrow(&["read"], &[])).await.unwrap().into_inner();
    let one = people.issue_token(narrow(&["read", "write"], &[&first])).await.unwrap().into_inner();
    let (reader, keyhole) = (sg.with(&reads.token).await, sg.with(&one.token).await);
    assert!(get(&reader, &first, true, "").await.is_ok());
    let withdrawn = v1::Withdrawn { code: v1::WithdrawCode::PersonLeft as i32 };
    let step = || Transition::Withdraw(withdrawn);
    assert_eq!(advance(&reader, &first, step()).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(listed(&keyhole).await, std::slice::from_ref(&first));
    assert_eq!(get(&keyhole, &second, false, "").await.unwrap_err().code(), Code::NotFound);
    assert!(advance(&keyhole, &first, step()).await.is_ok());
    // A narrow token makes no other.
    for token in [&reader, &keyhole] {
        let refused = PeopleClient::new(token.clone()).issue_token(narrow(&["read"], &[])).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let id = reads.info.unwrap().id;
    people.revoke_token(api::RevokeTokenRequest { id }).await.unwrap();
    assert_eq!(get(&reader, &first, false, "").await.unwrap_err().code(), Code::Unauthenticated);

    // Whoever is switched off is out at once, and the case is for the focal point to give away.
    let focal = sg.person("focal", &[Role::FocalPoint]).await;
    assert!(get(&focal, &second, true, "").await.is_err());
    let off = api::SetActiveRequest { name: "maria".into(), active: false };
    PeopleClient::new(sg.operator.clone()).set_active(off).await.unwrap();
    assert_eq!(get(&maria, &second, false, "").await.unwrap_err().code(), Code::Unauthenticated);
    assert!(get(&focal, &second, true, "").await.is_ok());
    sg.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_code_becomes_a_password_and_guessing_is_slowed_and_told() {
    let mut federation = Federation::found(&["sg"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let mut people = PeopleClient::new(sg.operator.clone());
    let add = api::AddAccountRequest { name: "maria".into(), roles: vec!["caseworker".into()] };
    let code = people.add_account(add).await.unwrap().into_inner().start_code;
    let mut login = LoginClient::new(sg.with("").await);
    let mut attempt = async |password: &str, new: &str| {
        let request = api::LoginRequest {
            name: "maria".into(),
            password: password.into(),
            new_password: new.into(),
        };
        login.login(request).await.map(|answer| answer.into_inner().token)
    };
    assert_eq!(attempt(&code, "").await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(attempt(&code, "short").await.unwrap_err().code(), Code::InvalidArgument);
    let token = attempt(&code, "a long password").await.unwrap();
    assert!(listed(&sg.with(&token).await).await.is_empty());
    assert_eq!(attempt(&code, "another long one").await.unwrap_err().code(), Code::Unauthenticated);
    assert!(attempt("a long password", "").await.is_ok());
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(attempt("a wrong password", "").await.unwrap_err().code());
    }
    assert_eq!(codes[..5], [Code::Unauthenticated; 5]);
    assert_eq!(codes[5], Code::ResourceExhausted);
    assert!(attempt("a long password", "").await.is_err(), "the right one waits, too");
    sg.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_glass_is_recorded_told_and_the_actor_is_a_pseudonym() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let ph = Node::start(&mut federation, "ph").await;
    let maria = sg.person("maria", &[Role::Caseworker]).await;
    let jose = sg.person("jose", &[Role::Caseworker]).await;
    let officer = sg.person("officer", &[Role::DataProtection]).await;
    let auditor = sg.person("auditor", &[Role::Auditor]).await;
    let id = send(&maria, 1, "ph", &["health"]).await;
    let kinds = vec!["access".to_string()];
    let mut told = NodeClient::new(officer.clone())
        .watch(api::WatchRequest { kinds: kinds.clone() })
        .await
        .unwrap()
        .into_inner();
    let mut not_told = NodeClient::new(jose.clone())
        .watch(api::WatchRequest { kinds })
        .await
        .unwrap()
        .into_inner();
    assert!(get(&jose, &id, true, "hm").await.is_err(), "a reason is a sentence");
    let reason = "she called from the hospital";
    let opened = get(&jose, &id, true, reason).await.unwrap();
    assert_eq!(opened.content.unwrap().person.unwrap().name, CANARY);
    let alert = told.message().await.unwrap().unwrap();
    assert_eq!((alert.kind.as_str(), alert.what.as_str()), ("access", "break_glass"));
    let silent = tokio::time::timeout(Duration::from_millis(300), not_told.message()).await;
    assert!(silent.is_err(), "a colleague is not told");

    let mut access = AccessClient::new(auditor.clone());
    let list = |alerts| api::ListAccessRequest { alerts, count: 0 };
    let reads = access.list(list(false)).await.unwrap().into_inner();
    assert_eq!(reads.entries.len(), 1);
    let read = &reads.entries[0];
    assert_eq!((read.referral.as_str(), read.reason.as_str()), (id.as_str(), reason));
    let alerts = access.list(list(true)).await.unwrap().into_inner().entries;
    assert!(alerts.iter().any(|alert| alert.what == "break_glass"));
    let status = NodeClient::new(officer).status(api::StatusRequest {}).await.unwrap().into_inner();
    assert!(status.warnings.iter().any(|text| text.contains("tutti access alerts")));

    // The pseudonym is a name to its own society alone.
    let ask = api::ResolveRequest { pseudonym: read.pseudonym.clone() };
    let whose = PeopleClient::new(auditor).resolve(ask.clone()).await.unwrap().into_inner();
    assert_eq!(whose.account.unwrap().name, "jose");
    assert!(PeopleClient::new(ph.operator.clone()).resolve(ask).await.is_err());
    let here = get(&maria, &id, false, "").await.unwrap();
    assert_eq!((here.assigned_to.as_str(), here.events[0].by.as_str()), ("maria", "maria"));
    let begun = std::time::Instant::now();
    let there = loop {
        match get(&ph.operator, &id, false, "").await {
            Ok(there) => break there,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((there.assigned_to.as_str(), there.events[0].by.as_str()), ("", ""));
    assert!(!Roles::of_one_person().has(Role::Auditor));
    sg.running.stop().await.unwrap();
    ph.running.stop().await.unwrap();
}
