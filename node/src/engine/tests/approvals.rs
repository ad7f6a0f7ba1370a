//! The second person: who may, for which text, and what is written then.

use tutti_core::{
    information::{Command, InformationId},
    people::{Role, Roles, Scope},
};

use super::{drafts::attach_as, information::version, *};

/// Somebody with these roles, and an account here.
pub(super) fn person(node: &mut Node, name: &str, roles: &[Role]) -> Actor {
    let roles: Roles = roles.iter().copied().collect();
    let mut rng =
        ChaCha20Rng::seed_from_u64(u64::from(name.as_bytes()[0]) << 8 | name.len() as u64);
    let id = node.local.add_account("", name, &roles, NOW_MS, &mut rng).unwrap();
    let scopes = Scope::ALL.iter().copied().collect();
    Actor::person(id, node.local.pseudonym(&id), roles, scopes, None)
}

/// The example, but that the person has refused, and a life is at risk.
fn against_the_word() -> String {
    form::example()
        .replace("legal_basis = \"consent\"", "legal_basis = \"vital_interest\"")
        .replace("status = \"given\"", "status = \"refused\"")
        .replace("purpose = ", "override_reason = \"life_at_risk\"\npurpose = ")
}

fn sending(form: &str, key: &str) -> Write {
    let form: form::ReferralForm = toml::from_str(form).unwrap();
    let (sent, content) = form.to_send().unwrap();
    Write::Send { key: id_of(key), sent: Box::new(sent), content: Box::new(content) }
}

/// A draft's number; something else where there is no draft.
fn id_of(draft: &str) -> [u8; 16] {
    let mut id = [1; 16];
    if !draft.is_empty() {
        hex::decode_to_slice(draft, &mut id).unwrap();
    }
    id
}

fn order(node: &mut Node, by: &Actor, write: Write, draft: &str) -> Result<Receipt, Refused> {
    let draft = (!draft.is_empty()).then(|| id_of(draft));
    let order = super::super::Order { by: by.clone(), write, draft };
    node.write_all(vec![order], NOW_MS).remove(0)
}

fn keep(node: &mut Node, by: &Actor, id: &str, form: &str, used: &str, target: &str) -> String {
    let request = api::SaveDraftRequest {
        id: id.into(),
        form: form.into(),
        r#use: used.into(),
        target: target.into(),
    };
    let saved = node.save_draft(by, &request, NOW_MS).unwrap();
    assert_eq!(saved.faults, Vec::<String>::new());
    assert!(saved.needs_approval);
    saved.id
}

const WHY: &str = "she is in danger now and cannot be reached again";

fn ask(node: &mut Node, by: &Actor, draft: &str) -> Result<api::ApprovalInfo, Refused> {
    let request = api::AskApprovalRequest { draft: draft.into(), reason: WHY.into() };
    node.ask_approval(by, &request, NOW_MS)
}

fn answer(
    node: &mut Node,
    by: &Actor,
    asked: &api::ApprovalInfo,
    approve: bool,
) -> Result<api::ApprovalInfo, Refused> {
    let request = api::AnswerApprovalRequest {
        draft: asked.draft.clone(),
        digest: asked.digest.clone(),
        approve,
        reason: if approve { String::new() } else { "ask her once more first".into() },
    };
    node.answer_approval(by, &request, NOW_MS)
}

