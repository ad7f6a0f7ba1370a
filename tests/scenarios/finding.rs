//! A caseworker finds her case, and is told where one has no code, or was referred before.

use std::fs;

use tutti_core::referral::form;

use crate::{
    harness::{Federation, eventually},
    story::state,
};

/// What is said where nobody would be told of a second referral.
const NO_CODE: &str = "without a case code";

#[test]
fn a_case_is_found_by_name_and_code_and_whoever_sends_one_without_a_code_is_told() {
    let federation = Federation::found(&["ph", "qa", "sg"]);
    let (sg, ph) = (federation.at("sg"), federation.at("ph"));
    let example = form::example().replace("[\"ph\"]", "[\"ph\", \"qa\"]");
    let bare = example.replace("case_code = \"SG-2025-0117\"\n", "");
    assert!(bare.len() < example.len());
    let file = federation.path("case.toml");
    let path = file.to_str().unwrap();
    let keep = |text: &str| {
        fs::write(&file, text).unwrap();
        let kept = sg.json(&["referral", "draft", "new", "--file", path]);
        kept["id"].as_str().unwrap().to_owned()
    };
    let said = sg.ok(&["referral", "draft", "send", &keep(&example)]);
    assert!(!said.contains(NO_CODE), "{said}");
    // The same case again, as somebody else writes its code.
    let again = keep(&example.replace("SG-2025-0117", "sg 2025 – 0117"));
    let refused = sg.run(&["referral", "draft", "send", &again]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("the same case was referred"), "{why}");
    let said = sg.ok(&["referral", "draft", "send", &keep(&bare)]);
    assert!(said.contains(NO_CODE), "{said}");

    // By the name both, by the code and the society the first.
    let find = |words: &str| {
        let found = sg.json(&["referral", "list", "--search", words])["referrals"].clone();
        let found = found.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().into());
        found.collect::<Vec<String>>()
    };
    assert_eq!(find("josé EXAMPLE").len(), 2);
    let first = find("sg-2025-0117 ph");
    assert_eq!((first.len(), find("nobody").len()), (1, 0));
    let shown = sg.ok(&["referral", "list", "--search", "nobody"]);
    assert!(shown.contains("No such referral"), "{shown}");
    let log = sg.ok(&["access", "log"]);
    assert!(log.contains("search: 2 opened") && !log.contains("nobody"), "{log}");
    let log = sg.json(&["access", "log"]);
    let found = |entry: &&serde_json::Value| entry["referrals"] == serde_json::json!(first);
    assert!(log["entries"].as_array().unwrap().iter().any(|entry| found(&entry)), "{log}");

    // Passed on without its code.
    let id = &first[0];
    eventually("ph has it", || state(&federation, "ph", id) == "sent");
    ph.ok(&["referral", "acknowledge", id]);
    let onward = ["referral", "onward", id, "--to", "qa", "--withhold", "case_code"];
    let said = ph.ok(&onward);
    assert!(said.contains(NO_CODE), "{said}");
}
