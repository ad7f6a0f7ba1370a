//! What stops a referral, what is erased for it, and who has confirmed.

use super::*;

fn at(code: &str, index: u64) -> EventRef {
    EventRef { origin: origin(code), index }
}

fn erased(by: &str, index: u64, seen: u64, entries: &[EventRef]) -> Event {
    let mut event = event(by, index, Kind::Erased, Some(seen));
    let entries = entries.iter().map(EventRef::to_seen).collect();
    event.body.transition =
        Some(Transition::Erased(v1::Erased { reason: 1, on: None, entries, ..Default::default() }));
    event.has_content = false;
    event
}

fn bare(by: &str, index: u64, kind: Kind, seen: Option<u64>) -> Event {
    Event { has_content: false, ..event(by, index, kind, seen) }
}

fn due(book: &Book) -> Erasure {
    book.get(&id()).unwrap().erasure(NOW_MS, &RULES).unwrap()
}

#[test]
fn a_withdrawal_of_consent_stops_both_sides_and_erases_all_until_both_have_confirmed() {
    let mut book = book([
        event("sg", 0, Kind::Sent, None),
        event("ph", 0, Kind::InformationRequested, Some(0)),
        bare("ph", 1, Kind::ConsentWithdrawn, Some(0)),
        // Written before the withdrawal was seen.
        event("sg", 1, Kind::InformationProvided, Some(0)),
    ]);
    assert_eq!(
        story(&book),
        "\
consent_withdrawn
sg 0 sent
ph 0 information_requested
sg 1 information_provided
ph 1 consent_withdrawn
"
    );
    let erasure = due(&book);
    assert_eq!(erasure.reason, v1::ErasureReason::ConsentWithdrawn);
    assert_eq!(erasure.on.as_ref().unwrap().at, at("ph", 1));
    assert_eq!(erasure.entries, [at("sg", 0), at("ph", 0), at("sg", 1)]);
    assert!(!erasure.is_confirmed());
    assert_eq!(book.get(&id()).unwrap().consent, None);
    // ph had erased what it knew of; then the late answer came.
    book.apply(erased("ph", 2, 0, &[at("sg", 0), at("ph", 0)]));
    book.apply(erased("sg", 2, 1, &erasure.entries));
    let erasure = due(&book);
    assert_eq!(erasure.open(society("ph")), [at("sg", 1)]);
    assert!(erasure.open(society("sg")).is_empty() && !erasure.is_confirmed());
    book.apply(erased("ph", 3, 2, &[at("sg", 1)]));
    assert!(due(&book).is_confirmed());
    // Nothing goes on but taking it up again with fresh consent.
    let referral = book.get(&id()).unwrap();
    for kind in Kind::ALL.iter().copied() {
        let goes_on = transition(Some(referral.state), kind).is_some();
        let may = kind.ends() || kind == Kind::Reopened;
        assert_eq!(goes_on, may, "{kind}");
    }
}

#[test]
fn a_receipt_for_what_has_not_come_confirms_nothing_yet() {
    // A note of ph's was written before the withdrawal was seen; its record has not come.
    let mut book = book([
        event("sg", 0, Kind::Sent, None),
        bare("sg", 1, Kind::ConsentWithdrawn, Some(0)),
        erased("sg", 2, 0, &[at("sg", 0)]),
        erased("ph", 2, 1, &[at("sg", 0), at("ph", 1)]),
    ]);
    assert_eq!(due(&book).entries, [at("sg", 0)]);
    assert_eq!(due(&book).open(society("ph")), [at("ph", 1)]);
    assert!(due(&book).open(society("sg")).is_empty() && !due(&book).is_confirmed());
    // Once it is here, it is for both to erase.
    book.apply(event("ph", 1, Kind::Declined, Some(0)));
    assert!(due(&book).open(society("ph")).is_empty());
    assert_eq!(due(&book).open(society("sg")), [at("ph", 1)]);
    book.apply(erased("sg", 3, 2, &[at("ph", 1)]));
    assert!(due(&book).is_confirmed());
    // Nobody else's word makes it open: what ph says of sg's entries is not for ph to answer for.
    book.apply(erased("ph", 3, 3, &[at("sg", 77)]));
    assert!(due(&book).is_confirmed());
}

