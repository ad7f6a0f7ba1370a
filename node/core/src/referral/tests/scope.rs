//! What the person agreed to, and what is told of them: field by field, in the record too.

use super::{onward::compose, *};
use crate::referral::form::{ReferralForm, example};

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The example, which has every category.
fn example_case() -> (v1::Sent, v1::ReferralContent) {
    toml::from_str::<ReferralForm>(example()).unwrap().to_messages().unwrap()
}

/// It, sent where the person agreed to `agreed`; what the record then lists, or what is wrong.
fn send(
    agreed: &[&str],
    change: impl FnOnce(&mut v1::Sent, &mut v1::ReferralContent),
) -> Result<v1::Sent, String> {
    let (mut sent, mut content) = example_case();
    sent.consent.as_mut().unwrap().fields = texts(agreed);
    change(&mut sent, &mut content);
    let from = origin("sg");
    let context = Context {
        origin: &from,
        event_id: [7; 16],
        now_ms: NOW_MS,
        note: "",
        duplicate: None,
        onward_of: None,
        rules: &RULES,
    };
    let command = Command::Send { sent: Box::new(sent), content: Box::new(content) };
    match decide(None, command, &context) {
        Ok(event) => match event.transition {
            Some(Transition::Sent(sent)) => Ok(sent),
            other => panic!("{other:?}"),
        },
        Err(refusal) => Err(refusal.to_string()),
    }
}

#[test]
fn what_the_record_tells_of_a_person_is_listed_and_lies_inside_what_they_agreed_to() {
    let sent = send(&[], |_, _| ()).unwrap();
    let listed = |name: &&str| sent.information_disclosed.iter().any(|one| one == name);
    assert!(CATEGORIES.iter().all(listed), "{:?}", sent.information_disclosed);
    // Nothing of the record is agreed to with the fields of the content.
    let all: Vec<&str> = sent.information_disclosed.iter().map(String::as_str).collect();
    assert!(send(&all, |_, _| ()).is_ok());
    for category in CATEGORIES {
        let but_one: Vec<&str> = all.iter().copied().filter(|name| *name != category).collect();
        let why = send(&but_one, |_, _| ()).unwrap_err();
        assert!(why.contains("consent.fields") && why.contains(&format!(": {category}")), "{why}");
        let without = send(&but_one, |sent, content| {
            leave_out(sent, content, category);
            sent.information_withheld.push(category.into());
        });
        let without = without.unwrap();
        assert!(!without.information_disclosed.contains(&category.into()), "{category}");
        // What is filled in is not withheld.
        let both = send(&all, |sent, _| sent.information_withheld.push(category.into()));
        assert!(both.unwrap_err().contains("information_withheld"), "{category}");
    }
}

/// As `onward --withhold` does it.
fn leave_out(sent: &mut v1::Sent, content: &mut v1::ReferralContent, field: &str) {
    let mut first = event("sg", 0, Kind::Sent, None);
    first.body.transition = Some(Transition::Sent(sent.clone()));
    let book = book([first]);
    let first = book.get(&id()).unwrap();
    let (left, case) = compose(first, content, society("ph"), &[], &texts(&[field]));
    let kept = (sent.information_withheld.clone(), content.focal_point.clone());
    (*sent, *content) = (left, case);
    (sent.information_withheld, content.focal_point) = kept;
}

#[test]
fn a_category_that_is_withheld_goes_no_further_and_that_is_said() {
    let (sent, content) = example_case();
    let mut first = event("sg", 0, Kind::Sent, None);
    first.body.transition = Some(Transition::Sent(sent));
    let book = book([first]);
    let first = book.get(&id()).unwrap();
    let all = texts(&CATEGORIES);
    let (onward, case) = compose(first, &content, society("qa"), &[], &all);
    assert!(categories(&onward).is_empty(), "{onward:?}");
    assert!(all.iter().all(|name| onward.information_withheld.contains(name)));
    assert_eq!(case.reason, content.reason, "the case goes on as it was");
    let (onward, _) = compose(first, &content, society("qa"), &[], &[]);
    assert_eq!(categories(&onward), all, "nothing was to be left out");
}

