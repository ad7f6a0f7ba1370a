use tutti_core::society::Society;

use super::*;
use crate::{
    engine::Mode,
    peers::{Inbox, Outbox, PeerEvent},
};

/// The two ends of one link, with what each node has put in.
pub(super) struct Wire {
    link: u64,
    ends: [Inbox; 2],
}

pub(super) fn connect<A: Store, B: Store>(
    link: u64,
    one: &mut On<A>,
    other: &mut On<B>,
    now_ms: u64,
) -> Wire {
    fn end<S: Store>(link: u64, node: &mut On<S>, society: Society, now_ms: u64) -> Inbox {
        let (outbox, inbox) = Outbox::detached();
        let address = "127.0.0.1:1".into();
        let event = PeerEvent::Connected { link, society, outbox, dialled: true, address };
        node.peer(event, now_ms);
        inbox
    }
    let (first, second) = (one.identity.society, other.identity.society);
    Wire { link, ends: [end(link, one, second, now_ms), end(link, other, first, now_ms)] }
}

/// Carries frames until both are silent.
pub(super) async fn carry<A: Store, B: Store>(
    wire: &mut Wire,
    one: &mut On<A>,
    other: &mut On<B>,
    now_ms: u64,
) {
    let mut quiet = 0;
    while quiet < 4 {
        quiet += 1;
        one.tick(now_ms);
        other.tick(now_ms);
        let [first, second] = &mut wire.ends;
        let soon = std::time::Duration::from_millis(1);
        while let Ok(Ok(frame)) = tokio::time::timeout(soon, first.next()).await {
            other.peer(PeerEvent::Frame { link: wire.link, frame }, now_ms);
            quiet = 0;
        }
        while let Ok(Ok(frame)) = tokio::time::timeout(soon, second.next()).await {
            one.peer(PeerEvent::Frame { link: wire.link, frame }, now_ms);
            quiet = 0;
        }
    }
}

/// Ends a link at both ends.
pub(super) fn part<A: Store, B: Store>(
    wire: Wire,
    one: &mut On<A>,
    other: &mut On<B>,
    now_ms: u64,
) {
    one.peer(PeerEvent::Closed { link: wire.link, why: "gone".into() }, now_ms);
    other.peer(PeerEvent::Closed { link: wire.link, why: "gone".into() }, now_ms);
}

#[tokio::test]
async fn a_referral_goes_over_a_link_and_comes_back_acknowledged_and_witnessed() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let mut wire = connect(1, &mut sg, &mut ph, NOW_MS);
    carry(&mut wire, &mut sg, &mut ph, NOW_MS).await;
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    carry(&mut wire, &mut sg, &mut ph, NOW_MS + 10).await;
    assert!(shown(&ph, id).content.is_some(), "the bodies came");
    one(&mut ph, advance(2, id, Command::Acknowledge, "")).unwrap();
    carry(&mut wire, &mut sg, &mut ph, NOW_MS + 20).await;
    assert_eq!(shown(&sg, id).state(), api::ReferralState::Acknowledged);
    // Cosignatures are passed on within half a second.
    for step in 1..20 {
        carry(&mut wire, &mut sg, &mut ph, NOW_MS + step * 100).await;
    }
    for node in [&sg, &ph] {
        for (log, witness) in [("sg", "ph"), ("ph", "sg")] {
            let head = node.store.head(&origin(log)).unwrap();
            assert!(head.is_cosigned_by(society(witness)), "{log} witnessed by {witness}");
        }
    }
    assert!(sg.peer_statuses()[&society("ph")].connected);
}

#[tokio::test]
async fn a_node_that_lost_its_log_is_fenced_until_a_peer_has_given_it_back() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let mut wire = connect(1, &mut sg, &mut ph, NOW_MS);
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    one(&mut sg, advance(2, id, withdraw(), "")).unwrap();
    carry(&mut wire, &mut sg, &mut ph, NOW_MS).await;
    drop(sg);
    let closed = || PeerEvent::Closed { link: 1, why: "gone".into() };
    ph.peer(closed(), NOW_MS);
    ph.peer(closed(), NOW_MS);
    assert!(!ph.peer_statuses()[&society("sg")].connected);

    let mut again = node(&federation, "sg");
    let mut wire = connect(2, &mut again, &mut ph, NOW_MS);
    // Its own head is told first, the entries follow.
    let mut fenced = false;
    for _ in 0..20 {
        let [first, second] = &mut wire.ends;
        for (inbox, node) in [(first, &mut ph), (second, &mut again)] {
            let soon = std::time::Duration::from_millis(1);
            if let Ok(Ok(frame)) = tokio::time::timeout(soon, inbox.next()).await {
                node.peer(PeerEvent::Frame { link: 2, frame }, NOW_MS);
            }
        }
        fenced |= *again.mode() == Mode::Fenced { known: Some(2) };
    }
    assert!(fenced);
    assert_eq!(*again.mode(), Mode::Writing);
    assert_eq!(again.store.tree(&origin("sg")).size(), 2);
}

#[tokio::test]
async fn a_peer_that_misbehaves_and_one_that_does_not_read_are_cut_off() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let mut wire = connect(1, &mut sg, &mut ph, NOW_MS);
    carry(&mut wire, &mut sg, &mut ph, NOW_MS).await;
    let heads = v1::Heads { checkpoints: vec![b"no head".to_vec()], frontier: false };
    let frame = v1::Frame { frame: Some(v1::frame::Frame::Heads(heads)) };
    sg.peer(PeerEvent::Frame { link: 1, frame: frame.clone() }, NOW_MS);
    let status = &sg.peer_statuses()[&society("ph")];
    assert!(!status.connected && status.last_error.contains("ph sent a head"), "{status:?}");
    // What still comes from there is not looked at.
    sg.peer(PeerEvent::Frame { link: 1, frame }, NOW_MS);

    let _wire = connect(2, &mut sg, &mut ph, NOW_MS);
    let hello = v1::Hello {
        version: 1,
        federation: FEDERATION.into(),
        society: "ph".into(),
        roster_version: 1,
        roster_hash: vec![0; 32],
        incarnation: vec![0; 16],
    };
    let frame = v1::Frame { frame: Some(v1::frame::Frame::Hello(hello)) };
    sg.peer(PeerEvent::Frame { link: 2, frame }, NOW_MS);
    assert!(sg.peer_statuses()[&society("ph")].roster_differs);
    let want = v1::Want { origin: origin("qa").to_string(), start: 0, max_bytes: 1 };
    let frame = v1::Frame { frame: Some(v1::frame::Frame::Want(want)) };
    // Small as the answers are, they take room while they wait.
    for _ in 0..20_000 {
        sg.peer(PeerEvent::Frame { link: 2, frame: frame.clone() }, NOW_MS);
    }
    let status = &sg.peer_statuses()[&society("ph")];
    assert!(!status.connected && status.last_error.contains("waiting"), "{status:?}");
    assert_eq!(sg.exchange.links().count(), 0);
}
