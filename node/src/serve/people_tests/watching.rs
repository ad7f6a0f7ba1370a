//! What each role hears on the watch: of cases, shares, alerts and approvals what the table lets it see,
//! and of nothing else that anything happens.

use std::collections::BTreeSet;

use tonic::Streaming;

use super::*;

/// One change: its kind, what it is about, what happened.
type Heard = BTreeSet<(String, String, String)>;

async fn watch(connection: &Connection) -> Streaming<api::WatchEvent> {
    let kinds = ["referral", "information", "access", "approval"].map(String::from).into();
    let mut node = NodeClient::new(connection.clone());
    node.watch(api::WatchRequest { kinds }).await.unwrap().into_inner()
}

/// All that is heard until it is told that this share, which all may read, was published.
async fn hear(watch: &mut Streaming<api::WatchEvent>, last: &str) -> Heard {
    let mut heard = Heard::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), watch.message());
        let change = next.await.expect("everybody hears of the last").unwrap().unwrap();
        assert_ne!(change.kind, "missed");
        if change.id == last {
            return heard;
        }
        heard.insert((change.kind, change.id, change.what));
    }
}

async fn publish(connection: &Connection, key: u8, addressees: &[&str]) -> String {
    let mut request = share(vec![key; 16]);
    if !addressees.is_empty() {
        request.visibility = v1::Visibility::Addressed as i32;
        request.addressees = addressees.iter().map(ToString::to_string).collect();
    }
    InformationClient::new(connection.clone()).publish(request).await.unwrap().into_inner().id
}

/// Every role × every relation: something happens with each case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_hears_of_what_it_sees_and_of_nothing_else() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let ph = Node::start(&mut federation, "ph").await;
    let colleague = sg.person("colleague", &[Role::Caseworker]).await;
    let mut people = BTreeMap::new();
    for role in Role::ALL.iter().copied() {
        people.insert(role, sg.person(role.name(), &[role]).await);
    }
    // A case of each relation; of those that are somebody's own, one for whoever may have one.
    let health: &[&str] = &["health"];
    let mut cases = vec![
        (send(&colleague, 1, "ph", health).await, Relation::Other, None),
        (send(&ph.operator, 2, "sg", health).await, Relation::Triage, None),
        (send(&ph.operator, 3, "sg", &["rfl_tracing"]).await, Relation::TriageRfl, None),
    ];
    let takes = |role: &Role| may(*role, Relation::Own, Action::Act) == Verdict::Allow;
    for role in Role::ALL.iter().copied().filter(takes) {
        let id = send(&sg.operator, 10 + role as u8, "ph", health).await;
        let assign = api::AssignReferralRequest { id: id.clone(), name: role.name().into() };
        ReferralsClient::new(sg.operator.clone()).assign(assign).await.unwrap();
        cases.push((id, Relation::Own, Some(role)));
    }
    for node in [&sg, &ph] {
        eventually("all cases are there", async || {
            let there = listed(&node.operator).await;
            cases.iter().all(|(id, ..)| there.contains(id))
        })
        .await;
    }

    let caseworker = &people[&Role::Caseworker];
    let one = cases.iter().find(|case| case.2 == Some(Role::Caseworker)).unwrap().0.clone();
    let scopes = vec!["read".to_string()];
    let narrow = api::IssueTokenRequest { scopes, cases: vec![one.clone()], ..Default::default() };
    let mut focal = PeopleClient::new(people[&Role::FocalPoint].clone());
    let keyhole = focal.issue_token(narrow).await.unwrap().into_inner();
    let mut through_keyhole = watch(&sg.with(&keyhole.token).await).await;
    let mut with_colleague = watch(&colleague).await;
    let mut watches = BTreeMap::new();
    for (role, person) in &people {
        watches.insert(*role, watch(person).await);
    }

    for (id, relation, _) in &cases {
        let outgoing = matches!(relation, Relation::Own | Relation::Other);
        let receiver = if outgoing { &ph.operator } else { &sg.operator };
        let step = Transition::Acknowledge(v1::Acknowledged::default());
        advance(receiver, id, step).await.unwrap();
    }
    for (id, ..) in &cases {
        eventually("it is acknowledged", async || {
            let case = get(&sg.operator, id, false, "").await.unwrap();
            case.state == api::ReferralState::Acknowledged as i32
        })
        .await;
    }
    get(&colleague, &cases[1].0, true, "the person is in danger now").await.unwrap();
    let drafts: BTreeSet<String> = super::at_the_node::ask_for_two(&sg).await.into_iter().collect();
    let addressed = publish(&sg.operator, 100, &["ph"]).await;
    let last = publish(&sg.operator, 101, &[]).await;

    for (role, watch) in &mut watches {
        let role = *role;
        let heard = hear(watch, &last).await;
        let of = |kind: &str, what: Option<&str>| -> BTreeSet<String> {
            let heard =
                heard.iter().filter(|(k, _, w)| k == kind && what.is_none_or(|what| w == what));
            heard.map(|(_, id, _)| id.clone()).collect()
        };
        let sees = |(_, relation, whose): &&(String, Relation, Option<Role>)| {
            let own = *whose == Some(role);
            let relation =
                if *relation == Relation::Own && !own { Relation::Other } else { *relation };
            may(role, relation, Action::See) == Verdict::Allow
        };
        let seen: BTreeSet<String> = cases.iter().filter(sees).map(|case| case.0.clone()).collect();
        assert_eq!(of("referral", Some("acknowledged")), seen, "{role}: cases");
        assert!(of("referral", None).is_subset(&seen), "{role}: whatever happens to them");
        let allowed = |action| may(role, Relation::Nothing, action) == Verdict::Allow;
        let alerts = of("access", Some("break_glass"));
        assert_eq!(!alerts.is_empty(), allowed(Action::ReadAccess), "{role}: alerts");
        let writes = [
            Action::ApproveOverride,
            Action::ApproveInformation,
            Action::Send,
            Action::WriteInformation,
        ];
        let told = if writes.into_iter().any(allowed) { drafts.clone() } else { BTreeSet::new() };
        assert_eq!(of("approval", None), told, "{role}: approvals");
        let shares = of("information", None);
        assert_eq!(shares.contains(&addressed), allowed(Action::ReadAddressed), "{role}: shares");
        assert!(shares.len() <= 1, "{role}: {shares:?}");
    }
    let cases_of = |heard: &Heard| -> BTreeSet<String> {
        let cases = heard.iter().filter(|(kind, ..)| kind == "referral");
        cases.map(|(_, id, _)| id.clone()).collect()
    };
    // A token that is for one case hears of that alone.
    let heard = hear(&mut through_keyhole, &last).await;
    assert_eq!(cases_of(&heard), BTreeSet::from([one.clone()]));
    hear(&mut with_colleague, &last).await;

    // A case that was given away is another's from that moment on.
    let assign = api::AssignReferralRequest { id: one.clone(), name: "colleague".into() };
    ReferralsClient::new(caseworker.clone()).assign(assign).await.unwrap();
    let last = publish(&sg.operator, 102, &[]).await;
    let heard = hear(watches.get_mut(&Role::Caseworker).unwrap(), &last).await;
    assert_eq!(cases_of(&heard), BTreeSet::new());
    let heard = hear(&mut with_colleague, &last).await;
    assert_eq!(cases_of(&heard), BTreeSet::from([one]));
    sg.running.stop().await.unwrap();
    ph.running.stop().await.unwrap();
}
