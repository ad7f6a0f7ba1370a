//! From one version to the next: whose signatures it takes, and what may not change.

use super::*;

#[test]
fn succession_is_as_tuf_has_it() {
    let founders = founders(&["ph", "qa", "sg"]);
    let newcomer = Founder::new("it", 44);
    let first = found(&founders);
    let admit = |document: &mut Document| {
        document.members.push(newcomer.member());
        document.members.sort_by_key(|member| member.society);
        document.threshold = 3;
    };
    let second = Draft::succeed(&first, admit).unwrap();
    let text = text_of(second.document());
    let note = |signers: &[&Founder]| {
        forge(&text, &signers.iter().map(|founder| &founder.root).collect::<Vec<_>>())
    };
    let [ph, qa, sg] = founders.as_slice() else { panic!("three") };
    // Two of version 1 and three of version 2 are needed.
    let good = Roster::open_next(&first, &note(&[ph, qa, &newcomer])).unwrap();
    assert_eq!(good.version(), 2);
    assert!(Roster::open_next(&first, &note(&[ph, qa, sg])).is_ok());
    let few = |version, signed, threshold| {
        Err(RosterError::TooFewSignatures { version, signed, threshold })
    };
    assert_eq!(Roster::open_next(&first, &note(&[ph, qa])), few(2, 2, 3));
    assert_eq!(Roster::open_next(&first, &note(&[ph, &newcomer])), few(1, 1, 2));
    assert!(matches!(
        Roster::open_next(&first, &note(&[ph, ph, qa, sg])),
        Err(RosterError::SignedTwice(_))
    ));
    assert!(matches!(
        Roster::open_next(&first, &note(&[ph, qa, sg, &Founder::new("fr", 5)])),
        Err(RosterError::Stranger(_))
    ));
    // The log key's signature is not a root key's.
    assert!(matches!(
        Roster::open_next(&first, &forge(&text, &[&ph.root, &qa.root, &sg.log])),
        Err(RosterError::Stranger(_))
    ));

    // Rollback, replay, skipping, another past.
    assert_eq!(
        Roster::open_next(&good, first.as_bytes()),
        Err(RosterError::Version { found: 1, expected: 3 })
    );
    assert_eq!(
        Roster::open_next(&good, good.as_bytes()),
        Err(RosterError::Version { found: 2, expected: 3 })
    );
    let third = Draft::succeed(&good, |document| document.threshold = 1).unwrap();
    let signers = [&ph.root, &qa.root, &sg.root];
    let third = forge(&text_of(third.document()), &signers);
    assert_eq!(
        Roster::open_next(&first, &third),
        Err(RosterError::Version { found: 3, expected: 2 })
    );
    assert!(Roster::open_next(&good, &third).is_ok());
    assert_eq!(Roster::open_first(&third), Err(RosterError::Version { found: 3, expected: 1 }));
    let mut other_past = second.document().clone();
    other_past.previous = Some([7; 32]);
    assert_eq!(
        Roster::open_next(&first, &forge(&text_of(&other_past), &signers)),
        Err(RosterError::Previous)
    );
    let chain = [first.as_bytes(), good.as_bytes(), &third];
    assert_eq!(Roster::open_chain(chain).unwrap().version(), 3);
    assert!(Roster::open_chain([chain[0], chain[2]]).is_err());
    assert!(Roster::open_chain([chain[1], chain[2]]).is_err());
    assert_eq!(Roster::open_chain([]), Err(RosterError::Empty));
}

#[test]
fn what_a_successor_may_not_change_is_refused() {
    let founders = founders(&["ph", "qa", "sg"]);
    let first = found(&founders);
    let fresh = Founder::new("ph", 77);
    let succeed = |change: &dyn Fn(&mut Document)| Draft::succeed(&first, change).map(|_| ());
    assert!(matches!(
        succeed(&|d| drop(d.members.remove(0))),
        Err(RosterError::Dropped(gone)) if gone == founders[0].society
    ));
    // Who is removed does not count.
    assert_eq!(
        succeed(&|d| {
            d.members[0].status = Status::Removed;
            d.threshold = 3;
        }),
        Err(RosterError::Threshold { threshold: 3, active: 2 })
    );
    assert_eq!(
        succeed(&|d| d.members[0].log_key = fresh.log.public().clone()),
        Err(RosterError::Epoch(founders[0].society))
    );
    let epoch = NoteSecret::generate(
        "m.example.org/ph/2",
        KeyKind::Signature,
        &mut ChaCha20Rng::seed_from_u64(300),
    )
    .unwrap();
    assert_eq!(succeed(&|d| d.members[0].log_key = epoch.public().clone()), Ok(()));
    // A key that served one society cannot serve another later.
    assert!(matches!(
        succeed(&|d| {
            d.members[1].tls_key = d.members[0].tls_key;
            d.members[0].tls_key = fresh.tls;
        }),
        Err(RosterError::KeyReused { .. })
    ));
    // A removed member's signature does not count, a rotated root key needs the old one's word.
    let removed = Draft::succeed(&first, |d| d.members[0].status = Status::Removed).unwrap();
    let text = text_of(removed.document());
    assert!(matches!(
        Roster::open_next(&first, &forge(&text, &[&founders[0].root, &founders[1].root])),
        Err(RosterError::TooFewSignatures { version: 2, signed: 1, .. })
    ));
    let rotated =
        Draft::succeed(&first, |d| d.members[0].root_key = fresh.root.public().clone()).unwrap();
    let text = text_of(rotated.document());
    assert!(matches!(
        Roster::open_next(&first, &forge(&text, &[&fresh.root, &founders[1].root])),
        Err(RosterError::TooFewSignatures { version: 1, signed: 1, .. })
    ));
    let all = [&fresh.root, &founders[0].root, &founders[1].root];
    assert!(Roster::open_next(&first, &forge(&text, &all)).is_ok());
}
