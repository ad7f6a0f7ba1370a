//! Files that go with a case: what their parts may and may not do to it.

use super::*;
use crate::limits::{REFERRAL_EVENTS_MAX, REFERRAL_PARTS_MAX};

fn attached(file: u8, part: u32, parts: u32) -> v1::Attached {
    let kind = v1::AttachmentKind::MedicalLetter as i32;
    v1::Attached { attachment_id: vec![file; 16], part, parts, kind, source: None }
}

fn part(by: &str, index: u64, seen: Option<u64>, attached: v1::Attached) -> Event {
    let mut event = event(by, index, Kind::Attached, seen);
    event.body.transition = Some(Transition::Attached(attached));
    event
}

fn context(origin: &Origin, now_ms: u64) -> Context<'_> {
    Context {
        origin,
        event_id: [9; 16],
        now_ms,
        note: "",
        duplicate: None,
        onward_of: None,
        rules: &RULES,
    }
}

fn attach(book: &Book, by: &str, attached: v1::Attached) -> Result<v1::ReferralEvent, Refusal> {
    decide(book.get(&id()), Command::Attach(attached), &context(&origin(by), NOW_MS))
}

fn with_file_at(index: u64) -> EventRef {
    EventRef { origin: origin("sg"), index }
}

/// The letter may take minutes to come; whoever answers meanwhile has answered.
#[test]
fn a_file_under_way_overtakes_no_acceptance_and_puts_off_no_answer() {
    let sent = event("sg", 0, Kind::Sent, None);
    let before = book([sent.clone()]).get(&id()).unwrap().due_at_ms(&RULES);
    let parts = (1..=3).map(|n| part("sg", u64::from(n), None, attached(1, n, 3)));
    let with_file = book([sent].into_iter().chain(parts.clone()));
    assert_eq!(with_file.get(&id()).unwrap().due_at_ms(&RULES), before);
    // Nor is anybody given more time because a wrong file was taken back, and its parts erased.
    let back = [taken_back("sg", 5, 1), receipt("sg", 6, &[with_file_at(1)])];
    let without = book(with_file.outcomes(&id()).iter().map(|o| o.event.clone()).chain(back));
    assert!(without.outcomes(&id()).iter().all(|outcome| outcome.effective));
    assert_eq!(without.get(&id()).unwrap().due_at_ms(&RULES), before);

    let accepted = event("ph", 0, Kind::Accepted, Some(0));
    let withdrawn = event("sg", 9, Kind::Withdrawn, Some(0));
    let mut book = with_file;
    book.apply(accepted);
    assert_eq!(book.get(&id()).unwrap().state, State::Accepted);
    assert!(book.outcomes(&id()).iter().all(|outcome| outcome.effective));
    // What decides still does, and is named as what did.
    book.apply(event_about("sg", 8, Kind::Withdrawn, None, &withdrawn.at));
    let overtaken = book.outcomes(&id()).iter().find_map(|outcome| outcome.why.clone());
    assert!(matches!(overtaken, Some(Why::Overtaken { kind: Kind::Withdrawn, .. })));
}

/// What was written by somebody who knew better counts for nothing; what crossed the withdrawal on its
/// way counts, and is erased with all the rest.
#[test]
fn nothing_is_attached_to_what_was_stopped() {
    let stopped = |seen| {
        book([
            event("sg", 0, Kind::Sent, None),
            part("sg", 1, None, attached(1, 1, 2)),
            Event { has_content: false, ..event("ph", 0, Kind::ConsentWithdrawn, Some(0)) },
            part("sg", 2, seen, attached(1, 2, 2)),
        ])
    };
    for seen in [None, Some(0)] {
        let book = stopped(seen);
        let referral = book.get(&id()).unwrap();
        assert_eq!(referral.state, State::ConsentWithdrawn);
        let last = book.outcomes(&id()).last().unwrap();
        assert_eq!(last.event.at.index == 2, seen.is_some());
        assert_eq!(referral.attachments()[0].known.len(), if seen.is_some() { 1 } else { 2 });
        // Due are all, whatever became of them.
        assert_eq!(referral.erasure(NOW_MS, &RULES).unwrap().entries.len(), 3);
        let refused = attach(&book, "sg", attached(2, 1, 1));
        assert!(matches!(refused, Err(Refusal::State { .. })), "{refused:?}");
    }
    for kind in [Kind::Declined, Kind::Withdrawn, Kind::Expired] {
        let by = if kind == Kind::Declined { "ph" } else { "sg" };
        let ended = book([event("sg", 0, Kind::Sent, None), event(by, 1, kind, Some(0))]);
        let refused = attach(&ended, "sg", attached(2, 1, 1));
        assert!(matches!(refused, Err(Refusal::State { .. })), "{kind}: {refused:?}");
    }
}

