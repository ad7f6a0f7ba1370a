#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    keys::{KeyKind, NoteSecret},
    sealing::{Identity, RoutingSecret},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

mod desk;
mod groups;
mod succession;

pub(crate) const FEDERATION: &str = "m.example.org";

/// A society with all its keys, drawn from a seed.
pub(crate) struct Founder {
    pub(crate) society: Society,
    pub(crate) root: NoteSecret,
    pub(crate) log: NoteSecret,
    pub(crate) witness: NoteSecret,
    pub(crate) case: Identity,
    pub(crate) audit: Identity,
    pub(crate) routing: RoutingSecret,
    tls: TlsSpki,
}

impl Founder {
    pub(crate) fn new(code: &str, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut note = |name: &str, kind| {
            let name = format!("{FEDERATION}/{code}/{name}");
            NoteSecret::generate(&name, kind, &mut rng).unwrap()
        };
        let tls = note("tls", KeyKind::Signature);
        Self {
            society: code.parse().unwrap(),
            root: note("root", KeyKind::Signature),
            log: note("1", KeyKind::Signature),
            witness: note("witness", KeyKind::Cosignature),
            tls: TlsSpki::from_ed25519(tls.public().as_bytes()).unwrap(),
            case: Identity::generate(&mut rng),
            audit: Identity::generate(&mut rng),
            routing: RoutingSecret::generate(&mut rng),
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        self.log.public().name().parse().unwrap()
    }

    pub(crate) fn member(&self) -> Member {
        Member {
            society: self.society,
            name: format!("{} Red Cross Society", self.society.as_str().to_uppercase()),
            endpoints: vec![format!("tutti.{}.example.org:7400", self.society)],
            role: Role::Member,
            status: Status::Active,
            root_key: self.root.public().clone(),
            log_key: self.log.public().clone(),
            witness_key: self.witness.public().clone(),
            tls_key: self.tls,
            case_key: self.case.recipient(),
            audit_key: self.audit.recipient(),
            routing_key: self.routing.public(),
            desk: None,
        }
    }

    pub(crate) fn card(&self) -> Card {
        Card::open(&Card::sign(FEDERATION, self.member(), &self.root).unwrap()).unwrap()
    }
}

pub(crate) fn founders(codes: &[&str]) -> Vec<Founder> {
    codes.iter().zip(1..).map(|(code, seed)| Founder::new(code, seed)).collect()
}

const TIMES: DataProtection = DataProtection {
    emergency_hours: 24,
    urgent_hours: 72,
    normal_hours: 336,
    retention_days: 365,
    acknowledge_hours: None,
};

fn draft(founders: &[Founder]) -> Draft {
    let cards: Vec<Card> = founders.iter().map(Founder::card).collect();
    Draft::found(&cards, 2, "2028-12-31", TIMES).unwrap()
}

pub(crate) fn found(founders: &[Founder]) -> Roster {
    found_with(founders, |_| ())
}

/// With other times.
pub(crate) fn found_with(founders: &[Founder], change: impl Fn(&mut DataProtection)) -> Roster {
    let cards: Vec<Card> = founders.iter().map(Founder::card).collect();
    let mut times = TIMES;
    change(&mut times);
    let mut draft = Draft::found(&cards, 2, "2028-12-31", times).unwrap();
    for founder in founders {
        draft.sign(&founder.root).unwrap();
    }
    Roster::open_first(&draft.to_bytes()).unwrap()
}

/// The note of any text, signed by whom one likes: what no honest writer would make.
fn forge(text: &str, signers: &[&NoteSecret]) -> Vec<u8> {
    let mut bytes = format!("{text}\n").into_bytes();
    for signer in signers {
        bytes.extend(signer.sign(text.as_bytes()).unwrap().to_bytes());
    }
    bytes
}

fn text_of(document: &Document) -> String {
    document.to_text().unwrap()
}

#[test]
fn a_draft_goes_round_the_founders_and_becomes_version_1() {
    let founders = founders(&["ph", "qa", "sg"]);
    let mut first = draft(&founders);
    assert_eq!(first.missing().len(), 3);
    assert_eq!(Draft::open(&first.to_bytes()).unwrap(), first);
    let mut second = first.clone();
    first.sign(&founders[1].root).unwrap();
    first.sign(&founders[1].root).unwrap();
    assert_eq!(first.missing(), [founders[0].society, founders[2].society]);
    assert_eq!(
        Roster::open_first(&first.to_bytes()),
        Err(RosterError::FounderMissing(first.missing()))
    );
    second.sign(&founders[0].root).unwrap();
    second.sign(&founders[2].root).unwrap();
    assert!(first.merge(&Draft::open(&second.to_bytes()).unwrap()));
    assert_eq!(first.missing(), []);
    let bytes = first.to_bytes();
    assert_eq!(Draft::open(&bytes).unwrap(), first);
    let roster = Roster::open_first(&bytes).unwrap();
    assert_eq!(roster.hash(), first.hash());
    assert_eq!(roster.as_bytes(), bytes);
    assert_eq!(roster.member(founders[2].society), Some(&founders[2].member()));
    assert!(!roster.has_expired(1_861_919_999)); // 2028-12-31T23:59:59Z
    assert!(roster.has_expired(1_861_920_000));
    assert_eq!(
        first.sign(&founders[0].log),
        Err(RosterError::NotARootKey("m.example.org/ph/1".into()))
    );
}

#[test]
fn a_roster_reads_as_this_text() {
    let founders = founders(&["ph", "sg"]);
    let document = found(&founders).document().clone();
    let text = text_of(&document);
    let start = format!(
        "tutti-roster/v1\n{{\n  \"federation\": \"m.example.org\",\n  \"version\": 1,\n  \
         \"previous\": null,\n  \"threshold\": 2,\n  \"expires_on\": \"2028-12-31\",\n  \
         \"data_protection\": {{\n    \"emergency_hours\": 24,\n    \"urgent_hours\": 72,\n    \
         \"normal_hours\": 336,\n    \"retention_days\": 365\n  }},\n  \"relaying\": {{\n    \
         \"member_mib\": 64,\n    \"total_mib\": 1024,\n    \"keep_days\": 30\n  }},\n  \
         \"members\": [\n    {{\n      \
         \"society\": \"ph\",\n      \"name\": \"PH Red Cross Society\",\n      \"endpoints\": [\n        \
         \"tutti.ph.example.org:7400\"\n      ],\n      \"role\": \"member\",\n      \
         \"status\": \"active\",\n      \"root_key\": \"{}\",\n      \"log_key\": \"m.example.org/ph/1+",
        founders[0].root.public()
    );
    assert!(text.starts_with(&start), "{text}");
    assert!(text.ends_with("\"\n    }\n  ]\n}\n"));
}

/// Every field of a document, changed: one change a case, with what must be said of it.
fn broken(document: &Document, other: &Founder) -> Vec<(&'static str, Document)> {
    type Change<'a> = (&'static str, Box<dyn Fn(&mut Document) + 'a>);
    let stranger = other.member();
    let changes: Vec<Change<'_>> = vec![
        ("federation", Box::new(|d| d.federation = "Example.org".into())),
        ("is named", Box::new(|d| d.federation = "other.example.org".into())),
        ("version", Box::new(|d| d.version = 0)),
        ("version", Box::new(|d| d.version = u64::MAX)),
        ("version before", Box::new(|d| d.previous = d.previous.xor(Some([1; 32])))),
        ("threshold", Box::new(|d| d.threshold = 0)),
        ("threshold", Box::new(|d| d.threshold = 99)),
        ("expires_on", Box::new(|d| d.expires_on = "2027-02-29".into())),
        ("data_protection", Box::new(|d| d.data_protection.emergency_hours = 0)),
        ("data_protection", Box::new(|d| d.data_protection.emergency_hours = 73)),
        ("data_protection", Box::new(|d| d.data_protection.urgent_hours = 337)),
        ("data_protection", Box::new(|d| d.data_protection.normal_hours = 9_000)),
        ("retention_days", Box::new(|d| d.data_protection.retention_days = 0)),
        ("acknowledge_hours", Box::new(|d| d.data_protection.acknowledge_hours = hours([0, 1, 1]))),
        ("acknowledge_hours", Box::new(|d| d.data_protection.acknowledge_hours = hours([9, 8, 9]))),
        (
            "acknowledge_hours",
            Box::new(|d| d.data_protection.acknowledge_hours = hours([25, 72, 336])),
        ),
        (
            "acknowledge_hours",
            Box::new(|d| d.data_protection.acknowledge_hours = hours([1, 2, 337])),
        ),
        ("relaying", Box::new(|d| d.relaying.member_mib = 0)),
        ("relaying", Box::new(|d| d.relaying.member_mib = d.relaying.total_mib + 1)),
        ("relaying", Box::new(|d| d.relaying.total_mib = u32::MAX)),
        ("relaying", Box::new(|d| d.relaying.keep_days = 366)),
        ("members", Box::new(|d| d.members.clear())),
        ("order", Box::new(|d| d.members.swap(0, 1))),
        ("order", Box::new(|d| d.members[1].society = d.members[0].society)),
        ("is named", Box::new(|d| d.members[0].society = "aa".parse().unwrap())),
        ("name", Box::new(|d| d.members[0].name = String::new())),
        ("name", Box::new(|d| d.members[0].name = " x".into())),
        ("name", Box::new(|d| d.members[0].name = "x".repeat(101))),
        ("control", Box::new(|d| d.members[0].name = "a\u{1b}[31mb".into())),
        ("control", Box::new(|d| d.members[0].name = "a\nb".into())),
        ("control", Box::new(|d| d.members[0].name = "a\u{202e}b".into())),
        ("endpoints", Box::new(|d| d.members[0].endpoints = vec!["https://x:1".into()])),
        ("endpoints", Box::new(|d| d.members[0].endpoints = vec!["x.org:1".into(); 2])),
        (
            "endpoints",
            Box::new(|d| {
                d.members[0].endpoints = (1..=5).map(|n| format!("x.org:{n}")).collect();
            }),
        ),
        ("root_key: is named", Box::new(|d| d.members[0].root_key = stranger.root_key.clone())),
        ("log_key: is named", Box::new(|d| d.members[0].log_key = stranger.log_key.clone())),
        ("log_key: is named", Box::new(|d| d.members[0].log_key = d.members[0].root_key.clone())),
        ("root_key: is of", Box::new(|d| d.members[0].root_key = d.members[0].witness_key.clone())),
        (
            "witness_key: is of",
            Box::new(|d| {
                d.members[0].witness_key = d.members[0].log_key.clone();
            }),
        ),
        (
            "witness_key: is named",
            Box::new(|d| {
                d.members[0].witness_key = stranger.witness_key.clone();
            }),
        ),
        ("desk.name", Box::new(|d| d.members[0].desk = Some(Desk::default()))),
        ("one key", Box::new(|d| d.members[0].tls_key = d.members[1].tls_key)),
        (
            "one key",
            Box::new(|d| {
                let root = *d.members[1].root_key.as_bytes();
                d.members[0].tls_key = TlsSpki::from_ed25519(&root).unwrap();
            }),
        ),
        ("one key", Box::new(|d| d.members[0].case_key = d.members[0].audit_key.clone())),
        ("one key", Box::new(|d| d.members[0].audit_key = d.members[1].audit_key.clone())),
        ("one key", Box::new(|d| d.members[0].routing_key = d.members[1].routing_key)),
        (
            "one key",
            Box::new(|d| {
                let x25519 = *d.members[1].case_key.as_bytes().last_chunk::<32>().unwrap();
                d.members[0].routing_key = RoutingKey::from_bytes(x25519).unwrap();
            }),
        ),
    ];
    changes
        .into_iter()
        .map(|(rule, change)| {
            let mut broken = document.clone();
            change(&mut broken);
            assert_ne!(&broken, document, "{rule}: the case changes nothing");
            (rule, broken)
        })
        .collect()
}

