//! Whether the work was done as it must be, over all logs that were given: for every referral the
//! legality of each step, the ground of each disclosure, the times to answer, what was erased; and for
//! every information share the same of its steps.
//!
//! Only records are looked at. Invariant: nobody is accused where something that was not seen
//! could excuse them; that is counted and told under `unseen`. Times are those that authors wrote
//! down by their own clocks. Deadlines are those of the newest roster.
//!
//! Source: `docs/protocol.md`, "The referral"; `docs/auditing.md`.

mod deadlines;
mod disclosures;
mod erasures;
mod figures;
mod onward;
mod onward_files;
mod onward_later;
mod retention;
mod shares;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Code, Finding, Severity, finding::Findings, gathered::Gathered};
use crate::{
    referral::{EventRef, Referral, ReferralId, Why},
    roster::DataProtection,
    society::Society,
};

pub use erasures::{Confirmed, ErasureTold};
pub use figures::{Cell, Figures, SMALL, Share, Times};
pub use onward::Elsewhere;
pub use shares::SharesTold;

/// What the logs tell of the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Referrals of which a step was seen.
    pub referrals: u64,
    /// Those of which both sides' logs were seen, so that every step was judged.
    pub whole: u64,
    /// Contents that were opened: none. An audit key opens records.
    pub contents_opened: u64,
    /// Counts, times and shares, of the whole ones.
    pub figures: Figures,
    /// What was shared, and what others said to it.
    pub shares: SharesTold,
    /// What was or is to be erased, when, on whose word, and who has confirmed.
    pub erasures: Vec<ErasureTold>,
    /// What could not be seen, in sentences.
    pub unseen: Vec<String>,
    /// All that was found, the worst first.
    pub findings: Vec<Finding>,
    /// How many of each code.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Process {
    /// Whether anything was found that a person must look at.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// One referral under judgement.
#[derive(Clone, Copy)]
struct Case<'a> {
    referral: &'a Referral,
    gathered: &'a Gathered,
    rules: DataProtection,
    /// Milliseconds since the Unix epoch: when the audit is made.
    now_ms: u64,
    /// Both sides' logs were seen.
    whole: bool,
}

impl Case<'_> {
    /// Where a step stands, for a finding.
    fn place(&self, at: &EventRef) -> String {
        format!("referral {}, {} entry {}", self.referral.id, at.origin, at.index)
    }

    fn id(&self) -> String {
        format!("referral {}", self.referral.id)
    }
}

/// Judges all that was gathered, at `now_ms` (milliseconds since the Unix epoch).
pub(super) fn judge(gathered: &Gathered, now_ms: u64) -> Process {
    let mut findings = Findings::default();
    if gathered.founded.len() > 1 {
        findings.add(
            Code::RosterOther,
            "roster/1",
            "the exports begin with different rosters: they are of different federations, or one \
             is forged",
        );
    }
    let rules = gathered.rules().unwrap_or(DataProtection {
        emergency_hours: 24,
        urgent_hours: 72,
        normal_hours: 14 * 24,
        retention_days: 5 * 365,
        acknowledge_hours: None,
    });
    let mut figures = figures::Counting::default();
    let mut erasures = Vec::new();
    let (mut referrals, mut whole) = (0, 0);
    let latest = onward::latest(gathered.book.iter());
    for referral in gathered.book.iter() {
        let is_whole = gathered.knows(referral);
        let case = Case { referral, gathered, rules, now_ms, whole: is_whole };
        referrals += 1;
        steps::check(&case, &mut findings);
        disclosures::check(&case, &mut findings);
        let elsewhere = onward::check(&case, &latest, &mut findings);
        erasures.extend(erasures::check(&case, elsewhere, &mut findings));
        if is_whole {
            whole += 1;
            steps::unseen_consent(&case, &mut findings);
            steps::unexplained(&case, &mut findings);
            deadlines::check(&case, &mut findings);
            retention::check(&case, &mut findings);
            figures.take(&case);
        }
    }
    steps::sent_twice(gathered, &mut findings);
    let shares = shares::check(gathered, &mut findings);
    let unsent: BTreeSet<ReferralId> = gathered
        .book
        .strays()
        .filter(|outcome| outcome.why == Some(Why::NotSent))
        .filter_map(|outcome| outcome.event.referral_id())
        .collect();
    let (findings, counts) = findings.end();
    Process {
        referrals: referrals + unsent.len() as u64,
        whole,
        contents_opened: 0,
        figures: figures.end(),
        shares,
        erasures,
        unseen: unseen(gathered, &unsent),
        findings,
        counts,
    }
}

fn unseen(gathered: &Gathered, unsent: &BTreeSet<ReferralId>) -> Vec<String> {
    let mut unseen = Vec::new();
    let mut lacking: BTreeMap<Society, u64> = BTreeMap::new();
    let mut newer = 0u64;
    for referral in gathered.book.iter().filter(|referral| !gathered.knows(referral)) {
        let parties = [referral.sender, referral.receiver];
        let missing: Vec<Society> =
            parties.into_iter().filter(|party| !gathered.is_whole(*party)).collect();
        newer += u64::from(missing.is_empty());
        for society in missing {
            *lacking.entry(society).or_default() += 1;
        }
    }
    let noun = |count: u64| if count == 1 { "referral" } else { "referrals" };
    for (society, count) in lacking {
        unseen.push(format!(
            "all of the log of {society}, which {count} {} need{} to be judged in full: give its \
             export, with every record in it and the keys for them",
            noun(count),
            if count == 1 { "s" } else { "" },
        ));
    }
    if newer > 0 {
        unseen.push(format!(
            "what came after the older of two exports: {newer} {} rest{} on it; export both logs \
             again",
            noun(newer),
            if newer == 1 { "s" } else { "" },
        ));
    }
    let count = unsent.len() as u64;
    if count > 0 {
        unseen.push(format!(
            "what {count} {} began with: the sender's log was not given, or is not whole",
            noun(count)
        ));
    }
    unseen.push(
        "the contents: no auditor can, they are sealed to the case keys. That a content holds no \
         more than its record says is the author's word"
            .into(),
    );
    unseen.push("whether what was erased is gone: receipts and lists are the holders' word".into());
    unseen
}

#[cfg(test)]
mod tests;
