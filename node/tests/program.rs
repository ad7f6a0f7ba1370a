//! `tutti-node` as a process: what it says before there is a node, and with which exit code.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn node(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tutti-node"))
        .args(arguments)
        .env_remove("TUTTI_DIR")
        .output()
        .unwrap()
}

#[test]
fn wrong_use_and_a_missing_node_have_their_codes_and_say_what_to_do() {
    let output = node(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: tutti-node"));
    assert_eq!(node(&["--what"]).status.code(), Some(2));
    assert_eq!(node(&["--dir"]).status.code(), Some(2));

    let dir = tempfile::tempdir().unwrap();
    let output = node(&["--dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(14));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("tutti.toml is missing") && text.contains("tutti init"), "{text}");

    let output = node(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("tutti-node "));
}
