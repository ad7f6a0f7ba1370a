//! Bodies: who is asked, who is answered, and what a stranger learns.

use std::collections::BTreeSet;

use super::fixture::*;
use crate::{
    body::Part,
    entry::{Commitment, Visibility},
    sealing::routing::{Token, tag, token},
    session::{BodyWant, Effect, Input, Misbehaved},
    store::{Reader as _, Store as _},
};
use tutti_proto::v1::{self, body_unavailable::Reason};

fn want(origin_code: &str, commitment: Commitment, token: Option<[u8; 32]>) -> BodyWant {
    let (origin, part, addressees) = (origin(origin_code), Part::Record, BTreeSet::new());
    BodyWant { origin, index: 0, part, commitment, token, lent: false, addressees }
}

#[test]
fn bodies_come_in_chunks_to_those_who_may_have_them() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg, mut qa) =
        (federation.node("ph"), federation.node("sg"), federation.node("qa"));
    let body: Vec<u8> = (0..300_000u32).map(|i| i as u8).collect();
    let pair = federation.secrets[&society("sg")]
        .routing
        .pair(&federation.roster.member(society("ph")).unwrap().routing_key);
    let sg_token = token(&pair, &origin("ph"), 0, 1);
    let commitment = ph.write_body(&body, Visibility::Addressed, vec![[9; 16], tag(&sg_token)]);
    join(&mut ph, &mut sg, 1);
    join(&mut ph, &mut qa, 2);
    sg.input(Input::Want(want("ph", commitment, Some(sg_token))));
    sg.input(Input::Want(want("ph", commitment, Some(sg_token))));
    carry(&mut ph, &mut sg, 1);
    assert!(
        matches!(sg.others.pop(), Some(Effect::Body { body: came, .. }) if came.bytes() == body)
    );
    assert_eq!(sg.exchange.bodies_wanted(), 0);
    // Without the token, or with another, it is refused, and asked for again later.
    for token in [None, Some([5; 32])] {
        qa.input(Input::Want(want("ph", commitment, token)));
        carry(&mut ph, &mut qa, 2);
        assert!(!qa.others.iter().any(|effect| matches!(effect, Effect::Body { .. })));
    }
    assert_eq!(qa.exchange.bodies_wanted(), 1);
}

#[test]
fn an_addressed_body_is_asked_from_its_author_and_relays_alone() {
    use crate::roster::Role;
    let federation = Federation::with(&["ph", "sg", "qa", "ifrc"], |member| {
        if member.society == society("ifrc") {
            member.role = Role::Relay;
        }
    });
    let mut sg = federation.node("sg");
    let asked = |node: &mut Node<'_>| -> Vec<u64> {
        let sent = node.take();
        let links = sent.iter().filter(|(_, k)| matches!(k, Kind::WantBody(_)));
        links.map(|(link, _)| *link).collect()
    };
    let commitment = Commitment { digest: [7; 32], size: 10 };
    sg.meet(1, "qa");
    sg.take();
    sg.input(Input::Want(want("ph", commitment, Some([5; 32]))));
    sg.wait(400_000);
    assert_eq!(asked(&mut sg), [0u64; 0]);
    sg.meet(2, "ifrc");
    assert_eq!(asked(&mut sg), [2]);
    sg.meet(3, "ph");
    let absent = v1::BodyUnavailable {
        origin: origin("ph").to_string(),
        index: 0,
        part: 1,
        reason: v1::body_unavailable::Reason::Absent.into(),
    };
    sg.take();
    sg.frame(2, Kind::BodyUnavailable(absent.clone()));
    assert_eq!(asked(&mut sg), [3]);
    sg.frame(3, Kind::BodyUnavailable(absent));
    assert_eq!(asked(&mut sg), [0u64; 0], "a rest before the next round");
    sg.wait(300_000);
    assert!(asked(&mut sg).contains(&3));
}

#[test]
fn an_erased_body_is_answered_as_such_and_only_the_author_speaks_for_all() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    let commitment = ph.write_body(b"guidance", Visibility::Public, vec![]);
    ph.store.erase_body(&want("ph", commitment, None).key()).unwrap();
    join(&mut ph, &mut sg, 1);
    sg.input(Input::Want(want("ph", commitment, None)));
    carry(&mut ph, &mut sg, 1);
    assert!(matches!(sg.others.pop(), Some(Effect::BodyErased { .. })));
    let mut qa = federation.node("qa");
    qa.store = ph.store.clone();
    let mut bd = federation.node("sg");
    join(&mut qa, &mut bd, 1);
    bd.input(Input::Want(want("ph", commitment, None)));
    carry(&mut qa, &mut bd, 1);
    assert!(bd.others.iter().all(|effect| matches!(effect, Effect::Cosign(_))));
    assert_eq!(bd.exchange.bodies_wanted(), 1);
}

#[test]
fn a_body_that_is_not_what_the_entry_commits_to_costs_the_link() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut sg = federation.node("sg");
    let commitment = Commitment { digest: [7; 32], size: 10 };
    for (data, is_chunk) in [(vec![0; 10], false), (vec![0; 9], true), (vec![0; 11], true)] {
        let link = sg.now_ms;
        sg.meet(link, "ph");
        sg.input(Input::Want(want("ph", commitment, None)));
        let chunk =
            v1::BodyChunk { origin: origin("ph").to_string(), index: 0, part: 1, offset: 0, data };
        // Not asked for on that link: harmless.
        sg.meet(link + 1, "qa");
        sg.frame(link + 1, Kind::BodyChunk(v1::BodyChunk { offset: 1, ..chunk.clone() }));
        assert!(sg.closed.is_empty());
        sg.frame(link, Kind::BodyChunk(chunk));
        let (closed, why) = sg.closed.pop().unwrap();
        assert_eq!((closed, matches!(why, Misbehaved::Chunk(_))), (link, is_chunk));
        sg.input(Input::Closed { link: link + 1 });
        sg.wait(1_000_000);
    }
    assert_eq!(sg.exchange.bodies_wanted(), 1);
}

