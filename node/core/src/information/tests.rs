#![allow(clippy::unwrap_used)]

use tutti_proto::v1::{self, information_event::Transition};

use super::{
    form::{InformationForm, example, template, translation_template},
    *,
};
use crate::{entry::Visibility, referral::EventRef, society::Origin};

mod any_order;
mod deciding;

pub(super) fn origin(code: &str) -> Origin {
    format!("m.example.org/{code}/1").parse().unwrap()
}

fn version() -> v1::InformationVersion {
    toml::from_str::<InformationForm>(example()).unwrap().to_messages().unwrap().1
}

pub(super) fn id() -> InformationId {
    InformationId::of(&origin("qa"), &[7; 16])
}

/// The id of the event at `index`; what publishes has another.
fn event_id(index: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&index.to_be_bytes());
    id
}

pub(super) fn event(by: &str, index: u64, transition: Transition) -> Event {
    let about = match &transition {
        Transition::Published(_)
        | Transition::Revised(_)
        | Transition::Superseded(_)
        | Transition::Retracted(_)
        | Transition::TakenBack(_) => vec![],
        _ => vec![7; 16],
    };
    let published = matches!(transition, Transition::Published(_));
    Event {
        at: EventRef { origin: origin(by), index },
        society: by.parse().unwrap(),
        recorded_at_ms: 1_000 + index,
        event_id: if published { [7; 16] } else { event_id(index) },
        visibility: Visibility::Public,
        addressees: vec![],
        has_content: false,
        actor: String::new(),
        approver: String::new(),
        body: v1::InformationEvent {
            information_id: id().as_bytes().to_vec(),
            about,
            parties: vec![],
            transition: Some(transition),
        },
    }
}

pub(super) fn published(version: v1::InformationVersion) -> Event {
    event("qa", 0, Transition::Published(version))
}

fn text(title: &str) -> v1::LocalText {
    v1::LocalText { language: "eng".into(), title: title.into(), ..Default::default() }
}

/// What an event of that kind may say.
fn says(kind: Kind, index: u64) -> Transition {
    let version =
        |title: String| v1::InformationVersion { texts: vec![text(&title)], ..Default::default() };
    match kind {
        Kind::Published => Transition::Published(version("first".into())),
        Kind::Revised => Transition::Revised(version(format!("of {index}"))),
        Kind::Superseded => Transition::Superseded(v1::Superseded { by: vec![3; 16] }),
        Kind::Retracted => Transition::Retracted(v1::Retracted { reason: "wrong".into() }),
        Kind::Acknowledged => Transition::Acknowledged(v1::Acknowledged {}),
        Kind::Endorsed => Transition::Endorsed(v1::Endorsed::default()),
        Kind::Disputed => Transition::Disputed(v1::Disputed {
            code: v1::DisputeCode::Outdated as i32,
            reason: "there is a newer law".into(),
        }),
        Kind::ActedOn => Transition::ActedOn(v1::ActedOn {
            code: v1::ActionCode::InformedStaff as i32,
            note: String::new(),
        }),
        Kind::Translated => {
            let text = v1::LocalText { language: "hin".into(), ..text(&format!("t{index}")) };
            Transition::Translated(v1::Translated { text: Some(text) })
        }
        Kind::TakenBack => {
            Transition::TakenBack(v1::TakenBack { event_id: event_id(index - 1).to_vec() })
        }
    }
}

fn of(by: &str, index: u64, kind: Kind) -> Event {
    event(by, index, says(kind, index))
}

/// The same, sealed to those that the share is for, but its author.
fn sealed(parties: &[&str], mut event: Event) -> Event {
    event.visibility = Visibility::Addressed;
    event.has_content = true;
    split(&mut event.body);
    event.body.parties = parties.iter().map(ToString::to_string).collect();
    let all = parties.iter().chain(&["qa"]).map(|code| code.parse().unwrap());
    event.addressees = all.filter(|society| *society != event.society).collect();
    event
}

