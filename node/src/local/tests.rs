#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tutti_core::{
    keys::NoteKey,
    local::verify,
    people::{Role, Roles, Scope},
    referral::ReferralId,
};

use super::*;
use crate::disk::faults::{self, Fault};

const NOW_MS: u64 = 1_764_000_000_000;

fn own() -> Origin {
    "m.example.org/ph/1".parse().unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn open(dir: &Path) -> Local {
    Local::open(dir, &[7; 32], &own()).unwrap().0
}

fn roles(list: &[Role]) -> Roles {
    list.iter().copied().collect()
}

/// Every byte of every file below.
fn bytes_of(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.path().is_dir() {
            true => bytes.extend(bytes_of(&entry.path())),
            false => bytes.extend(fs::read(entry.path()).unwrap()),
        }
    }
    bytes
}

fn holds(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[test]
fn accounts_tokens_and_passwords_come_back_after_a_restart_and_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    found(dir.path(), &[7; 32], &own(), "josefina", NOW_MS, &mut rng).unwrap();
    let secret = fs::read_to_string(dir.path().join(OPERATOR_TOKEN)).unwrap();
    let mut local = open(dir.path());
    let id = local.add_account("", "maria.santos", &roles(&[Role::Caseworker]), NOW_MS, &mut rng);
    let id = id.unwrap();
    let code = local.renew_start_code("maria.santos", NOW_MS, &mut rng).unwrap();
    let read = BTreeSet::from([Scope::Read]);
    let case = BTreeSet::from([ReferralId::from_bytes([3; 16])]);
    let until = NOW_MS + 1000;
    let token =
        local.issue("", &id, "a tablet", &read, Some(&case), until, NOW_MS, &mut rng).unwrap();
    drop(local);

    let mut local = open(dir.path());
    assert!(local.gate().admit(secret.trim(), NOW_MS).unwrap().actor.roles().open_cases());
    let admitted = local.gate().admit(&token.text, NOW_MS).unwrap();
    assert_eq!(admitted.actor.account(), Some(&id));
    assert_eq!(admitted.actor.cases(), Some(&case));
    assert!(local.gate().admit(&token.text, until).is_none(), "its time is over");
    assert!(local.gate().admit("tutti_00", NOW_MS).is_none());
    let LoginStep::Check { hash, start_code: true } =
        local.begin_login("maria.santos", Address::Machine, NOW_MS, &mut rng).unwrap()
    else {
        panic!()
    };
    assert!(password::matches(&code, &hash));
    let login =
        local.end_login("maria.santos", Address::Machine, &hash, None, NOW_MS, &mut rng).unwrap();
    assert!(local.gate().admit(&login.text, NOW_MS).is_some());

    local.set_roles("", "maria.santos", None, Some(false), NOW_MS, &mut rng).unwrap();
    assert!(local.gate().admit(&login.text, NOW_MS).is_none(), "off at once");
    assert!(!local.is_here(&local.pseudonym(&id)));
    let last = local.set_roles("", "josefina", None, Some(false), NOW_MS, &mut rng);
    assert!(matches!(last, Err(PeopleError::LastAdministrator(_))));
    let bytes = bytes_of(&dir.path().join("local"));
    for word in ["maria", "josefina", "a tablet", "argon2"] {
        assert!(!holds(&bytes, word), "{word}");
    }
}

#[test]
fn who_lost_every_token_gets_back_in_with_the_keys_and_nobody_else_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    found(dir.path(), &[7; 32], &own(), "josefina", NOW_MS, &mut rng).unwrap();
    let path = dir.path().join(OPERATOR_TOKEN);
    let before = fs::read_to_string(&path).unwrap();
    reset(dir.path(), &[7; 32], &own(), "josefina", NOW_MS, &mut rng).unwrap();
    let after = fs::read_to_string(&path).unwrap();
    let local = open(dir.path());
    assert!(local.gate().admit(before.trim(), NOW_MS).is_none());
    assert!(local.gate().admit(after.trim(), NOW_MS).is_some());
    assert_eq!(local.shown(true, 9).len(), 1, "the focal point is told");
    // Without the keys, nothing.
    assert!(Local::open(dir.path(), &[8; 32], &own()).is_err());
}

