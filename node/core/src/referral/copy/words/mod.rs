//! Our own words on the page, in each language that it can be made in; one file a language. A
//! language is whole or is not here: [`Words`] has no default, and a test asks for every code.

mod ar;
mod en;
mod es;
mod fr;
mod th;

/// A language of the page's own words. What the case says stays as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Arabic.
    Arabic,
    /// English, in which the words were first written.
    English,
    /// Spanish.
    Spanish,
    /// French.
    French,
    /// Thai.
    Thai,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// As English.
    LeftToRight,
    /// As Arabic.
    RightToLeft,
}

impl Language {
    /// All of them, by their codes.
    pub const ALL: [Self; 5] =
        [Self::Arabic, Self::English, Self::Spanish, Self::French, Self::Thai];

    /// Its code: BCP 47, as ISO 639-1 has it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Arabic => "ar",
            Self::English => "en",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Thai => "th",
        }
    }

    /// The language with that code, ISO 639-1 or -3 (`ar` or `ara`).
    pub fn parse(code: &str) -> Option<Self> {
        let long = match code {
            "ara" => "ar",
            "eng" => "en",
            "spa" => "es",
            "fra" => "fr",
            "tha" => "th",
            short => short,
        };
        Self::ALL.into_iter().find(|language| language.code() == long)
    }

    /// Where its lines begin.
    pub fn direction(self) -> Direction {
        match self {
            Self::Arabic => Direction::RightToLeft,
            Self::English | Self::Spanish | Self::French | Self::Thai => Direction::LeftToRight,
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::Arabic => &ar::WORDS,
            Self::English => &en::WORDS,
            Self::Spanish => &es::WORDS,
            Self::French => &fr::WORDS,
            Self::Thai => &th::WORDS,
        }
    }
}

/// Every sentence and label of the page. `{place}` is filled; each must stand where English has it.
#[derive(Debug)]
pub(super) struct Words {
    /// {number}
    pub(super) title: &'static str,
    pub(super) heading: &'static str,
    /// {sender} {receiver}
    pub(super) lead: &'static str,
    pub(super) erased: &'static str,
    pub(super) erased_text: &'static str,
    /// {list}
    pub(super) confirmed: &'static str,
    /// {list}
    pub(super) unconfirmed: &'static str,
    pub(super) to_whom: &'static str,
    /// {sender} {receiver}
    pub(super) parties: &'static str,
    /// {sender} {receiver} {list}
    pub(super) parties_onward: &'static str,
    pub(super) others: &'static str,
    /// {list}
    pub(super) never: &'static str,
    /// {receiver}
    pub(super) their_desk: &'static str,
    pub(super) desk_name: &'static str,
    pub(super) desk_telephone: &'static str,
    pub(super) desk_email: &'static str,
    pub(super) desk_other: &'static str,
    pub(super) desk_hours: &'static str,
    pub(super) desk_languages: &'static str,
    pub(super) what: &'static str,
    /// {list}
    pub(super) not_here: &'static str,
    /// {who} {day}
    pub(super) wrote: &'static str,
    /// {who} {day} {what}
    pub(super) file: &'static str,
    pub(super) noted: &'static str,
    /// {list}
    pub(super) withheld: &'static str,
    pub(super) countries: &'static str,
    pub(super) appointments: &'static str,
    pub(super) delivered: &'static str,
    pub(super) feedback: &'static str,
    /// {country}
    pub(super) from: &'static str,
    /// {country}
    pub(super) now_in: &'static str,
    /// {country}
    pub(super) to: &'static str,
    pub(super) why: &'static str,
    pub(super) requested: &'static str,
    pub(super) used_for: &'static str,
    pub(super) allowed_by: &'static str,
    pub(super) beyond: &'static str,
    pub(super) agreed: &'static str,
    pub(super) who_agreed: &'static str,
    pub(super) how_agreed: &'static str,
    pub(super) explained_on: &'static str,
    pub(super) for_whom: &'static str,
    pub(super) agreed_fields: &'static str,
    /// Where no fields are named.
    pub(super) everything: &'static str,
    pub(super) purposes: &'static str,
    pub(super) agreed_until: &'static str,
    pub(super) until: &'static str,
    pub(super) not_kept: &'static str,
    pub(super) as_agreed: &'static str,
    /// {day}
    pub(super) kept: &'static str,
    pub(super) withdraw: &'static str,
    /// {sender} {receiver}
    pub(super) withdraw_text: &'static str,
    pub(super) whom_to_ask: &'static str,
    pub(super) how_to_reach: &'static str,
    pub(super) number: &'static str,
    /// {id} {sent} {made} {state}
    pub(super) footer: &'static str,
    pub(super) yes: &'static str,
    pub(super) comma: &'static str,
    pub(super) and: &'static str,
    pub(super) other_field: &'static str,
    /// What is told of a person, as `FIELDS` has it.
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// Codes of every list that the page shows, and states.
    pub(super) codes: &'static [(&'static str, &'static str)],
}

impl Words {
    /// A field of the case.
    pub(super) fn field(&self, name: &str) -> &'static str {
        find(self.fields, name).unwrap_or(self.other_field)
    }

    /// A code as words: `food_nutrition` is "food nutrition" where nothing better is known.
    pub(super) fn code(&self, code: &str) -> String {
        find(self.codes, code).map_or_else(|| code.replace('_', " "), str::to_owned)
    }
}

fn find(table: &'static [(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(key, _)| *key == name).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests;
