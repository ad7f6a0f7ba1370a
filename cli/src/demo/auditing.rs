//! Each log exported and audited, with its audit key and without; a proof made and verified; and
//! one byte changed, so that the audit is seen to find it.

use std::{fs, path::Path};

use serde_json::Value;

use super::account::{Account, SOCIETIES};
use crate::{failure::Failure, text};

/// Exports, audits, proves.
pub(super) fn check(account: &Account) -> Result<(), Failure> {
    account.step("Every log is exported to plain files and audited");
    for (society, ..) in SOCIETIES {
        let dir = account.node(society).display().to_string();
        let out = export(account, society);
        account.command(&["log", "export", "--dir", &dir, "--out", &out], 1)?;
        let without = audit(account, &["audit", &out, "--json"], 0)?;
        let key = account.node(society).join("keys").join("audit.key").display().to_string();
        let with = audit(account, &["audit", &out, "--key", &key, "--json"], 0)?;
        sound(account, society, &without, &with)?;
    }
    together(account)?;
    other_copy(account)?;
    altered(account)?;
    proof(account)
}

fn export(account: &Account, name: &str) -> String {
    account.dir().join("export").join(name).display().to_string()
}

/// Runs an audit that must exit with `code`; its report.
fn audit(account: &Account, words: &[&str], code: i32) -> Result<Value, Failure> {
    let output = account.run(words)?;
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    if output.status.code() != Some(code) {
        let what = format!("tutti {} exits with {code}", words.join(" "));
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(account.failed(&what, &format!("{}\n{said}{report:#}", output.status)));
    }
    Ok(report)
}

fn sound(account: &Account, society: &str, without: &Value, with: &Value) -> Result<(), Failure> {
    let number = |report: &Value, path: &str| {
        report.pointer(path).and_then(Value::as_u64).unwrap_or_default()
    };
    let entries = number(without, "/entries");
    let sealed = society != "qa";
    let holds = entries > 0
        && number(without, "/size") == entries
        && without.pointer("/witnesses").and_then(Value::as_array).is_some_and(|w| w.len() == 2)
        && number(with, "/records/opened") == entries
        && (number(without, "/records/sealed") == entries) == sealed;
    let said = match sealed {
        true => format!(
            "the log of {society} is sound: {entries} entries, witnessed by both others. Without \
             a key no record is read; with the audit key all {entries} are, and no step is illegal \
             as far as this one log can tell."
        ),
        false => format!(
            "the log of {society} is sound: {entries} entr{}, witnessed by both others, and \
             readable by every member.",
            text::ies(entries)
        ),
    };
    if !holds {
        return Err(account.failed(&said, &format!("without a key: {without:#}\nwith: {with:#}")));
    }
    account.checked(&said);
    Ok(())
}

/// Both sides' logs judged together, with a page to read.
fn together(account: &Account) -> Result<(), Failure> {
    let key = account.node("sg").join("keys").join("audit.key").display().to_string();
    let [sg, ph, page] = ["sg", "ph", "audit.html"].map(|name| export(account, name));
    let words = ["audit", &sg, &ph, "--key", &key, "--report", &page, "--json"];
    let report = audit(account, &words, 0)?;
    let number = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    let whole = number("/process/whole");
    let judged = whole > 0 && whole == number("/process/referrals");
    account.check(
        judged && Path::new(&page).exists(),
        "Both sides' logs together: every step, each disclosed field against the person's consent, \
         every deadline, and no content opened. The page is export/audit.html.",
    )
}

/// Singapore's log as Qatar holds it is Singapore's log.
fn other_copy(account: &Account) -> Result<(), Failure> {
    let qa = account.node("qa").display().to_string();
    let out = export(account, "sg-held-by-qa");
    account.command(&["log", "export", "--of", "sg", "--dir", &qa, "--out", &out], 1)?;
    let own = audit(account, &["audit", &export(account, "sg"), "--json"], 0)?;
    let copy = audit(account, &["audit", &out, "--json"], 0)?;
    let same = own.pointer("/root").is_some() && own.pointer("/root") == copy.pointer("/root");
    let unread = copy.pointer("/bodies/present").and_then(Value::as_u64) == Some(0);
    account.check(
        same && unread,
        "Singapore's log as Qatar holds it has the very same root, and no body: Singapore cannot \
         rewrite it unseen.",
    )
}

/// One byte of one sealed body changed.
fn altered(account: &Account) -> Result<(), Failure> {
    let (from, to) = (export(account, "sg"), export(account, "sg-altered"));
    copy(Path::new(&from), Path::new(&to))?;
    let bodies = Path::new(&to).join("bodies");
    let failed = |error: std::io::Error| Failure::io(&bodies, &error);
    let body = fs::read_dir(&bodies).map_err(failed)?.next().transpose().map_err(failed)?;
    if let Some(body) = body {
        let mut bytes = fs::read(body.path()).map_err(failed)?;
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        fs::write(body.path(), bytes).map_err(failed)?;
    }
    let report = audit(account, &["audit", &to, "--json"], 1)?;
    let found = report.pointer("/counts/body-altered").and_then(Value::as_u64) == Some(1);
    account.check(found, "In a copy with one byte changed, the audit names that body (exit 1).")
}

fn proof(account: &Account) -> Result<(), Failure> {
    let [sg, ph] = ["sg", "ph"].map(|society| account.node(society).display().to_string());
    let file = export(account, "sg-0.proof");
    account.command(&["log", "prove", "0", "--dir", &sg, "--out", &file], 0)?;
    account.command(&["proof", "verify", &file, "--dir", &ph], 1)?;
    account.checked("Anybody with the roster can check that one entry, without any node.");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io(from, &error);
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        match entry.file_type().map_err(failed)?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => {
                fs::copy(entry.path(), target).map_err(failed)?;
            }
        }
    }
    Ok(())
}
