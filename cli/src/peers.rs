//! `tutti peers`: the other nodes, as this one sees them.

use clap::Args;
use tutti_proto::node::v1::{Peer, PeersRequest};

use crate::{
    desk,
    failure::{Exit, Outcome},
    json,
    node::{self, Asked},
    screen::{Style, paint, say, table},
    text, time,
};

/// Show the other nodes: which are connected, since when, what ended the last link, and how to reach
/// each society's referral desk.
#[derive(Args)]
pub(crate) struct Peers {
    #[command(flatten)]
    asked: Asked,
}

impl Peers {
    pub(crate) fn run(self) -> Outcome {
        let answer = node::block_on(async {
            let node = self.asked.node.connect().await?;
            node::ask(node.node().peers(PeersRequest {})).await
        })?;
        match self.asked.json {
            true => json::print(&json::Peers::from(&answer)),
            false => {
                say(describe(&answer.peers));
                let desks =
                    answer.peers.iter().filter_map(|peer| Some((peer, peer.desk.as_ref()?)));
                for (peer, desk) in desks {
                    say(format!("Desk of {}: {}", text::line(&peer.society), desk::line(desk)));
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// A table of peers.
pub(crate) fn describe(peers: &[Peer]) -> String {
    if peers.is_empty() {
        return "No other society is in the roster.".to_owned();
    }
    let now = time::now_ms();
    let row = |peer: &Peer| {
        let (state, since) = match (peer.connected, peer.since_ms) {
            (true, since) => (peer.link.clone(), time::short(since)),
            (false, 0) => ("away".to_owned(), String::new()),
            (false, since) => ("away".to_owned(), time::short(since)),
        };
        let heard = match peer.last_heard_ms {
            0 => "never".to_owned(),
            at => format!("{} ago", time::span(at, now)),
        };
        let trip = match peer.round_trip_us {
            0 => String::new(),
            1..100 => "< 0.1 ms".to_owned(),
            us => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        };
        vec![peer.society.clone(), peer.name.clone(), state, since, heard, trip]
    };
    let headings = ["peer", "name", "link", "since", "last heard", "round trip"];
    let mut lines = vec![table(&headings, peers.iter().map(row))];
    let away = peers.iter().filter(|peer| !peer.connected && !peer.last_error.is_empty());
    lines.extend(away.map(|peer| {
        let why =
            format!("{} is away: {}", text::line(&peer.society), text::line(&peer.last_error));
        paint(Style::Warn, why)
    }));
    lines.join("\n")
}
