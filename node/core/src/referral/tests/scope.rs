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
    assert!(CATEGORIES.iter().all(|name| listed(&name)), "{:?}", sent.information_disclosed);
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
