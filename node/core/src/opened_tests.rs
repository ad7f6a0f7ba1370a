#![allow(clippy::unwrap_used)]

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    batch::VerifiedBatch,
    head::tests::Keys,
    sealing::{salt, seal},
    store::{MemoryStore, Reader, Store},
    tree::Tree,
};

fn identity(seed: u64) -> Identity {
    Identity::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn record(addressed: bool) -> v1::Record {
    v1::Record {
        origin: "m.example.org/ph/1".into(),
        event_id: vec![5; 16],
        actor: "a1".into(),
        approver: String::new(),
        addressees: if addressed { vec!["sg".into()] } else { vec![] },
        has_content: false,
        event: None,
    }
}

/// The proof of an entry of `ph` whose record this is, and the body.
fn proven(keys: &Keys, addressed: bool) -> (Proof, Vec<u8>) {
    let (origin, secret) = keys.logs.first_key_value().unwrap();
    let message = record(addressed).encode_to_vec();
    let body = match addressed {
        true => seal(&message, &[identity(1).recipient(), identity(2).recipient()]).unwrap(),
        false => salt(&message, &mut ChaCha20Rng::seed_from_u64(3)),
    };
    let mut header = crate::entry::tests::header(origin.as_str(), 0);
    header.content = header.content.filter(|_| addressed);
    header.visibility = if addressed { Visibility::Addressed } else { Visibility::Public };
    header.tags = if addressed { vec![[1; 16], [2; 16]] } else { vec![] };
    header.record = header.place(Part::Record).commit(&body);
    let entry = header.encode();
    let batch = VerifiedBatch::author(&Tree::default(), origin, vec![entry.clone()], secret);
    let mut store = MemoryStore::new();
    store.append(&batch.unwrap(), &[]).unwrap();
    let head = store.head(origin).unwrap();
    (Proof::new(0, entry, store.inclusion(origin, 0, 1).unwrap(), &head), body)
}

#[test]
fn the_opened_record_is_proven_to_whoever_has_no_key() {
    let keys = Keys::new(&["ph", "sg"]);
    for addressed in [true, false] {
        let (proof, body) = proven(&keys, addressed);
        let of_both = [identity(1), identity(2)].map(|identity| {
            let opened = Opened::new(proof.clone(), body.clone(), Some(&identity)).unwrap();
            let file = opened.to_bytes();
            let read = Opened::parse(&file).unwrap();
            assert_eq!(read, opened);
            let told = read.verify(&keys).unwrap();
            assert_eq!((told.record, told.head.size()), (record(addressed), 1));
            file
        });
        assert_eq!(of_both[0], of_both[1], "whoever reveals it, it is the one key");
        let stranger = Opened::new(proof.clone(), body.clone(), Some(&identity(3)));
        assert_eq!(stranger.is_err(), addressed);
        assert_eq!(Opened::new(proof, body, None).is_err(), addressed);
    }
}

#[test]
fn another_body_another_key_and_every_flipped_bit_prove_nothing() {
    let keys = Keys::new(&["ph", "sg"]);
    let (proof, body) = proven(&keys, true);
    let opened = Opened::new(proof.clone(), body, Some(&identity(1))).unwrap();
    // The same message sealed again, with its key.
    let (_, other) = proven(&keys, true);
    let key = reveal(&other, &identity(1)).unwrap();
    let swapped = Opened { proof, body: other, key: Some(key.clone()) };
    assert_eq!(swapped.verify(&keys), Err(OpenedRefused::OtherBody));
    let wrong = Opened { key: Some(key), ..opened.clone() };
    assert!(matches!(wrong.verify(&keys), Err(OpenedRefused::Record(Unreadable::Sealed(_)))));
    let bare = Opened { key: None, ..opened.clone() };
    assert_eq!(bare.verify(&keys), Err(OpenedRefused::Key));

    let bytes = opened.to_bytes();
    let told = opened.verify(&keys).unwrap();
    // Each bit of the key and of the beginning and the end of the body; of the proof its own tests
    // tell.
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    for at in (0..200).chain(end - 100..end + 2) {
        for bit in 0..8 {
            let mut mutated = bytes.clone();
            mutated[at] ^= 1 << bit;
            let again = Opened::parse(&mutated).and_then(|read| read.verify(&keys));
            assert!(again.is_err() || again.as_ref() == Ok(&told), "{at} {bit}");
        }
    }
}
