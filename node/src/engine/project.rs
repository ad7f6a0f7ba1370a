//! Projecting: following each log by a cursor, and telling the books what its records say.
//!
//! An entry is ours where it stands in our own log, is not addressed, or carries a tag that we can
//! claim. Its record is opened where the body is here; where not, the body is wanted, and the
//! record is taken when it comes. Contents are never opened here. Invariants: everything here can
//! be thrown away and comes back identical from the store; a body that cannot be read is noted and
//! never an error, for its author has signed it and nobody here is to blame.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{
    body::{Part, Place},
    entry::{Entry, Header, Visibility},
    information::{self, InformationId},
    limits::BODY_BYTES_MAX,
    record::{self, Unreadable},
    referral::{self, EventRef, ReferralId},
    sealing::routing::{self, Token},
    session::BodyWant,
    society::{Origin, Society},
    store::{BodyState, Reader, Store, StoreError},
};
use tutti_proto::v1;

use super::{Engine, Routing, exchange::Happening};

/// Entries and bytes that are read at a time.
const PAGE_ENTRIES: u64 = 256;
pub(super) const PAGE_BYTES: usize = 128 * 1024;

/// Bodies of one log that are waited for at one time. Beyond it the log is followed no further until
/// some come: an author that commits to millions of bodies and gives none fills no memory.
const WANTED_MAX: usize = 4096;

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A referral.
    Referral(ReferralId),
    /// An information share.
    Information(InformationId),
    /// Nothing that can be read, and why.
    Unreadable(Box<Unreadable>),
    /// A record that is of no kind known here.
    Unknown,
}

/// How far each log was followed, and what is still missing.
#[derive(Debug, Default)]
pub(super) struct Projector {
    cursors: BTreeMap<Origin, u64>,
    /// Bodies that are ours and not here, and since when they are wanted.
    wanted: BTreeMap<Place, u64>,
    /// How many of them stand in which log.
    waiting: BTreeMap<Origin, usize>,
    /// Contents that are wanted, once it is known at the start whether they are to be erased.
    later: Vec<BodyWant>,
    subjects: BTreeMap<Origin, BTreeMap<u64, Subject>>,
    /// Logs that could not be read further, and why, for people.
    stuck: BTreeMap<Origin, String>,
}

impl Projector {
    /// Says that the entries before `index` were projected by other means.
    pub(super) fn skip_to(&mut self, origin: &Origin, index: u64) {
        let cursor = self.cursors.entry(origin.clone()).or_default();
        *cursor = (*cursor).max(index);
    }

    /// What the entry is about, where it was projected and is ours.
    pub(super) fn subject(&self, at: &EventRef) -> Option<&Subject> {
        self.subjects.get(&at.origin)?.get(&at.index)
    }

    fn set_subject(&mut self, at: EventRef, subject: Subject) {
        let of_log = self.subjects.entry(at.origin).or_default();
        of_log.insert(at.index, subject);
    }

    /// Entries whose record is wanted, cannot be read, or is of no kind known here.
    pub(super) fn without_subject(&self) -> impl Iterator<Item = EventRef> {
        let wanted = self.wanted.keys().filter(|place| place.part == Part::Record);
        let wanted =
            wanted.map(|place| EventRef { origin: place.origin.clone(), index: place.index });
        let of_none = |subject: &Subject| match subject {
            Subject::Unreadable(_) | Subject::Unknown => true,
            Subject::Referral(_) | Subject::Information(_) => false,
        };
        let known = self.subjects.iter().flat_map(move |(origin, subjects)| {
            let none = subjects.iter().filter(move |(_, subject)| of_none(subject));
            none.map(|(index, _)| EventRef { origin: origin.clone(), index: *index })
        });
        wanted.chain(known)
    }

