//! What others write as long as the limits allow: worklists, cases and shares are shown all the same.

use std::collections::BTreeSet;

use prost::Message as _;
use tutti_core::{
    entry::{Header, Visibility},
    information::{Command as Inform, InformationId},
    sealing,
};
use tutti_proto::v1::{content::Content, referral_event::Transition};

use super::{
    information::{publish, version},
    *,
};

/// What a gRPC client takes if nobody tells it otherwise.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Nearly as long as the record of an addressed entry may be.
const LONG: usize = 15_000;

/// Writes into ph's log, with its keys, what its program never would: an event that is for sg, which gets
/// both bodies. Says where it stands.
fn write(
    federation: &Federation,
    sg: &mut Node,
    id: Option<ReferralId>,
    transition: Transition,
    content: Option<Content>,
) -> (u64, ReferralId) {
    write_as("ph", federation, sg, id, transition, content)
}

/// The same by that society.
fn write_as(
    code: &str,
    federation: &Federation,
    sg: &mut Node,
    id: Option<ReferralId>,
    transition: Transition,
    content: Option<Content>,
) -> (u64, ReferralId) {
    let (own, keyring) = (origin(code), federation.keyring(code));
    let held = sg.store.tree(&own);
    let index = held.size();
    let mut event_id = [9; 16];
    event_id[..8].copy_from_slice(&index.to_be_bytes());
    let id = id.unwrap_or_else(|| ReferralId::of(&own, &event_id));
    let record = v1::Record {
        origin: own.to_string(),
        event_id: event_id.to_vec(),
        addressees: vec!["sg".into()],
        has_content: content.is_some(),
        event: Some(v1::record::Event::Referral(v1::ReferralEvent {
            referral_id: id.as_bytes().to_vec(),
            seen: None,
            transition: Some(transition),
        })),
        ..Default::default()
    };
    let content = v1::Content { origin: own.to_string(), event_id: event_id.to_vec(), content };
    let keys = [code, "sg"].map(|code| federation.keyring(code).case.recipient());
    let body = |part, message: &[u8]| {
        Body::new(Place::new(&own, index, part), &sealing::seal(message, &keys).unwrap())
    };
    let record = body(Part::Record, &record.encode_to_vec());
    let content = body(Part::Content, &content.encode_to_vec());
    let mut rng = ChaCha20Rng::seed_from_u64(index);
    let addressee = federation.keyring("sg").routing.public();
    let header = Header {
        origin: own.clone(),
        index,
        recorded_at_ms: NOW_MS + index,
        visibility: Visibility::Addressed,
        record: record.commitment(),
        content: Some(content.commitment()),
        tags: routing::tags(&keyring.routing, &[addressee], &own, index, &mut rng).unwrap(),
    };
    let batch = VerifiedBatch::author(&held, &own, vec![header.encode()], &keyring.log).unwrap();
    sg.store.append(&batch, &[record, content]).unwrap();
    sg.project(&own, NOW_MS);
    (index, id)
}

/// A referral from ph to sg, with `bytes` that no program of ours writes.
fn sent(bytes: usize) -> Transition {
    let form: form::ReferralForm = toml::from_str(form::example()).unwrap();
    let (mut sent, _) = form.to_messages().unwrap();
    sent.receiver = "sg".into();
    sent.information_withheld = vec!["w".repeat(bytes / 2)];
    sent.consent.as_mut().unwrap().fields = vec!["f".repeat(bytes / 2)];
    Transition::Sent(sent)
}

fn step() -> Transition {
    let information_disclosed = vec!["d".repeat(LONG)];
    Transition::InformationProvided(v1::InformationProvided { information_disclosed })
}

fn note(bytes: usize) -> Option<Content> {
    Some(Content::Note(v1::Note { text: "n".repeat(bytes) }))
}

