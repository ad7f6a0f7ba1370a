#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use prost::Message as _;
use tutti_proto::v1::{self, referral_event::Transition};

use super::super::{
    super::{
        Audit, Options, audit_all,
        fixture::{Export, log_of},
    },
    ReferralId,
};
use crate::{
    body::{Part, Place},
    entry::{Commitment, Header, Visibility},
    export::body_path,
    roster::tests::{Founder, found, founders},
    sealing,
};

#[path = "onward_words_tests.rs"]
mod words;

const HOUR: u64 = 3_600_000;
const START: u64 = 1_764_000_000_000;
const CODES: [&str; 3] = ["sg", "ph", "qa"];
const SG: usize = 0;
const PH: usize = 1;
const QA: usize = 2;

/// `sg` refers to `ph`, which passes the case on to `qa`. What each writes is clean until a test
/// tampers with it.
struct World {
    founders: Vec<Founder>,
    logs: [Vec<Step>; 3],
    hour: u64,
}

struct Step {
    at_ms: u64,
    record: v1::Record,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    First,
    Onward,
}
use Which::{First, Onward};

impl World {
    /// Sent, acknowledged, and passed on.
    fn new(change: impl FnOnce(&mut v1::Sent, &mut v1::Sent)) -> Self {
        let founders = founders(&CODES);
        let mut world = Self { founders, logs: [const { Vec::new() }; 3], hour: 0 };
        let consent = v1::Consent {
            status: v1::ConsentStatus::Given as i32,
            recipients: vec!["ph".into(), "qa".into()],
            fields: vec!["person.name".into(), "reason".into()],
            purposes: vec![v1::Purpose::Assistance as i32],
            ..Default::default()
        };
        let mut first = v1::Sent {
            receiver: "ph".into(),
            priority: v1::Priority::Normal as i32,
            legal_basis: v1::LegalBasis::Consent as i32,
            purpose: v1::Purpose::Assistance as i32,
            services_requested: vec![v1::ServiceCategory::Health as i32],
            information_disclosed: vec!["person.name".into(), "reason".into()],
            restrictions: vec![v1::Restriction::NeverToEmployer as i32],
            consent: Some(consent),
            ..Default::default()
        };
        let onward_of = world.id(First).as_bytes().to_vec();
        let mut onward = v1::Sent { receiver: "qa".into(), onward_of, ..first.clone() };
        change(&mut first, &mut onward);
        world.write(SG, First, true, Transition::Sent(first));
        world.write(PH, First, false, Transition::Acknowledged(v1::Acknowledged {}));
        world.write(PH, Onward, true, Transition::Sent(onward));
        let referral_id = world.id(Onward).as_bytes().to_vec();
        let told = v1::Onward { receiver: "qa".into(), referral_id };
        world.write(PH, First, false, Transition::Onward(told));
        world.write(QA, Onward, false, Transition::Acknowledged(v1::Acknowledged {}));
        world
    }

    fn by(&self, who: usize) -> &Founder {
        self.founders.iter().find(|one| one.society.as_str() == CODES[who]).unwrap()
    }

    fn id(&self, which: Which) -> ReferralId {
        match which {
            First => ReferralId::of(&self.by(SG).origin(), &event_id(SG, 0)),
            Onward => ReferralId::of(&self.by(PH).origin(), &event_id(PH, 1)),
        }
    }

    /// Writes a step; its author has seen all that the other side has written of that referral.
    fn write(&mut self, who: usize, which: Which, content: bool, transition: Transition) {
        self.hour += 1;
        let [sender, receiver] = if which == First { [SG, PH] } else { [PH, QA] };
        let other = if who == sender { receiver } else { sender };
        let id = self.id(which);
        let of = |step: &Step| match &step.record.event {
            Some(v1::record::Event::Referral(event)) => event.referral_id == id.as_bytes(),
            _ => false,
        };
        let seen = self.logs[other].iter().rposition(of).map(|index| v1::Seen {
            origin: self.by(other).origin().to_string(),
            index: index as u64,
        });
        let index = self.logs[who].len() as u64;
        let record = v1::Record {
            origin: self.by(who).origin().to_string(),
            event_id: event_id(who, index).to_vec(),
            actor: String::new(),
            approver: String::new(),
            addressees: vec![self.by(other).society.to_string()],
            has_content: content,
            event: Some(v1::record::Event::Referral(v1::ReferralEvent {
                referral_id: id.as_bytes().to_vec(),
                seen: seen.filter(|_| !matches!(transition, Transition::Sent(_))),
                transition: Some(transition),
            })),
        };
        self.logs[who].push(Step { at_ms: START + self.hour * HOUR, record });
    }

