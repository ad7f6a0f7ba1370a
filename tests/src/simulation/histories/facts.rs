//! What the logs of a federation say, read from its disks with every key that there is.
//!
//! No node can know as much. Each record is opened once; on the way keys are tried on its entry's
//! bodies ([`super::trials`]): they open for those that they are for, and for nobody else.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use tutti_core::{
    body::{BodyKey, Part},
    entry::{Entry, Header, Visibility},
    referral::ReferralId,
    sealing,
    society::{Origin, Society},
    store::Reader as _,
};
use tutti_node::keyring::Keyring;
use tutti_proto::v1::{self, information_event::Transition as Says, referral_event::Transition};

use super::{
    model::{Line, name},
    trials::{Trial, Trials},
};
use crate::simulation::{Node, Simulation, origin};

/// One entry, and what its record says.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) header: Header,
    pub(super) record: v1::Record,
    keys: [Option<BodyKey>; 2],
}

impl Fact {
    /// By what its record or its content is found on a disk.
    pub(super) fn key(&self, part: Part) -> Option<BodyKey> {
        match part {
            Part::Record => self.keys[0],
            Part::Content => self.keys[1],
        }
    }

    /// What it says of a referral, and of which.
    pub(super) fn referral(&self) -> Option<&v1::ReferralEvent> {
        match &self.record.event {
            Some(v1::record::Event::Referral(event)) => Some(event),
            _ => None,
        }
    }

    /// A share of information that is for some alone.
    pub(super) fn is_for_some(&self) -> bool {
        let event = match &self.record.event {
            Some(v1::record::Event::Information(event)) => event,
            _ => return false,
        };
        let published = matches!(event.transition, Some(Says::Published(_)));
        published && self.header.visibility == Visibility::Addressed
    }
}

/// See the module.
pub(super) struct Facts {
    keyrings: BTreeMap<Society, Keyring>,
    known: BTreeMap<(Origin, u64), Fact>,
    /// Where the events of each referral stand, by its id.
    about: BTreeMap<Vec<u8>, BTreeSet<(Origin, u64)>>,
    trials: Trials,
}

impl Facts {
    pub(super) fn new(simulation: &Simulation, seed: u64) -> Self {
        let secrets = simulation.federation.secrets.iter();
        let keyrings = secrets.map(|(society, secrets)| (*society, secrets.keyring()));
        Self {
            keyrings: keyrings.collect(),
            known: BTreeMap::new(),
            about: BTreeMap::new(),
            trials: Trials::starting(seed),
        }
    }

    /// Contents beside events that end a case, by their keys: nobody keeps one.
    pub(super) fn silent(&self) -> impl Iterator<Item = BodyKey> {
        let silent = |fact: &&Fact| {
            let says = fact.referral().and_then(|event| event.transition.as_ref());
            says.is_some_and(|says| is_silent(&fact.record, says))
        };
        self.known.values().filter(silent).filter_map(|fact| fact.key(Part::Content))
    }

    /// Every entry that is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.known.values()
    }

    /// What anybody has written of a referral.
    pub(super) fn of(&self, id: ReferralId) -> impl Iterator<Item = &Fact> {
        let places = self.about.get(&id.as_bytes()[..]).into_iter().flatten();
        places.filter_map(|at| self.known.get(at))
    }

    /// The events of a referral by its two sides, the sender first, that satisfy `known`.
    pub(super) fn lines(
        &self,
        id: ReferralId,
        sides: [Society; 2],
        known: impl Fn(&Fact) -> bool,
    ) -> Vec<Line> {
        let by_a_side = |fact: &&Fact| sides.contains(&fact.header.origin.society());
        let facts = self.of(id).filter(by_a_side).filter(|fact| known(fact));
        facts
            .filter_map(|fact| {
                let event = fact.referral()?;
                let says = event.transition.clone()?;
                let own = fact.header.origin.society() == sides[0];
                Some(Line {
                    place: (own, fact.header.index),
                    seen: event.seen.as_ref().map(|seen| seen.index),
                    content: fact.header.content.is_some() && !is_silent(&fact.record, &says),
                    event_id: fact.record.event_id.clone(),
                    says,
                })
            })
            .collect()
    }

    /// How often each kind of key was tried.
    pub(super) fn tried(&self) -> &BTreeMap<Trial, u64> {
        self.trials.tried()
    }

    /// Reads what is new, each log from the disk that has most of it.
    pub(super) fn learn(&mut self, simulation: &Simulation) {
        let societies: Vec<Society> = self.keyrings.keys().copied().collect();
        for society in societies {
            let log = origin(society);
            let held = |node: &&Node| node.store().tree(&log).size();
            let Some(most) = simulation.nodes().iter().max_by_key(held) else { continue };
            let known = self.known.range((log.clone(), 0)..=(log.clone(), u64::MAX)).count();
            let rest = most.store().entries(&log, known as u64, u64::MAX, usize::MAX);
            for (index, entry) in (known as u64..).zip(rest.expect("a disk that can be read")) {
                let entry = Entry::parse_at(entry.as_slice(), &log, index);
                let Ok(Entry::V1(header)) = entry else { panic!("{log} {index} is no entry") };
                // Its record may be on no disk at this moment: then it is looked for later.
                let Some(record) = self.record(simulation, &header) else { break };
                let keys = Part::ALL.map(|part| header.body_key(part));
                let (at, fact) = ((log.clone(), index), Fact { header, record, keys });
                if let Some(event) = fact.referral() {
                    let about = self.about.entry(event.referral_id.clone()).or_default();
                    about.insert(at.clone());
                }
                self.known.insert(at, fact);
            }
        }
    }

    fn record(&mut self, simulation: &Simulation, header: &Header) -> Option<v1::Record> {
        let body = on_any_disk(simulation, &header.body_key(Part::Record)?)?;
        if header.visibility != Visibility::Addressed {
            return Some(v1::Record::decode(sealing::unsalt(&body).ok()?).expect("a record"));
        }
        let author = &self.keyrings[&header.origin.society()];
        let opened = sealing::open(&body, &[&author.audit]).expect("its author can open it");
        let record = v1::Record::decode(opened.as_slice()).expect("a record");
        let content = header.body_key(Part::Content);
        let content = content.and_then(|key| on_any_disk(simulation, &key));
        let bodies = [Some(body.as_slice()), content.as_deref()];
        self.trials.on(&self.keyrings, header, &record, bodies);
        Some(record)
    }

    /// A content, opened by whoever can.
    pub(super) fn content(&self, author: Society, sealed: &[u8]) -> Vec<u8> {
        let keys = &self.keyrings[&author];
        sealing::open(sealed, &[&keys.case]).expect("its author can open it").to_vec()
    }
}

fn is_silent(record: &v1::Record, says: &Transition) -> bool {
    const ENDS: [&str; 5] = [
        "consent_withdrawn",
        "erasure_requested",
        "entered_in_error",
        "file_entered_in_error",
        "erased",
    ];
    !record.has_content && ENDS.contains(&name(says))
}

fn on_any_disk(simulation: &Simulation, key: &BodyKey) -> Option<Vec<u8>> {
    let mut disks = simulation.nodes().iter().map(|node| node.store());
    disks.find_map(|disk| disk.body(key, 0, usize::MAX).ok().flatten())
}