#[test]
fn a_roster_that_breaks_a_rule_is_refused_however_many_sign_it() {
    let (founders, other) = (founders(&["ph", "qa", "sg"]), Founder::new("it", 99));
    let first = found(&founders);
    let signers: Vec<&NoteSecret> = founders.iter().map(|founder| &founder.root).collect();
    for (rule, document) in broken(first.document(), &other) {
        let note = forge(&text_of(&document), &signers);
        let error = Roster::open_first(&note).unwrap_err().to_string();
        assert!(error.contains(rule), "{rule}: {error}");
        assert!(Draft::open(&note).is_err(), "{rule}");
        let mut unsigned = text_of(&document).into_bytes();
        unsigned.push(b'\n');
        assert!(Draft::open(&unsigned).is_err(), "{rule}");
    }
    let mut suspended = first.document().clone();
    suspended.members[0].status = Status::Suspended;
    let note = forge(&text_of(&suspended), &signers);
    assert!(matches!(Roster::open_first(&note), Err(RosterError::Field { .. })));
    // The same rules hold for what follows.
    let next = Draft::succeed(&first, |d| d.expires_on = "2030-01-01".into()).unwrap();
    let mut cases = broken(next.document(), &other);
    cases.retain(|(_, document)| document.version == 2);
    for (rule, document) in cases {
        let note = forge(&text_of(&document), &signers);
        assert!(Roster::open_next(&first, &note).is_err(), "{rule}");
    }
}

