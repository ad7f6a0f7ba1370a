//! Rosters, their succession, and membership cards.
//!
//! Texts are long, so a case names a base text, what is replaced in it, and the signature lines.

use serde::{Deserialize, Serialize};
use tutti_core::{
    keys::NoteSecret,
    roster::{Card, Draft, Member, Roster, RosterError, Status},
};

use super::{
    Expect, Page, expect, frozen,
    seeds::{self, Seeded},
};

/// The texts that cases start from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    /// Version 1, of `ph` and `sg`.
    first: String,
    /// Version 2, which admits `qa` and asks for two root keys.
    second: String,
    /// The card of `ph`.
    card: String,
    /// The signed note of version 1, which version 2 follows.
    first_note: String,
    /// SHA-256 of the texts of versions 1 and 2, in hex.
    first_hash: String,
    second_hash: String,
    /// The card's fingerprint.
    card_fingerprint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    First,
    Second,
    Card,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    base: Kind,
    /// What stands once in the base text, and what it is replaced with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replace: Vec<(String, String)>,
    /// Signature lines over the text after that.
    signatures: Vec<String>,
}

impl Case {
    fn note(&self, base: &Base) -> Vec<u8> {
        let mut note = text_after(self.base, &self.replace, base);
        note.push('\n');
        for line in &self.signatures {
            note += &format!("{line}\n");
        }
        note.into_bytes()
    }
}

fn text_after(kind: Kind, replace: &[(String, String)], base: &Base) -> String {
    let text = match kind {
        Kind::First => &base.first,
        Kind::Second => &base.second,
        Kind::Card => &base.card,
    };
    replace.iter().fold(text.clone(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from} stands once");
        text.replacen(from, to, 1)
    })
}

fn read(kind: Kind, note: &[u8], base: &Base) -> Result<(), RosterError> {
    match kind {
        Kind::First => Roster::open_first(note).map(|_| ()),
        Kind::Card => Card::open(note).map(|_| ()),
        Kind::Second => {
            let first = Roster::open_first(base.first_note.as_bytes())?;
            Roster::open_next(&first, note).map(|_| ())
        }
    }
}

fn qa() -> Seeded {
    Seeded::new("qa", "Qatar Red Crescent Society", 3)
}

fn text_of(note: &[u8]) -> String {
    let note = std::str::from_utf8(note).unwrap();
    note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n"
}

fn base() -> Base {
    let first = seeds::roster();
    let mut member: Member = qa().member;
    member.status = Status::Active;
    let second = Draft::succeed(&first, |document| {
        document.members.insert(1, member);
    })
    .unwrap();
    let card = seeds::ph().card();
    Base {
        first: text_of(first.as_bytes()),
        second: second.document().to_text().unwrap(),
        card: text_of(&card),
        first_note: String::from_utf8(first.as_bytes().to_vec()).unwrap(),
        first_hash: hex::encode(first.hash()),
        second_hash: hex::encode(second.hash()),
        card_fingerprint: Card::open(&card).unwrap().fingerprint(),
    }
}

struct Make<'a> {
    base: &'a Base,
    cases: Vec<Case>,
}

impl Make<'_> {
    fn case(
        &mut self,
        kind: Kind,
        name: &str,
        reason: &str,
        replace: &[(&str, &str)],
        signers: &[&NoteSecret],
    ) {
        let replace: Vec<(String, String)> =
            replace.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect();
        let text = text_after(kind, &replace, self.base);
        let line = |signer: &&NoteSecret| {
            let line = signer.sign(text.as_bytes()).unwrap().to_bytes();
            String::from_utf8(line).unwrap().trim_end().to_owned()
        };
        self.cases.push(Case {
            name: name.into(),
            expect: if reason.is_empty() { Expect::Valid } else { Expect::Refuse },
            reason: reason.into(),
            base: kind,
            signatures: signers.iter().map(line).collect(),
            replace,
        });
    }
}

