//! Two societies that never meet, and a relay between them: on disks, by a clock of the test's own.

use std::{fs, path::Path};

use tempfile::TempDir;
use tutti_core::{
    entry::{Commitment, EntryBytes, Header, Visibility},
    limits::BODY_BYTES_MAX,
    referral::EventRef,
    roster::Relaying,
    session::{Arrival, HeldState, Input},
    store::BodyState,
};

use super::{
    super::relay::Share,
    exchange::{Wire, carry, connect, part},
    *,
};
use crate::store::DiskStore;

const SECOND_MS: u64 = 1_000;

/// The roster sets no others.
const RELAY_KEEP_MS: u64 = 30 * 24 * 60 * 60 * SECOND_MS;
const RELAY_AUTHOR_BYTES_MAX: u64 = 64 << 20;

type Disk = On<DiskStore>;

fn with_relay() -> Federation {
    let codes = ["sg", "ph", "qa", "ifrc"];
    Federation::found_with(&codes, &codes, &["ifrc"])
}

fn open(federation: &Federation, code: &str, dir: &TempDir) -> Disk {
    let opened = DiskStore::open(dir.path(), &origin(code), &*federation.roster, &mut |_, _, _| {});
    engine(federation, code, opened.unwrap().store)
}

/// Whether the last bytes of a sealed body stand in any file.
fn is_anywhere(dir: &Path, body: &Body) -> bool {
    let end = &body.bytes()[body.bytes().len() - 64..];
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_anywhere(&path, body),
            false => fs::read(&path).unwrap().windows(end.len()).any(|bytes| bytes == end),
        }
    })
}

fn bodies<S: Store>(node: &On<S>, by: &str, index: u64) -> Vec<Body> {
    let header = node.header_at(&EventRef { origin: origin(by), index }).unwrap().unwrap();
    let parts = Part::ALL.into_iter().filter_map(|part| Some((part, header.body_key(part)?)));
    parts.map(|(part, key)| held(node, header.place(part), &key)).collect()
}

fn delivery<S: Store>(node: &On<S>, id: ReferralId) -> api::Delivery {
    shown_with_delivery(node, id).delivery()
}

/// The sender has met the relay alone and is gone again; the relay has its referral.
async fn handed_over(sg: &mut Disk, relay: &mut Disk) -> (ReferralId, Vec<Body>) {
    let id = id_of(&one(sg, send(1)).unwrap());
    assert_eq!(delivery(sg, id), api::Delivery::Saved);
    let mut wire = connect(1, sg, relay, NOW_MS);
    carry(&mut wire, sg, relay, NOW_MS).await;
    assert_eq!(delivery(sg, id), api::Delivery::Saved, "the addressee may come any moment");
    carry(&mut wire, sg, relay, NOW_MS + 6 * SECOND_MS).await;
    assert_eq!(delivery(sg, id), api::Delivery::WithRelay);
    part(wire, sg, relay, NOW_MS + 6 * SECOND_MS);
    (id, bodies(sg, "sg", 0))
}

async fn meet<A: Store, B: Store>(link: u64, one: &mut On<A>, other: &mut On<B>, now_ms: u64) {
    let mut wire: Wire = connect(link, one, other, now_ms);
    // Heads that grew are told, and what they lead to asked for, within two seconds.
    for step in 0..8 {
        carry(&mut wire, one, other, now_ms + step * 500).await;
    }
    part(wire, one, other, now_ms + 4 * SECOND_MS);
}

