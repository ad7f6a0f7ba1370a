use super::*;

fn by_consent() -> v1::Sent {
    v1::Sent {
        legal_basis: v1::LegalBasis::Consent as i32,
        consent: Some(consent()),
        ..sent_body()
    }
}

fn content() -> v1::ReferralContent {
    v1::ReferralContent {
        case_code: "SG-1".into(),
        person: Some(v1::Person { name: "Jose".into(), age: 34, ..Default::default() }),
        reason: "needs a nurse".into(),
        ..Default::default()
    }
}

fn context<'a>(origin: &'a crate::society::Origin, note: &'a str) -> Context<'a> {
    Context {
        origin,
        event_id: [7; 16],
        now_ms: NOW_MS,
        note,
        duplicate: None,
        onward_of: None,
        rules: &RULES,
    }
}

fn send(sent: v1::Sent, content: v1::ReferralContent) -> Result<v1::ReferralEvent, Refusal> {
    let command = Command::Send { sent: Box::new(sent), content: Box::new(content) };
    decide(None, command, &context(&origin("sg"), ""))
}

/// The fields that are wrong, by name.
fn wrong(refusal: Result<v1::ReferralEvent, Refusal>) -> Vec<String> {
    match refusal {
        Err(Refusal::Fields(fields)) => fields.into_iter().map(|field| field.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_disclosed_is_derived() {
    let typed_in = v1::Sent { information_disclosed: vec!["risk".into()], ..by_consent() };
    let event = send(typed_in, content()).unwrap();
    let Some(Transition::Sent(sent)) = event.transition else { panic!() };
    assert_eq!(sent.information_disclosed, ["case_code", "person.name", "person.age", "reason"]);
    assert_eq!(event.referral_id, id().as_bytes());
    assert_eq!(event.seen, None);
    assert!(disclosed(&v1::ReferralContent::default()).is_empty());
}

#[test]
fn every_wrong_field_is_named_at_once_with_what_is_allowed() {
    let refusal = send(v1::Sent::default(), v1::ReferralContent::default()).unwrap_err();
    assert_eq!(
        wrong(Err(refusal.clone())),
        ["receiver", "priority", "services_requested", "legal_basis", "purpose"]
    );
    let text = refusal.to_string();
    assert!(text.contains("priority: is missing; allowed: emergency, urgent, normal"), "{text}");
    assert!(text.contains("medical_escort_repatriation"), "{text}");
    let all_wrong = v1::Sent {
        receiver: "sg".into(),
        priority: 77,
        stage: -1,
        country_of_origin: "PH".into(),
        country_of_stay: "sgp".into(),
        services_requested: vec![1, 1, 99],
        vulnerabilities: vec![0],
        legal_basis: v1::LegalBasis::Consent as i32,
        retain_until: 1,
        information_withheld: vec!["person.name".into(), "Jose".into()],
        ..sent_body()
    };
    let wide = v1::ReferralContent {
        case_code: "two\nlines".into(),
        risk: "x".repeat(crate::limits::TEXT_CHARS_MAX + 1),
        person: Some(v1::Person {
            name: "Jose".into(),
            age: 131,
            languages: vec!["en".into()],
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(
        wrong(send(all_wrong, wide)),
        [
            "receiver",
            "priority",
            "stage",
            "country_of_origin",
            "country_of_stay",
            "services_requested",
            "services_requested",
            "vulnerabilities",
            "information_withheld",
            "information_withheld",
            "retain_until",
            "consent",
            "content.case_code",
            "content.risk",
            "content.person.age",
            "content.person.languages",
        ]
    );
}

#[test]
fn consent_must_be_given_hold_and_cover() {
    assert!(send(by_consent(), content()).is_ok());
    let with = |change: &dyn Fn(&mut v1::Consent)| {
        let mut changed = consent();
        change(&mut changed);
        send(v1::Sent { consent: Some(changed), ..by_consent() }, content())
    };
    type Change<'a> = &'a dyn Fn(&mut v1::Consent);
    for (field, change) in [
        (
            "consent.status",
            (&|c: &mut v1::Consent| c.status = v1::ConsentStatus::Refused as i32) as Change,
        ),
        ("consent.status", &|c| c.status = v1::ConsentStatus::Withdrawn as i32),
        ("consent.status", &|c| c.status = 0),
        ("consent.form", &|c| c.form = 0),
        ("consent.given_by", &|c| c.given_by = 9),
        ("consent.language", &|c| c.language = "tl".into()),
        ("consent.expires_on", &|c| c.expires_at = NOW_MS / 1000),
        ("consent.explained_on", &|c| c.explained_at = NOW_MS / 1000 + 90_000),
        ("consent.recipients", &|c| c.recipients = vec!["qa".into()]),
        ("consent.recipients", &|c| c.recipients = Vec::new()),
        ("consent.fields", &|c| c.fields = vec!["person.name".into()]),
        ("consent.purposes", &|c| c.purposes = vec![v1::Purpose::Protection as i32]),
    ] {
        assert_eq!(wrong(with(change)), [field]);
    }
    // Renewed holds too; no end is no end; the case code and the focal point are the society's own.
    assert!(with(&|c| c.status = v1::ConsentStatus::Renewed as i32).is_ok());
    assert!(with(&|c| c.expires_at = 0).is_ok());
    let covered = ["person.name", "person.age", "reason"].map(String::from).to_vec();
    assert!(with(&|c| c.fields = covered.clone()).is_ok());
    // On another basis what the person said is overridden with a reason alone that outweighs it, and
    // never where that is the basis itself.
    let vital = v1::Sent { legal_basis: v1::LegalBasis::VitalInterest as i32, ..by_consent() };
    let refused = v1::Consent { status: v1::ConsentStatus::Refused as i32, ..consent() };
    let against = v1::Sent { consent: Some(refused), ..vital.clone() };
    assert_eq!(wrong(send(against.clone(), content())), ["override_reason"]);
    let because = |reason: v1::OverrideReason| Some(v1::ConsentOverride { reason: reason as i32 });
    let at_risk = because(v1::OverrideReason::LifeAtRisk);
    let overridden = v1::Sent { consent_override: at_risk, ..against.clone() };
    assert!(send(overridden, content()).is_ok());
    let duty = because(v1::OverrideReason::LegalDuty);
    let unfit = v1::Sent { consent_override: duty, ..against };
    assert_eq!(wrong(send(unfit, content())), ["override_reason"]);
    let needless = v1::Sent { consent_override: at_risk, ..vital };
    assert_eq!(wrong(send(needless, content())), ["override_reason"]);
    let by_it = v1::Sent { consent_override: at_risk, ..by_consent() };
    assert_eq!(wrong(send(by_it, content())), ["override_reason"]);
}

#[test]
fn a_second_open_referral_of_the_same_case_is_refused_and_names_the_first() {
    let mut book = book([event("sg", 0, Kind::Sent, None)]);
    let other_service =
        v1::Sent { services_requested: vec![v1::ServiceCategory::Cash as i32], ..sent_body() };
    let sg = society("sg");
    assert!(book.open_like(sg, &other_service).is_none());
    assert!(book.open_like(sg, &v1::Sent { receiver: "qa".into(), ..sent_body() }).is_none());
    assert!(book.open_like(sg, &v1::Sent { case_digest: vec![8; 32], ..sent_body() }).is_none());
    assert!(book.open_like(sg, &v1::Sent { case_digest: vec![], ..sent_body() }).is_none());
    assert!(book.open_like(society("my"), &sent_body()).is_none());
    let first = book.open_like(sg, &sent_body());
    let from = origin("sg");
    let again = Context { event_id: [8; 16], duplicate: first, ..context(&from, "") };
    let command = || Command::Send { sent: Box::new(sent_body()), content: Box::default() };
    let refusal = decide(None, command(), &again).unwrap_err();
    assert_eq!(refusal, Refusal::Duplicate { first: id(), state: State::Sent });
    assert!(refusal.to_string().contains(&id().to_string()));
    book.apply(event("ph", 0, Kind::Declined, Some(0)));
    assert!(book.open_like(sg, &sent_body()).is_none());
}

#[test]
fn each_side_may_do_its_own_and_what_the_state_allows() {
    let book =
        book([event("sg", 0, Kind::Sent, None), event("ph", 3, Kind::Acknowledged, Some(0))]);
    let referral = book.get(&id());
    let (sg, ph, qa) = (origin("sg"), origin("ph"), origin("qa"));
    let accepted = decide(referral, Command::Accept, &context(&ph, "")).unwrap();
    assert_eq!(accepted.seen, Some(v1::Seen { origin: sg.to_string(), index: 0 }));
    let withdrawn =
        decide(referral, Command::Withdraw(v1::Withdrawn { code: 1 }), &context(&sg, ""));
    assert_eq!(withdrawn.unwrap().seen, Some(v1::Seen { origin: ph.to_string(), index: 3 }));
    assert_eq!(
        decide(referral, Command::Accept, &context(&sg, "")).unwrap_err(),
        Refusal::WrongSide { kind: Kind::Accepted, society: society("ph") }
    );
    assert_eq!(
        decide(referral, Command::Accept, &context(&qa, "")).unwrap_err(),
        Refusal::NotAParty
    );
    assert_eq!(decide(None, Command::Accept, &context(&ph, "")), Err(Refusal::NotFound));
    let refusal = decide(referral, Command::Acknowledge, &context(&ph, "")).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the referral is acknowledged, so acknowledge is not possible; nothing was written. \
         What you can do now: request-information, accept, decline, onward, withdraw-consent, \
         renew-consent, correct, entered-in-error, request-erasure, attach"
    );
    let again = Command::Send { sent: Box::new(sent_body()), content: Box::default() };
    assert_eq!(decide(referral, again, &context(&sg, "")), Err(Refusal::AlreadySent));
}

#[test]
fn codes_and_notes_are_asked_for() {
    let book = book([event("sg", 0, Kind::Sent, None)]);
    let referral = book.get(&id());
    let ph = origin("ph");
    let asked = |command, note: &str| decide(referral, command, &context(&ph, note));
    let decline = |code| Command::Decline(v1::Declined { code });
    assert_eq!(wrong(asked(decline(0), "")), ["code"]);
    assert_eq!(wrong(asked(decline(14), "")), ["code"]);
    assert_eq!(wrong(asked(decline(v1::DeclineCode::Other as i32), " ")), ["note"]);
    assert!(asked(decline(v1::DeclineCode::Other as i32), "the ward is closed").is_ok());
    assert!(asked(decline(v1::DeclineCode::NoCapacity as i32), "").is_ok());
    let long = "x".repeat(crate::limits::TEXT_CHARS_MAX + 1);
    assert_eq!(wrong(asked(decline(1), &long)), ["note"]);
    let request = |fields: &[&str]| {
        let fields = fields.iter().map(ToString::to_string).collect();
        Command::RequestInformation(v1::InformationRequested { fields })
    };
    assert_eq!(wrong(asked(request(&[]), "")), ["note"]);
    assert_eq!(wrong(asked(request(&["his telephone"]), "")), ["fields"]);
    assert!(asked(request(&["person.languages"]), "").is_ok());
}

/// What the person thought of the help, and what the help was, cannot be left out by oversight: an
/// answer that there is none is an answer, and another one than silence.
#[test]
fn the_persons_word_is_asked_for_at_closing_and_what_was_given_when_it_was() {
    let accepted = vec![event("sg", 0, Kind::Sent, None), event("ph", 3, Kind::Accepted, Some(0))];
    let open = book(accepted.clone());
    let ph = origin("ph");
    let deliver = |result: v1::DeliveryResult, services: &[v1::ServiceCategory]| {
        let services_delivered = services.iter().map(|service| *service as i32).collect();
        let delivered = v1::ServiceDelivered { result: result as i32, services_delivered };
        decide(open.get(&id()), Command::Deliver(delivered), &context(&ph, ""))
    };
    use v1::{DeliveryResult as R, Feedback as F, Outcome as O, ServiceCategory as S};
    for given in [R::Fully, R::Partly] {
        assert_eq!(wrong(deliver(given, &[])), ["services_delivered"]);
        assert!(deliver(given, &[S::Cash, S::FamilyContact]).is_ok());
    }
    assert!(deliver(R::Not, &[]).is_ok());
    assert_eq!(wrong(deliver(R::Not, &[S::Cash])), ["services_delivered"]);

    let delivered = event("ph", 4, Kind::ServiceDelivered, Some(0));
    let done = book(accepted.into_iter().chain([delivered]));
    let sg = origin("sg");
    let close = |outcome: i32, feedback: i32| {
        let closed = v1::Closed { outcome, feedback };
        decide(done.get(&id()), Command::Close(closed), &context(&sg, ""))
    };
    let met = O::NeedMet as i32;
    assert_eq!(wrong(close(met, 0)), ["feedback"]);
    assert_eq!(wrong(close(0, F::Satisfied as i32)), ["outcome"]);
    let why = close(met, 0).unwrap_err().to_string();
    assert!(why.contains("satisfied, partly_satisfied, not_satisfied, not_given"), "{why}");
    for said in [F::Satisfied, F::NotSatisfied, F::NotGiven] {
        assert!(close(met, said as i32).is_ok());
    }
}

#[test]
fn a_reason_to_decline_is_the_societys_the_persons_or_neithers() {
    use codes::{Code as _, Reason, reason_of};
    let of = |code: &v1::DeclineCode| reason_of(*code).map(Reason::name);
    let by = |whose| v1::DeclineCode::ALL.iter().filter(move |code| of(code) == whose);
    let names = |whose| by(whose).map(|code| code.name()).collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(Some("provider")),
        "no_capacity waitlist not_eligible outside_area service_unavailable \
         insufficient_information duplicate unsafe consent_invalid wrong_recipient"
    );
    assert_eq!(names(Some("person")), "person_declined person_unreachable");
    assert_eq!(names(None), "other");
}

#[test]
fn case_codes_are_hidden_under_the_senders_secret() {
    let digest = |secret: [u8; 32], by: &str, code: &str| case_digest(&secret, society(by), code);
    let one = digest([1; 32], "sg", "SG-1");
    assert_eq!(one.len(), 32);
    for alike in ["SG-1", "sg 1", " SG‑1 "] {
        assert_eq!(one, digest([1; 32], "sg", alike), "{alike:?}");
    }
    for other in [
        digest([2; 32], "sg", "SG-1"),
        digest([1; 32], "ph", "SG-1"),
        digest([1; 32], "sg", "SG-2"),
    ] {
        assert_ne!(one, other);
    }
    assert!(digest([1; 32], "sg", "").is_empty() && digest([1; 32], "sg", " ").is_empty());
}

/// Sent to ph on that basis, with that word of the person's on record, and acknowledged.
fn sent_on(basis: v1::LegalBasis, consent: Option<v1::Consent>) -> Book {
    let mut sent = event("sg", 0, Kind::Sent, None);
    sent.body.transition =
        Some(Transition::Sent(v1::Sent { legal_basis: basis as i32, consent, ..sent_body() }));
    book([sent, event("ph", 0, Kind::Acknowledged, Some(0))])
}

#[test]
fn a_case_goes_on_no_further_than_the_persons_word_on_whatever_basis_it_came() {
    use v1::LegalBasis::{Consent, VitalInterest};
    let to_both = || v1::Consent { recipients: vec!["ph".into(), "qa".into()], ..consent() };
    let refused = || v1::Consent { status: v1::ConsentStatus::Refused as i32, ..to_both() };
    let ended = || v1::Consent { expires_at: 1, ..to_both() };
    let other_use = || v1::Consent { purposes: vec![99], ..to_both() };
    for (basis, word, may) in [
        (Consent, Some(to_both()), true),
        (Consent, Some(consent()), false),
        (VitalInterest, Some(to_both()), true),
        (VitalInterest, Some(consent()), false),
        (VitalInterest, Some(refused()), false),
        (VitalInterest, Some(ended()), false),
        (VitalInterest, Some(other_use()), false),
        (VitalInterest, None, false),
    ] {
        let book = sent_on(basis, word.clone());
        let onward = v1::Onward { receiver: "qa".into(), referral_id: vec![1; 16] };
        let from = origin("ph");
        let decided = decide(book.get(&id()), Command::PassOn(onward), &context(&from, ""));
        match decided {
            Ok(_) => assert!(may, "{basis:?} {word:?}"),
            Err(Refusal::Consent(_)) => assert!(!may && word.is_some(), "{basis:?} {word:?}"),
            Err(Refusal::Unasked) => assert!(!may && word.is_none(), "{basis:?} {word:?}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Sent on another basis than theirs, beyond their word: that society gets no more of it than was approved, until
/// the person agrees that it may.
#[test]
fn what_another_society_or_use_was_allowed_lets_nothing_be_told_later() {
    let elsewhere = v1::Consent { recipients: vec!["my".into()], ..consent() };
    let other_use = v1::Consent { purposes: vec![v1::Purpose::FamilyLinks as i32], ..consent() };
    for (word, may) in [(consent(), true), (elsewhere, false), (other_use, false)] {
        let mut book = sent_on(v1::LegalBasis::VitalInterest, Some(word.clone()));
        book.apply(event("ph", 1, Kind::InformationRequested, Some(0)));
        let later = |book: &Book| {
            let answer = v1::InformationProvided { information_disclosed: vec!["risk".into()] };
            let first = EventRef { origin: origin("sg"), index: 0 }.to_seen();
            let anew = v1::Corrected { event: Some(first), information_disclosed: Vec::new() };
            [
                (Command::ProvideInformation(answer), "he fell"),
                (Command::Correct(anew, Some(Box::new(content()))), ""),
                (Command::Attach(letter()), ""),
            ]
            .map(|(command, note)| {
                let from = origin("sg");
                decide(book.get(&id()), command, &context(&from, note)).map(|_| ())
            })
        };
        for told in later(&book) {
            match may {
                true => assert_eq!(told, Ok(()), "{word:?}"),
                false => assert!(matches!(told, Err(Refusal::Consent(_))), "{told:?} {word:?}"),
            }
        }
        book.apply(event("sg", 1, Kind::ConsentRenewed, Some(1)));
        assert_eq!(later(&book), [Ok(()), Ok(()), Ok(())], "{word:?}");
    }
}

/// What an answer discloses is what was asked for, unless it is named.
#[test]
fn an_answer_discloses_what_was_asked_and_no_more_than_the_person_agreed_to() {
    let answer = |asked: &[&str], named: &[&str], agreed: &[&str]| {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let word = v1::Consent { fields: texts(agreed), ..consent() };
        let mut book = sent_on(v1::LegalBasis::Consent, Some(word));
        let mut question = event("ph", 1, Kind::InformationRequested, Some(0));
        let fields = texts(asked);
        question.body.transition =
            Some(Transition::InformationRequested(v1::InformationRequested { fields }));
        book.apply(question);
        let given = v1::InformationProvided { information_disclosed: texts(named) };
        let from = origin("sg");
        let decided = decide(
            book.get(&id()),
            Command::ProvideInformation(given),
            &context(&from, "at ward 12"),
        );
        decided.map(|event| match event.transition {
            Some(Transition::InformationProvided(given)) => given.information_disclosed,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(answer(&["person.safe_contact"], &[], &[]).unwrap(), ["person.safe_contact"]);
    assert_eq!(answer(&["person.safe_contact"], &["risk"], &[]).unwrap(), ["risk"]);
    assert_eq!(answer(&[], &[], &[]).unwrap(), ["reason"]);
    for (asked, named) in [(&["person.safe_contact"][..], &[][..]), (&[], &["risk"]), (&[], &[])] {
        let refused = answer(asked, named, &["person.name"]);
        assert!(matches!(refused, Err(Refusal::Consent(_))), "{refused:?}");
    }
}

/// Nobody can tell what a note says of a person.
#[test]
fn no_note_goes_with_a_step_once_the_consent_has_ended() {
    let book = sent_on(v1::LegalBasis::Consent, Some(v1::Consent { expires_at: 1, ..consent() }));
    let step = |by: &str, command: Command, note: &str| {
        let from = origin(by);
        decide(book.get(&id()), command, &context(&from, note))
    };
    assert!(step("ph", Command::Accept, "").is_ok());
    assert!(matches!(step("ph", Command::Accept, "she is at home"), Err(Refusal::Consent(_))));
    let withdraw = || Command::Withdraw(v1::Withdrawn { code: 1 });
    assert!(matches!(step("sg", withdraw(), "she has left"), Err(Refusal::Consent(_))));
    assert!(step("sg", withdraw(), "").is_ok());
    let declined = v1::Declined { code: v1::DeclineCode::Other as i32 };
    assert!(step("ph", Command::Decline(declined), "we have closed").is_ok());
}
