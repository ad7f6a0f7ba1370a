//! Finding a case: by what its record says, and by its case code and the person's name.
//!
//! Invariant: pure; nothing that is looked for or found is kept. Whether a content is opened for it, and for
//! whom, is the node's to decide: [`Search::beyond`] says whether that is needed at all.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use tutti_proto::v1;

use super::{Referral, codes, words::compared};
use crate::limits::LINE_CHARS_MAX;

/// Digits of a referral's number by which it is meant; fewer are anything's.
const ID_CHARS_MIN: usize = 4;

/// Words by which a case is looked for. Each must stand in it somewhere: in what its record says, or, where
/// that does not answer, in its case code or the person's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(Vec<String>);

impl Search {
    /// `None` where there is nothing to look for; a text is refused that is longer than a line.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.chars().count() > LINE_CHARS_MAX {
            return Err(format!("search: at most {LINE_CHARS_MAX} characters"));
        }
        let words = text.split_whitespace().map(compared_loosely);
        let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        Ok((!words.is_empty()).then_some(Self(words)))
    }

    /// The words that the record does not answer: it answers to a society's code, a state, a service asked
    /// for or the first digits of the referral's number, as lists show them.
    pub fn beyond(&self, referral: &Referral) -> Vec<&str> {
        let id = referral.id.to_string();
        let whole = [referral.sender.as_str(), referral.receiver.as_str()];
        let services = referral.sent.services_requested.iter();
        let services = services.map(|service| codes::name::<v1::ServiceCategory>(*service));
        let said: Vec<String> =
            services.chain([referral.state.name()]).map(compared_loosely).collect();
        let answers = |word: &&String| {
            whole.contains(&word.as_str())
                || word.len() >= ID_CHARS_MIN && id.starts_with(word.as_str())
                || said.iter().any(|said| is_part(said, word))
        };
        self.0.iter().filter(|word| !answers(word)).map(String::as_str).collect()
    }

    /// Whether all of these words stand in the case's code or the person's name.
    pub fn all_in(words: &[&str], content: &v1::ReferralContent) -> bool {
        let name = content.person.as_ref().map_or("", |person| person.name.as_str());
        let held = [name, content.case_code.as_str()].map(compared_loosely);
        words.iter().all(|word| held.iter().any(|text| text.contains(word)))
    }
}

/// Whether a word is a code, or one part of it: `wage` of `wage-claim-labour-dispute`.
fn is_part(code: &str, word: &str) -> bool {
    code == word || code.split('-').any(|part| part == word)
}

/// As case codes are compared, and without the accents of Latin letters: for finding somebody, where too
/// much is better than nothing.
fn compared_loosely(text: &str) -> String {
    let text = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let is_accent = |char: &char| ('\u{300}'..='\u{36f}').contains(char);
    let bare: String = text.chars().filter(|char| !is_accent(char)).collect();
    compared(&ComposingNormalizerBorrowed::new_nfkc().normalize(&bare))
}
