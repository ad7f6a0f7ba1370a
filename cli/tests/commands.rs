//! The command as a process: the help of every verb, the texts and exit codes of errors, what is
//! made without any node. What needs running nodes is in `tests/scenarios`.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn tutti(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tutti"))
        .args(words)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .env("TZ", "Asia/Singapore")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Exit code, standard output, standard error.
fn answer(dir: &Path, words: &[&str]) -> (i32, String, String) {
    let output = tutti(dir, words);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn ok(dir: &Path, words: &[&str]) -> String {
    let (code, out, err) = answer(dir, words);
    assert_eq!(code, 0, "{words:?}: {err}");
    out
}

/// A command line, at its spaces.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The verbs that a help text lists.
fn verbs(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(ToOwned::to_owned))
        .filter(|verb| !verb.is_empty() && verb != "help")
        .collect()
}

#[test]
fn every_verb_has_a_help_that_fits_and_says_what_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        words.push("--help");
        let help = ok(dir.path(), &words);
        let first = help.lines().next().unwrap_or_default();
        assert!(first.len() > 20, "{path:?} does not say what it is for: {first:?}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{path:?} is too wide");
        assert!(!help.contains('\x1b'), "{path:?} has colours in a pipe");
        let below = verbs(&help);
        if below.is_empty() {
            seen.push(path.join(" "));
        }
        waiting.extend(below.into_iter().map(|verb| [path.clone(), vec![verb]].concat()));
    }
    seen.sort();
    let all = "access alerts, access export, access log, access verify, approval approve, approval \
               list, approval refuse, approval show, audit, card renew, card show, \
               completions, demo, group list, group remove, group set, information \
               acknowledge, information acted-on, information dispute, information draft ask-review, \
               information draft delete, information draft discard, information draft edit, information draft \
               left, information draft list, \
               information draft new, information draft publish, information draft show, information draft take, \
               information endorse, \
               information list, information publish, information retract, information revise, \
               information show, information take-back, information template, information \
               translate, init, log export, log prove, log show, login, logout, peers, proof verify, referral accept, \
               referral acknowledge, referral assign, referral attach, referral attachments, referral cancel, referral close, \
               referral confirm-consent, referral correct, referral decline, referral deliver, referral draft ask-approval, referral draft attach, referral draft \
               attachments, referral draft delete, referral draft detach, referral draft discard, referral \
               draft edit, referral draft left, referral draft list, referral draft new, referral draft send, \
               referral draft show, referral draft take, referral entered-in-error, referral expire, referral \
               follow-up, referral handover accept, referral handover decline, referral \
               handover propose, referral list, referral missed, referral onward, referral \
               pause, referral print, referral provide-information, referral renew-consent, \
               referral reopen, referral request-erasure, referral request-information, \
               referral resume, referral save, referral schedule, referral send, referral show, referral \
               start, referral template, referral withdraw, referral withdraw-consent, repair, roster \
               change, roster found, roster install, roster show, roster sign, serve, status, token list, \
               token new, token revoke, user add, user list, user off, user on, user reset, \
               user resolve, user roles, user start-code, watch, whoami";
    assert_eq!(seen.join(", "), all);
}

/// The variable is set once for good; naming another node must go on working.
#[test]
fn a_node_elsewhere_is_reached_although_tutti_dir_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = words("status --url 127.0.0.1:1 --token-file none --card none");
    let output = Command::new(env!("CARGO_BIN_EXE_tutti"))
        .args(elsewhere)
        .current_dir(dir.path())
        .env("TUTTI_DIR", "here")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("none: No such file"), "{err}");
    let (code, _, err) =
        answer(dir.path(), &words("status --dir x --url h:1 --token-file t --card c"));
    assert_eq!(code, 2, "{err}");
}

