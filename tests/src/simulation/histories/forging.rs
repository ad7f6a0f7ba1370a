//! A member that has turned: what it signs is about a referral of two others, sealed to both as if it
//! were theirs. Its node is honest but for that; the entry is put into its log while it is off.

use prost::Message as _;
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    entry::{Header, Visibility},
    sealing::{self, Party, routing},
    store::{Reader as _, Store as _},
};
use tutti_proto::v1::{self, record::Event, referral_event::Transition as T};

use super::History;
use crate::simulation::origin;

impl History {
    /// Somebody who is no party to a referral writes an event of it.
    pub(super) fn forge(&mut self) {
        let Some(matter) = self.any_matter() else { return };
        let parties = self.matters[matter].parties;
        let strangers = (0..self.count()).filter(|node| !parties.contains(node));
        let strangers: Vec<usize> = strangers.collect();
        let node = strangers[self.choose(strangers.len())];
        if !self.simulation.nodes[node].is_up() {
            return;
        }
        let says = self.lie(matter);
        self.simulation.stop(node, 500);
        self.put(node, matter, says);
        self.simulation.run(501);
    }

    fn lie(&mut self, matter: usize) -> T {
        let content = self.facts_of(matter).next().map(|fact| v1::Seen {
            origin: fact.header.origin.to_string(),
            index: fact.header.index,
        });
        let file = self.files.last().map(|file| file.id.to_vec()).unwrap_or_else(|| vec![7; 16]);
        match self.choose(if self.with_files { 9 } else { 7 }) {
            0 => T::Acknowledged(v1::Acknowledged {}),
            1 => T::Accepted(v1::Accepted {}),
            2 => T::Withdrawn(v1::Withdrawn { code: 1 }),
            3 => T::ConsentWithdrawn(v1::ConsentWithdrawn {
                by: v1::ConsentGiver::Person as i32,
                form: v1::ConsentForm::Verbal as i32,
                extent: 1,
                ..Default::default()
            }),
            4 => T::ErasureRequested(v1::ErasureRequested {
                ground: v1::ErasureGround::Person as i32,
                extent: 1,
                ..Default::default()
            }),
            5 => T::EnteredInError(v1::EnteredInError::default()),
            // Of a file of another's: that there is more of it, that it is to be gone.
            7 => T::Attached(v1::Attached {
                attachment_id: file,
                part: 1,
                parts: 1,
                kind: v1::AttachmentKind::Photo as i32,
                source: None,
            }),
            8 => T::EnteredInError(v1::EnteredInError { attachment: file, ..Default::default() }),
            // It says that all is gone.
            _ => T::Erased(v1::Erased {
                entries: content.into_iter().collect(),
                ..Default::default()
            }),
        }
    }

    /// An entry with this event in the log of a machine that is off.
    fn put(&mut self, node: usize, matter: usize, says: T) {
        let (author, id) = (self.society(node), self.matters[matter].id);
        let others = self.matters[matter].parties.map(|party| self.society(party));
        let keyring = |society| self.simulation.federation.secrets[&society].keyring();
        let own = keyring(author);
        let theirs = others.map(keyring);
        let log = origin(author);
        let mut disk = self.simulation.nodes[node].disk.clone();
        let held = disk.tree(&log);
        self.written += 1;
        let event_id = [&[0xf0; 8][..], &self.written.to_be_bytes()].concat();
        let record = v1::Record {
            origin: log.to_string(),
            event_id: event_id.clone(),
            addressees: others.iter().map(ToString::to_string).collect(),
            event: Some(Event::Referral(v1::ReferralEvent {
                referral_id: id.as_bytes().to_vec(),
                seen: None,
                transition: Some(says),
            })),
            ..Default::default()
        };
        let content = v1::Content { origin: log.to_string(), event_id, content: None };
        let party = |keyring: &tutti_node::keyring::Keyring| Party {
            case: keyring.case.recipient(),
            audit: keyring.audit.recipient(),
        };
        let parties: Vec<Party> = theirs.iter().chain([&own]).map(party).collect();
        let keys: Vec<_> = theirs.iter().map(|keyring| keyring.routing.public()).collect();
        let rng = &mut self.simulation.rng;
        let sealed =
            sealing::seal_both(&record.encode_to_vec(), &content.encode_to_vec(), &parties, rng)
                .expect("small enough");
        let tags = routing::tags(&own.routing, &keys, &log, held.size(), rng).expect("two");
        let body = |part, bytes: &[u8]| Body::new(Place::new(&log, held.size(), part), bytes);
        let bodies = [body(Part::Record, &sealed.record), body(Part::Content, &sealed.content)];
        let header = Header {
            origin: log.clone(),
            index: held.size(),
            recorded_at_ms: self.simulation.nodes[node].clock(self.simulation.now_ms),
            visibility: Visibility::Addressed,
            record: bodies[0].commitment(),
            content: Some(bodies[1].commitment()),
            tags,
        };
        let batch = VerifiedBatch::author(&held, &log, vec![header.encode()], &own.log);
        // Its disk may be full.
        if disk.append(&batch.expect("a sound entry"), &bodies).is_ok() {
            self.forgers.insert(node);
            self.forged += 1;
        }
    }
}
