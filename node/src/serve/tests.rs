#![allow(clippy::unwrap_used)]

use std::fs;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tutti_proto::node::v1::{self as api, node_client::NodeClient};

use super::*;
use crate::{
    client::{Target, connect},
    exit::Exit,
    peers::TlsKey,
    testing::{Federation, Running, reconfigure},
};

#[tokio::test]
async fn health_reflection_status_and_metrics_answer_and_stopping_is_clean() {
    let mut federation = Federation::found(&["ph", "sg"], &[]);
    federation.release("ph");
    let home = federation.home("ph");
    let off = "on loopback alone; empty for none.\nlisten = \"\"";
    reconfigure(&home, off, "\nlisten = \"127.0.0.1:0\"");
    let node = Running::start(&home).await.unwrap();
    assert_eq!(node.ready.peers, Some(federation.address_of_roster("ph")));
    assert_eq!(node.ready.api, None);

    let connection = connect(&Target::Dir(home.clone())).await.unwrap();
    let health = HealthClient::new(connection.clone())
        .check(HealthCheckRequest { service: "tutti.node.v1.Referrals".into() })
        .await
        .unwrap();
    assert_eq!(health.into_inner().status, 1, "serving");

    let ask = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut answers = ServerReflectionClient::new(connection.clone())
        .server_reflection_info(tokio_stream::iter([ask]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"tutti.node.v1.Log".to_string()), "{names:?}");
    assert!(!names.contains(&"tutti.v1.Federation".to_string()), "{names:?}");

    let mut client = NodeClient::new(connection);
    let status = client.status(api::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.mode, "writing", "a new node is not fenced");
    assert_eq!(status.peers.len(), 1);
    assert!(status.warnings.iter().any(|text| text.contains("no peer is connected")));
    let odd = api::WatchRequest { kinds: vec!["everything".into()] };
    assert_eq!(client.watch(odd).await.unwrap_err().code(), Code::InvalidArgument);

    for (accept, described) in
        [("*/*", "# TYPE tutti_build_info gauge"), ("application/openmetrics-text", "# EOF")]
    {
        let mut page = tokio::net::TcpStream::connect(node.ready.metrics.unwrap()).await.unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: {accept}\r\n\r\n"
        );
        page.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        page.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.contains(described), "{text}");
    }

    // An open watch does not hold up the stop, and is told.
    let mut watch = client.watch(api::WatchRequest::default()).await.unwrap().into_inner();
    let begun = std::time::Instant::now();
    node.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    assert!(!home.join("tutti.sock").exists());
    assert!(connect(&Target::Dir(home.clone())).await.is_err());
    Running::start(&home).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn the_remote_api_wants_the_token_and_proves_its_key() {
    let mut federation = Federation::found(&["ph"], &[]);
    federation.release("ph");
    let home = federation.home("ph");
    let (off, on) = (
        "always\n# through tutti.sock in this directory.\nlisten = \"\"",
        "\nlisten = \"127.0.0.1:0\"",
    );
    reconfigure(&home, off, on);
    let node = Running::start(&home).await.unwrap();
    let address = node.ready.api.unwrap().to_string();
    let tls_key = federation.keyring("ph").tls.spki().unwrap();
    let target = |token: &str, tls_key| Target::Remote {
        address: address.clone(),
        token: token.to_string().into(),
        tls_key,
    };
    let secret = crate::client::operator_token(&home).unwrap();
    let connection = connect(&target(&secret, tls_key)).await.unwrap();
    NodeClient::new(connection).status(api::StatusRequest {}).await.unwrap();
    for wrong in ["", "other", &secret[1..]] {
        let connection = connect(&target(wrong, tls_key)).await.unwrap();
        let refused =
            NodeClient::new(connection.clone()).status(api::StatusRequest {}).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        // Health is for whoever watches over the machine.
        HealthClient::new(connection).check(HealthCheckRequest::default()).await.unwrap();
    }
    let other = TlsKey::generate().unwrap().spki().unwrap();
    assert!(connect(&target(&secret, other)).await.is_err(), "another key is refused");
    node.stop().await.unwrap();
}

/// Starts the node and gives the code with which it ended.
async fn exit(home: &Path) -> Exit {
    let stopped = Running::start(home).await.err().expect("it does not start");
    let text = stopped.to_string();
    assert!(text.len() > 20 && !text.contains('{'), "{text}");
    stopped.exit_code()
}

