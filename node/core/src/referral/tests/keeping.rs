//! When the time to keep a case is over, and what may be written then.

use std::collections::BTreeSet;

use super::*;

const DAY: u64 = 86_400_000;

/// The same event, recorded so many days after the beginning by its author's clock.
fn on_day(event: Event, day: u64) -> Event {
    Event { recorded_at_ms: NOW_MS + day * DAY, ..event }
}

fn at(by: &str, index: u64) -> EventRef {
    EventRef { origin: origin(by), index }
}

/// A receipt of ph's that says that the time is over.
fn over(index: u64, seen: u64, day: u64) -> Event {
    let mut event = event("ph", index, Kind::Erased, Some(seen));
    event.body.transition = Some(Transition::Erased(v1::Erased {
        reason: v1::ErasureReason::Retention as i32,
        entries: vec![at("sg", 0).to_seen(), at("ph", 0).to_seen()],
        ..Default::default()
    }));
    on_day(event, day)
}

fn until(events: &[Event], rules: &DataProtection) -> u64 {
    let days = |book: Book| {
        let end_ms = book.get(&id()).unwrap().retained_until_ms(rules) - NOW_MS;
        assert_eq!(end_ms % DAY, 0);
        end_ms / DAY
    };
    let mut turned: Vec<Event> = events.to_vec();
    let told = days(book(turned.clone()));
    for _ in 0..events.len() {
        turned.rotate_left(1);
        assert_eq!(days(book(turned.clone())), told, "whatever the order of arrival");
        let back = turned.iter().rev().cloned();
        assert_eq!(days(book(back)), told, "whatever the order of arrival");
    }
    told
}

/// Sent, accepted a hundred days later; kept for 365 days after the last step.
fn accepted() -> Vec<Event> {
    vec![
        on_day(event("sg", 0, Kind::Sent, None), 0),
        on_day(event("ph", 0, Kind::Accepted, Some(0)), 100),
    ]
}

#[test]
fn a_step_moves_the_end_only_while_the_time_lasts() {
    let mut events = accepted();
    assert_eq!(until(&events, &RULES), 465);
    // At the end it is over: a step at that moment comes too late, one day earlier it does not.
    let late = |day| on_day(event("sg", 1, Kind::Corrected, Some(0)), day);
    for (day, end) in [(465, 465), (900, 465), (464, 829), (100, 465)] {
        let with = [events.clone(), vec![late(day)]].concat();
        assert_eq!(until(&with, &RULES), end, "{day}");
    }
    // What a clock far ahead wrote draws nothing out; nor does what is written later all the same.
    events.push(late(4_000));
    events.push(on_day(event("ph", 1, Kind::FollowUp, Some(1)), 4_100));
    assert_eq!(until(&events, &RULES), 465);
    // One that had not come yet, from within the time.
    events.push(on_day(event("ph", 2, Kind::FollowUp, Some(0)), 200));
    assert_eq!(until(&events, &RULES), 565);
    // The roster's time decides which pause is long enough.
    assert_eq!(until(&events, &DataProtection { retention_days: 99, ..RULES }), 99);
    assert_eq!(until(&events, &DataProtection { retention_days: 3_801, ..RULES }), 7_901);
}

/// ph has erased and says so; sg, which had not seen it, by a clock that is behind, wrote on.
#[test]
fn once_a_side_has_signed_that_the_time_is_over_nothing_brings_the_case_back() {
    let mut events = accepted();
    events.push(over(1, 0, 466));
    assert_eq!(until(&events, &RULES), 465);
    let unseen = on_day(event("sg", 1, Kind::FollowUp, Some(0)), 464);
    let seen = on_day(event("sg", 1, Kind::Corrected, Some(1)), 464);
    let own = on_day(event("ph", 2, Kind::FollowUp, Some(0)), 464);
    for more in [vec![unseen.clone()], vec![seen], vec![own], vec![unseen.clone(), over(2, 1, 500)]]
    {
        let with = [events.clone(), more].concat();
        assert_eq!(until(&with, &RULES), 465);
        let told = book(with);
        let referral = told.get(&id()).unwrap();
        // What sg has not confirmed stays in view.
        let erasure = referral.erasure(NOW_MS + 466 * DAY, &RULES).unwrap();
        assert_eq!(erasure.reason, v1::ErasureReason::Retention);
        assert!(erasure.open(society("sg")).contains(&at("sg", 0)), "{erasure:?}");
        assert!(erasure.entries.contains(&referral.outcomes.last().unwrap().event.at));
    }
    // A roster that keeps cases longer brings none back that was over.
    let longer = DataProtection { retention_days: 3_650, ..RULES };
    assert_eq!(until(&events, &longer), 466);
    // Whoever's clock is far ahead signs too early: the other erases by its own, when it was to.
    let early = [accepted(), vec![over(1, 0, 4_000)]].concat();
    assert_eq!(until(&early, &RULES), 465);
    let told = book(early);
    assert_eq!(told.get(&id()).unwrap().erasure(NOW_MS + 464 * DAY, &RULES), None);
    // One that counts for nothing fixes nothing.
    let mut stranger = over(1, 0, 466);
    stranger.addressees = vec![society("qa")];
    let with = [accepted(), vec![stranger, unseen]].concat();
    assert_eq!(until(&with, &RULES), 829);
}

