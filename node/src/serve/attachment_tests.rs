//! Files that go with a case, over two real nodes: added, broken off, gone on with, read, erased.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use tutti_core::{
    limits::ATTACHMENT_BYTES_MAX,
    referral::{CATEGORIES, attachment::PART_BYTES, form},
};
use tutti_proto::{
    node::v1::{
        self as api, access_client::AccessClient, advance_referral_request::Transition,
        attachments_client::AttachmentsClient, drafts_client::DraftsClient,
        referrals_client::ReferralsClient,
    },
    v1,
};

use crate::{
    client::{Connection, Target, connect},
    testing::{Federation, Running},
};

const CANARY: &[u8] = b"canary-of-the-medical-letter-93821";

/// What the example tells, and of files a photo alone; besides what its record tells.
const NARROW: [&str; 14] = [
    "person.name",
    "person.sex",
    "person.age",
    "person.nationality",
    "person.languages",
    "person.interpreter_needed",
    "person.disability",
    "person.safe_contact",
    "person.safe_contact_times",
    "person.caregiver",
    "reason",
    "risk",
    "services_already_provided",
    "attachment.photo",
];

struct Up {
    node: Running,
    connection: Connection,
}

impl Up {
    async fn start(home: &Path) -> Self {
        let node = Running::start(home).await.unwrap();
        Self { node, connection: connect(&Target::Dir(home.into())).await.unwrap() }
    }

    fn files(&self) -> AttachmentsClient<Connection> {
        AttachmentsClient::new(self.connection.clone())
    }

    async fn begin(
        &self,
        id: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<api::AttachmentUpload, Status> {
        let request = api::BeginAttachmentRequest {
            id: id.into(),
            kind: v1::AttachmentKind::MedicalLetter as i32,
            name: name.into(),
            size: bytes.len() as u64,
            sha256: Sha256::digest(bytes).to_vec(),
            ..Default::default()
        };
        self.files().begin(request).await.map(tonic::Response::into_inner)
    }

    /// Sends `bytes` from `offset` on, in small pieces; gives the last word.
    async fn upload(
        &self,
        attachment: &str,
        bytes: &[u8],
        offset: u64,
    ) -> Result<Option<api::UploadProgress>, Status> {
        let mut first = Some(attachment.to_owned());
        let pieces = bytes.chunks(40_000).map(|data| api::UploadPiece {
            attachment: first.take().unwrap_or_default(),
            offset,
            data: data.to_vec(),
        });
        let pieces: Vec<_> = pieces.collect();
        let mut words = self.files().upload(tokio_stream::iter(pieces)).await?.into_inner();
        let mut last = None;
        while let Some(word) = words.message().await? {
            last = Some(word);
        }
        Ok(last)
    }

    async fn add(&self, id: &str, name: &str, bytes: &[u8]) -> Result<String, Status> {
        let begun = self.begin(id, name, bytes).await?;
        let word = self.upload(&begun.attachment, bytes, 0).await?.unwrap();
        assert_eq!(word.receipt.map(|receipt| receipt.id).as_deref(), Some(id));
        Ok(begun.attachment)
    }

    /// What goes with it; nothing where the referral itself has not come yet.
    async fn list(&self, id: &str) -> Vec<api::Attachment> {
        let request =
            api::ListAttachmentsRequest { id: id.into(), with_content: true, ..Default::default() };
        match self.files().list(request).await {
            Ok(listed) => listed.into_inner().attachments,
            Err(status) => {
                assert_eq!(status.code(), Code::NotFound, "{status}");
                Vec::new()
            }
        }
    }

    async fn read(&self, id: &str, attachment: &str, offset: u64) -> Result<Vec<u8>, Status> {
        let request = api::ReadAttachmentRequest {
            id: id.into(),
            attachment: attachment.into(),
            offset,
            ..Default::default()
        };
        let mut pieces = self.files().read(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend(piece?.data);
        }
        Ok(bytes)
    }
}

fn filled(key: u8, fields: &[&str]) -> form::ReferralForm {
    let mut form: form::ReferralForm = toml::from_str(form::example()).unwrap();
    form.receiver = "ph".into();
    form.content.get_or_insert_default().case_code = format!("A-{key}");
    if let Some(consent) = &mut form.consent {
        consent.recipients = vec!["ph".into()];
        let record = if fields.is_empty() { &[][..] } else { &CATEGORIES };
        consent.fields = fields.iter().chain(record).map(ToString::to_string).collect();
    }
    form
}

async fn send(up: &Up, key: u8, fields: &[&str]) -> String {
    send_as(up, vec![key; 16], &filled(key, fields)).await
}

async fn send_as(up: &Up, idempotency_key: Vec<u8>, form: &form::ReferralForm) -> String {
    let (sent, content) = form.to_messages().unwrap();
    let request = api::SendReferralRequest {
        idempotency_key,
        sent: Some(sent),
        content: Some(content),
        ..Default::default()
    };
    ReferralsClient::new(up.connection.clone()).send(request).await.unwrap().into_inner().id
}

/// A letter of that many bytes, no two parts of which are alike, with canaries all through it.
fn letter(bytes: usize) -> Vec<u8> {
    let mut letter = b"%PDF-1.7\n".to_vec();
    let mut n = 0u64;
    while letter.len() < bytes {
        letter.extend_from_slice(CANARY);
        letter.extend_from_slice(&n.to_be_bytes());
        n += 1;
    }
    letter.truncate(bytes);
    letter
}

/// Every file below, with its bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap_or_default())),
        }
    }
    found
}