/// What was changed, cut out, moved or cut off stops the start. What a crash cut off at the end, before
/// anyone was told, does not.
#[test]
fn the_log_is_chained_and_its_end_may_be_torn() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    found(dir.path(), &[7; 32], &own(), "josefina", NOW_MS, &mut rng).unwrap();
    let mut local = open(dir.path());
    let actor = Actor::node();
    let mut read = |local: &mut Local, n: u8| {
        let case = Some(ReferralId::from_bytes([n; 16]));
        local
            .reading(&actor, case, "content", "a reason of some length", NOW_MS, &mut rng)
            .unwrap();
    };
    (0..199).for_each(|n| read(&mut local, n));
    let path = dir.path().join("local/log");
    let beside = dir.path().join("local/acknowledged");
    let lagging = fs::read(&beside).unwrap();
    read(&mut local, 199);
    let (size, end) = (local.size(), local.log_end());
    drop(local);
    let whole = fs::read(&path).unwrap();
    let told = fs::read(&beside).unwrap();
    let put = |log: &[u8], acknowledged: &[u8]| {
        fs::write(&path, log).unwrap();
        fs::write(&beside, acknowledged).unwrap();
        Local::open(dir.path(), &[7; 32], &own())
    };
    for at in (0..end as usize).step_by(997) {
        let mut bad = whole.clone();
        bad[at] ^= 0x40;
        let Err(error) = put(&bad, &told) else { panic!("byte {at} of {end}") };
        assert!(error.to_string().contains("local/log at byte"), "{error}");
        // Where it is not known what was answered, at most one frame of the largest size is taken for
        // torn, and kept.
        let opened = put(&bad, &[]);
        let torn = opened.as_ref().is_ok_and(|(_, notices)| !notices.is_empty());
        assert!(opened.is_err() || (torn && end as usize - at < 40_000), "byte {at} of {end}");
        assert!(opened.is_err() || path.with_extension("cut").exists());
        for zeros in [0, whole.len() - at] {
            let mut cut = whole[..at].to_vec();
            cut.resize(at + zeros, 0);
            assert!(put(&cut, &told).is_err(), "cut at {at} of {end}");
        }
    }
    for cut in [1, 30, 100] {
        let mut torn = whole.clone();
        torn[end as usize - cut..].fill(0);
        assert!(put(&torn, &told).is_err(), "it was answered");
        let (local, notices) = put(&torn, &lagging).unwrap();
        assert!(local.size() == size - 1 && !notices.is_empty());
        let (_, again) = Local::open(dir.path(), &[7; 32], &own()).unwrap();
        assert!(again.is_empty(), "it is told once");
    }
    assert_eq!(put(&whole, &told).unwrap().0.size(), size);
    assert_eq!(put(&whole, &told[1..]).unwrap().0.size(), size, "rubbish says nothing");
}

#[test]
fn reads_are_exported_for_the_auditor_and_bulk_reading_raises_an_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    found(dir.path(), &[7; 32], &own(), "josefina", NOW_MS, &mut rng).unwrap();
    let mut local = open(dir.path());
    let actor = Actor::person([1; 16], "p".into(), Roles::default(), BTreeSet::new(), None);
    let mut raised = Vec::new();
    for n in 0..BULK_READS as u8 + 1 {
        let case = Some(ReferralId::from_bytes([n; 16]));
        // The same case again is no further case.
        for _ in 0..2 {
            raised.extend(local.reading(&actor, case, "content", "", NOW_MS, &mut rng).unwrap());
        }
    }
    assert_eq!(raised, ["bulk_reading"]);
    let later = NOW_MS + HOUR_MS;
    let case = Some(ReferralId::from_bytes([200; 16]));
    assert!(local.reading(&actor, case, "content", "", later, &mut rng).unwrap().is_empty());

    let files: std::collections::BTreeMap<_, _> = local.export().unwrap().into_iter().collect();
    let key: NoteKey = local.verifier().parse().unwrap();
    let report = verify(&key, |path| files.get(path).cloned(), None);
    assert_eq!(report.findings, Vec::new());
    assert_eq!(report.reads.len(), 2 * (BULK_READS + 1) + 1);
    assert_eq!(report.alerts.len(), 1);
    let bytes: Vec<u8> = files.values().flatten().copied().collect();
    assert!(!holds(&bytes, "josefina") && !holds(&bytes, "argon2"));
}

