//! What an addressed entry tells whoever is no party to it: its size classes, and nothing of what it
//! is about or for whom.

#![allow(clippy::unwrap_used)]

mod attacker;
mod clear;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tutti_core::{
    entry::Visibility,
    limits::LIST_MAX,
    sealing::padding::RUNGS,
    society::{Origin, Society},
    store::MemoryStore,
};
use tutti_proto::v1::{self, content::Content, referral_event::Transition};

use self::attacker::{Attack, Features, Seen, attack, features};
use super::{draft::Draft, *};
use crate::{
    engine::Identity,
    local::Actor,
    testing::{FEDERATION, Federation, society},
};

/// Of each kind, where nothing else is asked for; the long form is in docs/testing.md.
const SAMPLES: usize = 200;

const CODES: [&str; 12] =
    ["sg", "ph", "my", "qa", "id", "th", "np", "lk", "bd", "ke", "ifrc", "icrc"];

/// A society that seals what it is told to, and the dice for what that says.
struct Author {
    federation: Federation,
    engine: Engine<MemoryStore, ChaCha20Rng>,
    dice: ChaCha20Rng,
}

impl Author {
    fn new(seed: u64) -> Self {
        let federation = Federation::found(&CODES, &CODES);
        let origin = Origin::new(FEDERATION, society("sg"), 1).unwrap();
        let identity = Identity {
            society: society("sg"),
            name: "Singapore".into(),
            origin,
            keyring: federation.keyring("sg"),
            started_at_ms: 0,
            listen: String::new(),
        };
        let (roster, rng) = ((*federation.roster).clone(), ChaCha20Rng::seed_from_u64(seed));
        let engine = Engine::new(identity, roster, MemoryStore::new(), Some(0), rng, 0);
        Self { federation, engine, dice: ChaCha20Rng::seed_from_u64(seed + 1) }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.dice.next_u64() % end
    }

    /// Some words, of English or of Thai.
    fn words(&mut self, most: u64) -> String {
        let letter = ["a", "\u{e01}"][self.below(2) as usize];
        letter.repeat(self.below(most) as usize)
    }

    /// One entry as a relay holds it, anywhere in the log. Its time is that of all the others: when
    /// somebody writes is seen by everybody, and not what is judged here.
    fn seal(&mut self, to: &[&str], event: v1::record::Event, content: Option<Content>) -> Seen {
        let (mut id, mut key) = ([0; 16], [0; 16]);
        self.dice.fill_bytes(&mut id);
        self.dice.fill_bytes(&mut key);
        let addressees: Vec<Society> = to.iter().map(|code| society(code)).collect();
        let visibility = Visibility::Addressed;
        let draft = Draft { id, visibility, addressees, event, content };
        let after = self.below(1 << 20);
        let sealed = self.engine.seal((&Actor::node(), ""), key, draft, after, 1).unwrap();
        Seen {
            entry: sealed.entry.as_slice().to_vec(),
            bodies: sealed.bodies.iter().map(|body| body.bytes().to_vec()).collect(),
        }
    }

    fn step(&mut self, to: &str, transition: Transition, content: Option<Content>) -> Seen {
        let mut referral_id = vec![0; 16];
        self.dice.fill_bytes(&mut referral_id);
        let origin = format!("{FEDERATION}/{to}/1");
        let seen = Some(v1::Seen { origin, index: self.below(1 << 20) });
        let event = v1::ReferralEvent { referral_id, seen, transition: Some(transition) };
        self.seal(&[to], v1::record::Event::Referral(event), content)
    }

    /// A whole case.
    fn sent(&mut self, to: &str) -> Seen {
        let (sent, mut case) = example();
        case.reason = self.words(2_000);
        case.risk = self.words(200);
        let case = Some(Content::Referral(case));
        self.step(to, Transition::Sent(sent), case)
    }

    /// Any step, with a note or without one.
    fn answer(&mut self, to: &str) -> Seen {
        let steps = every_step();
        let which = self.below(steps.len() as u64 - 1) as usize + 1;
        let note = match self.below(2) {
            0 => None,
            _ => Some(Content::Note(v1::Note { text: self.words(400) })),
        };
        self.step(to, steps[which].clone(), note)
    }