pub(super) fn book(events: impl IntoIterator<Item = Event>) -> Book {
    let mut book = Book::default();
    for event in events {
        book.apply(event);
    }
    book
}

fn codes(share: &Share) -> Vec<(&str, &str)> {
    let code = |outcome: &Outcome| outcome.why.as_ref().map_or("", Why::code);
    share.outcomes.iter().map(|o| (o.event.kind().map_or("?", Kind::name), code(o))).collect()
}

/// Who may do what from where is read by people: a change of it must be seen in a review.
#[test]
fn the_table_is_frozen() {
    let states = [None].into_iter().chain(State::ALL.iter().copied().map(Some));
    let mut table = String::new();
    for state in states {
        for kind in Kind::ALL.iter().copied() {
            if let Some(to) = transition(state, kind) {
                let from = state.map_or("nothing", State::name);
                let (by, kind) = (kind.by().name(), kind.name());
                table += &format!("{from} + {kind} ({by}) = {}\n", to.name());
            }
        }
    }
    let frozen = include_str!("tests/table.txt");
    assert!(table == frozen, "the table is now\n{table}");
}

#[test]
fn only_the_author_changes_a_share() {
    let book = book([
        of("qa", 0, Kind::Published),
        of("ph", 0, Kind::Retracted),
        of("ph", 1, Kind::Published),
        of("ph", 2, Kind::Superseded),
        of("qa", 4, Kind::Revised),
        of("qa", 5, Kind::Endorsed),
        of("qa", 6, Kind::Retracted),
        of("qa", 7, Kind::Revised),
    ]);
    let share = book.get(&id()).unwrap();
    assert_eq!((share.state, share.version_number), (State::Retracted, 2));
    assert_eq!(share.version.texts[0].title, "of 4");
    assert_eq!((share.published_at_ms, share.changed_at_ms), (1_000, 1_006));
    assert_eq!(share.retraction_reason, "wrong");
    assert_eq!(
        codes(share),
        [
            ("published", ""),
            ("revised", ""),
            ("endorsed", "own_share"),
            ("retracted", ""),
            ("revised", "out_of_order"),
            ("retracted", "not_the_author"),
            ("published", "not_the_author"),
            ("superseded", "not_the_author"),
        ]
    );
}

#[test]
fn what_others_say_names_a_version_and_a_newer_one_makes_it_stale() {
    let about = |mut event: Event, index: u64| {
        event.body.about = event_id(index).to_vec();
        event
    };
    let events = [
        of("qa", 0, Kind::Published),
        of("qa", 1, Kind::Revised),
        of("ph", 0, Kind::Translated),
        about(of("ph", 1, Kind::Endorsed), 1),
        about(of("ph", 2, Kind::Disputed), 1),
        of("sg", 0, Kind::Endorsed),
        of("sg", 1, Kind::Acknowledged),
        about(of("sg", 2, Kind::ActedOn), 9),
    ];
    let book_of = book(events.iter().cloned());
    let share = book_of.get(&id()).unwrap();
    let told = |responses: Vec<Response>| -> Vec<(String, &str, u32, bool)> {
        let one = |response: &Response| {
            let kind = response.event.kind().unwrap().name();
            (response.event.society.to_string(), kind, response.version, response.is_stale)
        };
        responses.iter().map(one).collect()
    };
    let line = |who: &str, what, version, stale| (who.to_owned(), what, version, stale);
    // The later word on one and the same stands in place of the earlier.
    assert_eq!(
        told(share.responses()),
        [
            line("ph", "disputed", 2, false),
            line("sg", "endorsed", 1, true),
            line("sg", "acknowledged", 1, true),
        ]
    );
    assert_eq!(told(share.translations()), [line("ph", "translated", 1, true)]);
    assert_eq!(codes(share).last().unwrap(), &("acted_on", "no_such_version"));
    assert_eq!(share.versions().count(), 2);

    // A translation that is put right takes the place of the first, and what is taken back is gone.
    let mut more = book_of.clone();
    more.apply(about(of("ph", 3, Kind::Translated), 1));
    let share = more.get(&id()).unwrap();
    assert_eq!(told(share.translations()), [line("ph", "translated", 2, false)]);
    more.apply(of("ph", 4, Kind::TakenBack));
    more.apply(of("sg", 4, Kind::TakenBack));
    let share = more.get(&id()).unwrap();
    assert_eq!(told(share.translations()), [line("ph", "translated", 1, true)]);
    assert!(codes(share).contains(&("translated", "taken_back")));
    assert!(codes(share).contains(&("taken_back", "malformed")), "of nothing");

    // That it was retracted can be acknowledged; there is nothing in it to stand by.
    more.apply(of("qa", 2, Kind::Retracted));
    more.apply(about(of("my", 0, Kind::Acknowledged), 2));
    more.apply(about(of("my", 1, Kind::Endorsed), 2));
    let share = more.get(&id()).unwrap();
    assert_eq!(told(share.responses()).first(), Some(&line("my", "acknowledged", 0, false)));
    assert!(codes(share).contains(&("endorsed", "no_such_version")));
}

