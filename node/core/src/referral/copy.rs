//! The person's own copy: one page that says what was passed on, to whom, why, until when, and how
//! to take consent back.
//!
//! It is plain HTML that a browser shows and prints: no script, nothing that is fetched, one style
//! that the page's own policy names by its hash. Invariants: every text by others is escaped here,
//! in one place, and stands in an element that keeps its direction to itself, so that Arabic in an
//! English page (or a trick with directions) disturbs nothing around it; what cannot be shown is a
//! replacement character.

mod words;

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use tutti_proto::v1;

use super::codes::{self, Code};
use crate::fields::seconds_to_date;
use words::{label, plain};

const STYLE: &str = include_str!("copy/style.css");

/// What the page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// The referral's id.
    pub id: &'a str,
    /// The societies' names, as the person knows them.
    pub sender: &'a str,
    /// To whom it was sent.
    pub receiver: &'a str,
    /// As it was sent.
    pub sent: &'a v1::Sent,
    /// When, seconds since the Unix epoch.
    pub sent_at: u64,
    /// Where it stands, for people.
    pub state: &'a str,
    /// The case; `None` where it was erased or cannot be read.
    pub content: Option<&'a v1::ReferralContent>,
    /// Answers and notes that went along later: by whom, on which day (seconds), the text.
    pub notes: &'a [(String, u64, String)],
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

/// That the case was erased.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    /// Those that have confirmed.
    pub confirmed: Vec<String>,
    /// Those that have not.
    pub open: Vec<String>,
}

/// The whole page, UTF-8.
pub fn html(copy: &Copy) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let mut page = Page(String::new());
    page.raw(&format!(
        "<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" \
         content=\"no-referrer\">\n<title>Your copy of referral "
    ));
    page.text(copy.id.get(..8).unwrap_or(copy.id));
    page.raw("</title>\n<style>");
    page.raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n<main>\n<header>\n<h1>Your copy</h1>\n<p class=\"lead\">");
    page.bdi(copy.sender);
    page.raw(" has asked ");
    page.bdi(copy.receiver);
    page.raw(
        " to help you. This page is for you. It says what was passed on about you, to whom, why, \
         until when, and how you can take it back. Keep it where nobody finds it who should \
         not.</p>\n</header>\n",
    );
    if let Some(erased) = copy.erased {
        erasure(&mut page, erased);
    }
    to_whom(&mut page, copy);
    what(&mut page, copy);
    why(&mut page, copy);
    until(&mut page, copy);
    how_to_withdraw(&mut page, copy);
    page.raw("<footer><p>Referral <code>");
    page.text(copy.id);
    page.raw("</code>, sent on ");
    page.text(&seconds_to_date(copy.sent_at));
    page.raw(". This page was made on ");
    page.text(&seconds_to_date(copy.made_at));
    page.raw(", and says how it was then: ");
    page.text(copy.state);
    page.raw(".</p></footer>\n</main>\n</body>\n</html>\n");
    page.0
}

fn erasure(page: &mut Page, erased: &Erased) {
    page.raw("<section class=\"erased\">\n<h2>It was erased</h2>\n<p>What was passed on about you has been erased. ");
    if !erased.confirmed.is_empty() {
        page.raw("Confirmed by ");
        page.list(&erased.confirmed);
        page.raw(". ");
    }
    if !erased.open.is_empty() {
        page.raw("<strong>Not confirmed yet by ");
        page.list(&erased.open);
        page.raw(".</strong>");
    }
    page.raw("</p>\n</section>\n");
}

