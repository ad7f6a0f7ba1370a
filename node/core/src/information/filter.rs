//! Which shares somebody looks for.
//!
//! Invariant: a filter that is left empty lets everything through. A share that names no stage is of
//! every stage, and one without days is in force; a country or a language must be named to be found.
//! What is coded can be told from the record ([`Filter::codes`]); words need the texts
//! ([`Filter::words`]), which of an addressed share are in its content.

use tutti_proto::v1;

use super::Share;
use crate::fields;

/// What is looked for; what is empty or 0 does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// The number of a kind.
    pub kind: i32,
    /// A country that it concerns, ISO 3166-1 alpha-2 in lower case.
    pub country: &'a str,
    /// The number of a stage; a share that names none is of every stage.
    pub stage: i32,
    /// A language that it is written in or was translated into, ISO 639-3.
    pub language: &'a str,
    /// Words, each of which must stand in a text, a translation, the jurisdiction or the legal
    /// reference. Capitals make no difference.
    pub search: &'a str,
    /// A day, `YYYY-MM-DD`, on which it is in force: it has begun and has not ended. A share without
    /// a day has begun, and does not end.
    pub in_force_on: &'a str,
    /// The number of a verification.
    pub verification: i32,
    /// The number of a severity: as serious as that, or more.
    pub severity_at_least: i32,
    /// The number of an audience.
    pub audience: i32,
}

impl<'a> Filter<'a> {
    /// Whether a share fits, by all but its words.
    ///
    /// # Errors
    /// In words, where the filter is none that anything could fit.
    pub fn codes(self) -> Result<impl Fn(&Share) -> bool + 'a, String> {
        if !self.in_force_on.is_empty() && fields::date_to_seconds(self.in_force_on).is_none() {
            return Err("in_force_on: is not a day that exists, YYYY-MM-DD".into());
        }
        let is = |wanted: &str, found: &dyn Fn(&str) -> bool| wanted.is_empty() || found(wanted);
        let same = |wanted: i32, found: i32| wanted == 0 || wanted == found;
        Ok(move |share: &Share| {
            let version = &share.version;
            same(self.kind, version.kind)
                && same(self.verification, version.verification)
                && same(self.audience, version.audience)
                && version.severity >= self.severity_at_least
                && (version.stage == 0 || same(self.stage, version.stage))
                && is(self.country, &|code| version.countries.iter().any(|own| own == code))
                && is(self.language, &|code| has_language(share, code))
                && is(self.in_force_on, &|day| {
                    !share.is_yet_to_begin(day) && !share.has_expired(day)
                })
        })
    }

    /// Whether these texts have all words that are looked for.
    pub fn words(self) -> impl Fn(&v1::InformationVersion, &[v1::LocalText]) -> bool {
        let words: Vec<String> = self.search.split_whitespace().map(str::to_lowercase).collect();
        move |version, translations| words.is_empty() || has_all(version, translations, &words)
    }
}

fn has_language(share: &Share, code: &str) -> bool {
    let translated = |response: &super::Response| match &response.event.body.transition {
        Some(v1::information_event::Transition::Translated(translated)) => {
            translated.text.as_ref().is_some_and(|text| text.language == code)
        }
        _ => false,
    };
    share.version.texts.iter().any(|text| text.language == code)
        || share.translations().iter().any(translated)
}

