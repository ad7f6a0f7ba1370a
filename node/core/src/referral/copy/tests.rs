#![allow(clippy::unwrap_used)]

use super::{page as page_in, *};
use crate::referral::form::{ReferralForm, example};

const DAY: u64 = 1_764_000_000;

fn page(change: impl FnOnce(&mut v1::Sent, &mut v1::ReferralContent)) -> String {
    page_of(Language::English, change)
}

fn page_of(
    language: Language,
    change: impl FnOnce(&mut v1::Sent, &mut v1::ReferralContent),
) -> String {
    let form: ReferralForm = toml::from_str(example()).unwrap();
    let (mut sent, mut content) = form.to_messages().unwrap();
    change(&mut sent, &mut content);
    let desk = Desk {
        name: "Migration desk".into(),
        telephone: "+63 2 8790 2300".into(),
        // So that whatever is tried in a field is tried here, too.
        other: content.risk.clone(),
        hours: "8:00 to 17:00 <UTC+8>".into(),
        ..Desk::default()
    };
    let copy = Copy {
        id: "3f9a0000000000000000000000000000",
        sender: "Singapore Red Cross",
        receiver: "Philippine Red Cross",
        desk: Some(&desk),
        sent: &sent,
        sent_at: DAY,
        state: "accepted",
        content: Some(&content),
        notes: &[("Singapore Red Cross".into(), DAY, content.risk.clone())],
        files: &[("Philippine Red Cross".into(), DAY, "medical_letter".into())],
        done: &Done {
            appointments: vec!["2025-12-01 09:30 +08:00".into()],
            delivered: vec![v1::ServiceCategory::FamilyContact as i32],
            feedback: v1::Feedback::NotGiven as i32,
        },
        consent: sent.consent.as_ref(),
        onward: &["Qatar Red Crescent Society".into()],
        kept_until: DAY + 86_400,
        erased: None,
        made_at: DAY,
    };
    html(&page_in(&copy, language))
}

#[test]
fn the_page_says_what_to_whom_why_until_when_and_how_to_take_it_back() {
    let page = page(|_, _| {});
    for said in [
        "<bdi>Singapore Red Cross</bdi> to <bdi>Philippine Red Cross</bdi>, and from there to \
         <bdi>Qatar Red Crescent Society</bdi>",
        "<dt>Name</dt><dd class=\"free\" dir=\"auto\">Jose Example</dd>",
        "never reach <bdi>your employer</bdi>",
        "<dt>It may be used for</dt><dd class=\"free\" dir=\"auto\">repatriation</dd>",
        "You agreed to it",
        "It is kept until 2025-11-25 at the latest",
        "How to reach <bdi>Philippine Red Cross</bdi>",
        "<dt>Office</dt><dd class=\"free\" dir=\"auto\">Migration desk</dd>",
        "<dt>Telephone</dt><dd class=\"free\" dir=\"auto\">+63 2 8790 2300</dd>",
        "<dt>Open</dt><dd class=\"free\" dir=\"auto\">8:00 to 17:00 &lt;UTC+8&gt;</dd>",
        "<bdi>Philippine Red Cross</bdi> added a file on 2025-11-24: A medical letter.",
        "<dt>Appointments</dt><dd class=\"free\" dir=\"auto\">2025-12-01 09:30 +08:00</dd>",
        "<dt>Help that was given</dt><dd class=\"free\" dir=\"auto\">family contact</dd>",
        "<dt>What you thought of the help</dt><dd class=\"free\" dir=\"auto\">You have not said</dd>",
        "How to take it back",
        "lastmile@example.org",
        "Left out on purpose: <bdi>Who depends on you</bdi>",
        // All that the record tells, too.
        "<dt>Where on your way you are</dt><dd class=\"free\" dir=\"auto\">on the way home</dd>",
        "<dt>Sex or gender, for figures</dt><dd class=\"free\" dir=\"auto\">male</dd>",
        "<dt>What makes it harder for you</dt><dd class=\"free\" dir=\"auto\">serious medical</dd>",
        "<dt>What may be passed on</dt><dd class=\"free\" dir=\"auto\">everything that is passed on \
         about you</dd>",
    ] {
        assert!(page.contains(said), "{said:?} is not in:\n{page}");
    }
    // Nothing is fetched, nothing runs.
    for never in
        ["<script", "<img", "<link", "<iframe", " src=", "url(", "@import", "http://", "on="]
    {
        assert!(!page.contains(never), "{never:?} is in the page");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn what_the_person_agreed_to_by_name_is_said_by_name() {
    for language in Language::ALL {
        let words = language.words();
        let page = page_of(language, |sent, _| {
            let fields = ["person.name", "category.vulnerabilities"].map(String::from).to_vec();
            sent.consent.as_mut().unwrap().fields = fields;
        });
        let named = [words.field("person.name"), words.field("category.vulnerabilities")];
        let named = named.join(words.comma);
        let said =
            format!("<dt>{}</dt><dd class=\"free\" dir=\"auto\">{named}</dd>", words.agreed_fields);
        assert!(page.contains(&said), "{language:?}: {said:?} is not in:\n{page}");
        assert!(!page.contains(words.everything), "{language:?}");
    }
}

/// Whatever stands in a field, the page keeps its shape: the same tags in the same order.
#[test]
fn no_text_in_any_field_becomes_markup() {
    let tags = |page: &str| -> Vec<String> {
        page.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or("").to_owned()).collect()
    };
    let fill = |text: &'static str| {
        page(move |_, content| {
            let person = content.person.as_mut().unwrap();
            let focal = content.focal_point.as_mut().unwrap();
            for field in [
                &mut content.case_code,
                &mut content.reason,
                &mut content.risk,
                &mut content.services_already_provided,
                &mut person.name,
                &mut person.nationality,
                &mut person.disability,
                &mut person.safe_contact,
                &mut person.safe_contact_times,
                &mut person.caregiver,
                &mut person.dependants,
                &mut focal.name,
                &mut focal.contact,
            ] {
                *field = text.into();
            }
            person.languages = vec![text.into()];
        })
    };
    let benign = tags(&fill("plain"));
    for payload in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</dd></dl></main><iframe>",
        "</style><svg/onload=alert(1)>",
        "&lt;script&gt;&#60;b&#62;",
        "\u{202e}gnirts\u{2066}x",
        "<!-- -->",
        "\u{0}\u{1b}[31m\u{9b}x\u{7f}",
    ] {
        let page = fill(payload);
        assert_eq!(tags(&page), benign, "{payload:?}");
        assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{payload:?}");
    }
    // Scripts that run from right to left and scripts without spaces go through as they are.
    for text in ["محمد علي", "สมชาย ใจดี", "नेपाल", "Ngô Thị Hà"]
    {
        assert!(fill(text).contains(&format!("dir=\"auto\">{text}</dd>")), "{text}");
    }
}

