//! The person's own copy: one page that says what was passed on, to whom, why, until when, and how
//! to take consent back, in the language that the person reads. [`page`] says what stands in it,
//! [`html`] gives that to a browser; what gives it to paper needs fonts, and is the node's.
//!
//! Invariants: whose words they are goes with every piece of text, and a text by others keeps its
//! direction to itself, so that Arabic in an English page (or a trick with directions) disturbs
//! nothing around it.

mod html;
mod page;
mod words;

use tutti_proto::v1;

use super::codes::{self, Code};
use crate::{fields::seconds_to_date, roster::Desk};
pub use html::html;
pub use page::{Block, Line, Page, Piece, Weight};
use words::Words;
pub use words::{Direction, Language};

/// What the page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// The referral's id.
    pub id: &'a str,
    /// The societies' names, as the person knows them.
    pub sender: &'a str,
    /// To whom it was sent.
    pub receiver: &'a str,
    /// How the receiver's referral desk is reached, where that is known.
    pub desk: Option<&'a Desk>,
    /// As it was sent.
    pub sent: &'a v1::Sent,
    /// When, seconds since the Unix epoch.
    pub sent_at: u64,
    /// The name of the state it is in, `in_progress`.
    pub state: &'a str,
    /// The case; `None` where it was erased or cannot be read.
    pub content: Option<&'a v1::ReferralContent>,
    /// Answers and notes that went along later: by whom, on which day (seconds), the text.
    pub notes: &'a [(String, u64, String)],
    /// Files that went along: from whom, on which day (seconds), and what it is, a code of
    /// [`v1::AttachmentKind`] by its name.
    pub files: &'a [(String, u64, String)],
    /// What has come of it.
    pub done: &'a Done,
    /// The consent that holds now.
    pub consent: Option<&'a v1::Consent>,
    /// Third societies to whom it was passed on.
    pub onward: &'a [String],
    /// Until when it may be kept, seconds since the Unix epoch; 0 where that is not known.
    pub kept_until: u64,
    /// Where it was erased: since when, seconds, and which societies have confirmed.
    pub erased: Option<&'a Erased>,
    /// When the page was made, seconds since the Unix epoch.
    pub made_at: u64,
}

/// What has come of the referral, as the societies have noted it.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// When the person and the society meet, in the zone of whoever makes the page.
    pub appointments: Vec<String>,
    /// Services that were delivered, numbers of [`v1::ServiceCategory`].
    pub delivered: Vec<i32>,
    /// The person's own word on the help, a number of [`v1::Feedback`]; 0 where none is noted.
    pub feedback: i32,
}

/// That the case was erased.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    /// Those that have confirmed.
    pub confirmed: Vec<String>,
    /// Those that have not.
    pub open: Vec<String>,
}

/// What the page says, in that language; what the case says stays as it was written.
pub fn page(copy: &Copy, language: Language) -> Page {
    let words = language.words();
    let sender = ("sender", Line::theirs(copy.sender));
    let receiver = ("receiver", Line::theirs(copy.receiver));
    let number = copy.id.get(..8).unwrap_or(copy.id);
    let mut blocks = vec![
        Block::Title(Line::ours(words.heading)),
        Block::Lead(Line::fill(words.lead, &[sender, receiver])),
    ];
    if let Some(erased) = copy.erased {
        erasure(&mut blocks, words, erased);
    }
    to_whom(&mut blocks, words, copy);
    what(&mut blocks, words, copy);
    why(&mut blocks, words, copy);
    until(&mut blocks, words, copy);
    how_to_withdraw(&mut blocks, words, copy, number);
    let day = |seconds| Line::ours(&seconds_to_date(seconds));
    blocks.push(Block::Footer(Line::fill(
        words.footer,
        &[
            ("id", Line::theirs(copy.id)),
            ("sent", day(copy.sent_at)),
            ("made", day(copy.made_at)),
            ("state", Line::ours(&words.code(copy.state))),
        ],
    )));
    Page { language, title: words.title.replace("{number}", number), blocks }
}

fn erasure(blocks: &mut Vec<Block>, words: &Words, erased: &Erased) {
    blocks.push(Block::Section(Weight::Erased, Line::ours(words.erased)));
    let mut line = Line::ours(words.erased_text);
    if !erased.confirmed.is_empty() {
        let names = list(words, &erased.confirmed);
        line = line.then(Line::fill(words.confirmed, &[("list", names)]));
    }
    if !erased.open.is_empty() {
        let names = list(words, &erased.open);
        line = line.then(Line::fill(words.unconfirmed, &[("list", names)]).strong());
    }
    blocks.push(Block::Paragraph(line));
}

