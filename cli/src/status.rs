//! `tutti status`: how the node does, and what a person should look at.

use clap::Args;
use tutti_proto::node::v1::{LogStatus, RelayShare, RelayStatus, StatusRequest, StatusResponse};

use crate::{
    failure::{Exit, Outcome},
    json,
    node::{self, Asked},
    peers,
    screen::{Style, fields, paint, say, table},
    text, time,
};

/// Show how the node does: its logs, its peers, what is overdue, and what to look at.
#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    asked: Asked,
}

impl Status {
    pub(crate) fn run(self) -> Outcome {
        let status = node::block_on(async {
            let node = self.asked.node.connect().await?;
            node::ask(node.node().status(StatusRequest {})).await
        })?;
        match self.asked.json {
            true => json::print(&json::Status::from(&status)),
            false => say(describe(&status)),
        }
        Ok(Exit::Ok)
    }
}

fn describe(status: &StatusResponse) -> String {
    let mode = match status.mode.as_str() {
        "writing" => paint(Style::Good, "writing"),
        other => paint(Style::Bad, text::line(other)),
    };
    let referrals = match status.referrals.values().sum::<u64>() {
        0 => "none yet".to_owned(),
        _ => {
            let mut counts: Vec<_> =
                status.referrals.iter().filter(|(_, count)| **count > 0).collect();
            counts.sort();
            let each = counts.iter().map(|(state, count)| format!("{count} {state}"));
            each.collect::<Vec<_>>().join(", ")
        }
    };
    let theirs = status.waiting.iter().filter(|waiting| waiting.on == "other_society");
    let theirs: u64 = theirs.map(|waiting| waiting.overdue).sum();
    let overdue = match (status.overdue, theirs) {
        (0, _) => String::new(),
        (count, 0) => format!("{count}: tutti referral list shows them first"),
        (count, theirs) => format!(
            "{count}, {theirs} of them at other societies: tutti referral list --overdue says whom to \
             call there"
        ),
    };
    let unstopped = match status.unstopped {
        0 => String::new(),
        count => format!(
            "{count}, of cases that the person has taken back: tutti referral list says which; ask them"
        ),
    };
    let head = fields([
        ("society", format!("{}, {}", status.society, status.name)),
        ("federation", status.federation.clone()),
        ("roster", format!("version {}, expires {}", status.roster_version, status.roster_expires)),
        ("running", format!("{} since {}", status.version, time::local(status.started_at_ms))),
        ("listening", status.listen.clone()),
        ("referrals", referrals),
        ("overdue", overdue),
        ("not stopped", unstopped),
    ]);
    let mut parts = vec![format!("{}  {mode}", paint(Style::Bold, "mode")), head];
    if let Some(relay) = &status.relay {
        parts.push(relaying(relay));
    }
    if !status.logs.is_empty() {
        parts.push(logs(&status.logs));
    }
    parts.push(peers::describe(&status.peers));
    if !status.warnings.is_empty() {
        let lines: Vec<String> = status
            .warnings
            .iter()
            .map(|warning| paint(Style::Warn, format!("! {}", text::line(warning))))
            .collect();
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

/// What is kept for others.
fn relaying(relay: &RelayStatus) -> String {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1u32 << 20));
    let oldest = match relay.oldest_since_ms {
        0 => "nothing is kept".to_owned(),
        since => format!("since {}", time::local(since)),
    };
    let head = fields([
        ("relay keeps", format!("{} of {}", mib(relay.bytes), mib(relay.bytes_max))),
        ("oldest", format!("{oldest}; at most {} days", relay.keep_days)),
        ("refused", format!("{} offers since the start", relay.refused)),
    ]);
    if relay.shares.is_empty() {
        return head;
    }
    let row = |share: &RelayShare| {
        vec![
            share.society.clone(),
            share.entries.to_string(),
            format!("{} of {}", mib(share.bytes), mib(relay.member_bytes_max)),
        ]
    };
    format!("{head}\n\n{}", table(&["kept of", "entries", "bytes"], relay.shares.iter().map(row)))
}

/// The logs that a node holds.
pub(crate) fn logs(logs: &[LogStatus]) -> String {
    let row = |log: &LogStatus| {
        let held = match (log.forked, log.size < log.head_size) {
            (true, _) => format!("{}, FORKED", log.size),
            (false, _) if !log.doubted.is_empty() => format!("{}, in doubt", log.size),
            (false, true) => format!("{} of {}", log.size, log.head_size),
            (false, false) => log.size.to_string(),
        };
        let witnesses = match log.witnesses.is_empty() {
            true => "nobody yet".to_owned(),
            false => log.witnesses.join(", "),
        };
        let root = hex::encode(log.root.get(..8).unwrap_or(&log.root));
        vec![log.origin.clone(), held, witnesses, root]
    };
    table(&["log", "entries", "newest head witnessed by", "root"], logs.iter().map(row))
}
