use tutti_core::{
    entry::Visibility,
    information::{Command, InformationId, Readers, form},
    people::Roles,
};

use super::*;

pub(super) fn version(title: &str) -> Box<v1::InformationVersion> {
    let form: form::InformationForm = toml::from_str(form::example()).unwrap();
    let mut version = form.to_messages().unwrap().1;
    version.texts[0].title = title.into();
    Box::new(version)
}

pub(super) fn publish(key: [u8; 16], version: Box<v1::InformationVersion>) -> Write {
    publish_to(key, version, Visibility::Federation, &[], "")
}

fn publish_to(
    key: [u8; 16],
    version: Box<v1::InformationVersion>,
    visibility: Visibility,
    to: &[&str],
    group: &str,
) -> Write {
    let addressees = to.iter().map(|code| society(code)).collect();
    let readers = Readers { visibility, addressees, group: group.into() };
    Write::Publish { key, readers, version, supersedes: None }
}

fn inform(key: u8, id: InformationId, command: Command) -> Write {
    Write::Inform { key: [key; 16], id, command, version: 0 }
}

fn listed(node: &Node, request: api::ListInformationRequest) -> usize {
    node.shares(&Actor::node(), &request, NOW_MS).unwrap().shares.len()
}

fn shown_at(node: &Node, id: InformationId) -> api::InformationShare {
    let request = api::GetInformationRequest { id: id.to_string(), ..Default::default() };
    node.share(&Actor::node(), &request, NOW_MS).unwrap()
}

#[test]
fn a_share_is_published_revised_and_retracted_for_all_members() {
    let federation = federation();
    let [mut qa, mut ph] = ["qa", "ph"].map(|code| node(&federation, code));
    let published = one(&mut qa, publish([1; 16], version("one"))).unwrap();
    let id = InformationId::from_bytes(published.id);
    pass(&qa, &mut ph);
    let request = api::GetInformationRequest { id: id.to_string(), ..Default::default() };
    let share = ph.share(&Actor::node(), &request, NOW_MS).unwrap();
    assert_eq!(share, qa.share(&Actor::node(), &request, NOW_MS).unwrap());
    assert_eq!((share.society.as_str(), share.version_number), ("qa", 1));
    assert_eq!(share.state(), api::InformationState::Published);
    assert_eq!(share.visibility(), v1::Visibility::Federation);
    assert_eq!(share.version.unwrap().texts[0].title, "one");

    // It is not sealed: its digest is salted, so that it says nothing once the body was erased.
    let entries = ph.entries(&Actor::node(), &origin("qa"), 0, 10).unwrap();
    assert_eq!(entries[0].summary, format!("information {id} published"));
    assert_eq!(entries[0].content_state(), api::BodyState::Unspecified);

    let revised = inform(2, id, Command::Revise(version("two")));
    assert!(matches!(one(&mut ph, revised.clone()), Err(Refused::NotAllowed(_))));
    one(&mut qa, revised).unwrap();
    pass(&qa, &mut ph);
    let share = ph.share(&Actor::node(), &request, NOW_MS).unwrap();
    assert_eq!((share.state(), share.version_number), (api::InformationState::Revised, 2));
    assert_eq!(share.version.unwrap().texts[0].title, "two");
    let all = api::ListInformationRequest::default;
    assert_eq!(listed(&ph, all()), 1);
    assert_eq!(listed(&ph, api::ListInformationRequest { country: "qa".into(), ..all() }), 1);
    assert_eq!(listed(&ph, api::ListInformationRequest { country: "my".into(), ..all() }), 0);
    assert_eq!(listed(&ph, api::ListInformationRequest { society: "ph".into(), ..all() }), 0);
    let kind = v1::InformationKind::Report as i32;
    assert_eq!(listed(&ph, api::ListInformationRequest { kind, ..all() }), 0);

    let reason = "the decree was withdrawn".to_string();
    let retract = |reason: &str| Command::Retract(v1::Retracted { reason: reason.into() });
    one(&mut qa, inform(3, id, retract(&reason))).unwrap();
    pass(&qa, &mut ph);
    let share = ph.share(&Actor::node(), &request, NOW_MS).unwrap();
    assert_eq!(
        (share.state(), share.retraction_reason),
        (api::InformationState::Retracted, reason)
    );
    assert_eq!(listed(&ph, all()), 0);
    assert_eq!(listed(&ph, api::ListInformationRequest { with_ended: true, ..all() }), 1);
    let late = inform(4, id, Command::Revise(version("three")));
    assert!(matches!(one(&mut qa, late), Err(Refused::State(_))));
    let unknown = InformationId::from_bytes([9; 16]);
    let nothing = inform(5, unknown, retract("x"));
    assert!(matches!(one(&mut qa, nothing), Err(Refused::NotFound(_))));
    let again = restarted(&federation, &ph, "ph");
    assert_eq!(
        again.share(&Actor::node(), &request, NOW_MS).unwrap(),
        ph.share(&Actor::node(), &request, NOW_MS).unwrap()
    );
}