fn to_whom(blocks: &mut Vec<Block>, words: &Words, copy: &Copy) {
    blocks.push(Block::Section(Weight::Plain, Line::ours(words.to_whom)));
    let sentence = if copy.onward.is_empty() { words.parties } else { words.parties_onward };
    let parties = Line::fill(
        sentence,
        &[
            ("sender", Line::theirs(copy.sender)),
            ("receiver", Line::theirs(copy.receiver)),
            ("list", list(words, copy.onward)),
        ],
    );
    blocks.push(Block::Paragraph(parties.then(Line::ours(words.others))));
    if !copy.sent.restrictions.is_empty() {
        let never = copy.sent.restrictions.iter();
        let never: Vec<String> =
            never.map(|code| words.code(codes::name::<v1::Restriction>(*code))).collect();
        let never = list(words, &never);
        blocks.push(Block::Paragraph(Line::fill(words.never, &[("list", never)])));
    }
    let Some(desk) = copy.desk else { return };
    let receiver = [("receiver", Line::theirs(copy.receiver))];
    blocks.push(Block::Heading(Line::fill(words.their_desk, &receiver)));
    pairs(
        blocks,
        vec![
            (words.desk_name, desk.name.clone()),
            (words.desk_telephone, desk.telephone.clone()),
            (words.desk_email, desk.email.clone()),
            (words.desk_other, desk.other.clone()),
            (words.desk_hours, desk.hours.clone()),
            (words.desk_languages, desk.languages.clone()),
        ],
    );
}

fn what(blocks: &mut Vec<Block>, words: &Words, copy: &Copy) {
    blocks.push(Block::Section(Weight::Plain, Line::ours(words.what)));
    let fields = |names: &[String]| -> Line {
        let names: Vec<String> = names.iter().map(|name| words.field(name).to_owned()).collect();
        list(words, &names)
    };
    match copy.content {
        Some(content) => pairs(blocks, values(words, content)),
        None => {
            // What the record tells is here still, below.
            let gone = |name: &&String| !super::CATEGORIES.contains(&name.as_str());
            let gone: Vec<String> =
                copy.sent.information_disclosed.iter().filter(gone).cloned().collect();
            let names = fields(&gone);
            blocks.push(Block::Paragraph(Line::fill(words.not_here, &[("list", names)])));
        }
    }
    for (by, day, note) in copy.notes {
        let day = Line::ours(&seconds_to_date(*day));
        let wrote = Line::fill(words.wrote, &[("who", Line::theirs(by)), ("day", day)]);
        blocks.push(Block::Heading(wrote));
        blocks.push(Block::Text(note.clone()));
    }
    for (by, day, kind) in copy.files {
        let day = Line::ours(&seconds_to_date(*day));
        let what = Line::ours(words.field(&format!("attachment.{kind}")));
        let places = [("who", Line::theirs(by)), ("day", day), ("what", what)];
        blocks.push(Block::Paragraph(Line::fill(words.file, &places)));
    }
    blocks.push(Block::Heading(Line::ours(words.noted)));
    let age = words.code(codes::name::<v1::AgeBand>(copy.sent.age_band));
    pairs(
        blocks,
        vec![
            (words.field("category.stage"), names::<v1::JourneyStage>(words, &[copy.sent.stage])),
            (words.countries, countries(words, copy.sent)),
            (
                words.field("category.vulnerabilities"),
                names::<v1::Vulnerability>(words, &copy.sent.vulnerabilities),
            ),
            (words.field("category.age_band"), age),
            (words.field("category.sex"), names::<v1::Sex>(words, &[copy.sent.sex])),
            (words.appointments, copy.done.appointments.join(words.comma)),
            (words.delivered, names::<v1::ServiceCategory>(words, &copy.done.delivered)),
            (words.feedback, names::<v1::Feedback>(words, &[copy.done.feedback])),
        ],
    );
    if !copy.sent.information_withheld.is_empty() {
        let names = fields(&copy.sent.information_withheld);
        blocks.push(Block::Paragraph(Line::fill(words.withheld, &[("list", names)])));
    }
}

