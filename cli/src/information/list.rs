//! `tutti information list`.

use clap::Args;
use tutti_core::referral::codes::{self, Code as _};
use tutti_proto::{
    node::v1::{InformationShare, ListInformationRequest},
    v1,
};

use super::all;
use crate::{
    failure::{Exit, Outcome},
    json, names,
    node::NodeArgs,
    referral::{code, short},
    screen::{say, table},
    time,
};

/// List what all societies have shared, the newest first.
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
    /// Also what was retracted.
    #[arg(long)]
    with_retracted: bool,
    #[command(flatten)]
    node: NodeArgs,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let request = ListInformationRequest {
            kind: self.kind.map_or(0, v1::InformationKind::number),
            country: self.country.unwrap_or_default().to_ascii_lowercase(),
            society: self.society.unwrap_or_default(),
            with_retracted: self.with_retracted,
            stage: self.stage.map_or(0, v1::JourneyStage::number),
            language: self.language.unwrap_or_default().to_ascii_lowercase(),
            search: self.search.unwrap_or_default(),
            in_force_on: match self.in_force.as_deref() {
                Some("today") => time::day(time::now_ms() / 1000),
                day => day.unwrap_or_default().to_owned(),
            },
            ..ListInformationRequest::default()
        };
        let mut shares = all(&node, request).await?;
        shares.sort_by_key(|share| u64::MAX - share.changed_at_ms);
        if self.json {
            json::print(&json::Shares::from(shares.as_slice()));
            return Ok(Exit::Ok);
        }
        if shares.is_empty() {
            say("Nothing of that kind was shared.");
            return Ok(Exit::Ok);
        }
        let headings = ["id", "by", "kind", "title", "countries", "state", "changed"];
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
        version.texts.first().map(|text| text.title.clone()).unwrap_or_default(),
        version.countries.join(", "),
        names::information_state(share.state()).to_owned(),
        time::short(share.changed_at_ms),
    ]
}
