//! Files that went along where a case was passed on: what is taken back at the first society is taken back
//! at the third.

use tutti_core::{
    referral::{EventRef, attachment::Source},
    store::{BodyState, Reader},
};

use super::{
    onward::{all_pass, further_on, pass_on, send_for_all, withdraw_consent},
    *,
};

/// One file of one part, of that society's; where it goes along, which file of the first referral it is.
fn attach(key: u8, id: ReferralId, file: u8, source: Option<(&str, u8)>) -> Write {
    let data = b"%PDF-1.7 a letter".to_vec();
    let manifest = v1::AttachmentManifest {
        name: "letter.pdf".into(),
        media_type: "application/pdf".into(),
        size: data.len() as u64,
        sha256: vec![file; 32],
    };
    let source = source.map(|(by, file)| Source { by: society(by), id: [file; 16] }.to_record());
    let attached = v1::Attached {
        attachment_id: vec![file; 16],
        part: 1,
        parts: 1,
        kind: v1::AttachmentKind::MedicalLetter as i32,
        source,
    };
    let part = Box::new(v1::AttachmentPart { manifest: Some(manifest), data });
    Write::Attach { key: [key; 16], id, attached, part }
}

fn take_back(file: u8) -> Command {
    let attachment = vec![file; 16];
    Command::EnterInError(v1::EnteredInError { attachment, ..Default::default() })
}

/// The first part of each file, as that node holds it.
fn file_states(node: &Node, id: ReferralId) -> Vec<BodyState> {
    let files = node.case(&id).unwrap().attachments();
    let state = |at: &EventRef| {
        let key = node.header_at(at).unwrap().unwrap().body_key(Part::Content).unwrap();
        node.store.body_state(&key)
    };
    files.iter().map(|file| state(&file.known[&1].0)).collect()
}

/// sg has added two files, which ph has passed on to qa with the case.
fn passed_on_with_files(federation: &Federation) -> ([Node; 3], ReferralId, ReferralId) {
    let mut nodes = ["sg", "ph", "qa"].map(|code| node(federation, code));
    let Write::Send { key, mut sent, content } = send_for_all(1) else { panic!() };
    sent.consent.as_mut().unwrap().fields.clear();
    let first = id_of(&one(&mut nodes[0], Write::Send { key, sent, content }).unwrap());
    one(&mut nodes[0], attach(11, first, 1, None)).unwrap();
    one(&mut nodes[0], attach(12, first, 2, None)).unwrap();
    all_pass(&mut nodes, 1);
    one(&mut nodes[1], advance(2, first, Command::Acknowledge, "")).unwrap();
    let onward = id_of(&one(&mut nodes[1], pass_on(3, first)).unwrap());
    one(&mut nodes[1], attach(13, onward, 3, Some(("sg", 1)))).unwrap();
    one(&mut nodes[1], attach(14, onward, 4, Some(("sg", 2)))).unwrap();
    all_pass(&mut nodes, 2);
    assert_eq!(file_states(&nodes[2], onward), [BodyState::Present; 2]);
    (nodes, first, onward)
}

