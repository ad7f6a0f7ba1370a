//! What a record tells of a person, and what of it lies beyond what they agreed to.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tutti_core::referral::{
    CATEGORIES, beyond_scope, disclosed, disclosed_by,
    form::{ReferralForm, example},
};
use tutti_proto::v1;

use super::{Page, frozen};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The message `Sent`, in hex.
    sent: String,
    /// All that the record tells, or says that the content tells: listed or not.
    disclosed: Vec<String>,
    /// What of that the consent in it does not cover.
    beyond: Vec<String>,
}

/// What the example sends, as a node lists it.
fn example_sent() -> v1::Sent {
    let form: ReferralForm = toml::from_str(example()).unwrap();
    let (sent, content) = form.to_messages().unwrap();
    let listed = disclosed(&content).into_iter().chain(CATEGORIES.map(String::from));
    v1::Sent { information_disclosed: listed.collect(), ..sent }
}

fn case(name: &str, change: impl FnOnce(&mut v1::Sent)) -> Case {
    let mut sent = example_sent();
    change(&mut sent);
    Case {
        name: name.into(),
        sent: hex::encode(sent.encode_to_vec()),
        disclosed: disclosed_by(&sent),
        beyond: beyond_scope(&sent),
    }
}

fn agreed(sent: &mut v1::Sent, fields: &[&str]) {
    sent.consent.as_mut().unwrap().fields = fields.iter().map(ToString::to_string).collect();
}

/// As records were before the categories had names.
fn of_before(sent: &mut v1::Sent) {
    sent.information_disclosed.retain(|name| !CATEGORIES.contains(&name.as_str()));
}

fn cases() -> Vec<Case> {
    let of_the_case = ["person.name", "reason"];
    let mut all = vec![
        case("no list of fields: everything that is disclosed", |_| ()),
        case("the same, in a record of before the categories had names", of_before),
        case("fields of the case alone", |sent| agreed(sent, &of_the_case)),
        case("the same, in a record of before the categories had names", |sent| {
            agreed(sent, &of_the_case);
            of_before(sent);
        }),
        case("the case code and the focal point need no consent", |sent| {
            let all: Vec<String> = disclosed_by(sent);
            let but = |name: &&str| !["case_code", "focal_point"].contains(name);
            let all: Vec<&str> = all.iter().map(String::as_str).filter(but).collect();
            agreed(sent, &all);
        }),
        case("a sex in the case is none in the record", |sent| agreed(sent, &["person.sex"])),
        case("nothing in the record but what routing needs", |sent| {
            *sent = v1::Sent {
                receiver: sent.receiver.clone(),
                priority: sent.priority,
                services_requested: sent.services_requested.clone(),
                legal_basis: sent.legal_basis,
                purpose: sent.purpose,
                consent: sent.consent.clone(),
                information_disclosed: vec!["reason".into()],
                ..Default::default()
            };
            agreed(sent, &["reason"]);
        }),
        case("nobody was asked", |sent| {
            sent.consent = None;
            sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
        }),
    ];
    for category in CATEGORIES {
        all.push(case(&format!("all but {category}"), |sent| {
            let told = disclosed_by(sent);
            let told: Vec<&str> =
                told.iter().map(String::as_str).filter(|name| *name != category).collect();
            agreed(sent, &told);
        }));
    }
    all
}

#[test]
fn scope() {
    let about = "docs/protocol.md, \"Record and content\" and \"Before sending\". `sent` is the message \
                 `Sent` in hex; the other two are names of fields and categories, in order.";
    let page: Page<Case> = Page { about: about.into(), shared: None, cases: cases() };
    for case in frozen("scope.json", &page).cases {
        let sent = v1::Sent::decode(&*hex::decode(&case.sent).unwrap()).unwrap();
        assert_eq!(disclosed_by(&sent), case.disclosed, "{}", case.name);
        assert_eq!(beyond_scope(&sent), case.beyond, "{}", case.name);
    }
}
