//! `tutti information list`.

use clap::Args;
use tutti_core::referral::codes::{self, Code as _};
use tutti_proto::{
    node::v1::{InformationShare, InformationState, ListInformationRequest},
    v1,
};

use crate::{
    failure::{Exit, Outcome},
    json, names,
    node::Asked,
    pages,
    referral::{code, short},
    screen::{say, table},
    time,
};

/// List what societies have shared and what holds today, the newest first.
///
/// What was retracted, what another share has taken the place of, and what has expired is shown
/// with --all. That you search what is addressed to some alone is recorded.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this kind.
    #[arg(long, value_name = "KIND", value_parser = code::<v1::InformationKind>())]
    kind: Option<v1::InformationKind>,
    /// Only what concerns this country, by its two letters.
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    /// Only by this society.
    #[arg(long, value_name = "CODE")]
    society: Option<String>,
    /// Only of this stage of the journey; what names no stage is of every one.
    #[arg(long, value_name = "STAGE", value_parser = code::<v1::JourneyStage>())]
    stage: Option<v1::JourneyStage>,
    /// Only with a text in this language, by its three letters (ISO 639-3).
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// Only where each of these words stands in the texts or the legal reference.
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only what is in force today, or on this day.
    #[arg(long, value_name = "YYYY-MM-DD", num_args = 0..=1, default_missing_value = "today")]
    in_force: Option<String>,
    /// Only what was checked so far.
    #[arg(long, value_name = "HOW", value_parser = code::<v1::Verification>())]
    verification: Option<v1::Verification>,
    /// Only what is as serious as this, or more.
    #[arg(long, value_name = "SEVERITY", value_parser = code::<v1::Severity>())]
    severity: Option<v1::Severity>,
    /// Only what is for these.
    #[arg(long = "for", value_name = "WHOM", value_parser = code::<v1::Audience>())]
    audience: Option<v1::Audience>,
    /// Also what was retracted or superseded, and what has expired.
    #[arg(long)]
    all: bool,
    /// With --json: also the texts, and what others note. Of what is addressed to some alone, that you
    /// have read it is recorded.
    #[arg(long, requires = "json")]
    texts: bool,
    #[command(flatten)]
    asked: Asked,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = ListInformationRequest {
            kind: self.kind.map_or(0, v1::InformationKind::number),
            country: self.country.unwrap_or_default().to_ascii_lowercase(),
            society: self.society.unwrap_or_default(),
            with_ended: self.all,
            with_texts: self.texts,
            verification: self.verification.map_or(0, v1::Verification::number),
            severity_at_least: self.severity.map_or(0, v1::Severity::number),
            audience: self.audience.map_or(0, v1::Audience::number),
            stage: self.stage.map_or(0, v1::JourneyStage::number),
            language: self.language.unwrap_or_default().to_ascii_lowercase(),
            search: self.search.unwrap_or_default(),
            in_force_on: match self.in_force.as_deref() {
                Some("today") => time::day(time::now_ms() / 1000),
                day => day.unwrap_or_default().to_owned(),
            },
            ..ListInformationRequest::default()
        };
        let mut shares = pages::shares(&node, request).await?;
        shares.sort_by_key(|share| u64::MAX - share.changed_at_ms);
        if self.asked.json {
            json::print(&json::Shares::from(shares.as_slice()));
            return Ok(Exit::Ok);
        }
        if shares.is_empty() {
            say("Nothing of that kind was shared.");
            return Ok(Exit::Ok);
        }
        let headings =
            ["id", "by", "kind", "title", "countries", "severity", "state", "said", "changed"];
        say(table(&headings, shares.iter().map(row)));
        Ok(Exit::Ok)
    }
}

fn row(share: &InformationShare) -> Vec<String> {
    let version = share.version.clone().unwrap_or_default();
    vec![
        short(&share.id).to_owned(),
        share.society.clone(),
        codes::name::<v1::InformationKind>(version.kind).to_owned(),
        title(share),
        version.countries.join(", "),
        codes::name::<v1::Severity>(version.severity).to_owned(),
        state(share, &version.effective_on),
        said(share),
        time::short(share.changed_at_ms),
    ]
}

/// Where it stands; of what holds, but not yet, from when it does.
fn state(share: &InformationShare, effective_on: &str) -> String {
    let holds = matches!(share.state(), InformationState::Published | InformationState::Revised);
    match share.not_yet_in_force && holds {
        true => format!("from {effective_on}"),
        false => names::information_state(share.state()).to_owned(),
    }
}

/// In the first language; of an addressed share it may be on its way.
fn title(share: &InformationShare) -> String {
    let texts = share.version.as_ref().map(|version| version.texts.as_slice()).unwrap_or_default();
    let title = texts.first().map(|text| text.title.clone()).unwrap_or_default();
    if title.is_empty() { "(on its way)".into() } else { title }
}

/// How many stand by it and how many say that it is wrong.
fn said(share: &InformationShare) -> String {
    let count = |what| share.responses.iter().filter(|response| response.what == what).count();
    match (count("endorsed"), count("disputed")) {
        (0, 0) => String::new(),
        (endorsed, 0) => format!("endorsed {endorsed}"),
        (0, disputed) => format!("DISPUTED {disputed}"),
        (endorsed, disputed) => format!("endorsed {endorsed}, DISPUTED {disputed}"),
    }
}
