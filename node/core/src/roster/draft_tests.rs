#![allow(clippy::unwrap_used)]
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    keys::KeyKind,
    roster::tests::{found, founders},
};

/// Who has another root key from version 2 on may sign with both, and with the old one alone it counts
/// for version 1 alone.
#[test]
fn a_draft_tells_how_many_of_both_versions_have_signed() {
    let founders = founders(&["ph", "qa", "sg"]);
    let first = found(&founders);
    let fresh_root = NoteSecret::generate(
        "m.example.org/ph/root",
        KeyKind::Signature,
        &mut ChaCha20Rng::seed_from_u64(99),
    )
    .unwrap();
    let mut draft =
        Draft::succeed(&first, |d| d.members[0].root_key = fresh_root.public().clone()).unwrap();
    let standing = |draft: &Draft| -> Vec<(u64, usize, usize)> {
        draft.standing().iter().map(|s| (s.version, s.signed, s.needed)).collect()
    };
    assert_eq!(standing(&draft), [(1, 0, 2), (2, 0, 2)]);
    assert_eq!(draft.sign(&founders[0].root).unwrap(), founders[0].society);
    assert_eq!(standing(&draft), [(1, 1, 2), (2, 0, 2)]);
    draft.sign(&founders[1].root).unwrap();
    assert_eq!(standing(&draft), [(1, 2, 2), (2, 1, 2)]);
    assert!(!draft.is_finished());
    assert!(matches!(
        Roster::open_next(&first, &draft.to_bytes()),
        Err(RosterError::TooFewSignatures { version: 2, .. })
    ));
    draft.sign(&fresh_root).unwrap();
    assert!(draft.is_finished());
    assert_eq!(draft.signed().count(), 2, "two societies, three signatures");
    let read = Draft::open_after(&first, &draft.to_bytes()).unwrap();
    assert_eq!(read, draft);
    assert!(Draft::open(&draft.to_bytes()).is_err(), "alone nobody knows the old key");
    assert!(Roster::open_next(&first, &draft.to_bytes()).is_ok());
}
