#![allow(clippy::unwrap_used)]

use tutti_proto::v1;

use super::*;
use crate::referral::codes::Code;

fn names<C: Code>() -> Vec<&'static str> {
    C::NAMES.to_vec()
}

#[test]
fn every_language_has_a_word_for_every_code_and_field() {
    let mut codes = Vec::new();
    codes.extend(names::<v1::ServiceCategory>());
    codes.extend(names::<v1::Vulnerability>());
    codes.extend(names::<v1::Purpose>());
    codes.extend(names::<v1::Restriction>());
    codes.extend(names::<v1::JourneyStage>());
    codes.extend(names::<v1::Sex>());
    codes.extend(names::<v1::AgeBand>());
    codes.extend(names::<v1::ConsentForm>());
    codes.extend(names::<v1::ConsentGiver>());
    codes.extend(names::<v1::LegalBasis>());
    codes.extend(names::<v1::OverrideReason>());
    codes.extend(names::<v1::Feedback>());
    codes.extend(crate::referral::State::ALL.iter().map(|state| state.name()));
    for language in Language::ALL {
        let words = language.words();
        for field in crate::referral::FIELDS {
            assert_ne!(words.field(field), words.other_field, "{language:?}: {field}");
        }
        for code in &codes {
            // What English has no better words for is its own name.
            let known = language == Language::English || find(words.codes, code).is_some();
            assert!(known, "{language:?} has no word for {code}");
        }
    }
}

#[test]
fn every_language_fills_the_places_that_english_fills() {
    fn places(sentence: &str) -> Vec<&str> {
        let mut places: Vec<&str> =
            sentence.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        places.sort_unstable();
        places
    }
    let sentences = |words: &Words| {
        [
            words.title,
            words.lead,
            words.confirmed,
            words.unconfirmed,
            words.parties,
            words.parties_onward,
            words.never,
            words.their_desk,
            words.not_here,
            words.wrote,
            words.file,
            words.withheld,
            words.from,
            words.now_in,
            words.to,
            words.kept,
            words.withdraw_text,
            words.footer,
        ]
    };
    let english = sentences(Language::English.words());
    for language in Language::ALL {
        for (ours, theirs) in english.iter().zip(sentences(language.words())) {
            assert_eq!(places(ours), places(theirs), "{language:?}: {theirs}");
        }
    }
}

#[test]
fn a_language_is_known_by_either_code() {
    for language in Language::ALL {
        assert_eq!(Language::parse(language.code()), Some(language));
    }
    assert_eq!(Language::parse("ara"), Some(Language::Arabic));
    assert_eq!(Language::parse("xx"), None);
}
