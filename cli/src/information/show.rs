//! `tutti information show`.

use clap::Args;
use tutti_core::referral::codes;
use tutti_proto::{
    node::v1::{GetInformationRequest, InformationShare, InformationState},
    v1,
};

use super::resolve;
use crate::{
    failure::{Exit, Outcome},
    json, names,
    node::{self, NodeArgs},
    referral::id_or_prefix,
    screen::{Style, fields, paint, say, text_width},
    text, time,
};

/// Show one share, in all its languages.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The share's id, or its first characters.
    #[arg(value_name = "ID", value_parser = id_or_prefix)]
    id: String,
    #[command(flatten)]
    node: NodeArgs,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let request = GetInformationRequest { id: resolve(&self.id, &node).await? };
        let share = node::ask(node.information().get(request)).await?;
        match self.json {
            true => json::print(&json::Share::from(&share)),
            false => say(describe(&share)),
        }
        Ok(Exit::Ok)
    }
}

fn describe(share: &InformationShare) -> String {
    let version = share.version.clone().unwrap_or_default();
    let mut parts = vec![paint(Style::Bold, format!("Information {}", text::line(&share.id)))];
    if share.state() == InformationState::Retracted {
        let reason = text::line(&share.retraction_reason);
        parts.push(paint(Style::Bad, format!("RETRACTED: {reason}")));
    }
    let state = format!(
        "{}, version {}, changed {}",
        names::information_state(share.state()),
        share.version_number,
        time::local(share.changed_at_ms)
    );
    parts.push(fields([
        ("by", share.society.clone()),
        ("kind", codes::name::<v1::InformationKind>(version.kind).to_owned()),
        ("state", state),
        ("to be read by", names::visibility(share.visibility()).to_owned()),
        ("for", codes::name::<v1::Audience>(version.audience).to_owned()),
        ("severity", codes::name::<v1::Severity>(version.severity).to_owned()),
        ("checked", codes::name::<v1::Verification>(version.verification).to_owned()),
        ("countries", version.countries.join(", ")),
        ("jurisdiction", version.jurisdiction.clone()),
        ("law", version.legal_reference.clone()),
        ("in force from", version.effective_on.clone()),
        ("until", version.expires_on.clone()),
        ("source", version.source_url.clone()),
    ]));
    parts.extend(version.texts.iter().map(local_text));
    parts.join("\n\n")
}

fn local_text(text: &v1::LocalText) -> String {
    let title = format!("{} ({})", text::line(&text.title), text::line(&text.language));
    let mut lines = vec![paint(Style::Bold, title)];
    for part in [&text.summary, &text.text] {
        if !part.is_empty() {
            lines.push(text::wrap(&text::block(part, ""), "  │ ", text_width()));
        }
    }
    lines.join("\n")
}