#[test]
fn overriding_a_persons_word_takes_a_second_person_for_exactly_that_text() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let maria = person(&mut sg, "maria", &[Role::Caseworker, Role::Supervisor]);
    let jose = person(&mut sg, "jose", &[Role::Supervisor]);
    let ana = person(&mut sg, "ana", &[Role::Caseworker, Role::Administrator]);
    let form = against_the_word();
    let refused = |result: Result<Receipt, Refused>| result.unwrap_err().to_string();

    // Not alone, not with a draft that nobody approved, not by the node's own hand.
    let said = refused(order(&mut sg, &maria, sending(&form, ""), ""));
    assert!(said.contains("second person"), "{said}");
    let draft = keep(&mut sg, &maria, "", &form, "send", "");
    assert!(
        refused(order(&mut sg, &maria, sending(&form, &draft), &draft)).contains("second person")
    );
    assert!(refused(one(&mut sg, sending(&form, ""))).contains("second person"));

    // Asking: for one's own draft alone, and with a reason.
    assert!(ask(&mut sg, &jose, &draft).is_err());
    let short = api::AskApprovalRequest { draft: draft.clone(), reason: "x".into() };
    assert!(matches!(sg.ask_approval(&maria, &short, NOW_MS), Err(Refused::Invalid(_))));
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    assert_eq!((asked.state.as_str(), asked.of.as_str()), ("asked", "override"));
    assert!(
        refused(order(&mut sg, &maria, sending(&form, &draft), &draft)).contains("second person")
    );

    // Answering: not its author, not who may not, not unseen.
    let waiting =
        |node: &Node, by: &Actor| node.approvals(by, &Default::default()).unwrap().waiting.len();
    assert_eq!([&maria, &jose, &ana].map(|by| waiting(&sg, by)), [0, 1, 0]);
    assert!(matches!(answer(&mut sg, &maria, &asked, true), Err(Refused::NotAllowed(_))));
    assert!(matches!(answer(&mut sg, &ana, &asked, true), Err(Refused::NotFound(_))));
    let unseen = api::ApprovalInfo { digest: vec![0; 32], ..asked.clone() };
    assert!(matches!(answer(&mut sg, &jose, &unseen, true), Err(Refused::State(_))));
    let get = api::DraftRequest { id: draft.clone() };
    let reads = |node: &Node| node.local.shown(false, 100).len();
    let before = reads(&sg);
    assert_eq!(sg.read_approval(&jose, &get, NOW_MS).unwrap().form, form);
    assert_eq!(reads(&sg), before + 1, "who reads a case is recorded");
    assert!(sg.read_approval(&ana, &get, NOW_MS).is_err());

    // A change afterwards voids it; so does another text under the draft's name.
    assert_eq!(answer(&mut sg, &jose, &asked, true).unwrap().state, "approved");
    keep(&mut sg, &maria, &draft, &form.replace("age = 34", "age = 35"), "", "");
    assert!(
        refused(order(&mut sg, &maria, sending(&form, &draft), &draft)).contains("second person")
    );
    assert!(answer(&mut sg, &jose, &asked, true).is_err(), "nothing is asked any more");
    keep(&mut sg, &maria, &draft, &form, "", "");
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    assert_eq!(answer(&mut sg, &jose, &asked, false).unwrap().state, "refused");
    assert!(
        refused(order(&mut sg, &maria, sending(&form, &draft), &draft)).contains("second person")
    );
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    answer(&mut sg, &jose, &asked, true).unwrap();
    let other = form.replace("age = 34", "age = 36");
    let said = refused(order(&mut sg, &maria, sending(&other, &draft), &draft));
    assert!(said.contains("another text"), "{said}");
    assert!(order(&mut sg, &ana, sending(&form, &draft), &draft).is_err(), "it is maria's");

    // Once, under its own number.
    let said = refused(order(&mut sg, &maria, sending(&form, ""), &draft));
    assert!(said.contains("own number"), "{said}");

    // Both stand in the record, and the other society sees that.
    let receipt = order(&mut sg, &maria, sending(&form, &draft), &draft).unwrap();
    assert_eq!(order(&mut sg, &maria, sending(&form, &draft), &draft).unwrap(), receipt);
    pass(&sg, &mut ph);
    let id = ReferralId::from_bytes(receipt.id);
    let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
    let there = ph.referral(&Actor::node(), &request, NOW_MS).unwrap().overridden.unwrap();
    assert_eq!((there.reason.as_str(), there.basis.as_str()), ("life_at_risk", "vital_interest"));
    assert_eq!((&*there.author, &*there.approver), (maria.pseudonym(), jose.pseudonym()));
    assert!(there.by_two);
    let here = sg.referral(&Actor::node(), &request, NOW_MS).unwrap().overridden.unwrap();
    assert_eq!((here.author.as_str(), here.approver.as_str()), ("maria", "jose"));

    // The data-protection focal point is told, and the local log says who approved.
    let told = sg.local.shown(true, 10);
    let alert = |what: &str| {
        told.iter().any(
            |shown| matches!(&shown.event, v1::local_record::Event::Alert(a) if a.what == what),
        )
    };
    assert!(alert("override"));
    // It goes no further on the strength of that.
    let onward = Write::PassOn {
        key: [7; 16],
        id,
        to: "qa".parse().unwrap(),
        told: None,
        services: vec![],
        withhold: vec![],
    };
    one(&mut ph, advance(2, id, tutti_core::referral::Command::Acknowledge, "")).unwrap();
    let said = one(&mut ph, onward).unwrap_err().to_string();
    assert!(said.contains("the person's consent does not allow it"), "{said}");
}

