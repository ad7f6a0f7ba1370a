#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tutti_proto::v1::{self, information_event::Transition};

use super::{
    form::{InformationForm, template},
    *,
};
use crate::{entry::Visibility, referral::EventRef, society::Origin};

fn origin(code: &str) -> Origin {
    format!("m.example.org/{code}/1").parse().unwrap()
}

fn version() -> v1::InformationVersion {
    toml::from_str::<InformationForm>(template()).unwrap().to_messages().unwrap().1
}

fn id() -> InformationId {
    InformationId::of(&origin("qa"), &[7; 16])
}

fn event(by: &str, index: u64, kind: Kind) -> Event {
    let mut event_id = [0; 16];
    event_id[8..].copy_from_slice(&index.to_be_bytes());
    let title = |title: String| {
        let texts = vec![v1::LocalText { title, ..Default::default() }];
        v1::InformationVersion { texts, ..Default::default() }
    };
    let transition = match kind {
        Kind::Published => {
            event_id = [7; 16];
            Transition::Published(title("first".into()))
        }
        Kind::Revised => Transition::Revised(title(format!("of {index}"))),
        Kind::Retracted => Transition::Retracted(v1::Retracted { reason: "wrong".into() }),
    };
    Event {
        at: EventRef { origin: origin(by), index },
        society: by.parse().unwrap(),
        recorded_at_ms: 1_000 + index,
        event_id,
        visibility: Visibility::Public,
        body: v1::InformationEvent {
            information_id: id().as_bytes().to_vec(),
            transition: Some(transition),
        },
    }
}

fn book(events: impl IntoIterator<Item = Event>) -> Book {
    let mut book = Book::default();
    for event in events {
        book.apply(event);
    }
    book
}

fn context(origin: &Origin) -> Context<'_> {
    Context { origin, event_id: [7; 16] }
}

