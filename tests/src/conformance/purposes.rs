//! One key, one use, and one meaning for each signature: what was signed as one thing is never taken as
//! another, *even if* one key were used for both.
//!
//! A table of all that is signed against all that checks a signature. For each pair the checker's own key
//! signs the other's text, byte for byte; the checker must refuse it, but for its own kind.

use ed25519_dalek::{Signer as _, SigningKey};
use signed_note::Signature;
use tutti_core::{
    head::{Head, HeadKeys, SignedHead},
    keys::{NoteKey, NoteSecret},
    local::{self, LocalKeys},
    roster::{Card, DataProtection, Draft, Roster},
    sealing::routing,
    society::{Origin, Society},
    tree::Tree,
};

use super::seeds::{self, FEDERATION, Seeded};

/// The time in the cosignature.
const TIME_S: u64 = 1_764_000_000;

/// What somebody has signed.
struct Form {
    what: &'static str,
    message: Vec<u8>,
}

/// Whether a text and a signature are taken.
type Accepts<'a> = dyn Fn(&[u8], &[u8; 64]) -> bool + 'a;

/// What takes a signature: with which key, and how.
struct Verifier<'a> {
    takes: &'static str,
    secret: &'a NoteSecret,
    accepts: Box<Accepts<'a>>,
}

fn verifier<'a>(
    takes: &'static str,
    secret: &'a NoteSecret,
    accepts: impl Fn(&[u8], &[u8; 64]) -> bool + 'a,
) -> Verifier<'a> {
    Verifier { takes, secret, accepts: Box::new(accepts) }
}

/// The text with this signature under the key's name.
fn note(text: &[u8], key: &NoteKey, signature: &[u8]) -> Vec<u8> {
    let line = Signature::new(key.name().into(), key.id(), signature.to_vec()).unwrap();
    [text, b"\n", &line.to_bytes()].concat()
}

/// What is signed, of a sound note with one signature.
fn text_of(note: &[u8]) -> Vec<u8> {
    let end = note.windows(2).rposition(|two| two == b"\n\n").unwrap();
    note[..=end].to_vec()
}

/// The key itself, freed of its one use.
fn raw(secret: &NoteSecret) -> SigningKey {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let text = secret.to_secret_string();
    let material = BASE64_STANDARD.decode(text.splitn(5, '+').last().unwrap()).unwrap();
    SigningKey::from_bytes(material[1..].try_into().unwrap())
}

struct Keys<'a>(&'a Seeded);

impl HeadKeys for Keys<'_> {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        (origin.as_str() == self.0.log.public().name()).then_some(self.0.log.public())
    }

    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        let key = self.0.witness.public();
        (name == key.name()).then_some((self.0.society, key))
    }
}

fn first_roster(member: &Seeded) -> Draft {
    let protection = DataProtection {
        emergency_hours: 24,
        urgent_hours: 72,
        normal_hours: 336,
        retention_days: 365,
        acknowledge_hours: None,
    };
    let card = Card::open(&member.card()).unwrap();
    let mut draft = Draft::found(&[card], 1, "2036-01-01", protection).unwrap();
    draft.sign(&member.root).unwrap();
    draft
}