    /// The shortest step that there is.
    fn acknowledged(&mut self, to: &str) -> Seen {
        self.step(to, Transition::Acknowledged(v1::Acknowledged {}), None)
    }

    /// An event on information that is for some: what is free text of it is in the content.
    fn informed(&mut self, to: &[&str], transition: v1::information_event::Transition) -> Seen {
        let mut information_id = vec![0; 16];
        self.dice.fill_bytes(&mut information_id);
        let mut event = v1::InformationEvent {
            information_id,
            about: Vec::new(),
            parties: to.iter().map(ToString::to_string).collect(),
            transition: Some(transition),
        };
        let content = information::split(&mut event);
        self.seal(to, v1::record::Event::Information(event), Some(content))
    }

    /// Information that is published for some.
    fn share(&mut self, to: &str) -> Seen {
        let text = v1::LocalText {
            language: "eng".into(),
            title: self.words(80),
            summary: self.words(200),
            text: self.words(2_000),
            ..Default::default()
        };
        let version = v1::InformationVersion {
            kind: 1,
            texts: vec![text],
            countries: vec!["sg".into(), "ph".into()],
            source_url: "https://example.org/law".into(),
            ..Default::default()
        };
        self.informed(&[to], v1::information_event::Transition::Published(version))
    }

    /// What another society says of it.
    fn response(&mut self, to: &[&str]) -> Seen {
        let endorsed = v1::Endorsed { note: self.words(300) };
        self.informed(to, v1::information_event::Transition::Endorsed(endorsed))
    }

    /// The case keys of two societies, out of the roster.
    fn known(&self) -> Vec<Vec<u8>> {
        let key = |code| {
            let member = self.federation.roster.member(society(code)).unwrap();
            member.case_key.as_bytes().to_vec()
        };
        ["ph", "my"].map(key).into()
    }
}

fn example() -> (v1::Sent, v1::ReferralContent) {
    use tutti_core::referral::form;
    let form: form::ReferralForm = toml::from_str(form::example()).unwrap();
    form.to_messages().unwrap()
}

