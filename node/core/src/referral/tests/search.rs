use super::*;
use crate::limits::LINE_CHARS_MAX;

fn content(code: &str, name: &str) -> v1::ReferralContent {
    let person = v1::Person { name: name.into(), ..Default::default() };
    v1::ReferralContent { case_code: code.into(), person: Some(person), ..Default::default() }
}

#[test]
fn a_case_is_found_by_its_record_first_and_then_by_its_code_and_the_name() {
    let book = book([event("sg", 0, Kind::Sent, None)]);
    let referral = book.get(&id()).unwrap();
    let beyond = |text: &str| {
        let search = Search::parse(text).unwrap().unwrap();
        search.beyond(referral).join(" ")
    };
    let service = codes::name::<v1::ServiceCategory>(referral.sent.services_requested[0]);
    let number = id().to_string();
    assert_eq!(beyond(&format!("SG ph sent {service} {}", &number[..8])), "");
    assert_eq!(beyond(&number), "");
    assert_eq!(
        beyond(&format!("{} qa accepted sen", &number[..3])),
        format!("{} qa accepted sen", &number[..3])
    );
    assert_eq!(beyond("sg María  C-12"), "maria c-12");

    let held = content("SG-2025/C 12", "María-José Nguyễn de la Cruz");
    for found in ["maria", "jose nguyen", "CRUZ maria", "c-12", "sg-2025", "ＮＧＵＹỄＮ"] {
        let search = Search::parse(found).unwrap().unwrap();
        assert!(Search::all_in(&search.beyond(referral), &held), "{found}");
    }
    for none in ["mario", "maria santos", "c-13"] {
        let search = Search::parse(none).unwrap().unwrap();
        assert!(!Search::all_in(&search.beyond(referral), &held), "{none}");
    }
    assert_eq!(Search::parse(" \u{200b} - ").unwrap(), None);
    assert!(Search::parse(&"x".repeat(LINE_CHARS_MAX + 1)).is_err());
}