#[test]
fn a_day_that_was_named_stays_whatever_is_written() {
    let mut events = accepted();
    let body = v1::Sent { retain_until: NOW_MS / 1000 + 150 * DAY / 1000, ..sent_body() };
    events[0].body.transition = Some(Transition::Sent(body));
    assert_eq!(until(&events, &RULES), 150);
    events.push(on_day(event("sg", 1, Kind::FollowUp, Some(0)), 149));
    events.push(over(1, 0, 149));
    assert_eq!(until(&events, &RULES), 150);
}

/// A list that is kept in few bytes tells the same.
#[test]
fn a_register_knows_the_same_end() {
    let mut events = accepted();
    events.push(on_day(event("sg", 1, Kind::FollowUp, Some(0)), 700));
    for more in [None, Some(over(1, 0, 466))] {
        events.extend(more);
        let told = tell(id(), events.clone());
        let referral = told.referral.unwrap();
        let brief = Brief::of(&referral, society("sg"));
        for day in [464, 465, 466, 700, 1_065] {
            for retention_days in [1, 365, 599, 600, 2_000] {
                let rules = DataProtection { retention_days, ..RULES };
                let now_ms = NOW_MS + day * DAY;
                let due = referral.erasure(now_ms, &rules).is_some();
                assert_eq!(brief.erasure(now_ms, &rules).is_some(), due, "{day} {retention_days}");
            }
        }
    }
}

/// Decides as `by` so many days after the beginning.
fn decide_on(
    events: &[Event],
    by: &str,
    day: u64,
    command: Command,
    note: &str,
) -> Result<v1::ReferralEvent, Refusal> {
    let told = book(events.to_vec());
    let from = origin(by);
    let context = Context {
        origin: &from,
        event_id: [8; 16],
        now_ms: NOW_MS + day * DAY,
        note,
        duplicate: None,
        onward_of: None,
        rules: &RULES,
    };
    decide(told.get(&id()), command, &context)
}

/// Every step, in every state that there is a way to: nothing goes on, what ends is still written.
#[test]
fn when_the_time_is_over_only_what_ends_is_written_and_no_word_beside_it() {
    let way = |kinds: &[(&str, Kind)]| {
        let mut sent = event("sg", 0, Kind::Sent, None);
        if let Some(Transition::Sent(body)) = &mut sent.body.transition {
            // Also to a third society, and as long as the case is kept.
            let recipients = vec!["ph".into(), "qa".into()];
            body.consent = Some(v1::Consent { expires_at: 0, recipients, ..consent() });
        }
        let mut events = vec![sent];
        for (by, kind) in kinds {
            let index = events.len() as u64;
            let other = events.iter().rev().find(|event| event.society != society(by));
            events.push(event(by, index, *kind, other.map(|event| event.at.index)));
        }
        events
    };
    use Kind as K;
    let stories: &[&[(&str, K)]] = &[
        &[],
        &[("ph", K::Acknowledged)],
        &[("ph", K::InformationRequested)],
        &[("ph", K::Accepted)],
        &[("ph", K::Accepted), ("ph", K::ServiceStarted)],
        &[("ph", K::Accepted), ("ph", K::ServiceStarted), ("ph", K::Paused)],
        &[("ph", K::Accepted), ("ph", K::ServiceDelivered)],
        &[("ph", K::Declined)],
        &[("sg", K::Withdrawn)],
        &[("sg", K::Withdrawn), ("sg", K::Closed)],
        &[("ph", K::ConsentWithdrawn)],
    ];
    let (mut written, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for story in stories {
        let events = way(story);
        for by in ["sg", "ph"] {
            let own = events.iter().rev().find(|event| event.society == society(by));
            let about = own.map(|event| event.at.clone());
            for kind in Kind::ALL.iter().copied().filter(|kind| *kind != K::Sent) {
                let before = decide_on(
                    &events,
                    by,
                    300,
                    any_order::command(kind, about.as_ref()),
                    note_for(kind),
                );
                let command = any_order::command(kind, about.as_ref());
                let after = decide_on(&events, by, 400, command.clone(), note_for(kind));
                let bare = decide_on(&events, by, 400, command, "");
                if before.is_err() {
                    assert!(after.is_err() && bare.is_err(), "{kind} by {by} after {story:?}");
                    continue;
                }
                if bare.is_ok() {
                    written.insert(kind);
                    assert_eq!(after.is_ok(), note_for(kind).is_empty(), "{kind}");
                } else {
                    refused.insert(kind);
                    let over = matches!(bare, Err(Refusal::TimeIsOver { with_note: false, .. }));
                    assert!(over, "{kind} by {by} after {story:?}: {bare:?}");
                }
            }
        }
    }
    let ends = BTreeSet::from([
        K::ConsentWithdrawn,
        K::ErasureRequested,
        K::EnteredInError,
        K::StepEnteredInError,
        K::Erased,
        K::Declined,
        K::Expired,
        K::Withdrawn,
        K::ServiceDelivered,
        K::Cancelled,
        K::Closed,
    ]);
    assert_eq!(written, ends);
    for kind in [K::Acknowledged, K::Accepted, K::InformationProvided, K::Corrected, K::Onward] {
        assert!(refused.contains(&kind), "{kind} was not tried: {refused:?}");
    }
    assert!(refused.len() >= 14, "{refused:?}");
}

/// A note where one may stand.
fn note_for(kind: Kind) -> &'static str {
    if kind.ends() || kind == Kind::Attached { "" } else { "a note" }
}