#[test]
fn a_draft_survives_a_restart_is_ones_own_and_leaves_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    let mut local = open(dir.path());
    let (me, other) = ([1; 16], [2; 16]);
    let id = local
        .save_draft(&me, None, Use::Referral, "name = Maria Canary", NOW_MS, &mut rng)
        .unwrap();
    drop(local);
    let folder = dir.path().join("local/drafts");
    assert!(!holds(&bytes_of(dir.path()), "Canary"), "sealed at rest");
    let mut local = open(dir.path());
    assert_eq!(*local.draft(&me, &id).unwrap().0, "name = Maria Canary");
    assert!(local.draft(&other, &id).is_err() && local.drafts(&other).is_empty());
    assert!(
        local.save_draft(&other, Some(id), Use::Referral, "mine now", NOW_MS, &mut rng).is_err()
    );
    assert!(local.delete_draft(&other, &id, NOW_MS, &mut rng).is_err());

    let sealed = |n: usize| {
        let files: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(files.len(), n);
        files.first().map(|file| fs::read(file.path()).unwrap()).unwrap_or_default()
    };
    let first = sealed(1);
    local.save_draft(&me, Some(id), Use::Referral, "name = Jose", NOW_MS, &mut rng).unwrap();
    let second = sealed(1);
    assert_ne!(first, second);
    local.delete_draft(&me, &id, NOW_MS, &mut rng).unwrap();
    sealed(0);
    let bytes = bytes_of(dir.path());
    for gone in [first, second] {
        assert!(!bytes.windows(32).any(|window| window == &gone[16..48]), "its sealed bytes too");
    }
    // What a crash has left over, no entry names: the next start erases it.
    fs::write(folder.join("left"), "left over").unwrap();
    drop(local);
    open(dir.path());
    sealed(0);
}

#[test]
fn a_draft_that_was_taken_over_is_the_others_with_its_files_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    let mut local = open(dir.path());
    let mut person = |name: &str| {
        let roles = roles(&[Role::FocalPoint]);
        let id = local.add_account("", name, &roles, NOW_MS, &mut rng).unwrap();
        let scopes = Scope::ALL.iter().copied().collect();
        (id, Actor::person(id, local.pseudonym(&id), roles, scopes, None))
    };
    let ((maria, _), (rosa, by)) = (person("maria"), person("rosa"));
    let text = "name = Maria Canary";
    let draft = local.save_draft(&maria, None, Use::Referral, text, NOW_MS, &mut rng).unwrap();
    let upload = Upload {
        id: [3; 16],
        account: maria,
        referral: ReferralId::from_bytes([4; 16]),
        draft: Some(draft),
        kind: 1,
        name: "a.txt".into(),
        size: 3,
        sha256: [5; 32],
        source: None,
        held: 0,
        touched_ms: NOW_MS,
    };
    local.begin_upload(upload, &mut rng).unwrap();
    local.keep_part(&[3; 16], 1, b"abc", NOW_MS, &mut rng).unwrap();
    local.take_draft(&by, &rosa, &draft, NOW_MS + 5, &mut rng).unwrap();
    for _ in 0..2 {
        assert_eq!(*local.draft(&rosa, &draft).unwrap().0, text);
        assert!(local.draft(&maria, &draft).is_err());
        assert_eq!(local.drafts(&rosa), [(draft, NOW_MS + 5)]);
        assert_eq!(local.upload(&[3; 16]).unwrap().account, rosa);
        assert_eq!(*local.kept_part(&[3; 16], 1).unwrap(), b"abc");
        local = open_again(local, dir.path());
    }
    // A clock that was ahead keeps no draft for years once it is right again.
    let ahead = NOW_MS + 900_000_000_000;
    local.save_draft(&rosa, Some(draft), Use::Referral, text, ahead, &mut rng).unwrap();
    local.raise("guessing", "", NOW_MS + 9, &mut rng).unwrap();
    local = open_again(local, dir.path());
    assert_eq!(local.drafts(&rosa), [(draft, NOW_MS + 9)]);
    local.discard_draft(&by, &draft, NOW_MS + 9, &mut rng).unwrap();
    local.discard_uploads_of_draft(&draft).unwrap();
    drop(local);
    for folder in ["drafts", "uploads"] {
        assert_eq!(fs::read_dir(dir.path().join("local").join(folder)).unwrap().count(), 0);
    }
}

