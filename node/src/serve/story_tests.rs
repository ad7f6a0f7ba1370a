//! Whole nodes over real sockets: what one writes, the others hold, witness and read.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tutti_core::referral::form::{ReferralForm, example};
use tutti_proto::{
    node::v1::{
        self as api, advance_referral_request::Transition, log_client::LogClient,
        node_client::NodeClient, referrals_client::ReferralsClient,
    },
    v1,
};

use crate::{
    client::{Connection, Target, connect},
    testing::{Federation, Running, society},
};

/// One node with its clients.
struct Up {
    home: PathBuf,
    node: Running,
    connection: Connection,
}

impl Up {
    async fn start(home: &Path) -> Self {
        let node = Running::start(home).await.unwrap();
        let connection = connect(&Target::Dir(home.into())).await.unwrap();
        Self { home: home.into(), node, connection }
    }

    fn referrals(&self) -> ReferralsClient<Connection> {
        ReferralsClient::new(self.connection.clone())
    }

    async fn status(&self) -> api::StatusResponse {
        let mut client = NodeClient::new(self.connection.clone());
        client.status(api::StatusRequest {}).await.unwrap().into_inner()
    }

    async fn get(&self, id: &str) -> Option<api::Referral> {
        let request =
            api::GetReferralRequest { id: id.into(), with_content: true, ..Default::default() };
        self.referrals().get(request).await.ok().map(tonic::Response::into_inner)
    }

    /// Waits for the log of `code` to have `size` entries and `witnesses` cosignatures here.
    async fn log(&self, code: &str, size: u64, witnesses: usize) -> api::LogStatus {
        until(code, async || {
            let mut logs = self.status().await.logs.into_iter();
            logs.find(|log| {
                log.society == code && log.size == size && log.witnesses.len() == witnesses
            })
        })
        .await
    }
}