#[test]
fn whatever_stops_wins_against_a_reopening_that_had_not_seen_it() {
    for (kind, end) in [
        (Kind::ConsentWithdrawn, State::ConsentWithdrawn),
        (Kind::ErasureRequested, State::ErasureRequested),
    ] {
        let mut book = book([
            event("sg", 0, Kind::Sent, None),
            event("ph", 0, Kind::Declined, Some(0)),
            event("sg", 1, Kind::Closed, Some(0)),
            event("sg", 2, Kind::Reopened, Some(0)),
            bare("ph", 1, kind, Some(1)),
        ]);
        assert_eq!(book.get(&id()).unwrap().state, end);
        let lost = book.outcomes(&id()).iter().find(|o| !o.effective).unwrap();
        assert_eq!(lost.event.kind(), Some(Kind::Reopened));
        assert_eq!(lost.why, Some(Why::Overtaken { by: at("ph", 1), kind }));
        assert_eq!(due(&book).entries.len(), 4, "also what the reopening brought");
        // With fresh consent, once it was seen, it goes on; what came before stays erased.
        book.apply(event("sg", 3, Kind::Reopened, Some(1)));
        book.apply(event("ph", 2, Kind::Accepted, Some(3)));
        let referral = book.get(&id()).unwrap();
        assert_eq!(referral.state, State::Accepted);
        assert!(referral.consent.is_some());
        let due = due(&book).entries;
        assert!(due.len() == 4 && !due.contains(&at("sg", 3)) && !due.contains(&at("ph", 2)));
    }
}

#[test]
fn a_reopening_without_consent_is_none() {
    let mut reopened = event("sg", 2, Kind::Reopened, Some(0));
    let refused = v1::Consent { status: v1::ConsentStatus::Refused as i32, ..consent() };
    for consent in [None, Some(refused)] {
        let body = v1::Reopened { code: 1, consent, information_disclosed: Vec::new() };
        reopened.body.transition = Some(Transition::Reopened(body));
        let book = book([
            event("sg", 0, Kind::Sent, None),
            bare("ph", 0, Kind::ConsentWithdrawn, Some(0)),
            reopened.clone(),
        ]);
        assert_eq!(book.get(&id()).unwrap().state, State::ConsentWithdrawn);
    }
}

#[test]
fn what_was_sent_in_error_is_erased_and_goes_before_everything() {
    let book = book([
        event("sg", 0, Kind::Sent, None),
        event("ph", 0, Kind::Accepted, Some(0)),
        bare("ph", 1, Kind::ConsentWithdrawn, Some(0)),
        bare("sg", 1, Kind::EnteredInError, None),
    ]);
    assert_eq!(
        story(&book),
        "\
entered_in_error
sg 0 sent
sg 1 entered_in_error
ph 0 accepted: overtaken by entered_in_error (sg entry 1), which its author had not seen
ph 1 consent_withdrawn: overtaken by entered_in_error (sg entry 1), which its author had not seen
"
    );
    assert_eq!(due(&book).reason, v1::ErasureReason::EnteredInError);
    assert_eq!(due(&book).entries, [at("sg", 0), at("ph", 0)]);
}

#[test]
fn a_step_that_was_taken_back_counts_as_if_it_had_not_been_written() {
    let mut book = book([
        event("sg", 0, Kind::Sent, None),
        event("ph", 0, Kind::Acknowledged, Some(0)),
        event("ph", 1, Kind::Declined, Some(0)),
        event("ph", 2, Kind::StepEnteredInError, Some(0)),
        event("ph", 3, Kind::Accepted, Some(0)),
        // sg had closed it on the decline.
        event("sg", 1, Kind::Closed, Some(1)),
    ]);
    assert_eq!(
        story(&book),
        "\
accepted
sg 0 sent
ph 0 acknowledged
ph 1 declined: entered in error, as its author says (ph entry 2)
ph 2 step_entered_in_error
ph 3 accepted
sg 1 closed: overtaken by accepted (ph entry 3), which its author had not seen
"
    );
    // What a person said of consent cannot be unsaid, nor the sending by itself.
    book.apply(bare("ph", 4, Kind::ConsentWithdrawn, Some(1)));
    book.apply(event("ph", 5, Kind::StepEnteredInError, Some(1)));
    assert_eq!(book.get(&id()).unwrap().state, State::ConsentWithdrawn);
    assert_eq!(book.outcomes(&id()).last().unwrap().why.as_ref().unwrap().code(), "malformed");
}