/// Stops it, and starts it again on what lies there.
fn open_again(local: Local, dir: &Path) -> Local {
    drop(local);
    open(dir)
}

#[test]
fn an_approval_is_of_one_text_comes_back_after_a_restart_and_tells_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rng();
    let mut local = open(dir.path());
    let mut person = |name: &str, role| {
        let roles = roles(&[role]);
        let id = local.add_account("", name, &roles, NOW_MS, &mut rng).unwrap();
        let scopes = Scope::ALL.iter().copied().collect();
        (id, Actor::person(id, local.pseudonym(&id), roles, scopes, None))
    };
    let (id, author) = person("author", Role::Caseworker);
    let (_, approver) = person("approver", Role::Supervisor);
    let text = "name = Maria Canary";
    let draft = local.save_draft(&id, None, Use::Referral, text, NOW_MS, &mut rng).unwrap();
    local.ask_approval(&author, &draft, Of::Override, "in danger now", NOW_MS, &mut rng).unwrap();
    let digest = local.approval(&draft).unwrap().digest;
    let told = local.answer_approval(&approver, &draft, None, NOW_MS, &mut rng).unwrap();
    assert_eq!(told, ["override"]);
    drop(local);
    let mut local = open(dir.path());
    let approval = local.approval(&draft).unwrap().clone();
    assert_eq!(approval.said, Said::Approved(approver.pseudonym().into()));
    assert_eq!(local.draft_for_approval(&draft).unwrap().2, digest);
    // The auditor sees who asked, why, and who approved; of the text a keyed digest alone.
    let files: std::collections::BTreeMap<_, _> = local.export().unwrap().into_iter().collect();
    let bytes: Vec<u8> = files.values().flatten().copied().collect();
    assert!(holds(&bytes, "in danger now") && holds(&bytes, approver.pseudonym()));
    assert!(!holds(&bytes, "Canary") && bytes.windows(32).any(|window| window == digest));
    let key: NoteKey = local.verifier().parse().unwrap();
    let report = verify(&key, |path| files.get(path).cloned(), None);
    assert_eq!((report.findings, report.alerts.len()), (Vec::new(), 1));

    // Saved anew, were it the same text: it was never approved. So it is once it is gone.
    local.save_draft(&id, Some(draft), Use::Referral, text, NOW_MS, &mut rng).unwrap();
    assert_eq!(local.approval(&draft), None);
    local.ask_approval(&author, &draft, Of::Override, "in danger now", NOW_MS, &mut rng).unwrap();
    local.delete_draft(&id, &draft, NOW_MS, &mut rng).unwrap();
    assert_eq!(local.approval(&draft), None);
    drop(local);
    assert_eq!(open(dir.path()).approval(&draft), None);
}

/// A letter of 700 bytes of which nothing has come, of the account that has `[4; 16]`.
fn letter(draft: Option<[u8; 16]>) -> Upload {
    Upload {
        id: [5; 16],
        account: [4; 16],
        referral: ReferralId::from_bytes([1; 16]),
        draft,
        source: None,
        kind: 2,
        name: "letter.pdf".into(),
        size: 700,
        sha256: [6; 32],
        held: 0,
        touched_ms: NOW_MS,
    }
}

/// What cannot be read at this moment may be whole: a start that erased it would lose what was told of
/// as kept.
#[test]
fn a_file_under_way_that_cannot_be_read_is_not_erased() {
    let dir = tempfile::tempdir().unwrap();
    let upload = letter(None);
    let mut local = open(dir.path());
    local.begin_upload(upload.clone(), &mut rng()).unwrap();
    local.keep_part(&upload.id, 1, &[7; 700], NOW_MS, &mut rng()).unwrap();
    drop(local);
    let name = format!("{}.about", hex::encode(upload.id));
    let about = dir.path().join("local/uploads").join(name);
    let aside = dir.path().join("about");
    fs::rename(&about, &aside).unwrap();
    // Reading a folder fails as a disk does.
    fs::create_dir(&about).unwrap();
    let refused = Local::open(dir.path(), &[7; 32], &own()).err().unwrap();
    assert!(refused.to_string().contains("uploads"), "{refused}");
    fs::remove_dir(&about).unwrap();
    fs::rename(&aside, &about).unwrap();
    let local = open(dir.path());
    assert_eq!(local.upload(&upload.id).unwrap().held, 1);
    assert_eq!(*local.kept_part(&upload.id, 1).unwrap(), [7; 700]);
}

