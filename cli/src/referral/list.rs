//! `tutti referral list`.

use clap::Args;
use tutti_proto::{
    node::v1::{Direction, ListReferralsRequest, Referral, ReferralEventView, ReferralState},
    v1::{Priority, ServiceCategory},
};

use super::{beside, due, names as codes, short, story};
use crate::{
    desk,
    failure::{Exit, Outcome},
    json, names,
    node::Asked,
    pages,
    screen::{Style, paint, say, table, text_width},
    text, time,
};

/// List the referrals that this society sent or received, what is overdue first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only in this state. May be repeated.
    #[arg(long = "state", value_name = "STATE", value_parser = names::REFERRAL_STATES)]
    states: Vec<String>,
    /// Only those that this society sent.
    #[arg(long, conflicts_with = "received")]
    sent: bool,
    /// Only those that this society received.
    #[arg(long)]
    received: bool,
    /// Only those whose acknowledgement or answer is overdue.
    #[arg(long)]
    overdue: bool,
    /// Only those with all of these words: a society's code, a state, a service, the beginning of the number,
    /// the case code, the person's name.
    ///
    /// Case codes and names are looked for in cases that you may open, and that you did is recorded, with
    /// what was found. Capital letters, accents and hyphens make no difference.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let direction = match (self.sent, self.received) {
            (true, _) => Direction::Sent,
            (_, true) => Direction::Received,
            (false, false) => Direction::Unspecified,
        };
        let states = self.states.iter().filter_map(|name| names::parse_referral_state(name));
        let request = ListReferralsRequest {
            states: states.map(|state| state as i32).collect(),
            direction: direction as i32,
            overdue: self.overdue,
            search: self.search.clone().unwrap_or_default(),
            ..ListReferralsRequest::default()
        };
        let mut referrals = pages::referrals(&node, request).await?;
        referrals.sort_by_key(|referral| (!referral.overdue, u64::MAX - referral.changed_at_ms));
        if self.asked.json {
            json::print(&json::Referrals::from(referrals.as_slice()));
            return Ok(Exit::Ok);
        }
        if referrals.is_empty() {
            let narrow = self.sent || self.received || self.overdue || self.search.is_some();
            let all = self.states.is_empty() && !narrow;
            say(if all { "No referral here yet." } else { "No such referral here." });
            return Ok(Exit::Ok);
        }
        let headings = [
            "id",
            "from",
            "to",
            "state",
            "priority",
            "services",
            "changed",
            "answer due",
            "our last step",
        ];
        say(table(&headings, referrals.iter().map(row)));
        let overdue = referrals.iter().filter(|referral| referral.overdue).count() as u64;
        if overdue > 0 {
            let line = format!("{overdue} referral{} overdue.", text::s(overdue));
            say(format!("\n{}", paint(Style::Warn, line)));
            desk::overdue(&referrals).iter().for_each(say);
        }
        for line in referrals.iter().filter_map(beside::unstopped) {
            say(format!("\n{}", paint(Style::Bad, text::wrap(&line, "", text_width()))));
        }
        Ok(Exit::Ok)
    }
}

/// Where it stands; where it was declined, also why, and whose reason that is.
fn state(referral: &Referral) -> String {
    let name = names::referral_state(referral.state());
    let declined = |event: &&ReferralEventView| event.effective && event.transition == "declined";
    match referral.events.iter().rev().find(declined) {
        Some(event) if referral.state() == ReferralState::Declined => {
            format!("{name}: {}", story::decline(event))
        }
        _ => name.to_owned(),
    }
}

fn row(referral: &Referral) -> Vec<String> {
    let sent = referral.sent.clone().unwrap_or_default();
    let due = due::told(referral, time::short).map(|due| due.text).unwrap_or_default();
    vec![
        short(&referral.id).to_owned(),
        referral.sender.clone(),
        referral.receiver.clone(),
        state(referral),
        codes::<Priority>(&[sent.priority]),
        codes::<ServiceCategory>(&sent.services_requested),
        time::short(referral.changed_at_ms),
        due,
        names::delivery_words(referral.delivery()).to_owned(),
    ]
}
