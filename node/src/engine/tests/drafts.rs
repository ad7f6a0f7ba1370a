//! The end of a draft: untouched for too long, or left behind by somebody who has gone.

use tutti_core::people::Role;

use super::{approvals::person, *};

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
