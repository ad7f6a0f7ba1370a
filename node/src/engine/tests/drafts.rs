//! The end of a draft: untouched for too long, sent and left here, or left behind by somebody who has gone.

use std::{fs, path::Path};

use tutti_core::people::Role;

use super::{approvals::person, onward::withdraw_consent, *};
use crate::{
    disk::faults::{Fault, heal, strike},
    engine::Order,
    local::Local,
};

const DAY_MS: u64 = 24 * 3_600_000;
const KEPT_MS: u64 = crate::local::DRAFT_KEEP_DAYS as u64 * DAY_MS;

fn save(node: &mut Node, by: &Actor, id: &str, at_ms: u64) -> api::DraftInfo {
    let form = form::example().into();
    let request = api::SaveDraftRequest { id: id.into(), form, ..Default::default() };
    node.save_draft(by, &request, at_ms).unwrap()
}

fn attach(node: &mut Node, by: &Actor, draft: &str, at_ms: u64) -> [u8; 16] {
    attach_as(node, by, draft, ("photo.png", 7), at_ms)
}

/// A file of that name and digest that has come whole.
pub(super) fn attach_as(
    node: &mut Node,
    by: &Actor,
    draft: &str,
    (name, digest): (&str, u8),
    at_ms: u64,
) -> [u8; 16] {
    let request = api::BeginAttachmentRequest {
        kind: v1::AttachmentKind::Photo as i32,
        name: name.into(),
        size: 5,
        sha256: vec![digest; 32],
        draft: draft.into(),
        ..Default::default()
    };
    let begun = node.begin_attachment(by, &request, at_ms).unwrap();
    let mut id = [0; 16];
    hex::decode_to_slice(begun.attachment, &mut id).unwrap();
    node.keep_upload_part(by, &id, 1, b"bytes", at_ms).unwrap();
    id
}

fn ids(node: &Node, by: &Actor) -> Vec<String> {
    let drafts = node.drafts(by, &Default::default(), NOW_MS).unwrap().drafts;
    drafts.into_iter().map(|draft| draft.id).collect()
}

fn off(node: &mut Node, name: &str) {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    node.local.set_roles("", name, None, Some(false), NOW_MS, &mut rng).unwrap();
}

#[test]
fn a_draft_on_which_nobody_works_is_erased_with_its_files_and_its_author_is_told_before() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let [old, touched] = [(); 2].map(|()| save(&mut sg, &maria, "", NOW_MS));
    assert_eq!(old.erased_at_ms, NOW_MS + KEPT_MS);
    let file = attach(&mut sg, &maria, &old.id, NOW_MS);
    let warned = |node: &Node, at_ms| {
        let warnings = node.status(&maria, at_ms).unwrap().warnings;
        warnings.into_iter().any(|warning| warning.contains("of your drafts"))
    };
    assert!(!warned(&sg, NOW_MS + DAY_MS));
    assert!(warned(&sg, NOW_MS + KEPT_MS - 6 * DAY_MS));
    // Work on it puts it off: a text, and a file.
    let later = NOW_MS + KEPT_MS - DAY_MS;
    assert_eq!(save(&mut sg, &maria, &touched.id, later).erased_at_ms, later + KEPT_MS);
    sg.tick(NOW_MS + KEPT_MS - 1);
    assert_eq!(ids(&sg, &maria).len(), 2);
    assert!(sg.local.upload(&file).is_some());
    sg.tick(NOW_MS + KEPT_MS + 60_000);
    assert_eq!(ids(&sg, &maria), [touched.id.as_str()]);
    assert!(sg.local.upload(&file).is_none());
    attach(&mut sg, &maria, &touched.id, later + DAY_MS);
    sg.tick(later + KEPT_MS + 60_000);
    assert_eq!(ids(&sg, &maria).len(), 1);
    sg.tick(later + DAY_MS + KEPT_MS + 120_000);
    assert_eq!(ids(&sg, &maria).len(), 0);
    // The society sets another time.
    save(&mut sg, &maria, "", NOW_MS);
    sg.keep_drafts(3);
    sg.tick(later + 2 * KEPT_MS);
    assert_eq!(ids(&sg, &maria).len(), 0);
}