/// One of each, as large as a reader takes them; `Sent` first.
fn every_step() -> Vec<Transition> {
    let fields = || vec!["person.separated_or_unaccompanied".to_owned(); LIST_MAX];
    let services = || vec![v1::ServiceCategory::Health as i32; LIST_MAX];
    let seen = || v1::Seen { origin: format!("{FEDERATION}/ifrc/4294967295"), index: 1 << 39 };
    let consent = || v1::Consent {
        recipients: vec!["ifrc".into(); LIST_MAX],
        fields: fields(),
        purposes: vec![1; LIST_MAX],
        explained_at: 1 << 40,
        expires_at: 1 << 40,
        ..Default::default()
    };
    let carried = || vec![1; 16];
    let sent = v1::Sent {
        receiver: "ph".into(),
        services_requested: services(),
        services_provided: services(),
        vulnerabilities: vec![1; LIST_MAX],
        consent: Some(consent()),
        information_disclosed: fields(),
        information_withheld: fields(),
        restrictions: vec![1; LIST_MAX],
        case_digest: vec![1; 32],
        onward_of: vec![1; 16],
        ..Default::default()
    };
    let onward = v1::OnwardErasure { referral_id: carried(), stopped: true, confirmed: true };
    vec![
        Transition::Sent(sent),
        Transition::Acknowledged(v1::Acknowledged {}),
        Transition::InformationRequested(v1::InformationRequested { fields: fields() }),
        Transition::InformationProvided(v1::InformationProvided {
            information_disclosed: fields(),
        }),
        Transition::Accepted(v1::Accepted {}),
        Transition::Declined(v1::Declined { code: 1 }),
        Transition::Withdrawn(v1::Withdrawn { code: 1 }),
        Transition::ServiceDelivered(v1::ServiceDelivered {
            result: 1,
            services_delivered: services(),
        }),
        Transition::Closed(v1::Closed { outcome: 1, feedback: 1 }),
        Transition::Expired(v1::Expired {}),
        Transition::ServiceStarted(v1::ServiceStarted {}),
        Transition::AppointmentScheduled(v1::AppointmentScheduled { at: 1 << 40 }),
        Transition::AppointmentMissed(v1::AppointmentMissed { code: 1 }),
        Transition::Paused(v1::Paused { code: 1 }),
        Transition::Resumed(v1::Resumed {}),
        Transition::FollowUp(v1::FollowUp { result: 1 }),
        Transition::Cancelled(v1::Cancelled { code: 1 }),
        Transition::Reopened(v1::Reopened {
            code: 1,
            consent: Some(consent()),
            information_disclosed: fields(),
        }),
        Transition::Onward(v1::Onward { receiver: "ifrc".into(), referral_id: carried() }),
        Transition::HandoverProposed(v1::HandoverProposed {}),
        Transition::HandoverAccepted(v1::HandoverAccepted {}),
        Transition::HandoverDeclined(v1::HandoverDeclined {}),
        Transition::ConsentWithdrawn(v1::ConsentWithdrawn {
            by: 1,
            form: 1,
            carried: carried(),
            extent: 1,
        }),
        Transition::ConsentRenewed(v1::ConsentRenewed { consent: Some(consent()) }),
        Transition::Corrected(v1::Corrected {
            event: Some(seen()),
            information_disclosed: fields(),
        }),
        Transition::EnteredInError(v1::EnteredInError {
            event: Some(seen()),
            carried: carried(),
            attachment: vec![1; 16],
        }),
        Transition::ErasureRequested(v1::ErasureRequested {
            ground: 1,
            carried: carried(),
            extent: 1,
        }),
        Transition::Erased(v1::Erased {
            reason: 1,
            on: Some(seen()),
            entries: vec![seen(); LIST_MAX],
            onward: vec![onward; LIST_MAX],
            earlier: Some(v1::EarlierErasure { stopped: true, confirmed: true }),
        }),
    ]
}

/// No step that any reader believes needs more than the smallest frame: what is told of a step by
/// its size is no more than that somebody has written a long text.
#[test]
fn every_step_at_its_largest_is_of_one_size() {
    let mut author = Author::new(1);
    let example = Content::Referral(example().1);
    let note = |letters: usize| Content::Note(v1::Note { text: "a".repeat(letters) });
    for transition in every_step() {
        for content in [None, Some(example.clone()), Some(note(8_000))] {
            let seen = author.step("ph", transition.clone(), content);
            let payloads = seen.bodies.iter().map(|body| payload(body)).collect::<Vec<_>>();
            assert_eq!(payloads, [RUNGS[0] + 32; 2], "{transition:?}");
        }
    }
    let long = author.step("ph", Transition::Accepted(v1::Accepted {}), Some(note(9_000)));
    let payloads = long.bodies.iter().map(|body| payload(body)).collect::<Vec<_>>();
    assert_eq!(payloads, [RUNGS[1] + 32; 2], "not even which of the two is the long one");
}