#[test]
fn no_referral_is_so_long_that_it_or_a_list_with_it_is_not_shown() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let ours = id_of(&one(&mut sg, send(1)).unwrap());
    let mut ids = BTreeSet::from([ours]);
    let mut first = None;
    for _ in 0..25 {
        let (_, id) = write(&federation, &mut sg, None, sent(LONG), None);
        for _ in 0..12 {
            write(&federation, &mut sg, Some(id), step(), None);
        }
        first.get_or_insert(id);
        ids.insert(id);
    }
    let long = first.unwrap();
    for _ in 0..6 {
        write(&federation, &mut sg, Some(long), step(), note(900_000));
    }
    // With a record of a megabyte it is none: nobody seals such.
    let (index, none) = write(&federation, &mut sg, None, sent(900_000), None);
    assert!(sg.case(&none).is_none());
    let entries = sg.entries(&Actor::node(), &origin("ph"), index, 1).unwrap();
    assert!(entries[0].summary.starts_with("unreadable: the record of an addressed entry is"));

    let mut request = api::ListReferralsRequest { page_size: 1000, ..Default::default() };
    let (mut listed, mut pages) = (Vec::new(), 0);
    loop {
        let page = sg.referrals(&Actor::node(), &request, NOW_MS).unwrap();
        assert!(page.encoded_len() < ANSWER_BYTES_MAX, "{}", page.encoded_len());
        assert!(page.referrals.iter().all(|referral| referral.encoded_len() < 200 * 1024));
        pages += 1;
        listed.extend(page.referrals);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(pages < 5, "{pages}");
    let seen: BTreeSet<ReferralId> = listed.iter().map(|one| one.id.parse().unwrap()).collect();
    assert_eq!((listed.len(), seen), (26, ids));
    let of = |id: ReferralId| listed.iter().find(|one| one.id == id.to_string()).unwrap();
    let (honest, hostile) = (of(ours), of(long));
    assert_eq!((honest.events.len(), honest.events_left), (1, 0), "all of an ordinary one");
    assert!(!hostile.events.is_empty());
    assert_eq!(hostile.events.len() as u32 + hostile.events_left, 19);

    // The case itself, by as many questions as it takes: every step and every note.
    let mut request =
        api::GetReferralRequest { id: long.to_string(), with_content: true, ..Default::default() };
    let (mut events, mut answers) = (Vec::new(), 0);
    loop {
        let answer = sg.referral(&Actor::node(), &request, NOW_MS).unwrap();
        assert!(answer.encoded_len() < ANSWER_BYTES_MAX, "{}", answer.encoded_len());
        answers += 1;
        assert_eq!(answer.state(), api::ReferralState::Sent);
        let before = &answer.events[0];
        request.events_before = format!("{} {}", before.origin, before.index);
        let left = answer.events_left;
        events.splice(..0, answer.events);
        assert_eq!(events.len() as u32 + left, 19);
        if left == 0 {
            break;
        }
    }
    assert!((6..9).contains(&answers), "{answers}");
    assert!(events.is_sorted_by_key(|event| event.index), "each once, in order");
    assert_eq!(events.iter().filter(|event| event.note.len() == 900_000).count(), 6);
    for wrong in ["nothing", "m.example.org/ph/1 77777"] {
        request.events_before = wrong.into();
        let refused = sg.referral(&Actor::node(), &request, NOW_MS);
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{wrong}");
    }
}

#[test]
fn what_strangers_write_takes_no_room_from_the_steps_of_a_case() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    for _ in 0..3 {
        let seen = Transition::Acknowledged(v1::Acknowledged {});
        write(&federation, &mut sg, Some(id), seen, None);
    }
    for _ in 0..20 {
        write_as("qa", &federation, &mut sg, Some(id), step(), None);
    }
    let steps = |events: &[api::ReferralEventView]| {
        let of_parties = events.iter().filter(|event| event.society != "qa");
        of_parties.map(|event| event.index).collect::<Vec<_>>()
    };
    let listed = sg.referrals(&Actor::node(), &Default::default(), NOW_MS).unwrap().referrals;
    let in_list = &listed[0];
    assert_eq!(steps(&in_list.events), [0, 0, 1, 2]);
    assert!(in_list.events_left >= 18, "{}", in_list.events_left);
    assert_eq!(in_list.events.len() as u32 + in_list.events_left, 24);
    // Asked for by itself, all of them are there, each once; what is before the first step is theirs.
    let whole = shown(&sg, id);
    assert_eq!((whole.events.len(), whole.events_left), (24, 0));
    assert!(whole.events[..20].iter().all(|event| event.society == "qa" && !event.effective));
    let first = &whole.events[20];
    let before = api::GetReferralRequest {
        id: id.to_string(),
        events_before: format!("{} {}", first.origin, first.index),
        ..Default::default()
    };
    let before = sg.referral(&Actor::node(), &before, NOW_MS).unwrap();
    assert_eq!((before.events.len(), steps(&before.events).len()), (20, 0));
}

