//! Which shares somebody looks for.
//!
//! Invariant: a filter that is left empty lets everything through. A share that names no stage is of
//! every stage, and one without days is in force; a country or a language must be named to be found.

use tutti_proto::v1;

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
    /// A language that it is written in, ISO 639-3.
    pub language: &'a str,
    /// Words, each of which must stand in a text, the jurisdiction or the legal reference. Capitals
    /// make no difference.
    pub search: &'a str,
    /// A day, `YYYY-MM-DD`, on which it is in force: it has begun and has not ended. A share without
    /// a day has begun, and does not end.
    pub in_force_on: &'a str,
}

impl<'a> Filter<'a> {
    /// Whether a version fits.
    ///
    /// # Errors
    /// In words, where the filter is none that anything could fit.
    pub fn compile(self) -> Result<impl Fn(&v1::InformationVersion) -> bool + 'a, String> {
        if !self.in_force_on.is_empty() && fields::date_to_seconds(self.in_force_on).is_none() {
            return Err("in_force_on: is not a day that exists, YYYY-MM-DD".into());
        }
        let words: Vec<String> = self.search.split_whitespace().map(str::to_lowercase).collect();
        Ok(move |version: &v1::InformationVersion| {
            let is =
                |wanted: &str, found: &dyn Fn(&str) -> bool| wanted.is_empty() || found(wanted);
            (self.kind == 0 || version.kind == self.kind)
                && is(self.country, &|code| version.countries.iter().any(|own| own == code))
                && (self.stage == 0 || version.stage == 0 || version.stage == self.stage)
                && is(self.language, &|code| version.texts.iter().any(|text| text.language == code))
                && is(self.in_force_on, &|day| in_force(version, day))
                && has_all(version, &words)
        })
    }
}

/// Days in this form are in the order of their texts.
fn in_force(version: &v1::InformationVersion, day: &str) -> bool {
    let begun = version.effective_on.as_str() <= day;
    begun && (version.expires_on.is_empty() || day <= version.expires_on.as_str())
}

fn has_all(version: &v1::InformationVersion, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let texts = version.texts.iter().flat_map(|text| [&text.title, &text.summary, &text.text]);
    let more = [&version.jurisdiction, &version.legal_reference];
    let all: Vec<String> = texts.chain(more).map(|text| text.to_lowercase()).collect();
    words.iter().all(|word| all.iter().any(|text| text.contains(word)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
            legal_reference: "Law 21 of 2026".into(),
            effective_on: "2026-03-01".into(),
            expires_on: "2026-12-31".into(),
            ..Default::default()
        }
    }

    #[test]
    fn each_field_narrows_and_none_does_not() {
        let fits = |filter: Filter| filter.compile().unwrap()(&version());
        let none = Filter::default();
        assert!(fits(none));
        for (filter, expected) in [
            (Filter { kind: v1::InformationKind::LegalChange as i32, ..none }, true),
            (Filter { kind: v1::InformationKind::Report as i32, ..none }, false),
            (Filter { country: "qa", ..none }, true),
            (Filter { country: "sg", ..none }, false),
            (Filter { stage: v1::JourneyStage::Destination as i32, ..none }, true),
            (Filter { stage: v1::JourneyStage::Return as i32, ..none }, false),
            (Filter { language: "tgl", ..none }, true),
            (Filter { language: "arb", ..none }, false),
            (Filter { search: "émigration LAW passports", ..none }, true),
            (Filter { search: "21 batas", ..none }, true),
            (Filter { search: "law wages", ..none }, false),
            (Filter { in_force_on: "2026-02-28", ..none }, false),
            (Filter { in_force_on: "2026-03-01", ..none }, true),
            (Filter { in_force_on: "2026-12-31", ..none }, true),
            (Filter { in_force_on: "2027-01-01", ..none }, false),
        ] {
            assert_eq!(fits(filter), expected, "{filter:?}");
        }
        let open = v1::InformationVersion::default();
        let filter = Filter { stage: 1, in_force_on: "2026-01-01", ..none };
        assert!(filter.compile().unwrap()(&open), "of every stage, at all times");
        for day in ["2026-02-30", "yesterday", "2026-1-1"] {
            assert!(Filter { in_force_on: day, ..none }.compile().is_err(), "{day}");
        }
    }
}
