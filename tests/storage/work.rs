//! A case at work, by the engine as it runs in a node: it is sent, files are added, one is read, and
//! then the time to keep it is over.

use std::{collections::BTreeSet, path::Path};

use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use tutti_core::{
    audit::Code,
    body::Part,
    entry::Entry,
    people::{Roles, Scope},
    referral::{ReferralId, attachment::PART_BYTES, form},
    society::{Origin, Society},
    store::{BodyState, Reader as _},
};
use tutti_node::{
    clock::Now,
    engine::{Engine, Identity, Order, Write},
    local::{self, Actor, Local},
    store::DiskStore,
};
use tutti_proto::{node::v1 as api, v1};
use tutti_tests::simulation::{Federation, origin, society};

use super::{
    Problem, Script,
    audit::{Audited, local_is_clean},
    files, must, said, stands_in,
};

/// See the module.
pub(super) struct Work;

const NOW_MS: u64 = 1_764_000_000_000;
const DAY_MS: u64 = 86_400_000;
/// When all is over: then an auditor looks, whatever is there.
const LATER_MS: u64 = NOW_MS + 5 * DAY_MS;
const SEND_KEY: [u8; 16] = [1; 16];

/// Stands in the case, and nowhere on the disk.
const CANARY: &str = "fell from a ladder, canary";

/// The steps that are acknowledged.
const STEPS: usize = 8;

/// What an auditor may say of the only society that ever does anything: nobody vouches for its log, and
/// the other neither answers nor confirms that it has erased.
const EXPLAINED: [Code; 3] = [Code::Unwitnessed, Code::AnswerOverdue, Code::ErasureOpen];

/// A file of two parts, and one that never comes to its end.
fn file(number: usize) -> Vec<u8> {
    let line = format!("Letter {number}, page by page, canary. ");
    line.bytes().cycle().take(PART_BYTES + 3000).collect()
}

/// A node that runs, and who works there.
struct Node {
    engine: Engine<DiskStore, OsRng>,
    actor: Actor,
    id: ReferralId,
    now_ms: u64,
}

fn own() -> (Society, Origin) {
    (society(0), origin(society(0)))
}

impl Node {
    fn start(dir: &Path, now_ms: u64) -> Result<Self, Problem> {
        let federation = Federation::new(2, 0, 30);
        let (society, origin) = own();
        let keyring = federation.secrets[&society].keyring();
        let opened = DiskStore::open(dir, &origin, &federation.roster, &mut |_, _, _| ());
        let opened = opened.map_err(said)?;
        let (people, _) = Local::open(dir, &keyring.local, &origin).map_err(said)?;
        let (account, _) = people.account("operator").map_err(said)?;
        let scopes: BTreeSet<Scope> = Scope::ALL.iter().copied().collect();
        let whose = people.pseudonym(&account);
        let actor = Actor::person(account, whose, Roles::of_one_person(), scopes, None);
        let identity = Identity {
            society,
            name: format!("Society {society}"),
            origin: origin.clone(),
            keyring,
            started_at_ms: now_ms,
            listen: String::new(),
        };
        let now = Now { steady_ms: 0, wall_ms: now_ms };
        let roster = federation.roster.clone();
        let mut engine = Engine::new(identity, roster, opened.store, opened.highwater, OsRng, now);
        engine.set_local(people);
        let id = ReferralId::of(&origin, &SEND_KEY);
        let node = Self { engine, actor, id, now_ms };
        node.goes_on()?;
        Ok(node)
    }