/// What happened, what was kept, what to do; and the exit code of the one table.
#[test]
fn errors_say_what_happened_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir_all(at.join("full")).unwrap();
    fs::write(at.join("full/file"), "x").unwrap();
    fs::write(at.join("hostile.toml"), "receiver = \"\x1b[2J\u{202e}\nx").unwrap();
    fs::write(at.join("wrong.toml"), "priority = \"soon\"\nlegal_basis = \"trust\"\n").unwrap();
    fs::write(at.join("unedited.toml"), ok(at, &["information", "template"])).unwrap();
    let translation = ok(at, &["information", "template", "--translation"]);
    fs::write(at.join("translation.toml"), translation).unwrap();
    for (line, code, says) in [
        ("status --dir none", 3, "there is no node in none"),
        ("status --dir none", 3, "tutti init"),
        ("status", 3, ".local/share/tutti"),
        ("referral accept zz", 2, "digits 0 to 9 and a to f"),
        ("referral decline ab --code because", 2, "no_capacity"),
        ("referral decline ab", 2, "--code is one of: no_capacity, waitlist"),
        ("referral close ab --outcome need_met", 2, "--feedback is one of: satisfied, partly_sat"),
        ("referral close ab --outcome need_met", 2, "not_given"),
        ("referral close ab", 2, "--outcome is one of: need_met"),
        ("referral deliver ab --result partly", 2, "--service is one of: health, mhpss"),
        ("referral complete ab --result fully", 2, "--service is one of: health, mhpss"),
        ("referral deliver ab --result not --dir none", 3, "there is no node in none"),
        ("referral accept ab --key 12", 2, "32 hexadecimal digits"),
        ("referral send --file none.toml", 2, "none.toml"),
        ("information publish --file unedited.toml", 1, "kind: is not in the list; allowed: legal"),
        ("information publish --file unedited.toml", 1, "texts.1.title: was not filled in"),
        ("information publish --file unedited.toml", 1, "countries: is not a country"),
        ("information translate ab --file translation.toml", 3, "tutti"),
        ("information dispute ab --reason x --code wrong", 2, "source_doubtful"),
        ("information list --severity bad", 2, "critical"),
        ("group set Group", 2, "CODE"),
        ("approval approve ab --seen xyz", 2, "digits 0 to 9 and a to f"),
        ("approval approve ab", 2, "--seen"),
        ("referral draft ask-approval ab", 2, "--reason"),
        ("roster found none --threshold 1 --out x --group steering", 2, "steering-group=ph,qa,sg"),
        ("referral send --file hostile.toml", 1, "nothing was sent"),
        ("referral send --file wrong.toml", 1, "priority"),
        ("referral send --file wrong.toml", 1, "legal_basis"),
        ("referral send --file wrong.toml", 1, "vital_interest"),
        ("audit full", 2, "nothing was judged"),
        ("audit none", 2, "tutti log export --out"),
        ("proof verify full/file --dir none", 14, "roster"),
        ("card show full/file", 1, "send its card.note again"),
        ("roster show full/file", 1, "refused"),
        ("log export --dir none --out full", 2, "exists already"),
        ("log export --dir none --out new", 14, "tutti init"),
        ("demo --dir full", 2, "is not empty"),
        ("serve --dir none", 14, "tutti.toml"),
        ("repair --dir none", 14, "tutti.toml"),
        ("init --dir full --society sg --name S --federation m.org", 2, "nothing was made"),
        (
            "init --dir new --society sg --name S --federation m.org --listen 0.0.0.0:7447",
            2,
            "--endpoint HOST:PORT",
        ),
        ("init --dir new --society sg --name S --federation morg", 2, "migrants.example.org"),
        ("rumour", 2, "unrecognized subcommand"),
    ] {
        let (found, out, err) = answer(at, &words(line));
        assert_eq!(found, code, "{line}: {err}");
        assert!(err.contains(says), "{line} does not say {says:?}: {err}");
        assert!(out.is_empty(), "{line}: an error is no answer: {out}");
        assert!(!err.contains('\x1b') && !err.contains('\u{202e}'), "{line}: {err:?}");
    }
    assert!(!at.join("new").exists(), "nothing was made");
}

