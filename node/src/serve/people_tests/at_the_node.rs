//! The table's other half, tried: role and action about no case.

use super::{steps::tells_nothing, *};

/// How often a list in the test below gives the titles of what somebody may read, and no text: for
/// reading at all, by a word, by its society, and with what has ended.
const TITLE_LISTS: usize = 4;

/// A word that stands in one share, which is for some alone.
const SEARCHED: &str = " Kapatiran";

/// Every role × every action about no case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_does_at_the_node_what_the_table_says_and_nothing_else() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let own = send(&sg.operator, 1, "ph", &["health"]).await;
    let mut shares = InformationClient::new(sg.operator.clone());
    let asked_for = ask_for_two(&sg).await;
    let mut for_some = share(vec![200; 16]);
    for_some.visibility = v1::Visibility::Addressed as i32;
    for_some.addressees = vec!["ph".into()];
    for_some.version.as_mut().unwrap().texts[0].summary.push_str(SEARCHED);
    let addressed = shares.publish(for_some).await.unwrap().into_inner().id;
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
                        draft: String::new(),
                    };
                    let mut drafts = DraftsClient::new(person.clone());
                    let kept = drafts.save(api::SaveDraftRequest::default()).await;
                    assert_eq!(kept.is_ok(), expected, "{role}: draft");
                    let writes = may(role, Relation::Nothing, Action::WriteInformation);
                    let some = expected || writes == Verdict::Allow;
                    assert_eq!(drafts.list(api::ListDraftsRequest::default()).await.is_ok(), some);
                    ReferralsClient::new(person.clone()).send(request).await.map(drop)
                }
                // A draft of somebody who has left since: the referral's, for whoever goes on with it.
                Action::TakeDraft | Action::DiscardDraft => {
                    let draft = left_draft(&sg, &format!("left-{role}-{action}")).await;
                    let mut drafts = DraftsClient::new(person.clone());
                    let listed = drafts.list_left(api::ListLeftDraftsRequest::default()).await;
                    let listed = listed.map(|left| left.into_inner().drafts).unwrap_or_default();
                    let listed = listed.iter().any(|left| left.id == draft);
                    let any = [Action::TakeDraft, Action::DiscardDraft];
                    let sees = |action| may(role, Relation::Nothing, action) == Verdict::Allow;
                    assert_eq!(listed, any.into_iter().any(sees), "{role}: left");
                    let request = api::DraftRequest { id: draft };
                    match action {
                        Action::TakeDraft => drafts.take(request).await.map(drop),
                        _ => drafts.discard(request).await.map(drop),
                    }
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
                Action::ReadAddressed => {
                    let mut shares = InformationClient::new(person.clone());
                    // By each way to narrow a list, and by its number.
                    let narrow = [
                        api::ListInformationRequest {
                            search: SEARCHED.into(),
                            ..Default::default()
                        },
                        api::ListInformationRequest { society: "sg".into(), ..Default::default() },
                        api::ListInformationRequest { with_ended: true, ..Default::default() },
                        api::ListInformationRequest { with_texts: true, ..Default::default() },
                    ];
                    for request in narrow {
                        let found = shares.list(request.clone()).await.unwrap().into_inner().shares;
                        let found = found.iter().any(|share| share.id == addressed);
                        assert_eq!(found, expected, "{role}: {request:?}");
                    }
                    let mut refusals = Vec::new();
                    for id in [addressed.clone(), "ab".repeat(16)] {
                        let request = api::GetInformationRequest { id, ..Default::default() };
                        refusals
                            .push(shares.get(request).await.err().map(|s| s.message().to_owned()));
                    }
                    assert_eq!(refusals[0].is_none(), expected, "{role}: one share");
                    assert!(expected || refusals[0] == refusals[1], "{role}: {refusals:?}");
                    shares.list_groups(api::ListGroupsRequest {}).await.map(drop)
                }
                Action::RespondInformation => {
                    // Nobody may say that of an own share, and only who may at all is told so.
                    let id = shares.publish(share(key.clone())).await.unwrap().into_inner().id;
                    let mut other = key;
                    other[15] = 9;
                    let acknowledge = api::respond_information_request::Response::Acknowledge(
                        v1::Acknowledged {},
                    );
                    let request = api::RespondInformationRequest {
                        idempotency_key: other,
                        id,
                        version: 0,
                        draft: String::new(),
                        response: Some(acknowledge),
                    };
                    let said = InformationClient::new(person.clone()).respond(request).await;
                    let text = said.unwrap_err().message().to_owned();
                    let may = text.contains("for others to say that");
                    assert_eq!(may, expected, "{role} + {action}: {text}");
                    continue;
                }
                // Whoever may is told what waits for them; for others nothing does.
                Action::ApproveOverride | Action::ApproveInformation => {
                    let mut approvals = ApprovalsClient::new(person.clone());
                    let waiting =
                        approvals.list(api::ListApprovalsRequest::default()).await.unwrap();
                    let of = match action {
                        Action::ApproveOverride => "override",
                        _ => "information",
                    };
                    let waiting = waiting.into_inner().waiting;
                    let asked = waiting.iter().filter(|info| info.of == of);
                    assert_eq!(asked.count(), usize::from(expected), "{role}: {of}");
                    for draft in &asked_for {
                        let id = draft.clone();
                        let got = approvals.get(api::DraftRequest { id: id.clone() }).await;
                        let may = waiting.iter().any(|info| info.draft == *draft);
                        assert_eq!(got.is_ok(), may, "{role} reads {draft}");
                        let answer = api::AnswerApprovalRequest {
                            draft: id,
                            approve: true,
                            ..Default::default()
                        };
                        // The digest is wrong: nobody approves unseen.
                        let code = approvals.answer(answer).await.unwrap_err().code();
                        let refused = if may { Code::FailedPrecondition } else { Code::NotFound };
                        assert_eq!(code, refused, "{role} answers {draft}");
                    }
                    continue;
                }
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
                tells_nothing(&status, &format!("{role} + {action}"));
            }
        }
    }
    // Whoever read the share that is for some is on record for each way, and nobody else.
    let auditor = sg.person("the-auditor", &[Role::Auditor]).await;
    let all = api::ListAccessRequest { count: 1000, ..Default::default() };
    let reads = AccessClient::new(auditor).list(all).await.unwrap().into_inner().entries;
    let readers = Role::ALL
        .iter()
        .copied()
        .filter(|role| may(*role, Relation::Nothing, Action::ReadAddressed) == Verdict::Allow);
    let readers = readers.count();
    for (what, id) in
        [("share", &addressed), ("share_list", &addressed), ("share_search", &String::new())]
    {
        let read: Vec<_> = reads.iter().filter(|read| read.what == what).collect();
        assert!(read.iter().all(|read| read.share == *id && read.referral.is_empty()), "{what}");
        assert_eq!(read.len(), readers, "{what}");
    }
    // Titles: by the lists that gave no text, as often as they held it.
    let titles: Vec<_> = reads.iter().filter(|read| read.what == "share_titles").collect();
    assert!(titles.iter().all(|read| read.shares == [addressed.clone()] && read.count == 1));
    assert_eq!(titles.len(), TITLE_LISTS * readers);
    sg.running.stop().await.unwrap();
}