#[test]
fn whoever_is_too_late_is_told_what_is_still_possible() {
    let events = accepted();
    let accept = |events: &[Event], day, note: &str| {
        let follow_up = Command::FollowUp(v1::FollowUp { result: 1 });
        decide_on(events, "ph", day, follow_up, note)
    };
    assert!(accept(&events, 464, "she is well").is_ok());
    let refusal = accept(&events, 465, "she is well").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the time to keep this case is over and what it holds is erased, so follow-up is not \
         possible; nothing was written. Where the person still needs help, send a new referral, with \
         their consent. What you can do now: deliver, cancel, withdraw-consent, entered-in-error, \
         request-erasure"
    );
    let delivered = || Command::Deliver(v1::ServiceDelivered { result: 3, ..Default::default() });
    let refusal = decide_on(&events, "ph", 465, delivered(), "she went home").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the time to keep this case is over, so no note can go with deliver: it would be erased at \
         once, unread; nothing was written. Try again without one, and with a code that needs none"
    );
    assert!(decide_on(&events, "ph", 465, delivered(), " ").is_ok());
    // What stops is for the person to say at any time, and says so where a note goes with it.
    let withdrawn = v1::ConsentWithdrawn { by: 1, ..Default::default() };
    let noted = decide_on(&events, "sg", 465, Command::WithdrawConsent(withdrawn.clone()), "why");
    assert!(matches!(noted, Err(Refusal::Fields(_))), "{noted:?}");
    assert!(decide_on(&events, "sg", 465, Command::WithdrawConsent(withdrawn), "").is_ok());
    // The other side has erased and says so: by an own clock that is behind it is over all the same.
    let signed = [events, vec![over(1, 0, 466)]].concat();
    for by in ["sg", "ph"] {
        let follow_up = Command::FollowUp(v1::FollowUp { result: 1 });
        let refusal = decide_on(&signed, by, 200, follow_up, "").unwrap_err();
        assert!(matches!(refusal, Refusal::TimeIsOver { with_note: false, .. }), "{refusal:?}");
        assert!(
            decide_on(&signed, by, 200, Command::Cancel(v1::Cancelled { code: 1 }), "").is_ok()
        );
    }
    // Taking up again what is over would be a new case: it is sent as one.
    let closed = [
        signed,
        vec![
            on_day(event("ph", 2, Kind::ServiceDelivered, Some(0)), 200),
            on_day(event("sg", 1, Kind::Closed, Some(2)), 201),
        ],
    ]
    .concat();
    let command = any_order::command(Kind::Reopened, None);
    let refusal = decide_on(&closed, "sg", 202, command, "").unwrap_err();
    assert!(refusal.to_string().contains("send a new referral"), "{refusal}");
}

#[test]
fn what_is_over_is_passed_on_no_more_nor_is_a_file_of_it() {
    let first = book(accepted());
    let first = first.get(&id()).unwrap();
    let ph = origin("ph");
    let onward_of = id().as_bytes().to_vec();
    let sent = v1::Sent { receiver: "qa".into(), onward_of, ..sent_body() };
    for (day, over) in [(464, false), (465, true)] {
        let now_ms = NOW_MS + day * DAY;
        let context = Context {
            origin: &ph,
            event_id: [8; 16],
            now_ms,
            note: "",
            duplicate: None,
            onward_of: Some(first),
            rules: &RULES,
        };
        let command = Command::Send { sent: Box::new(sent.clone()), content: Box::default() };
        let decided = decide(None, command, &context);
        let is_over = matches!(decided, Err(Refusal::TimeIsOver { kind: Kind::Onward, .. }));
        assert_eq!(is_over, over, "{decided:?}");
        let mut there = first.clone();
        there.sent = sent.clone();
        there.sender = society("ph");
        let copy = v1::Attached {
            source: Some(v1::FileSource { society: "sg".into(), attachment_id: vec![3; 16] }),
            ..Default::default()
        };
        let decided = attachment::passes_on(Some(first), &there, &copy, (now_ms, &RULES));
        let is_over = matches!(decided, Err(Refusal::TimeIsOver { .. }));
        assert_eq!(is_over, over, "{decided:?}");
    }
}