fn cases(base: &Base) -> Vec<Case> {
    let (ph, sg, qa) = (seeds::ph(), seeds::sg(), qa());
    let mut make = Make { base, cases: Vec::new() };
    let all = [&ph.root, &sg.root];
    let mut first = |name: &str, reason: &str, from: &str, to: &str| {
        make.case(Kind::First, name, reason, &[(from, to)], &all);
    };
    let key = |member: &Member, field: &str| {
        let value = serde_json::to_value(member).unwrap();
        value[field].as_str().unwrap().to_owned()
    };
    let (own, other) = (&ph.member, &sg.member);
    let swap = |field: &str| (key(own, field), key(other, field));
    first(
        "a federation that is no host name",
        "federation",
        "\"federation\": \"m",
        "\"federation\": \"M",
    );
    first("another federation", "is named", "\"federation\": \"migrants", "\"federation\": \"m");
    first("version 0", "version", "\"version\": 1", "\"version\": 0");
    first("version 2 without the one before", "version before", "\"version\": 1", "\"version\": 2");
    first(
        "version 1 with one before",
        "version before",
        "\"previous\": null",
        &format!("\"previous\": \"{}\"", base.first_hash),
    );
    first("threshold 0", "threshold", "\"threshold\": 2", "\"threshold\": 0");
    first("a threshold that nobody can meet", "threshold", "\"threshold\": 2", "\"threshold\": 3");
    first("a date that is none", "expires_on", "2028-12-31", "2027-02-29");
    first("no time for an emergency", "data_protection", "hours\": 24", "hours\": 0");
    first("more time for the urgent", "data_protection", "hours\": 72", "hours\": 337");
    first("no retention", "retention_days", "\"retention_days\": 730", "\"retention_days\": 0");
    let kept = "\"retention_days\": 730";
    let apart = |hours: &str| format!("{kept},\n    \"acknowledge_hours\": {hours}");
    let hours = |emergency: u32, urgent: u32, normal: u32| {
        apart(&format!(
            "{{\n      \"emergency\": {emergency},\n      \"urgent\": {urgent},\n      \"normal\": {normal}\n    }}"
        ))
    };
    first("hours to acknowledge", "", kept, &hours(4, 24, 72));
    first("as many to acknowledge as to answer", "", kept, &hours(24, 72, 336));
    let wrong = "acknowledge_hours";
    first("no time to acknowledge an emergency", wrong, kept, &hours(0, 24, 72));
    first("more time to acknowledge the urgent", wrong, kept, &hours(4, 73, 72));
    first("more time to acknowledge than to answer", wrong, kept, &hours(4, 24, 337));
    first("hours to acknowledge that are null", "canonical", kept, &apart("null"));
    let two = "{\n      \"emergency\": 4,\n      \"urgent\": 24\n    }";
    first("hours to acknowledge without the normal", "missing field", kept, &apart(two));
    first("a relay that keeps nothing", "relaying", "\"member_mib\": 64", "\"member_mib\": 0");
    first("less of all than of one", "relaying", "\"total_mib\": 1024", "\"total_mib\": 63");
    first("kept for ever", "relaying", "\"keep_days\": 30", "\"keep_days\": 366");
    first("an unknown role", "not of this version", &role("ph", "member"), &role("ph", "chair"));
    first("a founder who is suspended", "threshold", &status("ph", ""), &status("ph", "suspended"));
    let end = "\n  ]\n}";
    let groups = |text: &str| format!("\n  ],\n  \"groups\": [{text}]\n}}");
    let group = |name: &str, members: [&str; 2]| {
        let [one, two] = members.map(|code| format!("\n        \"{code}\""));
        format!(
            "\n    {{\n      \"name\": \"{name}\",\n      \"members\": [{one},{two}\n      ]\n    }}"
        )
    };
    let one = group("labour-migration-steering-group", ["ph", "sg"]);
    first("a working group", "", end, &groups(&format!("{one}\n  ")));
    first("an empty list of groups", "canonical", end, &groups(""));
    let strangers = group("steering", ["ph", "qa"]);
    first("a group of strangers", "groups", end, &groups(&format!("{strangers}\n  ")));
    let unordered = group("steering", ["sg", "ph"]);
    first("a group out of order", "groups", end, &groups(&format!("{unordered}\n  ")));
    let shouted = group("Steering", ["ph", "sg"]);
    first("a group with capitals in its name", "groups", end, &groups(&format!("{shouted}\n  ")));
    first("a group twice", "groups", end, &groups(&format!("{one},{one}\n  ")));
    let last = format!("\"routing_key\": \"{}\"", key(own, "routing_key"));
    let listed = |lines: &[(&str, &str)]| format!("{last},{}", desk(lines, 6));
    first("a desk", "", &last, &listed(&DESK));
    let (long, much) = ("x".repeat(101), "ม".repeat(90));
    for (name, reason, field, line) in [
        ("a desk that is no office", "desk.name", "name", ""),
        ("an escape in a desk", "control", "hours", "8\\u001b[2J"),
        ("two lines in one of a desk", "control", "other", "one\\ntwo"),
        ("a desk that turns the line", "control", "languages", "English\u{202e}"),
        ("a space before a line of a desk", "desk.email", "email", " desk@ph.example.org"),
        ("a line of a desk that is too long", "desk.other", "other", long.as_str()),
        ("a desk with too much to say", "320", "languages", much.as_str()),
    ] {
        let lines = DESK.map(|(known, said)| (known, if known == field { line } else { said }));
        first(name, reason, &last, &listed(&lines));
    }
    let silent = DESK.map(|(field, said)| match field {
        "telephone" | "email" => (field, ""),
        _ => (field, said),
    });
    first("a desk that nobody can reach", "desk.telephone", &last, &listed(&silent));
    first("a desk without one of its lines", "missing field", &last, &listed(&DESK[..5]));
    let more = [DESK.as_slice(), &[("fax", "")]].concat();
    first("a desk with a line more", "unknown field", &last, &listed(&more));
    let mut turned = DESK;
    turned.swap(1, 2);
    first("a desk in another order", "canonical", &last, &listed(&turned));
    first("a desk that is null", "canonical", &last, &format!("{last},\n      \"desk\": null"));
    first("an escape in a name", "control", "Philippine", "Philip\\u001bpine");
    first("a name that turns the line", "control", "Philippine", "Philip\u{202e}pine");
    first("an empty name", "name", "Philippine Red Cross", "");
    first("an endpoint with a scheme", "endpoints", "tutti.ph.", "https://tutti.ph.");
    first("an endpoint without a port", "endpoints", "ph.example.org:7400", "ph.example.org");
    first("a TLS key that is another's", "one key", &swap("tls_key").0, &swap("tls_key").1);
    first(
        "a case key that is the audit key",
        "one key",
        &key(own, "case_key"),
        &key(own, "audit_key"),
    );
    first(
        "a routing key that is another's",
        "one key",
        &swap("routing_key").0,
        &swap("routing_key").1,
    );
    first("a log key that is another's", "is named", &swap("log_key").0, &swap("log_key").1);
    first("a root key as log key", "is named", &swap("log_key").0, &key(own, "root_key"));
    first(
        "a root key as witness key",
        "is of another kind",
        &swap("witness_key").0,
        &key(own, "root_key"),
    );
    first("a key ID that is not the key's", "key ID", "/ph/root+", "/ph/root+0");
    first("a member with another's code", "order", "\"society\": \"ph\"", "\"society\": \"sg\"");
    first(
        "a field more",
        "unknown field",
        "  \"version\": 1,\n",
        "  \"version\": 1,\n  \"x\": 1,\n",
    );
    first("a field less", "missing field", "  \"threshold\": 2,\n", "");
    first("another layout", "canonical", "\"version\": 1,", "\"version\":1,");
    first("an escape that need not be", "canonical", "Philippine", "\\u0050hilippine");
    first("a later kind of text", "first line", "tutti-roster/v1", "tutti-roster/v2");
    first("a card's first line", "first line", "tutti-roster/v1", "tutti-card/v1");
    make.case(Kind::First, "founded by both", "", &[], &all);
    make.case(Kind::First, "in another order", "", &[], &[&sg.root, &ph.root]);
    make.case(Kind::First, "a founder has not signed", "founders have not", &[], &[&ph.root]);
    make.case(Kind::First, "signed twice", "more than once", &[], &[&ph.root, &ph.root, &sg.root]);
    make.case(
        Kind::First,
        "by a stranger too",
        "no root key",
        &[],
        &[&ph.root, &sg.root, &qa.root],
    );
    make.case(Kind::First, "by a log key", "no root key", &[], &[&ph.root, &sg.log]);

    let mut second = |name: &str, reason: &str, replace: &[(&str, &str)], by: &[&NoteSecret]| {
        make.case(Kind::Second, name, reason, replace, by);
    };
    second("two of both sign", "", &[], &all);
    let with_desk = format!("{last},{}", desk(&DESK, 6));
    second("a desk that comes later", "", &[(&last, &with_desk)], &all);
    second("all three sign", "", &[], &[&ph.root, &qa.root, &sg.root]);
    second("one of version 1", "1 of the 2 root keys that version 1", &[], &[&ph.root, &qa.root]);
    second(
        "a larger threshold, not met",
        "2 of the 3 root keys that version 2",
        &[("\"threshold\": 2", "\"threshold\": 3")],
        &all,
    );
    second("version 3 after 1", "version 3 where 2", &[("\"version\": 2", "\"version\": 3")], &all);
    second("another one before", "version before", &[(&base.first_hash, &"0".repeat(64))], &all);
    second(
        "a hash in upper case",
        "canonical",
        &[(&base.first_hash, &base.first_hash.to_uppercase())],
        &all,
    );
    let member = serde_json::to_string_pretty(&ph.member).unwrap().replace('\n', "\n    ");
    second("a member is gone", "gone from the list", &[(&format!("    {member},\n"), "")], &all);
    second(
        "the signer is removed",
        "version 2",
        &[(&status("ph", ""), &status("ph", "removed"))],
        &[&ph.root, &sg.root],
    );
    let fresh = Seeded::new("ph", "", 9);
    second(
        "another log key in the same epoch",
        "later epoch",
        &[(&key(own, "log_key"), &key(&fresh.member, "log_key"))],
        &all,
    );
    second(
        "a key that served another before",
        "one key",
        &[
            (&swap("tls_key").1, &key(&fresh.member, "tls_key")),
            (&swap("tls_key").0, &swap("tls_key").1),
        ],
        &all,
    );

    let mut card = |name: &str, reason: &str, replace: &[(&str, &str)], by: &[&NoteSecret]| {
        make.case(Kind::Card, name, reason, replace, by);
    };
    card("the society's own card", "", &[], &[&ph.root]);
    let with_desk = format!("{last},{}", desk(&DESK, 4));
    card("a card with a desk", "", &[(&last, &with_desk)], &[&ph.root]);
    let nameless = with_desk.replace("Migration desk", "");
    card("a card with a desk that is no office", "desk.name", &[(&last, &nameless)], &[&ph.root]);
    card("by another's root key", "no root key", &[], &[&sg.root]);
    card("by its log key", "no root key", &[], &[&ph.log]);
    card("signed twice", "more than once", &[], &[&ph.root, &ph.root]);
    card("of a removed member", "active", &[("\"active\"", "\"removed\"")], &[&ph.root]);
    card(
        "for another federation",
        "is named",
        &[("\"federation\": \"migrants", "\"federation\": \"m")],
        &[&ph.root],
    );
    card(
        "one key for two uses",
        "one key",
        &[(&key(own, "case_key"), &key(own, "audit_key"))],
        &[&ph.root],
    );
    card("an escape in its name", "control", &[("Philippine", "\\u001b[2J")], &[&ph.root]);
    card(
        "a field more",
        "unknown field",
        &[("{\n  \"fed", "{\n  \"x\": 1,\n  \"fed")],
        &[&ph.root],
    );
    make.cases
}