/// Found by random histories: the line was cut when the relay had the record and not the content, and
/// when it came back nobody lent it the rest, nor told it that all had arrived. It kept the record.
#[tokio::test]
async fn a_relay_that_had_a_part_when_all_had_arrived_keeps_nothing() {
    let federation = with_relay();
    let [mut sg, mut relay, mut ph] = ["sg", "ifrc", "ph"].map(|code| node(&federation, code));
    one(&mut sg, send(1)).unwrap();
    pass_entries(&sg, &mut relay);
    relay.offered(origin("sg"), 0, 1, NOW_MS);
    let record = bodies(&sg, "sg", 0).remove(0);
    let place = Place::new(&origin("sg"), 0, Part::Record);
    relay.tick(NOW_MS);
    relay.exchange.unwant(&place);
    relay.store.put_bodies(std::slice::from_ref(&record)).unwrap();
    relay.project_body(&place, NOW_MS);
    assert_eq!(relay.store.body_state(&record.key()), BodyState::Present);
    // Meanwhile it has arrived, over another way.
    pass(&sg, &mut ph);
    let header = sg.header_at(&EventRef { origin: origin("sg"), index: 0 }).unwrap().unwrap();
    let (token, _) = ph.routing.claim(&ph.identity.origin, &header).unwrap();
    let receipt = ph.routing.receipt(society("sg"), &header).unwrap();
    let arrival = Arrival { origin: origin("sg"), index: 0, token, receipt };
    sg.receipt_came(society("ph"), &arrival, NOW_MS);
    meet(1, &mut sg, &mut relay, NOW_MS + SECOND_MS).await;
    assert_eq!(relay.store.body_state(&record.key()), BodyState::Absent);
    assert_eq!(relay.relay.share(None).bytes, 0);
}

#[tokio::test]
async fn a_referral_reaches_who_never_meets_its_sender_and_the_relay_keeps_nothing() {
    let federation = with_relay();
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut sg = open(&federation, "sg", &dirs[0]);
    let mut relay = open(&federation, "ifrc", &dirs[1]);
    let mut ph = open(&federation, "ph", &dirs[2]);
    let (id, bodies) = handed_over(&mut sg, &mut relay).await;
    assert!(bodies.iter().all(|body| is_anywhere(dirs[1].path(), body)));
    // A restart of the relay forgets nothing, and neither does one of the sender.
    drop(relay);
    let mut relay = open(&federation, "ifrc", &dirs[1]);
    assert!(relay.relay.share(None).bytes > 0);

    meet(2, &mut ph, &mut relay, NOW_MS + 60 * SECOND_MS).await;
    let referral = shown(&ph, id);
    assert_eq!(referral.state(), api::ReferralState::Sent);
    assert!(referral.content.is_some(), "the whole case came through the relay");
    for body in &bodies {
        assert_eq!(relay.store.body_state(&body.key()), BodyState::Absent);
        assert!(!is_anywhere(dirs[1].path(), body), "dropped on receipt");
    }
    assert_eq!(relay.relay.share(None).bytes, 0);
    drop(relay);
    let mut relay = open(&federation, "ifrc", &dirs[1]);

    assert_eq!(delivery(&sg, id), api::Delivery::WithRelay, "sg has been away");
    meet(3, &mut sg, &mut relay, NOW_MS + 120 * SECOND_MS).await;
    assert_eq!(delivery(&sg, id), api::Delivery::OnTheirNode);
    drop(sg);
    let mut sg = open(&federation, "sg", &dirs[0]);
    assert_eq!(delivery(&sg, id), api::Delivery::OnTheirNode, "that is never forgotten");
    assert!(relay.store.notes().is_empty(), "nor does the relay remember it");

    // The answer goes the same way back.
    one(&mut ph, advance(2, id, Command::Acknowledge, "")).unwrap();
    let mut wire = connect(4, &mut ph, &mut relay, NOW_MS + 200 * SECOND_MS);
    for step in 0..10 {
        carry(&mut wire, &mut ph, &mut relay, NOW_MS + (200 + step) * SECOND_MS).await;
    }
    part(wire, &mut ph, &mut relay, NOW_MS + 210 * SECOND_MS);
    assert_eq!(delivery(&ph, id), api::Delivery::WithRelay);
    meet(5, &mut sg, &mut relay, NOW_MS + 300 * SECOND_MS).await;
    assert_eq!(shown(&sg, id).state(), api::ReferralState::Acknowledged);
    assert_eq!(delivery(&sg, id), api::Delivery::Seen);
}