#[test]
fn a_part_has_a_number_a_kind_and_bytes() {
    for (broken, of) in [
        (v1::Attached { attachment_id: vec![1; 15], ..attached(1, 1, 1) }, "no part"),
        (attached(1, 0, 1), "no part"),
        (attached(1, 2, 1), "no part"),
        (attached(1, 1, 0), "no part"),
        (attached(1, 1, crate::limits::ATTACHMENT_PARTS_MAX + 1), "no part"),
        (v1::Attached { kind: 0, ..attached(1, 1, 1) }, "what the file is"),
        (v1::Attached { kind: 99, ..attached(1, 1, 1) }, "what the file is"),
    ] {
        let book = book([event("sg", 0, Kind::Sent, None), part("sg", 1, None, broken.clone())]);
        let why = book.outcomes(&id())[1].why.clone();
        assert!(matches!(&why, Some(Why::Malformed(what)) if what.contains(of)), "{why:?}");
        assert!(book.get(&id()).unwrap().attachments().is_empty());
        assert!(matches!(attach(&book, "sg", broken), Err(Refusal::Fields(_))));
    }
    let bare = Event { has_content: false, ..part("sg", 1, None, attached(1, 1, 1)) };
    let book = book([event("sg", 0, Kind::Sent, None), bare]);
    assert!(matches!(book.outcomes(&id())[1].why, Some(Why::Malformed(_))));
}

/// Each society's files are its own, whatever numbers the other gives to its.
#[test]
fn nobody_adds_to_anothers_file() {
    let other_kind = v1::Attached { kind: 4, ..attached(1, 2, 2) };
    let mut events = vec![
        event("sg", 0, Kind::Sent, None),
        part("sg", 1, None, attached(1, 1, 2)),
        part("ph", 0, Some(0), attached(1, 2, 2)),
        part("sg", 2, None, other_kind),
        part("sg", 3, None, attached(1, 2, 3)),
        part("sg", 4, None, attached(1, 1, 2)),
    ];
    let files = book(events.clone()).get(&id()).unwrap().attachments();
    assert_eq!(files.len(), 2);
    assert_eq!((files[0].by, files[0].known.len()), (society("sg"), 1));
    assert_eq!(files[0].known[&1].0.index, 1, "the first of one number counts");
    assert_eq!((files[1].by, files[1].known.len()), (society("ph"), 1));
    events.reverse();
    let book = book(events);
    assert_eq!(book.get(&id()).unwrap().attachments(), files);
    for (again, field) in [
        (attached(1, 1, 2), "part"),
        (attached(1, 2, 3), "attachment"),
        (v1::Attached { kind: 4, ..attached(1, 2, 2) }, "attachment"),
    ] {
        let Err(Refusal::Fields(wrong)) = attach(&book, "sg", again) else { panic!() };
        assert!(wrong.iter().any(|wrong| wrong.field == field), "{wrong:?}");
    }
    let event = attach(&book, "sg", attached(1, 2, 2)).unwrap();
    assert_eq!(event.transition, Some(Transition::Attached(attached(1, 2, 2))));
}