#[test]
fn a_file_that_is_taken_back_is_taken_back_wherever_it_went_along_and_its_author_sees_that() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on_with_files(&federation);
    one(&mut nodes[0], advance(4, first, take_back(1), "")).unwrap();
    let [sg, ph, qa] = &mut nodes;
    // ph hears of it: before it writes anything, its own copy is neither shown nor added to.
    let mode = ph.mode.clone();
    ph.mode = crate::engine::Mode::Fenced { known: None };
    pass(sg, ph);
    ph.tick(NOW_MS);
    let list = api::ListAttachmentsRequest {
        id: onward.to_string(),
        with_content: true,
        ..Default::default()
    };
    let states = |node: &mut Node, list: &api::ListAttachmentsRequest| -> Vec<api::BodyState> {
        let listed = node.list_attachments(&Actor::node(), list, NOW_MS).unwrap();
        listed.attachments.iter().map(api::Attachment::state).collect()
    };
    use api::BodyState::{Erased, Present};
    assert_eq!(states(ph, &list), [Erased, Present], "though nothing is written");
    ph.mode = mode;
    let refused = one(ph, attach(15, onward, 5, Some(("sg", 1))));
    assert!(
        matches!(&refused, Err(Refused::Invalid(why)) if why.contains("taken back")),
        "{refused:?}"
    );
    ph.tick(NOW_MS + 2000);
    assert_eq!(file_states(ph, onward), [BodyState::Erased, BodyState::Present]);
    pass(ph, sg);
    let shown_first = shown(sg, first);
    assert_eq!(further_on(&shown_first), [("qa", true, false)]);
    assert_eq!(shown_first.state(), api::ReferralState::Acknowledged, "the case goes on");
    assert_eq!(sg.erasures_open(&Actor::node(), NOW_MS), 1, "until the third has confirmed");
    pass(ph, qa);
    assert_eq!(file_states(qa, onward), [BodyState::Erased, BodyState::Present]);
    all_pass(&mut nodes, 3);
    for node in &nodes[..2] {
        assert_eq!(further_on(&shown(node, first)), [("qa", true, true)]);
        assert_eq!(node.erasures_open(&Actor::node(), NOW_MS), 0);
    }
    assert!(shown(&nodes[2], onward).content.is_some(), "the case goes on there");
    // Nothing more is written by itself, after a start neither.
    let sizes = |nodes: &[Node; 3]| {
        ["sg", "ph", "qa"].map(|code| nodes[1].store.tree(&origin(code)).size())
    };
    let before = sizes(&nodes);
    all_pass(&mut nodes, 4);
    nodes[1] = restarted(&federation, &nodes[1], "ph");
    all_pass(&mut nodes, 5);
    assert_eq!(sizes(&nodes), before);
    assert_eq!(further_on(&shown(&nodes[1], first)), [("qa", true, true)]);
    // The other file is taken back, and then the person withdraws: all of it is told of once more.
    one(&mut nodes[0], advance(5, first, take_back(2), "")).unwrap();
    all_pass(&mut nodes, 6);
    assert_eq!(file_states(&nodes[2], onward), [BodyState::Erased; 2]);
    assert_eq!(further_on(&shown(&nodes[0], first)), [("qa", true, true)]);
    one(&mut nodes[0], advance(6, first, withdraw_consent(), "")).unwrap();
    all_pass(&mut nodes, 7);
    assert_eq!(further_on(&shown(&nodes[0], first)), [("qa", true, true)]);
    let before = sizes(&nodes);
    all_pass(&mut nodes, 8);
    assert_eq!(sizes(&nodes), before);
}

#[test]
fn a_word_that_comes_while_a_file_is_passed_on_ends_that_and_reaches_the_part_that_was_written() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on_with_files(&federation);
    // Two parts of it, of which one is written, and the other waits when the word comes.
    let two = |key, part| {
        let Write::Attach { mut attached, part: mut bytes, id, .. } =
            attach(key, onward, 6, Some(("sg", 1)))
        else {
            panic!()
        };
        (attached.part, attached.parts) = (part, 2);
        bytes.manifest = bytes.manifest.filter(|_| part == 1);
        Write::Attach { key: [key; 16], id, attached, part: bytes }
    };
    one(&mut nodes[1], two(16, 1)).unwrap();
    one(&mut nodes[0], advance(4, first, take_back(1), "")).unwrap();
    let [sg, ph, _] = &mut nodes;
    pass(sg, ph);
    assert!(matches!(one(ph, two(17, 2)), Err(Refused::Invalid(_))));
    all_pass(&mut nodes, 3);
    let there = nodes[2].case(&onward).unwrap();
    let taken: Vec<bool> = there.attachments().iter().map(|file| file.taken_back).collect();
    assert_eq!(taken, [true, false, true]);
    assert_eq!(nodes[0].erasures_open(&Actor::node(), NOW_MS), 0);
    // A society that was away, and knew nothing when it passed the file on, carries it when it hears.
    let (mut nodes, first, onward) = passed_on_with_files(&federation);
    one(&mut nodes[0], advance(4, first, take_back(2), "")).unwrap();
    one(&mut nodes[1], attach(18, onward, 7, Some(("sg", 2)))).unwrap();
    all_pass(&mut nodes, 3);
    assert_eq!(
        file_states(&nodes[2], onward),
        [BodyState::Present, BodyState::Erased, BodyState::Erased]
    );
}