/// The relay told its author of all of it at once: that filled the outbox, the link was cut, and so was
/// each one after it.
#[tokio::test]
async fn an_author_of_whom_a_relay_keeps_hundreds_is_not_cut_off() {
    const CASES: u16 = 300;
    let federation = with_relay();
    let [mut sg, mut relay] = ["sg", "ifrc"].map(|code| node(&federation, code));
    for case in 0..CASES {
        let mut form: form::ReferralForm = toml::from_str(form::example()).unwrap();
        form.content.get_or_insert_default().case_code = format!("case {case}");
        let (sent, content) = form.to_messages().unwrap();
        let key = [case.to_be_bytes(); 8].concat().try_into().unwrap();
        let (sent, content) = (Box::new(sent), Box::new(content));
        one(&mut sg, Write::Send { key, sent, content }).unwrap();
    }
    pass_entries(&sg, &mut relay);
    for index in 0..u64::from(CASES) {
        relay.offered(origin("sg"), index, 1, NOW_MS);
        relay.relay_arrived(&(origin("sg"), index), NOW_MS);
    }
    relay.tick(NOW_MS);
    // They are away when it comes back, and the sender no longer waits for them.
    let mut back = restarted(&federation, &sg, "sg");
    (back.deliveries, back.inbox) = Default::default();
    let mut wire = connect(2, &mut back, &mut relay, NOW_MS + SECOND_MS);
    for minute in 0..6 {
        let now_ms = NOW_MS + (2 + 61 * minute) * SECOND_MS;
        carry(&mut wire, &mut back, &mut relay, now_ms).await;
        assert!(back.peer_statuses()[&society("ifrc")].connected, "minute {minute}");
        assert!(relay.peer_statuses()[&society("sg")].connected, "minute {minute}");
    }
    assert_eq!(
        relay.relay.share(None),
        Share::default(),
        "and it keeps nothing that nobody waits for"
    );
}

#[tokio::test]
async fn what_nobody_comes_for_is_dropped_in_time_and_goes_again_when_somebody_shows() {
    let federation = with_relay();
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut sg = open(&federation, "sg", &dirs[0]);
    let mut relay = open(&federation, "ifrc", &dirs[1]);
    let mut ph = open(&federation, "ph", &dirs[2]);
    let (id, bodies) = handed_over(&mut sg, &mut relay).await;
    drop(relay);
    let mut relay = open(&federation, "ifrc", &dirs[1]);
    relay.tick(NOW_MS + RELAY_KEEP_MS - 60 * SECOND_MS);
    assert!(bodies.iter().all(|body| is_anywhere(dirs[1].path(), body)));
    let over_ms = NOW_MS + RELAY_KEEP_MS + 60 * SECOND_MS;
    relay.tick(over_ms);
    assert!(!bodies.iter().any(|body| is_anywhere(dirs[1].path(), body)));
    assert!(relay.store.notes().is_empty());
    // ph has met the relay meanwhile, and has the entry; the body is gone.
    meet(2, &mut ph, &mut relay, over_ms).await;
    assert_eq!(ph.store.tree(&origin("sg")).size(), 1);
    assert!(ph.bodies_wanted() > 0);
    // The sender offers it still, and the relay takes it once more.
    meet(3, &mut sg, &mut relay, over_ms + 60 * SECOND_MS).await;
    assert_eq!(delivery(&sg, id), api::Delivery::WithRelay);
    meet(4, &mut ph, &mut relay, over_ms + 120 * SECOND_MS).await;
    assert!(shown(&ph, id).content.is_some());
    assert!(!bodies.iter().any(|body| is_anywhere(dirs[1].path(), body)));
}

