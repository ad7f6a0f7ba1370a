#![allow(clippy::unwrap_used)]
use super::*;
use age::{Identity as _, Recipient as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// From C2SP age.md, as are the two files beside.
const EXAMPLE: &str =
    "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR";
const EXAMPLE_RECIPIENT: &str = include_str!("testdata/c2sp-recipient.txt");
const EXAMPLE_STANZA: &str = include_str!("testdata/c2sp-stanza.txt");

fn example_stanza() -> Stanza {
    let (arguments, body) = EXAMPLE_STANZA.trim_end().split_once('\n').unwrap();
    let mut words = arguments.split(' ').skip(1).map(str::to_owned);
    Stanza {
        tag: words.next().unwrap(),
        args: words.collect(),
        body: BASE64_STANDARD_NO_PAD.decode(body).unwrap(),
    }
}

#[test]
fn checksum_constants_are_those_of_bech32() {
    UnlimitedBech32::sanity_check();
}

#[test]
fn the_specification_s_identity_gives_its_recipient() {
    let identity: Identity = EXAMPLE.parse().unwrap();
    assert_eq!(identity.recipient().to_string(), EXAMPLE_RECIPIENT.trim_end());
    assert_eq!(*identity.to_secret_string(), EXAMPLE);
    let recipient: Recipient = EXAMPLE_RECIPIENT.trim_end().parse().unwrap();
    assert_eq!(recipient, identity.recipient());
}

#[test]
fn the_specification_s_stanza_opens() {
    let identity: Identity = EXAMPLE.parse().unwrap();
    assert!(identity.unwrap_stanza(&example_stanza()).unwrap().is_ok());
}

#[test]
fn other_stanzas_are_ignored_and_bad_ones_refused() {
    let identity: Identity = EXAMPLE.parse().unwrap();
    let refused = |change: &dyn Fn(&mut Stanza)| {
        let mut stanza = example_stanza();
        change(&mut stanza);
        matches!(identity.unwrap_stanza(&stanza), Some(Err(age::DecryptError::InvalidHeader)))
    };
    assert!(refused(&|s| s.args.clear()));
    assert!(refused(&|s| s.args.push("x".into())));
    assert!(refused(&|s| s.args[0].push('=')));
    assert!(refused(&|s| s.args[0].insert(3, '\n')));
    assert!(refused(&|s| s.args[0].truncate(1490)));
    assert!(refused(&|s| s.args[0].push_str("AAAA")));
    assert!(refused(&|s| s.body.truncate(31)));
    assert!(refused(&|s| s.body.push(0)));
    // 1120 bytes leave four bits in the last character: the same bytes with one of them set.
    assert!(refused(&|s| {
        let last = s.args[0].pop().unwrap();
        let next = char::from_u32(u32::from(last) + 1).unwrap();
        s.args[0].push(next);
    }));

    let mut other = example_stanza();
    other.tag = "X25519".into();
    assert!(identity.unwrap_stanza(&other).is_none());
    let mut altered = example_stanza();
    altered.body[0] ^= 1;
    assert!(identity.unwrap_stanza(&altered).is_none());
}

#[test]
fn keys_have_one_text() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let identity = Identity::generate(&mut rng);
    let secret = identity.to_secret_string();
    let again: Identity = secret.parse().unwrap();
    assert_eq!(again.recipient(), identity.recipient());
    assert_eq!(format!("{identity:?}"), "Identity(..)");
    assert!(secret.to_lowercase().parse::<Identity>().is_err());
    assert!(secret.replace("PQ-1", "1").parse::<Identity>().is_err());

    let text = identity.recipient().to_string();
    assert_eq!(text.len(), 1959);
    for bad in [
        text.to_uppercase(),
        text.replacen('q', "p", 2),
        text[..1000].to_owned(),
        format!("{text}q"),
        format!(" {text}"),
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj".to_owned(),
        bech32::encode::<bech32::NoChecksum>(RECIPIENT_HRP, &[0; 1216]).unwrap(),
        "a".repeat(100_000),
        String::new(),
    ] {
        assert_eq!(bad.parse::<Recipient>(), Err(SealingKeyError::Recipient));
    }
    let json = serde_json::to_string(&identity.recipient()).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Recipient>(&json).unwrap(), identity.recipient());
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    // A coefficient above ML-KEM's modulus: FIPS 203 asks that it be refused.
    let text = bech32::encode::<UnlimitedBech32>(RECIPIENT_HRP, &[0xff; 1216]).unwrap();
    assert_eq!(text.parse::<Recipient>(), Err(SealingKeyError::PublicKey));
    // Zero bits are missing after the last byte: another text for the same bytes.
    let key: Recipient = EXAMPLE_RECIPIENT.trim_end().parse().unwrap();
    let short = bech32::encode::<UnlimitedBech32>(RECIPIENT_HRP, &key.as_bytes()[..1215]).unwrap();
    assert_eq!(short.parse::<Recipient>(), Err(SealingKeyError::Recipient));
}

#[test]
fn hybrid_keys_are_not_mixed_with_others() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let hybrid = Identity::generate(&mut rng).recipient();
    let classic = age::x25519::Identity::generate().to_public();
    let file_key = FileKey::new(Box::new([0; FILE_KEY_BYTES]));
    let (stanzas, labels) = hybrid.wrap_file_key(&file_key).unwrap();
    assert_eq!(stanzas.len(), 1);
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["postquantum"]);
    let mixed: [&dyn age::Recipient; 2] = [&hybrid, &classic];
    assert!(age::Encryptor::with_recipients(mixed.into_iter()).is_err());
}
