//! Logs, entries, proofs and the node's own state, as the client API shows them.

use rand_core::CryptoRngCore;
use tutti_core::{
    body::{Part, Place},
    entry::{Entry, EntryBytes, Header, Visibility},
    export::Export,
    head::SignedHead,
    limits::BODY_BYTES_MAX,
    people::Action,
    proof::Proof,
    referral::{EventRef, Owed},
    session::Cost,
    society::Origin,
    store::{BodyState, Store},
};
use tutti_proto::node::v1 as api;

use super::{slice, state_of_body};
use crate::{
    engine::{Engine, Mode, Refused, project::Subject},
    local::Actor,
};

/// Entries and entry bytes in one answer.
const ENTRIES_MAX: u64 = 256;
const ENTRY_BYTES_MAX: usize = 128 * 1024;

/// Bytes of signed heads in a status: all of them, in a federation of 512 whose heads have seventeen
/// witnesses each. One head may be twenty times as long, and has room in the list of logs.
const HEADS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// After how long people are told that a body has not come, milliseconds.
const BODY_LATE_MS: u64 = 60_000;

/// After how long they are told that it may be lost, milliseconds.
const BODY_LOST_MS: u64 = 24 * 60 * 60 * 1000;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// What a person sees first. Peers are the caller's to fill in.
    pub fn status(&self, actor: &Actor, now_ms: u64) -> Result<api::StatusResponse, Refused> {
        self.check(actor, Action::Status)?;
        let counts = self.referral_counts(actor);
        Ok(api::StatusResponse {
            society: self.identity.society.to_string(),
            name: self.identity.name.clone(),
            federation: self.identity.origin.federation().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at_ms: self.identity.started_at_ms,
            roster_version: self.roster.version(),
            roster_expires: self.roster.expires_on().into(),
            logs: self.logs_of_status(),
            peers: Vec::new(),
            referrals: counts.into_iter().map(|(name, count)| (name.into(), count)).collect(),
            overdue: self.overdue(actor, now_ms),
            acknowledgements_overdue: self.overdue_by(actor, Owed::Acknowledgement, now_ms),
            answers_overdue: self.overdue_by(actor, Owed::Answer, now_ms),
            warnings: {
                let mut warnings = self.warnings(now_ms);
                warnings.extend(self.people_warnings(actor, now_ms));
                warnings
            },
            mode: self.mode().name().into(),
            listen: self.identity.listen.clone(),
            erasures_open: self.erasures_open(actor, now_ms),
            unstopped: self.unstopped_count(actor, now_ms),
            waiting: self.waiting(actor, now_ms),
            relay: self.relay_message(),
            put_off: self
                .exchange
                .put_off()
                .into_iter()
                .map(|(society, what)| api::PutOff {
                    society: society.to_string(),
                    what: what.to_string(),
                })
                .collect(),
        })
    }

    /// What a person should look at, in plain sentences.
    fn warnings(&self, now_ms: u64) -> Vec<String> {
        let mut warnings = Vec::new();
        if *self.mode() == Mode::Full {
            warnings.push(Refused::Full.to_string());
        } else if let Err(refused) = self.check_writing() {
            warnings.push(refused.to_string());
        }
        if self.roster.has_expired(now_ms / 1000) {
            warnings.push(format!(
                "the roster expired on {}; service goes on. The societies should sign a new one",
                self.roster.expires_on()
            ));
        }
        warnings.extend(self.roster_refused.clone());
        warnings.extend(self.relay_warnings(now_ms));
        warnings.extend(self.exchange.put_off().into_iter().map(|(society, what)| {
            let what = match what {
                Cost::Entries => "entries",
                Cost::OpenBodies => "texts for everybody",
                Cost::AddressedBodies => "cases and documents for this society",
            };
            format!(
                "{society} has written more {what} than this node takes of one member; the rest comes bit \
                 by bit over the days, and nothing is lost. Where this is no catching-up, something is \
                 wrong there: call them. `tutti roster change --suspend {society}` ends it"
            )
        }));
        warnings.extend(self.no_room_warning());
        if self.is_suspended() {
            warnings.push(
                "the roster says that this society is suspended: no other node speaks to this one. \
                 What is written stays here. Ask the others"
                    .into(),
            );
        }
        for origin in self.store.logs() {
            if origin != self.identity.origin && self.store.evidence(&origin).is_some() {
                warnings.push(format!(
                    "log {origin} was forked: two of its signed heads contradict each other. It is \
                     frozen here; call {} and tell the other societies",
                    origin.society()
                ));
            }
        }
        for origin in self.store.logs() {
            if let Some([smaller, larger]) = self.exchange.doubt(&origin) {
                warnings.push(format!(
                    "log {origin} is in doubt: it has signed a head of {} entries and one of {}, and \
                     nobody who was asked could show that the one continues the other. That is no \
                     proof: {} may only be out of reach. It goes on being asked for, and nobody vouches for the log \
                     meanwhile; if this lasts, call {}",
                    smaller.size(),
                    larger.size(),
                    origin.society(),
                    origin.society()
                ));
            }
        }
        warnings.extend(self.projection_warnings());
        warnings.extend(self.damage_warning());
        warnings.extend(self.late_warnings(now_ms));
        warnings
    }

    /// A body takes moments where its author can be reached; after that people should know.
    fn late_warnings(&self, now_ms: u64) -> Vec<String> {
        let lost_ms = now_ms.saturating_sub(BODY_LOST_MS);
        let late = self.projector.late(now_ms.saturating_sub(BODY_LATE_MS));
        let told = |(origin, (count, since_ms)): (&Origin, (u64, u64))| {
            if *origin == self.identity.origin {
                return format!(
                    "{count} bodies of this society's own entries are not here, as after a restore from \
                     a backup. They are fetched from the societies that they were addressed to, as soon \
                     as these are connected; until then what these entries say is not shown. `tutti log \
                     show` lists them; see `tutti peers`"
                );
            }
            let society = origin.society();
            let told = match count {
                1 => format!("1 body from {society} is still on its way. See `tutti peers`"),
                _ => {
                    format!(
                        "{count} bodies from {society} are still on their way. See `tutti peers`"
                    )
                }
            };
            if since_ms > lost_ms {
                return told;
            }
            format!(
                "{told}. It has taken longer than a day: where {society} is connected, it may have lost \
                 them itself, as when a machine comes back from a backup. `tutti log show --of {society}` tells \
                 which entries these are: ask them, and let them send anew what they have lost"
            )
        };
        late.into_iter().map(told).collect()
    }

    /// Every log that is held.
    pub fn logs(
        &self,
        actor: &Actor,
        request: &api::ListLogsRequest,
    ) -> Result<api::ListLogsResponse, Refused> {
        self.check(actor, Action::Status)?;
        let logs = self.store.logs().iter().map(|origin| self.log(origin)).collect();
        let (logs, next_page_token) = slice(logs, |log| log.origin.as_str(), &request.page_token)?;
        Ok(api::ListLogsResponse { logs, next_page_token })
    }

    /// The same, without signed heads for which there is no room.
    fn logs_of_status(&self) -> Vec<api::LogStatus> {
        let mut bytes = 0;
        let fit = |origin: &Origin| {
            let log = self.log(origin);
            let doubted: usize = log.doubted.iter().map(Vec::len).sum();
            bytes += log.checkpoint.len() + doubted;
            match bytes <= HEADS_BYTES_MAX {
                true => log,
                false => api::LogStatus { checkpoint: Vec::new(), doubted: Vec::new(), ..log },
            }
        };
        self.store.logs().iter().map(fit).collect()
    }

    fn log(&self, origin: &Origin) -> api::LogStatus {
        let tree = self.store.tree(origin);
        let head = self.store.head(origin);
        let cosigned = head.iter().flat_map(SignedHead::witnesses);
        api::LogStatus {
            origin: origin.to_string(),
            society: origin.society().to_string(),
            size: tree.size(),
            root: tree.root().0.to_vec(),
            checkpoint: head.as_ref().map(SignedHead::to_bytes).unwrap_or_default(),
            witnesses: cosigned.map(|c| c.society.to_string()).collect(),
            forked: self.store.evidence(origin).is_some(),
            head_size: head.as_ref().map_or(0, SignedHead::size),
            doubted: self
                .exchange
                .doubt(origin)
                .into_iter()
                .flatten()
                .map(SignedHead::to_bytes)
                .collect(),
        }
    }

    /// Entries of a log from `start`: at most `count` and at most what one answer holds, but at
    /// least one where there is one. Ask again from the next one for more.
    pub fn entries(
        &self,
        actor: &Actor,
        origin: &Origin,
        start: u64,
        count: u64,
    ) -> Result<Vec<api::LogEntry>, Refused> {
        self.check(actor, Action::ReadLog)?;
        let count = count.min(ENTRIES_MAX);
        let entries = self.store.entries(origin, start, count, ENTRY_BYTES_MAX)?;
        let message = |(index, entry): (u64, &EntryBytes)| {
            let parsed = Entry::parse_at(entry.as_slice(), origin, index).ok();
            let header = parsed.as_ref().and_then(Entry::header);
            let state = |part| {
                let key = header.and_then(|header| header.body_key(part));
                key.map_or(api::BodyState::Unspecified, |key| {
                    state_of_body(self.store.body_state(&key))
                })
            };
            api::LogEntry {
                index,
                entry: entry.as_slice().to_vec(),
                record_state: state(Part::Record) as i32,
                content_state: state(Part::Content) as i32,
                summary: self.summary(actor, origin, index, header),
            }
        };
        Ok((start..).zip(&entries).map(message).collect())
    }

    /// A whole log as files; `None` where nothing of it is held.
    pub fn export(
        &self,
        actor: &Actor,
        origin: &Origin,
        rosters: &[Vec<u8>],
        with_bodies: bool,
    ) -> Result<Option<Export>, Refused> {
        self.check(actor, Action::Export)?;
        Ok(Export::new(&self.store, origin, rosters, with_bodies))
    }

    /// The entry and its C2SP tlog-proof under the newest signed head whose entries are all held;
    /// where wanted, with its record's body as it is stored.
    pub fn prove(
        &self,
        actor: &Actor,
        origin: &Origin,
        index: u64,
        with_record: bool,
    ) -> Result<api::ProveResponse, Refused> {
        self.check(actor, Action::ReadLog)?;
        let held = self.store.tree(origin).size();
        let newest = self.store.head(origin).into_iter();
        let heads = newest.chain(self.store.cosigned(origin).into_values());
        let usable = heads.filter(|head| (index.saturating_add(1)..=held).contains(&head.size()));
        let head = usable.max_by_key(SignedHead::size).ok_or_else(|| {
            Refused::NotFound(format!(
                "entry {index} of {origin} is not held here under a signed head yet; {held} \
                 entries are held. See `tutti log show`"
            ))
        })?;
        let inclusion = self.store.inclusion(origin, index, head.size())?;
        let entries = self.store.entries(origin, index, 1, ENTRY_BYTES_MAX)?;
        let entry = entries.into_iter().next().ok_or_else(|| {
            Refused::NotFound(format!("entry {index} of {origin} is not held here"))
        })?;
        let bytes = entry.as_slice().to_vec();
        let record = if with_record { self.stored_record(origin, index, &entry)? } else { vec![] };
        let proof = Proof::new(index, entry, inclusion, &head).to_bytes();
        Ok(api::ProveResponse { proof, entry: bytes, record })
    }

    fn stored_record(
        &self,
        origin: &Origin,
        index: u64,
        entry: &EntryBytes,
    ) -> Result<Vec<u8>, Refused> {
        let parsed = Entry::parse_at(entry.as_slice(), origin, index).ok();
        let key = parsed.as_ref().and_then(Entry::header).and_then(|h| h.body_key(Part::Record));
        let limit = usize::try_from(BODY_BYTES_MAX).unwrap_or(usize::MAX);
        let body = key.map(|key| self.store.body(&key, 0, limit)).transpose()?.flatten();
        body.ok_or_else(|| {
            Refused::NotFound(format!(
                "the record of entry {index} of {origin} is not held here; its proof without the \
                 record is to be had"
            ))
        })
    }

    /// How many bodies are for this node and not here yet.
    pub fn bodies_wanted(&self) -> u64 {
        self.projector.wanted(u64::MAX) as u64
    }

    /// Which bodies these are, in the order of their logs.
    pub fn bodies_waited_for(&self) -> impl Iterator<Item = &Place> {
        self.projector.waited_for()
    }

    /// What keeps the projections from being complete, in plain sentences.
    pub fn projection_warnings(&self) -> Vec<String> {
        self.projector.warnings().collect()
    }

    /// What an entry is, as far as this node may read it; no personal data.
    fn summary(
        &self,
        actor: &Actor,
        origin: &Origin,
        index: u64,
        header: Option<&Header>,
    ) -> String {
        let at = EventRef { origin: origin.clone(), index };
        let Some(header) = header else {
            return "of a later version than this node knows".into();
        };
        match self.projector.subject(&at) {
            Some(Subject::Referral(id)) if !self.sees_case(actor, id) => "of a case".into(),
            Some(Subject::Referral(id)) => {
                let told = self.told_case(id);
                let outcome = told.outcomes().iter().find(|o| o.event.at == at);
                let what = outcome.and_then(|o| o.event.kind()).map_or("malformed", |k| k.name());
                let to = outcome.and_then(|o| o.event.addressees.first());
                let to = to.map_or(String::new(), |society| format!(" to {society}"));
                match outcome.and_then(|outcome| outcome.why.as_ref()) {
                    None => format!("referral {id} {what}{to}"),
                    Some(why) => format!("referral {id} {what}{to}, {}", why.code()),
                }
            }
            Some(Subject::Information(id))
                if self
                    .information
                    .get(id)
                    .is_some_and(|share| !self.reads(actor, share.visibility)) =>
            {
                "of an addressed share".into()
            }
            Some(Subject::Information(id)) => {
                let told = self.told_share(id);
                let outcome = told.outcomes().iter().find(|o| o.event.at == at);
                if outcome.is_none() && header.visibility == Visibility::Addressed {
                    return format!("information {id}, the same for others");
                }
                let what = outcome.and_then(|o| o.event.kind()).map_or("malformed", |k| k.name());
                match outcome.and_then(|outcome| outcome.why.as_ref()) {
                    None => format!("information {id} {what}"),
                    Some(why) => format!("information {id} {what}, {}", why.code()),
                }
            }
            Some(Subject::Unreadable(why)) => format!("unreadable: {why}"),
            Some(Subject::Unknown) => "of a kind that this node does not know".into(),
            None if self.projector.wants(&header.place(Part::Record)) => "on its way".into(),
            None => match header.body_key(Part::Record).map(|key| self.store.body_state(&key)) {
                Some(BodyState::Erased) => "erased".into(),
                Some(BodyState::Present | BodyState::Absent) | None => match header.visibility {
                    Visibility::Addressed => "sealed for others".into(),
                    Visibility::Public | Visibility::Federation => "not read yet".into(),
                },
            },
        }
    }
}