/// A desk, line by line.
const DESK: [(&str, &str); 6] = [
    ("name", "Migration desk"),
    ("telephone", "+63 2 8790 2300"),
    ("email", "migration.desk@ph.example.org"),
    ("other", ""),
    ("hours", "Mon–Fri 8:00–17:00 (UTC+8)"),
    ("languages", "English, Filipino, العربية"),
];

/// The field `desk` of a member whose own fields stand behind so many spaces.
fn desk(lines: &[(&str, &str)], indent: usize) -> String {
    let (at, below) = (" ".repeat(indent), " ".repeat(indent + 2));
    let lines: Vec<String> =
        lines.iter().map(|(field, line)| format!("\n{below}\"{field}\": \"{line}\"")).collect();
    format!("\n{at}\"desk\": {{{}\n{at}}}", lines.join(","))
}

/// The lines of a member from its endpoint to its role, or to its status.
fn role(code: &str, role: &str) -> String {
    format!("tutti.{code}.example.org:7400\"\n      ],\n      \"role\": \"{role}\"")
}

fn status(code: &str, status: &str) -> String {
    let status = if status.is_empty() { "active" } else { status };
    format!("{},\n      \"status\": \"{status}\"", role(code, "member"))
}

#[test]
fn rosters_and_cards() {
    let base = base();
    let cases = cases(&base);
    let page = Page {
        about: "docs/protocol.md, \"The roster\" and \"The membership card\". A note is the base \
                text with each pair of `replace` applied, an empty line, and the signature lines. \
                `first` is read as version 1, `second` as what follows `first_note`."
            .into(),
        shared: Some(base),
        cases,
    };
    let page = frozen("roster.json", &page);
    let base = page.shared.unwrap();
    let first = Roster::open_first(base.first_note.as_bytes()).unwrap();
    assert_eq!(hex::encode(first.hash()), base.first_hash);
    for case in page.cases {
        let note = case.note(&base);
        expect(&case.name, case.expect, &case.reason, read(case.base, &note, &base));
    }
}