fn why(blocks: &mut Vec<Block>, words: &Words, copy: &Copy) {
    let sent = copy.sent;
    let overridden: Vec<i32> = sent.consent_override.iter().map(|given| given.reason).collect();
    blocks.push(Block::Section(Weight::Plain, Line::ours(words.why)));
    pairs(
        blocks,
        vec![
            (words.requested, names::<v1::ServiceCategory>(words, &sent.services_requested)),
            (
                words.field("category.services_provided"),
                names::<v1::ServiceCategory>(words, &sent.services_provided),
            ),
            (words.used_for, names::<v1::Purpose>(words, &[sent.purpose])),
            (words.allowed_by, names::<v1::LegalBasis>(words, &[sent.legal_basis])),
            (words.beyond, names::<v1::OverrideReason>(words, &overridden)),
        ],
    );
    let agreed = |consent: &&v1::Consent| super::check::holds(Some(consent));
    let Some(consent) = copy.consent.filter(agreed) else { return };
    blocks.push(Block::Heading(Line::ours(words.agreed)));
    let fields: Vec<&str> = consent.fields.iter().map(|name| words.field(name)).collect();
    let fields = match fields.as_slice() {
        [] => words.everything.to_owned(),
        named => named.join(words.comma),
    };
    pairs(
        blocks,
        vec![
            (words.who_agreed, names::<v1::ConsentGiver>(words, &[consent.given_by])),
            (words.how_agreed, names::<v1::ConsentForm>(words, &[consent.form])),
            (words.explained_on, seconds_to_date(consent.explained_at)),
            (words.for_whom, consent.recipients.join(", ").to_uppercase()),
            (words.agreed_fields, fields),
            (words.purposes, names::<v1::Purpose>(words, &consent.purposes)),
            (words.agreed_until, seconds_to_date(consent.expires_at)),
        ],
    );
}

fn until(blocks: &mut Vec<Block>, words: &Words, copy: &Copy) {
    blocks.push(Block::Section(Weight::Plain, Line::ours(words.until)));
    blocks.push(Block::Paragraph(match (copy.erased, seconds_to_date(copy.kept_until)) {
        (Some(_), _) => Line::ours(words.not_kept),
        (None, day) if day.is_empty() => Line::ours(words.as_agreed),
        (None, day) => Line::fill(words.kept, &[("day", Line::ours(&day))]),
    }));
}

fn how_to_withdraw(blocks: &mut Vec<Block>, words: &Words, copy: &Copy, number: &str) {
    blocks.push(Block::Section(Weight::Withdraw, Line::ours(words.withdraw)));
    blocks.push(Block::Paragraph(Line::fill(
        words.withdraw_text,
        &[("sender", Line::theirs(copy.sender)), ("receiver", Line::theirs(copy.receiver))],
    )));
    let focal = copy.content.and_then(|content| content.focal_point.clone()).unwrap_or_default();
    pairs(
        blocks,
        vec![
            (words.whom_to_ask, focal.name),
            (words.how_to_reach, focal.contact),
            (words.number, number.to_owned()),
        ],
    );
}

/// The pairs that have a value.
fn pairs(blocks: &mut Vec<Block>, mut pairs: Vec<(&'static str, String)>) {
    pairs.retain(|(_, value)| !value.trim().is_empty());
    if !pairs.is_empty() {
        blocks.push(Block::Pairs(pairs));
    }
}

/// The fields of the case, by their names, in the order of the form.
fn values(words: &Words, content: &v1::ReferralContent) -> Vec<(&'static str, String)> {
    let person = content.person.clone().unwrap_or_default();
    let yes = |flag: bool| if flag { words.yes.to_owned() } else { String::new() };
    let age = if person.age == 0 { String::new() } else { person.age.to_string() };
    let values = [
        ("person.name", person.name),
        ("person.sex", words.code(codes::name::<v1::Sex>(person.sex))),
        ("person.age", age),
        ("person.nationality", person.nationality.to_uppercase()),
        ("person.languages", person.languages.join(", ")),
        ("person.interpreter_needed", yes(person.interpreter_needed)),
        ("person.disability", person.disability),
        ("person.safe_contact", person.safe_contact),
        ("person.safe_contact_times", person.safe_contact_times),
        ("person.caregiver", person.caregiver),
        ("person.separated_or_unaccompanied", yes(person.separated_or_unaccompanied)),
        ("person.dependants", person.dependants),
        ("reason", content.reason.clone()),
        ("risk", content.risk.clone()),
        ("services_already_provided", content.services_already_provided.clone()),
        ("consent_witness", content.consent_witness.clone()),
        ("case_code", content.case_code.clone()),
    ];
    values.into_iter().map(|(field, value)| (words.field(field), value)).collect()
}

fn countries(words: &Words, sent: &v1::Sent) -> String {
    let way = [
        (words.from, &sent.country_of_origin),
        (words.now_in, &sent.country_of_stay),
        (words.to, &sent.country_of_destination),
    ];
    let named = way.iter().filter(|(_, country)| !country.is_empty());
    named
        .map(|(phrase, country)| phrase.replace("{country}", &country.to_uppercase()))
        .collect::<Vec<_>>()
        .join(words.comma)
}

fn names<C: Code>(words: &Words, numbers: &[i32]) -> String {
    let known = numbers.iter().filter(|number| **number != 0);
    let names: Vec<String> = known.map(|number| words.code(codes::name::<C>(*number))).collect();
    names.join(words.comma)
}

fn list(words: &Words, items: &[String]) -> Line {
    Line::list(items, words.comma, words.and)
}

#[cfg(test)]
mod tests;
