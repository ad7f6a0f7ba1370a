//! Information shares: whether each step was its author's to take, whether what others say is of
//! something that was published, and whether the chain of shares that took each other's place holds.
//!
//! With all logs in view the judgement is that of every node: `information::Book`.

use serde::Serialize;

use super::{super::gathered::Gathered, Code, Findings};
use crate::{
    entry::Visibility,
    information::{Kind, Outcome, Share, State, Why},
};

/// What was shared, and what others said to it; of shares that are known to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SharesTold {
    /// All of them.
    pub published: u64,
    /// Those of which there is a later version.
    pub revised: u64,
    /// Those whose place another has taken.
    pub superseded: u64,
    /// Those that were taken back.
    pub retracted: u64,
    /// Those that are sealed to some societies.
    pub addressed: u64,
    /// Those of which the newest version was approved by a second person.
    pub reviewed: u64,
    /// Those to which no other society has said anything.
    pub unanswered: u64,
    /// How often each of these was said and stands.
    pub acknowledged: u64,
    /// The same.
    pub endorsed: u64,
    /// The same.
    pub disputed: u64,
    /// The same.
    pub acted_on: u64,
    /// Translations by whoever made them, the newest of each.
    pub translated: u64,
}

/// Judges every share that was gathered.
pub(super) fn check(gathered: &Gathered, findings: &mut Findings) -> SharesTold {
    let mut told = SharesTold::default();
    for share in gathered.shares.iter() {
        told.take(share);
        share.outcomes.iter().for_each(|outcome| step(gathered, share, outcome, findings));
        chain(gathered, share, findings);
    }
    told
}

fn place(share: &Share, outcome: &Outcome) -> String {
    let at = &outcome.event.at;
    format!("share {}, {} entry {}", share.id, at.origin, at.index)
}

fn step(gathered: &Gathered, share: &Share, outcome: &Outcome, findings: &mut Findings) {
    let event = &outcome.event;
    if !event.approver.is_empty() && event.approver == event.actor {
        let text = "whoever wrote it approved it too";
        findings.add(Code::ApprovedBySame, place(share, outcome), text);
    }
    let Some(why) = outcome.why.as_ref().filter(|_| !gathered.accused(&event.at)) else { return };
    let addressed = share.visibility == Visibility::Addressed;
    let code = match why {
        Why::NotTheAuthor
        | Why::OwnShare
        | Why::NotAParty
        | Why::OutOfOrder { .. }
        | Why::Malformed(_) => Code::WorkflowIllegal,
        Why::Duplicate => Code::EventTwice,
        Why::TakenBack => Code::StepTakenBack,
        // What it is about may stand in a record that was not read.
        Why::NoSuchVersion if gathered.knows_shares(share.society, addressed) => {
            Code::ShareVersionUnknown
        }
        Why::NoSuchVersion | Why::NotPublished => return,
    };
    let kind = event.kind().map_or("a step", Kind::name);
    findings.add(code, place(share, outcome), format!("{kind}: {why}"));
}

/// Both ends of "takes the place of" must say the same.
fn chain(gathered: &Gathered, share: &Share, findings: &mut Findings) {
    let id = format!("share {}", share.id);
    let addressed = share.visibility == Visibility::Addressed;
    if !gathered.knows_shares(share.society, addressed) {
        return;
    }
    if let Some(older) = share.supersedes {
        let back = gathered.shares.get(&older).map(|older| (older.society, older.superseded_by));
        if back != Some((share.society, Some(share.id))) {
            let text = "it says that it takes the place of one that does not say so";
            findings.add(Code::ShareChainBroken, &id, text);
        }
    }
    if let Some(newer) = share.superseded_by {
        let back = gathered.shares.get(&newer).map(|newer| (newer.society, newer.supersedes));
        if back != Some((share.society, Some(share.id))) {
            let text = "it says that its place is taken by one that does not say so";
            findings.add(Code::ShareChainBroken, &id, text);
        }
    }
}