#[test]
fn a_consent_covers_each_kind_of_file_by_its_name() {
    let with = |fields: &[&str], expires_at| {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        let consent = v1::Consent { fields, expires_at, ..consent() };
        let mut sent = event("sg", 0, Kind::Sent, None);
        sent.body.transition = Some(Transition::Sent(v1::Sent {
            legal_basis: v1::LegalBasis::Consent as i32,
            consent: Some(consent),
            ..sent_body()
        }));
        book([sent])
    };
    let letter = attached(1, 1, 1);
    assert!(attach(&with(&[], 0), "sg", letter.clone()).is_ok());
    let covered = with(&["reason", "attachment.medical_letter"], 0);
    for by in ["sg", "ph"] {
        assert!(attach(&covered, by, letter.clone()).is_ok());
        let photo = v1::Attached { kind: v1::AttachmentKind::Photo as i32, ..letter.clone() };
        assert!(matches!(attach(&covered, by, photo), Err(Refusal::Consent(_))));
    }
    let none = with(&["reason"], 0);
    assert!(matches!(attach(&none, "sg", letter.clone()), Err(Refusal::Consent(_))));
    let ended = with(&[], NOW_MS / 1000);
    assert!(matches!(attach(&ended, "sg", letter), Err(Refusal::Consent(_))));
}

/// Files fill their own room and not that of the steps, nor the other way round.
#[test]
fn files_leave_room_for_steps_and_for_what_stops() {
    let mut events = vec![event("sg", 0, Kind::Sent, None)];
    for n in 0..REFERRAL_PARTS_MAX as u64 + 20 {
        events.push(part("sg", 1 + n, None, attached(u8::try_from(n).unwrap(), 1, 1)));
    }
    events.push(event("sg", 900, Kind::FollowUp, None));
    let full = book(events.clone());
    let kept = full.get(&id()).unwrap();
    assert_eq!(kept.attachments().len(), REFERRAL_PARTS_MAX);
    assert!(kept.outcomes.iter().any(|outcome| outcome.event.kind() == Some(Kind::FollowUp)));
    let refused = attach(&full, "sg", attached(250, 1, 1));
    assert!(matches!(refused, Err(Refusal::TooMany)), "{refused:?}");
    assert!(attach(&full, "ph", attached(250, 1, 1)).is_ok());
    events.reverse();
    assert_eq!(book(events).get(&id()).unwrap().attachments(), kept.attachments());
    let steps = (0..REFERRAL_EVENTS_MAX as u64).map(|n| event("sg", 1 + n, Kind::Corrected, None));
    let steps = book([event("sg", 0, Kind::Sent, None)].into_iter().chain(steps));
    assert!(attach(&steps, "sg", attached(1, 1, 1)).is_ok());
}

fn taken_back(by: &str, index: u64, file: u8) -> Event {
    let other = (by == "ph").then_some(0);
    let mut event = event(by, index, Kind::FileEnteredInError, other);
    event.has_content = false;
    event.body.transition = Some(Transition::EnteredInError(v1::EnteredInError {
        attachment: vec![file; 16],
        ..Default::default()
    }));
    event
}

fn at(code: &str, index: u64) -> EventRef {
    EventRef { origin: origin(code), index }
}

