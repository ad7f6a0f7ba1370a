#![allow(clippy::unwrap_used)]

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _};

use super::*;

fn node() -> NewNode {
    NewNode {
        society: "sg".parse().unwrap(),
        name: "Singapore \"Red\" Cross".into(),
        federation: "migrants.example.org".into(),
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 7447))),
        endpoints: vec!["sg.example.org:7447".into(), "[2001:db8::1]:7447".into()],
        api_listen: None,
        metrics_listen: None,
        desk: None,
    }
}

fn with(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    Config::create(dir.path(), &node()).unwrap();
    Config::load_with(dir.path(), environment.iter().map(|(k, v)| (k.to_string(), v.to_string())))
}

#[test]
fn what_is_created_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("new/node");
    let made = Config::create(&home, &node()).unwrap();
    assert_eq!(Config::load_with(&home, []).unwrap(), made);
    assert_eq!(made.name, "Singapore \"Red\" Cross");
    assert_eq!(made.origin.as_str(), "migrants.example.org/sg/1");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&home), mode(&home.join(FILE))), (0o700, 0o600));
    assert!(matches!(Config::create(&home, &node()), Err(ConfigError::Exists(_))));
}

#[test]
fn the_environment_overrides() {
    let config = with(&[
        ("TUTTI_PEERS_LISTEN", ""),
        ("TUTTI_PEERS_ENDPOINTS", "a.org:1, b.org:2"),
        ("TUTTI_API_LISTEN", "0.0.0.0:7448"),
        ("TUTTI_METRICS_LISTEN", "[::1]:9447"),
        ("TUTTI_LOG_FORMAT", "json"),
        ("TUTTI_DRAFTS_KEEP_DAYS", "7"),
        ("TUTTI_PASSPHRASE_FILE", "/run/secret"),
        ("TUTTI_DIR", "ignored here"),
    ])
    .unwrap();
    assert_eq!(config.listen, None);
    assert_eq!(config.endpoints, ["a.org:1", "b.org:2"]);
    assert_eq!(config.api.unwrap().to_string(), "0.0.0.0:7448");
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!((config.draft_days, with(&[]).unwrap().draft_days), (7, 30));
    assert_eq!(config.passphrase_file.unwrap(), Path::new("/run/secret"));
}

#[test]
fn each_error_names_the_key_the_value_and_the_fix() {
    for (name, value, fix) in [
        ("TUTTI_PEERS_LISTEN", "7447", "0.0.0.0:7447"),
        ("TUTTI_PEERS_ENDPOINTS", "sg.example.org", "tutti.example.org:7447"),
        ("TUTTI_METRICS_LISTEN", "0.0.0.0:9447", "127.0.0.1:9447"),
        ("TUTTI_DRAFTS_KEEP_DAYS", "0", "365"),
        ("TUTTI_LOG_FORMAT", "xml", "\"json\""),
        ("TUTTI_LOG_FILTER", "=,=", "\"info\""),
    ] {
        let text = with(&[(name, value)]).unwrap_err().to_string();
        for part in [name, value, fix] {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }
    let text = with(&[("TUTTI_PEERS_LISTN", "")]).unwrap_err().to_string();
    assert!(text.contains("TUTTI_PEERS_LISTEN"), "{text}");
    // What others are told stands in the file alone.
    assert!(with(&[("TUTTI_DESK_NAME", "Desk")]).is_err());
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Config::load_with(dir.path(), []), Err(ConfigError::Missing(_))));
    Config::create(dir.path(), &node()).unwrap();
    let path = dir.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap().replace("[peers]", "[peers]\nlistne = 1");
    fs::write(&path, text).unwrap();
    let error = Config::load_with(dir.path(), []).unwrap_err().to_string();
    assert!(error.contains("listne") && error.contains("tutti.toml"), "{error}");
}

#[test]
fn a_desk_is_written_checked_and_read_back() {
    let desk = Desk {
        name: "Migration \"desk\"".into(),
        telephone: "+65 6664 0500".into(),
        hours: "Mon–Fri 9:00–18:00 (UTC+8)".into(),
        ..Desk::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let with = NewNode { desk: Some(desk.clone()), ..node() };
    assert_eq!(Config::create(dir.path(), &with).unwrap().desk, Some(desk.clone()));
    assert_eq!(Config::load_with(dir.path(), []).unwrap().desk, Some(desk));
    // Without one there is a place for it.
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Config::create(dir.path(), &node()).unwrap().desk, None);
    let path = dir.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\n[desk]\n") && text.contains("\ntelephone = \"\"\n"), "{text}");
    // A file of before has no such section.
    let (before, rest) = text.split_once("[desk]").unwrap();
    fs::write(&path, format!("{before}{}", &rest[rest.find("[api]").unwrap()..])).unwrap();
    assert_eq!(Config::load_with(dir.path(), []).unwrap().desk, None);
    for (line, key) in [
        ("telephone = \"1\"", "desk.name"),
        ("name = \"Desk\"", "desk.telephone"),
        ("name = \"Desk\"\ntelephone = \"1\\n2\"", "desk.telephone"),
        ("fax = \"1\"", "fax"),
    ] {
        fs::write(&path, format!("{before}[desk]\n{line}\n")).unwrap();
        let error = Config::load_with(dir.path(), []).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("tutti.toml"), "{line}: {error}");
    }
}
