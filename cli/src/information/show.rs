//! `tutti information show`.

use clap::Args;
use tutti_core::referral::codes;
use tutti_proto::{
    node::v1::{GetInformationRequest, InformationResponse, InformationShare, InformationState},
    v1,
};

use super::resolve;
use crate::{
    failure::{Exit, Outcome},
    json, names,
    node::Asked,
    pages,
    referral::id_or_prefix,
    screen::{Style, fields, paint, say, text_width},
    text, time,
};

/// Show one share in all its languages and translations, and what others say to it.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The share's id, or its first characters.
    #[arg(value_name = "ID", value_parser = id_or_prefix)]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

impl Show {
    pub(super) async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let id = resolve(&self.id, &node).await?;
        let request = GetInformationRequest { id, ..GetInformationRequest::default() };
        let share = pages::share(&node, request).await?;
        match self.asked.json {
            true => json::print(&json::Share::from(&share)),
            false => say(describe(&share)),
        }
        Ok(Exit::Ok)
    }
}

fn describe(share: &InformationShare) -> String {
    let version = share.version.clone().unwrap_or_default();
    let mut parts = vec![paint(Style::Bold, format!("Information {}", text::line(&share.id)))];
    parts.extend(warnings(share, &version).into_iter().map(|line| paint(Style::Bad, line)));
    let reviewed = share.versions.last().is_some_and(|newest| newest.reviewed);
    let state = format!(
        "{}, version {}{}, changed {}",
        names::information_state(share.state()),
        share.version_number,
        if reviewed { ", reviewed by a second person" } else { "" },
        time::local(share.changed_at_ms)
    );
    let readers = match share.parties.as_slice() {
        [] => names::visibility(share.visibility()).to_owned(),
        parties if version.group.is_empty() => format!("{} alone", parties.join(", ")),
        parties => format!("{} ({})", text::line(&version.group), parties.join(", ")),
    };
    parts.push(fields([
        ("by", share.society.clone()),
        ("kind", codes::name::<v1::InformationKind>(version.kind).to_owned()),
        ("state", state),
        ("to be read by", readers),
        ("for", codes::name::<v1::Audience>(version.audience).to_owned()),
        ("severity", codes::name::<v1::Severity>(version.severity).to_owned()),
        ("checked", codes::name::<v1::Verification>(version.verification).to_owned()),
        ("stage", codes::name::<v1::JourneyStage>(version.stage).to_owned()),
        ("countries", version.countries.join(", ")),
        ("jurisdiction", version.jurisdiction.clone()),
        ("law", version.legal_reference.clone()),
        ("in force from", version.effective_on.clone()),
        ("until", version.expires_on.clone()),
        ("apply until", version.deadline_on.clone()),
        ("amount", version.amount.clone()),
        ("source", version.source_url.clone()),
        ("in place of", share.supersedes.clone()),
    ]));
    match share.text_is_here {
        true => parts.extend(version.texts.iter().map(|text| local_text(text, ""))),
        false => parts.push("The text is on its way here.".into()),
    }
    for translation in &share.translations {
        let stale = if translation.stale { ", OF AN OLDER VERSION" } else { "" };
        let by = format!(
            ", translated by {} from version {}{stale}, entry {}",
            translation.society, translation.version_number, translation.index
        );
        parts.extend(translation.text.as_ref().map(|text| local_text(text, &by)));
    }
    if !share.responses.is_empty() {
        let lines: Vec<String> = share.responses.iter().map(response).collect();
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

/// What whoever reads on must know first.
fn warnings(share: &InformationShare, version: &v1::InformationVersion) -> Vec<String> {
    let mut lines = Vec::new();
    match share.state() {
        InformationState::Retracted => {
            lines.push(format!("RETRACTED: {}", text::line(&share.retraction_reason)));
        }
        InformationState::Superseded => {
            lines.push(format!("SUPERSEDED by information {}", text::line(&share.superseded_by)));
        }
        InformationState::Expired => lines.push("EXPIRED: its time is over".into()),
        InformationState::Unspecified | InformationState::Published | InformationState::Revised => {
        }
    }
    let holds = matches!(share.state(), InformationState::Published | InformationState::Revised);
    if share.not_yet_in_force && holds {
        lines.push(format!("NOT YET IN FORCE: from {}", text::line(&version.effective_on)));
    }
    let disputed = share.responses.iter().filter(|response| response.what == "disputed");
    lines
        .extend(disputed.map(|by| format!("DISPUTED by {}: {}", by.society, text::line(&by.code))));
    lines
}

fn response(response: &InformationResponse) -> String {
    let what = text::line(&response.what.replace('_', " "));
    let code =
        if response.code.is_empty() { String::new() } else { format!(" ({})", response.code) };
    let stale = match response.version_number {
        0 => ", of its end".to_owned(),
        number if response.stale => format!(", of version {number}"),
        _ => String::new(),
    };
    let first = format!(
        "{}  {} {what}{code}{stale}, entry {}",
        time::short(response.recorded_at_ms),
        text::line(&response.society),
        response.index
    );
    match response.note.as_str() {
        "" => first,
        note => format!("{first}\n{}", text::wrap(&text::block(note, ""), "    ", text_width())),
    }
}

fn local_text(text: &v1::LocalText, by: &str) -> String {
    let title =
        format!("{} ({}{})", text::line(&text.title), text::line(&text.language), text::line(by));
    let mut lines = vec![paint(Style::Bold, title)];
    let mut block = |part: &str| {
        lines.push(text::wrap(&text::block(part, ""), "  │ ", text_width()));
    };
    for part in [&text.summary, &text.text] {
        if !part.is_empty() {
            block(part);
        }
    }
    for (heading, part) in [("Results", &text.results), ("How to repeat it", &text.how_to_repeat)] {
        if !part.is_empty() {
            block(&format!("{heading}:\n{part}"));
        }
    }
    lines.join("\n")
}
