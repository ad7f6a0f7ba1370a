//! The local log and what lies beside it: who has read what, a draft, a file on its way into a case.

use std::path::Path;

use rand_core::OsRng;
use tutti_core::{
    referral::{ReferralId, attachment::bytes_of_part},
    store::contract::World,
};
use tutti_node::local::{Actor, Local, Upload, Use};

use super::{Problem, Script, audit::local_is_clean, files, must, noise, said, stands_in};

/// See the module.
pub(super) struct People;

/// Whose draft and file it is.
const ACCOUNT: [u8; 16] = [4; 16];
const FILE: [u8; 16] = [5; 16];

/// One part and some bytes.
const FILE_BYTES: u64 = 990 * 1024 + 700;

const NOW_MS: u64 = 1_764_000_000_000;

enum Step {
    /// A case is read: recorded before it is shown.
    Read(u8),
    /// The one draft becomes this; nothing erases it.
    Draft(&'static str),
    /// A file is about to come.
    Begin,
    /// The next part of it has come.
    Part(u32),
    /// It is added, or given up: what is here of it is erased.
    Discard,
    Reopen,
}

fn steps() -> Vec<Step> {
    use Step::*;
    vec![
        Read(1),
        Draft("receiver = \"sg\", a canary"),
        Begin,
        Part(1),
        Read(2),
        Reopen,
        Draft("receiver = \"ph\", a canary"),
        Part(2),
        Reopen,
        Discard,
        Draft(""),
        Read(3),
        Begin,
        Part(1),
        Draft("receiver = \"qa\", a canary"),
    ]
}

fn part(number: u32) -> Vec<u8> {
    noise(u64::from(number), bytes_of_part(FILE_BYTES, number) as usize)
}

fn referral(number: u8) -> ReferralId {
    ReferralId::from_bytes([number; 16])
}

impl Step {
    fn run(&self, local: &mut Local) -> Result<(), Problem> {
        let (now_ms, rng) = (NOW_MS, &mut OsRng);
        let known = local.drafts(&ACCOUNT).first().map(|(id, _)| *id);
        match self {
            Self::Read(number) => {
                let case = Some(referral(*number));
                let actor = Actor::node();
                local.reading(&actor, case, "content", "", now_ms, rng).map(drop).map_err(said)
            }
            Self::Draft("") => match known {
                Some(id) => local.delete_draft(&ACCOUNT, &id, now_ms, rng).map_err(said),
                None => Ok(()),
            },
            Self::Draft(text) => local
                .save_draft(&ACCOUNT, known, Use::Referral, text, now_ms, rng)
                .map(drop)
                .map_err(said),
            Self::Begin => {
                let upload = Upload {
                    id: FILE,
                    account: ACCOUNT,
                    referral: referral(1),
                    draft: None,
                    source: None,
                    kind: 2,
                    name: "letter.pdf".into(),
                    size: FILE_BYTES,
                    sha256: [6; 32],
                    held: 0,
                    touched_ms: now_ms,
                };
                local.begin_upload(upload, rng).map(drop).map_err(said)
            }
            Self::Part(number) => {
                local.keep_part(&FILE, *number, &part(*number), now_ms, rng).map_err(said)
            }
            Self::Discard => local.discard_upload(&FILE).map(drop).map_err(said),
            Self::Reopen => Ok(()),
        }
    }
}

/// What there is after some steps.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    entries: u64,
    draft: Option<String>,
    /// Whole parts of the file, while it is under way.
    parts: Option<u32>,
}

fn expected(steps: &[Step]) -> Held {
    let mut held = Held { entries: 0, draft: None, parts: None };
    for step in steps {
        match step {
            Step::Read(_) => held.entries += 1,
            Step::Draft(text) => {
                held.entries += 1;
                held.draft = Some(text.to_string()).filter(|text| !text.is_empty());
            }
            Step::Begin => held.parts = Some(0),
            Step::Part(number) => held.parts = Some(*number),
            Step::Discard => held.parts = None,
            Step::Reopen => {}
        }
    }
    held
}

fn found(local: &Local) -> Result<Held, Problem> {
    let known = local.drafts(&ACCOUNT).first().map(|(id, _)| *id);
    let draft = known.map(|id| local.draft(&ACCOUNT, &id).map(|(text, _)| text.to_string()));
    let parts = local.upload(&FILE).map(|upload| upload.held);
    for number in 1..=parts.unwrap_or(0) {
        let kept = local.kept_part(&FILE, number).map_err(said)?;
        must(*kept == part(number), || format!("part {number} is not what came"))?;
    }
    Ok(Held { entries: local.size(), draft: draft.transpose().map_err(said)?, parts })
}

fn open(dir: &Path) -> Result<Local, Problem> {
    let own = World::new().origin("ph");
    Local::open(dir, &[7; 32], &own).map(|(local, _)| local).map_err(said)
}

/// No file but those that are named, and nothing in clear.
fn nothing_is_over(dir: &Path, held: &Held) -> Result<(), Problem> {
    let lie = |folder: &str| files(&dir.join("local").join(folder)).len();
    let kept = held.parts.map_or(0, |parts| parts as usize + 1);
    must(lie("drafts") == usize::from(held.draft.is_some()) && lie("uploads") == kept, || {
        format!(
            "{} drafts and {} files lie there where there are {held:?}",
            lie("drafts"),
            lie("uploads")
        )
    })?;
    for clear in [b" a canary".as_slice(), &part(1)[..48], &part(2)[..48]] {
        let place = stands_in(dir, clear);
        must(place.is_none(), || format!("something stands in clear in {place:?}"))?;
    }
    Ok(())
}

impl Script for People {
    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
        let mut local = open(dir)?;
        for step in &steps() {
            if matches!(step, Step::Reopen) {
                drop(local);
                local = open(dir)?;
            }
            step.run(&mut local)?;
            done();
        }
        Ok(())
    }

    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem> {
        let steps = steps();
        let mut local = open(dir)?;
        let held = found(&local)?;
        let after =
            |count: usize| expected(steps.get(..count.min(steps.len())).unwrap_or_default());
        let next = [acknowledged, acknowledged + 1].into_iter().find(|count| after(*count) == held);
        let next = next
            .ok_or_else(|| format!("after {acknowledged} acknowledged steps there are {held:?}"))?;
        nothing_is_over(dir, &held)?;
        let head = local_is_clean(&local, None)?;
        for step in steps.iter().skip(next) {
            step.run(&mut local)?;
        }
        drop(local);
        let local = open(dir)?;
        local_is_clean(&local, Some(&head))?;
        let held = found(&local)?;
        must(held == expected(&steps), || format!("gone on to the end there are {held:?}"))?;
        nothing_is_over(dir, &held)
    }
}
