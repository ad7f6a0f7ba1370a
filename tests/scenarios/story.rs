//! The referral that the scenarios tell, through the command as a caseworker types it.

use std::fs;

use crate::{
    files,
    harness::{Federation, eventually, files_below, ok, tutti},
};

/// Words that stand in the case and must be nowhere in clear, and nowhere at all with others.
pub(crate) const CANARIES: [&str; 3] =
    ["Maricel-Canary", "fell from a ladder, canary", "+65-555-CANARY"];

/// Sends a referral from one society to another; gives its number.
pub(crate) fn refer(federation: &Federation, from: &str, to: &str) -> String {
    refer_case(federation, from, to, &format!("{from}-{to}-1"))
}

/// The same, under a code of the case.
pub(crate) fn refer_case(federation: &Federation, from: &str, to: &str, code: &str) -> String {
    let example = tutti_core::referral::form::example();
    let mut form: toml::Table = example.parse().expect("the example is TOML");
    let content = form.get_mut("content").and_then(toml::Value::as_table_mut).expect("a case");
    content.insert("reason".into(), CANARIES[1].into());
    content.insert("case_code".into(), code.into());
    let person = content.get_mut("person").and_then(toml::Value::as_table_mut).expect("a person");
    person.insert("name".into(), CANARIES[0].into());
    person.insert("safe_contact".into(), CANARIES[2].into());
    let consent = form.get_mut("consent").and_then(toml::Value::as_table_mut).expect("consent");
    consent.insert("recipients".into(), vec![to].into());
    let file = federation.path("case.toml");
    fs::write(&file, form.to_string()).expect("form");
    let path = file.to_str().expect("UTF-8 path");
    let sent = federation.at(from).json(&["referral", "send", "--to", to, "--file", path]);
    sent["id"].as_str().expect("id").to_string()
}