#[test]
fn an_approver_who_has_left_or_was_made_by_the_author_does_not_pass_unseen() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let ana = person(&mut sg, "ana", &[Role::Caseworker, Role::Administrator]);
    let jose = person(&mut sg, "jose", &[Role::Supervisor]);
    let form = against_the_word();
    let draft = keep(&mut sg, &ana, "", &form, "send", "");
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let by = ana.pseudonym().to_owned();
    sg.local.set_roles(&by, "jose", None, Some(true), NOW_MS, &mut rng).unwrap();
    let asked = ask(&mut sg, &ana, &draft).unwrap();
    answer(&mut sg, &jose, &asked, true).unwrap();
    let told = sg.local.shown(true, 10);
    let alert = |what: &str| {
        told.iter().any(
            |shown| matches!(&shown.event, v1::local_record::Event::Alert(a) if a.what == what),
        )
    };
    assert!(
        alert("approver_of_own_making"),
        "an administrator who makes the second person is told of"
    );
    sg.local.set_roles("", "jose", None, Some(false), NOW_MS, &mut rng).unwrap();
    let said = order(&mut sg, &ana, sending(&form, &draft), &draft).unwrap_err().to_string();
    assert!(said.contains("may no longer approve"), "{said}");
}

#[test]
fn where_the_society_reviews_nothing_is_published_by_one_alone() {
    let federation = federation();
    let [mut qa, mut ph] = ["qa", "ph"].map(|code| node(&federation, code));
    let editor = person(&mut qa, "editor", &[Role::InformationEditor]);
    let reviewer = person(&mut qa, "reviewer", &[Role::InformationReviewer]);
    let example = tutti_core::information::form::example();
    let publish =
        |draft: &str, title: &str| super::information::publish(id_of(draft), version(title));
    let form: tutti_core::information::form::InformationForm = toml::from_str(example).unwrap();
    let title = form.texts[0].title.clone();
    order(&mut qa, &editor, publish(&"0b".repeat(16), "before"), "").unwrap();
    qa.set_review(true);
    let said = order(&mut qa, &editor, publish("", &title), "").unwrap_err().to_string();
    assert!(said.contains("reviewed"), "{said}");
    assert!(order(&mut qa, &reviewer, publish("", &title), "").is_err(), "nor by the reviewer");

    let draft = keep(&mut qa, &editor, "", example, "publish", "");
    let asked = ask(&mut qa, &editor, &draft).unwrap();
    assert_eq!(asked.of, "information");
    assert!(answer(&mut qa, &editor, &asked, true).is_err());
    answer(&mut qa, &reviewer, &asked, true).unwrap();
    assert!(order(&mut qa, &editor, publish(&draft, "something else"), &draft).is_err());
    let receipt = order(&mut qa, &editor, publish(&draft, &title), &draft).unwrap();
    pass(&qa, &mut ph);
    let id = InformationId::from_bytes(receipt.id);
    let request = api::GetInformationRequest { id: id.to_string(), ..Default::default() };
    let share = ph.share(&Actor::node(), &request, NOW_MS).unwrap();
    assert!(share.versions[0].reviewed);

    // A revision is another text, of another share: it takes its own approval. Taking back does not.
    let revise = |draft: &str| Write::Inform {
        key: id_of(draft),
        id,
        command: Command::Revise(version(&title)),
        version: 0,
    };
    assert!(order(&mut qa, &editor, revise(""), &draft).is_err());
    let second = keep(&mut qa, &editor, "", example, "revise", &id.to_string());
    let asked = ask(&mut qa, &editor, &second).unwrap();
    answer(&mut qa, &reviewer, &asked, true).unwrap();
    order(&mut qa, &editor, revise(&second), &second).unwrap();
    let retract = Write::Inform {
        key: [4; 16],
        id,
        command: Command::Retract(v1::Retracted { reason: "it was wrong".into() }),
        version: 0,
    };
    order(&mut qa, &editor, retract, "").unwrap();
}

