//! The whole table, tried: role, relation and action.

use super::{
    steps::{denied, export, holds, kind_of, pass_on, steps, tells_nothing},
    *,
};

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
    let (mut tried, mut prints) = (0, 0);
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

        // See: by list, by showing, and in the summaries of the log; on the watch: `watching`.
        assert_eq!(listed(person).await.contains(id), sees, "{what}: list");
        let mut narrowed = Vec::new();
        for direction in [api::Direction::Sent, api::Direction::Received] {
            let direction = direction as i32;
            let states = vec![api::ReferralState::Sent as i32];
            let narrow = api::ListReferralsRequest { direction, states, ..Default::default() };
            narrowed.extend(listed_as(person, narrow).await);
        }
        assert_eq!(narrowed.contains(id), sees, "{what}: a narrower list");
        // Searched: by its record whoever sees it, by the person's name whoever may open it.
        let opens = verdict(Action::Open) == Verdict::Allow;
        for (search, finds) in [("sg ph", sees), (CANARY, opens), (&id[..8], sees)] {
            let search = api::ListReferralsRequest {
                search: search.into(),
                page_size: 1000,
                ..Default::default()
            };
            let found = listed_as(person, search.clone()).await;
            assert_eq!(found.contains(id), finds, "{what}: {search:?}");
        }
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
        // Printed: the person's own copy, by the same right and for the same reason.
        let printed = print(person, id, "").await;
        assert_eq!(printed.is_ok(), verdict(Action::Open) == Verdict::Allow, "{what}: print");
        let by_glass = print(person, id, "the person asks for her copy").await;
        assert_eq!(by_glass.is_ok(), verdict(Action::Open) != Verdict::Deny, "{what}: by glass");
        prints += [&printed, &by_glass].into_iter().filter(|printed| printed.is_ok()).count();
        for answer in [&opened, &broken, &printed, &by_glass].into_iter().flatten() {
            let name = answer.content.clone().and_then(|c| c.person).map(|p| p.name);
            assert_eq!(name.as_deref(), Some(CANARY), "{what}");
        }

        // The files that go with it: their names, their bytes, and adding one.
        let (named, read) = files(person, id, "").await;
        assert_eq!(named.is_ok(), verdict(Action::Open) == Verdict::Allow, "{what}: names");
        assert_eq!(read, verdict(Action::Open) == Verdict::Allow, "{what}: bytes");
        let (glass, read) = files(person, id, "the person is in danger now").await;
        assert_eq!(glass.is_ok(), verdict(Action::Open) != Verdict::Deny, "{what}: names by glass");
        assert_eq!(read, verdict(Action::Open) != Verdict::Deny, "{what}: bytes by glass");
        let begun = begin_file(person, id).await;
        assert_eq!(allowed(&begun), verdict(Action::Act) == Verdict::Allow, "{what}: attach");

        // Act, stop, assign.
        // What is wrong with the step itself is said to whoever may take it.
        let mut refusals = Vec::new();
        for step in steps() {
            let name = format!("{what}: {step:?}");
            let expected = may(role, relation, kind_of(&step)) == Verdict::Allow;
            if kind_of(&step) == Action::Act {
                let acted = advance(person, id, step).await;
                assert_eq!(!denied(&acted), expected, "{name}: {acted:?}");
                refusals.extend(acted.err());
            }
        }
        let passed_on = pass_on(person, id).await;
        let passes = verdict(Action::Act) == Verdict::Allow && opens;
        assert_eq!(!denied(&passed_on), passes, "{what}: onward, {passed_on:?}");
        // Who may not refer anybody hears that, of any case.
        let of_none = pass_on(person, &nobody).await.unwrap_err();
        if let Err(refused) = passed_on {
            assert!(sees || refused.message() == of_none.message(), "{what}: {refused:?}");
            tells_nothing(&refused, &what);
        }
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
        let expected = may(role, after, Action::Stop) == Verdict::Allow;
        for step in steps().into_iter().filter(|step| kind_of(step) == Action::Stop) {
            let name = format!("{what}: {step:?}");
            let stopped = advance(person, id, step).await;
            assert_eq!(!denied(&stopped), expected, "{name}: {stopped:?}");
            refusals.extend(stopped.err());
        }

        // Whoever sees nothing cannot tell it from what does not exist; and no refusal of anything to
        // anybody says what a case says.
        refusals.extend(
            [shown.err(), opened.err(), printed.err(), assigned.err()].into_iter().flatten(),
        );
        refusals
            .extend([named.err(), begun.err(), broken.err(), by_glass.err()].into_iter().flatten());
        for refused in refusals {
            if !sees {
                assert_eq!(
                    (refused.code(), refused.message()),
                    (unknown.code(), unknown.message()),
                    "{what}"
                );
            }
            tells_nothing(&refused, &what);
        }
        tried += 1;
    }
    assert_eq!(tried, Role::ALL.len() * 5);
    let mut access = AccessClient::new(people[&Role::Auditor].clone());
    let all = api::ListAccessRequest { count: 1000, ..Default::default() };
    let reads = access.list(all).await.unwrap().into_inner().entries;
    assert!(reads.len() < 1000);
    let recorded = reads.iter().filter(|read| read.what == "print").count();
    assert_eq!(recorded, prints, "each page is on record as one");

    // Whole logs, taken out by whoever may: sealed as they lie, whoever it is.
    let mut words: Vec<Vec<u8>> = vec![CANARY.into(), CODE.into()];
    words.extend(cases.values().map(|id| id.clone().into_bytes()));
    words.extend(cases.values().map(|id| hex::decode(id).unwrap()));
    let mut taken = 0;
    for role in Role::ALL.iter().copied() {
        let expected = may(role, Relation::Nothing, Action::Export) == Verdict::Allow;
        for of in ["sg", "ph"] {
            let exported = export(&people[&role], of).await;
            assert_eq!(exported.is_ok(), expected, "{role}: export");
            match exported {
                Ok(bytes) => {
                    assert!(bytes.len() > 100_000, "bodies are in it: {}", bytes.len());
                    assert!(!holds(&bytes, &words), "{role}: an export of {of} tells of a case");
                    assert!(holds(&[&bytes[..], CANARY.as_bytes()].concat(), &words));
                    taken += 1;
                }
                Err(refused) => tells_nothing(&refused, "export"),
            }
        }
    }
    assert_eq!(taken, 2 * 3);
    sg.running.stop().await.unwrap();
    ph.running.stop().await.unwrap();
}

/// Whether the names of a case's files are told, and whether whoever asks for bytes gets as far as to
/// hear that there is no such file.
async fn files(person: &Connection, id: &str, break_glass: &str) -> (Result<(), Status>, bool) {
    let mut client = AttachmentsClient::new(person.clone());
    let (id, break_glass) = (id.to_owned(), break_glass.to_owned());
    let list = api::ListAttachmentsRequest {
        id: id.clone(),
        with_content: true,
        break_glass: break_glass.clone(),
    };
    let named = client.list(list).await.map(drop);
    let attachment = "ab".repeat(16);
    let read = api::ReadAttachmentRequest { id, attachment, break_glass, ..Default::default() };
    let refused = client.read(read).await.err().unwrap();
    (named, refused.message().contains("no such file goes with this referral"))
}

async fn begin_file(person: &Connection, id: &str) -> Result<(), Status> {
    let mut client = AttachmentsClient::new(person.clone());
    let request = api::BeginAttachmentRequest {
        id: id.into(),
        kind: v1::AttachmentKind::Photo as i32,
        name: "a.jpg".into(),
        size: 100,
        sha256: vec![1; 32],
        ..Default::default()
    };
    client.begin(request).await.map(drop)
}
