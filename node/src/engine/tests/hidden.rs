//! Text where a record says that there is none: an author that lies hides nothing from an erasure.

use prost::Message as _;
use tutti_core::{
    entry::{Header, Visibility},
    limits::REFERRAL_EVENTS_MAX,
    referral::EventRef,
    sealing,
    store::{BodyState, Reader},
};
use tutti_proto::v1::referral_event::Transition;

use super::*;

/// Writes into `by`'s log, with its keys, what its program would refuse: a step of a referral whose
/// record says that its content is empty, and a content that holds text. It reaches `to` but for the
/// content; gives that.
fn hide(
    federation: &Federation,
    by: &str,
    to: &mut Node,
    id: ReferralId,
    transition: Transition,
) -> BodyWant {
    let keyring = federation.keyring(by);
    let own = origin(by);
    let held = to.store.tree(&own);
    let reader = to.identity.society.to_string();
    let parties = [by, reader.as_str()].map(|code| federation.keyring(code));
    let keys: Vec<_> = parties.iter().map(|keys| keys.case.recipient()).collect();
    let mut event_id = vec![held.size() as u8; 16];
    event_id[1] = by.as_bytes()[0];
    let seen = (by != "qa").then(|| EventRef { origin: origin("sg"), index: 0 }.to_seen());
    let record = v1::Record {
        origin: own.to_string(),
        event_id: event_id.clone(),
        addressees: vec![reader],
        has_content: false,
        event: Some(v1::record::Event::Referral(v1::ReferralEvent {
            referral_id: id.as_bytes().to_vec(),
            seen,
            transition: Some(transition),
        })),
        ..Default::default()
    };
    let text = v1::Note { text: "CANARY She hides at her aunt's.".into() };
    let content = v1::Content {
        origin: own.to_string(),
        event_id,
        content: Some(v1::content::Content::Note(text)),
    };
    let mut rng = ChaCha20Rng::seed_from_u64(held.size());
    let addressee = federation.keyring(to.identity.society.as_str()).routing.public();
    let tags = routing::tags(&keyring.routing, &[addressee], &own, held.size(), &mut rng).unwrap();
    let body = |part, message: &[u8]| {
        let sealed = sealing::seal(message, &keys).unwrap();
        Body::new(Place::new(&own, held.size(), part), &sealed)
    };
    let record = body(Part::Record, &record.encode_to_vec());
    let content = body(Part::Content, &content.encode_to_vec());
    let header = Header {
        origin: own.clone(),
        index: held.size(),
        recorded_at_ms: NOW_MS,
        visibility: Visibility::Addressed,
        record: record.commitment(),
        content: Some(content.commitment()),
        tags,
    };
    let batch = VerifiedBatch::author(&held, &own, vec![header.encode()], &keyring.log).unwrap();
    to.store.append(&batch, &[]).unwrap();
    to.project(&own, NOW_MS);
    let wanted: Vec<_> = wants(to).into_iter().filter(|want| want.origin == own).collect();
    let [first, second] = <[BodyWant; 2]>::try_from(wanted).unwrap();
    to.store.put_bodies(&[record]).unwrap();
    to.project_body(&first.place(), NOW_MS);
    // Where it is refused, it was marked before it came.
    if to.store.put_bodies(&[content]).is_ok() {
        to.project_body(&second.place(), NOW_MS);
    }
    second
}

fn state(node: &Node, hidden: &BodyWant) -> BodyState {
    node.store.body_state(&hidden.key())
}

fn referral(federation: &Federation) -> (Node, ReferralId) {
    let mut sg = node(federation, "sg");
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    (sg, id)
}

fn withdraw_consent() -> Command {
    Command::WithdrawConsent(v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() })
}

fn size(node: &Node) -> u64 {
    node.store.tree(&node.identity.origin).size()
}

#[test]
fn what_is_hidden_beside_a_step_goes_with_the_case_and_receipts_name_it() {
    let federation = federation();
    let (mut sg, id) = referral(&federation);
    let step = Transition::Acknowledged(v1::Acknowledged {});
    let hidden = hide(&federation, "ph", &mut sg, id, step);
    assert_eq!(state(&sg, &hidden), BodyState::Present);
    let told = shown(&sg, id);
    assert!(told.events.iter().all(|event| event.note.is_empty()), "nobody is shown it");
    one(&mut sg, advance(2, id, withdraw_consent(), "")).unwrap();
    assert_eq!(state(&sg, &hidden), BodyState::Erased);
    sg.tick(NOW_MS);
    let case = sg.case(&id).unwrap();
    let erasure = case.erasure(NOW_MS, sg.roster.data_protection()).unwrap();
    let at = EventRef { origin: origin("ph"), index: 0 };
    assert!(erasure.entries.contains(&at) && erasure.open(society("sg")).is_empty());
    assert_eq!(erasure.open(society("ph")), erasure.entries, "of which it has said nothing");
    let restarted = restarted(&federation, &sg, "sg");
    assert_eq!(state(&restarted, &hidden), BodyState::Erased);
    assert_eq!(size(&restarted), size(&sg));
}

