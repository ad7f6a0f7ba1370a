use super::*;

fn sent() -> Event {
    event("sg", 0, Kind::Sent, None)
}

#[test]
fn withdrawn_goes_before_accepted() {
    let book = book([
        sent(),
        event("ph", 0, Kind::Acknowledged, Some(0)),
        event("ph", 1, Kind::Accepted, Some(0)),
        event("sg", 1, Kind::Withdrawn, Some(0)),
        event("ph", 2, Kind::ServiceDelivered, Some(0)),
    ]);
    assert_eq!(
        story(&book),
        "\
withdrawn
sg 0 sent
ph 0 acknowledged
sg 1 withdrawn
ph 1 accepted: overtaken by withdrawn (sg entry 1), which its author had not seen
ph 2 service_delivered: overtaken by withdrawn (sg entry 1), which its author had not seen
"
    );
}

#[test]
fn withdrawn_goes_before_declined() {
    let book = book([
        sent(),
        event("ph", 0, Kind::Declined, Some(0)),
        event("sg", 1, Kind::Withdrawn, None),
        event("sg", 2, Kind::Closed, None),
    ]);
    assert_eq!(
        story(&book),
        "\
closed
sg 0 sent
sg 1 withdrawn
ph 0 declined: overtaken by withdrawn (sg entry 1), which its author had not seen
sg 2 closed
"
    );
}

#[test]
fn an_acceptance_binds_only_if_it_had_seen_the_latest_of_the_sender() {
    let asked = event("ph", 0, Kind::InformationRequested, Some(0));
    let told = event("sg", 1, Kind::InformationProvided, Some(0));
    // A first answer was seen, the second, given on a second question, was not.
    let again = event("ph", 1, Kind::InformationRequested, Some(1));
    let told_again = event("sg", 2, Kind::InformationProvided, Some(1));
    let blind = event("ph", 2, Kind::Accepted, Some(1));
    let seeing = event("ph", 3, Kind::Accepted, Some(2));
    let mut book = book([sent(), asked, told, again, told_again, blind]);
    assert_eq!(
        story(&book),
        "\
acknowledged
sg 0 sent
ph 0 information_requested
sg 1 information_provided
ph 1 information_requested
sg 2 information_provided
ph 2 accepted: out of order: the referral was information_requested as its author saw it
"
    );
    book.apply(seeing);
    assert_eq!(book.get(&id()).unwrap().state, State::Accepted);
}

#[test]
fn once_bound_it_cannot_be_withdrawn() {
    let book = book([
        sent(),
        event("ph", 0, Kind::Accepted, Some(0)),
        event("sg", 1, Kind::Withdrawn, Some(0)),
    ]);
    assert_eq!(
        story(&book),
        "\
accepted
sg 0 sent
ph 0 accepted
sg 1 withdrawn: out of order: the referral was accepted as its author saw it
"
    );
}

#[test]
fn a_society_cannot_unsee() {
    // sg has answered ph's acceptance once; a later event that claims to have seen less has not.
    for less in [None, Some(0)] {
        let book = book([
            sent(),
            event("ph", 0, Kind::Acknowledged, Some(0)),
            event("ph", 1, Kind::Accepted, Some(0)),
            event("sg", 1, Kind::InformationProvided, Some(1)),
            event("sg", 2, Kind::Withdrawn, less),
        ]);
        assert_eq!(
            story(&book),
            "\
accepted
sg 0 sent
ph 0 acknowledged
ph 1 accepted
sg 1 information_provided: out of order: the referral was accepted as its author saw it
sg 2 withdrawn: out of order: the referral was accepted as its author saw it
"
        );
    }
}

#[test]
fn the_sent_may_come_last_or_never() {
    let answers =
        [event("ph", 0, Kind::Acknowledged, Some(0)), event("ph", 1, Kind::Declined, Some(0))];
    let mut late = book(answers.clone());
    assert!(late.get(&id()).is_none());
    assert!(late.strays().all(|outcome| outcome.why == Some(Why::NotSent)));
    assert_eq!(late.strays().count(), 2);
    late.apply(sent());
    let early = book([sent()].into_iter().chain(answers));
    assert_eq!(late.get(&id()), early.get(&id()));
    assert_eq!(late.strays().count(), 0);
}

#[test]
fn who_claims_to_have_seen_the_future_gains_nothing() {
    let mut liar = event("ph", 0, Kind::Accepted, Some(1_000_000));
    let book_of = |liar: &Event| {
        book([
            sent(),
            liar.clone(),
            event("sg", 1, Kind::Withdrawn, None),
            event("sg", 2, Kind::Closed, Some(0)),
        ])
    };
    // It says that it had seen everything: then it had seen the withdrawal.
    assert_eq!(
        story(&book_of(&liar)),
        "\
closed
sg 0 sent
sg 1 withdrawn
ph 0 accepted: out of order: the referral was withdrawn as its author saw it
sg 2 closed
"
    );
    // Another log than the sender's is no seeing at all.
    liar.body.seen = Some(EventRef { origin: origin("qa"), index: 0 }.to_seen());
    let why = book_of(&liar).outcomes(&id())[1].why.clone();
    assert_eq!(why.unwrap().code(), "malformed");
}

#[test]
fn claims_in_a_circle_end() {
    let forth = event("sg", 1, Kind::Withdrawn, Some(0));
    let back = event("ph", 0, Kind::Accepted, Some(1));
    let told = story(&book([sent(), forth.clone(), back.clone()]));
    assert_eq!(
        told,
        "\
withdrawn
sg 0 sent
sg 1 withdrawn
ph 0 accepted: out of order: the referral was withdrawn as its author saw it
"
    );
    assert_eq!(told, story(&book([back, forth, sent()])));
}