/// Where another basis outweighs nothing that the person said, their list of fields counts for the record too.
#[test]
fn a_category_that_was_not_agreed_to_is_overridden_or_not_sent() {
    let agreed = ["person.name", "reason"];
    let vital = |sent: &mut v1::Sent, content: &mut v1::ReferralContent| {
        sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
        sent.receiver = "ph".into();
        *content = v1::ReferralContent { reason: "he fell".into(), ..Default::default() };
    };
    let why = send(&agreed, vital).unwrap_err();
    assert!(why.contains("override_reason") && why.contains("every field"), "{why}");
    let overridden = send(&agreed, |sent, content| {
        vital(sent, content);
        let reason = v1::OverrideReason::LifeAtRisk as i32;
        sent.consent_override = Some(v1::ConsentOverride { reason });
    });
    assert!(overridden.is_ok(), "{overridden:?}");
    let within = send(&agreed, |sent, content| {
        vital(sent, content);
        for category in CATEGORIES {
            leave_out(sent, content, category);
        }
    });
    assert!(within.is_ok(), "{within:?}");
}

#[test]
fn a_record_of_before_tells_what_it_holds() {
    let (sent, _) = example_case();
    let before = v1::Sent { information_disclosed: texts(&["reason"]), ..sent };
    assert_eq!(disclosed_by(&before).len(), 1 + CATEGORIES.len());
    let all = [texts(&["reason"]), texts(&CATEGORIES)].concat();
    let now = v1::Sent { information_disclosed: all.clone(), ..before.clone() };
    assert_eq!(disclosed_by(&now), all);
    assert!(CATEGORIES.iter().all(|name| FIELDS.contains(name)));
    // Without a list everything is agreed to; with one, what stands in it.
    assert!(beyond_scope(&before).is_empty());
    let consent = v1::Consent { fields: texts(&["reason", "category.sex"]), ..consent() };
    let narrow = v1::Sent { consent: Some(consent), ..before };
    let beyond = beyond_scope(&narrow);
    assert_eq!(beyond.len(), CATEGORIES.len() - 1);
    assert!(!beyond.contains(&"category.sex".into()));
}

/// A consent to ph and these others.
fn agreed_to(others: &[&str]) -> v1::Consent {
    let recipients = [&["ph"], others].concat();
    v1::Consent { recipients: texts(&recipients), ..consent() }
}

fn renewed(by: &str, index: u64, seen: u64, consent: v1::Consent) -> Event {
    let mut event = event(by, index, Kind::ConsentRenewed, Some(seen));
    let consent = Some(consent);
    event.body.transition = Some(Transition::ConsentRenewed(v1::ConsentRenewed { consent }));
    event
}

/// Sent by consent, or where nobody was asked, and acknowledged.
fn begun(consent: Option<v1::Consent>) -> Vec<Event> {
    let mut first = event("sg", 0, Kind::Sent, None);
    let basis = match consent {
        Some(_) => v1::LegalBasis::Consent,
        None => v1::LegalBasis::VitalInterest,
    };
    let sent = v1::Sent { legal_basis: basis as i32, consent, ..sent_body() };
    first.body.transition = Some(Transition::Sent(sent));
    vec![first, event("ph", 0, Kind::Acknowledged, Some(0))]
}

/// Whether ph may pass the case on to qa, in each order in which the events may have arrived; at that time.
fn passes_at(events: &[Event], now_ms: u64) -> Result<(), Refusal> {
    let mut orders = vec![events.to_vec(), events.iter().rev().cloned().collect()];
    for at in 1..events.len() {
        orders.push([&events[at..], &events[..at]].concat());
    }
    let mut answers = orders.into_iter().map(|events| {
        let book = book(events);
        let onward = v1::Onward { receiver: "qa".into(), referral_id: vec![1; 16] };
        let from = origin("ph");
        let context = Context {
            origin: &from,
            event_id: [9; 16],
            now_ms,
            note: "",
            duplicate: None,
            onward_of: None,
            rules: &RULES,
        };
        decide(book.get(&id()), Command::PassOn(onward), &context).map(|_| ())
    });
    let first = answers.next().unwrap();
    assert!(answers.all(|answer| answer == first), "another order, another answer: {first:?}");
    first
}

fn passes(events: &[Event]) -> Result<(), Refusal> {
    passes_at(events, NOW_MS)
}

const UNSEEN: fn() -> Result<(), Refusal> = || Err(Refusal::Unseen { society: society("sg") });