#[test]
fn one_file_is_taken_back_alone_whatever_the_order_and_the_case_goes_on() {
    let mut events = vec![
        event("sg", 0, Kind::Sent, None),
        part("sg", 1, None, attached(1, 1, 2)),
        part("sg", 2, None, attached(2, 1, 1)),
        taken_back("sg", 3, 1),
        // Another process had not heard of it yet.
        part("sg", 4, None, attached(1, 2, 2)),
        part("ph", 0, Some(0), attached(1, 1, 1)),
        event("ph", 1, Kind::Accepted, Some(0)),
    ];
    let told = book(events.clone());
    let referral = told.get(&id()).unwrap();
    assert_eq!(referral.state, State::Accepted, "an answer rests on no file");
    assert!(referral.outcomes.iter().all(|outcome| outcome.effective));
    let files = referral.attachments();
    assert_eq!(files.iter().map(|file| file.taken_back).collect::<Vec<_>>(), [true, false, false]);
    let erasure = referral.erasure(NOW_MS, &RULES).unwrap();
    assert_eq!((erasure.reason, erasure.of_case), (v1::ErasureReason::EnteredInError, false));
    assert_eq!(erasure.on.as_ref().unwrap().at, at("sg", 3));
    assert_eq!(erasure.entries, [at("sg", 1), at("sg", 4)]);
    assert!(erasure.doubtful.is_empty());
    assert_eq!(erasure.open(society("ph")), erasure.entries);
    events.reverse();
    assert_eq!(book(events.clone()).get(&id()), Some(referral));
    // With the receipts of both it is confirmed; and goes with the case when that goes.
    for by in ["sg", "ph"] {
        let mut receipt = event(by, 10, Kind::Erased, Some(0));
        let entries = erasure.entries.iter().map(EventRef::to_seen).collect();
        let on = Some(at("sg", 3).to_seen());
        let erased = v1::Erased { reason: 3, on, entries, ..Default::default() };
        receipt.body.transition = Some(Transition::Erased(erased));
        receipt.has_content = false;
        events.push(receipt);
    }
    assert!(
        book(events.clone()).get(&id()).unwrap().erasure(NOW_MS, &RULES).unwrap().is_confirmed()
    );
    let mut stop = event("ph", 11, Kind::ConsentWithdrawn, Some(10));
    stop.has_content = false;
    events.push(stop);
    let stopped = book(events);
    let erasure = stopped.get(&id()).unwrap().erasure(NOW_MS, &RULES).unwrap();
    assert!(erasure.of_case && erasure.entries.len() == 6, "{erasure:?}");
    assert_eq!(erasure.reason, v1::ErasureReason::ConsentWithdrawn);
}

#[test]
fn a_file_is_taken_back_by_its_author_alone_and_once() {
    let sent = event("sg", 0, Kind::Sent, None);
    let letter = part("sg", 1, None, attached(1, 1, 1));
    // Of the other side's file, of none, and before it was there.
    for wrong in [taken_back("ph", 0, 1), taken_back("sg", 2, 9)] {
        let told = book([sent.clone(), letter.clone(), wrong.clone()]);
        let outcome = told.outcomes(&id()).iter().find(|o| o.event.at == wrong.at).unwrap();
        assert!(matches!(outcome.why, Some(Why::Malformed(_))), "{:?}", outcome.why);
        assert!(told.get(&id()).unwrap().erasure(NOW_MS, &RULES).is_none());
    }
    let take = |book: &Book, by: &str, file: u8| {
        let which = v1::EnteredInError { attachment: vec![file; 16], ..Default::default() };
        decide(book.get(&id()), Command::EnterInError(which), &context(&origin(by), NOW_MS))
    };
    let told = book([sent.clone(), letter.clone()]);
    for (by, file) in [("ph", 1), ("sg", 9)] {
        assert!(matches!(take(&told, by, file), Err(Refusal::Fields(_))), "{by} {file}");
    }
    assert!(take(&told, "sg", 1).is_ok());
    let closed = book([
        sent.clone(),
        letter.clone(),
        event("ph", 0, Kind::Declined, Some(1)),
        event("sg", 2, Kind::Closed, Some(0)),
    ]);
    assert_eq!(closed.get(&id()).unwrap().state, State::Closed);
    assert!(take(&closed, "sg", 1).is_ok(), "also when all is over");
    let gone = book([sent, letter, taken_back("sg", 2, 1)]);
    assert!(matches!(take(&gone, "sg", 1), Err(Refusal::Fields(_))));
    let Err(Refusal::Fields(wrong)) = attach(&gone, "sg", attached(1, 1, 1)) else { panic!() };
    assert!(wrong.iter().any(|wrong| wrong.field == "attachment"), "{wrong:?}");
}