/// A draft of a referral whose author has left; its id.
async fn left_draft(node: &Node, author: &str) -> String {
    let person = node.person(author, &[Role::Caseworker]).await;
    let saved = DraftsClient::new(person).save(api::SaveDraftRequest::default()).await;
    let off = api::SetActiveRequest { name: author.into(), active: false };
    let off = PeopleClient::new(node.operator.clone()).set_active(off).await.unwrap();
    assert_eq!(off.into_inner().account.unwrap().drafts, 1);
    saved.unwrap().into_inner().id
}

/// A draft of each kind for which a second person is asked; their ids.
pub(super) async fn ask_for_two(node: &Node) -> Vec<String> {
    let author = node.person("author", &[Role::Caseworker, Role::InformationEditor]).await;
    let mut drafts = DraftsClient::new(author.clone());
    let mut approvals = ApprovalsClient::new(author);
    let mut ids = Vec::new();
    let referral = tutti_core::referral::form::example()
        .replace("legal_basis = \"consent\"", "legal_basis = \"vital_interest\"")
        .replace("status = \"given\"", "status = \"refused\"")
        .replace("purpose = ", "override_reason = \"life_at_risk\"\npurpose = ");
    let share = tutti_core::information::form::example().to_owned();
    for (form, used) in [(referral, "send"), (share, "publish")] {
        let request = api::SaveDraftRequest { form, r#use: used.into(), ..Default::default() };
        let saved = drafts.save(request).await.unwrap().into_inner();
        assert_eq!(saved.faults, Vec::<String>::new());
        let reason = "she is in danger now, and cannot be asked again".into();
        let ask = api::AskApprovalRequest { draft: saved.id.clone(), reason };
        approvals.ask(ask).await.unwrap();
        ids.push(saved.id);
    }
    ids
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
    let all = people.list_tokens(api::ListTokensRequest { all: true, ..Default::default() }).await;
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
