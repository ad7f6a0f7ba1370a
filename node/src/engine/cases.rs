//! Cases and information shares, told anew: the registers say where their events stand, and the
//! records are read there whenever somebody asks.
//!
//! So memory grows by what the registers hold, and by nothing that anybody has written. The cases
//! that were asked for last are kept for a moment, since most of what is done with a case asks for it
//! several times. Invariants: what is told follows from the events that can be read; nothing here is
//! opened that is not a record, and a record says nothing of who a person is.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    body::{BodyKey, Part},
    entry::{Header, Visibility},
    information::{self, InformationId, Share},
    record::{self, Unreadable},
    referral::{self, EventRef, Referral, ReferralId, Taken},
    sealing::padding,
    store::{Store, StoreError},
};
use tutti_proto::v1;

use super::{Engine, Refused, project::read_body};
use crate::keyring::Keyring;

/// Cases that are kept for the next question, and how much each may say, bytes.
const RECENT_MAX: usize = 32;
const RECENT_BYTES_MAX: usize = 64 * 1024;

const NONCE_BYTES: usize = 24;

/// The cases that were asked for last, the latest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<(ReferralId, Arc<referral::Told>)>);

impl Recent {
    fn get(&mut self, id: &ReferralId) -> Option<Arc<referral::Told>> {
        let at = self.0.iter().position(|(held, _)| held == id)?;
        let found = self.0.remove(at)?;
        let told = found.1.clone();
        self.0.push_front(found);
        Some(told)
    }

    fn put(&mut self, id: ReferralId, told: Arc<referral::Told>) {
        self.forget(&id);
        let bytes = told.outcomes().iter().map(|outcome| outcome.event.body.encoded_len());
        if bytes.sum::<usize>() <= RECENT_BYTES_MAX {
            self.0.truncate(RECENT_MAX - 1);
            self.0.push_front((id, told));
        }
    }

    fn forget(&mut self, id: &ReferralId) {
        self.0.retain(|(held, _)| held != id);
    }
}

/// The key of a record that takes time to open; `None` where it is not sealed.
fn sealed_record(header: &Header) -> Option<BodyKey> {
    let addressed = header.visibility == Visibility::Addressed;
    header.body_key(Part::Record).filter(|_| addressed)
}

