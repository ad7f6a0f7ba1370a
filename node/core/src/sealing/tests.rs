#![allow(clippy::unwrap_used)]
use super::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn identities(count: usize) -> Vec<Identity> {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    (0..count).map(|_| Identity::generate(&mut rng)).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn each_recipient_opens_and_no_other() {
    let all = identities(4);
    let message = b"Maria needs a lawyer";
    let to: Vec<_> = all.iter().take(3).map(Identity::recipient).collect();
    let sealed = seal(message, &to).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    for identity in &all[..3] {
        assert_eq!(open(&sealed, &[identity]).unwrap()[..], message[..]);
        assert_eq!(open(&sealed, &[&all[3], identity]).unwrap()[..], message[..]);
    }
    assert_eq!(open(&sealed, &[&all[3]]), Err(OpenError::NotForUs));
    assert_eq!(open(&sealed, &[]), Err(OpenError::NotForUs));
}

#[test]
fn sealed_bytes_never_hold_the_message() {
    let identity = &identities(1)[0];
    for size in [16, 1000, 70_000] {
        let message: Vec<u8> = b"person-canary-01".iter().copied().cycle().take(size).collect();
        let sealed = seal(&message, &[identity.recipient()]).unwrap();
        assert!(!contains(&sealed, b"person-canary-01"));
        assert!(!contains(&sealed, b"canary"));
        assert_ne!(sealed, seal(&message, &[identity.recipient()]).unwrap());
    }
}

#[test]
fn messages_of_like_size_make_payloads_of_one_size() {
    let identity = &identities(1)[0];
    // The header ends with a line of its own; age puts random grease before it.
    let payload = |size: usize| {
        let sealed = seal(&vec![1; size], &[identity.recipient()]).unwrap();
        let end = sealed.windows(5).position(|w| w == b"\n--- ").unwrap();
        sealed.len() - end
    };
    assert_eq!(payload(0), payload(8_188));
    assert_ne!(payload(8_188), payload(8_189));
}

#[test]
fn recipients_are_bounded_and_counted_once() {
    let all = identities(RECIPIENTS_MAX + 1);
    let to: Vec<_> = all.iter().map(Identity::recipient).collect();
    assert!(matches!(seal(b"x", &[]), Err(SealError::NoRecipient)));
    assert!(matches!(seal(b"x", &to), Err(SealError::TooManyRecipients(33))));
    let sealed = seal(b"x", &to[..RECIPIENTS_MAX]).unwrap();
    assert_eq!(open(&sealed, &[&all[0]]).unwrap()[..], b"x"[..]);

    let twice = seal(b"x", &[to[0].clone(), to[0].clone()]).unwrap();
    let stanzas = twice.windows(17).filter(|w| *w == b"-> mlkem768x25519").count();
    assert_eq!(stanzas, 1);
}

#[test]
fn what_was_altered_is_refused() {
    let identity = &identities(1)[0];
    let sealed = seal(b"hello", &[identity.recipient()]).unwrap();
    // Every place of the header's text would take long; each fifth and the whole tail do.
    for at in (0..sealed.len()).filter(|at| at % 5 == 0 || at + 40 > sealed.len()) {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(open(&altered, &[identity]).is_err(), "byte {at}");
    }
    for end in (0..sealed.len()).step_by(97) {
        assert!(open(&sealed[..end], &[identity]).is_err(), "cut at {end}");
    }
    let mut longer = sealed.clone();
    longer.push(0);
    assert_eq!(
        open(&longer, &[identity]),
        Err(OpenError::Malformed("the payload was cut or altered"))
    );
}

#[test]
fn wrong_padding_is_the_sealer_s_fault() {
    let identity = &identities(1)[0];
    let recipient = identity.recipient();
    let unpadded = age::encrypt(&recipient, b"no frame").unwrap();
    assert!(matches!(open(&unpadded, &[identity]), Err(OpenError::Padding(_))));
    let empty = age::encrypt(&recipient, b"").unwrap();
    assert_eq!(open(&empty, &[identity]), Err(OpenError::Padding(PaddingError::Truncated)));
}

#[test]
fn hostile_headers_are_bounded_before_they_are_parsed() {
    let identity = &identities(1)[0];
    let mut many = b"age-encryption.org/v1\n".to_vec();
    while many.len() < 1_000_000 {
        many.extend_from_slice(b"-> x\n\n");
    }
    let refused = Err(OpenError::Malformed("the header does not end within its limit"));
    assert_eq!(open(&many, &[identity]), refused);
    many.truncate(30_000);
    many.extend_from_slice(b"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    assert_eq!(open(&many, &[identity]), refused);
    let mut long = b"age-encryption.org/v1\n-> x\n".to_vec();
    long.resize(500_000, b'A');
    assert_eq!(open(&long, &[identity]), refused);
    for junk in [&b""[..], b"\n", b"---", b"age-encryption.org/v1\n---\n", b"\xff\xfe\n--- x\n"] {
        assert!(matches!(open(junk, &[identity]), Err(OpenError::Malformed(_))), "{junk:?}");
    }
    let huge = vec![b'a'; usize::try_from(BODY_BYTES_MAX).unwrap() + 1];
    assert_eq!(open(&huge, &[identity]), Err(OpenError::Malformed("larger than a body may be")));
}

#[test]
fn bodies_are_bounded_when_sealed() {
    let to = [identities(1)[0].recipient()];
    let max = usize::try_from(BODY_BYTES_MAX).unwrap();
    assert!(matches!(seal(&vec![0; max + 1], &to), Err(SealError::TooLarge(_))));
    let largest = *padding::RUNGS.last().unwrap() - 4;
    assert!(matches!(seal(&vec![0; largest + 1], &to), Err(SealError::TooLarge(_))));
    assert!(seal(&vec![0; largest], &to).is_ok());
}

#[test]
fn unsealed_bodies_are_salted() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let body = salt(b"guidance", &mut rng);
    assert_eq!(unsalt(&body), Ok(&b"guidance"[..]));
    assert_ne!(body, salt(b"guidance", &mut rng));
    assert_eq!(unsalt(&body[..32]), Ok(&b""[..]));
    assert_eq!(unsalt(&body[..31]), Err(SaltError));
}

/// Made by `tests/interop/age/make-vector.mjs` with typage, an implementation that is not ours.
const BY_TYPAGE: &str = include_str!("../../../../tests/conformance/sealed-by-typage.json");

#[test]
fn what_another_implementation_sealed_opens_or_is_refused() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let vector: serde_json::Value = serde_json::from_str(BY_TYPAGE).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let bytes = |value: &serde_json::Value| BASE64_STANDARD.decode(text(value)).unwrap();
    let identities: Vec<Identity> = vector["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let identity: Identity = text(&pair["secret"]).parse().unwrap();
            assert_eq!(identity.recipient().to_string(), text(&pair["recipient"]));
            identity
        })
        .collect();
    let mut tried = 0;
    for (case, opens) in ["opens", "refused"]
        .iter()
        .flat_map(|kind| vector[*kind].as_array().unwrap().iter().map(move |case| (case, *kind)))
    {
        let meant: Vec<u64> =
            case["for"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()).collect();
        let sealed = bytes(&case["sealed"]);
        for (at, identity) in (0..).zip(&identities) {
            let opened = open(&sealed, &[identity]);
            let what = &case["what"];
            match (meant.contains(&at), opens) {
                (true, "opens") => {
                    assert_eq!(opened.unwrap()[..], bytes(&case["message"]), "{what}")
                }
                (true, _) => assert!(matches!(opened, Err(OpenError::Padding(_))), "{what}"),
                (false, _) => assert_eq!(opened, Err(OpenError::NotForUs), "{what}"),
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 21);
}