/// Asks again until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        // A fence alone is kept for 15 s.
        assert!(begun.elapsed() < Duration::from_secs(40), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn federation() -> Federation {
    let mut federation = Federation::found(&["ph", "qa", "sg"], &["ph"]);
    for code in ["ph", "qa", "sg"] {
        federation.release(code);
    }
    federation
}

fn referral(key: u8) -> api::SendReferralRequest {
    let mut form: ReferralForm = toml::from_str(example()).unwrap();
    form.receiver = "ph".into();
    form.content.get_or_insert_default().case_code = format!("SG-{key}");
    if let Some(consent) = &mut form.consent {
        consent.recipients = vec!["ph".into()];
    }
    let (sent, content) = form.to_messages().unwrap();
    api::SendReferralRequest {
        idempotency_key: vec![key; 16],
        sent: Some(sent),
        content: Some(content),
        draft: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_referral_travels_is_answered_and_witnessed_by_one_that_cannot_read_it() {
    let federation = federation();
    let sg = Up::start(&federation.home("sg")).await;
    let ph = Up::start(&federation.home("ph")).await;
    let qa = Up::start(&federation.home("qa")).await;

    let receipt = sg.referrals().send(referral(1)).await.unwrap().into_inner();
    let again = sg.referrals().send(referral(1)).await.unwrap().into_inner();
    assert_eq!(receipt, again, "the same key writes once");
    let name = referral(1).content.unwrap().person.unwrap().name;
    assert!(!name.is_empty());
    let seen = until("the content at ph", async || {
        ph.get(&receipt.id).await.filter(|referral| referral.content.is_some())
    })
    .await;
    assert_eq!(seen.state(), api::ReferralState::Sent);
    assert_eq!(seen.content.unwrap().person.unwrap().name, name);

    for (n, transition) in
        [Transition::Acknowledge(v1::Acknowledged {}), Transition::Accept(v1::Accepted {})]
            .into_iter()
            .enumerate()
    {
        let request = api::AdvanceReferralRequest {
            idempotency_key: vec![100 + n as u8; 16],
            id: receipt.id.clone(),
            note: String::new(),
            transition: Some(transition),
            content: None,
        };
        ph.referrals().advance(request).await.unwrap();
    }
    until("sg to see the acceptance", async || {
        sg.get(&receipt.id).await.filter(|r| r.state() == api::ReferralState::Accepted)
    })
    .await;

    // All three hold both logs, each cosigned by the two others.
    for node in [&sg, &ph, &qa] {
        node.log("sg", 1, 2).await;
        node.log("ph", 2, 2).await;
    }
    // The witness knows that there are entries, and not one word of the case.
    assert!(qa.get(&receipt.id).await.is_none());
    let mut log = LogClient::new(qa.connection.clone());
    let origin = receipt.origin.clone();
    let mut entries = log
        .entries(api::EntriesRequest { origin: origin.clone(), start: 0, count: 0 })
        .await
        .unwrap()
        .into_inner();
    let entry = entries.message().await.unwrap().unwrap();
    assert_eq!(entry.content_state(), api::BodyState::Absent);
    assert!(entries.message().await.unwrap().is_none());
    let proof = log
        .prove(api::ProveRequest { origin, index: 0, with_record: false })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(proof.entry, entry.entry);

    for up in [sg, ph, qa] {
        let home = up.home.clone();
        up.node.stop().await.unwrap();
        assert!(!holds(&home, name.as_bytes()), "{} has the name in clear", home.display());
    }
}

/// Whether any file under `dir` holds these bytes.
fn holds(dir: &Path, needle: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|item| {
        let path = item.unwrap().path();
        if path.is_dir() {
            holds(&path, needle)
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window == needle)
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_catches_up_and_an_export_is_whole() {
    let federation = federation();
    let sg = Up::start(&federation.home("sg")).await;
    let qa = Up::start(&federation.home("qa")).await;
    for key in 1..=40 {
        sg.referrals().send(referral(key)).await.unwrap();
    }
    qa.log("sg", 40, 2 - 1).await;
    // ph comes for the first time, and sg is away by then: its log comes from qa.
    let home = sg.home.clone();
    sg.node.stop().await.unwrap();
    let ph = Up::start(&federation.home("ph")).await;
    ph.log("sg", 40, 2).await;
    let mut inbox = api::ListReferralsResponse::default();
    assert_eq!(inbox.referrals.len(), 0);
    let sg = Up::start(&home).await;
    until("the bodies from sg", async || {
        let request = api::ListReferralsRequest::default();
        inbox = ph.referrals().list(request).await.unwrap().into_inner();
        (inbox.referrals.len() == 40).then_some(())
    })
    .await;

    let mut pieces = LogClient::new(ph.connection.clone())
        .export(api::ExportRequest {
            origin: format!("{}/sg/1", crate::testing::FEDERATION),
            without_bodies: false,
        })
        .await
        .unwrap()
        .into_inner();
    let (mut files, mut last) = (Vec::new(), None);
    while let Some(piece) = pieces.message().await.unwrap() {
        if piece.last {
            files.push(piece.path.clone());
        }
        last = Some(piece);
    }
    let last = last.unwrap();
    assert_eq!((last.path.as_str(), last.entries_done, last.entries_total), ("checkpoint", 40, 40));
    assert!(files.iter().any(|path| path == "roster/1"), "{files:?}");
    assert!(files.iter().filter(|path| path.starts_with("bodies/")).count() >= 40, "{files:?}");
    for up in [sg, ph, qa] {
        up.node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_is_fenced_until_a_peer_has_given_back_what_it_lacks() {
    let federation = federation();
    let sg = Up::start(&federation.home("sg")).await;
    let qa = Up::start(&federation.home("qa")).await;
    sg.referrals().send(referral(1)).await.unwrap();
    qa.log("sg", 1, 1).await;
    let home = sg.home.clone();
    sg.node.stop().await.unwrap();
    let backup = federation.dir.path().join("backup");
    copy(&home, &backup);

    // The original goes on, and qa sees it.
    let sg = Up::start(&home).await;
    sg.referrals().send(referral(2)).await.unwrap();
    qa.log("sg", 2, 1).await;
    sg.node.stop().await.unwrap();
    qa.node.stop().await.unwrap();

    // Its disk is lost; the copy comes back, alone at first.
    fs::remove_dir_all(&home).unwrap();
    copy(&backup, &home);
    let sg = Up::start(&home).await;
    assert_eq!(sg.status().await.mode, "fenced");
    let refused = sg.referrals().send(referral(3)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert!(refused.message().contains("restore"), "{refused}");

    let qa = Up::start(&federation.home("qa")).await;
    sg.log("sg", 2, 1).await;
    until("the fence to be lifted", async || (sg.status().await.mode == "writing").then_some(()))
        .await;
    let receipt = sg.referrals().send(referral(3)).await.unwrap().into_inner();
    assert_eq!(receipt.index, 2);
    let log = qa.log("sg", 3, 1).await;
    assert!(!log.forked && log.society == society("sg").as_str());
    sg.node.stop().await.unwrap();
    qa.node.stop().await.unwrap();
}

/// The disk is lost, and of the backup there are configuration, keys, rosters and accounts alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_data_signs_nothing_until_a_peer_has_given_back_its_log() {
    let federation = federation();
    let sg = Up::start(&federation.home("sg")).await;
    let qa = Up::start(&federation.home("qa")).await;
    assert_eq!(sg.status().await.mode, "writing", "a new node writes at once");
    sg.referrals().send(referral(1)).await.unwrap();
    qa.log("sg", 1, 1).await;
    let home = sg.home.clone();
    sg.node.stop().await.unwrap();
    qa.node.stop().await.unwrap();
    for item in fs::read_dir(&home).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if ["tutti.toml", "card.note", "keys", "roster", "local", "tokens"].contains(&name.as_str())
        {
            continue;
        }
        match path.is_dir() {
            true => fs::remove_dir_all(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
    }

    // The second start is no other: nothing that the first has made counts.
    for _ in 0..2 {
        let sg = Up::start(&home).await;
        assert_eq!(sg.status().await.mode, "fenced");
        let refused = sg.referrals().send(referral(2)).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
        sg.node.stop().await.unwrap();
    }
    let (sg, qa) = (Up::start(&home).await, Up::start(&federation.home("qa")).await);
    until("the fence to be lifted", async || (sg.status().await.mode == "writing").then_some(()))
        .await;
    let receipt = sg.referrals().send(referral(2)).await.unwrap().into_inner();
    assert_eq!(receipt.index, 1);
    let log = qa.log("sg", 2, 1).await;
    assert!(!log.forked);
    sg.node.stop().await.unwrap();
    qa.node.stop().await.unwrap();
}

/// What the manual says to back up.
fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let target = to.join(&name);
        if ["highwater", "index", "lock", "opened", "tutti.sock"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Suspended while all run: its links end within seconds, on nodes that nobody restarts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installed_roster_suspends_a_society_without_a_restart() {
    let federation = federation();
    let sg = Up::start(&federation.home("sg")).await;
    let ph = Up::start(&federation.home("ph")).await;
    let qa = Up::start(&federation.home("qa")).await;
    let linked = async |node: &Up, with: &str| {
        let peers = node.status().await.peers;
        peers.iter().any(|peer| peer.society == with && peer.connected)
    };
    for (node, with) in [(&sg, "ph"), (&sg, "qa"), (&qa, "ph")] {
        until("the links", async || linked(node, with).await.then_some(())).await;
    }
    let receipt = sg.referrals().send(referral(1)).await.unwrap().into_inner();
    until("ph to have it", async || ph.get(&receipt.id).await).await;

    let next = federation.next(|document| {
        document.members[0].status = tutti_core::roster::Status::Suspended;
        document.data_protection.retention_days = 99;
    });
    // What cannot be read is told, and looked at again.
    let blocked = sg.home.join("roster").join("2");
    fs::create_dir(&blocked).unwrap();
    until("a warning", async || {
        let warnings = sg.status().await.warnings;
        warnings.iter().any(|line| line.contains("cannot be read yet")).then_some(())
    })
    .await;
    fs::remove_dir(&blocked).unwrap();
    let begun = Instant::now();
    for node in [&sg, &qa] {
        crate::rosters::install(&node.home, next.as_bytes()).unwrap();
    }
    for node in [&sg, &qa] {
        until("ph to be cut", async || (!linked(node, "ph").await).then_some(())).await;
        assert_eq!(node.status().await.roster_version, 2);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let warnings = sg.status().await.warnings;
    assert!(!warnings.iter().any(|line| line.contains("cannot be read yet")), "{warnings:?}");
    until("sg and qa again", async || linked(&sg, "qa").await.then_some(())).await;
    // Nothing reaches it any more, and nothing new can be sent to it.
    assert!(sg.referrals().send(referral(2)).await.unwrap_err().message().contains("ph cannot"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!linked(&sg, "ph").await && !linked(&ph, "sg").await);
    assert_eq!(ph.status().await.roster_version, 1);
    // It learns of it by its own copy.
    crate::rosters::install(&ph.home, next.as_bytes()).unwrap();
    until("ph to say so", async || {
        let warnings = ph.status().await.warnings;
        warnings.iter().any(|line| line.contains("suspended")).then_some(())
    })
    .await;
    for node in [sg, ph, qa] {
        node.node.stop().await.unwrap();
    }
}

/// A roster that does not name this node as it is is not taken, and people are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roster_with_other_keys_of_this_node_is_not_in_force_before_a_restart() {
    let federation = federation();
    let sg = Up::start(&federation.home("sg")).await;
    let key = crate::peers::TlsKey::generate().unwrap().spki().unwrap();
    let next = federation.next(|document| document.members[2].tls_key = key);
    let folder = sg.home.join("roster");
    fs::write(folder.join("2"), next.as_bytes()).unwrap();
    let warned = until("a warning", async || {
        let status = sg.status().await;
        status.warnings.into_iter().find(|line| line.contains("other keys"))
    })
    .await;
    assert!(warned.contains("Start the node again"), "{warned}");
    assert_eq!(sg.status().await.roster_version, 1);
    sg.node.stop().await.unwrap();
}