#[test]
fn every_flipped_bit_of_roster_and_card_is_refused() {
    let founders = founders(&["ph", "sg"]);
    let roster = found(&founders).as_bytes().to_vec();
    let card = Card::sign(FEDERATION, founders[0].member(), &founders[0].root).unwrap();
    let next = {
        let mut next = Draft::succeed(&found(&founders), |d| d.threshold = 1).unwrap();
        next.sign(&founders[0].root).unwrap();
        next.sign(&founders[1].root).unwrap();
        next.to_bytes()
    };
    let first = found(&founders);
    assert!(Roster::open_next(&first, &next).is_ok());
    // A post-quantum key is two thousand characters of one line: every bit of its first ones,
    // then every thirty-first byte.
    for (bytes, opens) in [
        (&roster, &(|b: &[u8]| Roster::open_first(b).is_ok()) as &dyn Fn(&[u8]) -> bool),
        (&card, &|b: &[u8]| Card::open(b).is_ok()),
        (&next, &|b: &[u8]| Roster::open_next(&first, b).is_ok()),
    ] {
        assert!(opens(bytes));
        for at in (0..bytes.len()).filter(|at| *at < 700 || at % 31 == 0 || bytes.len() - at < 300)
        {
            let mut mutated = bytes.clone();
            mutated[at] ^= 1 << (at % 7);
            assert!(!opens(&mutated), "byte {at}");
        }
        for cut in [0, 1, 16, bytes.len() / 2, bytes.len() - 1] {
            assert!(!opens(&bytes[..cut]));
        }
        assert!(!opens(&[bytes.as_slice(), b"\n"].concat()));
    }
}