fn to_whom(page: &mut Page, copy: &Copy) {
    page.raw("<section>\n<h2>To whom</h2>\n<p>From ");
    page.bdi(copy.sender);
    page.raw(" to ");
    page.bdi(copy.receiver);
    if !copy.onward.is_empty() {
        page.raw(", and from there to ");
        page.list(copy.onward);
    }
    page.raw(". Others may carry it, sealed, and cannot read it. Auditors of these societies can read what \
         is noted below without your name, to see that all was done rightly.</p>\n",);
    if !copy.sent.restrictions.is_empty() {
        page.raw("<p>It must never reach ");
        let never = copy.sent.restrictions.iter().map(|code| {
            plain(codes::name::<v1::Restriction>(*code).trim_start_matches("never_to_"))
        });
        page.list(&never.collect::<Vec<_>>());
        page.raw(".</p>\n");
    }
    page.raw("</section>\n");
}

fn what(page: &mut Page, copy: &Copy) {
    page.raw("<section>\n<h2>What was passed on</h2>\n");
    match copy.content {
        Some(content) => {
            page.raw("<dl>\n");
            for (name, value) in values(content) {
                page.entry(label(name), &value);
            }
            page.raw("</dl>\n");
        }
        None => {
            let names = copy.sent.information_disclosed.iter().map(|name| label(name).to_owned());
            page.raw("<p>These were passed on, and are not here to be shown: ");
            page.list(&names.collect::<Vec<_>>());
            page.raw(".</p>\n");
        }
    }
    for (by, day, note) in copy.notes {
        page.raw("<h3>");
        page.bdi(by);
        page.raw(" wrote on ");
        page.text(&seconds_to_date(*day));
        page.raw("</h3>\n<p class=\"free\" dir=\"auto\">");
        page.text(note);
        page.raw("</p>\n");
    }
    let general = [
        ("Countries", countries(copy.sent)),
        ("What makes it harder for you", names::<v1::Vulnerability>(&copy.sent.vulnerabilities)),
        ("Age group", words::age(codes::name::<v1::AgeBand>(copy.sent.age_band))),
    ];
    page.raw("<h3>Noted for the help itself, without your name</h3>\n<dl>\n");
    for (name, value) in general {
        page.entry(name, &value);
    }
    page.raw("</dl>\n");
    if !copy.sent.information_withheld.is_empty() {
        let names = copy.sent.information_withheld.iter().map(|name| label(name).to_owned());
        page.raw("<p>Left out on purpose: ");
        page.list(&names.collect::<Vec<_>>());
        page.raw(".</p>\n");
    }
    page.raw("</section>\n");
}

fn why(page: &mut Page, copy: &Copy) {
    let sent = copy.sent;
    page.raw("<section>\n<h2>Why</h2>\n<dl>\n");
    page.entry("Help that was asked for", &names::<v1::ServiceCategory>(&sent.services_requested));
    page.entry(
        "Help that was given before",
        &names::<v1::ServiceCategory>(&sent.services_provided),
    );
    page.entry("It may be used for", &names::<v1::Purpose>(&[sent.purpose]));
    let basis = codes::name::<v1::LegalBasis>(sent.legal_basis);
    page.entry("What allows it", words::basis(basis));
    if let Some(given) = &sent.consent_override {
        page.entry(
            "Beyond what you agreed to",
            words::overriding(codes::name::<v1::OverrideReason>(given.reason)),
        );
    }
    page.raw("</dl>\n");
    let agreed = |consent: &&v1::Consent| super::check::holds(Some(consent));
    if let Some(consent) = copy.consent.filter(agreed) {
        page.raw("<h3>What you agreed to</h3>\n<dl>\n");
        page.entry("Who agreed", words::giver(codes::name::<v1::ConsentGiver>(consent.given_by)));
        page.entry("How", &plain(codes::name::<v1::ConsentForm>(consent.form)));
        page.entry("Explained on", &seconds_to_date(consent.explained_at));
        page.entry("For whom", &consent.recipients.join(", ").to_uppercase());
        let fields: Vec<&str> = consent.fields.iter().map(|name| label(name)).collect();
        page.entry("Only", &fields.join(", "));
        page.entry("To be used for", &names::<v1::Purpose>(&consent.purposes));
        page.entry("Until", &seconds_to_date(consent.expires_at));
        page.raw("</dl>\n");
    }
    page.raw("</section>\n");
}