#[tokio::test]
async fn what_keeps_a_node_from_starting_has_its_exit_code() {
    let mut federation = Federation::found(&["ph", "sg"], &[]);
    let home = federation.home("ph");
    // The test itself still listens there.
    assert_eq!(exit(&home).await, Exit::AddressInUse);
    federation.release("ph");
    let node = Running::start(&home).await.unwrap();
    assert_eq!(exit(&home).await, Exit::Locked);
    node.stop().await.unwrap();

    let key = home.join("keys/log.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert_eq!(exit(&home).await, Exit::Key, "missing");
    fs::copy(federation.home("sg").join("keys/log.key"), &key).unwrap();
    assert_eq!(exit(&home).await, Exit::Key, "another's");
    fs::write(&key, "nothing").unwrap();
    assert_eq!(exit(&home).await, Exit::Key, "malformed");
    fs::write(&key, kept).unwrap();

    fs::write(home.join("format"), "999\n").unwrap();
    assert_eq!(exit(&home).await, Exit::NewerFormat);
    fs::write(home.join("format"), "1\n").unwrap();

    fs::rename(home.join("roster"), home.join("roster.away")).unwrap();
    assert_eq!(exit(&home).await, Exit::Configuration, "no roster");
    fs::rename(home.join("roster.away"), home.join("roster")).unwrap();
    fs::write(home.join("roster/2"), "forged").unwrap();
    assert_eq!(exit(&home).await, Exit::Configuration, "a broken chain");
    fs::remove_file(home.join("roster/2")).unwrap();
    reconfigure(&home, "format = \"text\"", "format = \"xml\"");
    assert_eq!(exit(&home).await, Exit::Configuration, "a wrong value");
    reconfigure(&home, "format = \"xml\"", "format = \"text\"");
    Running::start(&home).await.unwrap().stop().await.unwrap();
    assert_eq!(exit(&home.join("nowhere")).await, Exit::Configuration, "no node");
}

#[tokio::test]
async fn keys_under_a_passphrase_open_with_its_file_alone() {
    let mut federation = Federation::found(&["ph"], &[]);
    federation.release("ph");
    let home = federation.home("ph");
    // One key is enough to show it.
    let path = home.join("keys/local.key");
    let plain = fs::read(&path).unwrap();
    let mut recipient = age::scrypt::Recipient::new("correct horse".to_string().into());
    recipient.set_work_factor(4);
    fs::write(&path, age::encrypt(&recipient, &plain).unwrap()).unwrap();
    let stopped = Running::start(&home).await.err().unwrap();
    assert!(stopped.to_string().contains("TUTTI_PASSPHRASE_FILE"), "{stopped}");
    assert_eq!(stopped.exit_code(), Exit::Key);
    fs::write(home.join("phrase"), "wrong\n").unwrap();
    reconfigure(&home, "passphrase_file = \"\"", "passphrase_file = \"phrase\"");
    assert_eq!(exit(&home).await, Exit::Key);
    fs::write(home.join("phrase"), "correct horse\n").unwrap();
    Running::start(&home).await.unwrap().stop().await.unwrap();
}

/// After a fork a society goes on under a new key in a new epoch. Whoever holds its old log must
/// still start, and still be able to check it.
#[tokio::test]
async fn a_log_whose_key_the_newest_roster_no_longer_lists_stops_no_start() {
    use tutti_core::{
        batch::VerifiedBatch,
        entry::{Commitment, Header, Visibility},
        keys::{KeyKind, NoteSecret},
        roster::Draft,
        society::Origin,
        store::{Reader as _, Store as _},
        tree::Tree,
    };
    let mut federation = Federation::found(&["ph", "sg"], &[]);
    federation.release("sg");
    let home = federation.home("sg");
    let origin = |code: &str, epoch| {
        Origin::new(crate::testing::FEDERATION, code.parse().unwrap(), epoch).unwrap()
    };
    let (own, old) = (origin("sg", 1), origin("ph", 1));
    let open = || {
        let chain = crate::rosters::chain(&home).unwrap();
        crate::store::DiskStore::open(&home, &own, &chain, &mut |_, _, _| ()).unwrap().store
    };
    let header = Header {
        origin: old.clone(),
        index: 0,
        recorded_at_ms: 1,
        visibility: Visibility::Addressed,
        record: Commitment { digest: [1; 32], size: 1 },
        content: Some(Commitment { digest: [2; 32], size: 1 }),
        tags: vec![[1; 16]; 2],
    };
    let log = federation.keyring("ph").log;
    let batch = VerifiedBatch::author(&Tree::default(), &old, vec![header.encode()], &log).unwrap();
    open().append(&batch, &[]).unwrap();

    let next = origin("ph", 2);
    let key =
        NoteSecret::generate(next.as_str(), KeyKind::Signature, &mut rand_core::OsRng).unwrap();
    let mut draft = Draft::succeed(&federation.roster, |document| {
        document.members[0].log_key = key.public().clone();
    })
    .unwrap();
    for code in ["ph", "sg"] {
        let root = federation.home(code).join("keys/root.key");
        draft.sign(&crate::keyring::root_key(&root, None).unwrap()).unwrap();
    }
    crate::rosters::install(&home, &draft.to_bytes()).unwrap();
    Running::start(&home).await.unwrap().stop().await.unwrap();
    assert_eq!(open().tree(&old).size(), 1);
}