/// Also while the case goes on; and no receipt answers a receipt.
#[test]
fn what_is_hidden_beside_the_end_of_a_case_is_kept_by_nobody() {
    let federation = federation();
    let ends = [
        Transition::Erased(v1::Erased {
            reason: 1,
            entries: vec![EventRef { origin: origin("sg"), index: 0 }.to_seen()],
            ..Default::default()
        }),
        Transition::ConsentWithdrawn(v1::ConsentWithdrawn { by: 1, ..Default::default() }),
        Transition::ErasureRequested(v1::ErasureRequested { ground: 1, ..Default::default() }),
    ];
    for end in ends {
        let (mut sg, id) = referral(&federation);
        let hidden = hide(&federation, "ph", &mut sg, id, end);
        assert_eq!(state(&sg, &hidden), BodyState::Erased);
        for _ in 0..3 {
            sg.tick(NOW_MS);
        }
        let case = sg.case(&id).unwrap();
        let erasure = case.erasure(NOW_MS, sg.roster.data_protection());
        let named =
            erasure.is_some_and(|it| it.entries.iter().any(|at| at.origin == hidden.origin));
        assert!(!named && size(&sg) <= 2);
    }
}

#[test]
fn what_is_beside_one_step_too_many_or_a_strangers_is_kept_by_nobody() {
    let federation = federation();
    let (mut sg, id) = referral(&federation);
    for _ in 0..REFERRAL_EVENTS_MAX {
        let step = Transition::Acknowledged(v1::Acknowledged {});
        let hidden = hide(&federation, "ph", &mut sg, id, step);
        assert_eq!(state(&sg, &hidden), BodyState::Present);
    }
    let step = Transition::Acknowledged(v1::Acknowledged {});
    let hidden = hide(&federation, "ph", &mut sg, id, step.clone());
    assert_eq!(state(&sg, &hidden), BodyState::Erased);
    let hidden = hide(&federation, "qa", &mut sg, id, step);
    assert_eq!(state(&sg, &hidden), BodyState::Erased);
    assert_eq!(sg.bodies_wanted(), 0);
}

/// Whoever carries it between the two sees the same as of any step: the author gives the content out
/// until it has arrived, and the addressee asks for it.
#[test]
fn the_author_keeps_what_says_nothing_until_it_has_arrived() {
    let federation = federation();
    let (mut sg, id) = referral(&federation);
    let mut ph = node(&federation, "ph");
    pass(&sg, &mut ph);
    one(&mut sg, advance(2, id, withdraw_consent(), "")).unwrap();
    sg.tick(NOW_MS);
    assert_eq!(size(&sg), 3, "sent, withdrawn, and a receipt");
    let content = |node: &Node, index| {
        let header = node.header_at(&EventRef { origin: origin("sg"), index }).unwrap().unwrap();
        node.store.body_state(&header.body_key(Part::Content).unwrap())
    };
    assert_eq!(
        [0, 1, 2].map(|index| content(&sg, index)),
        [BodyState::Erased, BodyState::Present, BodyState::Present]
    );
    pass_entries(&sg, &mut ph);
    let wanted = wants(&mut ph);
    let parts: Vec<(u64, Part)> = wanted.iter().map(|want| (want.index, want.part)).collect();
    assert_eq!(
        parts,
        [(1, Part::Record), (1, Part::Content), (2, Part::Record), (2, Part::Content)]
    );
    for want in &wanted {
        assert!(ph.projector.wants(&want.place()), "{want:?}");
        pass_body(&sg, &mut ph, want);
    }
    assert_eq!([0, 1, 2].map(|index| content(&ph, index)), [BodyState::Erased; 3]);
    let arrivals: Vec<_> = std::mem::take(&mut ph.inbox)
        .into_iter()
        .filter_map(|happening| match happening {
            Happening::Told(told) => match *told {
                tutti_core::session::Input::Arrived(arrival) => Some(arrival),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for arrival in &arrivals {
        sg.receipt_came(society("ph"), arrival, NOW_MS);
    }
    assert_eq!([0, 1, 2].map(|index| content(&sg, index)), [BodyState::Erased; 3]);
    assert_eq!(sg.bodies_wanted() + ph.bodies_wanted(), 0);
    let again = restarted(&federation, &sg, "sg");
    assert_eq!((size(&again), again.bodies_wanted()), (3, 0));
}
