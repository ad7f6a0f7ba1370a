#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use prost::Message as _;
use tutti_proto::v1::{self, referral_event::Transition};

use super::super::{
    Audit, Options, audit_all,
    fixture::{Export, log_of},
};
use super::*;
use crate::{
    body::{Part, Place},
    entry::{Commitment, Header, Visibility},
    export::body_path,
    roster::tests::{Founder, found, founders},
    sealing,
};

mod erasing;
mod files;
mod overriding;
mod retention;
mod waiting;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const START: u64 = 1_764_000_000_000;

/// Two societies that write to each other: `sg` refers, `ph` answers.
struct World {
    founders: Vec<Founder>,
    logs: [Vec<Step>; 2],
}

#[derive(Clone)]
struct Step {
    at_ms: u64,
    record: v1::Record,
}

const SG: usize = 0;
const PH: usize = 1;

impl World {
    fn new() -> Self {
        Self { founders: founders(&["sg", "ph"]), logs: [Vec::new(), Vec::new()] }
    }

    fn by(&self, who: usize) -> &Founder {
        // The roster's order is that of the codes.
        self.founders.iter().find(|one| one.society.as_str() == ["sg", "ph"][who]).unwrap()
    }

    /// Writes a step of the referral that `sg` sends first; its author has seen all of the other.
    fn write(&mut self, who: usize, hours: u64, content: bool, transition: Transition) {
        let seen = self.logs[1 - who].len() as u64;
        self.blind(who, hours, content, seen, transition);
    }

    /// The same, by an author who has seen so many entries of the other.
    fn blind(&mut self, who: usize, hours: u64, content: bool, seen: u64, what: Transition) {
        let index = self.logs[who].len() as u64;
        let mut event_id = [who as u8; 16];
        event_id[8..].copy_from_slice(&index.to_be_bytes());
        let id = ReferralId::of(&self.by(SG).origin(), &[0; 16]);
        let seen = seen.checked_sub(1).filter(|_| !matches!(what, Transition::Sent(_)));
        let seen =
            seen.map(|index| v1::Seen { origin: self.by(1 - who).origin().to_string(), index });
        let record = v1::Record {
            origin: self.by(who).origin().to_string(),
            event_id: event_id.to_vec(),
            actor: String::new(),
            approver: String::new(),
            addressees: vec![self.by(1 - who).society.to_string()],
            has_content: content,
            event: Some(v1::record::Event::Referral(v1::ReferralEvent {
                referral_id: id.as_bytes().to_vec(),
                seen,
                transition: Some(what),
            })),
        };
        self.logs[who].push(Step { at_ms: START + hours * HOUR, record });
    }

    fn export(&self, who: usize) -> Export {
        self.export_by(who, &found(&self.founders))
    }

    fn export_by(&self, who: usize, roster: &crate::roster::Roster) -> Export {
        let (mut entries, mut bodies) = (Vec::new(), Vec::new());
        let keys = [self.by(SG).audit.recipient(), self.by(PH).audit.recipient()];
        for (index, step) in (0u64..).zip(&self.logs[who]) {
            let body = sealing::seal(&step.record.encode_to_vec(), &keys).unwrap();
            let record = Place::new(&self.by(who).origin(), index, Part::Record).commit(&body);
            let content = [who as u8 + 1; 32];
            let header = Header {
                origin: self.by(who).origin(),
                index,
                recorded_at_ms: step.at_ms,
                visibility: Visibility::Addressed,
                record,
                content: Some(Commitment { digest: content, size: 1024 }),
                tags: vec![[1; 16], [2; 16]],
            };
            entries.push(header.encode());
            bodies.push((body_path(&record.digest), body));
        }
        let mut files = log_of(self.by(who), roster, entries);
        files.extend(bodies);
        files
    }

    /// Judged over both logs so many hours after the beginning.
    fn audit(&self, hours: u64) -> Audit {
        self.audit_of(&[SG, PH], hours)
    }

    fn audit_of(&self, whose: &[usize], hours: u64) -> Audit {
        let exports: Vec<Export> = whose.iter().map(|who| self.export(*who)).collect();
        let keys = [&self.by(SG).audit];
        let options = Options { audit_keys: &keys, ..Options::default() };
        audit_all(&exports, options, START + hours * HOUR, &mut |_, _| ()).unwrap()
    }
}

fn consent() -> v1::Consent {
    v1::Consent {
        status: v1::ConsentStatus::Given as i32,
        recipients: vec!["ph".into()],
        fields: vec!["person.name".into(), "reason".into()],
        purposes: vec![v1::Purpose::Assistance as i32],
        ..Default::default()
    }
}