#[tokio::test]
async fn what_the_author_erases_the_relay_drops_and_the_record_still_arrives() {
    let federation = with_relay();
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut sg = open(&federation, "sg", &dirs[0]);
    let mut relay = open(&federation, "ifrc", &dirs[1]);
    let mut ph = open(&federation, "ph", &dirs[2]);
    let (id, bodies) = handed_over(&mut sg, &mut relay).await;
    let withdrawn =
        Command::WithdrawConsent(v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() });
    one(&mut sg, advance(2, id, withdrawn, "")).unwrap();
    let mut wire = connect(2, &mut sg, &mut relay, NOW_MS + 60 * SECOND_MS);
    for step in 0..12 {
        carry(&mut wire, &mut sg, &mut relay, NOW_MS + (60 + step) * SECOND_MS).await;
    }
    part(wire, &mut sg, &mut relay, NOW_MS + 72 * SECOND_MS);
    assert!(!is_anywhere(dirs[1].path(), &bodies[1]), "the content is gone from the relay");
    assert!(is_anywhere(dirs[1].path(), &bodies[0]), "what happened is still on its way");
    meet(3, &mut ph, &mut relay, NOW_MS + 120 * SECOND_MS).await;
    assert_eq!(shown(&ph, id).state(), api::ReferralState::ConsentWithdrawn);
    meet(4, &mut sg, &mut relay, NOW_MS + 180 * SECOND_MS).await;
    assert!(delivery(&sg, id) >= api::Delivery::OnTheirNode);
    assert!(
        shown_with_delivery(&sg, id)
            .events
            .iter()
            .take(1)
            .all(|e| e.delivery() >= api::Delivery::OnTheirNode)
    );
}

#[tokio::test]
async fn nobody_but_who_can_claim_a_body_makes_a_relay_drop_it() {
    let federation = with_relay();
    let dirs: Vec<TempDir> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut sg = open(&federation, "sg", &dirs[0]);
    let mut relay = open(&federation, "ifrc", &dirs[1]);
    let (id, bodies) = handed_over(&mut sg, &mut relay).await;
    let header = sg.header_at(&EventRef { origin: origin("sg"), index: 0 }).unwrap().unwrap();
    let arrival = Arrival { origin: origin("sg"), index: 0, token: [1; 32], receipt: [2; 32] };
    relay.claimed(society("qa"), &arrival, NOW_MS);
    assert!(relay.inbox.is_empty() && is_anywhere(dirs[1].path(), &bodies[1]));
    // One who shows the token and lies about the receipt makes it drop, and convinces nobody.
    let (token, _) = sg.routing.claim(&origin("ph"), &header).unwrap_or_else(|| {
        let ph = super::super::Routing::new(&federation.keyring("ph"), &federation.roster);
        ph.claim(&origin("ph"), &header).unwrap()
    });
    relay.claimed(society("qa"), &Arrival { token, ..arrival }, NOW_MS);
    assert!(!is_anywhere(dirs[1].path(), &bodies[1]));
    meet(2, &mut sg, &mut relay, NOW_MS + 60 * SECOND_MS).await;
    assert_eq!(delivery(&sg, id), api::Delivery::Saved);
}

#[test]
fn a_relay_takes_no_more_of_one_author_than_its_quota() {
    let federation = with_relay();
    let mut relay = node(&federation, "ifrc");
    let (own, keyring) = (origin("qa"), federation.keyring("qa"));
    let body = Commitment { digest: [7; 32], size: BODY_BYTES_MAX / 2 };
    let count = RELAY_AUTHOR_BYTES_MAX / BODY_BYTES_MAX + 2;
    let entries: Vec<EntryBytes> = (0..count)
        .map(|index| {
            let (origin, tags) = (own.clone(), vec![[index as u8; 16], [9; 16]]);
            let visibility = Visibility::Addressed;
            let (record, content, recorded_at_ms) = (body, Some(body), NOW_MS);
            Header { origin, index, recorded_at_ms, visibility, record, content, tags }.encode()
        })
        .collect();
    let batch = VerifiedBatch::author(&Default::default(), &own, entries, &keyring.log).unwrap();
    relay.store.append(&batch, &[]).unwrap();
    let mut refused = 0;
    for index in 0..count {
        relay.offered(own.clone(), index, 1, NOW_MS);
        refused += relay
            .inbox
            .drain(..)
            .filter(|told| {
                let Happening::Told(input) = told else { return false };
                matches!(&**input, Input::Answer { state: HeldState::NoRoom, .. })
            })
            .count();
    }
    assert_eq!(refused, 2);
    assert_eq!(relay.relay.share(Some(society("qa"))).bytes, RELAY_AUTHOR_BYTES_MAX);
    assert_eq!(relay.relay.share(Some(society("sg"))).bytes, 0);
    // One that is no relay takes nothing at all.
    let mut ph = node(&federation, "ph");
    ph.store.append(&batch, &[]).unwrap();
    ph.offered(own.clone(), 0, 1, NOW_MS);
    assert!(ph.inbox.is_empty() && ph.relay.share(None).bytes == 0);
}

