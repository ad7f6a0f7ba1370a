//! A referral on its way and in the list: what a caseworker waits for.
//!
//! Sending: from the call to the moment at which record and content are on the disk of the society
//! that it is for, and to the moment at which the sender is told so, which is when a watch of the sender's
//! node says *on their node*. The worklist: through the API of a node in a process of its own.

use std::time::Instant;

use rand_core::OsRng;
use tutti_core::store::Reader as _;
use tutti_node::{
    client::{Target as At, connect},
    clock::Now,
    engine::{Engine, Identity, Order},
    local::Actor,
};
use tutti_proto::node::v1::{ListReferralsRequest, referrals_client::ReferralsClient};

use crate::{
    Sizes,
    fixture::{Federation, folder, origin, send, society},
    measure::{Row, Samples, Target, Unit},
    memory::Process,
    nodes::{Node, now_ms},
};

const CODES: [&str; 2] = ["sg", "ph"];

/// One referral after the other, each from the call to *on their node*.
pub(crate) async fn on_their_node(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&CODES);
    let folders = CODES.map(|_| folder());
    let start = |at: usize| {
        let (code, dir) = (CODES[at], folders[at].path());
        Node::start(&federation, code, dir, Some(federation.listener(code)))
    };
    let (sender, receiver) = (start(0), start(1));
    let log = origin("sg");
    let kinds = vec!["referral".to_owned()];
    let watch = sender.engine.ask(move |engine, _| engine.watch(&Actor::node(), kinds)).await;
    let mut screen = watch.expect("an engine").expect("a watch");
    let (mut samples, mut told) = (Samples::default(), Samples::default());
    for n in 0..=sizes.commits / 10 {
        let asked = Instant::now();
        sender.engine.write(Order::by_node(send(n))).await.expect("written");
        let there = receiver
            .until(|noted| {
                let at = noted.bodies_at.filter(|_| noted.bodies == 2 * (n + 1))?;
                Some(at.max(noted.reached(&log, n + 1)?))
            })
            .await;
        while screen.next().await.expect("the node runs").what != "on_their_node" {}
        let said = asked.elapsed();
        // The first waits for the link.
        if n > 0 {
            samples.took(there.saturating_duration_since(asked));
            told.took(said);
        }
    }
    sender.stop().await;
    receiver.stop().await;
    let row = |what: &str, samples: &Samples, part| {
        let mut one = Samples::default();
        one.add(samples.quantile(part));
        Row::alone(what, Unit::Seconds, &one, Target::None)
    };
    vec![
        row(
            "a referral from the call to their node (record and content durable), p50",
            &samples,
            0.5,
        ),
        row("the same, p99", &samples, 0.99),
        row("a referral from the call until the sender is told *on their node*, p50", &told, 0.5),
        row("the same until the sender is told, p99", &told, 0.99),
    ]
}

/// A list of ten thousand, on a socket as the command line has it.
pub(crate) async fn worklist(sizes: &Sizes) -> Vec<Row> {
    let mut federation = Federation::found(&CODES);
    let (home, size) = (federation.home("sg"), sizes.worklist);
    fill(&federation, size);
    federation.release();
    let begun = Instant::now();
    let _node = Process::start(&home).await;
    let channel = connect(&At::Dir(home)).await.expect("connected");
    let mut client = ReferralsClient::new(channel);
    client.list(ListReferralsRequest::default()).await.expect("a page");
    let started = begun.elapsed();
    let (mut first, mut all) = (Samples::default(), Samples::default());
    for _ in 0..sizes.rounds {
        let request = ListReferralsRequest::default();
        let begun = Instant::now();
        let page = client.list(request.clone()).await.expect("a page").into_inner();
        first.took(begun.elapsed());
        assert_eq!(page.referrals.len() as u64, size.min(100));
        let (begun, mut listed, mut page_token) = (Instant::now(), 0, String::new());
        loop {
            let request = ListReferralsRequest { page_size: 1000, page_token, ..request.clone() };
            let page = client.list(request).await.expect("a page").into_inner();
            listed += page.referrals.len() as u64;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        all.took(begun.elapsed());
        assert_eq!(listed, size);
    }
    let mut start = Samples::default();
    start.took(started);
    let row =
        |what: String, samples: &Samples| Row::alone(what, Unit::Seconds, samples, Target::None);
    vec![
        row(format!("worklist of {size} referrals: the first page of 100"), &first),
        row(format!("worklist of {size} referrals: all, in pages of 1 000"), &all),
        row(format!("starting a node on {size} referrals of its own, until it answers"), &start),
    ]
}

/// Sends them from an engine without links.
fn fill(federation: &Federation, size: u64) {
    let store = federation.store(&federation.home("sg"), "sg");
    let held = store.tree(&origin("sg")).size();
    let identity = Identity {
        society: society("sg"),
        name: "sg".into(),
        origin: origin("sg"),
        keyring: federation.keyring("sg"),
        started_at_ms: now_ms(),
        listen: String::new(),
    };
    let roster = (*federation.roster).clone();
    let mut engine = Engine::new(identity, roster, store, Some(held), OsRng, Now::read());
    let mut seed = 0;
    while seed < size {
        let end = size.min(seed + 256);
        for answer in engine.write((seed..end).map(send).collect(), Now::read()) {
            answer.expect("written");
        }
        seed = end;
    }
}