/// Bytes behind an age file's header: a nonce of 16, the frame, a tag of 16 for each 64 KiB.
fn payload(body: &[u8]) -> usize {
    let mac = body.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 1;
    let line = body[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    body.len() - mac - line
}

fn samples() -> usize {
    let asked = std::env::var("TUTTI_SAMPLES").ok().and_then(|count| count.parse().ok());
    asked.unwrap_or(SAMPLES)
}

/// Some entries of one kind, as an attacker counts them.
fn seen(author: &mut Author, mut make: impl FnMut(&mut Author) -> Seen) -> Vec<Features> {
    let known = author.known();
    (0..samples()).map(|_| features(&make(author), &known)).collect()
}

fn all(author: &mut Author) -> [(&'static str, Vec<Features>); 6] {
    [
        ("a referral", seen(author, |author| author.sent("ph"))),
        ("any step", seen(author, |author| author.answer("ph"))),
        ("the shortest step", seen(author, |author| author.acknowledged("ph"))),
        ("information", seen(author, |author| author.share("ph"))),
        ("an answer to information", seen(author, |author| author.response(&["ph"]))),
        ("a referral to another", seen(author, |author| author.sent("my"))),
    ]
}

/// Attack 15: who is no party to an entry, and a relay that keeps its bodies, does no better than
/// by guessing at what it is, and for whom.
#[test]
fn nothing_tells_a_referral_from_information_one_step_from_another_or_whom_it_is_for() {
    let kinds = all(&mut Author::new(2));
    let mut told = Vec::new();
    for (at, (one, ours)) in kinds.iter().enumerate() {
        for (other, theirs) in &kinds[at + 1..] {
            for attack in attack(ours, theirs) {
                println!("{one} or {other}: {attack:?}");
                if attack.wins() {
                    told.push(format!("{one} from {other}: {attack:?}"));
                }
            }
        }
    }
    assert!(told.is_empty(), "{told:#?}");
}

/// The same attacker, where one thing is left out: it would have found it.
#[test]
fn an_attacker_finds_whatever_is_left_out() {
    let mut author = Author::new(3);
    let known = author.known();
    let honest = seen(&mut author, |author| author.sent("ph"));
    let mut wins = |what: &str, change: &dyn Fn(&mut Author, Seen) -> Seen| {
        let changed: Vec<Features> = (0..samples())
            .map(|_| {
                let seen = author.sent("ph");
                features(&change(&mut author, seen), &known)
            })
            .collect();
        let attacks = attack(&honest, &changed);
        assert!(attacks.iter().any(Attack::wins), "{what}: {attacks:?}");
    };
    // A frame of 1 KiB and Padmé, as it was at first.
    wins("sizes that follow the message", &|author, mut seen| {
        let shorter = author.below(7_000) as usize;
        let left = seen.bodies[1].len() - shorter;
        seen.bodies[1].truncate(left);
        seen
    });
    wins("stanzas for those alone who are there", &|_, mut seen| {
        let text = String::from_utf8_lossy(&seen.bodies[0][..]).into_owned();
        let first = text.find("-> mlkem").unwrap();
        let second = first + 3 + text[first + 3..].find("-> ").unwrap();
        seen.bodies[0].drain(first..second);
        seen
    });
    wins("decoys of random bytes", &|author, mut seen| {
        use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
        let text = String::from_utf8_lossy(&seen.bodies[1][..]).into_owned();
        let start = text.find("mlkem768x25519 ").unwrap() + 15;
        let mut random = vec![0; 1_120];
        author.dice.fill_bytes(&mut random);
        let random = BASE64_STANDARD_NO_PAD.encode(random);
        seen.bodies[1][start..start + random.len()].copy_from_slice(random.as_bytes());
        seen
    });
    wins("a tag that follows from the receiver", &|_, mut seen| {
        let at = seen.entry.len() - 16;
        seen.entry[at] = 7;
        seen
    });
}

/// The bucket of addressees is what the number of tags says, and within one nothing says more.
#[test]
fn entries_to_one_and_to_two_are_alike_and_to_three_and_to_four() {
    let mut author = Author::new(4);
    let known = author.known();
    for (few, many, tags) in [(1, 2, 2), (3, 4, 4), (5, 8, 8)] {
        let of = |author: &mut Author, count: usize| -> Vec<Features> {
            let one = |author: &mut Author| features(&author.response(&CODES[1..=count]), &known);
            (0..samples() / 2).map(|_| one(author)).collect()
        };
        let (few, many) = (of(&mut author, few), of(&mut author, many));
        let count = |features: &Features, name: &str| {
            features.iter().find(|(of, _)| of == name).map(|(_, value)| *value as usize)
        };
        for entry in few.iter().chain(&many) {
            assert_eq!(count(entry, "entry tags"), Some(tags));
            assert_eq!(count(entry, "record stanzas"), Some(2 * (tags + 1)));
            assert_eq!(count(entry, "content stanzas"), Some(tags + 1));
        }
        for attack in attack(&few, &many) {
            assert!(!attack.wins(), "{tags} tags: {attack:?}");
        }
    }
}