fn canaries(dir: &Path) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY);
    files(dir).into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect()
}

fn under_way(dir: &Path) -> usize {
    fs::read_dir(dir.join("local/uploads")).map(|files| files.count()).unwrap_or(0)
}

async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    for _ in 0..1500 {
        if ask().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited for {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_added_gone_on_with_read_and_erased() {
    let mut federation = Federation::found(&["ph", "sg"], &["ph"]);
    ["ph", "sg"].iter().for_each(|code| federation.release(code));
    let homes = ["sg", "ph"].map(|code| federation.home(code));
    let sg = Up::start(&homes[0]).await;
    let ph = Up::start(&homes[1]).await;
    let id = send(&sg, 1, &[]).await;
    let letter = letter(2 * PART_BYTES + 77_777);

    // Broken off in the second part; the first is kept, also over a restart.
    let begun = sg.begin(&id, "letter.pdf", &letter).await.unwrap();
    assert_eq!((begun.offset, begun.added), (0, false));
    let broken = sg.upload(&begun.attachment, &letter[..PART_BYTES + 300_000], 0).await;
    assert_eq!(broken.unwrap_err().code(), Code::Cancelled);
    sg.node.stop().await.unwrap();
    assert_eq!(under_way(&homes[0]), 2);
    assert_eq!(canaries(&homes[0]), [""; 0]);
    let sg = Up::start(&homes[0]).await;
    let again = sg.begin(&id, "letter.pdf", &letter).await.unwrap();
    assert_eq!((&again.attachment, again.offset), (&begun.attachment, PART_BYTES as u64));
    let wrong = sg.upload(&again.attachment, &letter, 0).await.unwrap_err();
    assert!(wrong.message().contains(&again.offset.to_string()), "{}", wrong.message());
    let rest = &letter[PART_BYTES..];
    let word = sg.upload(&again.attachment, rest, again.offset).await.unwrap().unwrap();
    assert_eq!((word.parts_added, word.parts, word.kept), (3, 3, letter.len() as u64));
    assert_eq!(under_way(&homes[0]), 0, "what is added is kept once");
    // The same file is the same attachment.
    let third = sg.begin(&id, "renamed.pdf", &letter).await.unwrap();
    assert_eq!((third.attachment, third.added), (begun.attachment.clone(), true));

    until("the file at ph", async || {
        ph.list(&id).await.first().is_some_and(|file| file.state() == api::BodyState::Present)
    })
    .await;
    let file = ph.list(&id).await.remove(0);
    assert_eq!((file.name.as_str(), file.media_type.as_str()), ("letter.pdf", "application/pdf"));
    assert_eq!((file.kind.as_str(), file.society.as_str()), ("medical_letter", "sg"));
    assert_eq!((file.size, file.parts, file.parts_present), (letter.len() as u64, 3, 3));
    assert!(ph.read(&id, &file.id, 0).await.unwrap() == letter);
    for offset in [1, PART_BYTES, PART_BYTES + 70_000, letter.len() - 1] {
        let read = ph.read(&id, &file.id, offset as u64).await.unwrap();
        assert!(read == letter[offset..], "{offset}");
    }
    let end = ph.read(&id, &file.id, letter.len() as u64).await.unwrap_err();
    assert_eq!(end.code(), Code::InvalidArgument);
    until("the receipts at sg", async || sg.list(&id).await[0].parts_delivered == 3).await;
    // Each reading stands in the access log.
    let mut access = AccessClient::new(ph.connection.clone());
    let log = access.list(api::ListAccessRequest::default()).await.unwrap().into_inner();
    let of = |what: &str| log.entries.iter().filter(|entry| entry.what == what).count();
    assert_eq!(of("attachment"), 6);
    assert!(of("attachments") >= 2);
    // Its parts are one line of the story, and no step that somebody waits for.
    let mut referrals = ReferralsClient::new(ph.connection.clone());
    let request = api::GetReferralRequest { id: id.clone(), ..Default::default() };
    let shown = referrals.get(request).await.unwrap().into_inner();
    assert_eq!(shown.events.iter().filter(|event| event.transition == "attached").count(), 1);
    assert!(shown.attachments[0].name.is_empty(), "no name unasked");

    // Nothing of it lies anywhere in clear; all of it goes with the person's word.
    for home in &homes {
        assert_eq!(canaries(home), [""; 0]);
    }
    sg.begin(&id, "second.pdf", &letter[..5000]).await.unwrap();
    assert_eq!(under_way(&homes[0]), 1);
    let request = api::AdvanceReferralRequest {
        idempotency_key: vec![9; 16],
        id: id.clone(),
        transition: Some(Transition::WithdrawConsent(v1::ConsentWithdrawn {
            by: v1::ConsentGiver::Person as i32,
            ..Default::default()
        })),
        ..Default::default()
    };
    referrals.advance(request).await.unwrap();
    let gone = ph.read(&id, &file.id, 0).await.unwrap_err();
    assert!(gone.message().contains("erased"), "{}", gone.message());
    until("the erasure at sg", async || under_way(&homes[0]) == 0).await;
    assert_eq!(sg.list(&id).await[0].state(), api::BodyState::Erased);
    assert!(sg.list(&id).await[0].name.is_empty());
    until("both to confirm", async || {
        let request = api::GetReferralRequest { id: id.clone(), ..Default::default() };
        let mut referrals = ReferralsClient::new(sg.connection.clone());
        let erasure = referrals.get(request).await.unwrap().into_inner().erasure.unwrap();
        assert_eq!(erasure.entries, 4, "the case and three parts");
        erasure.confirmations.iter().all(|side| side.confirmed)
    })
    .await;
    let late = sg.begin(&id, "late.pdf", &letter).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    sg.node.stop().await.unwrap();
    ph.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_go_along_is_refused_and_leaves_nothing() {
    let mut federation = Federation::found(&["ph", "sg"], &["ph"]);
    ["ph", "sg"].iter().for_each(|code| federation.release(code));
    let home = federation.home("sg");
    let sg = Up::start(&home).await;
    let id = send(&sg, 1, &[]).await;
    let letter = letter(300_000);

    // At the beginning: name, size, digest.
    for name in ["", "../letter.pdf", "a/b.pdf", "a\u{202e}fdp.exe", "a\n.pdf"] {
        let refused = sg.begin(&id, name, &letter).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name:?}");
    }
    let request = |size, sha256: &[u8]| api::BeginAttachmentRequest {
        id: id.clone(),
        kind: 2,
        name: "a.pdf".into(),
        size,
        sha256: sha256.to_vec(),
        ..Default::default()
    };
    for (size, sha256) in
        [(0, [1; 32].as_slice()), (ATTACHMENT_BYTES_MAX + 1, &[1; 32]), (9, &[1; 31])]
    {
        let refused = sg.files().begin(request(size, sha256)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{size}");
    }
    let unknown = api::BeginAttachmentRequest { kind: 99, ..request(9, &[1; 32]) };
    let refused = sg.files().begin(unknown).await.unwrap_err();
    assert!(refused.message().contains("medical_letter"), "{}", refused.message());

    // By the bytes: what they are, and that they are what was announced.
    let page = b"<html><script>alert(1)</script>".repeat(10_000);
    let mut late_code = b"a letter\n".repeat(30_000);
    late_code[200_000] = 0x1b;
    for (name, bytes) in [
        ("letter.pdf", page.as_slice()),
        ("letter.jpg", &letter),
        ("letter.txt", &late_code),
        ("letter.txt", b"caf\xc3"),
        ("letter.pdf", b"PK\x03\x04 an archive"),
    ] {
        let begun = sg.begin(&id, name, bytes).await.unwrap();
        let refused = sg.upload(&begun.attachment, bytes, 0).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name}");
        assert!(refused.message().contains("allowed: pdf, jpg"), "{}", refused.message());
        assert_eq!(under_way(&home), 0, "{name}");
    }
    let begun = sg.begin(&id, "letter.pdf", &letter).await.unwrap();
    let mut other = letter.clone();
    other[299_999] ^= 1;
    let refused = sg.upload(&begun.attachment, &other, 0).await.unwrap_err();
    assert!(refused.message().contains("announced"), "{}", refused.message());
    let longer = [letter.as_slice(), b"more"].concat();
    let begun = sg.begin(&id, "letter.pdf", &letter).await.unwrap();
    assert!(sg.upload(&begun.attachment, &longer, 0).await.is_err());
    assert_eq!(under_way(&home), 0);
    assert_eq!(sg.list(&id).await, []);

    // By what the person has agreed to: before a byte is sent.
    let narrow = send(&sg, 2, &NARROW).await;
    let refused = sg.begin(&narrow, "letter.pdf", &letter).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("consent"), "{}", refused.message());
    let strange = sg.begin(&"ab".repeat(16), "letter.pdf", &letter).await.unwrap_err();
    assert_eq!(strange.code(), Code::NotFound);

    // A file of one part, and what was begun and is given up.
    let text = "Überweisung für Dr. สมชาย\n".repeat(1000);
    let added = sg.add(&id, "note.txt", text.as_bytes()).await.unwrap();
    assert!(sg.read(&id, &added, 0).await.unwrap() == text.as_bytes());
    let begun = sg.begin(&id, "letter.pdf", &letter).await.unwrap();
    let request = api::DiscardUploadRequest { attachment: begun.attachment.clone() };
    assert!(sg.files().discard(request.clone()).await.unwrap().into_inner().discarded);
    assert!(!sg.files().discard(request).await.unwrap().into_inner().discarded);
    assert_eq!(under_way(&home), 0);
    let gone = sg.upload(&begun.attachment, &letter, 0).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    sg.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_holds_files_sealed_and_they_are_sent_with_it() {
    let mut federation = Federation::found(&["ph", "sg"], &["ph"]);
    ["ph", "sg"].iter().for_each(|code| federation.release(code));
    let homes = ["sg", "ph"].map(|code| federation.home(code));
    let sg = Up::start(&homes[0]).await;
    let ph = Up::start(&homes[1]).await;
    let form = filled(3, &NARROW);
    let text = serde_json::to_string(&form).unwrap();
    let save = |up: &Up| {
        let mut drafts = DraftsClient::new(up.connection.clone());
        let request = api::SaveDraftRequest { form: text.clone(), ..Default::default() };
        async move { drafts.save(request).await.unwrap().into_inner() }
    };
    let info = async |up: &Up, id: &str| {
        let mut drafts = DraftsClient::new(up.connection.clone());
        let request = api::DraftRequest { id: id.into() };
        drafts.get(request).await.unwrap().into_inner().info.unwrap()
    };
    let announced =
        |draft: &str, kind: v1::AttachmentKind, bytes: &[u8]| api::BeginAttachmentRequest {
            kind: kind as i32,
            name: "photo.pdf".into(),
            size: bytes.len() as u64,
            sha256: Sha256::digest(bytes).to_vec(),
            draft: draft.into(),
            ..Default::default()
        };
    let saved = save(&sg).await;
    assert_eq!(saved.faults, [""; 0]);
    let photo = letter(PART_BYTES + 77_777);
    let request = announced(&saved.id, v1::AttachmentKind::Photo, &photo);

    // Broken off and gone on with, over a restart; until it is whole it is a fault.
    let begun = sg.files().begin(request.clone()).await.unwrap().into_inner();
    let broken = sg.upload(&begun.attachment, &photo[..PART_BYTES + 300], 0).await;
    assert_eq!(broken.unwrap_err().code(), Code::Cancelled);
    assert!(info(&sg, &saved.id).await.faults[0].contains("not all of the file"));
    sg.node.stop().await.unwrap();
    let sg = Up::start(&homes[0]).await;
    let begun = sg.files().begin(request.clone()).await.unwrap().into_inner();
    assert_eq!(begun.offset, PART_BYTES as u64);
    let rest = &photo[PART_BYTES..];
    let word = sg.upload(&begun.attachment, rest, begun.offset).await.unwrap().unwrap();
    assert!(word.held && word.receipt.is_none(), "nothing is written yet: {word:?}");
    let begun = sg.files().begin(request.clone()).await.unwrap().into_inner();
    assert!(begun.added, "the same again is kept once");
    assert_eq!((under_way(&homes[0]), canaries(&homes[0])), (3, vec![]));
    let files = info(&sg, &saved.id).await.files;
    assert_eq!((files[0].kind.as_str(), files[0].name.as_str()), ("photo", "photo.pdf"));
    assert!(files[0].whole && files.len() == 1);

    // What is wrong with its bytes, and what the person has not agreed to, shows before it is sent.
    let page = b"<html>".repeat(1000);
    let wrong = announced(&saved.id, v1::AttachmentKind::Photo, &page);
    let begun = sg.files().begin(wrong).await.unwrap().into_inner();
    let refused = sg.upload(&begun.attachment, &page, 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let beyond = announced(&saved.id, v1::AttachmentKind::MedicalLetter, &photo[..900]);
    let begun = sg.files().begin(beyond).await.unwrap().into_inner();
    assert!(sg.upload(&begun.attachment, &photo[..900], 0).await.unwrap().unwrap().held);
    let faults = info(&sg, &saved.id).await.faults;
    assert!(
        faults.len() == 1 && faults[0].starts_with("attachment.medical_letter: "),
        "{faults:?}"
    );
    let request = api::DiscardUploadRequest { attachment: begun.attachment };
    assert!(sg.files().discard(request).await.unwrap().into_inner().discarded);
    assert_eq!(info(&sg, &saved.id).await.faults, [""; 0]);

    // Sent under the draft's number; its file follows.
    let request = api::AddOfDraftRequest { draft: saved.id.clone() };
    let early = sg.files().add_of_draft(request.clone()).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    let id = send_as(&sg, hex::decode(&saved.id).unwrap(), &form).await;
    for again in [false, true] {
        let mut words = sg.files().add_of_draft(request.clone()).await.unwrap().into_inner();
        let mut last = None;
        while let Some(word) = words.message().await.unwrap() {
            last = Some(word);
        }
        assert_eq!(last.map(|word| (word.parts_added, word.parts)), (!again).then_some((2, 2)));
    }
    assert_eq!(under_way(&homes[0]), 0);
    let late = announced(&saved.id, v1::AttachmentKind::Photo, &photo[..800]);
    assert_eq!(sg.files().begin(late).await.unwrap_err().code(), Code::FailedPrecondition);
    until("the file at ph", async || {
        ph.list(&id).await.first().is_some_and(|file| file.state() == api::BodyState::Present)
    })
    .await;
    assert!(ph.read(&id, &files[0].attachment, 0).await.unwrap() == photo);

    // What is with a draft goes with it.
    let other = save(&sg).await;
    let request = announced(&other.id, v1::AttachmentKind::Photo, &photo[..900]);
    let begun = sg.files().begin(request).await.unwrap().into_inner();
    assert!(sg.upload(&begun.attachment, &photo[..900], 0).await.unwrap().unwrap().held);
    assert_eq!(under_way(&homes[0]), 2);
    let mut drafts = DraftsClient::new(sg.connection.clone());
    drafts.delete(api::DraftRequest { id: other.id }).await.unwrap();
    assert_eq!(under_way(&homes[0]), 0);
    sg.node.stop().await.unwrap();
    ph.node.stop().await.unwrap();
}
