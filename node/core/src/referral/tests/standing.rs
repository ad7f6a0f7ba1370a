//! The person's word as it stands, and who has seen it.

use super::*;

const NOW_S: u64 = NOW_MS / 1000;

/// What it is, where it was said (society, index), and who has not seen it.
fn told(events: &[Event]) -> (Word, String, Option<String>) {
    let book = book(events.iter().cloned());
    let standing = book.get(&id()).unwrap().standing(NOW_S);
    let at = &standing.said_in.unwrap().at;
    let unseen_by = standing.unseen_by.map(|society| society.to_string());
    (standing.word, format!("{} {}", at.origin.society(), at.index), unseen_by)
}

/// Sent on the basis of consent, with that consent.
fn sent(consent: Option<v1::Consent>) -> Event {
    let mut event = event("sg", 0, Kind::Sent, None);
    let Some(Transition::Sent(sent)) = &mut event.body.transition else { panic!() };
    sent.consent = consent;
    event
}

fn with_status(status: v1::ConsentStatus) -> v1::Consent {
    v1::Consent { status: status as i32, ..consent() }
}

#[test]
fn what_the_person_said_last_is_told_and_when_it_has_ended() {
    let given = |consent| told(&[sent(consent)]);
    use v1::ConsentStatus as S;
    for (status, word) in [
        (S::Given, Word::Given),
        (S::Renewed, Word::Given),
        (S::Requested, Word::Requested),
        (S::Refused, Word::Refused),
        (S::Withdrawn, Word::Withdrawn),
        (S::Expired, Word::Ended),
    ] {
        assert_eq!(given(Some(with_status(status))), (word, "sg 0".into(), None));
    }
    assert_eq!(given(None).0, Word::None);
    // At the very second it has ended, as for whoever would disclose something then.
    let until = |expires_at| given(Some(v1::Consent { expires_at, ..consent() })).0;
    assert_eq!((until(NOW_S), until(NOW_S + 1), until(0)), (Word::Ended, Word::Given, Word::Given));
}

#[test]
fn a_renewal_on_one_sides_word_is_unseen_until_a_person_of_the_other_goes_on() {
    let begun = vec![
        sent(Some(consent())),
        event("ph", 0, Kind::Acknowledged, Some(0)),
        event("ph", 1, Kind::ConsentRenewed, Some(0)),
    ];
    let and = |more: Event| [begun.clone(), vec![more]].concat();
    assert_eq!(told(&begun), (Word::Renewed, "ph 1".into(), Some("sg".into())));
    // What sg writes without having seen it says nothing; nor does its node's own receipt.
    let unseen = and(event("sg", 1, Kind::Corrected, Some(0)));
    assert_eq!(told(&unseen).2, Some("sg".into()));
    let receipt = and(event("sg", 1, Kind::Erased, Some(1)));
    assert_eq!(told(&receipt).2, Some("sg".into()));
    let seen = and(event("sg", 1, Kind::Corrected, Some(1)));
    assert_eq!(told(&seen), (Word::Renewed, "ph 1".into(), None));
    // sg repeats it word for word: that confirms it, and is no renewal of sg's.
    let confirmed = and(event("sg", 1, Kind::ConsentRenewed, Some(1)));
    assert_eq!(told(&confirmed), (Word::Renewed, "ph 1".into(), None));
    // A stranger's word, sealed to both, is nobody's having seen.
    let mut stranger = event("qa", 0, Kind::Corrected, Some(1));
    stranger.body.seen = Some(EventRef { origin: origin("ph"), index: 1 }.to_seen());
    assert_eq!(told(&and(stranger)).2, Some("sg".into()));
}

#[test]
fn a_withdrawal_goes_before_what_was_given_and_fresh_consent_after_it() {
    let mut events = vec![
        sent(Some(consent())),
        event("ph", 0, Kind::Acknowledged, Some(0)),
        event("ph", 1, Kind::ConsentRenewed, Some(0)),
        event("sg", 1, Kind::ConsentWithdrawn, Some(1)),
    ];
    assert_eq!(told(&events), (Word::Withdrawn, "sg 1".into(), None));
    events.push(event("sg", 2, Kind::Reopened, Some(1)));
    assert_eq!(told(&events), (Word::GivenAnew, "sg 2".into(), Some("ph".into())));
    events.push(event("ph", 2, Kind::Accepted, Some(2)));
    assert_eq!(told(&events), (Word::GivenAnew, "sg 2".into(), None));
}

#[test]
fn what_a_node_carried_by_itself_is_nobodys_having_seen() {
    let mut carried = event("ph", 0, Kind::ConsentWithdrawn, Some(0));
    let by_a_person = [sent(Some(consent())), carried.clone()];
    let Some(Transition::ConsentWithdrawn(withdrawn)) = &mut carried.body.transition else {
        panic!()
    };
    withdrawn.carried = vec![9; 16];
    let by_its_node = [sent(Some(consent())), carried];
    for (events, seen) in [(by_a_person, true), (by_its_node, false)] {
        let book = book(events);
        let outcomes = &book.get(&id()).unwrap().outcomes;
        let at = |index| EventRef { origin: origin("sg"), index };
        assert_eq!(is_seen(outcomes, &at(0)), seen);
        assert!(!is_seen(outcomes, &at(1)), "it is not there yet");
    }
}

#[test]
fn every_word_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<&str> = Word::ALL.map(Word::name).into();
    assert_eq!(names.len(), Word::ALL.len());
}