    /// A fault that ends the process ends the script.
    fn goes_on(&self) -> Result<(), Problem> {
        self.engine.fatal().map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn write(&mut self, write: Write) -> Result<(), Problem> {
        let order = Order { by: self.actor.clone(), write, draft: None };
        let now = Now { steady_ms: 0, wall_ms: self.now_ms };
        for answer in self.engine.write_all(vec![order], now) {
            answer.map_err(said)?;
        }
        self.goes_on()
    }

    fn send(&mut self) -> Result<(), Problem> {
        let form: form::ReferralForm = toml::from_str(form::example()).map_err(said)?;
        let (mut sent, mut content) = form.to_messages().map_err(|_| "the example is not sound")?;
        sent.receiver = society(1).to_string();
        sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
        sent.consent = None;
        sent.retain_until = (NOW_MS / DAY_MS + 3) * DAY_MS / 1000;
        content.reason = CANARY.into();
        let (sent, content) = (Box::new(sent), Box::new(content));
        self.write(Write::Send { key: SEND_KEY, sent, content })
    }

    /// Says which file it is, and whether it was added before.
    fn begin(&mut self, number: usize) -> Result<([u8; 16], bool), Problem> {
        let bytes = file(number);
        let request = api::BeginAttachmentRequest {
            id: self.id.to_string(),
            kind: v1::AttachmentKind::MedicalLetter as i32,
            name: format!("letter-{number}.txt"),
            size: bytes.len() as u64,
            sha256: Sha256::digest(&bytes).to_vec(),
            ..Default::default()
        };
        let begun = self.engine.begin_attachment(&self.actor, &request, self.now_ms);
        let begun = begun.map_err(said)?;
        let mut id = [0; 16];
        hex::decode_to_slice(&begun.attachment, &mut id).map_err(said)?;
        Ok((id, begun.added))
    }

    fn keep(&mut self, id: &[u8; 16], number: usize, part: u32) -> Result<(), Problem> {
        let bytes = file(number);
        let bytes = bytes.chunks(PART_BYTES).nth(part as usize - 1).unwrap_or_default();
        let held = self.engine.own_upload(&self.actor, id).map_err(said)?.held;
        if held >= part {
            return Ok(());
        }
        let kept = self.engine.keep_upload_part(&self.actor, id, part, bytes, self.now_ms);
        kept.map_err(said)
    }

    /// The parts, each an entry of its own, and then what was kept of them goes.
    fn add(&mut self, id: &[u8; 16]) -> Result<(), Problem> {
        for part in 1..=2 {
            let media = tutti_core::referral::attachment::MediaType::Text;
            let write = self.engine.attaching(&self.actor, id, part, media).map_err(said)?;
            if let Some(write) = write {
                self.write(write)?;
            }
        }
        self.engine.discard_upload(&self.actor, id).map(drop).map_err(said)
    }

    /// Somebody reads the whole file, which is recorded first.
    fn read(&mut self) -> Result<(), Problem> {
        let whole = file(1);
        let attachment = self.attachment().ok_or("the file is not there")?;
        for (at, bytes) in whole.chunks(PART_BYTES).enumerate() {
            let request = api::ReadAttachmentRequest {
                id: self.id.to_string(),
                attachment: hex::encode(attachment),
                ..Default::default()
            };
            let (offset, first) = ((at * PART_BYTES) as u64, at == 0);
            let read =
                self.engine.read_attachment(&self.actor, &request, offset, first, self.now_ms);
            let read = read.map_err(said)?;
            must(*read.bytes == bytes, || "the file is not what was added".into())?;
        }
        Ok(())
    }

    /// The file of which each part is written.
    fn attachment(&self) -> Option<[u8; 16]> {
        let files = self.engine.case(&self.id)?.attachments();
        files.iter().find(|file| file.known.len() == 2).map(|file| file.id)
    }

    /// Days pass; what is over is erased, and the receipt for it is written.
    fn keep_no_longer(&mut self) -> Result<(), Problem> {
        for minutes in 0..10 {
            let wall_ms = NOW_MS + 4 * DAY_MS + minutes * 60_000;
            self.engine.tick(Now { steady_ms: (minutes + 1) * 61_000, wall_ms });
            self.goes_on()?;
            if self.is_confirmed(wall_ms) {
                return Ok(());
            }
        }
        Err("no receipt for the erasure was written".into())
    }

    fn is_confirmed(&self, now_ms: u64) -> bool {
        let rules = self.engine.roster().data_protection();
        let Some(case) = self.engine.case(&self.id) else { return false };
        case.erasure(now_ms, rules).is_some_and(|erasure| erasure.open(own().0).is_empty())
    }

    /// Of the contents of the case and its files: how many are here, and how many erased.
    fn contents(&self) -> Result<(usize, usize), Problem> {
        let store = self.engine.store();
        let (mut here, mut erased) = (0, 0);
        for entry in store.entries(&own().1, 0, 3, usize::MAX).map_err(said)? {
            let Ok(Entry::V1(header)) = Entry::parse(entry.as_slice()) else { continue };
            let Some(key) = header.body_key(Part::Content) else { continue };
            here += usize::from(store.body_state(&key) == BodyState::Present);
            erased += usize::from(store.body_state(&key) == BodyState::Erased);
        }
        Ok((here, erased))
    }

    /// Its log and the work in it audit clean.
    fn is_clean(&self) -> Result<(), Problem> {
        let federation = Federation::new(2, 0, 30);
        let (society, origin) = own();
        let audit_key = federation.secrets[&society].keyring().audit;
        let (store, audited) = (self.engine.store(), Audited::of(&federation.roster));
        let found = audited.work_is_clean(store, &origin, &audit_key, LATER_MS, &EXPLAINED)?;
        // Every record that the log commits to is here, so that the work was judged.
        must(found.absent == 0 && found.present >= self.entries(), || {
            format!("an auditor finds {found:?} of {} entries", self.entries())
        })
    }

    fn entries(&self) -> u64 {
        self.engine.store().tree(&own().1).size()
    }
}

/// All steps, from wherever it stands.
fn go_through(dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
    let mut node = Node::start(dir, NOW_MS)?;
    node.send()?;
    done();
    let (_, erased) = node.contents()?;
    if erased == 0 {
        let (id, added) = node.begin(1)?;
        done();
        if !added {
            for part in 1..=2 {
                node.keep(&id, 1, part)?;
                done();
            }
            node.add(&id)?;
        }
        done();
        // Another process reads what this one has written.
        drop(node);
        node = Node::start(dir, NOW_MS)?;
        node.read()?;
        done();
        let (other, _) = node.begin(2)?;
        node.keep(&other, 2, 1)?;
        done();
    }
    node.keep_no_longer()?;
    done();
    Ok(())
}

/// Who has read what audits clean, and goes on from where it stood. Gives its head.
fn local_log_is_clean(dir: &Path, earlier: Option<&[u8]>) -> Result<Vec<u8>, Problem> {
    let (society, origin) = own();
    let secret = Federation::new(2, 0, 30).secrets[&society].keyring().local;
    let (local, _) = Local::open(dir, &secret, &origin).map_err(said)?;
    local_is_clean(&local, earlier)
}

impl Script for Work {
    fn prepare(&self, dir: &Path) -> Result<(), Problem> {
        let federation = Federation::new(2, 0, 30);
        let (society, origin) = own();
        let keyring = federation.secrets[&society].keyring();
        DiskStore::begin(dir).map_err(said)?;
        local::found(dir, &keyring.local, &origin, "operator", 1, &mut OsRng).map_err(said)
    }

    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
        go_through(dir, done)
    }

    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem> {
        let node = Node::start(dir, NOW_MS)?;
        let (here, erased) = node.contents()?;
        let first = node.engine.case(&node.id).is_some();
        must(first == (node.entries() > 0), || "the case is not what the log says".into())?;
        must(first || acknowledged == 0, || "the case that was sent is gone".into())?;
        let lie = files(&dir.join("local/uploads")).len();
        let held = match acknowledged {
            2..=4 => acknowledged - 1,
            7 => 2,
            _ => 0,
        };
        let added = node.attachment().is_some();
        must(added || acknowledged < 5, || "the file that was added is gone".into())?;
        must(added || erased > 0 || lie >= held, || {
            format!("{lie} files lie there of an upload of which {held} were acknowledged")
        })?;
        must(acknowledged >= 7 || erased == 0, || "something is erased too early".into())?;
        must(!(5..7).contains(&acknowledged) || here == 3, || {
            format!("{here} of 3 contents are here")
        })?;
        must(acknowledged < STEPS || (here, erased, lie) == (0, 3, 0), || {
            format!("{here} contents and {lie} files are here after the receipt for their erasure")
        })?;
        node.is_clean()?;
        drop(node);
        let head = local_log_is_clean(dir, None)?;
        go_through(dir, &mut || ())?;
        local_log_is_clean(dir, Some(&head))?;
        let node = Node::start(dir, LATER_MS)?;
        node.is_clean()?;
        let (here, erased) = node.contents()?;
        // The case, two parts, and a receipt; a second one where an entry could not be looked at at first, for a
        // receipt names only what is known to be gone.
        must((here, erased) == (0, 3) && matches!(node.entries(), 4 | 5), || {
            format!("gone on to the end: {here} here, {erased} erased, {} entries", node.entries())
        })?;
        let lie = files(&dir.join("local/uploads"));
        must(lie.is_empty(), || format!("of a case that is erased there lies {lie:?}"))?;
        for clear in [CANARY, "page by page, canary"] {
            let place = stands_in(dir, clear.as_bytes());
            must(place.is_none(), || format!("{clear:?} stands in {place:?}"))?;
        }
        Ok(())
    }
}
