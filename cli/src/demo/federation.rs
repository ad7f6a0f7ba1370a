//! Founding: keys and cards, the roster, its signatures.

use std::net::TcpListener;

use super::account::{Account, SOCIETIES};
use crate::failure::{Exit, Failure};

/// The federation's name.
pub(super) const NAME: &str = "migrants.example.org";

/// Makes three societies and has all sign and install one roster.
pub(super) fn found(account: &Account) -> Result<(), Failure> {
    account.step("Three societies found a federation");
    let ports = free_ports()?;
    let roster = account.dir().join("roster.note").display().to_string();
    let dirs = SOCIETIES.map(|(code, ..)| account.node(code).display().to_string());
    let cards = dirs.clone().map(|dir| format!("{dir}/card.note"));
    for (((code, name, _), dir), port) in SOCIETIES.iter().zip(&dirs).zip(ports) {
        let listen = format!("127.0.0.1:{port}");
        let email = format!("email=migration.desk@{code}.example.org");
        let words = [
            "init",
            "--dir",
            dir,
            "--society",
            code,
            "--name",
            name,
            "--federation",
            NAME,
            "--listen",
            &listen,
            "--desk",
            "name=Migration desk",
            "--desk",
            &email,
        ];
        account.command(&words, 0)?;
    }
    let [ph, sg, qa] = &cards;
    let found = ["roster", "found", ph, sg, qa, "--threshold", "2", "--out", &roster];
    account.command(&found, 0)?;
    for dir in &dirs {
        account.command(&["roster", "sign", &roster, "--dir", dir], 1)?;
    }
    for dir in &dirs {
        account.command(&["roster", "install", &roster, "--dir", dir], 0)?;
    }
    account.checked(
        "Each has its own keys; all three have signed one roster, which says whose keys are whose.",
    );
    Ok(())
}

/// Ports that are free now. All are held until all are known, so that they differ.
fn free_ports() -> Result<[u16; 3], Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::AddressInUse, format!("no free port on this machine: {error}"))
    };
    let mut ports = [0; 3];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        held.push(listener);
    }
    Ok(ports)
}