#[test]
fn what_somebody_has_left_is_gone_on_with_by_the_focal_point_or_erased_unread() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let rosa = person(&mut sg, "rosa", &[Role::FocalPoint]);
    let admin = person(&mut sg, "admin", &[Role::Administrator]);
    let others = [Role::Caseworker, Role::Supervisor, Role::Auditor, Role::InformationEditor];
    let others = others.map(|role| person(&mut sg, role.name(), &[role]));
    let [first, second] = [(); 2].map(|()| save(&mut sg, &maria, "", NOW_MS).id);
    let file = attach(&mut sg, &maria, &first, NOW_MS);
    let request = |id: &str| api::DraftRequest { id: id.into() };
    let left = |node: &Node, by: &Actor| {
        node.left_drafts(by, &Default::default(), NOW_MS).map(|left| left.drafts)
    };

    // While she is there they are hers alone.
    assert!(left(&sg, &rosa).unwrap().is_empty() && left(&sg, &admin).unwrap().is_empty());
    assert!(matches!(sg.take_draft(&rosa, &request(&first), NOW_MS), Err(Refused::NotFound(_))));
    assert!(sg.discard_draft(&admin, &request(&first), NOW_MS).is_err());
    off(&mut sg, "maria");

    let told = left(&sg, &admin).unwrap();
    assert_eq!((told.len(), told[0].account.as_str()), (2, "maria"));
    assert_eq!(told.iter().map(|draft| draft.files).sum::<u32>(), 1);
    assert!(told.iter().all(|draft| !draft.may_take && draft.erased_at_ms == NOW_MS + KEPT_MS));
    let warned = |by: &Actor| {
        let warnings = sg.status(by, NOW_MS).unwrap().warnings;
        warnings.into_iter().any(|warning| warning.contains("who has left"))
    };
    assert!(warned(&rosa) && warned(&admin) && !others.iter().any(warned));
    for other in &others {
        assert!(left(&sg, other).is_ok_and(|left| left.is_empty()) || left(&sg, other).is_err());
        assert!(sg.take_draft(other, &request(&first), NOW_MS).is_err());
        assert!(sg.discard_draft(other, &request(&first), NOW_MS).is_err());
    }
    assert!(matches!(sg.take_draft(&admin, &request(&first), NOW_MS), Err(Refused::NotAllowed(_))));

    // Taken over: read, recorded, and as if saved now, with its file.
    let before = sg.local.shown(false, 100).len();
    let taken = sg.take_draft(&rosa, &request(&first), NOW_MS + DAY_MS).unwrap();
    assert_eq!((taken.files.len(), taken.erased_at_ms), (1, NOW_MS + DAY_MS + KEPT_MS));
    assert_eq!(sg.local.shown(false, 100).len(), before + 1);
    assert_eq!(sg.draft(&rosa, &request(&first), NOW_MS).unwrap().form, form::example());
    assert!(sg.own_upload(&rosa, &file).is_ok() && sg.own_upload(&maria, &file).is_err());
    assert_eq!(left(&sg, &rosa).unwrap().len(), 1);
    // Erased unread: told as an alert, by whom.
    assert_eq!(sg.discard_draft(&admin, &request(&second), NOW_MS).unwrap().account, "maria");
    assert!(left(&sg, &rosa).unwrap().is_empty());
    assert_eq!(sg.local.shown(false, 100).len(), before + 1, "nobody has read it");
    let alerts = sg.local.shown(true, 9);
    assert!(alerts.iter().any(|shown| matches!(
        &shown.event,
        v1::local_record::Event::Alert(alert)
            if alert.what == "draft_discarded" && alert.pseudonym == admin.pseudonym()
    )));
}

/// sg on that store, with its local folder on a disk.
fn with_folder(federation: &Federation, store: MemoryStore, dir: &Path) -> Node {
    let mut sg = engine(federation, "sg", store);
    let local = Local::open(dir, &federation.keyring("sg").local, &origin("sg")).unwrap().0;
    sg.set_local(local);
    sg
}

/// How many files lie in each part of that folder.
fn lying(dir: &Path) -> [usize; 2] {
    ["drafts", "uploads"].map(|part| match fs::read_dir(dir.join("local").join(part)) {
        Ok(files) => files.count(),
        Err(_) => 0,
    })
}

/// Sends a draft under its own number, as a program does that only sends.
fn send_only(node: &mut Node, by: &Actor, draft: &str, code: &str) -> ReferralId {
    let Write::Send { sent, mut content, .. } = send(0) else { panic!() };
    content.case_code = code.into();
    let mut key = [0; 16];
    hex::decode_to_slice(draft, &mut key).unwrap();
    let write = Write::Send { key, sent, content };
    let order = Order { by: by.clone(), write, draft: None };
    id_of(&node.write_all(vec![order], NOW_MS).remove(0).unwrap())
}

fn size(node: &Node) -> u64 {
    node.store.tree(&origin("sg")).size()
}

