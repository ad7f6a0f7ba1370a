//! The second person, by the command as each of the two types it, over real nodes: what somebody said
//! is overridden by two people, for exactly one text, and everybody after them can see that.

use std::{fs, path::PathBuf, process::Output};

use serde_json::Value;
use tutti_core::{people::Scope, referral::form};

use crate::{
    harness::{Federation, eventually, ok},
    story::state,
};

/// Somebody of sg's with an account of their own.
struct Person<'a> {
    federation: &'a Federation,
    token: PathBuf,
}

impl<'a> Person<'a> {
    fn new(federation: &'a Federation, name: &str, roles: &[&str]) -> Self {
        let sg = federation.at("sg");
        let mut words = vec!["user", "add", name];
        roles.iter().for_each(|role| words.extend(["--role", role]));
        sg.ok(&words);
        let mut words = vec!["token", "new", "--user", name];
        Scope::NAMES.iter().for_each(|scope| words.extend(["--scope", scope]));
        let token = federation.path(&format!("{name}.token"));
        fs::write(&token, sg.ok(&words)).unwrap();
        Self { federation, token }
    }

    fn run(&self, words: &[&str]) -> Output {
        let by = ["--token-file", self.token.to_str().unwrap()];
        self.federation.at("sg").run(&[words, &by].concat())
    }

    fn ok(&self, words: &[&str]) -> String {
        ok(self.run(words), &words.join(" "))
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[words, &["--json"]].concat())).unwrap()
    }

    /// What a command that must fail says.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{words:?} was done");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// The characters by which that person says which text they have read.
    fn reads(&self, draft: &str) -> String {
        let shown = self.ok(&["approval", "show", draft]);
        let (_, behind) = shown.split_once("--seen ").expect("how to approve");
        behind.split_whitespace().next().unwrap().to_owned()
    }
}

/// The example, but that the person has refused, and a life is at risk.
fn against_the_word() -> String {
    form::example()
        .replace("legal_basis = \"consent\"", "legal_basis = \"vital_interest\"")
        .replace("status = \"given\"", "status = \"refused\"")
        .replace("purpose = ", "override_reason = \"life_at_risk\"\npurpose = ")
}

#[test]
fn two_people_override_a_persons_word_for_one_text_and_all_see_that() {
    let federation = Federation::found(&["ph", "sg"]);
    // Both are supervisors: who may approve others' drafts still may not approve their own.
    let maria = Person::new(&federation, "maria", &["caseworker", "supervisor"]);
    let jose = Person::new(&federation, "jose", &["supervisor"]);
    let ana = Person::new(&federation, "ana", &["caseworker"]);
    let file = federation.path("case.toml");
    fs::write(&file, against_the_word()).unwrap();
    let form = file.to_str().unwrap();

    // Alone nobody can, with a draft or without.
    let said = maria.refused(&["referral", "send", "--file", form]);
    assert!(said.contains("second person"), "{said}");
    let draft = maria.json(&["referral", "draft", "new", "--file", form]);
    assert_eq!(draft["faults"], Value::Array(Vec::new()), "{draft}");
    let draft = draft["id"].as_str().unwrap();
    let said = maria.refused(&["referral", "draft", "send", draft]);
    assert!(said.contains("second person"), "{said}");

    let why = ["--reason", "found unconscious, no family in reach"];
    let ask = ["referral", "draft", "ask-approval", draft, why[0], why[1]];
    maria.ok(&ask);
    let waiting =
        |person: &Person| person.json(&["approval", "list"])["waiting"].as_array().unwrap().len();
    assert_eq!([&maria, &jose].map(waiting), [0, 1], "never for its author");
    let seen = jose.reads(draft);
    // Not the author, whatever they have read over a colleague's shoulder; not who may not.
    for other in [&maria, &ana] {
        other.refused(&["approval", "approve", draft, "--seen", &seen]);
    }
    let said = jose.refused(&["approval", "approve", draft, "--seen", "00000000"]);
    assert!(said.contains("not the one that you have read"), "{said}");
    assert!(maria.refused(&["referral", "draft", "send", draft]).contains("second person"));
    jose.ok(&["approval", "approve", draft, "--seen", &seen]);

    // A word is changed after that: it is another text, and nobody has approved it.
    fs::write(&file, against_the_word().replace("age = 34", "age = 35")).unwrap();
    maria.ok(&["referral", "draft", "edit", draft, "--file", form]);
    let said = maria.refused(&["referral", "draft", "send", draft]);
    assert!(said.contains("second person"), "{said}");
    jose.refused(&["approval", "approve", draft, "--seen", &seen]);
    // Refused, it is not sent either; its author sees why.
    maria.ok(&ask);
    assert_ne!(jose.reads(draft), seen);
    jose.ok(&["approval", "refuse", draft, "--reason", "ask her sister first"]);
    assert!(maria.refused(&["referral", "draft", "send", draft]).contains("second person"));
    let own = maria.json(&["approval", "list"])["own"][0].clone();
    assert_eq!(
        (&own["state"], &own["answer"]),
        (&"refused".into(), &"ask her sister first".into())
    );
    assert_eq!(federation.at("sg").holds("sg").size, 0, "nothing was written so far");

    maria.ok(&ask);
    jose.ok(&["approval", "approve", draft, "--seen", &jose.reads(draft)]);
    let sent = maria.json(&["referral", "draft", "send", draft]);
    let id = sent["id"].as_str().unwrap();
    assert!(maria.json(&["referral", "draft", "list"])["drafts"].as_array().unwrap().is_empty());

    // The other society sees it, and so does an auditor, who finds nothing wrong with it.
    eventually("ph has it", || state(&federation, "ph", id) == "sent");
    let there = federation.at("ph").json(&["referral", "show", id])["overridden"].clone();
    assert_eq!(there["reason"], "life_at_risk");
    assert_eq!(there["by_two"], true, "{there}");
    assert_ne!(there["author"], there["approver"], "{there}");
    let here = federation.at("sg").json(&["referral", "show", id])["overridden"].clone();
    assert_eq!((&here["author"], &here["approver"]), (&"maria".into(), &"jose".into()));
    federation.converge();
    super::all_audit_clean(&federation);
    // The data-protection focal point is told.
    let alerts = federation.at("sg").ok(&["access", "alerts"]);
    assert!(alerts.contains("override"), "{alerts}");
}

