//! What a member of bad will does with what it can see and sign.

use tutti_core::{
    entry::{Commitment, EntryBytes, Header, Visibility},
    head::SignedHead,
    session::Effect,
};

use super::*;
use crate::{clock::Now, engine::Mode};

/// Entries of `by`, in `to`'s store, each with the given commitments and, where addressed, a tag
/// for `to`.
fn commit(
    federation: &Federation,
    by: &str,
    to: &mut Node,
    visibility: Visibility,
    bodies: &[(Commitment, Option<Commitment>)],
) {
    let (own, keyring) = (origin(by), federation.keyring(by));
    let held = to.store.tree(&own);
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let entries: Vec<EntryBytes> = (held.size()..)
        .zip(bodies)
        .map(|(index, (record, content))| {
            let keys = [to.identity.keyring.routing.public()];
            let tags = match visibility {
                Visibility::Addressed => {
                    routing::tags(&keyring.routing, &keys, &own, index, &mut rng).unwrap()
                }
                Visibility::Public | Visibility::Federation => Vec::new(),
            };
            let (record, content) = (*record, *content);
            let recorded_at_ms = NOW_MS;
            let origin = own.clone();
            Header { origin, index, recorded_at_ms, visibility, record, content, tags }.encode()
        })
        .collect();
    let batch = VerifiedBatch::author(&held, &own, entries, &keyring.log).unwrap();
    to.store.append(&batch, &[]).unwrap();
    to.project(&own, NOW_MS);
}

/// qa sees an entry of sg and wants to know to whom it is addressed. It commits to the same digests
/// in its own log: were a body found by its digest, who has it would not ask for it.
#[test]
fn who_is_addressed_does_not_show_by_what_it_does_not_ask_for() {
    let federation = federation();
    for visibility in [Visibility::Federation, Visibility::Addressed] {
        let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
        let id = id_of(&one(&mut sg, send(1)).unwrap());
        pass(&sg, &mut ph);
        let at = tutti_core::referral::EventRef { origin: origin("sg"), index: 0 };
        let header = sg.header_at(&at).unwrap().unwrap();
        let both = (header.record, header.content);
        let swapped = (header.content.unwrap(), Some(header.record));
        let mut stranger = node(&federation, "ph");
        let mut asked = Vec::new();
        for node in [&mut stranger, &mut ph] {
            commit(&federation, "qa", node, visibility, &[both, swapped]);
            let mut wanted = wants(node);
            wanted.sort_by_key(BodyWant::place);
            asked.push(wanted);
        }
        assert_eq!(asked[0].len(), 4);
        assert_eq!(asked[1], asked[0], "{visibility:?}");
        // Nor after a restart, in whatever order the logs are read.
        let mut ph = restarted(&federation, &ph, "ph");
        let mut of_qa = wants(&mut ph);
        of_qa.retain(|want| want.origin == origin("qa"));
        of_qa.sort_by_key(BodyWant::place);
        assert_eq!(of_qa, asked[0], "{visibility:?}, restarted");
        assert_eq!(shown(&ph, id), shown(&sg, id));
    }
}

#[test]
fn commitments_to_bodies_that_never_come_fill_no_memory_and_hold_up_nobody_else() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let absent: Vec<_> = (0u64..6000)
        .map(|n| {
            let mut digest = [7; 32];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            (Commitment { digest, size: 100 }, None)
        })
        .collect();
    commit(&federation, "qa", &mut ph, Visibility::Federation, &absent);
    let waiting = ph.bodies_wanted();
    assert!((4096..4700).contains(&waiting), "{waiting}");
    let warnings = ph.status(&Actor::node(), NOW_MS).unwrap().warnings;
    assert!(warnings.iter().any(|text| text.contains("have not come")), "{warnings:?}");
    // The others' logs are followed as ever.
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass_entries(&sg, &mut ph);
    let asked = wants(&mut ph);
    for want in asked.iter().filter(|want| want.origin == origin("sg")) {
        pass_body(&sg, &mut ph, want);
    }
    assert_eq!(shown(&ph, id).state(), api::ReferralState::Sent);
    // Where the author says that some are gone, the log is followed further, to its end.
    for want in asked.iter().filter(|want| want.origin == origin("qa")) {
        ph.forget_body(want, NOW_MS);
    }
    assert!(ph.bodies_wanted() < 2000);
    assert!(
        !ph.status(&Actor::node(), NOW_MS)
            .unwrap()
            .warnings
            .iter()
            .any(|text| text.contains("have not come"))
    );
}