#[test]
fn what_was_erased_is_said_and_not_shown() {
    let form: ReferralForm = toml::from_str(example()).unwrap();
    let (mut sent, content) = form.to_messages().unwrap();
    sent.information_disclosed = crate::referral::disclosed(&content);
    sent.information_disclosed.extend(crate::referral::categories(&sent));
    let erased = Erased { confirmed: vec!["A".into()], open: vec!["B".into()] };
    let copy = Copy {
        id: "3f9a0000000000000000000000000000",
        sender: "A",
        receiver: "B",
        desk: None,
        sent: &sent,
        sent_at: DAY,
        state: "consent_withdrawn",
        content: None,
        notes: &[],
        files: &[],
        done: &Done::default(),
        consent: None,
        onward: &[],
        kept_until: DAY,
        erased: Some(&erased),
        made_at: DAY,
    };
    let page = html(&page_in(&copy, Language::English));
    for said in [
        "It was erased",
        "Confirmed by <bdi>A</bdi>",
        "Not confirmed yet by </strong><bdi>B</bdi>",
        "not kept any more",
        "<bdi>Name</bdi>",
    ] {
        assert!(page.contains(said), "{said:?} is not in:\n{page}");
    }
    assert!(!page.contains("Jose"));
    // The record stays, and so does what it tells: that is not said to be gone.
    let gone = page.split_once("not here to be shown").unwrap().1.split_once("</p>").unwrap().0;
    assert!(!gone.contains("What makes it harder for you"), "{gone}");
    assert!(page.contains("serious medical"));
    assert!(!page.contains("How to reach <bdi>"), "no desk is known, and nothing is said of one");
}

/// The person may need it more than anybody, in the language that they read.
#[test]
fn every_language_says_how_to_reach_the_other_society() {
    for language in Language::ALL {
        let words = language.words();
        let page = page_of(language, |_, _| {});
        for label in [words.desk_name, words.desk_telephone, words.desk_hours] {
            assert!(page.contains(&format!("<dt>{label}</dt>")), "{language:?}: {label}");
        }
        let heading = words.their_desk.replace("{receiver}", "<bdi>Philippine Red Cross</bdi>");
        assert!(page.contains(&heading), "{language:?}: {heading}");
        assert!(!page.contains(words.desk_languages), "{language:?}: nothing is said of that");
    }
}