#[test]
fn what_the_receiver_adds_lets_nothing_go_further_before_the_sender_has_gone_on_with_it() {
    let with = |more: &[Event]| [begun(Some(consent())), more.to_vec()].concat();
    assert!(matches!(passes(&with(&[])), Err(Refusal::Consent(_))));
    let wider = renewed("ph", 1, 0, agreed_to(&["qa"]));
    assert_eq!(passes(&with(std::slice::from_ref(&wider))), UNSEEN());
    // By any step of a person there that has seen it; not by one that has not, nor by a node's receipt.
    let by = |step: Event| passes(&with(&[wider.clone(), step]));
    assert_eq!(by(event("sg", 1, Kind::Corrected, Some(0))), UNSEEN());
    assert_eq!(by(event("sg", 1, Kind::Erased, Some(1))), UNSEEN());
    assert_eq!(by(event("sg", 1, Kind::Corrected, Some(1))), Ok(()));
    assert_eq!(by(renewed("sg", 1, 1, agreed_to(&["qa"]))), Ok(()));
    // The sender has asked the person itself: they do not want that. Or they want nothing any more.
    assert!(matches!(by(renewed("sg", 1, 1, consent())), Err(Refusal::Consent(_))));
    let withdrawn = by(event("sg", 1, Kind::ConsentWithdrawn, Some(1)));
    assert!(matches!(withdrawn, Err(Refusal::State { .. })), "{withdrawn:?}");
    // What the sender adds counts as soon as it is here.
    assert_eq!(passes(&with(&[renewed("sg", 1, 0, agreed_to(&["qa"]))])), Ok(()));
    // Neither does a second renewal by the receiver confirm the first.
    let again = renewed("ph", 2, 0, agreed_to(&["qa"]));
    assert_eq!(passes(&with(&[wider.clone(), again])), UNSEEN());
}

#[test]
fn what_the_receiver_takes_away_counts_at_once_and_what_it_prolongs_does_not() {
    let long = v1::Consent { expires_at: NOW_MS / 1000 + 9_999, ..agreed_to(&["qa", "it"]) };
    let with = |more: &[Event]| [begun(Some(long.clone())), more.to_vec()].concat();
    assert_eq!(passes(&with(&[])), Ok(()));
    // No longer to it: to qa still, without waiting.
    let narrower = v1::Consent { expires_at: NOW_MS / 1000 + 5_000, ..agreed_to(&["qa"]) };
    assert_eq!(passes(&with(&[renewed("ph", 1, 0, narrower.clone())])), Ok(()));
    let none = v1::Consent { recipients: texts(&["ph"]), ..long.clone() };
    let taken_away = renewed("ph", 1, 0, none);
    assert!(matches!(passes(&with(std::slice::from_ref(&taken_away))), Err(Refusal::Consent(_))));
    // Given back by the same side: that waits.
    assert_eq!(passes(&with(&[taken_away, renewed("ph", 2, 0, long.clone())])), UNSEEN());
    // For longer: until then it is as it was, and from then on it waits.
    let longer = v1::Consent { expires_at: 0, ..long.clone() };
    let prolonged = with(&[renewed("ph", 1, 0, longer)]);
    assert_eq!(passes(&prolonged), Ok(()));
    assert_eq!(passes_at(&prolonged, long.expires_at * 1000), UNSEEN());
}

#[test]
fn where_nobody_was_asked_the_person_is_asked_before_a_third_society_has_the_case() {
    let with = |more: &[Event]| [begun(None), more.to_vec()].concat();
    assert_eq!(passes(&with(&[])), Err(Refusal::Unasked));
    let why = Refusal::Unasked.to_string();
    assert!(why.contains("renew-consent") && why.contains("override_reason"), "{why}");
    let asked = renewed("ph", 1, 0, agreed_to(&["qa"]));
    assert_eq!(passes(&with(std::slice::from_ref(&asked))), UNSEEN());
    let seen = event("sg", 1, Kind::Corrected, Some(1));
    assert_eq!(passes(&with(&[asked, seen])), Ok(()));
    assert_eq!(passes(&with(&[renewed("sg", 1, 0, agreed_to(&["qa"]))])), Ok(()));
}