#[test]
fn strangers_copies_and_the_wrong_side_are_kept_and_do_not_count() {
    let mut stranger = event("sg", 3, Kind::Withdrawn, None);
    stranger.at.origin = origin("qa");
    stranger.society = society("qa");
    // ph copies the referral into its own log, addressed back.
    let mut copied = event("sg", 4, Kind::Sent, None);
    copied.at.origin = origin("ph");
    copied.society = society("ph");
    copied.addressees = vec![society("sg")];
    let wrong_side = event("ph", 5, Kind::Withdrawn, Some(0));
    let mut twice = event("ph", 7, Kind::Acknowledged, Some(0));
    twice.event_id = event("ph", 6, Kind::Acknowledged, Some(0)).event_id;
    let mut elsewhere = event("ph", 8, Kind::Declined, Some(0));
    elsewhere.addressees.push(society("qa"));
    let mut codeless = event("ph", 9, Kind::Declined, Some(0));
    codeless.body.transition = Some(Transition::Declined(v1::Declined { code: 0 }));
    let mut empty = event("ph", 10, Kind::Declined, Some(0));
    empty.body.transition = None;
    let book = book([
        stranger,
        copied,
        wrong_side,
        event("ph", 6, Kind::Acknowledged, Some(0)),
        twice,
        elsewhere,
        codeless,
        empty,
        sent(),
    ]);
    assert_eq!(
        story(&book),
        "\
acknowledged
sg 0 sent
ph 4 sent: malformed: the referral's id does not belong to this log and event
ph 5 withdrawn: it is for the other side to do
ph 6 acknowledged
ph 7 acknowledged: its author has written it before; it counts once
ph 8 declined: malformed: it is not addressed to the other side, and to it alone
ph 9 declined: malformed: it declines without a reason
ph 10 ?: malformed: it says nothing that can be read
qa 3 withdrawn: its author is neither sender nor receiver
"
    );
}

#[test]
fn records_of_any_shape_are_events() {
    let at = EventRef { origin: origin("ph"), index: 3 };
    let record = |event_id: Vec<u8>, addressees: &[&str], referral_id: Vec<u8>| v1::Record {
        origin: at.origin.to_string(),
        event_id,
        actor: String::new(),
        approver: String::new(),
        addressees: addressees.iter().map(ToString::to_string).collect(),
        has_content: false,
        event: Some(v1::record::Event::Referral(v1::ReferralEvent {
            referral_id,
            seen: None,
            transition: Some(body(Kind::Acknowledged, None)),
        })),
    };
    let id_bytes = id().as_bytes().to_vec();
    for odd in [
        record(vec![1; 15], &["sg"], id_bytes.clone()),
        record(Vec::new(), &["sg"], id_bytes.clone()),
        record(vec![1; 16], &["Singapore"], id_bytes.clone()),
    ] {
        let event = Event::from_record(at.clone(), 0, false, &odd).unwrap();
        assert_eq!(event.kind(), None);
        let book = book([sent(), event]);
        assert_eq!(book.outcomes(&id())[1].why.as_ref().unwrap().code(), "malformed");
    }
    let unfiled = record(vec![1; 16], &["sg"], vec![1; 17]);
    let event = Event::from_record(at.clone(), 0, false, &unfiled).unwrap();
    let mut book = Book::default();
    assert_eq!(book.apply(event), None);
    assert_eq!(book.strays().next().unwrap().why.unwrap().code(), "malformed");
    let none = v1::Record { event: None, ..unfiled };
    assert!(Event::from_record(at, 0, false, &none).is_none());
}

#[test]
fn a_flood_is_cut_alike_whatever_the_order() {
    let flood: Vec<Event> = (1..200).map(|n| event("ph", n, Kind::Acknowledged, Some(0))).collect();
    let forward = book(flood.iter().cloned().chain([sent()]));
    let backward = book([sent()].into_iter().chain(flood.into_iter().rev()));
    assert_eq!(forward.get(&id()), backward.get(&id()));
    let kept = forward.outcomes(&id()).len();
    assert_eq!(kept, crate::limits::REFERRAL_EVENTS_MAX + 1);
}

/// Whatever bytes decode as a record become events, and events get an outcome.
mod any_record {
    use super::*;
    use proptest::prelude::*;
    use prost::Message as _;

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), flips in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..6)) {
            let record = v1::Record {
                origin: origin("ph").to_string(),
                event_id: vec![3; 16],
                actor: String::new(),
        approver: String::new(),
                addressees: vec!["sg".into()],
                has_content: true,
                event: Some(v1::record::Event::Referral(event("ph", 1, Kind::Declined, Some(0)).body)),
            };
            let mut near = record.encode_to_vec();
            for (at, to) in flips {
                let at = usize::from(at) % near.len();
                near[at] = to;
            }
            for candidate in [&bytes, &near] {
                let Ok(record) = v1::Record::decode(candidate.as_slice()) else { continue };
                let at = EventRef { origin: origin("ph"), index: 1 };
                if let Some(event) = Event::from_record(at.clone(), 0, false, &record) {
                    let book = book([sent(), event]);
                    prop_assert_eq!(book.get(&id()).map(|r| r.sender), Some(society("sg")));
                }
                crate::information::Event::from_record(at, 0, crate::entry::Visibility::Public, false, &record)
                    .map(|event| crate::information::Book::default().apply(event));
            }
        }
    }
}