#[test]
fn another_text_for_the_same_document_is_refused() {
    let founders = founders(&["ph", "sg"]);
    let signers: Vec<&NoteSecret> = founders.iter().map(|founder| &founder.root).collect();
    let text = text_of(found(&founders).document());
    assert!(Roster::open_first(&forge(&text, &signers)).is_ok());
    for (from, to) in [
        ("  \"version\": 1,\n", ""),
        ("  \"version\": 1,\n", "  \"version\": 1,\n  \"version\": 1,\n"),
        ("  \"version\": 1,\n", "  \"version\": 1,\n  \"motto\": \"tutti\",\n"),
        ("\"version\": 1,", "\"version\": 1.0,"),
        ("\"version\": 1,", "\"version\":1,"),
        ("PH Red", "\\u0050H Red"),
        ("      \"role\": \"member\",\n", ""),
        ("      \"role\": \"member\",\n", "      \"role\": \"member\",\n      \"x\": 1,\n"),
        ("\"\n    },\n", "\",\n      \"desk\": null\n    },\n"),
        ("_days\": 365\n", "_days\": 365,\n    \"acknowledge_hours\": null\n"),
        ("\"member\"", "\"chair\""),
        ("  \"previous\": null,\n", ""),
        ("}\n", "}\n\n"),
        ("tutti-roster/v1", "tutti-roster/v2"),
        ("tutti-roster/v1", "tutti-card/v1"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        assert!(Roster::open_first(&forge(&other, &signers)).is_err(), "{from} -> {to}");
    }
}

fn hours([emergency, urgent, normal]: [u32; 3]) -> Option<AcknowledgeHours> {
    Some(AcknowledgeHours { emergency, urgent, normal })
}

/// Left out where they are those to answer, so that what was signed before reads as before, to the byte.
#[test]
fn hours_to_acknowledge_may_be_set_apart() {
    let founders = founders(&["ph", "sg"]);
    let alike = found(&founders);
    assert!(!text_of(alike.document()).contains("acknowledge"));
    assert_eq!(alike.data_protection().hours_to_acknowledge(), [24, 72, 336]);
    let apart = found_with(&founders, |times| times.acknowledge_hours = hours([4, 24, 72]));
    let lines = "    \"retention_days\": 365,\n    \"acknowledge_hours\": {\n      \"emergency\": 4,\n      \
                 \"urgent\": 24,\n      \"normal\": 72\n    }\n  },\n";
    let text = text_of(apart.document());
    assert!(text.contains(lines), "{text}");
    assert_eq!(apart.data_protection().hours_to_acknowledge(), [4, 24, 72]);
    assert_eq!(apart.data_protection().hours_to_answer(), [24, 72, 336]);
    // The next roster may leave them out again.
    let mut next = Draft::succeed(&apart, |d| d.data_protection.acknowledge_hours = None).unwrap();
    for founder in &founders {
        next.sign(&founder.root).unwrap();
    }
    let next = Roster::open_next(&apart, &next.to_bytes()).unwrap();
    assert_eq!(next.data_protection().hours_to_acknowledge(), [24, 72, 336]);
}

#[test]
fn a_card_is_its_owners_word_and_nobody_elses() {
    let (ph, sg) = (Founder::new("ph", 1), Founder::new("sg", 2));
    let card = ph.card();
    assert_eq!(card.member, ph.member());
    assert_eq!(card.fingerprint().len(), 35);
    assert_ne!(card.fingerprint(), sg.card().fingerprint());
    assert!(Card::sign(FEDERATION, ph.member(), &sg.root).is_err());
    assert!(Card::sign("other.example.org", ph.member(), &ph.root).is_err());
    let bytes = Card::sign(FEDERATION, ph.member(), &ph.root).unwrap();
    let text =
        std::str::from_utf8(&bytes).unwrap().rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    assert_eq!(forge(&text, &[&ph.root]), bytes);
    for signers in [&[&sg.root][..], &[&ph.log], &[&ph.root, &ph.root], &[&ph.root, &sg.root], &[]]
    {
        assert!(Card::open(&forge(&text, signers)).is_err());
    }
    let one = |change: &dyn Fn(&mut Member)| {
        let mut member = ph.member();
        change(&mut member);
        Card::sign(FEDERATION, member, &ph.root).unwrap_err().to_string()
    };
    assert!(one(&|m| m.status = Status::Removed).contains("active"));
    assert!(one(&|m| m.name = "\u{7}".into()).contains("control"));
    assert!(one(&|m| m.case_key = m.audit_key.clone()).contains("one key"));
    assert!(one(&|m| m.endpoints = vec!["x".into()]).contains("host:port"));
    // Founding refuses what cards alone cannot show.
    let twice = [ph.card(), ph.card()];
    assert!(matches!(Draft::found(&twice, 1, "2028-01-01", TIMES), Err(RosterError::Order(_))));
    assert_eq!(Draft::found(&[], 1, "2028-01-01", TIMES), Err(RosterError::Empty));
}