/// A full disk may have kept the files when the draft went: they go with the next look that is long after.
#[test]
fn a_whole_file_stays_with_its_draft_and_not_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = open(dir.path());
    let account = [4; 16];
    let draft =
        local.save_draft(&account, None, Use::Referral, "name = x", NOW_MS, &mut rng()).unwrap();
    let upload = letter(Some(draft));
    local.begin_upload(upload, &mut rng()).unwrap();
    local.keep_part(&[5; 16], 1, &[7; 700], NOW_MS, &mut rng()).unwrap();
    let later = NOW_MS + 10 * UPLOAD_KEEP_MS;
    assert_eq!(local.discard_old_uploads(later).unwrap(), 0);
    local.delete_draft(&account, &draft, later, &mut rng()).unwrap();
    assert_eq!(local.discard_old_uploads(later).unwrap(), 1);
    assert!(local.upload(&[5; 16]).is_none());
}

/// The log says first that it is gone: until its bytes are, it counts as kept.
#[test]
fn a_draft_that_could_not_be_erased_is_still_known_and_tried_again() {
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let mut local = open(dir.path());
        let (me, mut rng) = ([1; 16], rng());
        let draft = local.save_draft(&me, None, Use::Referral, "a = 1", NOW_MS, &mut rng).unwrap();
        faults::strike(Fault::Full, at);
        let gone = local.delete_draft(&me, &draft, NOW_MS, &mut rng);
        if !faults::heal() {
            assert!(gone.is_ok() && at > 2);
            break;
        }
        assert_eq!(local.drafts_here().contains(&draft), gone.is_err(), "operation {at}");
        if local.use_of(&draft).is_some() {
            local.delete_draft(&me, &draft, NOW_MS, &mut rng).unwrap();
        }
        local.erase_again().unwrap();
        assert!(local.drafts_here().is_empty());
        assert_eq!(fs::read_dir(dir.path().join("local/drafts")).unwrap().count(), 0);
    }
}

/// What a disk did not let go is known still, so that nobody says it is gone, and goes with the next try.
#[test]
fn a_file_under_way_that_could_not_be_erased_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = open(dir.path());
    let upload = letter(None);
    local.begin_upload(upload.clone(), &mut rng()).unwrap();
    local.keep_part(&upload.id, 1, &[7; 700], NOW_MS, &mut rng()).unwrap();
    let uploads = dir.path().join("local/uploads");
    let about = uploads.join(format!("{}.about", hex::encode(upload.id)));
    // Overwriting a folder fails as on a disk that is full.
    fs::remove_file(&about).unwrap();
    fs::create_dir(&about).unwrap();
    assert!(local.discard_uploads_of(&upload.referral).is_err());
    assert!(local.has_uploads_of(&upload.referral));
    fs::remove_dir(&about).unwrap();
    assert_eq!(local.discard_uploads_of(&upload.referral).unwrap(), 1);
    assert!(!local.has_uploads_of(&upload.referral));
    assert_eq!(fs::read_dir(&uploads).unwrap().count(), 0);
}

/// Files with drafts stay as long as those; so one account fills no more than its share.
#[test]
fn one_account_leaves_room_for_the_files_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = open(dir.path());
    let mut begin = |account: u8, n: u8| {
        let upload = Upload {
            id: [account, n].repeat(8).try_into().unwrap(),
            account: [account; 16],
            size: 25 << 20,
            ..letter(Some([n; 16]))
        };
        local.begin_upload(upload, &mut rng()).map(drop)
    };
    for n in 1..=10 {
        begin(1, n).unwrap();
    }
    let refused = begin(1, 11).unwrap_err();
    assert!(refused.to_string().contains("250 MiB"), "{refused}");
    begin(2, 1).unwrap();
}
