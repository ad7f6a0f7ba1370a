//! Getting in: tokens, passwords, and the glass that is broken.

use super::*;

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
            LogClient::new(stranger.clone()).list(api::ListLogsRequest::default()).await.err(),
            PeopleClient::new(stranger.clone()).who_am_i(api::WhoAmIRequest {}).await.err(),
            AccessClient::new(stranger.clone()).list(api::ListAccessRequest::default()).await.err(),
            DraftsClient::new(stranger).list(api::ListDraftsRequest::default()).await.err(),
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
    // Nor does it end one that may do more; itself it may end.
    let mine = people.list_tokens(api::ListTokensRequest::default()).await.unwrap().into_inner();
    let login = mine.tokens.into_iter().max_by_key(|token| token.scopes.len()).unwrap().id;
    for token in [&reader, &keyhole] {
        let mut narrow_people = PeopleClient::new(token.clone());
        let request = api::RevokeTokenRequest { id: login.clone() };
        let refused = narrow_people.revoke_token(request).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let id = one.info.unwrap().id;
    PeopleClient::new(keyhole.clone()).revoke_token(api::RevokeTokenRequest { id }).await.unwrap();
    assert_eq!(get(&keyhole, &first, false, "").await.unwrap_err().code(), Code::Unauthenticated);
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
    // Who has shown no token makes nobody keep much for them.
    let long = "x".repeat(9 * 1024);
    assert_eq!(attempt(&long, "").await.unwrap_err().code(), Code::OutOfRange);
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(attempt("a wrong password", "").await.unwrap_err().code());
    }
    assert_eq!(codes[..5], [Code::Unauthenticated; 5]);
    assert_eq!(codes[5], Code::ResourceExhausted);
    assert!(attempt("a long password", "").await.is_err(), "from there the right one waits, too");
    sg.running.stop().await.unwrap();
}

/// Who guesses from one address keeps nobody out at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_guessed_at_over_the_network_is_open_to_its_owner_on_the_machine() {
    let mut federation = Federation::found(&["sg"], &[]);
    let home = federation.home("sg");
    let (off, on) = (
        "always\n# through tutti.sock in this directory.\nlisten = \"\"",
        "\nlisten = \"127.0.0.1:0\"",
    );
    reconfigure(&home, off, on);
    let sg = Node::start(&mut federation, "sg").await;
    let remote = Target::Remote {
        address: sg.running.ready.api.unwrap().to_string(),
        token: String::new().into(),
        tls_key: federation.keyring("sg").tls.spki().unwrap(),
    };
    let here = Target::DirAs { dir: home, token: String::new().into() };
    let log_in = async |target: &Target, password: &str, new: &str| {
        let request = api::LoginRequest {
            name: "maria".into(),
            password: password.into(),
            new_password: new.into(),
        };
        LoginClient::new(connect(target).await.unwrap()).login(request).await.map(drop)
    };
    let add = api::AddAccountRequest { name: "maria".into(), roles: vec!["caseworker".into()] };
    let mut people = PeopleClient::new(sg.operator.clone());
    let code = people.add_account(add).await.unwrap().into_inner().start_code;
    let mut wrong = 0;
    let told = loop {
        match log_in(&remote, "a wrong password", "").await.unwrap_err() {
            status if status.code() == Code::Unauthenticated && wrong < 20 => wrong += 1,
            status => break status,
        }
    };
    assert_eq!(told.code(), Code::ResourceExhausted, "after {wrong}: {told:?}");
    assert!(told.message().contains("from where you are"), "{told:?}");
    assert!(wrong >= 5);
    log_in(&here, &code, "a long password").await.unwrap();
    log_in(&here, "a long password", "").await.unwrap();
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

/// A case that is passed on as the node knows it was opened for whoever asked: that is recorded, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_a_case_on_as_it_is_known_is_recorded_as_a_reading() {
    let mut federation = Federation::found(&["sg", "ph", "qa"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let ph = Node::start(&mut federation, "ph").await;
    let (mut sent, content) = form("ph", "C-1", &["health"]);
    if let Some(consent) = &mut sent.consent {
        consent.recipients.push("qa".into());
    }
    let request = api::SendReferralRequest {
        idempotency_key: vec![1; 16],
        sent: Some(sent),
        content: Some(content),
        draft: String::new(),
    };
    let mut sender = ReferralsClient::new(sg.operator.clone());
    let id = sender.send(request).await.unwrap().into_inner().id;
    let begun = std::time::Instant::now();
    while !get(&ph.operator, &id, true, "").await.is_ok_and(|case| case.content.is_some()) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let step = Transition::Accept(v1::Accepted::default());
    advance(&ph.operator, &id, step).await.unwrap();
    let request = api::PassReferralOnRequest {
        idempotency_key: vec![2; 16],
        id,
        receiver: "qa".into(),
        ..Default::default()
    };
    let mut receiver = ReferralsClient::new(ph.operator.clone());
    receiver.pass_on(request.clone()).await.unwrap();
    receiver.pass_on(request.clone()).await.unwrap();
    let auditor = ph.person("auditor", &[Role::Auditor]).await;
    let list = api::ListAccessRequest::default();
    let reads = AccessClient::new(auditor).list(list).await.unwrap().into_inner().entries;
    let onward: Vec<_> = reads.iter().filter(|read| read.what == "onward").collect();
    assert_eq!(onward.len(), 1, "once, however often it is asked for again");
    assert_eq!(onward[0].referral, request.id);
    sg.running.stop().await.unwrap();
    ph.running.stop().await.unwrap();
}