#[test]
fn an_addressed_share_is_for_its_circle_and_its_record_has_no_text() {
    let circle = ["ph", "sg"];
    let mut talkative = sealed(&circle, of("qa", 3, Kind::Revised));
    talkative.body.transition = Some(says(Kind::Revised, 3));
    let mut wider = sealed(&circle, of("qa", 4, Kind::Revised));
    wider.addressees.push("my".parse().unwrap());
    let mut bare = sealed(&circle, of("qa", 5, Kind::Revised));
    bare.has_content = false;
    let mut fewer = sealed(&circle, of("qa", 6, Kind::Revised));
    fewer.addressees = vec!["ph".parse().unwrap()];
    let book = book([
        sealed(&circle, of("qa", 0, Kind::Published)),
        sealed(&circle, of("ph", 0, Kind::Endorsed)),
        sealed(&circle, of("my", 0, Kind::Endorsed)),
        of("sg", 0, Kind::Endorsed),
        talkative,
        wider,
        bare,
        fewer,
    ]);
    let share = book.get(&id()).unwrap();
    assert!(share.is_for("sg".parse().unwrap()) && !share.is_for("my".parse().unwrap()));
    assert_eq!((share.version_number, share.version.texts[0].title.as_str()), (2, ""));
    assert_eq!(
        codes(share),
        [
            ("published", ""),
            ("revised", "malformed"),
            ("revised", "malformed"),
            ("revised", "malformed"),
            ("revised", ""),
            ("endorsed", "not_a_party"),
            ("endorsed", ""),
            ("endorsed", "malformed"),
        ]
    );
}

/// Whoever writes to many sees every copy, others one; both count it once.
#[test]
fn copies_of_one_event_for_others_count_once() {
    let parties = ["ae", "in", "ph", "sg"];
    let copy = |index: u64, to: &str| {
        let mut copy = sealed(&parties, of("qa", index, Kind::Published));
        copy.addressees = vec![to.parse().unwrap()];
        copy
    };
    let mut revised = sealed(&parties, of("qa", 4, Kind::Revised));
    revised.event_id = event_id(4);
    let author = book([copy(1, "ph"), copy(0, "ae"), copy(2, "sg"), revised.clone()]);
    let other = book([copy(2, "sg"), revised]);
    let (author, other) = (author.get(&id()).unwrap(), other.get(&id()).unwrap());
    assert_eq!(codes(author), [("published", ""), ("revised", "")]);
    assert_eq!(author.outcomes[0].event.at.index, 0);
    assert_eq!(codes(other), codes(author));
    assert_eq!(other.parties, author.parties);
}