    /// The person's word, or what carries the entry `carried` of a society.
    fn withdraw(&mut self, who: usize, which: Which, carried: Option<(usize, u64)>) {
        let withdrawn = v1::ConsentWithdrawn {
            by: v1::ConsentGiver::Person as i32,
            carried: carried.map_or(Vec::new(), |(who, index)| event_id(who, index).to_vec()),
            extent: v1::Extent::Case as i32,
            ..Default::default()
        };
        self.write(who, which, false, Transition::ConsentWithdrawn(withdrawn));
    }

    fn erase(&mut self, who: usize, which: Which, on: (usize, u64), claim: Option<bool>) {
        let place = |world: &Self, (who, index): (usize, u64)| v1::Seen {
            origin: world.by(who).origin().to_string(),
            index,
        };
        let entries: &[(usize, u64)] =
            if which == First { &[(SG, 0), (PH, 0), (PH, 2)] } else { &[(PH, 1), (QA, 0)] };
        let claim = claim.map(|confirmed| v1::OnwardErasure {
            referral_id: self.id(Onward).as_bytes().to_vec(),
            stopped: true,
            confirmed,
        });
        let erased = v1::Erased {
            reason: v1::ErasureReason::ConsentWithdrawn as i32,
            on: Some(place(self, on)),
            entries: entries.iter().map(|entry| place(self, *entry)).collect(),
            onward: claim.into_iter().collect(),
            earlier: None,
        };
        self.write(who, which, false, Transition::Erased(erased));
    }

    fn export(&self, who: usize) -> Export {
        let roster = found(&self.founders);
        let (mut entries, mut bodies) = (Vec::new(), Vec::new());
        let keys: Vec<_> = self.founders.iter().map(|one| one.audit.recipient()).collect();
        for (index, step) in (0u64..).zip(&self.logs[who]) {
            let body = sealing::seal(&step.record.encode_to_vec(), &keys).unwrap();
            let record = Place::new(&self.by(who).origin(), index, Part::Record).commit(&body);
            let content = Commitment { digest: [who as u8 + 1; 32], size: 1024 };
            let header = Header {
                origin: self.by(who).origin(),
                index,
                recorded_at_ms: step.at_ms,
                visibility: Visibility::Addressed,
                record,
                content: Some(content),
                tags: vec![[1; 16], [2; 16]],
            };
            entries.push(header.encode());
            bodies.push((body_path(&record.digest), body));
        }
        let mut files = log_of(self.by(who), &roster, entries);
        files.extend(bodies);
        files
    }

    fn audit(&self, whose: &[usize], hours_later: u64) -> Audit {
        let exports: Vec<Export> = whose.iter().map(|who| self.export(*who)).collect();
        let keys = [&self.by(SG).audit];
        let options = Options { audit_keys: &keys, ..Options::default() };
        let now_ms = START + (self.hour + hours_later) * HOUR;
        audit_all(&exports, options, now_ms, &mut |_, _| ()).unwrap()
    }

    fn codes(&self) -> BTreeSet<&'static str> {
        codes(&self.audit(&[SG, PH, QA], 1))
    }
}

fn event_id(who: usize, index: u64) -> [u8; 16] {
    let mut event_id = [who as u8 + 1; 16];
    event_id[8..].copy_from_slice(&index.to_be_bytes());
    event_id
}

