//! What an auditor says of a log as the disk holds it: it is exported as anyone would export it, and
//! judged from the files alone by the core's audit, which believes nothing of it.

use std::collections::BTreeMap;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tutti_core::{
    audit::{self, Audit, Bodies, Code, Finding, Options, Report, Severity},
    body::Part,
    entry::Entry,
    export,
    head::HeadKeys as _,
    keys::{KeyKind, NoteKey, NoteSecret},
    local::verify,
    roster::{Card, DataProtection, Draft, Member, Roster},
    sealing::Identity,
    society::{Origin, Society},
    store::{BodyState, Reader, contract::World},
};
use tutti_node::local::Local;
use tutti_tests::simulation::Federation;

use super::{Problem, must, said};

/// The federation of the societies of a [`World`], as its founding roster says.
pub(super) struct Audited(Roster);

impl Audited {
    /// The keys of logs and witnesses are the world's; all others nobody uses.
    pub(super) fn world() -> Result<Self, Problem> {
        let world = World::new();
        let federation = world.origin("ph").federation().to_string();
        let (mut cards, mut roots) = (Vec::new(), Vec::new());
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let drawn = Federation::new(3, 0, 30).roster;
        for (code, like) in ["ph", "qa", "sg"].into_iter().zip(drawn.active()) {
            let society: Society = code.parse().map_err(|_| "a society's code")?;
            let name = format!("{federation}/{code}/root");
            let root = NoteSecret::generate(&name, KeyKind::Signature, &mut rng).map_err(said)?;
            let log = world.log_key(&world.origin(code)).ok_or("a log has a key")?;
            let witness = world.witness(&format!("{federation}/{code}/witness"));
            let member = Member {
                society,
                name: format!("Society of {code}"),
                root_key: root.public().clone(),
                log_key: log.clone(),
                witness_key: witness.ok_or("a witness has a key")?.1.clone(),
                ..like.clone()
            };
            let card = Card::sign(&federation, member, &root).map_err(said)?;
            cards.push(Card::open(&card).map_err(said)?);
            roots.push(root);
        }
        let protection = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 30,
            acknowledge_hours: None,
        };
        let mut draft = Draft::found(&cards, 1, "2036-01-01", protection).map_err(said)?;
        for root in &roots {
            draft.sign(root).map_err(said)?;
        }
        Roster::open_first(&draft.to_bytes()).map(Self).map_err(said)
    }

    /// Another federation, whose roster has one version.
    pub(super) fn of(roster: &Roster) -> Self {
        Self(roster.clone())
    }

    /// Every log of a store audits clean: its entries give the root that its head signs, each head
    /// and cosignature verifies, each body that the store has is what its entry commits to. Only
    /// that nobody else vouches for a log is explained. Gives what was found of bodies.
    pub(super) fn is_clean(
        &self,
        store: &impl Reader,
    ) -> Result<BTreeMap<Origin, Bodies>, Problem> {
        let explained = [Code::Unwitnessed];
        let mut bodies = BTreeMap::new();
        for origin in store.logs() {
            let Some(files) = self.export(store, &origin)? else { continue };
            let options = Options { first_roster_hash: Some(self.0.hash()), ..Options::default() };
            let report = audit::audit(&files, options, &mut |_, _| ()).map_err(said)?;
            is_sound(store, &origin, &report)?;
            nothing_was_found(&origin, &report.findings, &explained)?;
            bodies.insert(origin, report.bodies);
        }
        Ok(bodies)
    }

    /// The same of one log, and of the work that its records tell of, opened with an audit key, as
    /// seen at `now_ms`; `explained` is what may be found.
    pub(super) fn work_is_clean(
        &self,
        store: &impl Reader,
        origin: &Origin,
        key: &Identity,
        now_ms: u64,
        explained: &[Code],
    ) -> Result<Bodies, Problem> {
        let Some(files) = self.export(store, origin)? else { return Ok(Bodies::default()) };
        let options = Options { first_roster_hash: Some(self.0.hash()), audit_keys: &[key] };
        let audit = audit::audit_all(&[files], options, now_ms, &mut |_, _| ());
        let Audit { logs, process } = audit.map_err(|(_, error)| said(error))?;
        let [report] = &logs[..] else { return Err("one export gives one report".into()) };
        is_sound(store, origin, report)?;
        must(report.records.opened == report.entries, || {
            format!("{} of {} records were opened", report.records.opened, report.entries)
        })?;
        let found = process.into_iter().flat_map(|process| process.findings);
        let found: Vec<_> = report.findings.iter().cloned().chain(found).collect();
        nothing_was_found(origin, &found, explained)?;
        Ok(report.bodies.clone())
    }

    /// The files; none where no head is held, and then there must be no entry either.
    fn export(
        &self,
        store: &impl Reader,
        origin: &Origin,
    ) -> Result<Option<BTreeMap<String, Vec<u8>>>, Problem> {
        let rosters = [self.0.as_bytes().to_vec()];
        let files: Result<BTreeMap<_, _>, _> = export::files(store, origin, &rosters, true)
            .map(|file| file.map(|file| (file.path, file.bytes)))
            .collect();
        let files = files.map_err(|error| format!("{origin} cannot be exported: {error}"))?;
        let size = store.tree(origin).size();
        must(!files.is_empty() || size == 0, || {
            format!("{size} entries of {origin} have no head")
        })?;
        Ok(Some(files).filter(|files| !files.is_empty()))
    }
}

/// The audit has seen all that the store says it has.
fn is_sound(store: &impl Reader, origin: &Origin, report: &Report) -> Result<(), Problem> {
    let size = store.tree(origin).size();
    must((report.size, report.entries) == (size, size), || {
        format!("{origin}: {} of {} entries audited, {size} held", report.entries, report.size)
    })?;
    let mut held = Bodies::default();
    for entry in store.entries(origin, 0, u64::MAX, usize::MAX).map_err(said)? {
        let Ok(Entry::V1(header)) = Entry::parse(entry.as_slice()) else { continue };
        for key in Part::ALL.into_iter().filter_map(|part| header.body_key(part)) {
            match store.body_state(&key) {
                BodyState::Present => held.present += 1,
                BodyState::Absent => held.absent += 1,
                BodyState::Erased => held.erased += 1,
            }
        }
    }
    must(report.bodies == held, || {
        format!("{origin}: audited {:?}, where the store says {held:?}", report.bodies)
    })
}

fn nothing_was_found(
    origin: &Origin,
    found: &[Finding],
    explained: &[Code],
) -> Result<(), Problem> {
    let wrong: Vec<_> = found
        .iter()
        .filter(|one| one.severity != Severity::Note && !explained.contains(&one.code))
        .map(|one| format!("{} {}: {}", one.code, one.place, one.text))
        .collect();
    must(wrong.is_empty(), || format!("{origin} does not audit clean: {}", wrong.join("; ")))
}

/// The local log audits clean and goes on from where it was exported before. Gives its head now.
pub(super) fn local_is_clean(local: &Local, earlier: Option<&[u8]>) -> Result<Vec<u8>, Problem> {
    let key: NoteKey = local.verifier().parse().map_err(said)?;
    let files: BTreeMap<_, _> = local.export().map_err(said)?.into_iter().collect();
    let report = verify(&key, |path| files.get(path).cloned(), earlier);
    must(report.findings.is_empty(), || {
        format!("the local log does not audit clean: {:?}", report.findings)
    })?;
    must(report.size == local.size(), || {
        format!("{} of {} entries of the local log were exported", report.size, local.size())
    })?;
    files.get("checkpoint").cloned().ok_or_else(|| "the export has no checkpoint".into())
}
