//! What the logs of a federation say, read from its disks with every key that there is.
//!
//! No node can know as much. Each record is opened once; on the way it is seen that it opens for
//! those that it is for, and for nobody else.

use std::collections::BTreeMap;

use prost::Message as _;
use tutti_core::{
    body::{BodyKey, Part},
    entry::{Entry, Header, Visibility},
    referral::ReferralId,
    sealing::{self, Identity},
    society::{Origin, Society},
    store::Reader as _,
};
use tutti_node::keyring::Keyring;
use tutti_proto::v1::{self, information_event::Transition as Says, referral_event::Transition};

use super::model::{Line, name};
use crate::simulation::{Node, Simulation, origin};

/// One entry, and what its record says.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) header: Header,
    pub(super) record: v1::Record,
}

impl Fact {
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
}

impl Facts {
    pub(super) fn new(simulation: &Simulation) -> Self {
        let secrets = simulation.federation.secrets.iter();
        let keyrings = secrets.map(|(society, secrets)| (*society, secrets.keyring()));
        Self { keyrings: keyrings.collect(), known: BTreeMap::new() }
    }

    /// Contents beside events that end a case, by their keys: nobody keeps one.
    pub(super) fn silent(&self) -> impl Iterator<Item = BodyKey> {
        let facts = self.known.values().filter(|fact| match &fact.record.event {
            Some(v1::record::Event::Referral(event)) => {
                event.transition.as_ref().is_some_and(|says| is_silent(&fact.record, says))
            }
            _ => false,
        });
        facts.filter_map(|fact| fact.header.body_key(Part::Content))
    }

    /// Every entry that is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.known.values()
    }

    /// The events of a referral by its two sides, the sender first, that satisfy `known`.
    pub(super) fn lines(
        &self,
        id: &ReferralId,
        sides: [Society; 2],
        known: impl Fn(&Fact) -> bool,
    ) -> Vec<Line> {
        let facts = self.known.values().filter(|fact| known(fact));
        facts
            .filter_map(|fact| {
                let Some(v1::record::Event::Referral(event)) = &fact.record.event else {
                    return None;
                };
                let says = event.transition.clone()?;
                let author = fact.header.origin.society();
                let own = author == sides[0];
                let counts = sides.contains(&author) && event.referral_id == id.as_bytes();
                counts.then(|| Line {
                    place: (own, fact.header.index),
                    seen: event.seen.as_ref().map(|seen| seen.index),
                    content: fact.header.content.is_some() && !is_silent(&fact.record, &says),
                    event_id: fact.record.event_id.clone(),
                    says,
                })
            })
            .collect()
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
                self.known.insert((log.clone(), index), Fact { header, record });
            }
        }
    }

    fn record(&self, simulation: &Simulation, header: &Header) -> Option<v1::Record> {
        let body = on_any_disk(simulation, &header.body_key(Part::Record)?)?;
        if header.visibility != Visibility::Addressed {
            return Some(v1::Record::decode(sealing::unsalt(&body).ok()?).expect("a record"));
        }
        let author = &self.keyrings[&header.origin.society()];
        let opened = sealing::open(&body, &[&author.audit]).expect("its author can open it");
        let record = v1::Record::decode(opened.as_slice()).expect("a record");
        let content = header.body_key(Part::Content);
        let content = content.and_then(|key| on_any_disk(simulation, &key));
        for (society, keys) in &self.keyrings {
            let own = *society == header.origin.society();
            let party = own || record.addressees.contains(&society.to_string());
            // One stranger is as good as another; each try costs a fraction of a millisecond.
            let asked = party || header.index as usize % self.keyrings.len() == number(*society);
            if asked && !own {
                opens(&body, &[&keys.case, &keys.audit], party, "the record", *society, header);
            }
            if let Some(content) = content.as_ref().filter(|_| asked) {
                opens(content, &[&keys.case], party, "the content", *society, header);
                opens(content, &[&keys.audit], false, "the content", *society, header);
            }
        }
        Some(record)
    }

    /// A content, opened by whoever can.
    pub(super) fn content(&self, author: Society, sealed: &[u8]) -> Vec<u8> {
        let keys = &self.keyrings[&author];
        sealing::open(sealed, &[&keys.case]).expect("its author can open it").to_vec()
    }
}

fn is_silent(record: &v1::Record, says: &Transition) -> bool {
    const ENDS: [&str; 4] =
        ["consent_withdrawn", "erasure_requested", "entered_in_error", "erased"];
    !record.has_content && ENDS.contains(&name(says))
}

fn number(society: Society) -> usize {
    let bytes = society.as_str().as_bytes();
    usize::from(bytes[1] - b'a')
}

fn opens(
    body: &[u8],
    keys: &[&Identity],
    may: bool,
    what: &str,
    society: Society,
    header: &Header,
) {
    let opened = sealing::open(body, keys).is_ok();
    let (origin, index) = (&header.origin, header.index);
    assert_eq!(opened, may, "whether {society} opens {what} of {origin} {index}");
}

fn on_any_disk(simulation: &Simulation, key: &BodyKey) -> Option<Vec<u8>> {
    let mut disks = simulation.nodes().iter().map(|node| node.store());
    disks.find_map(|disk| disk.body(key, 0, usize::MAX).ok().flatten())
}