#[test]
fn three_societies_found_a_federation() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    for (code, port) in [("ph", "7001"), ("sg", "7002"), ("qa", "7003")] {
        let line = format!(
            "init --dir {code} --society {code} --name Society --federation m.example.org \
             --listen 127.0.0.1:{port}"
        );
        let said = ok(at, &words(&line));
        assert!(said.contains("fingerprint"), "{said}");
    }
    let found = "roster found ph/card.note sg/card.note qa/card.note --threshold 2 \
                 --out roster.note --expires 2030-01-31 --group steering-group=sg,ph";
    ok(at, &words(found));
    let (code, _, err) = answer(at, &words(found));
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("exists already"), "{err}");
    assert!(ok(at, &words("card show --dir sg")).contains("sg, Society"));
    fs::rename(at.join("qa/keys/root.key"), at.join("offline.key")).unwrap();
    for (line, code, says) in [
        ("roster found sg/card.note sg/card.note --threshold 1 --out x", 2, "two of the cards"),
        ("roster found sg/card.note --threshold 1 --out x --expires 2020-01-31", 2, "2020-01-31"),
        ("roster sign roster.note --dir qa", 12, "--root-key FILE"),
        ("roster install roster.note --dir sg", 1, "not signed yet by ph, qa, sg"),
        ("status --dir sg", 3, "tutti serve --dir sg"),
    ] {
        let (found, _, err) = answer(at, &words(line));
        assert_eq!(found, code, "{line}: {err}");
        assert!(err.contains(says), "{line} does not say {says:?}: {err}");
    }
    fs::rename(at.join("offline.key"), at.join("qa/keys/root.key")).unwrap();
    let signed = ok(at, &words("roster sign roster.note --dir ph"));
    assert!(signed.contains("qa, sg"), "{signed}");
    let (code, _, err) = answer(at, &words("roster install roster.note --dir ph"));
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("Nothing was installed"), "{err}");
    ok(at, &words("roster sign roster.note --dir sg"));
    // The root key may be anywhere.
    fs::rename(at.join("qa/keys/root.key"), at.join("offline.key")).unwrap();
    ok(at, &words("roster sign roster.note --root-key offline.key"));
    ok(at, &words("roster install roster.note --dir ph"));
    let shown = ok(at, &words("roster show --dir ph --json"));
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["expires_on"], "2030-01-31");
    assert_eq!(shown["signed"], serde_json::json!(["ph", "qa", "sg"]));
    assert_eq!(shown["missing"], serde_json::json!([]));
    let groups = serde_json::json!([{"name": "steering-group", "members": ["ph", "sg"]}]);
    assert_eq!(shown["groups"], groups);
    let card = ok(at, &words("card show sg/card.note"));
    assert!(card.contains("sg, Society") && card.contains("127.0.0.1:7002"), "{card}");
}

/// Three societies with roster version 1, a threshold of 2, in ph, sg and qa.
fn founded(at: &Path) {
    for (code, port) in [("ph", "7001"), ("sg", "7002"), ("qa", "7003"), ("ke", "7004")] {
        let line = format!(
            "init --dir {code} --society {code} --name Society --federation m.example.org \
             --listen 127.0.0.1:{port}"
        );
        ok(at, &words(&line));
    }
    ok(
        at,
        &words(
            "roster found ph/card.note sg/card.note qa/card.note --threshold 2 --out roster.note",
        ),
    );
    for code in ["ph", "sg", "qa"] {
        ok(at, &words(&format!("roster sign roster.note --dir {code}")));
    }
    for code in ["ph", "sg", "qa"] {
        ok(at, &words(&format!("roster install roster.note --dir {code}")));
    }
}

#[test]
fn the_next_roster_is_made_signed_by_a_threshold_and_installed() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    founded(at);
    for (line, says) in [
        ("roster change --dir ph --out x", "nothing would change"),
        ("roster change --dir ph --out x --suspend ke", "ke is not in the roster"),
        ("roster change --dir ph --out x --add sg/card.note", "in the roster already"),
        ("roster change --dir ph --out x --suspend sg --remove sg", "only be one of"),
        ("roster change --dir ph --out x --role sg=boss", "no role"),
        ("roster change --dir ph --out x --threshold 4", "threshold"),
    ] {
        let (code, _, err) = answer(at, &words(line));
        assert!(code == 2 || code == 1, "{line}: {err}");
        assert!(err.contains(says), "{line} does not say {says:?}: {err}");
        assert!(!at.join("x").exists());
    }
    let change = "roster change --dir ph --out next.note --add ke/card.note --suspend qa \
                  --role sg=relay --relay-member-mib 128 --expires 2031-05-31 --json";
    let made: serde_json::Value = serde_json::from_str(&ok(at, &words(change))).unwrap();
    assert_eq!((&made["version"], &made["finished"]), (&2.into(), &false.into()));
    assert_eq!(made["relaying"]["member_mib"], 128);
    let shown = ok(at, &words("roster show next.note --dir sg"));
    for line in [
        "ke, Society, is taken in as member",
        "qa: status active becomes suspended",
        "sg: role member becomes relay",
        "MiB that a relay keeps of a member: 64 becomes 128",
    ] {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    let alone = ok(at, &words("roster show next.note"));
    assert!(alone.contains("--dir of a node"), "{alone}");
    let signed = ok(at, &words("roster sign next.note --dir ph"));
    assert!(signed.contains("1 of the 2 that version 1 asks for"), "{signed}");
    let (code, _, err) = answer(at, &words("roster install next.note --dir ph"));
    assert_eq!(code, 1, "{err}");
    let signed = ok(at, &words("roster sign next.note --dir sg"));
    assert!(signed.contains("All have signed who must"), "{signed}");
    // The suspended society installs it, too: it is the truth about it.
    for code in ["ph", "sg", "qa"] {
        ok(at, &words(&format!("roster install next.note --dir {code}")));
    }
    let shown: serde_json::Value =
        serde_json::from_str(&ok(at, &words("roster show --dir qa --json"))).unwrap();
    assert_eq!((&shown["version"], &shown["expires_on"]), (&2.into(), &"2031-05-31".into()));
    // What it is taken back by, is made of version 2.
    let back = ok(at, &words("roster change --dir sg --out third.note --reinstate qa"));
    assert!(back.contains("qa: status suspended becomes active"), "{back}");
}