/// An acceptance and a letter after it crossed a withdrawal: no file of the case, and on both disks.
#[test]
fn a_file_that_was_overtaken_can_be_taken_back_all_the_same() {
    let mut events = vec![
        event("sg", 0, Kind::Sent, None),
        event("ph", 0, Kind::Accepted, Some(0)),
        part("ph", 1, Some(0), attached(1, 1, 1)),
        event("sg", 1, Kind::Withdrawn, None),
    ];
    let told = book(events.clone());
    let referral = told.get(&id()).unwrap();
    assert_eq!(referral.state, State::Withdrawn);
    assert_eq!(referral.attachments(), []);
    assert!(referral.erasure(NOW_MS, &RULES).is_none());
    let take = |book: &Book| {
        let which = v1::EnteredInError { attachment: vec![1; 16], ..Default::default() };
        decide(book.get(&id()), Command::EnterInError(which), &context(&origin("ph"), NOW_MS))
    };
    assert!(take(&told).is_ok());
    events.push(taken_back("ph", 2, 1));
    let gone = book(events);
    let erasure = gone.get(&id()).unwrap().erasure(NOW_MS, &RULES).unwrap();
    assert_eq!(erasure.entries, [at("ph", 1)]);
    // Once, and nothing is added to it any more: that would be erased as it came.
    assert!(matches!(take(&gone), Err(Refusal::Fields(_))));
    let Err(Refusal::Fields(wrong)) = attach(&gone, "ph", attached(1, 1, 1)) else { panic!() };
    assert!(wrong.iter().any(|wrong| wrong.field == "attachment"), "{wrong:?}");
}

#[test]
fn a_file_goes_along_where_the_person_agreed_that_the_third_society_has_it() {
    let with = |recipients: &[&str], fields: &[&str]| {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let consent =
            v1::Consent { recipients: texts(recipients), fields: texts(fields), ..consent() };
        let mut sent = event("sg", 0, Kind::Sent, None);
        sent.body.transition = Some(Transition::Sent(v1::Sent {
            legal_basis: v1::LegalBasis::Consent as i32,
            consent: Some(consent),
            ..sent_body()
        }));
        book([sent])
    };
    let purpose = consent().purposes.first().copied().unwrap_or_default();
    let onward_of = id().as_bytes().to_vec();
    let onward = v1::Sent { receiver: "qa".into(), purpose, onward_of, ..sent_body() };
    let source =
        |file: u8| Some(v1::FileSource { society: "sg".into(), attachment_id: vec![file; 16] });
    let copy = v1::Attached { source: source(1), ..attached(9, 1, 1) };
    let may_as = |book: &Book, sent: &v1::Sent, copy: &v1::Attached| {
        let mut book = book.clone();
        book.apply(part("sg", 1, None, attached(1, 1, 1)));
        let mut there = book.get(&id()).unwrap().clone();
        there.sent = sent.clone();
        super::super::attachment::passes_on(book.get(&id()), &there, copy, (NOW_MS, &RULES))
    };
    let may = |book: &Book, sent: &v1::Sent| may_as(book, sent, &copy);
    assert_eq!(may(&with(&["ph", "qa"], &[]), &onward), Ok(()));
    let named = ["reason", "attachment.medical_letter"];
    assert_eq!(may(&with(&["ph", "qa"], &named), &onward), Ok(()));
    for other in [
        v1::Attached { source: source(2), ..copy.clone() },
        v1::Attached { kind: v1::AttachmentKind::Photo as i32, ..copy.clone() },
    ] {
        let refused = may_as(&with(&["ph", "qa"], &[]), &onward, &other);
        assert!(matches!(refused, Err(Refusal::Fields(_))), "{refused:?}");
    }
    let mut gone = with(&["ph", "qa"], &[]);
    gone.apply(part("sg", 1, None, attached(1, 1, 1)));
    gone.apply(taken_back("sg", 2, 1));
    let refused = may(&gone, &onward);
    let Err(Refusal::Fields(wrong)) = refused else { panic!("{refused:?}") };
    assert!(wrong.iter().any(|wrong| wrong.problem.contains("taken back")), "{wrong:?}");
    let mut stopped = with(&["ph", "qa"], &[]);
    stopped.apply(event("sg", 2, Kind::ConsentWithdrawn, None));
    assert!(matches!(may(&stopped, &onward), Err(Refusal::State { .. })));
    for (recipients, fields) in
        [(&["ph"][..], &named[..]), (&["ph", "qa"], &["reason", "attachment.photo"])]
    {
        let refused = may(&with(recipients, fields), &onward);
        assert!(matches!(refused, Err(Refusal::Consent(_))), "{refused:?}");
    }
    let other = v1::Sent { onward_of: vec![1; 16], ..onward };
    assert_eq!(may(&with(&["ph", "qa"], &[]), &other), Err(Refusal::NotFound));
}

