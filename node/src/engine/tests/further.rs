//! What is told to a third society after the case was passed on, while the person goes on speaking to the first.

use super::{
    onward::{all_pass, pass_on, send_for_all},
    *,
};

fn refused(node: &mut Node, write: Write) -> String {
    match one(node, write) {
        Err(Refused::State(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_told_further_on_later_stays_within_what_the_person_tells_the_first_society() {
    let federation = federation();
    let mut nodes = ["sg", "ph", "qa"].map(|code| node(&federation, code));
    let first = id_of(&one(&mut nodes[0], send_for_all(1)).unwrap());
    all_pass(&mut nodes, 1);
    one(&mut nodes[1], advance(2, first, Command::Acknowledge, "")).unwrap();
    let onward = id_of(&one(&mut nodes[1], pass_on(3, first)).unwrap());
    all_pass(&mut nodes, 2);
    let Write::Send { sent, .. } = send_for_all(4) else { panic!() };
    let agreed = sent.consent.clone().unwrap();
    let renew = |consent: &v1::Consent| {
        Command::RenewConsent(v1::ConsentRenewed { consent: Some(consent.clone()) })
    };
    // The person tells sg: not qa any more. ph has that when qa asks.
    let mut without = agreed.clone();
    without.recipients.retain(|code| code != "qa");
    one(&mut nodes[0], advance(5, first, renew(&without), "")).unwrap();
    let asked = v1::InformationRequested { fields: vec!["reason".into()] };
    one(&mut nodes[2], advance(6, onward, Command::RequestInformation(asked), "")).unwrap();
    all_pass(&mut nodes, 3);
    let answer = || {
        let given = Command::ProvideInformation(v1::InformationProvided::default());
        advance(7, onward, given, "He fell.")
    };
    let why = refused(&mut nodes[1], answer());
    assert!(why.contains("does not name that society"), "{why}");
    assert!(why.contains(&first.to_string()) && why.contains("somebody at sg"), "{why}");
    // They agree again, and tell sg so.
    one(&mut nodes[0], advance(8, first, renew(&agreed), "")).unwrap();
    all_pass(&mut nodes, 4);
    one(&mut nodes[1], answer()).unwrap();
    // By what ph alone records there, qa could pass it on to it at once, and sg would never know.
    let mut more = agreed;
    more.recipients.push("it".into());
    let why = refused(&mut nodes[1], advance(9, onward, renew(&more), ""));
    assert!(why.contains("names a society that it does not name"), "{why}");
}