#[test]
fn a_card_is_renewed_with_another_endpoint_and_with_new_keys() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    founded(at);
    let card = |file: &str| -> serde_json::Value {
        serde_json::from_str(&ok(at, &words(&format!("card show {file} --json")))).unwrap()
    };
    let before = card("sg/card.note");
    let config = at.join("sg/tutti.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[\"127.0.0.1:7002\"]", "[\"sg.example.org:7447\"]")).unwrap();
    ok(at, &words("card renew --dir sg"));
    let moved = card("sg/card.note");
    assert_eq!(moved["endpoints"], serde_json::json!(["sg.example.org:7447"]));
    assert_eq!(moved["tls_key"], before["tls_key"]);

    ok(at, &words("card renew --dir sg --new-key tls --new-key witness"));
    let (code, _, err) = answer(at, &words("card renew --dir sg --new-key tls"));
    assert!(code == 2 && err.contains("waits already"), "{err}");
    let renewed = card("sg/card-next.note");
    assert_ne!(renewed["tls_key"], before["tls_key"]);
    assert_ne!(renewed["witness_key"], before["witness_key"]);
    assert_eq!(renewed["root_key"], before["root_key"]);
    assert_eq!(card("sg/card.note"), moved, "the old one is in force");

    // What changes while the keys wait goes into the card that names them: a roster that names the old
    // ones is still to be taken.
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("sg.example.org:7447", "sg.example.org:7448")).unwrap();
    ok(at, &words("card renew --dir sg"));
    let again = card("sg/card-next.note");
    assert_eq!(again["endpoints"], serde_json::json!(["sg.example.org:7448"]));
    assert_eq!(again["tls_key"], renewed["tls_key"]);
    assert_eq!(card("sg/card.note"), moved);
    let renewed = again;

    let made = ok(at, &words("roster change --dir ph --out next.note --update sg/card-next.note"));
    for line in ["sg: reached at", "sg: another TLS key", "sg: another witness key"] {
        assert!(made.contains(line), "{line:?} is not in {made}");
    }
    assert!(!made.contains("another case key"), "{made}");
    for code in ["ph", "qa"] {
        ok(at, &words(&format!("roster sign next.note --dir {code}")));
    }
    for code in ["ph", "sg", "qa"] {
        ok(at, &words(&format!("roster install next.note --dir {code}")));
    }
    assert_eq!(card("sg/card.note"), renewed);
    assert!(!at.join("sg/card-next.note").exists());
    assert!(at.join("sg/keys/old/2-tls.key").exists() && !at.join("sg/keys/next/tls.key").exists());
    // Installing it once more changes nothing.
    ok(at, &words("roster install next.note --dir sg"));
    // A new root key: signed in by the old one.
    ok(at, &words("card renew --dir qa --new-key root"));
    ok(at, &words("roster change --dir ph --out third.note --update qa/card-next.note"));
    ok(at, &words("roster sign third.note --dir sg"));
    ok(at, &words("roster sign third.note --dir qa"));
    let signed = ok(at, &words("roster sign third.note --dir qa --root-key qa/keys/next/root.key"));
    assert!(signed.contains("All have signed who must"), "{signed}");
    ok(at, &words("roster install third.note --dir qa"));
    ok(at, &words("card show qa/card.note"));
}

