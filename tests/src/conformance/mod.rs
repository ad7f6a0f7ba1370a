//! Conformance vectors: what every implementation must read alike, and what it must refuse.
//!
//! `tests/conformance/*.json` are frozen: to change one is to change the protocol's version. Each
//! test makes its vectors anew from seeds and compares them with the file, then runs every case of
//! the *file* through the code. With `TUTTI_FREEZE=1` the files are written instead.

mod attachment;
mod body;
mod entry;
mod foreign;
mod head;
mod mutations;
mod padding;
mod proof;
mod purposes;
mod roster;
mod routing;
mod scope;
mod tiles;

use std::{fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};

use crate::seeds;

/// One page of vectors.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Page<C, K = ()> {
    /// What the cases are, and how to read them.
    about: String,
    /// Keys and the like that all cases share.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<K>,
    cases: Vec<C>,
}

/// Compares the vectors with the frozen file, and gives what the file holds.
fn frozen<C, K>(name: &str, page: &Page<C, K>) -> Page<C, K>
where
    C: Serialize + DeserializeOwned,
    K: Serialize + DeserializeOwned,
{
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(name);
    let made = serde_json::to_string_pretty(page).unwrap() + "\n";
    if std::env::var_os("TUTTI_FREEZE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let held = fs::read_to_string(&path).unwrap();
    assert!(made == held, "{name} is not what the code makes: a vector is frozen");
    serde_json::from_str(&held).unwrap()
}

/// A case: what must be read, or refused by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Valid,
    Refuse,
}

/// Checks a case: refused where it must be, and by the rule that it names.
fn expect<T, E: std::fmt::Display>(
    name: &str,
    expect: Expect,
    reason: &str,
    result: Result<T, E>,
) -> Option<T> {
    match (expect, result) {
        (Expect::Valid, Ok(value)) => Some(value),
        (Expect::Refuse, Err(error)) => {
            let error = error.to_string();
            assert!(error.contains(reason) && !reason.is_empty(), "{name}: {reason}: {error}");
            None
        }
        (Expect::Valid, Err(error)) => panic!("{name}: must be read: {error}"),
        (Expect::Refuse, Ok(_)) => panic!("{name}: must be refused: {reason}"),
    }
}