#[test]
fn what_does_not_fit_a_body_is_refused_before_anything_is_written() {
    let federation = federation();
    let mut qa = node(&federation, "qa");
    let mut long = version("long");
    let text = "ح".repeat(tutti_core::limits::TEXT_CHARS_MAX);
    long.texts = (0..40u8)
        .map(|n| v1::LocalText {
            language: format!("a{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26)),
            title: "t".into(),
            summary: String::new(),
            text: text.clone(),
            ..Default::default()
        })
        .collect();
    let write = publish_to([1; 16], long, Visibility::Public, &[], "");
    let refused = one(&mut qa, write).unwrap_err();
    assert!(matches!(&refused, Refused::Invalid(text) if text.contains("Shorten")), "{refused}");
    assert_eq!(qa.store.tree(&origin("qa")).size(), 0);
}

/// Every word that is typed into an addressed share.
const WORDS: [&str; 4] = ["Shelter", "zebra-law", "quagga-reason", "okapi"];

#[test]
fn an_addressed_share_is_read_by_its_circle_alone_and_looks_like_a_referral_to_others() {
    let federation = Federation::found(&["sg", "ph", "qa", "my"], &["sg", "ph", "qa", "my"]);
    let [mut qa, mut ph, mut sg, mut my] = ["qa", "ph", "sg", "my"].map(|c| node(&federation, c));
    let members = vec!["ph".to_string(), "qa".into(), "sg".into()];
    let group = api::Group { name: "steering".into(), members, of_the_federation: false };
    qa.set_group(&Actor::node(), &group, NOW_MS).unwrap();
    let mut text = version("Shelter zebra-law");
    text.legal_reference = "okapi".into();
    let unknown = publish_to([9; 16], text.clone(), Visibility::Addressed, &[], "nobody");
    assert!(matches!(one(&mut qa, unknown), Err(Refused::Invalid(_))));
    let stranger = publish_to([9; 16], text.clone(), Visibility::Addressed, &["fr"], "");
    let refused = one(&mut qa, stranger).unwrap_err().to_string();
    assert!(refused.contains("my, ph, sg"), "{refused}");
    let write = publish_to([1; 16], text.clone(), Visibility::Addressed, &[], "steering");
    let id = InformationId::from_bytes(one(&mut qa, write).unwrap().id);
    for node in [&mut ph, &mut sg, &mut my] {
        pass(&qa, node);
    }
    let at_home = shown_at(&qa, id);
    assert_eq!(at_home.parties, ["ph", "sg"]);
    let shown = at_home.version.clone().unwrap();
    assert_eq!((shown.group.as_str(), shown.legal_reference.as_str()), ("steering", "okapi"));
    assert_eq!((shown_at(&ph, id), shown_at(&sg, id)), (at_home.clone(), at_home));
    assert_eq!(listed(&my, api::ListInformationRequest::default()), 0);
    let search = |words: &str| api::ListInformationRequest {
        search: words.into(),
        language: "fil".into(),
        ..Default::default()
    };
    assert_eq!((listed(&sg, search("zebra OKAPI")), listed(&sg, search("gnu"))), (1, 0));

    // The same fields stand in the clear as of a referral, and both bodies are there.
    let entries = my.entries(&Actor::node(), &origin("qa"), 0, 10).unwrap();
    assert_eq!((entries.len(), entries[0].summary.as_str()), (1, "sealed for others"));
    let entry = <v1::Entry as prost::Message>::decode(entries[0].entry.as_slice()).unwrap();
    assert!(entry.record.is_some() && entry.content.is_some() && entry.visibility == 3);

    // What ph says of it goes to the whole circle, and to nobody else.
    let disputed =
        v1::Disputed { code: v1::DisputeCode::Outdated as i32, reason: "quagga-reason".into() };
    one(&mut ph, inform(2, id, Command::Dispute(disputed))).unwrap();
    let mut translation = version("zebra-law na").texts[0].clone();
    translation.language = "hin".into();
    one(&mut ph, inform(3, id, Command::Translate(Box::new(translation)))).unwrap();
    for node in [&mut qa, &mut sg, &mut my] {
        pass(&ph, node);
    }
    let at_home = shown_at(&qa, id);
    assert_eq!(at_home.responses[0].note, "quagga-reason");
    assert_eq!(at_home.translations[0].text.as_ref().unwrap().title, "zebra-law na");
    assert_eq!((shown_at(&ph, id), shown_at(&sg, id)), (at_home.clone(), at_home));
    let acknowledge = inform(4, id, Command::Acknowledge);
    assert!(matches!(one(&mut my, acknowledge), Err(Refused::NotFound(_))));

    // No word of it lies open anywhere: neither at those it is for, nor at others, nor in a record.
    for node in [&qa, &ph, &sg, &my] {
        let held = format!("{:?}", node.store);
        assert!(WORDS.iter().all(|word| !held.contains(word)));
        let book = format!("{:?}", node.information);
        assert!(WORDS.iter().all(|word| !book.contains(word)), "an auditor opens records");
    }

    // A revision reaches them, too; a restart shows the same.
    text.texts[0].title = "okapi".into();
    one(&mut qa, inform(5, id, Command::Revise(text))).unwrap();
    pass(&qa, &mut sg);
    let share = shown_at(&sg, id);
    assert_eq!((share.version_number, share.translations[0].stale), (2, true));
    assert_eq!(share.version.as_ref().unwrap().group, "steering");
    assert_eq!(shown_at(&restarted(&federation, &sg, "sg"), id), share);

    // Whoever may not read what is addressed learns nothing of it.
    let roles: Roles = [tutti_core::people::Role::Observer].into_iter().collect();
    let scopes = tutti_core::people::Scope::ALL.iter().copied().collect();
    let observer = Actor::person([5; 16], "p".into(), roles, scopes, None);
    let request = api::GetInformationRequest { id: id.to_string(), ..Default::default() };
    assert!(matches!(sg.share(&observer, &request, NOW_MS), Err(Refused::NotFound(_))));
    let all = api::ListInformationRequest { with_ended: true, ..Default::default() };
    assert!(sg.shares(&observer, &all, NOW_MS).unwrap().shares.is_empty());
}

#[test]
fn more_societies_than_an_entry_has_tags_get_copies_and_count_once() {
    let codes = ["ae", "bd", "id", "in", "lk", "my", "np", "ph", "qa", "sa", "sg"];
    let federation = Federation::found(&codes, &["qa", "ae", "sg"]);
    let [mut qa, mut ae, mut sg] = ["qa", "ae", "sg"].map(|code| node(&federation, code));
    let others: Vec<&str> = codes.iter().copied().filter(|code| *code != "qa").collect();
    let write = publish_to([1; 16], version("one"), Visibility::Addressed, &others, "");
    let receipt = one(&mut qa, write.clone()).unwrap();
    assert_eq!(one(&mut qa, write).unwrap(), receipt, "sent again, written once");
    assert_eq!(qa.store.tree(&origin("qa")).size(), 2, "ten in two entries");
    let id = InformationId::from_bytes(receipt.id);
    pass(&qa, &mut ae);
    pass(&qa, &mut sg);
    // What is asked for twice is not asked of those who have another copy.
    drop((wants(&mut ae), wants(&mut sg)));
    assert_eq!(shown_at(&ae, id).parties, others);
    // ae is in the first copy, sg in the second; each hears what the other says.
    one(&mut ae, inform(2, id, Command::Endorse(v1::Endorsed::default()))).unwrap();
    pass(&ae, &mut sg);
    pass(&ae, &mut qa);
    assert_eq!(shown_at(&sg, id).responses.len(), 1);
    let (sg, qa) = (shown_at(&sg, id), shown_at(&qa, id));
    assert_eq!((&sg.responses, sg.version), (&qa.responses, qa.version));
    assert!(sg.ignored.is_empty() && qa.ignored.is_empty());
}

#[test]
fn a_newer_share_takes_the_place_of_an_older_one_in_one_write() {
    let federation = federation();
    let [mut qa, mut ph] = ["qa", "ph"].map(|code| node(&federation, code));
    let old = InformationId::from_bytes(one(&mut qa, publish([1; 16], version("old"))).unwrap().id);
    let Write::Publish { readers, version, .. } = publish([2; 16], version("new")) else {
        panic!()
    };
    let write = Write::Publish { key: [2; 16], readers, version, supersedes: Some(old) };
    assert!(matches!(one(&mut ph, write.clone()), Err(Refused::NotFound(_))));
    let new = InformationId::from_bytes(one(&mut qa, write.clone()).unwrap().id);
    assert_eq!(one(&mut qa, write).unwrap().id, *new.as_bytes());
    pass(&qa, &mut ph);
    let (older, newer) = (shown_at(&ph, old), shown_at(&ph, new));
    assert_eq!(older.state(), api::InformationState::Superseded);
    assert_eq!((older.superseded_by, newer.supersedes), (new.to_string(), old.to_string()));
    assert_eq!(listed(&ph, api::ListInformationRequest::default()), 1);
    let all = api::ListInformationRequest { with_ended: true, ..Default::default() };
    assert_eq!(listed(&ph, all), 2);
    let late = inform(5, old, Command::Revise(super::information::version("x")));
    let refused = one(&mut qa, late).unwrap_err().to_string();
    assert!(refused.contains(&new.to_string()), "{refused}");
}

#[test]
fn what_is_over_is_not_listed_and_what_is_to_come_says_so() {
    let federation = federation();
    let mut qa = node(&federation, "qa");
    let mut over = version("over");
    (over.effective_on, over.expires_on) = ("2025-01-01".into(), "2025-11-23".into());
    let mut to_come = version("to come");
    to_come.effective_on = "2025-11-25".into();
    let mut chance = version("chance");
    chance.kind = v1::InformationKind::ResourceOpportunity as i32;
    chance.deadline_on = "2025-11-24".into();
    chance.effective_on.clear();
    for (key, version) in [(1, over), (2, to_come), (3, chance)] {
        one(&mut qa, publish([key; 16], version)).unwrap();
    }
    // It is the evening of 24 November 2025.
    let list = |request| qa.shares(&Actor::node(), &request, NOW_MS).unwrap().shares;
    let all = api::ListInformationRequest::default;
    let states =
        |shares: Vec<api::InformationShare>| -> Vec<(String, api::InformationState, bool)> {
            let title = |share: &api::InformationShare| {
                share.version.as_ref().unwrap().texts[0].title.clone()
            };
            let mut told: Vec<_> = shares
                .iter()
                .map(|share| (title(share), share.state(), share.not_yet_in_force))
                .collect();
            told.sort_by(|one, other| one.0.cmp(&other.0));
            told
        };
    use api::InformationState::{Expired, Published};
    assert_eq!(
        states(list(all())),
        [("chance".into(), Published, false), ("to come".into(), Published, true)]
    );
    let ended = api::ListInformationRequest { with_ended: true, ..all() };
    assert_eq!(states(list(ended))[1], ("over".into(), Expired, false));
    let then = api::ListInformationRequest { in_force_on: "2025-06-01".into(), ..all() };
    assert_eq!(
        states(list(then)).iter().map(|s| s.0.as_str()).collect::<Vec<_>>(),
        ["chance", "over"]
    );
    let tomorrow = NOW_MS + 86_400_000;
    let shares = qa.shares(&Actor::node(), &all(), tomorrow).unwrap().shares;
    assert_eq!(states(shares), [("to come".into(), Published, false)]);
}

/// What the local log says of reads: what, and of which share or shares.
fn reads(node: &Node) -> Vec<(String, String)> {
    let shown = node.local.shown(false, 100).into_iter().rev();
    let read = |shown: crate::local::Shown| match shown.event {
        v1::local_record::Event::Read(read) => {
            assert_eq!((read.pseudonym.as_str(), read.referral.len()), ("maria", 0));
            (read.what, tutti_core::local::ids(&[read.share, read.titles].concat()).join(" "))
        }
        other => panic!("{other:?}"),
    };
    shown.map(read).collect()
}

#[test]
fn who_reads_what_is_addressed_to_some_alone_is_recorded_and_what_is_for_all_is_not() {
    let federation = federation();
    let [mut qa, mut ph] = ["qa", "ph"].map(|code| node(&federation, code));
    let mut circle = Vec::new();
    for n in 1..=3u8 {
        let write = publish_to([n; 16], version("zebra"), Visibility::Addressed, &["ph"], "");
        circle.push(InformationId::from_bytes(one(&mut qa, write).unwrap().id).to_string());
    }
    let open = one(&mut qa, publish([9; 16], version("open"))).unwrap().id;
    let open = InformationId::from_bytes(open).to_string();
    pass(&qa, &mut ph);
    let person = |role| {
        let roles: Roles = [role].into_iter().collect();
        let scopes = tutti_core::people::Scope::ALL.iter().copied().collect();
        Actor::person([5; 16], "maria".into(), roles, scopes, None)
    };
    let maria = person(tutti_core::people::Role::InformationEditor);
    let observer = person(tutti_core::people::Role::Observer);
    let get = |id: &str| api::GetInformationRequest { id: id.into(), ..Default::default() };
    let text = |share: &api::InformationShare| {
        let version = share.version.as_ref().unwrap();
        (version.texts[0].title.clone(), version.texts[0].summary.is_empty())
    };

    // Without a record no way leads to a text.
    let refused = ph.share(&maria, &get(&circle[0]), NOW_MS);
    assert!(matches!(refused, Err(Refused::NotAllowed(_))));
    let with_texts = api::ListInformationRequest { with_texts: true, ..Default::default() };
    let search =
        |words: &str| api::ListInformationRequest { search: words.into(), ..Default::default() };
    for request in [&Default::default(), &with_texts, &search("zebra")] {
        let refused = ph.shares(&maria, request, NOW_MS);
        assert!(matches!(refused, Err(Refused::NotAllowed(_))), "{request:?}");
    }
    assert_eq!(reads(&ph), []);

    // A list gives titles, which are sealed like the text: one record says whose; none is of what is for
    // all. The share itself gives its text, once that is on record.
    let titles = ph.read_shares(&maria, &Default::default(), NOW_MS).unwrap().shares;
    assert_eq!(titles.len(), 4);
    assert!(titles.iter().all(|share| text(share).1), "no text");
    assert!(titles.iter().any(|share| text(share).0 == "zebra"));
    let whose = |listed: &[api::InformationShare]| {
        let ids = listed.iter().map(|share| share.id.clone()).filter(|id| *id != open);
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(whose(&titles).split(' ').count(), 3);
    let mut expected = vec![("share_titles".to_owned(), whose(&titles))];
    assert_eq!(reads(&ph), expected);
    let by = |society: &str| api::ListInformationRequest {
        society: society.into(),
        ..Default::default()
    };
    assert_eq!(ph.read_shares(&maria, &by("sg"), NOW_MS).unwrap().shares.len(), 0);
    assert!(!text(&ph.read_share(&maria, &get(&open), NOW_MS).unwrap()).1);
    assert_eq!(reads(&ph), expected);
    assert!(!text(&ph.read_share(&maria, &get(&circle[1]), NOW_MS).unwrap()).1);
    expected.push(("share".to_owned(), circle[1].clone()));
    assert_eq!(reads(&ph), expected);

    // Of a list with texts each one is on record, page by page, and what is for all is not.
    let mut request = api::ListInformationRequest { page_size: 2, ..with_texts };
    let mut listed = Vec::new();
    loop {
        let page = ph.read_shares(&maria, &request, NOW_MS).unwrap();
        listed.extend(page.shares);
        let of_list = reads(&ph).into_iter().skip(2).map(|(what, id)| {
            assert_eq!(what, "share_list");
            id
        });
        let shown = listed.iter().map(|share| share.id.clone()).filter(|id| *id != open);
        assert_eq!(of_list.collect::<Vec<_>>(), shown.collect::<Vec<_>>());
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|share| !text(share).1));
    expected = reads(&ph);
    assert_eq!(expected.len(), 5);

    // Whoever searches hears which texts have the words; also where none has them.
    for (words, count) in [("zebra", 3), ("gnu", 0)] {
        let found = ph.read_shares(&maria, &search(words), NOW_MS).unwrap().shares;
        assert_eq!(found.len(), count);
        expected.push(("share_search".into(), String::new()));
        // And sees the titles of what was found.
        expected.extend((count > 0).then(|| ("share_titles".into(), whose(&found))));
    }
    assert_eq!(reads(&ph), expected);

    // Who may not read them reads none of them; and the node itself is no reader.
    assert!(ph.read_share(&observer, &get(&circle[0]), NOW_MS).is_err());
    assert_eq!(ph.read_shares(&observer, &search("zebra"), NOW_MS).unwrap().shares.len(), 0);
    ph.read_share(&Actor::node(), &get(&circle[0]), NOW_MS).unwrap();
    assert_eq!(reads(&ph), expected);
}