fn has_all(
    version: &v1::InformationVersion,
    translations: &[v1::LocalText],
    words: &[String],
) -> bool {
    let parts = |text: &'_ v1::LocalText| {
        let v1::LocalText { title, summary, text, results, how_to_repeat, .. } = text;
        [title, summary, text, results, how_to_repeat].map(|text| text.to_lowercase())
    };
    let more = [&version.jurisdiction, &version.legal_reference].map(|text| text.to_lowercase());
    let texts = version.texts.iter().chain(translations).flat_map(parts);
    let all: Vec<String> = texts.chain(more).collect();
    words.iter().all(|word| all.iter().any(|text| text.contains(word)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::information::tests::{book, event, id, published};

    fn version() -> v1::InformationVersion {
        let text = |language: &str, title: &str| v1::LocalText {
            language: language.into(),
            title: title.into(),
            text: "Passports stay with their owners.".into(),
            ..Default::default()
        };
        v1::InformationVersion {
            kind: v1::InformationKind::LegalChange as i32,
            texts: vec![text("eng", "New Law on ÉMIGRATION"), text("tgl", "Bagong batas")],
            countries: vec!["ph".into(), "qa".into()],
            stage: v1::JourneyStage::Destination as i32,
            severity: v1::Severity::Warning as i32,
            verification: v1::Verification::Verified as i32,
            audience: v1::Audience::Migrants as i32,
            legal_reference: "Law 21 of 2026".into(),
            effective_on: "2026-03-01".into(),
            expires_on: "2026-12-31".into(),
            ..Default::default()
        }
    }

    #[test]
    fn each_field_narrows_and_none_does_not() {
        let translated = v1::LocalText {
            language: "hin".into(),
            title: "naya kanoon".into(),
            ..Default::default()
        };
        let translation = v1::information_event::Transition::Translated(v1::Translated {
            text: Some(translated.clone()),
        });
        let book = book([published(version()), event("ph", 1, translation)]);
        let share = book.get(&id()).unwrap();
        let fits = |filter: Filter| {
            filter.codes().unwrap()(share)
                && filter.words()(&share.version, std::slice::from_ref(&translated))
        };
        let none = Filter::default();
        assert!(fits(none));
        for (filter, expected) in [
            (Filter { kind: v1::InformationKind::LegalChange as i32, ..none }, true),
            (Filter { kind: v1::InformationKind::Report as i32, ..none }, false),
            (Filter { verification: v1::Verification::Verified as i32, ..none }, true),
            (Filter { verification: v1::Verification::Official as i32, ..none }, false),
            (Filter { audience: v1::Audience::Migrants as i32, ..none }, true),
            (Filter { audience: v1::Audience::Families as i32, ..none }, false),
            (Filter { severity_at_least: v1::Severity::Advisory as i32, ..none }, true),
            (Filter { severity_at_least: v1::Severity::Warning as i32, ..none }, true),
            (Filter { severity_at_least: v1::Severity::Critical as i32, ..none }, false),
            (Filter { country: "qa", ..none }, true),
            (Filter { country: "sg", ..none }, false),
            (Filter { stage: v1::JourneyStage::Destination as i32, ..none }, true),
            (Filter { stage: v1::JourneyStage::Return as i32, ..none }, false),
            (Filter { language: "tgl", ..none }, true),
            (Filter { language: "hin", ..none }, true),
            (Filter { language: "arb", ..none }, false),
            (Filter { search: "émigration LAW passports", ..none }, true),
            (Filter { search: "21 batas", ..none }, true),
            (Filter { search: "kanoon", ..none }, true),
            (Filter { search: "law wages", ..none }, false),
            (Filter { in_force_on: "2026-02-28", ..none }, false),
            (Filter { in_force_on: "2026-03-01", ..none }, true),
            (Filter { in_force_on: "2026-12-31", ..none }, true),
            (Filter { in_force_on: "2027-01-01", ..none }, false),
        ] {
            assert_eq!(fits(filter), expected, "{filter:?}");
        }
        let mut open = share.clone();
        open.version = v1::InformationVersion::default();
        let filter = Filter { stage: 1, in_force_on: "2026-01-01", ..none };
        assert!(filter.codes().unwrap()(&open), "of every stage, at all times");
        for day in ["2026-02-30", "yesterday", "2026-1-1"] {
            assert!(Filter { in_force_on: day, ..none }.codes().is_err(), "{day}");
        }
    }
}