/// The person agreed to a photo, and not to what the form tells of them.
fn beyond_the_word() -> String {
    form::example()
        .replace("legal_basis = \"consent\"", "legal_basis = \"vital_interest\"")
        .replace("purposes = ", "fields = [\"attachment.photo\"]\npurposes = ")
        .replace("purpose = ", "override_reason = \"life_at_risk\"\npurpose = ")
}

#[test]
fn what_is_approved_is_the_text_with_its_files() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let jose = person(&mut sg, "jose", &[Role::Supervisor]);
    let form = beyond_the_word();
    let draft = keep(&mut sg, &maria, "", &form, "send", "");
    let get = api::DraftRequest { id: draft.clone() };
    let state = |node: &Node| node.draft(&maria, &get, NOW_MS).unwrap().info.unwrap().approval;
    let first = attach_as(&mut sg, &maria, &draft, ("photo.png", 7), NOW_MS);
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    let read = sg.read_approval(&jose, &get, NOW_MS).unwrap();
    let file = &read.files[0];
    assert_eq!((file.name.as_str(), file.kind.as_str(), file.size), ("photo.png", "photo", 5));
    assert_eq!((file.sha256.as_slice(), read.files.len()), ([7; 32].as_slice(), 1));

    // A file that was added since is not what was read; nor is one that is missing.
    let second = attach_as(&mut sg, &maria, &draft, ("other.png", 8), NOW_MS);
    assert!(answer(&mut sg, &jose, &asked, true).is_err());
    assert!(sg.approvals(&jose, &Default::default()).unwrap().waiting.is_empty());
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    assert_eq!(answer(&mut sg, &jose, &asked, true).unwrap().state, "approved");
    assert_eq!(state(&sg), "approved");
    sg.discard_upload(&maria, &first).unwrap();
    assert_eq!(state(&sg), "");
    let said = order(&mut sg, &maria, sending(&form, &draft), &draft).unwrap_err().to_string();
    assert!(said.contains("second person"), "{said}");
    // Nor is another in its place, of the same name, kind and size.
    sg.discard_upload(&maria, &second).unwrap();
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    answer(&mut sg, &jose, &asked, true).unwrap();
    let third = attach_as(&mut sg, &maria, &draft, ("other.png", 9), NOW_MS);
    assert!(order(&mut sg, &maria, sending(&form, &draft), &draft).is_err());
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    answer(&mut sg, &jose, &asked, true).unwrap();
    sg.discard_upload(&maria, &third).unwrap();
    attach_as(&mut sg, &maria, &draft, ("other.png", 10), NOW_MS);
    assert!(order(&mut sg, &maria, sending(&form, &draft), &draft).is_err());
    // As it was approved it goes out; its file follows, and it is not asked again.
    let asked = ask(&mut sg, &maria, &draft).unwrap();
    answer(&mut sg, &jose, &asked, true).unwrap();
    let receipt = order(&mut sg, &maria, sending(&form, &draft), &draft).unwrap();
    let files = sg.files_to_add(&maria, &draft).unwrap();
    assert_eq!(files.len(), 1);
    sg.discard_upload(&maria, &files[0].id).unwrap();
    assert_eq!(order(&mut sg, &maria, sending(&form, &draft), &draft).unwrap(), receipt);
}

#[test]
fn nobody_is_asked_for_a_draft_whose_files_are_not_whole_or_go_beyond_the_word() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let draft = keep(&mut sg, &maria, "", &beyond_the_word(), "send", "");
    let begin = |kind: v1::AttachmentKind| api::BeginAttachmentRequest {
        kind: kind as i32,
        name: "a.png".into(),
        size: 5,
        sha256: vec![kind as u8; 32],
        draft: draft.clone(),
        ..Default::default()
    };
    let mut refused = |kind, whole: bool| {
        let begun = sg.begin_attachment(&maria, &begin(kind), NOW_MS).unwrap();
        let id = id_of(&begun.attachment);
        if whole {
            sg.keep_upload_part(&maria, &id, 1, b"bytes", NOW_MS).unwrap();
        }
        let said = ask(&mut sg, &maria, &draft).unwrap_err().to_string();
        sg.discard_upload(&maria, &id).unwrap();
        said
    };
    assert!(refused(v1::AttachmentKind::Photo, false).contains("not all of the file"));
    assert!(refused(v1::AttachmentKind::MedicalLetter, true).contains("attachment.medical_letter"));
    ask(&mut sg, &maria, &draft).unwrap();
}
