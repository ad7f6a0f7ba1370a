//! What arrives late, in pieces, forged or not at all.

use prost::Message as _;
use tutti_core::{
    entry::{EntryBytes, Header, Visibility},
    information::InformationId,
    sealing,
};

use super::*;

#[test]
fn own_bodies_that_a_backup_lacks_are_told_apart() {
    let federation = federation();
    let [mut sg, mut again] = ["sg", "sg"].map(|code| node(&federation, code));
    one(&mut sg, send(1)).unwrap();
    let origin = origin("sg");
    let entries = sg.store.entries(&origin, 0, u64::MAX, usize::MAX).unwrap();
    let held = again.store.tree(&origin);
    let head = sg.store.head(&origin).unwrap();
    let batch = VerifiedBatch::verify(&held, 0, &entries, head, Vec::new()).unwrap();
    again.store.append(&batch, &[]).unwrap();
    again.project(&origin, NOW_MS);
    assert_eq!(again.entries(&Actor::node(), &origin, 0, 1).unwrap()[0].summary, "on its way");
    let warnings = again.status(&Actor::node(), NOW_MS + 60_000).unwrap().warnings;
    let told = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    assert!(told("2 bodies of this society's own") && !told("bodies from"), "{warnings:?}");
}

#[test]
fn bodies_that_come_later_and_in_any_order_are_taken_then() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    one(&mut sg, advance(2, id, withdraw(), "no longer needed")).unwrap();
    pass_entries(&sg, &mut ph);
    let mut wanted = wants(&mut ph);
    let parts: Vec<(u64, Part)> = wanted.iter().map(|want| (want.index, want.part)).collect();
    let all = [(0, Part::Record), (0, Part::Content), (1, Part::Record), (1, Part::Content)];
    assert_eq!(parts, all);
    assert_eq!(ph.bodies_wanted(), 4);
    assert_eq!(ph.entries(&Actor::node(), &origin("sg"), 0, 1).unwrap()[0].summary, "on its way");
    assert_eq!(ph.status(&Actor::node(), NOW_MS).unwrap().warnings, Vec::<String>::new());
    let told = |later_ms| ph.status(&Actor::node(), NOW_MS + later_ms).unwrap().warnings;
    assert_eq!(told(60_000), ["4 bodies from sg are still on their way. See `tutti peers`"]);
    let [lost] = told(24 * 60 * 60 * 1000).try_into().unwrap();
    assert!(lost.contains("it may have lost them itself"), "{lost}");
    // The withdrawal is here before what it withdraws.
    wanted.rotate_left(2);
    let [record, note, sent, content] = wanted.as_slice() else { panic!() };
    pass_body(&sg, &mut ph, record);
    let request =
        api::GetReferralRequest { id: id.to_string(), with_content: true, ..Default::default() };
    assert!(ph.referral(&Actor::node(), &request, NOW_MS).is_err());
    pass_body(&sg, &mut ph, sent);
    let referral = shown(&ph, id);
    assert_eq!(referral.state(), api::ReferralState::Withdrawn);
    assert_eq!(referral.content_state(), api::BodyState::Absent);
    assert!(referral.content.is_none() && referral.events[1].note.is_empty());
    // Started again with half of it: the rest is wanted again.
    let mut ph = restarted(&federation, &ph, "ph");
    assert_eq!(wants(&mut ph).len(), 2);
    pass_body(&sg, &mut ph, content);
    pass_body(&sg, &mut ph, note);
    assert_eq!(shown(&ph, id), shown(&sg, id));
    assert_eq!(ph.bodies_wanted(), 0);
    // Erased: gone here for ever, the rest stands.
    ph.store.erase_body(&content.key()).unwrap();
    let referral = shown(&restarted(&federation, &ph, "ph"), id);
    assert_eq!(referral.content_state(), api::BodyState::Erased);
    assert!(referral.content.is_none());
    assert_eq!(referral.state(), api::ReferralState::Withdrawn);
}

#[test]
fn an_author_that_lost_its_bodies_asks_its_addressees_for_them() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    // The journal came back from a peer; the bodies did not.
    let mut restored = MemoryStore::new();
    let own = origin("sg");
    let entries = ph.store.entries(&own, 0, 10, usize::MAX).unwrap();
    let head = ph.store.head(&own).unwrap();
    let batch = VerifiedBatch::verify(&Default::default(), 0, &entries, head, Vec::new()).unwrap();
    restored.append(&batch, &[]).unwrap();
    let mut again = engine(&federation, "sg", restored);
    let wanted = wants(&mut again);
    assert_eq!(wanted.len(), 2);
    for want in &wanted {
        pass_body(&ph, &mut again, want);
    }
    assert_eq!(shown(&again, id), shown(&sg, id));
    assert_eq!(one(&mut again, send(1)).unwrap().index, 0, "its keys are known again");
}

