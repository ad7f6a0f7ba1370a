#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

fn origin() -> Origin {
    "migrants.example.org/ph/1".parse().unwrap()
}

fn secrets(count: usize, seed: u64) -> Vec<RoutingSecret> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..count).map(|_| RoutingSecret::generate(&mut rng)).collect()
}

#[test]
fn keys_have_one_text() {
    let [secret] = &secrets(1, 1)[..] else { unreachable!() };
    let text = secret.public().to_string();
    assert_eq!(text.parse(), Ok(secret.public()));
    let again: RoutingSecret = secret.to_secret_string().parse().unwrap();
    assert_eq!(again.public(), secret.public());
    assert_eq!(format!("{secret:?}"), "RoutingSecret(..)");
    for bad in [text.trim_end_matches('=').to_owned(), format!("{text} "), String::new()] {
        assert_eq!(bad.parse::<RoutingKey>(), Err(RoutingError::Encoding), "{bad}");
    }
    let json = serde_json::to_string(&secret.public()).unwrap();
    assert_eq!(serde_json::from_str::<RoutingKey>(&json).unwrap(), secret.public());
    assert!(serde_json::from_str::<RoutingKey>("\"AAAA\"").is_err());
}

#[test]
fn weak_and_second_encodings_are_refused() {
    let mut points = vec![[0; 32]];
    let mut one = [0; 32];
    one[0] = 1;
    points.push(one);
    // The two points of order eight (RFC 7748's curve), and p - 1, p, p + 1.
    for text in [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        points.push(hex::decode(text).unwrap().try_into().unwrap());
    }
    let mut high_bit = *secrets(1, 2)[0].public().as_bytes();
    high_bit[31] |= 0x80;
    points.push(high_bit);
    // 9 + p is the base point once more.
    let mut base_again = [0xff; 32];
    (base_again[0], base_again[31]) = (0xf6, 0x7f);
    points.push(base_again);
    for point in points {
        assert_eq!(RoutingKey::from_bytes(point), Err(RoutingError::Weak), "{point:02x?}");
    }
}

/// Worked out apart from this code with another implementation of X25519, HKDF and HMAC: a change
/// here is a change of protocol.
#[test]
fn known_answers() {
    let ours = RoutingSecret(StaticSecret::from([0x11; 32]));
    let theirs = RoutingSecret(StaticSecret::from([0x22; 32]));
    let pair = ours.pair(&theirs.public());
    let token = token(&pair, &origin(), 258, 3);
    assert_eq!(
        hex::encode(ours.public().0),
        "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
    );
    assert_eq!(
        hex::encode(pair.0),
        "32a2f05337dfb67bf90008bce47f70305c6a000902515a177af8bafab2194c4e"
    );
    assert_eq!(
        hex::encode(token),
        "3af17706fd01171416b093c22bfcbcf77a7ff98a64d2943f20237c52cc25a82a"
    );
    assert_eq!(hex::encode(tag(&token)), "cb4a7847c7becce8c966a88e818ed356");
}

#[test]
fn every_input_counts() {
    let [a, b, c] = &secrets(3, 3)[..] else { unreachable!() };
    let pair = a.pair(&b.public());
    let other: Origin = "migrants.example.org/ph/2".parse().unwrap();
    let tokens = [
        token(&pair, &origin(), 1, 0),
        token(&pair, &origin(), 1, 1),
        token(&pair, &origin(), 2, 0),
        token(&pair, &other, 1, 0),
        token(&a.pair(&c.public()), &origin(), 1, 0),
    ];
    let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), tokens.len());
}

#[test]
fn limits_are_named() {
    let all = secrets(10, 4);
    let keys: Vec<_> = all.iter().skip(1).map(RoutingSecret::public).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    assert_eq!(tags(&all[0], &keys, &origin(), 0, &mut rng), Err(RoutingError::TooMany(9)));
    let twice = [keys[0], keys[0]];
    assert_eq!(tags(&all[0], &twice, &origin(), 0, &mut rng), Err(RoutingError::Twice));
}

#[test]
fn places_are_not_told_by_order() {
    let all = secrets(3, 6);
    let keys: Vec<_> = all.iter().skip(1).map(RoutingSecret::public).collect();
    let pair = all[1].pair(&all[0].public());
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let first = (0..64u64)
        .filter(|index| {
            let tags = tags(&all[0], &keys, &origin(), *index, &mut rng).unwrap();
            claim(&pair, &origin(), *index, &tags).unwrap().0 == 0
        })
        .count();
    assert!((16..=48).contains(&first), "{first} of 64");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn addressees_find_themselves_and_others_nothing(
        count in 0usize..=8, index: u64, seed: u64,
    ) {
        let all = secrets(count + 2, seed);
        let (author, stranger, addressees) = (&all[0], &all[1], &all[2..]);
        let keys: Vec<_> = addressees.iter().map(RoutingSecret::public).collect();
        let mut rng = ChaCha20Rng::seed_from_u64(seed.wrapping_add(1));
        let tags = tags(author, &keys, &origin(), index, &mut rng).unwrap();
        prop_assert!([0, 2, 4, 8].contains(&tags.len()) && tags.len() >= count);
        prop_assert!(tags.len() < 2 * count.max(1) || count < 2);

        let mut slots = std::collections::BTreeSet::new();
        for addressee in addressees {
            let pair = addressee.pair(&author.public());
            let (slot, token) = claim(&pair, &origin(), index, &tags).unwrap();
            prop_assert!(slots.insert(slot));
            prop_assert!(admits(&token, &tags));
            prop_assert_eq!(claim(&pair, &origin(), index ^ 1, &tags), None);
            // The author computes the same, so it knows its own addressees.
            let ours = claim(&author.pair(&addressee.public()), &origin(), index, &tags);
            prop_assert_eq!(ours, Some((slot, token)));
        }
        let pair = stranger.pair(&author.public());
        prop_assert_eq!(claim(&pair, &origin(), index, &tags), None);
        let mut guess = [0; 32];
        rng.fill_bytes(&mut guess);
        prop_assert!(!admits(&guess, &tags));
    }
}