#[test]
fn a_signature_of_one_kind_is_never_taken_as_another() {
    let ph = seeds::ph();
    let own = LocalKeys::derive(&[7; 32], &ph.origin()).unwrap();
    let first = first_roster(&ph);
    let roster = Roster::open_first(&first.to_bytes()).unwrap();
    let next =
        Draft::succeed(&roster, |document| document.expires_on = "2037-01-01".into()).unwrap();
    let head = Head { origin: ph.origin(), size: 0, root: Tree::default().root() };
    let head = SignedHead::sign(head, &ph.log).unwrap();
    let cosigned = [format!("cosignature/v1\ntime {TIME_S}\n").as_bytes(), head.text()].concat();
    let local = local::head(&own, 0, Tree::default().root()).unwrap();
    let sealed_to = seeds::sg().routing.pair(&ph.routing.public());
    let form = |what, message: &[u8]| Form { what, message: message.to_vec() };
    let forms = [
        form("head", head.text()),
        form("cosignature", &cosigned),
        form("card", &text_of(&ph.card())),
        form("first roster", first.document().to_text().unwrap().as_bytes()),
        form("next roster", next.document().to_text().unwrap().as_bytes()),
        form("local head", &text_of(&local)),
        // What nobody signs, and no signature over it may say anything.
        form("entry", seeds::entries(&ph.origin(), 1)[0].as_slice()),
        form("token", &routing::token(&sealed_to, &ph.origin(), 0, 0)),
        form("receipt", &routing::receipt(&sealed_to, &ph.origin(), 0, 0)),
    ];
    let verifiers = [
        verifier("head", &ph.log, |text: &[u8], signature: &[u8; 64]| {
            SignedHead::open(&note(text, ph.log.public(), signature), &Keys(&ph)).is_ok()
        }),
        verifier("cosignature", &ph.witness, |_, signature| {
            // As it is sent by itself, and as a line beside the log's.
            let key = ph.witness.public();
            let timed = [TIME_S.to_be_bytes().as_slice(), signature].concat();
            let bytes = [key.id().to_be_bytes().as_slice(), &timed].concat();
            let alone = head.clone().add_cosignature(ph.society, key, &bytes);
            let line = Signature::new(key.name().into(), key.id(), timed).unwrap();
            let beside = [head.to_bytes(), line.to_bytes()].concat();
            let beside = SignedHead::open(&beside, &Keys(&ph)).is_ok();
            assert_eq!(alone, beside);
            // And without the time, as other keys sign.
            let plain = [key.id().to_be_bytes().as_slice(), signature].concat();
            assert!(!head.clone().add_cosignature(ph.society, key, &plain));
            alone
        }),
        verifier("card", &ph.root, |text, signature| {
            Card::open(&note(text, ph.root.public(), signature)).is_ok()
        }),
        verifier("first roster", &ph.root, |text, signature| {
            Roster::open_first(&note(text, ph.root.public(), signature)).is_ok()
        }),
        verifier("next roster", &ph.root, |text, signature| {
            Roster::open_next(&roster, &note(text, ph.root.public(), signature)).is_ok()
        }),
        verifier("local head", &own.sign, |text, signature| {
            let checkpoint = note(text, own.sign.public(), signature);
            let file = |path: &str| (path == "checkpoint").then(|| checkpoint.clone());
            local::verify(own.sign.public(), file, None).findings.is_empty()
        }),
    ];
    for verifier in &verifiers {
        for form in &forms {
            let signature = raw(verifier.secret).sign(&form.message).to_bytes();
            let accepted = (verifier.accepts)(&form.message, &signature);
            let (takes, what) = (verifier.takes, form.what);
            assert_eq!(accepted, takes == what, "a {what} as a {takes}");
        }
        // And what is sound says nothing under another's name.
        for other in verifiers.iter().filter(|other| other.takes != verifier.takes) {
            let sound = forms.iter().find(|form| form.what == verifier.takes).unwrap();
            let others = forms.iter().find(|form| form.what == other.takes).unwrap();
            let signature = raw(other.secret).sign(&others.message).to_bytes();
            assert!(
                !(verifier.accepts)(&sound.message, &signature),
                "{}: {}",
                verifier.takes,
                other.takes
            );
        }
    }
    // A draft of a roster that is being signed is of the form of both.
    for form in &forms {
        let signature = raw(&ph.root).sign(&form.message).to_bytes();
        let draft = Draft::open(&note(&form.message, ph.root.public(), &signature)).is_ok();
        assert_eq!(draft, form.what.ends_with("roster"), "a {} as a draft", form.what);
    }
    let kinds: Vec<&str> = verifiers.iter().map(|verifier| verifier.takes).collect();
    assert!(forms.iter().take(kinds.len()).map(|form| form.what).eq(kinds), "each has its checker");
}

/// What two societies prove to each other by a common key: each proof is of one kind, log, place, slot.
#[test]
fn no_token_is_a_receipt_and_none_is_of_another_place() {
    let (ph, sg) = (seeds::ph(), seeds::sg());
    let pairs = [ph.routing.pair(&sg.routing.public()), ph.routing.pair(&ph.routing.public())];
    let mut all = Vec::new();
    for pair in &pairs {
        for origin in [ph.origin(), sg.origin()] {
            for index in [0, 1, 256] {
                for slot in [0, 1, 7] {
                    all.push((true, routing::token(pair, &origin, index, slot)));
                    all.push((false, routing::receipt(pair, &origin, index, slot)));
                }
            }
        }
    }
    for (at, (is_token, token)) in all.iter().enumerate() {
        for (other, (_, shown)) in all.iter().enumerate() {
            assert_eq!(token == shown, at == other);
            let admitted = routing::admits(shown, &[routing::tag(token)]);
            assert_eq!(admitted, at == other, "{is_token}");
        }
    }
}

/// All that is made of the one local secret is apart from the rest.
#[test]
fn keys_of_the_local_log_are_one_for_each_use_and_society() {
    let mut all = Vec::new();
    for (secret, society) in [(7, seeds::ph()), (7, seeds::sg()), (8, seeds::ph())] {
        let keys = LocalKeys::derive(&[secret; 32], &society.origin()).unwrap();
        all.extend([*keys.seal, *keys.opened, keys.mark(), raw(&keys.sign).to_bytes()]);
        all.push(keys.approval_digest(&[]));
        assert!(keys.log().starts_with(FEDERATION));
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