#[test]
fn a_draft_that_was_sent_goes_with_its_case_and_no_receipt_is_signed_while_it_is_here() {
    let federation = federation();
    let dir = tempfile::tempdir().unwrap();
    let mut sg = with_folder(&federation, MemoryStore::new(), dir.path());
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let [draft, unsent] = [(); 2].map(|()| save(&mut sg, &maria, "", NOW_MS).id);
    let id = send_only(&mut sg, &maria, &draft, "C-1");
    assert_eq!(ids(&sg, &maria).len(), 2, "nobody has deleted it");

    // There is no room to say in the local log that it is gone, now and at the next try.
    strike(Fault::Full, 0);
    one(&mut sg, advance(2, id, withdraw_consent(), "")).unwrap();
    assert!(heal());
    strike(Fault::Full, 0);
    sg.tick(NOW_MS);
    assert!(heal());
    assert!(ids(&sg, &maria).contains(&draft));
    assert_eq!(size(&sg), 2, "sent and withdrawn, and no receipt");

    sg.tick(NOW_MS + 2000);
    assert_eq!((ids(&sg, &maria), lying(dir.path())), (vec![unsent], [1, 0]));
    assert_eq!(size(&sg), 3, "the receipt");
    assert!(sg.fatal().is_none());
}

#[test]
fn a_sent_draft_that_a_crash_left_or_a_backup_brought_back_goes_with_its_file_at_the_start() {
    let federation = federation();
    let dir = tempfile::tempdir().unwrap();
    let mut sg = with_folder(&federation, MemoryStore::new(), dir.path());
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let draft = save(&mut sg, &maria, "", NOW_MS).id;
    attach(&mut sg, &maria, &draft, NOW_MS);
    let id = send_only(&mut sg, &maria, &draft, "C-1");
    let store = sg.store.clone();
    drop(sg);
    // The folder as it was then; the log says more: that it is stopped, and that it was confirmed.
    let mut away = engine(&federation, "sg", store);
    one(&mut away, advance(2, id, withdraw_consent(), "")).unwrap();
    let stopped = away.store.clone();
    away.tick(NOW_MS);
    assert_eq!(size(&away), 3);
    for store in [stopped, away.store.clone()] {
        let copy = tempfile::tempdir().unwrap();
        for part in ["", "drafts", "uploads"] {
            let [from, to] = [&dir, &copy].map(|dir| dir.path().join("local").join(part));
            fs::create_dir_all(&to).unwrap();
            for file in fs::read_dir(&from).unwrap().flatten() {
                if file.path().is_file() {
                    fs::copy(file.path(), to.join(file.file_name())).unwrap();
                }
            }
        }
        let mut again = with_folder(&federation, store, copy.path());
        assert_eq!((ids(&again, &maria), lying(copy.path())), (Vec::new(), [0, 0]));
        again.tick(NOW_MS);
        assert_eq!(size(&again), 3, "confirmed once");
    }
}

#[test]
fn a_draft_that_a_program_only_sends_goes_after_an_hour_unless_a_file_waits_with_it() {
    const HOUR_MS: u64 = 3_600_000;
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let [plain, with_file] = [(); 2].map(|()| save(&mut sg, &maria, "", NOW_MS).id);
    let file = attach(&mut sg, &maria, &with_file, NOW_MS);
    let id = send_only(&mut sg, &maria, &plain, "C-1");
    send_only(&mut sg, &maria, &with_file, "C-2");
    let told = sg.drafts(&maria, &Default::default(), NOW_MS).unwrap().drafts;
    let ends = |id: &str| told.iter().find(|draft| draft.id == id).unwrap().erased_at_ms;
    assert_eq!((ends(&plain), ends(&with_file)), (NOW_MS + HOUR_MS, NOW_MS + KEPT_MS));
    sg.tick(NOW_MS + HOUR_MS - 1);
    assert_eq!(ids(&sg, &maria).len(), 2);
    assert_eq!(send_only(&mut sg, &maria, &plain, "C-1"), id, "it is sent once");
    sg.tick(NOW_MS + HOUR_MS + 60_000);
    assert_eq!(ids(&sg, &maria), [with_file.as_str()]);
    assert!(sg.discard_upload(&maria, &file).unwrap());
    sg.tick(NOW_MS + HOUR_MS + 120_000);
    assert!(ids(&sg, &maria).is_empty());
    // What somebody has written since is not sent, and is kept as any draft.
    let again = save(&mut sg, &maria, "", NOW_MS).id;
    send_only(&mut sg, &maria, &again, "C-3");
    save(&mut sg, &maria, &again, NOW_MS + 60_000);
    sg.tick(NOW_MS + 5 * HOUR_MS);
    assert_eq!(ids(&sg, &maria), [again.as_str()]);
}
