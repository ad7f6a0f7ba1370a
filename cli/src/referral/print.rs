//! `tutti referral print`.

use std::path::PathBuf;

use clap::Args;
use tutti_core::referral::copy::{self, Copy, Erased};
use tutti_proto::node::v1::{GetReferralRequest, PeersRequest, StatusRequest};

use super::IdArg;
use crate::{
    failure::{Exit, Outcome},
    files, names,
    node::{self, NodeArgs},
    screen::say,
    time,
};

/// Make the person's own copy of a referral: a page to print, or to show on a screen.
///
/// It says what was passed on, to whom, why, until when, and how to take consent back. It is HTML
/// that every browser opens and prints (there also as PDF), in whatever scripts the case is written.
/// It opens the case, and that is recorded like any other reading. Give it to the person and delete
/// the file.
#[derive(Debug, Args)]
pub(crate) struct Print {
    #[command(flatten)]
    id: IdArg,
    /// A new file for the page; if not given, it goes to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

impl Print {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let id = self.id.resolve(&node).await?;
        let request = GetReferralRequest {
            id,
            with_content: true,
            purpose: "print".into(),
            ..GetReferralRequest::default()
        };
        let referral = node::ask(node.referrals().get(request)).await?;
        // Who may not see how the node does is shown the societies' codes.
        let status = node::ask(node.node().status(StatusRequest {})).await.ok();
        let peers = node::ask(node.node().peers(PeersRequest {})).await.ok();
        let peers = peers.map(|peers| peers.peers).unwrap_or_default();
        let name = |code: &str| {
            let own = status.iter().find(|status| status.society == code);
            let peer =
                || peers.iter().find(|peer| peer.society == code).map(|peer| peer.name.clone());
            own.map(|status| status.name.clone())
                .or_else(peer)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| code.to_uppercase())
        };
        let with_note = referral.events.iter().filter(|event| !event.note.is_empty());
        let notes: Vec<(String, u64, String)> = with_note
            .map(|event| (name(&event.society), event.recorded_at_ms / 1000, event.note.clone()))
            .collect();
        let onward: Vec<String> = referral
            .events
            .iter()
            .filter(|event| event.transition == "onward")
            .map(|event| name(&event.code))
            .collect();
        let erased = referral.erasure.as_ref().map(|erasure| {
            let sides = |confirmed: bool| {
                let sides = erasure.confirmations.iter().filter(|side| side.confirmed == confirmed);
                sides.map(|side| name(&side.society)).collect()
            };
            Erased { confirmed: sides(true), open: sides(false) }
        });
        // After a reopening the case is there again.
        let erased = erased.filter(|_| referral.content.is_none());
        let sent = referral.sent.clone().unwrap_or_default();
        let page = copy::html(&Copy {
            id: &referral.id,
            sender: &name(&referral.sender),
            receiver: &name(&referral.receiver),
            sent: &sent,
            sent_at: referral.sent_at_ms / 1000,
            state: &names::referral_state(referral.state()).replace('_', " "),
            content: referral.content.as_ref(),
            notes: &notes,
            consent: referral.consent.as_ref(),
            onward: &onward,
            kept_until: referral.retained_until_ms / 1000,
            erased: erased.as_ref(),
            made_at: time::now_ms() / 1000,
        });
        match &self.out {
            None => say(page.trim_end()),
            Some(file) => {
                files::write_private(file, page.as_bytes())?;
                say(format!(
                    "The person's copy is in {}. Print it, give it to the person, and delete the file.",
                    file.display()
                ));
            }
        }
        Ok(Exit::Ok)
    }
}
