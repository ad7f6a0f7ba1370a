#![allow(clippy::unwrap_used)]
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use age_core::format::Stanza;

use super::{super::*, *};

/// Societies: case and audit key of each.
fn societies(count: usize) -> Vec<[Identity; 2]> {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    (0..count).map(|_| [Identity::generate(&mut rng), Identity::generate(&mut rng)]).collect()
}

fn seal_to(parties: &[[Identity; 2]], record: usize, content: usize) -> Result<Sealed, SealError> {
    let parties: Vec<Party> = parties
        .iter()
        .map(|[case, audit]| Party { case: case.recipient(), audit: audit.recipient() })
        .collect();
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    seal_both(&vec![1; record], &vec![2; content], &parties, &mut rng)
}

/// The type, the length of the arguments and the length of the body of each stanza, in order.
fn header(sealed: &[u8]) -> Vec<(String, usize, usize)> {
    let end = sealed.windows(5).position(|bytes| bytes == b"\n--- ").unwrap();
    let text = std::str::from_utf8(&sealed[..end]).unwrap();
    text.split("\n-> ")
        .skip(1)
        .map(|stanza| {
            let (line, body) = stanza.split_once('\n').unwrap();
            let (kind, arguments) = line.split_once(' ').unwrap_or((line, ""));
            (kind.to_owned(), arguments.len(), body.len())
        })
        .collect()
}

#[test]
fn the_parties_open_what_is_theirs_and_nobody_else_anything() {
    let all = societies(4);
    let sealed = seal_to(&all[..3], 300, 900).unwrap();
    for ([case, audit], party) in all.iter().zip([true, true, true, false]) {
        assert_eq!(open(&sealed.record, &[case]).is_ok(), party);
        assert_eq!(open(&sealed.record, &[audit]).is_ok(), party);
        assert_eq!(open(&sealed.content, &[case]).is_ok(), party);
        assert_eq!(open(&sealed.content, &[audit]), Err(OpenError::NotForUs));
    }
    assert_eq!(open(&sealed.record, &[&all[0][1]]).unwrap()[..], [1; 300]);
    assert_eq!(open(&sealed.content, &[&all[2][0]]).unwrap()[..], [2; 900]);
}

#[test]
fn the_number_of_stanzas_follows_from_the_number_of_tags_and_all_look_alike() {
    for (addressees, tags) in [(1, 2), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8)] {
        let parties = societies(addressees + 1);
        let sealed = seal_to(&parties, 100, 0).unwrap();
        let (of_record, of_content) = stanzas(tags);
        for (body, expected) in [(&sealed.record, of_record), (&sealed.content, of_content)] {
            let stanzas = header(body);
            let (real, grease): (Vec<_>, Vec<_>) =
                stanzas.iter().partition(|(kind, ..)| kind == "mlkem768x25519");
            assert_eq!(real.len(), expected, "{addressees} addressees");
            // 1,120 bytes of encapsulation and 32 of a wrapped key, in base64.
            assert!(real.iter().all(|(_, arguments, body)| (*arguments, *body) == (1_494, 43)));
            assert!(grease.len() <= 1 && grease.iter().all(|(kind, ..)| kind.ends_with("-grease")));
        }
    }
}

#[test]
fn a_decoy_opens_for_nobody_and_is_not_in_the_way() {
    // One addressee in an entry with room for two: three decoys of nine stanzas.
    let parties = societies(2);
    for _ in 0..20 {
        let sealed = seal_to(&parties, 50, 50).unwrap();
        for [case, audit] in &parties {
            assert!(
                open(&sealed.record, &[case]).is_ok() && open(&sealed.content, &[case]).is_ok()
            );
            assert!(open(&sealed.record, &[audit]).is_ok());
        }
    }
}

#[test]
fn the_place_of_a_stanza_is_drawn() {
    let [case, audit] = &societies(1)[0];
    let party = Party { case: case.recipient(), audit: audit.recipient() };
    let other = societies(3).pop().unwrap();
    let other = Party { case: other[0].recipient(), audit: other[1].recipient() };
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let mut places = BTreeSet::new();
    for _ in 0..60 {
        let sealed = seal_both(b"", b"", &[party.clone(), other.clone()], &mut rng).unwrap();
        let text = String::from_utf8_lossy(&sealed.content).into_owned();
        let stanzas: Vec<&str> = text.split("-> ").skip(1).collect();
        let opens = |stanza: &str| {
            use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
            let mut lines = stanza.lines();
            let argument = lines.next().unwrap().split_once(' ').unwrap().1;
            let stanza = Stanza {
                tag: "mlkem768x25519".into(),
                args: vec![argument.into()],
                body: BASE64_STANDARD_NO_PAD.decode(lines.next().unwrap()).unwrap_or_default(),
            };
            age::Identity::unwrap_stanza(case, &stanza).is_some_and(|key| key.is_ok())
        };
        places.insert(stanzas.iter().take(3).position(|stanza| opens(stanza)).unwrap());
    }
    assert_eq!(places, BTreeSet::from([0, 1, 2]));
}

#[test]
fn what_is_too_large_or_for_too_many_is_refused() {
    let parties = societies(10);
    assert!(matches!(seal_to(&[], 1, 1), Err(SealError::NoRecipient)));
    assert!(matches!(seal_to(&parties, 1, 1), Err(SealError::TooManyRecipients(20))));
    let largest = *padding::RUNGS.last().unwrap() - 4;
    assert!(matches!(seal_to(&parties[..2], 1, largest + 1), Err(SealError::TooLarge(_))));
    // With the most stanzas that there are, the largest frame still makes a body.
    let sealed = seal_to(&parties[..9], largest, largest).unwrap();
    assert!(sealed.record.len() as u64 <= BODY_BYTES_MAX);
}