pub(crate) fn state(federation: &Federation, at: &str, id: &str) -> String {
    let output = federation.at(at).run(&["referral", "show", id, "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    shown["state"].as_str().unwrap_or_default().to_string()
}

#[test]
fn one_referral_from_end_to_end_and_nobody_between_can_read_it() {
    let federation = Federation::found(&["ph", "qa", "sg"]);
    let id = refer(&federation, "sg", "ph");
    let reaches = |at: &str, wanted: &str| {
        eventually(&format!("{at} sees {wanted}"), || state(&federation, at, &id) == wanted);
    };
    reaches("ph", "sent");
    federation.at("ph").ok(&["referral", "acknowledge", &id]);
    reaches("sg", "acknowledged");
    federation.at("ph").ok(&[
        "referral",
        "request-information",
        &id,
        "--field",
        "person.safe_contact",
        "--note",
        "When may we call?",
    ]);
    reaches("sg", "information_requested");
    federation.at("sg").ok(&["referral", "provide-information", &id, "--note", "After eight."]);
    reaches("ph", "acknowledged");
    federation.at("ph").ok(&["referral", "accept", &id]);
    reaches("sg", "accepted");
    federation.at("ph").ok(&[
        "referral",
        "deliver",
        &id,
        "--result",
        "fully",
        "--service",
        "family_contact",
    ]);
    reaches("sg", "completed");
    let close = ["referral", "close", &id, "--outcome", "need_met", "--feedback", "satisfied"];
    federation.at("sg").ok(&close);
    reaches("ph", "closed");
    federation.converge();

    let shown = federation.at("ph").json(&["referral", "show", &id, "--content"]);
    assert!(shown.to_string().contains(CANARIES[0]), "{shown}");
    let said = |transition: &str, what: &str| {
        let mut events = shown["events"].as_array().expect("events").iter();
        events.find(|event| event["transition"] == transition).expect("the event")[what].clone()
    };
    assert_eq!(said("information_requested", "fields")[0], "person.safe_contact");
    assert_eq!(said("service_delivered", "services")[0], "family_contact");
    assert_eq!(said("closed", "feedback"), "satisfied");
    let story = federation.at("ph").ok(&["referral", "show", &id]);
    assert!(story.contains("closed: need met; the person's own word: satisfied"), "{story}");
    assert_eq!(state(&federation, "qa", &id), "", "qa is no party");
    for node in federation.nodes() {
        for file in files_below(&node.dir) {
            let bytes = fs::read(&file).unwrap_or_default();
            for canary in CANARIES {
                let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "{canary:?} stands in {}", file.display());
            }
        }
        for canary in CANARIES {
            assert!(!node.log().contains(canary), "{canary:?} stands in {}'s log", node.society);
        }
    }
    assert!(files_below(&federation.at("qa").dir.join("bodies")).iter().all(|file| {
        // Nothing was addressed to qa and nothing was public: whatever segments it has are empty.
        fs::read(file).unwrap_or_default().iter().all(|byte| *byte == 0)
            || fs::metadata(file).is_ok_and(|meta| meta.len() < 64)
    }));
    super::all_audit_clean(&federation);
}

#[test]
fn the_race_between_withdrawing_and_accepting_ends_the_same_on_both_sides() {
    let federation = Federation::found(&["ph", "sg"]);
    let id = refer(&federation, "sg", "ph");
    eventually("ph sees it", || state(&federation, "ph", &id) == "sent");
    for node in federation.nodes() {
        node.link.cut();
    }
    federation.at("ph").ok(&["referral", "accept", &id]);
    federation.at("sg").ok(&["referral", "withdraw", &id, "--code", "person_withdrew"]);
    for node in federation.nodes() {
        node.link.heal();
    }
    federation.converge();
    for society in ["ph", "sg"] {
        eventually("withdrawn", || state(&federation, society, &id) == "withdrawn");
        let shown = federation.at(society).json(&["referral", "show", &id]);
        let events = shown["events"].as_array().expect("events");
        let accepted = events.iter().find(|e| e["transition"] == "accepted").expect("kept");
        assert_eq!(accepted["effective"], false, "{accepted}");
        assert!(!accepted["explanation"].as_str().unwrap_or_default().is_empty());
    }
}

#[test]
fn the_demo_checks_every_step_of_itself() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("demo");
    let output = tutti(&["demo", "--exit", "--dir", path.to_str().expect("UTF-8 path")]);
    let shown = ok(output, "demo");
    assert!(shown.contains("Philippine Red Cross"), "{shown}");
    assert!(path.join("ph").is_dir(), "the directory is kept when it was given");
}

