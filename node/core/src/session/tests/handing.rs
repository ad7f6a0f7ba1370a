//! Handing over: however much there is to tell, a link is told of it in parts.

use std::collections::BTreeSet;

use tutti_proto::v1;

use super::fixture::*;
use crate::{
    limits::{RECEIPTS_MAX, TOLD_AT_ONCE},
    session::{Arrival, Input},
};

fn told(node: &mut Node<'_>) -> Vec<u64> {
    let received = |(_, frame)| match frame {
        Kind::Received(received) => Some(received.index),
        _ => None,
    };
    node.take().into_iter().filter_map(received).collect()
}

/// All at once they filled the outbox, the link was cut, and so was each one after it: the two sides never
/// met again.
#[test]
fn thousands_of_receipts_go_in_parts_and_each_goes_once() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut node = federation.node("ph");
    let all = RECEIPTS_MAX as u64;
    for index in 0..all {
        let (token, receipt) = ([1; 32], [2; 32]);
        node.input(Input::Arrived(Arrival { origin: origin("sg"), index, token, receipt }));
    }
    node.meet(1, "sg");
    let first = told(&mut node);
    assert_eq!(first, (0..TOLD_AT_ONCE as u64).collect::<Vec<_>>());
    // What was taken meanwhile, as from a relay, is not told any more.
    let (origin, index) = (origin("sg").to_string(), all - 1);
    let state = v1::held::State::Received.into();
    node.frame(1, Kind::Held(v1::Held { origin, index, state, receipts: Vec::new() }));
    let mut rest = Vec::new();
    for _ in 0..all / TOLD_AT_ONCE as u64 {
        node.wait(1_000);
        let part = told(&mut node);
        assert!(part.len() <= TOLD_AT_ONCE, "{part:?}");
        rest.extend(part);
    }
    let wanted = first.len() as u64..all - 1;
    assert_eq!(rest, wanted.collect::<Vec<_>>());
    // Over another link all of them again, since nobody has answered.
    node.input(Input::Closed { link: 1 });
    node.meet(2, "sg");
    node.wait(70_000);
    let again: BTreeSet<u64> = told(&mut node).into_iter().collect();
    assert_eq!(again, (0..all - 1).collect());
}