fn wrong(refusal: Result<v1::InformationEvent, Refusal>) -> Vec<String> {
    match refusal {
        Err(Refusal::Fields(fields)) => fields.into_iter().map(|field| field.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_table_is_frozen() {
    let states = [None, Some(State::Published), Some(State::Revised), Some(State::Retracted)];
    let mut table = String::new();
    for state in states {
        for kind in [Kind::Published, Kind::Revised, Kind::Retracted] {
            if let Some(to) = transition(state, kind) {
                let from = state.map_or("nothing", State::name);
                table += &format!("{from} + {} = {}\n", kind.name(), to.name());
            }
        }
    }
    assert_eq!(
        table,
        "\
nothing + published = published
published + revised = revised
published + retracted = retracted
revised + revised = revised
revised + retracted = retracted
"
    );
}

#[test]
fn only_the_author_changes_a_share() {
    let book = book([
        event("qa", 0, Kind::Published),
        event("ph", 0, Kind::Retracted),
        event("ph", 1, Kind::Published),
        event("qa", 4, Kind::Revised),
        event("qa", 5, Kind::Retracted),
        event("qa", 6, Kind::Revised),
    ]);
    let share = book.get(&id()).unwrap();
    assert_eq!((share.state, share.version_number), (State::Retracted, 2));
    assert_eq!(share.version.texts[0].title, "of 4");
    assert_eq!((share.published_at_ms, share.changed_at_ms), (1_000, 1_005));
    assert_eq!(share.retraction_reason, "wrong");
    let codes: Vec<&str> =
        share.outcomes.iter().map(|o| o.why.as_ref().map_or("", Why::code)).collect();
    assert_eq!(codes, ["", "", "", "out_of_order", "not_the_author", "not_the_author"]);
    let (qa, ph) = (origin("qa"), origin("ph"));
    let revise = || Command::Revise(version());
    assert_eq!(decide(Some(share), revise(), &context(&qa)), Err(Refusal::Retracted));
    let not_ours = Err(Refusal::NotTheAuthor("qa".parse().unwrap()));
    assert_eq!(decide(Some(share), revise(), &context(&ph)), not_ours);
    assert_eq!(decide(None, revise(), &context(&qa)), Err(Refusal::NotFound));
}

#[test]
fn what_cannot_be_read_gets_an_outcome() {
    let mut addressed = event("qa", 1, Kind::Revised);
    addressed.visibility = Visibility::Addressed;
    let mut textless = event("qa", 2, Kind::Revised);
    textless.body.transition = Some(Transition::Revised(v1::InformationVersion::default()));
    let mut empty = event("qa", 3, Kind::Revised);
    empty.body.transition = None;
    let book = book([event("qa", 0, Kind::Published), addressed, textless, empty]);
    let share = book.get(&id()).unwrap();
    assert_eq!(share.version_number, 1);
    assert!(share.outcomes[1..].iter().all(|o| matches!(o.why, Some(Why::Malformed(_)))));
    let unfiled = v1::Record {
        event_id: vec![1; 3],
        event: Some(v1::record::Event::Information(v1::InformationEvent {
            information_id: vec![1; 20],
            transition: None,
        })),
        ..Default::default()
    };
    let at = EventRef { origin: origin("qa"), index: 9 };
    let event = Event::from_record(at, 0, Visibility::Public, &unfiled).unwrap();
    assert_eq!(Book::default().apply(event), None);
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let publish = |visibility, version| {
        decide(None, Command::Publish { visibility, version }, &context(&origin("qa")))
    };
    assert!(publish(Visibility::Public, version()).is_ok());
    assert_eq!(
        wrong(publish(Visibility::Addressed, v1::InformationVersion::default())),
        ["visibility", "kind", "texts", "audience", "verification"]
    );
    let text = |language: &str, title: &str| v1::LocalText {
        language: language.into(),
        title: title.into(),
        ..Default::default()
    };
    let odd = v1::InformationVersion {
        texts: vec![text("en", ""), text("en", "two\nlines")],
        countries: vec!["QA".into()],
        effective_on: "2026-02-30".into(),
        expires_on: "tomorrow".into(),
        source_url: "javascript:alert(1)".into(),
        ..version()
    };
    assert_eq!(
        wrong(publish(Visibility::Public, odd)),
        [
            "texts",
            "texts.1.language",
            "texts.1.title",
            "texts.1.text",
            "texts.2.language",
            "texts.2.title",
            "texts.2.text",
            "countries",
            "effective_on",
            "expires_on",
            "source_url",
        ]
    );
    let backwards = v1::InformationVersion { expires_on: "2025-01-01".into(), ..version() };
    assert_eq!(wrong(publish(Visibility::Public, backwards)), ["expires_on"]);
    for bad in
        ["http://", "https:///x", "ftp://a.org", "https://a b.org", "https://a.org/\"x", "//a"]
    {
        let version = v1::InformationVersion { source_url: bad.into(), ..version() };
        assert_eq!(wrong(publish(Visibility::Public, version)), ["source_url"], "{bad}");
    }
    let share = book([event("qa", 0, Kind::Published)]);
    let reasonless = Command::Retract(v1::Retracted { reason: " ".into() });
    let from = origin("qa");
    assert_eq!(wrong(decide(share.get(&id()), reasonless, &context(&from))), ["reason"]);
}

#[test]
fn the_template_can_be_published_and_survives() {
    let form: InformationForm = toml::from_str(template()).unwrap();
    let (visibility, version) = form.to_messages().unwrap();
    assert_eq!(visibility, Visibility::Federation);
    let command = Command::Publish { visibility, version: version.clone() };
    decide(None, command, &context(&origin("qa"))).unwrap();
    assert_eq!(InformationForm::from_messages(v1::Visibility::Federation, &version), form);
    let source_url = "javascript:0".into();
    let misspelt =
        InformationForm { kind: "rumour".into(), visibility: "all".into(), source_url, ..form };
    let wrong = misspelt.to_messages().unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(names, ["visibility", "kind", "source_url"]);
}

proptest! {
    /// Whatever the order of arrival, the same set gives the same shares and explanations.
    #[test]
    fn any_order_is_told_alike(seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut below = |end: u64| rng.next_u64() % end;
        let mut events = vec![event("qa", 3, Kind::Published)];
        for index in 0..below(12) {
            let by = ["qa", "qa", "qa", "ph"][below(4) as usize];
            let kind = [Kind::Published, Kind::Revised, Kind::Revised, Kind::Retracted];
            let mut event = event(by, if index < 3 { index } else { index + 1 }, kind[below(4) as usize]);
            match below(8) {
                0 => event.event_id = [7; 16],
                1 => event.visibility = Visibility::Addressed,
                2 => event.body.transition = None,
                _ => {}
            }
            events.push(event);
        }
        let first = book(events.iter().cloned());
        for _ in 0..4 {
            for end in (1..events.len()).rev() {
                events.swap(end, below(end as u64 + 1) as usize);
            }
            let again = book(events.iter().chain(events.iter().step_by(2)).cloned());
            prop_assert_eq!(again.get(&id()), first.get(&id()));
            prop_assert_eq!(again.outcomes(&id()), first.outcomes(&id()));
        }
        let count = first.outcomes(&id()).len();
        prop_assert_eq!(count, events.len());
    }
}