/// What was taken at the start and is told when all of it is read.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    referrals: BTreeSet<ReferralId>,
    shares: BTreeSet<InformationId>,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// A referral that this society is a party to, once what sent it is known.
    pub fn case(&self, id: &ReferralId) -> Option<Arc<Referral>> {
        self.referrals.get(id)?;
        self.told_case(id).referral.clone()
    }

    /// Every one of them, by id. Each is read anew: for those who look at all of them in any case.
    pub fn cases(&self) -> impl Iterator<Item = Arc<Referral>> {
        self.referrals.iter().filter_map(|(id, _)| self.case(id))
    }

    /// What is known of every referral without reading it.
    pub fn referral_register(&self) -> &referral::Register {
        &self.referrals
    }

    /// An information share, as its records tell.
    pub fn share_as_told(&self, id: &InformationId) -> Option<Arc<Share>> {
        self.information.get(id)?;
        self.told_share(id).share
    }

    /// Every one of them, by id. Each is read anew.
    pub fn shares_as_told(&self) -> impl Iterator<Item = Arc<Share>> {
        self.information.iter().filter_map(|(id, _)| self.share_as_told(id))
    }

    /// What is known of every information share without reading it.
    pub fn information_register(&self) -> &information::Register {
        &self.information
    }

    /// What the events of a referral come to.
    pub(super) fn told_case(&self, id: &ReferralId) -> Arc<referral::Told> {
        if let Some(told) = self.recent.borrow_mut().get(id) {
            return told;
        }
        let places = self.referrals.places(id);
        let events: Vec<_> = places.iter().filter_map(|at| self.event_at(at)).collect();
        let whole = events.len() == places.len();
        let told = Arc::new(referral::tell(*id, events));
        if whole {
            self.recent.borrow_mut().put(*id, told.clone());
        } else {
            tracing::warn!(referral = %id, "a record of this referral cannot be read now");
        }
        told
    }

    /// The same of an information share.
    pub(super) fn told_share(&self, id: &InformationId) -> information::Told {
        let places = self.information.places(id);
        information::tell(*id, places.iter().filter_map(|at| self.share_event_at(at)))
    }

    /// Refuses to go on with a case of which a record cannot be read: it may be the one that stops it.
    pub(super) fn check_readable(&self, id: &ReferralId) -> Result<(), Refused> {
        match self.told_case(id).outcomes().len() == self.referrals.places(id).len() {
            true => Ok(()),
            false => Err(Refused::Internal(
                "a record of this case cannot be read from the disk now, so nothing was written. See \
                 `tutti status` and the node's own log"
                    .into(),
            )),
        }
    }

    /// Takes an event of a referral; says of which, where its id can be read, and which event there
    /// is no room for.
    pub(super) fn take_event(
        &mut self,
        event: referral::Event,
    ) -> Option<(ReferralId, Option<EventRef>)> {
        // Read before it counts: what is known already is not read again.
        let before = match event.referral_id() {
            Some(id) if !self.starting => self.told_case(&id),
            Some(_) | None => Arc::default(),
        };
        let Taken { id, news, left_out } = self.referrals.take(&event)?;
        if news {
            self.recent.borrow_mut().forget(&id);
            let alone = self.referrals.places(&id).len() == 1;
            // At the start each is told once, when all is read.
            if alone || !self.starting {
                let before = before.outcomes().iter().map(|outcome| outcome.event.clone());
                let events = before.chain([event]).filter(|e| self.referrals.holds(&id, &e.at));
                let told = Arc::new(referral::tell(id, events));
                self.referrals.settle(&id, &told);
                self.recent.borrow_mut().put(id, told);
            } else {
                self.unsettled.referrals.insert(id);
            }
        }
        Some((id, left_out))
    }

    /// Takes an event of an information share; says of which, where its id can be read, and what the
    /// share comes to, where that was told.
    pub(super) fn take_share_event(
        &mut self,
        event: information::Event,
    ) -> Option<(InformationId, Option<information::Told>)> {
        let (id, news) = self.information.take(&event)?;
        if !news {
            return Some((id, None));
        }
        let told = if self.information.places(&id).len() == 1 {
            information::tell(id, [event])
        } else if self.starting {
            self.unsettled.shares.insert(id);
            return Some((id, None));
        } else {
            self.told_share(&id)
        };
        self.information.settle(&id, &told);
        Some((id, Some(told)))
    }

    /// At the start, when everything that is held was read: what it all comes to.
    pub(super) fn settle_all(&mut self, now_ms: u64) {
        self.starting = false;
        let unsettled = std::mem::take(&mut self.unsettled);
        for id in unsettled.referrals {
            self.settle_again(&id);
            self.discard_strangers(&id, now_ms);
        }
        for id in unsettled.shares {
            let told = self.told_share(&id);
            self.information.settle(&id, &told);
        }
        let ids: Vec<ReferralId> = self.referrals.iter().map(|(id, _)| *id).collect();
        ids.iter().for_each(|id| self.note_deadline(id));
    }

    pub(super) fn settle_again(&mut self, id: &ReferralId) {
        self.recent.borrow_mut().forget(id);
        let told = self.told_case(id);
        self.referrals.settle(id, &told);
    }

    /// The event of a referral that stands there; `None` where it cannot be read.
    pub(super) fn event_at(&self, at: &EventRef) -> Option<referral::Event> {
        let (header, record) = self.record_at(at)?;
        let has_content = header.content.is_some();
        referral::Event::from_record(at.clone(), header.recorded_at_ms, has_content, &record)
    }

    pub(super) fn share_event_at(&self, at: &EventRef) -> Option<information::Event> {
        let (header, record) = self.record_at(at)?;
        let (recorded_at_ms, visibility) = (header.recorded_at_ms, header.visibility);
        let has_content = header.content.is_some();
        information::Event::from_record(
            at.clone(),
            recorded_at_ms,
            visibility,
            has_content,
            &record,
        )
    }

    fn record_at(&self, at: &EventRef) -> Option<(Header, v1::Record)> {
        let header = self.header_at(at).ok()??;
        let record = self.read_record(&header).ok()??.ok()?;
        Some((header, record))
    }

    /// Opens the record of an entry; `None` where it is not here.
    pub(super) fn read_record(
        &self,
        header: &Header,
    ) -> Result<Option<Result<v1::Record, Unreadable>>, StoreError> {
        if let Some(record) = self.opened_before(header) {
            return Ok(Some(record::believe(header, record)));
        }
        let Some(body) = read_body(&self.store, header, Part::Record)? else { return Ok(None) };
        let Keyring { case, audit, .. } = &self.identity.keyring;
        Ok(Some(record::open(header, &body, &[case, audit])))
    }

    /// A record that was opened before, from the cache.
    fn opened_before(&self, header: &Header) -> Option<v1::Record> {
        let key = sealed_record(header)?;
        let sealed = self.store.opened(&key)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let cipher = XChaCha20Poly1305::new((&*self.opened_key).into());
        let payload = Payload { msg: sealed, aad: key.as_bytes() };
        let frame = cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
        v1::Record::decode(padding::unpad_at_rest(&frame).ok()?).ok()
    }

    /// Keeps a record that was opened, sealed under a key that never leaves this node and bound to its
    /// place and digest, and padded.
    pub(super) fn keep_opened(&mut self, header: &Header, record: &v1::Record) {
        let Some(key) = sealed_record(header) else { return };
        let Ok(frame) = padding::pad_at_rest(&record.encode_to_vec()) else { return };
        let mut nonce = [0; NONCE_BYTES];
        self.rng.fill_bytes(&mut nonce);
        let cipher = XChaCha20Poly1305::new((&*self.opened_key).into());
        let payload = Payload { msg: &frame, aad: key.as_bytes() };
        if let Ok(sealed) = cipher.encrypt(XNonce::from_slice(&nonce), payload) {
            self.store.keep_opened(&key, &[nonce.as_slice(), &sealed].concat());
        }
    }

    /// Reads a record, and keeps what was opened for the next time.
    pub(super) fn read_and_keep_record(
        &mut self,
        header: &Header,
    ) -> Result<Option<Result<v1::Record, Unreadable>>, StoreError> {
        let record = self.read_record(header)?;
        if let Some(Ok(record)) = &record
            && self.opened_before(header).is_none()
        {
            self.keep_opened(header, record);
        }
        Ok(record)
    }
}