/// Between the two what one side has recorded holds at once: the other has it before what it allows.
#[test]
fn between_the_two_a_renewal_holds_at_once() {
    let narrow = v1::Consent { fields: texts(&["reason"]), ..consent() };
    let asked = v1::InformationRequested { fields: texts(&["person.languages"]) };
    let mut question = event("ph", 1, Kind::InformationRequested, Some(0));
    question.body.transition = Some(Transition::InformationRequested(asked));
    let mut events = begun(Some(narrow));
    events.push(question);
    let answer = |events: &[Event]| {
        let book = book(events.iter().cloned());
        let from = origin("sg");
        let context = Context {
            origin: &from,
            event_id: [9; 16],
            now_ms: NOW_MS,
            note: "Hiligaynon",
            duplicate: None,
            onward_of: None,
            rules: &RULES,
        };
        let given = Command::ProvideInformation(v1::InformationProvided::default());
        decide(book.get(&id()), given, &context).map(|_| ())
    };
    assert!(matches!(answer(&events), Err(Refusal::Consent(_))));
    events.push(renewed("sg", 1, 1, consent()));
    assert_eq!(answer(&events), Ok(()));
}

fn onward_id() -> ReferralId {
    ReferralId::of(&origin("ph"), &[8; 16])
}

/// ph has passed the case on to qa with that consent, and qa asks.
fn passed_on(consent: v1::Consent) -> Book {
    let sent = v1::Sent {
        receiver: "qa".into(),
        legal_basis: v1::LegalBasis::Consent as i32,
        consent: Some(consent),
        onward_of: id().as_bytes().to_vec(),
        ..sent_body()
    };
    let says = |seen: Option<v1::Seen>, transition| v1::ReferralEvent {
        referral_id: onward_id().as_bytes().to_vec(),
        seen,
        transition: Some(transition),
    };
    let sent = Event {
        event_id: [8; 16],
        addressees: vec![society("qa")],
        body: says(None, Transition::Sent(sent)),
        ..event("ph", 10, Kind::Acknowledged, None)
    };
    let asked = Transition::InformationRequested(v1::InformationRequested::default());
    let asked = Event {
        at: EventRef { origin: origin("qa"), index: 0 },
        society: society("qa"),
        event_id: [6; 16],
        addressees: vec![society("ph")],
        body: says(Some(sent.at.to_seen()), asked),
        ..event("ph", 0, Kind::Acknowledged, None)
    };
    book([sent, asked])
}

/// Whether ph may write that to qa, having these events of the first referral.
fn tells(first: &[Event], command: Command) -> Result<(), Refusal> {
    let first = book(first.iter().cloned());
    let there = passed_on(agreed_to(&["qa"]));
    let from = origin("ph");
    let answers = matches!(command, Command::ProvideInformation(_));
    let context = Context {
        origin: &from,
        event_id: [9; 16],
        now_ms: NOW_MS,
        note: if answers { "as she says" } else { "" },
        duplicate: None,
        onward_of: first.get(&id()),
        rules: &RULES,
    };
    decide(there.get(&onward_id()), command, &context).map(|_| ())
}