#[test]
fn the_second_person_sees_which_files_go_along_and_what_a_colleague_has_left_is_gone_on_with() {
    let federation = Federation::found(&["ph", "sg"]);
    let maria = Person::new(&federation, "maria", &["caseworker"]);
    let jose = Person::new(&federation, "jose", &["supervisor", "focal_point"]);
    // The person agreed to a photo, and not to all that the form tells.
    let text = form::example()
        .replace("legal_basis = \"consent\"", "legal_basis = \"vital_interest\"")
        .replace("purposes = ", "fields = [\"attachment.photo\"]\npurposes = ")
        .replace("purpose = ", "override_reason = \"life_at_risk\"\npurpose = ");
    let (file, photo) = (federation.path("case.toml"), federation.path("photo.txt"));
    fs::write(&file, &text).unwrap();
    fs::write(&photo, "as told by her sister").unwrap();
    let (form, photo) = (file.to_str().unwrap(), photo.to_str().unwrap());
    let draft = maria.json(&["referral", "draft", "new", "--file", form]);
    let draft = draft["id"].as_str().unwrap();
    let why = ["--reason", "found unconscious, no family in reach"];
    let ask = ["referral", "draft", "ask-approval", draft, why[0], why[1]];
    maria.ok(&ask);
    let seen = jose.reads(draft);
    jose.ok(&["approval", "approve", draft, "--seen", &seen]);
    // A file that is added after that goes nowhere before it was seen.
    maria.ok(&["referral", "draft", "attach", draft, photo, "--kind", "photo"]);
    assert!(maria.refused(&["referral", "draft", "send", draft]).contains("second person"));
    maria.ok(&ask);
    let shown = jose.ok(&["approval", "show", draft]);
    let digest = "These files go along";
    assert!(shown.contains(digest) && shown.contains("photo.txt"), "{shown}");
    let files = jose.json(&["approval", "show", draft])["files"].clone();
    assert_eq!((&files[0]["kind"], &files[0]["size"]), (&"photo".into(), &21.into()), "{files}");
    assert_eq!(files[0]["sha256"].as_str().unwrap().len(), 64);
    assert_ne!(jose.reads(draft), seen);
    jose.ok(&["approval", "approve", draft, "--seen", &jose.reads(draft)]);
    maria.ok(&["referral", "draft", "send", draft]);

    // Maria leaves: what she was still writing is told of, gone on with, or erased unread.
    let kept = |words: &str| {
        let new = maria.json(&["referral", "draft", "new", "--file", words]);
        assert!(new["erased_at"].is_string(), "{new}");
        new["id"].as_str().unwrap().to_owned()
    };
    let (one, other) = (kept(form), kept(form));
    let left = |person: &Person| person.json(&["referral", "draft", "left"])["drafts"].clone();
    assert_eq!(left(&jose).as_array().unwrap().len(), 0);
    let off = federation.at("sg").ok(&["user", "off", "maria"]);
    assert!(off.contains("2 drafts of theirs are kept"), "{off}");
    let listed = left(&jose);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["account"]), (2, &"maria".into()));
    jose.ok(&["referral", "draft", "take", &one]);
    assert!(jose.ok(&["referral", "draft", "show", &one]).contains("Jose Example"));
    let said = jose.ok(&["referral", "draft", "discard", &other]);
    assert!(said.contains("of maria is erased"), "{said}");
    assert_eq!(left(&jose).as_array().unwrap().len(), 0);
}