/// In as many languages, each of `chars` four bytes long.
fn texts(first: char, count: u8, chars: usize) -> Vec<v1::LocalText> {
    let text = "𐍈".repeat(chars);
    let language =
        |n: u8| format!("{first}{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26));
    let text = |n| v1::LocalText {
        language: language(n),
        title: format!("title {n}"),
        text: text.clone(),
        ..Default::default()
    };
    (0..count).map(text).collect()
}

#[test]
fn no_share_is_so_long_that_it_or_a_list_with_it_is_not_shown() {
    let federation = federation();
    let [mut qa, mut ph, mut sg] = ["qa", "ph", "sg"].map(|code| node(&federation, code));
    let mut first = None;
    for n in 1..=6 {
        let mut long = version("long");
        long.texts = texts('a', 12, 20_000);
        let id = one(&mut ph, publish([n; 16], long)).unwrap().id;
        first.get_or_insert(InformationId::from_bytes(id));
    }
    let id = first.unwrap();
    pass(&ph, &mut sg);
    for (key, text) in (10..).zip(texts('b', 60, 20_000)) {
        let command = Inform::Translate(Box::new(text));
        one(&mut sg, Write::Inform { key: [key; 16], id, command, version: 0 }).unwrap();
    }
    pass(&ph, &mut qa);
    pass(&sg, &mut qa);

    let list = |mut request: api::ListInformationRequest| {
        let mut listed = Vec::new();
        loop {
            let page = qa.shares(&Actor::node(), &request, NOW_MS).unwrap();
            assert!(page.encoded_len() < ANSWER_BYTES_MAX, "{}", page.encoded_len());
            listed.extend(page.shares);
            if page.next_page_token.is_empty() {
                return listed;
            }
            request.page_token = page.next_page_token;
        }
    };
    let length = |share: &api::InformationShare| -> usize {
        let texts = &share.version.as_ref().unwrap().texts;
        assert!(texts.iter().zip(0..).all(|(text, n)| text.title == format!("title {n}")));
        texts.iter().map(|text| text.text.chars().count()).sum()
    };
    let titles = list(api::ListInformationRequest::default());
    assert_eq!(titles.iter().map(length).collect::<Vec<_>>(), [0; 6]);
    let of = |list: &[api::InformationShare]| {
        let share = list.iter().find(|share| share.id == id.to_string()).unwrap();
        (share.translations.len() as u32, share.said_left)
    };
    assert_eq!(of(&titles), (60, 0), "who has translated it is told");
    let whole = list(api::ListInformationRequest { with_texts: true, ..Default::default() });
    assert_eq!(whole.iter().map(length).collect::<Vec<_>>(), [240_000; 6]);
    assert_eq!(of(&whole), (0, 60), "of translations that are long it is told that they are there");
    let search = api::ListInformationRequest { search: "title 59".into(), ..Default::default() };
    assert_eq!(list(search).len(), 1);

    let mut request = api::GetInformationRequest { id: id.to_string(), ..Default::default() };
    let mut translations: Vec<api::InformationTranslation> = Vec::new();
    loop {
        let answer = qa.share(&Actor::node(), &request, NOW_MS).unwrap();
        assert!(answer.encoded_len() < ANSWER_BYTES_MAX, "{}", answer.encoded_len());
        assert_eq!(length(&answer), 240_000);
        translations.extend(answer.translations);
        assert_eq!(translations.len() as u32 + answer.said_left, 60);
        if answer.said_left == 0 {
            break;
        }
        let last = translations.last().unwrap();
        request.said_after = format!("{} {}", last.origin, last.index);
    }
    let languages: BTreeSet<_> =
        translations.iter().map(|one| one.text.as_ref().unwrap().language.clone()).collect();
    assert_eq!(languages.len(), 60);
    request.said_after = "nothing".into();
    assert!(matches!(qa.share(&Actor::node(), &request, NOW_MS), Err(Refused::Invalid(_))));
}