    /// Logs that could not be read further, in plain sentences.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.stuck.iter().map(|(origin, problem)| {
            format!("what log {origin} says further on is not shown: {problem}")
        })
    }

    /// Notes a body as wanted; says whether that is news.
    fn begin_waiting(&mut self, place: Place, now_ms: u64) -> bool {
        let origin = place.origin.clone();
        let news = self.wanted.insert(place, now_ms).is_none();
        if news {
            *self.waiting.entry(origin).or_default() += 1;
        }
        news
    }

    /// Ends the waiting for a body; says since when it was wanted, if it was.
    pub(super) fn end_waiting(&mut self, place: &Place) -> Option<u64> {
        let since_ms = self.wanted.remove(place)?;
        if let Some(count) = self.waiting.get_mut(&place.origin) {
            *count = count.saturating_sub(1);
        }
        Some(since_ms)
    }

    /// Whether so much of a log is waited for that it is followed no further.
    fn is_full(&self, origin: &Origin) -> bool {
        self.waiting.get(origin).is_some_and(|count| *count >= WANTED_MAX)
    }

    /// How many bodies are ours, not here yet, and wanted since `before_ms` or earlier.
    pub(super) fn wanted(&self, before_ms: u64) -> usize {
        self.wanted.values().filter(|at| **at <= before_ms).count()
    }

    /// Which bodies these are.
    pub(super) fn waited_for(&self) -> impl Iterator<Item = &Place> {
        self.wanted.keys()
    }

    /// How many are wanted since `before_ms` or earlier of each log, and since when the first of them is.
    /// Of one's own log there are some after a restore.
    pub(super) fn late(&self, before_ms: u64) -> BTreeMap<&Origin, (u64, u64)> {
        let mut late = BTreeMap::new();
        for (at, since_ms) in self.wanted.iter().filter(|(_, since_ms)| **since_ms <= before_ms) {
            let (count, first_ms) = late.entry(&at.origin).or_insert((0, *since_ms));
            (*count, *first_ms) = (*count + 1, (*first_ms).min(*since_ms));
        }
        late
    }

    /// How far a log was followed.
    pub(super) fn cursor(&self, origin: &Origin) -> u64 {
        self.cursors.get(origin).copied().unwrap_or(0)
    }

    /// Whether a record of one of these societies is ours and not here yet.
    pub(super) fn wants_records_of(&self, societies: &[Society]) -> bool {
        let mut places = self.wanted.keys();
        places.any(|at| at.part == Part::Record && societies.contains(&at.origin.society()))
    }

    /// Whether a body is ours and not here yet.
    pub(super) fn wants(&self, place: &Place) -> bool {
        self.wanted.contains_key(place)
    }
}