/// An answer, the case told anew, and a file of ph's own, of which each tells that one thing.
fn each_way() -> [(Command, &'static str); 3] {
    let given = v1::InformationProvided { information_disclosed: texts(&["risk"]) };
    let own = EventRef { origin: origin("ph"), index: 10 }.to_seen();
    let corrected = v1::Corrected { event: Some(own), information_disclosed: Vec::new() };
    let case = v1::ReferralContent { risk: "he follows her".into(), ..Default::default() };
    [
        (Command::ProvideInformation(given), "risk"),
        (Command::Correct(corrected, Some(Box::new(case))), "risk"),
        (Command::Attach(letter()), "attachment.medical_letter"),
    ]
}

/// The consent that went along with the case is not all that counts: the person speaks to the first society, too.
#[test]
fn what_is_told_further_on_later_stays_within_the_word_for_the_first_referral() {
    let only = |fields: &[&str]| v1::Consent { fields: texts(fields), ..agreed_to(&["qa"]) };
    for (command, field) in each_way() {
        let with = |consent: v1::Consent, more: &[Event]| {
            tells(&[begun(Some(consent)), more.to_vec()].concat(), command.clone())
        };
        assert_eq!(with(agreed_to(&["qa"]), &[]), Ok(()), "{field}");
        assert_eq!(with(only(&["reason", field]), &[]), Ok(()), "{field}");
        // No longer that society, no longer that field, or nothing any more.
        for word in [consent(), only(&["reason"])] {
            let told = with(agreed_to(&["qa"]), &[renewed("sg", 1, 0, word)]);
            let Err(Refusal::Onward { first, society: by, .. }) = &told else { panic!("{told:?}") };
            assert_eq!((*first, *by), (id(), society("sg")));
            let text = told.unwrap_err().to_string();
            assert!(text.contains(&id().to_string()) && text.contains("renew-consent"), "{text}");
        }
        let stopped = with(agreed_to(&["qa"]), &[event("sg", 1, Kind::ConsentWithdrawn, Some(0))]);
        assert!(matches!(stopped, Err(Refusal::Onward { .. })), "{stopped:?}");
        // What ph alone has recorded as agreed to anew waits here as it does for passing on.
        let wider = renewed("ph", 1, 0, agreed_to(&["qa"]));
        assert_eq!(with(only(&["reason"]), std::slice::from_ref(&wider)), UNSEEN(), "{field}");
        let seen = event("sg", 1, Kind::Corrected, Some(1));
        assert_eq!(with(only(&["reason"]), &[wider, seen]), Ok(()), "{field}");
    }
    let [(command, _), ..] = each_way();
    assert_eq!(tells(&[], command), Err(Refusal::NotFound), "what is not known allows nothing");
}

/// qa goes by the consent that came with the case: what it allows is what sg has seen.
#[test]
fn the_consent_that_goes_along_allows_no_more_than_the_first() {
    let renew = |first: &[Event], consent: v1::Consent| {
        tells(first, Command::RenewConsent(v1::ConsentRenewed { consent: Some(consent) }))
    };
    let narrow = v1::Consent { fields: texts(&["reason"]), ..agreed_to(&["qa"]) };
    let longer = v1::Consent { expires_at: 0, ..agreed_to(&["qa"]) };
    let send = |first: &[Event], consent: v1::Consent| {
        let first = book(first.iter().cloned());
        let from = origin("ph");
        let context = Context {
            origin: &from,
            event_id: [8; 16],
            now_ms: NOW_MS,
            note: "",
            duplicate: None,
            onward_of: first.get(&id()),
            rules: &RULES,
        };
        let sent = v1::Sent {
            receiver: "qa".into(),
            legal_basis: v1::LegalBasis::Consent as i32,
            consent: Some(consent),
            onward_of: id().as_bytes().to_vec(),
            ..sent_body()
        };
        let content = v1::ReferralContent { reason: "he fell".into(), ..Default::default() };
        let command = Command::Send { sent: Box::new(sent), content: Box::new(content) };
        decide(None, command, &context).map(|_| ())
    };
    let first = begun(Some(agreed_to(&["qa"])));
    let listed = begun(Some(narrow.clone()));
    assert_eq!(send(&first, agreed_to(&["qa"])), Ok(()));
    assert_eq!(send(&first, narrow.clone()), Ok(()));
    assert_eq!(send(&listed, narrow.clone()), Ok(()));
    for (first, wider) in
        [(&first, agreed_to(&["qa", "it"])), (&listed, agreed_to(&["qa"])), (&first, longer)]
    {
        let sent = send(first, wider.clone());
        assert!(matches!(sent, Err(Refusal::Consent(_))), "{sent:?} {wider:?}");
    }
    // Nor may it be made so later; what takes away is recorded at once, whatever the first says.
    let more = agreed_to(&["qa", "it"]);
    assert!(matches!(renew(&first, more.clone()), Err(Refusal::Onward { .. })));
    let alone = [first.clone(), vec![renewed("ph", 1, 0, more.clone())]].concat();
    assert_eq!(renew(&alone, more.clone()), UNSEEN());
    let seen = [alone.clone(), vec![event("sg", 1, Kind::Corrected, Some(1))]].concat();
    assert_eq!(renew(&seen, more.clone()), Ok(()));
    let dropped = [first, vec![renewed("sg", 1, 0, consent())]].concat();
    assert_eq!(renew(&dropped, narrow), Ok(()));
    // The case goes on as it may, with what both consents allow.
    let told = book(alone.clone());
    let case = v1::ReferralContent { reason: "he fell".into(), ..Default::default() };
    let (sent, _) = compose(told.get(&id()).unwrap(), &case, society("qa"), &[], &[]);
    assert_eq!(sent.consent, Some(agreed_to(&["qa"])));
    assert_eq!(send(&alone, agreed_to(&["qa"])), Ok(()));
    assert_eq!(send(&alone, more), UNSEEN());
}