fn sent(change: impl FnOnce(&mut v1::Sent)) -> Transition {
    let mut sent = v1::Sent {
        receiver: "ph".into(),
        priority: v1::Priority::Urgent as i32,
        legal_basis: v1::LegalBasis::Consent as i32,
        purpose: v1::Purpose::Assistance as i32,
        services_requested: vec![v1::ServiceCategory::Health as i32],
        information_disclosed: vec!["person.name".into(), "reason".into(), "case_code".into()],
        consent: Some(consent()),
        ..Default::default()
    };
    change(&mut sent);
    Transition::Sent(sent)
}

fn provided(fields: &[&str]) -> Transition {
    let information_disclosed = fields.iter().map(|field| (*field).to_owned()).collect();
    Transition::InformationProvided(v1::InformationProvided { information_disclosed })
}

fn asked() -> Transition {
    Transition::InformationRequested(v1::InformationRequested::default())
}

fn accepted() -> Transition {
    Transition::Accepted(v1::Accepted {})
}

fn withdrawn() -> Transition {
    Transition::ConsentWithdrawn(v1::ConsentWithdrawn {
        by: v1::ConsentGiver::Caregiver as i32,
        form: v1::ConsentForm::Verbal as i32,
        ..Default::default()
    })
}

fn receipt(world: &World, on: (usize, u64), entries: &[(usize, u64)]) -> Transition {
    let place =
        |(who, index): (usize, u64)| v1::Seen { origin: world.by(who).origin().to_string(), index };
    Transition::Erased(v1::Erased {
        reason: v1::ErasureReason::ConsentWithdrawn as i32,
        on: Some(place(on)),
        entries: entries.iter().copied().map(place).collect(),
        ..Default::default()
    })
}

fn codes(audit: &Audit) -> BTreeSet<&'static str> {
    let process = audit.process.as_ref().unwrap();
    process.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn work_well_done_is_clean_and_counted() {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    world.write(PH, 5, false, Transition::Acknowledged(v1::Acknowledged {}));
    world.write(PH, 20, false, asked());
    world.write(SG, 30, true, provided(&["reason"]));
    world.write(PH, 50, false, accepted());
    let audit = world.audit(60);
    let process = audit.process.as_ref().unwrap();
    assert_eq!(codes(&audit), BTreeSet::new(), "{:#?}", process.findings);
    assert_eq!((process.referrals, process.whole), (1, 1));
    let figures = &process.figures;
    assert_eq!(
        (figures.sent, figures.acknowledged, figures.accepted, figures.closed),
        (1, 1, 1, 0)
    );
    assert_eq!(figures.no_feedback, Share { count: 0, of: 1 });
    assert_eq!(figures.time_to_answer, Times { count: 1, median_ms: None, p90_ms: None });
    assert_eq!(figures.services, [Cell { name: "health".into(), count: None }]);
    assert!(process.erasures.is_empty());
    // No record, and nothing in it, without a key.
    let exports = [world.export(SG)];
    let without = audit_all(&exports, Options::default(), START, &mut |_, _| ()).unwrap();
    assert_eq!(without.process, None);
}

