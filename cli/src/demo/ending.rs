//! The end: a picture of the federation, and commands to try.

use super::{
    account::{Account, SOCIETIES},
    nodes::Nodes,
};
use crate::{
    failure::Failure,
    referral::short,
    screen::{Style, paint, say, table},
};

const LINKS: &str = "
        ph  Philippine Red Cross
       ╱  ╲
      ╱    ╲        each with each: mutual TLS 1.3, one stream a pair
     ╱      ╲
   sg ────── qa  Qatar Red Crescent Society
   Singapore Red Cross";

/// Who holds which log up to where, witnessed by whom.
pub(super) async fn picture(account: &Account, nodes: &Nodes) -> Result<(), Failure> {
    account.step("The federation as it stands");
    say(format!("{}\n", LINKS.trim_start_matches('\n')));
    let mut held = Vec::new();
    for (society, ..) in SOCIETIES {
        held.push(nodes.logs(society).await?);
    }
    let mut rows = Vec::new();
    for (society, ..) in SOCIETIES {
        let mut row = vec![format!("of {society}")];
        let mut witnesses = Vec::new();
        for ((holder, ..), logs) in SOCIETIES.iter().zip(&held) {
            let log = logs.iter().find(|log| log.society == society);
            let size = log.map_or(0, |log| log.size);
            row.push(if *holder == society {
                format!("{size}, its own")
            } else {
                size.to_string()
            });
            if *holder == society {
                witnesses = log.map(|log| log.witnesses.clone()).unwrap_or_default();
            }
        }
        row.push(witnesses.join(" and "));
        row.push(match society {
            "qa" => "every member".to_owned(),
            _ => "ph and sg".to_owned(),
        });
        rows.push(row);
    }
    let headings = ["log", "entries at ph", "at sg", "at qa", "witnessed by", "read by"];
    let shown = table(&headings, rows);
    say(shown.lines().map(|line| format!("   {line}\n")).collect::<String>());
    for (society, ..) in SOCIETIES {
        let status = nodes.status(society).await?;
        let what = format!("{society}: writing, with {} warnings.", status.warnings.len());
        if status.mode != "writing" || !status.warnings.is_empty() {
            let seen = format!("{}: {}", status.mode, status.warnings.join("; "));
            return Err(account.failed(&format!("the node of {society} is well"), &seen));
        }
        account.checked(&what.replace("0 warnings", "nothing to warn of"));
    }
    Ok(())
}

/// Ten commands that work as they are printed.
pub(super) fn suggest(account: &Account, referral: &str, share: &str) {
    let dir = |society: &str| account.node(society).display().to_string();
    let path = |name: &str| account.dir().join(name).display().to_string();
    let [ph, sg, qa] = SOCIETIES.map(|(society, ..)| dir(society));
    let (form, out) = (path("last-mile.toml"), path("sg-from-qa"));
    let (referral, share) = (short(referral), short(share));
    let commands = [
        ("how the node of Singapore does", account.typed(&["status", "--dir", &sg])),
        (
            "what is left of the case at the Philippines: what happened, without the person",
            account.typed(&["referral", "show", referral, "--content", "--dir", &ph]),
        ),
        ("the same in Qatar: nothing", account.typed(&["referral", "list", "--dir", &qa])),
        (
            "and yet Qatar holds Singapore's log",
            account.typed(&["log", "show", "--of", "sg", "--dir", &qa]),
        ),
        (
            "what Qatar told the others",
            account.typed(&["information", "show", share, "--dir", &ph]),
        ),
        ("the form, to be filled in", account.typed(&["referral", "template"])),
        (
            "send one that is filled in",
            account.typed(&["referral", "send", "--to", "ph", "--file", &form, "--dir", &sg]),
        ),
        ("it has arrived", account.typed(&["referral", "list", "--received", "--dir", &ph])),
        (
            "Singapore's log out of Qatar's hands",
            account.typed(&["log", "export", "--of", "sg", "--dir", &qa, "--out", &out]),
        ),
        ("and whether it is sound", account.typed(&["audit", &out])),
    ];
    say(format!("\n{}", paint(Style::Bold, "The nodes are up. In another terminal, try:")));
    for (what, command) in commands {
        say(format!("\n   {}\n   {command}", paint(Style::Dim, format!("# {what}"))));
    }
    say(format!("\n{}", paint(Style::Bold, "Ctrl-C here stops the nodes.")));
}