/// A case goes on to a third society as far as the person agreed, and the person's word follows it.
#[test]
fn a_case_is_passed_on_and_a_withdrawal_follows_it_through_three_nodes() {
    let federation = Federation::found(&["ph", "qa", "sg"]);
    let id = refer(&federation, "sg", "ph");
    eventually("ph has it", || state(&federation, "ph", &id) == "sent");
    let ph = federation.at("ph");
    ph.ok(&["referral", "acknowledge", &id]);
    let refused = ph.run(&["referral", "onward", &id, "--to", "qa"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("does not name that society"), "{why}");
    // The person agrees that qa has it, too.
    let mut form: toml::Table = tutti_core::referral::form::example().parse().expect("TOML");
    let consent = form.get_mut("consent").and_then(toml::Value::as_table_mut).expect("consent");
    consent.insert("recipients".into(), vec!["ph", "qa"].into());
    form.remove("content");
    let file = federation.path("agreed.toml");
    fs::write(&file, form.to_string()).expect("form");
    ph.ok(&["referral", "renew-consent", &id, "--file", file.to_str().expect("UTF-8 path")]);
    // Without the breaks of a narrow screen.
    let told = |at: &str| {
        let shown = federation.at(at).ok(&["referral", "show", &id]);
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    eventually("sg is told of the renewal", || told("sg").contains("renewed, recorded by ph"));
    let unseen = "nobody at sg has gone on with that yet";
    assert!(told("sg").contains(unseen) && told("ph").contains(unseen), "{}", told("sg"));
    assert!(told("sg").contains("for ph and qa") && told("sg").contains("sg's"), "{}", told("sg"));
    // ph's word alone lets nothing go further.
    let refused = ph.run(&["referral", "onward", &id, "--to", "qa"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("nobody at sg has gone on"), "{why}");
    assert!(!ph.run(&["referral", "confirm-consent", &id]).status.success(), "that is for sg");
    federation.at("sg").ok(&["referral", "confirm-consent", &id]);
    assert!(!told("sg").contains(unseen) && told("sg").contains("renewed, recorded by ph"));
    eventually("ph is told that sg knows", || !told("ph").contains(unseen));
    let letter = files::letter(&federation, "letter.pdf", 1_200_000);
    let letter = files::attach(&federation, "sg", &id, &letter)["attachment"].clone();
    let letter = letter.as_str().expect("id");
    eventually("ph has the letter", || files::is_here(&federation, "ph", &id));
    let hide = ["--withhold", "person.safe_contact", "--attach", &letter[..8]];
    let onward = ["referral", "onward", &id, "--to", "qa", hide[0], hide[1], hide[2], hide[3]];
    let onward = ph.json(&onward)["id"].as_str().expect("id").to_string();
    eventually("qa has it", || state(&federation, "qa", &onward) == "sent");
    eventually("qa has the letter", || files::is_here(&federation, "qa", &onward));
    let passed = files::shown(&federation, "qa", &onward);
    assert_eq!((&passed["society"], &passed["kind"]), (&"ph".into(), &"medical_letter".into()));
    let (passed, saved) = (passed["id"].as_str().expect("id"), federation.path("passed.pdf"));
    assert_ne!(passed, letter, "nobody can tell from its number that it is the same");
    let to = saved.to_str().expect("UTF-8 path");
    federation.at("qa").ok(&["referral", "save", &onward, passed, "--to", to]);
    let sent = fs::read(federation.path("letter.pdf")).expect("the letter");
    assert!(fs::read(&saved).expect("the file") == sent);
    let shown = || federation.at("qa").json(&["referral", "show", &onward, "--content"]);
    eventually("qa reads it", || shown()["content_state"] == "present");
    let person = shown()["form"]["content"]["person"].clone();
    assert_eq!((&person["name"], &person["safe_contact"]), (&CANARIES[0].into(), &"".into()));
    let copy = federation.path("copy.html");
    federation.at("sg").ok(&[
        "referral",
        "print",
        &id,
        "--out",
        copy.to_str().expect("UTF-8 path"),
    ]);
    let page = fs::read_to_string(&copy).expect("the page");
    assert!(page.contains(CANARIES[0]) && page.contains("and from there to"), "{page}");
    federation.at("sg").ok(&["referral", "withdraw-consent", &id]);
    let now = told("sg");
    assert!(now.contains("WITHDRAWN, recorded by sg on") && !now.contains("renewed, rec"), "{now}");
    eventually("qa has stopped", || state(&federation, "qa", &onward) == "consent_withdrawn");
    assert!(shown()["form"].get("content").is_none());
    assert_eq!(files::shown(&federation, "qa", &onward)["state"], "erased");
    eventually("sg sees that all have confirmed", || {
        let shown = federation.at("sg").json(&["referral", "show", &id]);
        let sides = shown["erasure"]["confirmations"].as_array().cloned().unwrap_or_default();
        let onward = sides.iter().find_map(|side| side["onward"].get(0)).cloned();
        sides.len() == 2
            && sides.iter().all(|side| side["confirmed"] == true)
            && onward.is_some_and(|onward| onward["society"] == "qa" && onward["confirmed"] == true)
    });
}