fn receipt(by: &str, index: u64, entries: &[EventRef]) -> Event {
    let mut receipt = event(by, index, Kind::Erased, None);
    receipt.has_content = false;
    let entries = entries.iter().map(EventRef::to_seen).collect();
    let erased = v1::Erased { reason: 3, entries, ..Default::default() };
    receipt.body.transition = Some(Transition::Erased(erased));
    receipt
}

/// Each part that comes after its file was taken back asks the other side for a receipt, and the other
/// side may have written as many parts as are kept.
#[test]
fn receipts_and_files_taken_back_leave_room_for_the_persons_word() {
    let mut events = vec![event("sg", 0, Kind::Sent, None)];
    for n in 0..REFERRAL_PARTS_MAX as u64 {
        events.push(part("ph", n, Some(0), attached(1, 1, 1)));
        events.push(receipt("sg", 1 + n, &[at("ph", n)]));
        events.push(taken_back("sg", 400 + n, u8::try_from(n).unwrap()));
    }
    let told = book(events.clone());
    let withdraw = v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() };
    for by in ["sg", "ph"] {
        let command = Command::WithdrawConsent(withdraw.clone());
        let decided = decide(told.get(&id()), command, &context(&origin(by), NOW_MS));
        assert!(decided.is_ok(), "{by}: {decided:?}");
    }
    events.push(event("sg", 900, Kind::ConsentWithdrawn, None));
    let stopped = book(events);
    let stopped = stopped.get(&id()).unwrap();
    assert_eq!(stopped.state, State::ConsentWithdrawn);
    let erasure = stopped.erasure(NOW_MS, &RULES).unwrap();
    assert!(!erasure.open(society("sg")).contains(&at("ph", REFERRAL_PARTS_MAX as u64 - 1)));
}

#[test]
fn a_file_that_was_taken_back_keeps_nothing_else_longer_and_no_reopening_saves_it() {
    let before = [event("sg", 0, Kind::Sent, None), part("sg", 1, None, attached(1, 1, 1))];
    let mut after = before.to_vec();
    let mut late = taken_back("sg", 3, 1);
    late.recorded_at_ms += 200 * 86_400_000;
    after.push(late);
    let until =
        |events: &[Event]| book(events.to_vec()).get(&id()).unwrap().retained_until_ms(&RULES);
    assert_eq!(until(&before), until(&after));
    // Its author had seen the stop: the rest might be saved by a reopening, the file is not.
    after.push(event("ph", 0, Kind::ConsentWithdrawn, Some(0)));
    after.push(part("sg", 5, Some(0), attached(1, 1, 1)));
    after.push(event("sg", 6, Kind::FollowUp, Some(0)));
    let stopped = book(after);
    let erasure = stopped.get(&id()).unwrap().erasure(NOW_MS, &RULES).unwrap();
    assert!(erasure.of_case && erasure.entries.contains(&at("sg", 5)), "{erasure:?}");
    assert_eq!(erasure.doubtful, [at("sg", 6)]);
}

/// What was there before is still to be erased; what is under way now goes on.
#[test]
fn after_a_reopening_the_case_goes_on_while_receipts_for_what_was_before_are_due() {
    let mut events = vec![
        event("sg", 0, Kind::Sent, None),
        event("ph", 0, Kind::Accepted, Some(0)),
        event("ph", 1, Kind::ConsentWithdrawn, Some(0)),
    ];
    let of_case = |events: &[Event]| {
        let told = book(events.to_vec());
        let referral = told.get(&id()).unwrap();
        (referral.state.is_stopped(), referral.erasure(NOW_MS, &RULES).unwrap().of_case)
    };
    assert_eq!(of_case(&events), (true, true));
    events.push(event("sg", 1, Kind::Reopened, Some(1)));
    events.push(part("sg", 2, Some(1), attached(1, 1, 2)));
    assert_eq!(of_case(&events), (false, false));
}
