//! Referrals of one case that were sent apart, where the person takes back the whole case in one of them.

use tutti_core::people::Role;

use super::{
    approvals::person,
    onward::{send_for_all, withdraw_consent},
    *,
};

const HOUR_MS: u64 = 3_600_000;
const LATER_MS: u64 = NOW_MS + 5 * HOUR_MS;

/// The same case to qa, by a referral of its own.
fn to_qa(key: u8) -> Write {
    let Write::Send { key, mut sent, content } = send_for_all(key) else { panic!() };
    sent.receiver = "qa".into();
    Write::Send { key, sent, content }
}

fn at(node: &mut Node, hour: u64, write: Write) -> Receipt {
    node.write(vec![write], NOW_MS + hour * HOUR_MS).remove(0).unwrap()
}

/// sg meets the two others, which do not know of each other.
fn meet(nodes: &mut [Node; 3], hour: u64) {
    for round in 0..3 {
        for node in nodes.iter_mut() {
            node.tick(NOW_MS + hour * HOUR_MS + round * 2000);
        }
        let [sg, ph, qa] = nodes;
        pass(sg, ph);
        pass(ph, sg);
        pass(sg, qa);
        pass(qa, sg);
    }
}

/// sg has referred a case to ph, where the person takes it back; and to qa, before it knew of that.
fn taken_back(federation: &Federation, word: Command) -> ([Node; 3], ReferralId, ReferralId) {
    let mut nodes = ["sg", "ph", "qa"].map(|code| node(federation, code));
    let legal = id_of(&at(&mut nodes[0], 0, send_for_all(1)));
    meet(&mut nodes, 1);
    at(&mut nodes[1], 2, advance(2, legal, word, ""));
    let shelter = id_of(&at(&mut nodes[0], 3, to_qa(3)));
    assert_eq!(nodes[0].unstopped_count(&Actor::node(), LATER_MS), 0);
    meet(&mut nodes, 4);
    assert!(nodes[0].case(&legal).unwrap().state.is_stopped());
    (nodes, legal, shelter)
}

/// Which others it is told of, and to whom each went.
fn others(node: &Node, by: &Actor, id: ReferralId) -> Vec<(String, String)> {
    let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
    let told = node.referral(by, &request, LATER_MS).unwrap().unstopped;
    told.into_iter().map(|other| (other.id, other.receiver)).collect()
}

fn tells_of_none(node: &Node, id: ReferralId) {
    let by = Actor::node();
    assert_eq!((others(node, &by, id), node.unstopped_count(&by, LATER_MS)), (vec![], 0));
}

#[test]
fn the_sender_is_told_which_others_of_the_case_go_on_until_the_person_agrees_there_anew() {
    let federation = federation();
    let (mut nodes, legal, shelter) = taken_back(&federation, withdraw_consent());
    let by = Actor::node();
    let told = [(shelter.to_string(), "qa".to_owned())];
    assert_eq!(others(&nodes[0], &by, legal), told);
    assert_eq!(others(&nodes[0], &by, shelter), []);
    assert!(shown(&nodes[0], shelter).content.is_some(), "it goes on");
    let listed = nodes[0].referrals(&by, &Default::default(), LATER_MS).unwrap().referrals;
    let listed = listed.into_iter().find(|listed| listed.id == legal.to_string()).unwrap();
    assert_eq!(listed.unstopped.len(), 1, "a list says it, too");
    // The others know nothing of each other, and hear nothing.
    assert_eq!(others(&nodes[1], &by, legal), []);
    assert_eq!(others(&nodes[2], &by, shelter), []);
    assert_eq!(nodes.each_ref().map(|node| node.unstopped_count(&by, LATER_MS)), [1, 0, 0]);
    let again = restarted(&federation, &nodes[0], "sg");
    assert_eq!(
        (others(&again, &by, legal), again.unstopped_count(&by, LATER_MS)),
        (told.to_vec(), 1)
    );

    let Write::Send { sent, .. } = to_qa(9) else { panic!() };
    let mut consent = sent.consent.unwrap();
    consent.expires_at = NOW_MS / 1000 + 90 * 86_400;
    let renewed = Command::RenewConsent(v1::ConsentRenewed { consent: Some(consent) });
    at(&mut nodes[2], 6, advance(4, shelter, Command::Acknowledge, ""));
    meet(&mut nodes, 7);
    assert_eq!(nodes[0].unstopped_count(&by, LATER_MS), 1, "a step says nothing of the person");
    at(&mut nodes[2], 8, advance(5, shelter, renewed, ""));
    meet(&mut nodes, 9);
    tells_of_none(&nodes[0], legal);
}

#[test]
fn what_is_stopped_too_or_was_sent_afterwards_is_not_told_of() {
    let federation = federation();
    let (mut nodes, legal, shelter) = taken_back(&federation, withdraw_consent());
    let by = Actor::node();
    at(&mut nodes[0], 6, advance(4, shelter, withdraw_consent(), ""));
    assert_eq!(others(&nodes[0], &by, legal), []);
    at(&mut nodes[0], 7, to_qa(5));
    meet(&mut nodes, 8);
    tells_of_none(&nodes[0], legal);

    // A word for one referral alone says nothing of the others.
    let alone = v1::ConsentWithdrawn {
        by: 1,
        form: 2,
        extent: v1::Extent::Referral as i32,
        ..Default::default()
    };
    let (nodes, legal, _) = taken_back(&federation, Command::WithdrawConsent(alone));
    tells_of_none(&nodes[0], legal);
}

#[test]
fn nobody_is_told_of_another_referral_of_the_case_that_they_may_not_see() {
    let federation = federation();
    let (mut nodes, legal, shelter) = taken_back(&federation, withdraw_consent());
    let sg = &mut nodes[0];
    let focal = person(sg, "focal", &[Role::FocalPoint]);
    let [maria, jose] = ["maria", "jose"].map(|name| person(sg, name, &[Role::Caseworker]));
    for (id, name) in [(legal, "maria"), (shelter, "jose")] {
        let request = api::AssignReferralRequest { id: id.to_string(), name: name.into() };
        sg.assign(&focal, &request, LATER_MS).unwrap();
    }
    assert_eq!(others(sg, &maria, legal), []);
    assert_eq!(others(sg, &jose, shelter), []);
    assert_eq!(others(sg, &focal, legal), [(shelter.to_string(), "qa".to_owned())]);
    let all = [Role::DataProtection, Role::Supervisor, Role::Auditor];
    let none = [Role::ReportingOfficer, Role::Administrator, Role::Observer];
    let all = all.map(|role| (person(sg, role.name(), &[role]), 1));
    let none = none.map(|role| (person(sg, role.name(), &[role]), 0));
    let own = [(focal, 1), (maria, 0), (jose, 0)];
    for (who, count) in all.into_iter().chain(none).chain(own) {
        let told = sg.status(&who, LATER_MS).unwrap().unstopped;
        assert_eq!(told, count, "{}", who.pseudonym());
    }
}