impl SharesTold {
    fn take(&mut self, share: &Share) {
        let responses = share.responses();
        let said = |kind: Kind| {
            responses.iter().filter(|response| response.event.kind() == Some(kind)).count() as u64
        };
        self.published += 1;
        self.revised += u64::from(share.version_number > 1);
        self.superseded += u64::from(share.superseded_by.is_some());
        self.retracted += u64::from(share.state == State::Retracted);
        self.addressed += u64::from(share.visibility == Visibility::Addressed);
        let newest = share.versions().last();
        self.reviewed += u64::from(newest.is_some_and(|newest| newest.event.is_approved()));
        self.unanswered += u64::from(responses.is_empty());
        self.acknowledged += said(Kind::Acknowledged);
        self.endorsed += said(Kind::Endorsed);
        self.disputed += said(Kind::Disputed);
        self.acted_on += said(Kind::ActedOn);
        self.translated += share.translations().len() as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use tutti_proto::v1::{self, information_event::Transition};

    use super::*;
    use crate::{
        audit::{
            fixture::{Fixture, event_id},
            workflow::Workflow,
        },
        information::{Event, InformationId},
        referral::EventRef,
    };

    /// What is found of these events, by the founder with that number, over whole logs.
    fn found(events: Vec<(usize, u64, Transition)>) -> (BTreeSet<&'static str>, SharesTold) {
        let fixture = Fixture::new();
        let mut gathered = Gathered::default();
        gathered.rosters(std::slice::from_ref(&fixture.roster));
        let origins: Vec<_> = fixture.founders.iter().map(|founder| founder.origin()).collect();
        let id = InformationId::of(&origins[0], &event_id(0));
        for (who, index, transition) in events {
            let about = match &transition {
                Transition::Endorsed(_) | Transition::Acknowledged(_) => event_id(index).to_vec(),
                _ => Vec::new(),
            };
            gathered.take_share(Event {
                at: EventRef { origin: origins[who].clone(), index: index + 10 * who as u64 },
                society: origins[who].society(),
                recorded_at_ms: 1,
                event_id: event_id(index + 10 * who as u64),
                visibility: Visibility::Federation,
                addressees: Vec::new(),
                has_content: false,
                actor: "a1".into(),
                approver: if index == 7 { "a1".into() } else { String::new() },
                body: v1::InformationEvent {
                    information_id: id.as_bytes().to_vec(),
                    about,
                    parties: Vec::new(),
                    transition: Some(transition),
                },
            });
        }
        for origin in &origins {
            gathered.end_log(origin, 100, [0, 0], Workflow::default());
        }
        let mut findings = Findings::default();
        let told = check(&gathered, &mut findings);
        (findings.end().1.into_keys().collect(), told)
    }

    fn version() -> v1::InformationVersion {
        let text = v1::LocalText { title: "x".into(), ..Default::default() };
        v1::InformationVersion { texts: vec![text], ..Default::default() }
    }

    #[test]
    fn every_step_of_a_share_is_judged() {
        let published = || (0, 0, Transition::Published(version()));
        let endorsed = || Transition::Endorsed(v1::Endorsed::default());
        let (codes, told) = found(vec![
            published(),
            (1, 0, endorsed()),
            (2, 0, Transition::Acknowledged(v1::Acknowledged {})),
        ]);
        assert_eq!(codes, BTreeSet::new());
        assert_eq!((told.published, told.endorsed, told.acknowledged), (1, 1, 1));
        assert_eq!((told.unanswered, told.reviewed), (0, 0));
        let retracted = Transition::Retracted(v1::Retracted { reason: "x".into() });
        let superseded = Transition::Superseded(v1::Superseded { by: vec![9; 16] });
        for (event, code) in [
            ((1, 5, retracted), "workflow-illegal"),
            ((0, 5, endorsed()), "workflow-illegal"),
            ((1, 5, endorsed()), "share-version-unknown"),
            ((0, 6, superseded), "share-chain-broken"),
            ((0, 7, Transition::Revised(version())), "approved-by-same"),
        ] {
            let (codes, _) = found(vec![published(), event]);
            assert_eq!(codes, BTreeSet::from([code]));
        }
    }
}