#[test]
fn the_chain_can_be_followed_both_ways() {
    let newer = InformationId::of(&origin("qa"), &[9; 16]);
    let mut old = of("qa", 5, Kind::Superseded);
    old.body.transition =
        Some(Transition::Superseded(v1::Superseded { by: newer.as_bytes().to_vec() }));
    let mut first = of("qa", 4, Kind::Published);
    first.event_id = [9; 16];
    first.body.information_id = newer.as_bytes().to_vec();
    if let Some(Transition::Published(version)) = &mut first.body.transition {
        version.supersedes = id().as_bytes().to_vec();
    }
    let book = book([of("qa", 0, Kind::Published), first, old]);
    let (old, new) = (book.get(&id()).unwrap(), book.get(&newer).unwrap());
    assert_eq!((old.state, old.superseded_by), (State::Superseded, Some(newer)));
    assert_eq!((new.state, new.supersedes), (State::Published, Some(id())));
}

#[test]
fn what_cannot_be_read_gets_an_outcome() {
    let mut textless = of("qa", 2, Kind::Revised);
    textless.body.transition = Some(Transition::Revised(v1::InformationVersion::default()));
    let mut empty = of("qa", 3, Kind::Revised);
    empty.body.transition = None;
    let mut about_nothing = of("ph", 0, Kind::Endorsed);
    about_nothing.body.about = vec![1; 3];
    let mut reasonless = of("ph", 1, Kind::Disputed);
    reasonless.body.transition = Some(Transition::Disputed(v1::Disputed::default()));
    let mut hidden = of("ph", 2, Kind::Endorsed);
    hidden.visibility = Visibility::Federation;
    let all = [of("qa", 0, Kind::Published), textless, empty, about_nothing, reasonless, hidden];
    let book = book(all);
    let share = book.get(&id()).unwrap();
    assert_eq!(share.version_number, 1);
    assert!(share.outcomes[1..].iter().all(|o| matches!(o.why, Some(Why::Malformed(_)))));
    let unfiled = v1::Record {
        event_id: vec![1; 3],
        event: Some(v1::record::Event::Information(v1::InformationEvent {
            information_id: vec![1; 20],
            ..Default::default()
        })),
        ..Default::default()
    };
    let at = EventRef { origin: origin("qa"), index: 9 };
    let event = Event::from_record(at, 0, Visibility::Public, false, &unfiled).unwrap();
    assert_eq!(Book::default().apply(event), None);
}

/// However much was written, it can be taken back.
#[test]
fn there_is_always_room_for_an_end() {
    let mut events = vec![of("qa", 0, Kind::Published)];
    events.extend((1..100).map(|index| of("qa", index, Kind::Revised)));
    events.push(of("qa", 100, Kind::Retracted));
    let forwards = book(events.iter().cloned());
    let backwards = book(events.into_iter().rev());
    let share = forwards.get(&id()).unwrap();
    assert_eq!((share.state, share.version_number), (State::Retracted, 64));
    assert_eq!(backwards.get(&id()), Some(share));
}

#[test]
fn what_is_sealed_can_be_put_together_again() {
    let mut whole = version();
    whole.group = "steering".into();
    whole.amount = "5".into();
    let mut event = v1::InformationEvent {
        transition: Some(Transition::Published(whole.clone())),
        ..Default::default()
    };
    let content = split(&mut event);
    let Some(Transition::Published(record)) = &event.transition else { panic!("{event:?}") };
    assert_eq!(record.texts[0], v1::LocalText { language: "eng".into(), ..Default::default() });
    let open = format!("{event:?}");
    for word in ["certificate", "decree", "example.org", "steering"] {
        assert!(format!("{whole:?}").contains(word) && !open.contains(word), "{word}: {open}");
    }
    let mut joined = event.transition.unwrap();
    join(&mut joined, content.clone());
    assert_eq!(joined, Transition::Published(whole));
    for kind in Kind::ALL.iter().copied() {
        let told = says(kind, 5);
        let mut event =
            v1::InformationEvent { transition: Some(told.clone()), ..Default::default() };
        let content = split(&mut event);
        let mut joined = event.transition.unwrap();
        join(&mut joined, content);
        assert_eq!(joined, told);
        // A content that belongs to something else changes nothing and is no reason to fail.
        join(&mut joined, v1::content::Content::Referral(v1::ReferralContent::default()));
        assert_eq!(joined, told);
    }
}