/// An entry in `by`'s log around any record at all, sealed to sg and ph.
fn forge(federation: &Federation, by: &str, to: &mut Node, record: &v1::Record) {
    let keyring = federation.keyring(by);
    let own = origin(by);
    let parties = ["sg", "ph"].map(|code| federation.keyring(code));
    let keys: Vec<_> = parties.iter().map(|keyring| keyring.case.recipient()).collect();
    let body = sealing::seal(&record.encode_to_vec(), &keys).unwrap();
    let held = to.store.tree(&own);
    let addressees: Vec<_> = parties
        .iter()
        .map(|keyring| keyring.routing.public())
        .filter(|key| *key != keyring.routing.public())
        .collect();
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let tags = routing::tags(&keyring.routing, &addressees, &own, held.size(), &mut rng).unwrap();
    let place = |part| Place::new(&own, held.size(), part);
    let body = Body::new(place(Part::Record), &body);
    let header = Header {
        origin: own.clone(),
        index: held.size(),
        recorded_at_ms: NOW_MS,
        visibility: Visibility::Addressed,
        record: body.commitment(),
        content: Some(place(Part::Content).commit(b"absent")),
        tags,
    };
    let entries: Vec<EntryBytes> = vec![header.encode()];
    let batch = VerifiedBatch::author(&held, &own, entries, &keyring.log).unwrap();
    to.store.append(&batch, &[body]).unwrap();
    to.project(&own, NOW_MS);
}

#[test]
fn what_others_forge_is_noted_and_changes_nothing() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    let before = shown(&sg, id);
    let event = v1::ReferralEvent {
        referral_id: id.as_bytes().to_vec(),
        seen: None,
        transition: Some(v1::referral_event::Transition::Withdrawn(v1::Withdrawn { code: 1 })),
    };
    let record = |origin: Origin, addressees: &[&str]| v1::Record {
        origin: origin.to_string(),
        event_id: vec![5; 16],
        actor: String::new(),
        approver: String::new(),
        addressees: addressees.iter().map(ToString::to_string).collect(),
        has_content: false,
        event: Some(v1::record::Event::Referral(event.clone())),
    };
    // ph copies sg's word into its own log; names nobody; says nothing; says something of its own.
    forge(&federation, "ph", &mut sg, &record(origin("sg"), &["ph"]));
    forge(&federation, "ph", &mut sg, &record(origin("ph"), &[]));
    forge(&federation, "ph", &mut sg, &v1::Record::default());
    assert_eq!(shown(&sg, id), before);
    // Signed by qa, a stranger to the referral; and by ph, whose side it is not.
    forge(&federation, "qa", &mut sg, &record(origin("qa"), &["sg"]));
    forge(&federation, "ph", &mut sg, &record(origin("ph"), &["sg"]));
    let after = shown(&sg, id);
    assert_eq!(after.state(), api::ReferralState::Sent);
    let explained: Vec<&str> = after.events.iter().map(|e| e.explanation.as_str()).collect();
    assert_eq!(
        explained,
        ["its author is neither sender nor receiver", "", "it is for the other side to do"]
    );
    assert_eq!(after.events[2].note, "", "a record is no content");
    let summaries: Vec<String> = sg
        .entries(&Actor::node(), &origin("ph"), 0, 10)
        .unwrap()
        .into_iter()
        .map(|e| e.summary)
        .collect();
    assert_eq!(
        summaries,
        [
            "unreadable: body is of another log than its entry".into(),
            "unreadable: record names addressees that its entry has no room for, or none".into(),
            "unreadable: body is of another log than its entry".into(),
            format!("referral {id} withdrawn to sg, wrong_side"),
        ]
    );
    assert_eq!(shown(&restarted(&federation, &sg, "sg"), id), after);
}

#[test]
fn only_active_members_receive_referrals() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let to = |receiver: &str| {
        let Write::Send { key, mut sent, content } = send(1) else { panic!() };
        sent.receiver = receiver.into();
        if let Some(consent) = &mut sent.consent {
            consent.recipients = vec![receiver.into()];
        }
        Write::Send { key, sent, content }
    };
    for receiver in ["my", "sg", "", "Philippines"] {
        let refused = one(&mut sg, to(receiver)).unwrap_err();
        assert!(matches!(refused, Refused::Invalid(_)), "{refused}");
    }
    let text = one(&mut sg, to("my")).unwrap_err().to_string();
    assert!(text.contains("Societies that can: ph, qa"), "{text}");
    assert_eq!(sg.store.logs().len(), 0);
    let unknown = advance(2, ReferralId::from_bytes([3; 16]), decline(), "");
    assert!(matches!(one(&mut sg, unknown), Err(Refused::NotFound(_))));
    let request = api::GetInformationRequest { id: "not an id".into(), ..Default::default() };
    assert!(matches!(sg.share(&Actor::node(), &request, NOW_MS), Err(Refused::Invalid(_))));
    let request = api::GetInformationRequest {
        id: InformationId::from_bytes([1; 16]).to_string(),
        ..Default::default()
    };
    assert!(matches!(sg.share(&Actor::node(), &request, NOW_MS), Err(Refused::NotFound(_))));
}
