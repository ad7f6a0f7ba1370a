//! A society's referral desk: how it becomes known to the others, and that whoever waits is told whom to
//! call.

use std::fs;

use crate::{
    harness::{Federation, eventually},
    story::{refer, state},
};

const DESK: &str = "Migration desk; +63 2 8790 2300; Mon to Fri 8:00 to 17:00 (UTC+8)";

/// ph fills in its configuration, and the next roster takes its card over.
fn make_known(federation: &Federation) {
    let (ph, sg) = (federation.at("ph"), federation.at("sg"));
    let file = ph.dir.join("tutti.toml");
    let mut config: toml::Table = fs::read_to_string(&file).expect("text").parse().expect("TOML");
    let desk = config.get_mut("desk").and_then(toml::Value::as_table_mut).expect("a section");
    desk.insert("name".into(), "Migration desk".into());
    desk.insert("telephone".into(), "+63 2 8790 2300".into());
    desk.insert("hours".into(), "Mon to Fri 8:00 to 17:00 (UTC+8)".into());
    fs::write(&file, config.to_string()).expect("written");
    let card = ph.ok(&["card", "renew"]);
    assert!(card.contains(DESK), "{card}");
    let (card, roster) = (ph.dir.join("card.note"), federation.path("roster-2.note"));
    let [card, roster] = [&card, &roster].map(|path| path.to_str().expect("UTF-8 path"));
    let changes = sg.ok(&["roster", "change", "--update", card, "--out", roster]);
    assert!(changes.contains(&format!("ph: desk none becomes “{DESK}”")), "{changes}");
    for node in [ph, sg] {
        node.ok(&["roster", "sign", roster]);
    }
    for node in [ph, sg] {
        node.ok(&["roster", "install", roster]);
    }
}

#[test]
fn whoever_waits_for_an_answer_is_told_how_to_reach_the_other_desk() {
    let federation = Federation::found(&["ph", "sg"]);
    let id = refer(&federation, "sg", "ph");
    let (ph, sg) = (federation.at("ph"), federation.at("sg"));
    let case = |at: &str| federation.at(at).json(&["referral", "show", &id]);
    eventually("ph has it", || {
        state(&federation, "ph", &id) == "sent" && case("ph")["content_state"] == "present"
    });
    // Without the breaks of a narrow screen.
    let told = |at: &str| {
        let shown = federation.at(at).ok(&["referral", "show", &id]);
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let unknown = "ph has not answered yet. No desk of ph is known; their administrator can add one \
                   (tutti card renew).";
    assert!(told("sg").contains(unknown), "{}", told("sg"));
    assert!(!told("ph").contains("not answered"), "it is ph who owes the answer: {}", told("ph"));
    let copy = federation.path("before.html");
    let printed = sg.ok(&["referral", "print", &id, "--out", copy.to_str().expect("UTF-8 path")]);
    assert!(printed.contains("does not say how to reach them"), "{printed}");

    make_known(&federation);
    let known = format!("ph has not answered yet. Their desk: {DESK}");
    eventually("sg is told whom to call", || told("sg").contains(&known));
    let at_sg = case("sg");
    assert_eq!((&at_sg["direction"], &at_sg["waits_for"]), (&"sent".into(), &"ph".into()));
    assert_eq!(at_sg["receiver_desk"]["telephone"], "+63 2 8790 2300");
    assert!(at_sg["sender_desk"].is_null() && at_sg["receiver_desk"]["email"] == "");
    assert_eq!(case("ph")["direction"], "received");
    let peers = sg.ok(&["peers"]);
    assert!(peers.contains(&format!("Desk of ph: {DESK}")), "{peers}");
    let roster = ph.ok(&["roster", "show"]);
    assert!(roster.contains("No desk is known of sg"), "{roster}");

    // The other way round, the sender's own focal point for the case stands in the case itself.
    let shown = ph.ok(&["referral", "show", &id, "--content"]);
    let focal = shown.lines().find(|line| line.starts_with("focal point")).unwrap_or_default();
    assert!(focal.contains("Last Mile Assistance desk, lastmile@example.org"), "{shown}");

    // The person's own copy says it, whichever society prints it, in their language.
    eventually("ph goes by the new roster", || !case("ph")["receiver_desk"].is_null());
    for (node, language, label) in [(sg, "en", "Telephone"), (ph, "ar", "الهاتف")] {
        let copy = federation.path(&format!("{language}.html"));
        let out = copy.to_str().expect("UTF-8 path");
        node.ok(&["referral", "print", &id, "--language", language, "--out", out]);
        let page = fs::read_to_string(&copy).expect("a page");
        for said in [format!("<dt>{label}</dt>"), "+63 2 8790 2300".into()] {
            assert!(page.contains(&said), "{language}: {said:?} is not in {page}");
        }
    }

    // Once they have answered, it stands among the rest.
    ph.ok(&["referral", "accept", &id]);
    eventually("sg sees it", || state(&federation, "sg", &id) == "accepted");
    assert!(!told("sg").contains("not answered"), "{}", told("sg"));
    assert!(told("sg").contains(&format!("their desk {DESK}")), "{}", told("sg"));
}