#[test]
fn each_fault_of_a_disclosure_has_its_code() {
    type Fault = (&'static str, Box<dyn Fn(&mut v1::Sent)>);
    let by_consent: Vec<Fault> = vec![
        ("consent-missing", Box::new(|s| s.consent.as_mut().unwrap().status = 3)),
        ("consent-ended", Box::new(|s| s.consent.as_mut().unwrap().expires_at = START / 1000)),
        (
            "consent-recipient",
            Box::new(|s| s.consent.as_mut().unwrap().recipients = vec!["qa".into()]),
        ),
        ("consent-purpose", Box::new(|s| s.consent.as_mut().unwrap().purposes = vec![2])),
        ("consent-scope", Box::new(|s| s.information_disclosed.push("risk".into()))),
        ("disclosure-unlisted", Box::new(|s| s.information_disclosed.clear())),
        ("disclosure-unlisted", Box::new(|s| s.information_disclosed = vec!["secret".into()])),
        ("disclosure-withheld", Box::new(|s| s.information_withheld.push("reason".into()))),
        // What the record tells itself, whether it lists that or not.
        ("consent-scope", Box::new(|s| s.vulnerabilities = vec![8])),
        ("consent-scope", Box::new(|s| s.sex = 1)),
        (
            "disclosure-unlisted",
            Box::new(|s| {
                s.consent.as_mut().unwrap().fields.clear();
                (s.sex, s.age_band) = (1, 5);
                s.information_disclosed.push("category.sex".into());
            }),
        ),
        (
            "disclosure-withheld",
            Box::new(|s| {
                s.consent.as_mut().unwrap().fields.clear();
                s.sex = 1;
                s.information_withheld.push("category.sex".into());
            }),
        ),
    ];
    for (code, change) in by_consent {
        let mut world = World::new();
        world.write(SG, 0, true, sent(change));
        // The sender's log alone is enough for these.
        for whose in [&[SG, PH][..], &[SG]] {
            let audit = world.audit_of(whose, 1);
            assert!(codes(&audit).contains(code), "{code} of {whose:?}: {:?}", codes(&audit));
            assert!(codes(&audit).len() <= 2, "{code}: {:?}", codes(&audit));
        }
    }
    // Listed or, as in records of before, not: where it was agreed to, all is well.
    for listed in [true, false] {
        for agreed in [&["person.name", "reason", "category.sex"][..], &[]] {
            let mut world = World::new();
            let transition = sent(|sent| {
                let fields = agreed.iter().map(ToString::to_string).collect();
                sent.consent.as_mut().unwrap().fields = fields;
                sent.sex = 1;
                if listed {
                    sent.information_disclosed.push("category.sex".into());
                }
            });
            world.write(SG, 0, true, transition);
            assert_eq!(codes(&world.audit(1)), BTreeSet::new(), "{listed} {agreed:?}");
        }
    }
    // Another basis needs no consent.
    let mut world = World::new();
    world.write(
        SG,
        0,
        true,
        sent(|sent| {
            sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
            sent.consent = None;
        }),
    );
    assert_eq!(codes(&world.audit(1)), BTreeSet::new());
}

#[test]
fn consent_is_that_which_the_author_could_know() {
    let asked_for_more = || {
        let mut world = World::new();
        world.write(SG, 0, true, sent(|_| ()));
        world.write(PH, 1, false, asked());
        world
    };
    let mut world = asked_for_more();
    world.write(SG, 2, true, provided(&["risk"]));
    assert_eq!(codes(&world.audit(3)), BTreeSet::from(["consent-scope"]));
    // With the sender's log alone the receiver may have recorded a wider consent.
    assert_eq!(codes(&world.audit_of(&[SG], 3)), BTreeSet::new());
    let wider = v1::Consent { fields: vec![], ..consent() };
    let renewed = Transition::ConsentRenewed(v1::ConsentRenewed { consent: Some(wider) });
    let mut world = asked_for_more();
    world.write(PH, 2, false, renewed.clone());
    world.write(SG, 3, true, provided(&["risk"]));
    assert_eq!(codes(&world.audit(3)), BTreeSet::new());
    // The same, but the sender had not seen that.
    let mut world = asked_for_more();
    world.write(PH, 2, false, renewed);
    world.blind(SG, 3, true, 1, provided(&["risk"]));
    assert_eq!(codes(&world.audit(3)), BTreeSet::from(["consent-scope", "consent-unseen"]));
    // One side's log alone does not say what the other has gone on with.
    assert!(!codes(&world.audit_of(&[PH], 3)).contains("consent-unseen"));
    // After a withdrawal that it had seen, and after one that it had not.
    let mut world = asked_for_more();
    world.write(PH, 2, false, withdrawn());
    world.write(SG, 3, true, provided(&["reason"]));
    let found = codes(&world.audit(3));
    for code in ["consent-missing", "disclosed-after-stop", "workflow-illegal"] {
        assert!(found.contains(code), "{code}: {found:?}");
    }
    let mut world = asked_for_more();
    world.write(PH, 2, false, withdrawn());
    world.blind(SG, 3, true, 1, provided(&["reason"]));
    let found = codes(&world.audit(3));
    assert_eq!(found, BTreeSet::from(["erasure-open"]), "it counts as written before");
}

#[test]
fn a_third_society_needs_the_persons_word() {
    let onward = |receiver: &str| {
        Transition::Onward(v1::Onward { receiver: receiver.into(), referral_id: vec![7; 16] })
    };
    for (receiver, code) in [("qa", None), ("it", Some("consent-recipient"))] {
        let mut world = World::new();
        world.write(
            SG,
            0,
            true,
            sent(|sent| {
                sent.consent.as_mut().unwrap().recipients.push("qa".into());
            }),
        );
        world.write(PH, 1, false, accepted());
        world.write(PH, 2, false, onward(receiver));
        // That the referral which it names was never sent is another matter.
        let mut found = codes(&world.audit(3));
        assert!(found.remove("onward-unlinked"), "{receiver}: {found:?}");
        assert_eq!(found.into_iter().next(), code, "{receiver}");
    }
}

#[test]
fn both_logs_together_judge_what_one_cannot() {
    // Accepted, as if the sender had not withdrawn: alone it may be lawful.
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    let code = v1::WithdrawCode::PersonLeft as i32;
    world.write(SG, 1, false, Transition::Withdrawn(v1::Withdrawn { code }));
    world.write(PH, 2, false, accepted());
    assert_eq!(codes(&world.audit_of(&[PH], 3)), BTreeSet::new());
    assert_eq!(codes(&world.audit(3)), BTreeSet::from(["workflow-illegal"]));
    // The same unseen is a race that was lost: no fault.
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    world.write(SG, 1, false, Transition::Withdrawn(v1::Withdrawn { code }));
    world.blind(PH, 2, false, 1, accepted());
    let audit = world.audit(3);
    assert_eq!(codes(&audit), BTreeSet::from(["step-overtaken"]));
    assert!(audit.process.as_ref().unwrap().is_clean());
    // What one log cannot tell is said.
    let alone = world.audit_of(&[SG], 3);
    let process = alone.process.as_ref().unwrap();
    assert_eq!((process.referrals, process.whole, process.figures.sent), (1, 0, 0));
    assert!(process.unseen.iter().any(|line| line.contains("the log of ph")), "{process:?}");
    let alone = world.audit_of(&[PH], 3);
    let process = alone.process.as_ref().unwrap();
    assert_eq!((process.referrals, process.whole), (1, 0));
    assert!(process.unseen.iter().any(|line| line.contains("began with")), "{process:?}");
}

#[test]
fn an_older_export_of_the_other_side_accuses_nobody() {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    world.write(PH, 1, false, accepted());
    let older = world.export(SG);
    let code = v1::CancelCode::PersonLeft as i32;
    world.write(SG, 2, false, Transition::Cancelled(v1::Cancelled { code }));
    let fine = Transition::FollowUp(v1::FollowUp { result: 1 });
    world.write(PH, 3, false, fine);
    let keys = [&world.by(SG).audit];
    let options = Options { audit_keys: &keys, ..Options::default() };
    let exports = [older, world.export(PH)];
    let audit = audit_all(&exports, options, START + 4 * HOUR, &mut |_, _| ()).unwrap();
    let process = audit.process.as_ref().unwrap();
    assert_eq!(codes(&audit), BTreeSet::new());
    assert_eq!(process.whole, 0);
    assert!(process.unseen.iter().any(|line| line.contains("older of two exports")));
    // With the newer one: help that was cancelled is not followed up.
    assert_eq!(codes(&world.audit(4)), BTreeSet::from(["workflow-illegal"]));
}

#[test]
fn deadlines_are_those_of_the_roster() {
    let urgent = 72;
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    assert_eq!(codes(&world.audit(urgent)), BTreeSet::new());
    let audit = world.audit(urgent + 5);
    assert_eq!(codes(&audit), BTreeSet::from(["answer-overdue"]));
    assert_eq!(audit.process.as_ref().unwrap().figures.no_feedback, Share { count: 1, of: 1 });
    let mut late = World::new();
    late.write(SG, 0, true, sent(|_| ()));
    late.write(PH, 10, false, Transition::Acknowledged(v1::Acknowledged {}));
    late.write(PH, urgent + 30, false, accepted());
    let audit = late.audit(urgent + 31);
    assert_eq!(codes(&audit), BTreeSet::from(["answer-late"]));
    let process = audit.process.unwrap();
    assert!(process.findings[0].text.contains("ph answered 30 h after"), "{process:?}");
    for (hours, code) in [(urgent, "expired-early"), (urgent + 1, "answer-never")] {
        let mut world = World::new();
        world.write(SG, 0, true, sent(|_| ()));
        world.write(SG, hours, false, Transition::Expired(v1::Expired {}));
        assert_eq!(codes(&world.audit(hours)), BTreeSet::from([code]));
    }
}

fn found_roster(world: &World) -> crate::roster::Roster {
    found(&world.founders)
}

#[test]
fn the_same_case_twice_is_found_where_the_first_was_open() {
    let digest = |sent: &mut v1::Sent| sent.case_digest = vec![3; 32];
    let mut world = World::new();
    world.write(SG, 0, true, sent(digest));
    world.write(SG, 1, true, sent(digest));
    // The second is a referral of its own.
    let id =
        ReferralId::of(&world.by(SG).origin(), &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    if let Some(v1::record::Event::Referral(event)) = &mut world.logs[SG][1].record.event {
        event.referral_id = id.as_bytes().to_vec();
    }
    assert_eq!(codes(&world.audit(2)), BTreeSet::from(["sent-twice"]));
}

#[test]
fn two_exports_of_one_log_must_agree() {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    let older = world.export(SG);
    world.write(SG, 1, false, withdrawn());
    // Sealing draws at random, so that the same log exported by this fixture twice is another.
    let exports = [older.clone(), world.export(SG)];
    let audit = |exports: &[Export]| {
        let audit = audit_all(exports, Options::default(), START, &mut |_, _| ()).unwrap();
        let all = audit.logs.iter().flat_map(|log| &log.findings);
        all.map(|finding| finding.code.as_str()).collect::<BTreeSet<_>>()
    };
    assert!(audit(&exports).contains("exports-differ"));
    assert!(!audit(&[older.clone(), older]).contains("exports-differ"));
}
