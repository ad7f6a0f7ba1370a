//! Catching up: a node that was away fetches another's log, checks it and makes it durable.
//!
//! From the moment at which it begins to dial to the moment at which the last entry is on its disk,
//! against the same frames over a bare stream, and against what checking one Ed25519 signature an
//! entry would allow.

use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use tutti_core::{
    batch::VerifiedBatch,
    store::{Reader as _, Store as _},
};

use crate::{
    Sizes, bare,
    fixture::{Federation, folder, open_entry, origin, sealed_entry},
    measure::{Row, Samples, Target, Unit},
    nodes::Node,
};

/// Entries alone: those of cases between others, from one who holds them as well.
pub(crate) async fn entries(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph", "qa"]);
    let (dir, log, size) = (folder(), origin("qa"), sizes.entries);
    drop(federation.fill(dir.path(), "qa", size));
    let holder = Node::start(&federation, "sg", dir.path(), Some(federation.listener("sg")));
    let frames = {
        let log = log.clone();
        holder.engine.ask(move |engine, _| bare::frames(engine.store(), &log)).await.expect("asked")
    };
    let bytes: usize = frames.iter().map(prost::Message::encoded_len).sum();
    let tls = bare::Tls::new();
    let (mut ours, mut plain, mut secure) =
        (Samples::default(), Samples::default(), Samples::default());
    let mut linking = Samples::default();
    for _ in 0..sizes.rounds {
        plain.took(bare::stream(frames.clone(), None).await);
        secure.took(bare::stream(frames.clone(), Some(&tls)).await);
        let empty = folder();
        let node = Node::start(&federation, "ph", empty.path(), Some(federation.listener("ph")));
        let reached = node.until(|noted| noted.reached(&log, size)).await;
        let first = node.until(|noted| noted.reached(&log, 1)).await;
        linking.took(first.duration_since(node.started));
        ours.took(reached.duration_since(node.started));
        node.stop().await;
        // The other end sees that the link is gone before it is dialled again.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    holder.stop().await;
    let signatures = signatures(sizes);
    let unit = Unit::Rate("entries", size as f64);
    let what = format!("catch-up of {size} entries ({} MB), ", bytes / 1_000_000);
    let row = |against: &str, limit: (&str, &Samples), target| {
        Row::speed(format!("{what}{against}"), unit, &ours, limit, target)
    };
    vec![
        row("mutual TLS", ("bare tonic, mutual TLS", &secure), Target::AtLeast(0.4)),
        row("mutual TLS", ("bare tonic, in clear", &plain), Target::None),
        row("mutual TLS", ("one signature an entry", &signatures), Target::AtLeast(10.0)),
        Row::alone(
            "of this, from dialling to the first batch on the disk",
            Unit::Seconds,
            &linking,
            Target::None,
        ),
    ]
}

/// What checking a signature an entry would take, by as many as it takes to tell.
fn signatures(sizes: &Sizes) -> Samples {
    let key = SigningKey::from_bytes(&[7; 32]);
    let entry = sealed_entry(&origin("sg"), 7);
    let signature = key.sign(entry.as_slice());
    let mut samples = Samples::default();
    const CHECKED: u64 = 500;
    for _ in 0..sizes.rounds {
        let mut one = Samples::default();
        one.time(|| {
            for _ in 0..CHECKED {
                let key = std::hint::black_box(key.verifying_key());
                key.verify_strict(entry.as_slice(), &signature).expect("valid");
            }
        });
        samples.add(one.median() / CHECKED as f64 * sizes.entries as f64);
    }
    samples
}

/// Entries with their bodies: shares of information, which every member holds.
pub(crate) async fn bodies(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph"]);
    let (dir, log, size) = (folder(), origin("sg"), sizes.bodies);
    let mut store = federation.store(dir.path(), "sg");
    let keys = federation.keyring("sg");
    let (entries, bodies): (Vec<_>, Vec<_>) =
        (0..size).map(|index| open_entry(&log, index, 1)).unzip();
    for (entries, bodies) in entries.chunks(256).zip(bodies.chunks(256)) {
        let batch = VerifiedBatch::author(&store.tree(&log), &log, entries.to_vec(), &keys.log);
        store.append(&batch.expect("signed"), bodies).expect("appended");
    }
    let mut frames = bare::frames(&store, &log);
    frames.extend((0..).zip(&bodies).map(|(index, body)| bare::chunk(&log, index, body.bytes())));
    drop(store);
    let author = Node::start(&federation, "sg", dir.path(), Some(federation.listener("sg")));
    let tls = bare::Tls::new();
    let (mut ours, mut secure) = (Samples::default(), Samples::default());
    for _ in 0..sizes.rounds {
        secure.took(bare::stream(frames.clone(), Some(&tls)).await);
        let empty = folder();
        let node = Node::start(&federation, "ph", empty.path(), Some(federation.listener("ph")));
        let all = |noted: &crate::nodes::Noted| {
            noted.bodies_at.filter(|_| noted.bodies == size && noted.reached(&log, size).is_some())
        };
        let reached = node.until(all).await;
        ours.took(reached.duration_since(node.started));
        node.stop().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    author.stop().await;
    let what = format!("catch-up of {size} entries with a body of 1 KiB each, mutual TLS");
    let limit = ("bare tonic, mutual TLS", &secure);
    vec![Row::speed(what, Unit::Rate("entries", size as f64), &ours, limit, Target::None)]
}