/// What the society says of its desk goes onto its card, from there into the roster, and out again.
#[test]
fn a_desk_is_on_the_card_and_in_the_roster_until_the_card_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let init = |code: &str, desk: &[&str]| {
        let line =
            format!("init --dir {code} --society {code} --name Society --federation m.example.org");
        let mut said = words(&line);
        said.extend(desk.iter().flat_map(|line| ["--desk", *line]));
        answer(at, &said)
    };
    for (desk, says) in [
        (&["fax=1"][..], "name, telephone, email, other, hours, languages"),
        (&["telephone"][..], "FIELD=TEXT"),
        (&["telephone=+1"][..], "desk.name"),
        (&["name=Desk"][..], "desk.telephone"),
        (&["name=Desk", "other=\u{1b}[2J"][..], "desk.other"),
    ] {
        let (code, _, err) = init("ph", desk);
        assert_eq!(code, 2, "{desk:?}: {err}");
        assert!(err.contains(says) && !err.contains('\u{1b}'), "{desk:?}: {err}");
        assert!(!at.join("ph").exists(), "nothing was made");
    }
    let (code, said, err) = init("ph", &["name=Migration desk", "email=desk@ph.example.org"]);
    assert!(code == 0 && said.contains("Migration desk; desk@ph.example.org"), "{said}{err}");
    assert_eq!(init("sg", &[]).0, 0);
    let json =
        |line: &str| -> serde_json::Value { serde_json::from_str(&ok(at, &words(line))).unwrap() };
    let desk = serde_json::json!({
        "name": "Migration desk", "telephone": "", "email": "desk@ph.example.org",
        "other": "", "hours": "", "languages": "",
    });
    assert_eq!(json("card show ph/card.note --json")["desk"], desk);
    assert!(json("card show sg/card.note --json")["desk"].is_null());
    ok(at, &words("roster found ph/card.note sg/card.note --threshold 1 --out roster.note"));
    for line in
        ["sign roster.note --dir ph", "sign roster.note --dir sg", "install roster.note --dir sg"]
    {
        ok(at, &words(&format!("roster {line}")));
    }
    let members = json("roster show --dir sg --json")["members"].clone();
    assert_eq!((&members[0]["desk"], &members[1]["desk"]), (&desk, &serde_json::Value::Null));
    let shown = ok(at, &words("roster show --dir sg"));
    let lines = "Desk of ph: Migration desk; desk@ph.example.org\nNo desk is known of sg";
    assert!(shown.contains(lines), "{shown}");

    let config = at.join("ph/tutti.toml");
    let text = fs::read_to_string(&config).unwrap();
    let none =
        text.replace("\"Migration desk\"", "\"\"").replace("\"desk@ph.example.org\"", "\"\"");
    fs::write(&config, none).unwrap();
    assert!(ok(at, &words("card renew --dir ph")).contains("desk         none"));
    let made = ok(at, &words("roster change --dir sg --out next.note --update ph/card.note"));
    let line = "ph: desk “Migration desk; desk@ph.example.org” becomes none";
    assert!(made.contains(line), "{made}");
}

#[test]
fn keys_under_a_passphrase_open_with_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::write(at.join("pass"), "correct horse\n").unwrap();
    fs::write(at.join("other"), "wrong horse\n").unwrap();
    let init = "init --dir sg --society sg --name S --federation m.org --passphrase-file pass";
    ok(at, &words(init));
    ok(at, &words("roster found sg/card.note --threshold 1 --out roster.note"));
    let sign = |rest: &str| answer(at, &words(&format!("roster sign roster.note --dir sg{rest}")));
    let (code, _, err) = sign("");
    assert_eq!(code, 12, "{err}");
    assert!(err.contains("--passphrase-file"), "{err}");
    assert_eq!(sign(" --passphrase-file other").0, 12);
    assert_eq!(sign(" --passphrase-file pass").0, 0);
}

#[test]
fn templates_and_completions_are_written_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["referral", "information"] {
        let template = ok(dir.path(), &[kind, "template"]);
        toml::from_str::<toml::Table>(&template).unwrap();
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(dir.path(), &["completions", shell]).contains("tutti"), "{shell}");
    }
}