fn codes(audit: &Audit) -> BTreeSet<&'static str> {
    let process = audit.process.as_ref().unwrap();
    process.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn a_case_that_is_passed_on_as_agreed_is_clean_and_each_fault_has_its_code() {
    let none: BTreeSet<&str> = BTreeSet::new();
    assert_eq!(World::new(|_, _| ()).codes(), none);
    type Fault = (&'static str, fn(&mut v1::Sent, &mut v1::Sent));
    let faults: [Fault; 9] = [
        // The new form says that the person agreed to more: the first one's consent decides.
        ("onward-consent", |_, onward| {
            onward.information_disclosed.push("risk".into());
            onward.consent.as_mut().unwrap().fields.push("risk".into());
        }),
        // Nor was anything of the record agreed to that it does not list.
        ("onward-consent", |_, onward| {
            onward.vulnerabilities = vec![v1::Vulnerability::GbvSurvivor as i32];
            onward.consent.as_mut().unwrap().fields.clear();
        }),
        ("onward-consent", |_, onward| {
            onward.purpose = v1::Purpose::FamilyLinks as i32;
            onward.consent.as_mut().unwrap().purposes = vec![v1::Purpose::FamilyLinks as i32];
        }),
        ("consent-recipient", |first, _| {
            first.consent.as_mut().unwrap().recipients.pop();
        }),
        // On another basis the person's word counts all the same, where they were asked.
        ("onward-consent", |first, onward| {
            first.legal_basis = v1::LegalBasis::VitalInterest as i32;
            first.consent.as_mut().unwrap().recipients.pop();
            onward.legal_basis = first.legal_basis;
            onward.consent = None;
        }),
        ("onward-consent", |first, onward| {
            first.legal_basis = v1::LegalBasis::VitalInterest as i32;
            first.consent.as_mut().unwrap().expires_at = START / 1000 + 2 * 3600;
            onward.legal_basis = first.legal_basis;
            onward.consent = None;
        }),
        ("onward-terms", |_, onward| onward.restrictions.clear()),
        ("onward-terms", |first, _| first.retain_until = START / 1000 + 1_000_000),
        ("onward-unlinked", |_, onward| onward.onward_of = vec![9; 16]),
    ];
    for (code, change) in faults {
        let world = World::new(change);
        assert_eq!(world.codes(), BTreeSet::from([code]));
        // Without the log of the first society nobody can know what the person agreed to with it.
        let alone = codes(&world.audit(&[PH, QA], 1));
        assert!(alone.is_empty(), "{code}: {alone:?}");
    }
}

#[test]
fn a_withdrawal_is_carried_on_within_a_day_or_is_found() {
    let withdrawn = || {
        let mut world = World::new(|_, _| ());
        world.withdraw(SG, First, None);
        world
    };
    // ph may not have heard of it.
    let mut world = withdrawn();
    assert_eq!(world.codes(), BTreeSet::from(["erasure-open", "stop-carry-open"]));
    let audit = world.audit(&[SG, PH, QA], 1);
    let told = audit.process.unwrap().erasures.remove(0);
    assert_eq!(told.elsewhere.len(), 1);
    let other = &told.elsewhere[0];
    assert_eq!((other.way, other.society.as_str(), other.seen), ("onward", "qa", true));
    assert_eq!((other.stopped, other.confirmed, other.carried_after_ms), (false, false, None));
    // It confirms the erasure and goes on: it has heard, and did not carry it.
    world.erase(PH, First, (SG, 1), Some(false));
    assert!(!world.codes().contains("stop-not-carried"), "a machine may stop at any moment");
    world.write(PH, Onward, false, Transition::FollowUp(v1::FollowUp { result: 1 }));
    assert!(world.codes().contains("stop-not-carried"));
    // As it is to be.
    let mut world = withdrawn();
    world.withdraw(PH, Onward, Some((SG, 1)));
    world.erase(PH, First, (SG, 1), Some(false));
    world.erase(PH, Onward, (PH, 3), None);
    world.erase(QA, Onward, (PH, 3), None);
    world.erase(SG, First, (SG, 1), None);
    world.erase(PH, First, (SG, 1), Some(true));
    assert_eq!(world.codes(), BTreeSet::new());
    let erasures = world.audit(&[SG, PH, QA], 1).process.unwrap().erasures;
    let of = |which| erasures.iter().find(|e| e.referral == world.id(which).to_string()).unwrap();
    assert_eq!(of(First).elsewhere[0].carried_after_ms, Some(HOUR));
    assert!(of(First).elsewhere[0].confirmed && of(First).carried_from.is_none());
    assert_eq!(of(Onward).carried_from, Some(world.id(First).to_string()));
    // Of what no log shows nobody is accused.
    let alone = world.audit(&[SG, PH], 1);
    assert!(codes(&alone).is_empty(), "{:?}", codes(&alone));
    // Late.
    let mut world = withdrawn();
    world.hour += 30;
    world.withdraw(PH, Onward, Some((SG, 1)));
    assert!(world.codes().contains("stop-carried-late"));
}

#[test]
fn a_word_for_the_whole_case_is_carried_back_or_is_found() {
    let mut world = World::new(|_, _| ());
    world.withdraw(QA, Onward, None);
    assert_eq!(world.codes(), BTreeSet::from(["erasure-open", "stop-carry-open"]));
    world.erase(PH, Onward, (QA, 1), None);
    world.write(PH, First, false, Transition::FollowUp(v1::FollowUp { result: 1 }));
    assert!(world.codes().contains("stop-not-carried"));
    let mut world = World::new(|_, _| ());
    world.withdraw(QA, Onward, None);
    world.withdraw(PH, First, Some((QA, 1)));
    assert_eq!(world.codes(), BTreeSet::from(["erasure-open"]));
    let erasures = world.audit(&[SG, PH, QA], 1).process.unwrap().erasures;
    let first = erasures.iter().find(|e| e.referral == world.id(First).to_string()).unwrap();
    assert_eq!(first.carried_from, Some(world.id(Onward).to_string()));
    let onward = erasures.iter().find(|e| e.referral == world.id(Onward).to_string()).unwrap();
    let back = &onward.elsewhere[0];
    assert_eq!((back.way, back.society.as_str(), back.stopped), ("back", "sg", true));
    assert_eq!(back.carried_after_ms, Some(HOUR));
}

#[test]
fn words_that_come_from_nowhere_and_receipts_that_nobody_gave_are_found() {
    let mut world = World::new(|_, _| ());
    world.withdraw(PH, First, Some((QA, 0)));
    assert!(world.codes().contains("carried-unfounded"));
    let mut world = World::new(|_, _| ());
    world.withdraw(SG, First, Some((PH, 0)));
    assert!(world.codes().contains("carried-unfounded"), "no other referral is before the first");
    // ph says that qa has confirmed; qa never did.
    let mut world = World::new(|_, _| ());
    world.withdraw(SG, First, None);
    world.withdraw(PH, Onward, Some((SG, 1)));
    world.erase(PH, Onward, (PH, 3), None);
    world.erase(PH, First, (SG, 1), Some(true));
    assert!(world.codes().contains("onward-claim-untrue"));
    world.erase(QA, Onward, (PH, 3), None);
    assert!(!world.codes().contains("onward-claim-untrue"));
}

/// A file of sg's goes along to qa; sg takes it back, and ph carries that, or does not.
#[test]
fn a_file_that_was_taken_back_is_taken_back_where_it_went_along_or_is_found() {
    let attached = |file: u8, source: Option<v1::FileSource>| {
        Transition::Attached(v1::Attached {
            attachment_id: vec![file; 16],
            part: 1,
            parts: 1,
            kind: v1::AttachmentKind::MedicalLetter as i32,
            source,
        })
    };
    let taken_back = |file: u8, carried: Option<(usize, u64)>| {
        let carried = carried.map_or(Vec::new(), |(who, index)| event_id(who, index).to_vec());
        let attachment = vec![file; 16];
        Transition::EnteredInError(v1::EnteredInError { event: None, carried, attachment })
    };
    let everything = |sent: &mut v1::Sent| sent.consent.as_mut().unwrap().fields.clear();
    let mut world = World::new(|first, onward| {
        everything(first);
        everything(onward);
    });
    world.write(SG, First, true, attached(1, None));
    let source = v1::FileSource { society: "sg".into(), attachment_id: vec![1; 16] };
    world.write(PH, Onward, true, attached(2, Some(source)));
    assert_eq!(world.codes(), BTreeSet::new());
    world.write(SG, First, false, taken_back(1, None));
    assert!(world.codes().contains("stop-carry-open"), "{:?}", world.codes());
    // ph has heard of it, and goes on.
    world.write(PH, First, false, Transition::FollowUp(v1::FollowUp { result: 1 }));
    world.write(PH, Onward, false, Transition::FollowUp(v1::FollowUp { result: 1 }));
    assert!(world.codes().contains("stop-not-carried"), "{:?}", world.codes());
    world.write(PH, Onward, false, taken_back(2, Some((SG, 2))));
    let found = world.codes();
    assert!(!found.iter().any(|code| code.contains("carr")), "{found:?}");
    // Said to come from there, and it does not.
    world.write(PH, Onward, true, attached(3, None));
    world.write(PH, Onward, false, taken_back(3, Some((SG, 1))));
    assert!(world.codes().contains("carried-unfounded"), "{:?}", world.codes());
}

/// A file of `kind`; where it is a copy, of which file of sg's in the first referral.
fn file(kind: v1::AttachmentKind, id: u8, copy_of: Option<u8>) -> Transition {
    let source = |id: u8| v1::FileSource { society: "sg".into(), attachment_id: vec![id; 16] };
    Transition::Attached(v1::Attached {
        attachment_id: vec![id; 16],
        part: 1,
        parts: 1,
        kind: kind as i32,
        source: copy_of.map(source),
    })
}

fn renewed(fields: &[&str]) -> Transition {
    let consent = v1::Consent {
        status: v1::ConsentStatus::Renewed as i32,
        recipients: vec!["ph".into(), "qa".into()],
        fields: fields.iter().map(ToString::to_string).collect(),
        purposes: vec![v1::Purpose::Assistance as i32],
        ..Default::default()
    };
    Transition::ConsentRenewed(v1::ConsentRenewed { consent: Some(consent) })
}

/// The person agreed to photos with the first referral; each world goes on from there.
fn with_a_photo(change: impl FnOnce(&mut v1::Sent, &mut v1::Sent)) -> World {
    let mut world = World::new(|first, onward| {
        for sent in [&mut *first, &mut *onward] {
            let consent = sent.consent.as_mut().unwrap();
            consent.fields.extend(["attachment.photo", "attachment.other"].map(String::from));
        }
        change(first, onward);
    });
    world.write(SG, First, true, file(v1::AttachmentKind::Photo, 1, None));
    world
}

/// What is found, but for the note that nobody has gone on with a renewal yet.
fn faults(world: &World) -> BTreeSet<&'static str> {
    let mut found = world.codes();
    found.remove("consent-unseen");
    found
}