fn until(page: &mut Page, copy: &Copy) {
    page.raw("<section>\n<h2>Until when</h2>\n<p>");
    match (copy.erased, seconds_to_date(copy.kept_until)) {
        (Some(_), _) => page.raw("It is not kept any more."),
        (None, day) if day.is_empty() => page.raw("As long as the societies have agreed."),
        (None, day) => {
            page.raw("It is kept until ");
            page.text(&day);
            page.raw(" at the latest, if nothing more happens; then both societies erase it.");
        }
    }
    page.raw("</p>\n</section>\n");
}

fn how_to_withdraw(page: &mut Page, copy: &Copy) {
    page.raw(
        "<section class=\"withdraw\">\n<h2>How to take it back</h2>\n<p>You may say at any time \
         that you no longer agree. You need not say why, and it costs you nothing. Say it to ",
    );
    page.bdi(copy.sender);
    page.raw(" or to ");
    page.bdi(copy.receiver);
    page.raw(
        ", in whatever way is safe for you, with the number below or without it. Then both stop at \
         once and erase what they hold about you, and so does everybody to whom it was passed on. \
         You may also ask what is written about you, and have it put right.</p>\n",
    );
    let focal = copy.content.and_then(|content| content.focal_point.as_ref());
    page.raw("<dl>\n");
    if let Some(focal) = focal {
        page.entry("Whom to ask", &focal.name);
        page.entry("How to reach them", &focal.contact);
    }
    page.entry("Number", copy.id.get(..8).unwrap_or(copy.id));
    page.raw("</dl>\n</section>\n");
}

/// The fields of the case that hold something, by their names, in the order of the form.
fn values(content: &v1::ReferralContent) -> Vec<(&'static str, String)> {
    let person = content.person.clone().unwrap_or_default();
    let yes = |flag: bool| if flag { "yes".to_owned() } else { String::new() };
    let age = if person.age == 0 { String::new() } else { person.age.to_string() };
    vec![
        ("person.name", person.name),
        ("person.sex", plain(codes::name::<v1::Sex>(person.sex))),
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
        ("case_code", content.case_code.clone()),
    ]
}

fn countries(sent: &v1::Sent) -> String {
    let way = [
        ("from ", &sent.country_of_origin),
        ("now in ", &sent.country_of_stay),
        ("to ", &sent.country_of_destination),
    ];
    let named = way.iter().filter(|(_, country)| !country.is_empty());
    named
        .map(|(word, country)| format!("{word}{}", country.to_uppercase()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn names<C: Code>(numbers: &[i32]) -> String {
    let known = numbers.iter().filter(|number| **number != 0);
    known.map(|number| plain(codes::name::<C>(*number))).collect::<Vec<_>>().join(", ")
}

/// The page as it grows.
struct Page(String);

impl Page {
    /// Our own markup.
    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Anybody's text.
    fn text(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&#39;"),
                '\n' | '\t' => self.0.push(char),
                char if char.is_control() => self.0.push('\u{fffd}'),
                char => self.0.push(char),
            }
        }
    }

    /// Text within a line, whose direction is its own.
    fn bdi(&mut self, text: &str) {
        self.raw("<bdi>");
        self.text(text);
        self.raw("</bdi>");
    }

    fn list(&mut self, items: &[String]) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.raw(if at + 1 == items.len() { " and " } else { ", " });
            }
            self.bdi(item);
        }
    }

    /// A name and its value; nothing where there is no value.
    fn entry(&mut self, name: &str, value: &str) {
        if value.trim().is_empty() {
            return;
        }
        let _ = write!(self.0, "<dt>{name}</dt><dd class=\"free\" dir=\"auto\">");
        self.text(value);
        self.raw("</dd>\n");
    }
}

#[cfg(test)]
mod tests;