#[test]
fn contents_are_due_when_their_time_has_passed() {
    let day = 86_400_000;
    let sent = event("sg", 0, Kind::Sent, None);
    let mut book = book([sent.clone(), event("ph", 1, Kind::Declined, Some(0))]);
    let until = |book: &Book| book.get(&id()).unwrap().retained_until_ms(&RULES);
    assert_eq!(until(&book), NOW_MS + 1 + 365 * day);
    let referral = book.get(&id()).unwrap();
    assert_eq!(referral.erasure(until(&book) - 1, &RULES), None);
    let erasure = referral.erasure(until(&book), &RULES).unwrap();
    assert_eq!((erasure.reason, &erasure.on), (v1::ErasureReason::Retention, &None));
    assert_eq!(erasure.entries.len(), 2);
    // A receipt does not make it younger.
    let later = Event { recorded_at_ms: NOW_MS + 400 * day, ..erased("ph", 2, 0, &[at("sg", 0)]) };
    book.apply(later);
    assert_eq!(until(&book), NOW_MS + 1 + 365 * day);
    let mut dated = sent;
    let body = v1::Sent { retain_until: NOW_MS / 1000 + 5, ..sent_body() };
    dated.body.transition = Some(Transition::Sent(body));
    assert_eq!(until(&super::book([dated])), NOW_MS + 5_000);
}

#[test]
fn what_belongs_to_no_case_is_kept_for_a_time_that_nobody_can_draw_out() {
    let kept_ms = crate::limits::STRAY_CONTENT_DAYS * 86_400_000;
    let until =
        |recorded_at_ms, since_ms| stray_until_ms(recorded_at_ms, since_ms, NOW_MS) - kept_ms;
    assert_eq!(until(NOW_MS - 9, NOW_MS - 5), NOW_MS - 5, "it came later than it was written");
    assert_eq!(until(NOW_MS - 5, 1), NOW_MS - 5, "by a clock that was behind when it came");
    assert_eq!(until(u64::MAX, NOW_MS - 5), NOW_MS - 5, "a time far off");
    assert_eq!(stray_until_ms(u64::MAX, u64::MAX, u64::MAX), u64::MAX);
}

#[test]
fn there_is_always_room_to_withdraw_and_to_confirm() {
    let flood = (1..200).map(|n| event("ph", n, Kind::Acknowledged, Some(0)));
    let sent = [event("sg", 0, Kind::Sent, None)];
    let stop = [bare("ph", 200, Kind::ConsentWithdrawn, Some(0))];
    let book = book(flood.chain(stop).chain(sent));
    assert_eq!(book.get(&id()).unwrap().state, State::ConsentWithdrawn);
}

/// An author's word that a content is empty counts for nothing; of what ends a case none is kept at all.
#[test]
fn what_a_record_says_to_be_empty_is_due_like_all_else() {
    let quiet = |by, index, kind, seen| bare(by, index, kind, seen);
    let story = book([
        event("sg", 0, Kind::Sent, None),
        quiet("ph", 0, Kind::Acknowledged, Some(0)),
        quiet("ph", 1, Kind::StepEnteredInError, Some(0)),
        quiet("sg", 1, Kind::ConsentWithdrawn, Some(1)),
        erased("sg", 2, 1, &[at("sg", 0)]),
    ]);
    assert_eq!(due(&story).entries, [at("sg", 0), at("ph", 0), at("ph", 1)]);
    assert_eq!(due(&story).open(society("sg")), [at("ph", 0), at("ph", 1)]);
    // Where its author says that there is something, it is named.
    let loud = event("sg", 1, Kind::ConsentWithdrawn, Some(0));
    assert!(loud.holds_content() && !loud.is_silent());
    let told = book([event("sg", 0, Kind::Sent, None), loud]);
    assert_eq!(due(&told).entries, [at("sg", 0), at("sg", 1)]);
    // An entry that commits to no content has none.
    let none = Event { commits_content: false, ..quiet("ph", 0, Kind::Acknowledged, Some(0)) };
    assert!(!none.holds_content() && !none.is_silent());
}

#[test]
fn a_case_is_handed_over_when_both_say_so() {
    let sent = event("sg", 0, Kind::Sent, None);
    let accepted = event("ph", 0, Kind::Accepted, Some(0));
    let unasked = event("ph", 1, Kind::HandoverAccepted, Some(0));
    let mut book = book([sent, accepted, unasked]);
    let referral = book.get(&id()).unwrap();
    assert_eq!((referral.owner(), referral.case), (society("sg"), Case::Senders));
    assert!(!referral.outcomes.last().unwrap().effective);
    book.apply(event("sg", 1, Kind::HandoverProposed, Some(1)));
    assert_eq!(book.get(&id()).unwrap().case, Case::Proposed);
    book.apply(event("ph", 2, Kind::HandoverAccepted, Some(1)));
    let referral = book.get(&id()).unwrap();
    assert_eq!((referral.owner(), referral.state), (society("ph"), State::Accepted));
}