/// What a node answers to one who asks for a part of an entry.
fn answers(node: &mut Node<'_>, code: &str, index: u64, token: &[u8]) -> Vec<Kind> {
    node.take();
    let (origin, token) = (origin(code).to_string(), token.to_vec());
    for (part, offset) in [(1, 0), (2, 0), (1, crate::limits::CHUNK_BYTES_MAX as u64)] {
        let (origin, token) = (origin.clone(), token.clone());
        node.frame(1, Kind::WantBody(v1::WantBody { origin, index, part, token, offset }));
    }
    node.take().into_iter().map(|(_, kind)| kind).collect()
}

/// The token for the first slot of an entry between these two.
fn claim(federation: &Federation, author: &str, other: &str, index: u64) -> Token {
    let key = federation.roster.member(society(other)).unwrap().routing_key;
    token(&federation.secrets[&society(author)].routing.pair(&key), &origin(author), index, 0)
}

#[test]
fn a_body_is_not_had_by_copying_its_digest_nor_does_it_show_who_has_it() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut qa) = (federation.node("ph"), federation.node("qa"));
    let record = ph.write_body(&[7; 100], Visibility::Addressed, vec![[1; 16], [2; 16]]);
    // qa writes entries of its own with the same digest, and has no bytes that fit.
    let own = claim(&federation, "qa", "ph", 0);
    qa.commit(record, &[], Visibility::Addressed, vec![tag(&own), [2; 16]]);
    qa.commit(record, &[], Visibility::Federation, vec![]);
    let mut without = federation.node("ph");
    for node in [&mut ph, &mut without] {
        join(node, &mut qa, 1);
        assert_eq!(node.store.tree(&origin("qa")).size(), 2);
    }
    for erased in [false, true] {
        if erased {
            ph.store.erase_body(&want("ph", record, None).key()).unwrap();
        }
        for (index, token) in [(0, own.as_slice()), (0, &[]), (1, &[]), (1, &own)] {
            let told = answers(&mut ph, "qa", index, token);
            assert!(told.iter().all(|kind| matches!(kind, Kind::BodyUnavailable(_))), "{told:?}");
            assert_eq!(told, answers(&mut without, "qa", index, token), "{index} {erased}");
        }
    }
}

#[test]
fn an_addressee_answers_a_stranger_the_same_with_the_body_without_it_and_once_it_is_erased() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut ph = federation.node("ph");
    let token = claim(&federation, "ph", "sg", 0);
    let record = ph.write_body(&[7; 100], Visibility::Addressed, vec![tag(&token), [2; 16]]);
    let mut sg = federation.node("sg");
    join(&mut sg, &mut ph, 2);
    sg.meet(1, "qa");
    let shown = [vec![], vec![5; 32], claim(&federation, "ph", "qa", 0).to_vec()];
    let to_strangers = |sg: &mut Node<'_>| -> Vec<Vec<Kind>> {
        shown.iter().map(|token| answers(sg, "ph", 0, token)).collect()
    };
    let without = to_strangers(&mut sg);
    let refused =
        |kind: &Kind| matches!(kind, Kind::BodyUnavailable(u) if u.reason() == Reason::Refused);
    assert!(without.iter().flatten().all(refused));
    sg.input(Input::Want(want("ph", record, Some(token))));
    carry(&mut sg, &mut ph, 2);
    assert_eq!(sg.exchange.bodies_wanted(), 0);
    assert_eq!(to_strangers(&mut sg), without);
    let to_one_who_may = answers(&mut sg, "ph", 0, &token);
    assert!(matches!(&to_one_who_may[0], Kind::BodyChunk(chunk) if chunk.data == [7; 100]));
    sg.store.erase_body(&want("ph", record, None).key()).unwrap();
    assert_eq!(to_strangers(&mut sg), without);
}

/// Its disk was restored from a backup: the log comes back from anyone, the bodies from those alone
/// that they were addressed to.
#[test]
fn an_author_that_was_restored_gets_its_bodies_back_from_its_addressees() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg, mut qa) =
        (federation.node("ph"), federation.node("sg"), federation.node("qa"));
    let token = claim(&federation, "ph", "sg", 0);
    let record = ph.write_body(&[7; 100_000], Visibility::Addressed, vec![tag(&token), [2; 16]]);
    join(&mut sg, &mut ph, 1);
    join(&mut qa, &mut ph, 1);
    sg.input(Input::Want(want("ph", record, Some(token))));
    carry(&mut sg, &mut ph, 1);
    let mut restored = federation.node("ph");
    restored.rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(8);
    join(&mut restored, &mut qa, 2);
    assert_eq!(restored.store.tree(&origin("ph")).size(), 1);
    let mut wanted = want("ph", record, Some(token));
    restored.input(Input::Want(wanted.clone()));
    restored.wait(400_000);
    assert!(!restored.take().iter().any(|(_, kind)| matches!(kind, Kind::WantBody(_))), "of qa");
    // Of sg it learns from the entry's tags: the same want, told anew, asks there.
    join(&mut restored, &mut sg, 3);
    wanted.addressees.insert(society("sg"));
    restored.input(Input::Want(wanted.clone()));
    carry(&mut restored, &mut sg, 3);
    let key = wanted.key();
    assert_eq!(restored.store.body(&key, 0, usize::MAX).unwrap(), Some(vec![7; 100_000]));
    assert_eq!(restored.exchange.bodies_wanted(), 0);
    assert!(restored.closed.is_empty() && sg.closed.is_empty());
}