impl Routing {
    /// The token that claims the bodies of an addressed entry: of another society's entry that is
    /// addressed to us, or of our own that is addressed to anyone. And the societies that it is
    /// addressed to, where it is our own.
    pub(super) fn claim(
        &self,
        own: &Origin,
        header: &Header,
    ) -> Option<(Token, BTreeSet<Society>)> {
        let claim = |pair| {
            let claimed = routing::claim(pair, &header.origin, header.index, &header.tags);
            claimed.map(|(_, token)| token)
        };
        let author = header.origin.society();
        if author != own.society() {
            return Some((self.pairs.get(&author).and_then(claim)?, BTreeSet::new()));
        }
        let claimed: BTreeMap<Society, Token> =
            self.pairs.iter().filter_map(|(of, pair)| Some((*of, claim(pair)?))).collect();
        let token = *claimed.values().next()?;
        Some((token, claimed.into_keys().collect()))
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Brings the projections up to every log that is held.
    pub(super) fn project_all(&mut self, now_ms: u64) {
        for origin in self.store.logs() {
            self.project(&origin, now_ms);
        }
    }

    /// Brings the projections up to the log's end.
    pub(super) fn project(&mut self, origin: &Origin, now_ms: u64) {
        let end = self.store.tree(origin).size();
        self.project_until(origin, end, now_ms);
    }

    /// Brings the projections up to the entry before `end`.
    pub(super) fn project_until(&mut self, origin: &Origin, end: u64, now_ms: u64) {
        loop {
            let cursor = self.projector.cursors.get(origin).copied().unwrap_or(0);
            let count = end.saturating_sub(cursor).min(PAGE_ENTRIES);
            if count == 0 {
                return;
            }
            // Nobody can fill our memory with our own log.
            if self.projector.is_full(origin) && *origin != self.identity.origin {
                let problem = format!("{WANTED_MAX} of its bodies have not come yet");
                self.projector.stuck.insert(origin.clone(), problem);
                return;
            }
            let entries = match self.store.entries(origin, cursor, count, PAGE_BYTES) {
                Ok(entries) if entries.is_empty() => return,
                Ok(entries) => entries,
                Err(error) => return self.could_not_read(origin, error),
            };
            for (index, entry) in (cursor..).zip(&entries) {
                // The store takes only what parses at its place; a later version says nothing yet.
                if let Ok(Entry::V1(header)) = Entry::parse_at(entry.as_slice(), origin, index)
                    && let Err(error) = self.project_entry(&header, now_ms)
                {
                    return self.could_not_read(origin, error);
                }
                self.projector.skip_to(origin, index + 1);
            }
            self.projector.stuck.remove(origin);
        }
    }

    /// Looks at an entry once more: a body of it is gone.
    pub(super) fn project_again(&mut self, header: &Header, now_ms: u64) {
        if let Err(error) = self.project_entry(header, now_ms) {
            self.could_not_read(&header.origin, error);
        }
    }

    /// Takes a body that has arrived and is durable.
    pub(super) fn project_body(&mut self, place: &Place, now_ms: u64) {
        self.is_whole(place);
        if self.lent_body(place, false, now_ms) || self.projector.end_waiting(place).is_none() {
            return;
        }
        let at = EventRef { origin: place.origin.clone(), index: place.index };
        match (place.part, self.header_at(&at)) {
            (Part::Record, Ok(Some(header))) => {
                if let Err(error) = self.project_record(&header, now_ms) {
                    self.could_not_read(&at.origin, error);
                }
            }
            // What comes before its record is told with it.
            (Part::Content, Ok(Some(_))) => match self.projector.subject(&at) {
                Some(Subject::Referral(id)) => {
                    let (id, event) = (id.to_string(), self.event_at(&at));
                    if event.as_ref().is_some_and(|event| event.is_silent()) {
                        self.discard_silent(&at, now_ms);
                    } else if event.is_some_and(|event| event.has_content) {
                        self.changed(now_ms, "referral", id, "content_arrived");
                    }
                }
                Some(Subject::Information(id)) => {
                    let id = id.to_string();
                    self.changed(now_ms, "information", id, "content_arrived");
                }
                Some(Subject::Unreadable(_) | Subject::Unknown) | None => {}
            },
            (_, Ok(None)) => {}
            (_, Err(error)) => self.could_not_read(&at.origin, error),
        }
        self.say_arrived_at(place, now_ms);
        self.project(&at.origin, now_ms);
    }

    /// Forgets that a body is wanted: its author has erased it.
    pub(super) fn forget_body(&mut self, want: &BodyWant, now_ms: u64) {
        self.projector.end_waiting(&want.place());
        let at = EventRef { origin: want.origin.clone(), index: want.index };
        if want.part == Part::Content && self.is_silent_at(&at) {
            self.discard_content(&at, now_ms);
        }
        self.say_arrived_at(&want.place(), now_ms);
        self.project(&want.origin, now_ms);
    }

    fn project_entry(&mut self, header: &Header, now_ms: u64) -> Result<(), StoreError> {
        let addressed = header.visibility == Visibility::Addressed;
        let claim =
            if addressed { self.routing.claim(&self.identity.origin, header) } else { None };
        let own = header.origin == self.identity.origin;
        if addressed && !own && claim.is_none() {
            self.find_kept(header, now_ms);
            return Ok(());
        }
        // Where the author was not told before this node ended.
        let recent =
            now_ms.saturating_sub(header.recorded_at_ms) < self.roster.relaying().keep_ms();
        if addressed && own {
            self.deliver(header);
        } else if addressed && recent {
            self.say_arrived(header, now_ms);
        }
        let at = EventRef { origin: header.origin.clone(), index: header.index };
        for part in Part::ALL {
            let Some(key) = header.body_key(part) else { continue };
            match self.store.body_state(&key) {
                BodyState::Present if part == Part::Record => {
                    match self.project_record(header, now_ms) {
                        // Found by reading it: from now on it is absent. The log goes on.
                        Err(StoreError::Damaged { .. }) => {
                            self.want(header, part, claim.clone(), now_ms)
                        }
                        done => done?,
                    }
                }
                BodyState::Absent if part == Part::Content && self.is_due(&at, now_ms) => {
                    self.never_take(&at, now_ms);
                }
                BodyState::Absent => self.want(header, part, claim.clone(), now_ms),
                BodyState::Present | BodyState::Erased => {}
            }
        }
        Ok(())
    }

    fn want(
        &mut self,
        header: &Header,
        part: Part,
        claim: Option<(Token, BTreeSet<Society>)>,
        now_ms: u64,
    ) {
        let Some(commitment) = header.commitment(part) else { return };
        if self.projector.begin_waiting(header.place(part), now_ms) {
            let (token, addressees) = claim.unzip();
            let (origin, index) = (header.origin.clone(), header.index);
            let addressees = addressees.unwrap_or_default();
            let want = BodyWant { origin, index, part, commitment, token, lent: false, addressees };
            match self.starting && part == Part::Content {
                true => self.projector.later.push(want),
                false => self.inbox.push_back(Happening::Want(want)),
            }
        }
    }

    /// At the start, when it is known what is to be erased: asks for the contents that are not.
    pub(super) fn want_contents(&mut self, now_ms: u64) {
        for want in std::mem::take(&mut self.projector.later) {
            let (place, at) =
                (want.place(), EventRef { origin: want.origin.clone(), index: want.index });
            if self.is_due(&at, now_ms) {
                self.projector.end_waiting(&place);
            } else if self.projector.wants(&place) {
                self.inbox.push_back(Happening::Want(want));
            }
        }
    }

    /// A record names who may have the content besides its author: they are asked for it too.
    fn ask_addressees(&mut self, header: &Header, record: &v1::Record) {
        let own = self.identity.society;
        let addressees: BTreeSet<Society> =
            record::addressees(record).into_iter().filter(|society| *society != own).collect();
        let part = Part::Content;
        if addressees.is_empty() || !self.projector.wants(&header.place(part)) {
            return;
        }
        let claim = self.routing.claim(&self.identity.origin, header);
        if let (Some((token, _)), Some(commitment)) = (claim, header.commitment(part)) {
            let (origin, index, token) = (header.origin.clone(), header.index, Some(token));
            let want = BodyWant { origin, index, part, commitment, token, lent: false, addressees };
            self.inbox.push_back(Happening::Want(want));
        }
    }

    fn project_record(&mut self, header: &Header, now_ms: u64) -> Result<(), StoreError> {
        let at = EventRef { origin: header.origin.clone(), index: header.index };
        match self.read_and_keep_record(header)? {
            Some(Ok(record)) => {
                self.apply(header, &record, now_ms);
                self.ask_addressees(header, &record);
            }
            Some(Err(unreadable)) => {
                self.projector.set_subject(at, Subject::Unreadable(Box::new(unreadable)));
            }
            None => {}
        }
        Ok(())
    }

    /// Tells the books what a record says, and the watchers what came of it.
    pub(super) fn apply(&mut self, header: &Header, record: &v1::Record, now_ms: u64) {
        let at = EventRef { origin: header.origin.clone(), index: header.index };
        let (recorded_at_ms, visibility) = (header.recorded_at_ms, header.visibility);
        let has_content = header.content.is_some();
        let (mut named, mut silent) = (false, false);
        let mut subject = Subject::Unknown;
        if let Some(event) =
            referral::Event::from_record(at.clone(), recorded_at_ms, has_content, record)
        {
            let what = event.kind().map_or("malformed", referral::Kind::name);
            silent = event.is_silent();
            if let Some((id, left_out)) = self.take_event(event) {
                if !self.starting {
                    let told = self.told_case(&id);
                    let own = told.outcomes().iter().find(|outcome| outcome.event.at == at);
                    let why = own.and_then(|outcome| outcome.why.as_ref());
                    self.changed(
                        now_ms,
                        "referral",
                        id.to_string(),
                        why.map_or(what, referral::Why::code),
                    );
                }
                // Nobody is ever shown it, and so it goes with no case.
                left_out.iter().for_each(|at| self.discard_content(at, now_ms));
                named = true;
                subject = Subject::Referral(id);
            }
        } else if let Some(event) = information::Event::from_record(
            at.clone(),
            recorded_at_ms,
            visibility,
            has_content,
            record,
        ) {
            let what = event.kind().map_or("malformed", information::Kind::name);
            if let Some((id, told)) = self.take_share_event(event) {
                if !self.starting {
                    let told = told.unwrap_or_else(|| self.told_share(&id));
                    let own = told.outcomes().iter().find(|outcome| outcome.event.at == at);
                    let why = own.and_then(|outcome| outcome.why.as_ref());
                    self.changed(
                        now_ms,
                        "information",
                        id.to_string(),
                        why.map_or(what, information::Why::code),
                    );
                }
                named = true;
                subject = Subject::Information(id);
            }
        }
        if at.origin == self.identity.origin
            && named
            && let Ok(key) = <[u8; 16]>::try_from(record.event_id.as_slice())
        {
            self.receipts.entry(key).or_insert(at.index);
        }
        let referral = match &subject {
            Subject::Referral(id) => Some(*id),
            Subject::Information(_) | Subject::Unreadable(_) | Subject::Unknown => None,
        };
        self.projector.set_subject(at.clone(), subject);
        if silent {
            self.discard_silent(&at, now_ms);
        }
        if let Some(id) = referral.filter(|_| !self.starting) {
            self.note_deadline(&id);
            self.discard_strangers(&id, now_ms);
            self.event_may_erase(&id, now_ms);
        }
    }

    /// Reading failed: what is shown stays as it is, and people are told.
    fn could_not_read(&mut self, origin: &Origin, error: StoreError) {
        if matches!(error, StoreError::Fatal(_)) {
            self.fatal = Some(error.to_string());
        }
        self.projector.stuck.insert(origin.clone(), error.to_string());
    }
}

/// The whole of a body that is present.
pub(super) fn read_body(
    store: &impl Reader,
    header: &Header,
    part: Part,
) -> Result<Option<Vec<u8>>, StoreError> {
    let (Some(committed), Some(key)) = (header.commitment(part), header.body_key(part)) else {
        return Ok(None);
    };
    let size = usize::try_from(committed.size.min(BODY_BYTES_MAX)).unwrap_or(0);
    let body = store.body(&key, 0, size + 1)?;
    Ok(body.filter(|body| body.len() == size))
}