#[test]
fn a_file_that_is_passed_on_beyond_the_first_consent_is_found_and_nobody_is_accused_in_doubt() {
    use v1::AttachmentKind::{Other, Photo};
    let none: BTreeSet<&str> = BTreeSet::new();
    let found = BTreeSet::from(["onward-file"]);
    let narrow = ["person.name", "reason"];
    let mut world = with_a_photo(|_, _| ());
    world.write(PH, Onward, true, file(Photo, 2, Some(1)));
    assert_eq!(faults(&world), none);

    // Narrowed since. ph may not have heard of it; it had, where it answered before.
    let mut world = with_a_photo(|_, _| ());
    world.write(SG, First, false, renewed(&narrow));
    world.write(PH, Onward, true, file(Photo, 2, Some(1)));
    assert_eq!(faults(&world), none);
    let mut world = with_a_photo(|_, _| ());
    world.write(SG, First, false, renewed(&narrow));
    world.write(PH, First, false, Transition::Accepted(v1::Accepted {}));
    world.write(PH, Onward, true, file(Photo, 2, Some(1)));
    assert_eq!(faults(&world), found);
    let audit = world.audit(&[SG, PH, QA], 1);
    let text = format!("{:?}", audit.process.unwrap().findings);
    assert!(text.contains("attachment.photo") && text.contains("qa"), "{text}");
    // Without one of the three logs it may all have been agreed to.
    for whose in [[PH, QA], [SG, PH]] {
        let alone = codes(&world.audit(&whose, 1));
        assert!(!alone.contains("onward-file"), "{alone:?}");
    }
    // The person agreed anew, at either side of the second referral.
    for who in [PH, QA] {
        let mut world = with_a_photo(|_, _| ());
        world.write(SG, First, false, renewed(&narrow));
        world.write(PH, First, false, Transition::Accepted(v1::Accepted {}));
        world.write(who, Onward, false, renewed(&["attachment.photo"]));
        world.write(PH, Onward, true, file(Photo, 2, Some(1)));
        assert_eq!(faults(&world), none);
    }
    let mut world = with_a_photo(|_, _| ());
    world.write(SG, First, false, renewed(&narrow));
    world.write(PH, First, false, Transition::Accepted(v1::Accepted {}));
    world.write(PH, Onward, true, file(Photo, 2, None));
    assert_eq!(faults(&world), BTreeSet::from(["onward-consent"]), "a file of ph's own");
    // It is no copy of what it says that it is.
    for other in [file(Photo, 2, Some(9)), file(Other, 2, Some(1))] {
        let mut world = with_a_photo(|_, _| ());
        world.write(PH, Onward, true, other);
        assert_eq!(faults(&world), found);
    }
    // On another basis what the person said counts all the same.
    let mut world = with_a_photo(|first, onward| {
        for sent in [first, onward] {
            sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
        }
    });
    world.write(SG, First, false, renewed(&narrow));
    world.write(PH, First, false, Transition::Accepted(v1::Accepted {}));
    world.write(PH, Onward, true, file(Photo, 2, Some(1)));
    assert!(faults(&world).contains("onward-file"), "{:?}", faults(&world));
}