/// The quotas are the roster's, from the moment at which another one is in force.
#[test]
fn a_relay_keeps_as_much_and_as_long_as_the_roster_says() {
    let federation = with_relay();
    let mut relay = node(&federation, "ifrc");
    let batch = offered_by(&federation, "qa", 4, BODY_BYTES_MAX / 2);
    relay.store.append(&batch, &[]).unwrap();
    let less = federation.next(|document| {
        document.relaying = Relaying { member_mib: 2, total_mib: 2, keep_days: 1 };
    });
    relay.go_by((*less).clone(), NOW_MS);
    for index in 0..4 {
        relay.offered(origin("qa"), index, 1, NOW_MS);
    }
    assert_eq!(relay.relay.share(Some(society("qa"))), Share { bytes: 2 << 20, entries: 2 });
    assert_eq!(relay.relay.refused, 2);
    let told = relay.relay_message().unwrap();
    assert_eq!((told.bytes, told.member_bytes_max, told.refused), (2 << 20, 2 << 20, 2));
    assert!(relay.relay_warnings(NOW_MS).iter().any(|line| line.contains("qa")), "{told:?}");
    relay.tick(NOW_MS + 23 * 3_600 * SECOND_MS);
    assert_eq!(relay.relay.share(None).entries, 2);
    relay.tick(NOW_MS + 25 * 3_600 * SECOND_MS);
    assert_eq!(relay.relay.share(None), Share::default());
}

/// Entries of `by`, each with two bodies of this size that nobody has.
fn offered_by(federation: &Federation, by: &str, count: u64, size: u64) -> VerifiedBatch {
    let body = Commitment { digest: [7; 32], size };
    let entry = |index: u64| {
        Header {
            origin: origin(by),
            index,
            recorded_at_ms: NOW_MS,
            visibility: Visibility::Addressed,
            record: body,
            content: Some(body),
            tags: vec![[index as u8; 16], [9; 16]],
        }
        .encode()
    };
    let entries = (0..count).map(entry).collect();
    let log = &federation.keyring(by).log;
    VerifiedBatch::author(&Default::default(), &origin(by), entries, log).unwrap()
}

/// What is counted as it comes and goes is what counting all anew would give.
#[test]
fn the_shares_of_a_relay_are_those_of_a_recount_whatever_happens() {
    use rand_core::RngCore as _;
    let federation = with_relay();
    let mut relay = node(&federation, "ifrc");
    let authors = ["sg", "ph", "qa"];
    for by in authors {
        let batch = offered_by(&federation, by, 40, 3_000);
        relay.store.append(&batch, &[]).unwrap();
    }
    let mut dice = ChaCha20Rng::seed_from_u64(77);
    let mut now_ms = NOW_MS;
    let mut seen = std::collections::BTreeSet::new();
    for step in 0..3_000 {
        now_ms += dice.next_u64() % (6 * 3_600 * SECOND_MS);
        let at = (origin(authors[(dice.next_u64() % 3) as usize]), dice.next_u64() % 40);
        match dice.next_u64() % 8 {
            0..=3 => relay.offered(at.0, at.1, (dice.next_u64() % 3) as u8, now_ms),
            4 => relay.relay_arrived(&at, now_ms),
            5 => relay.relay_received(&at, now_ms),
            6 => relay.tend_relay(now_ms),
            _ if step % 50 == 0 => relay = restarted(&federation, &relay, "ifrc"),
            _ => {}
        }
        relay.inbox.clear();
        assert_eq!(relay.relay.counted(), relay.relay.recounted(), "after step {step}");
        seen.insert(relay.relay.share(None).entries);
    }
    assert!(seen.len() > 20, "it was filled and emptied: {seen:?}");
}