#[test]
fn a_fence_is_not_lifted_by_a_peer_that_knows_less_and_a_fenced_node_vouches_for_nothing() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    one(&mut sg, send(1)).unwrap();
    let old: SignedHead = sg.store.head(&origin("sg")).unwrap();
    one(&mut sg, send(2)).unwrap_err();
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    one(&mut sg, advance(3, id, withdraw(), "")).unwrap();
    let newest = sg.store.head(&origin("sg")).unwrap();
    one(&mut ph, advance(4, id, decline(), "")).unwrap_err();

    // Restored from a backup, without the high-water mark.
    let mut sg = restarted(&federation, &sg, "sg");
    sg.highwater = None;
    sg.unsure = Some(Default::default());
    sg.set_mode();
    let heads = |head: &SignedHead, frontier| v1::Frame {
        frame: Some(v1::frame::Frame::Heads(v1::Heads {
            checkpoints: vec![head.to_bytes()],
            frontier,
        })),
    };
    for frame in [heads(&old, true), heads(&newest, false)] {
        sg.look_for_own_head(society("ph"), &frame);
        sg.tick(NOW_MS + 100_000);
        assert_eq!(*sg.mode(), Mode::Fenced { known: None });
    }
    let head = {
        let mut qa = node(&federation, "qa");
        let version = super::information::version("one");
        one(&mut qa, super::information::publish([1; 16], version)).unwrap();
        pass_entries(&qa, &mut sg);
        qa.store.head(&origin("qa")).unwrap()
    };
    sg.run(Effect::Cosign(head.clone()), NOW_MS);
    assert!(sg.store.cosigned(&origin("qa")).is_empty(), "it may have cosigned more before");
    // What is on the wall shortens nothing, nor does a process that was held up.
    sg.tick(NOW_MS);
    sg.look_for_own_head(society("ph"), &heads(&newest, true));
    for second in 0..14 {
        let wall_ms = NOW_MS + second % 2 * 86_400_000;
        sg.tick(Now { steady_ms: NOW_MS + second * 1_000, wall_ms });
        assert_eq!(*sg.mode(), Mode::Fenced { known: None });
    }
    sg.tick(NOW_MS + 86_400_000);
    assert_eq!(*sg.mode(), Mode::Fenced { known: None });
    sg.tick(NOW_MS + 86_401_000);
    assert_eq!(*sg.mode(), Mode::Writing);
    sg.run(Effect::Cosign(head), NOW_MS);
    assert!(sg.store.cosigned(&origin("qa")).contains_key(&society("sg")));
}

/// Where the keys alone came back, one peer that does not know the log may have joined a moment ago.
#[test]
fn a_node_that_holds_nothing_writes_only_after_two_peers_have_shown_that_they_know_nothing_of_it() {
    let federation = federation();
    // What stands behind the digests plays no part here.
    let frontier =
        v1::Frame { frame: Some(v1::frame::Frame::Frontier(v1::Frontier { digests: Vec::new() })) };
    let mut sg = node(&federation, "sg");
    sg.highwater = None;
    sg.unsure = Some(Default::default());
    sg.set_mode();
    let listen = |sg: &mut Node, from: u64| {
        (from..from + 40).for_each(|second| sg.tick(NOW_MS + second * 1_000));
    };
    for from in [0, 40] {
        sg.look_for_own_head(society("ph"), &frontier);
        listen(&mut sg, from);
        assert_eq!(*sg.mode(), Mode::Fenced { known: None });
    }
    assert!(matches!(one(&mut sg, send(1)), Err(Refused::NotWriting(_))));
    sg.look_for_own_head(society("qa"), &frontier);
    listen(&mut sg, 80);
    assert_eq!(*sg.mode(), Mode::Writing);
    one(&mut sg, send(1)).unwrap();
}

#[test]
fn a_key_that_was_used_for_another_write_gives_no_receipt() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let sent = one(&mut sg, send(1)).unwrap();
    let id = id_of(&sent);
    pass(&sg, &mut ph);
    let done = one(&mut ph, advance(2, id, Command::Acknowledge, "")).unwrap();
    for _ in 0..2 {
        assert_eq!(one(&mut ph, advance(2, id, Command::Acknowledge, "")).unwrap(), done);
        for other in [
            advance(2, id, Command::Accept, ""),
            advance(2, ReferralId::from_bytes([1; 16]), Command::Acknowledge, ""),
            send(2),
        ] {
            assert!(matches!(one(&mut ph, other), Err(Refused::Invalid(_))));
        }
        ph = restarted(&federation, &ph, "ph");
    }
    // Within one group too.
    let group = vec![advance(3, id, Command::Accept, ""), advance(3, id, decline(), ""), send(1)];
    let answers = ph.write(group, NOW_MS);
    assert!(answers[0].is_ok() && matches!(answers[1], Err(Refused::Invalid(_))));
    assert_eq!(ph.store.tree(&origin("ph")).size(), 2);
    assert_eq!(one(&mut sg, send(1)).unwrap(), sent);
}

#[test]
fn a_society_that_cosigns_its_own_log_is_not_counted_as_its_witness() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    let mut head = sg.store.head(&origin("sg")).unwrap();
    head.cosign(society("sg"), &federation.keyring("sg").witness, 1).unwrap();
    sg.run(Effect::Head(head), NOW_MS);
    assert!(sg.store.cosigned(&origin("sg")).is_empty());
    let logs = sg.logs(&Actor::node(), &Default::default()).unwrap().logs;
    assert!(logs[0].witnesses.is_empty());
    assert_eq!(shown(&sg, id).events[0].witnesses, 0);
}
