//! Catching up: answers in several batches, each kept before the next is told of.

use tutti_proto::v1;

use super::fixture::*;
use crate::{
    limits::{ANSWER_BYTES_MAX, BATCH_BYTES_MAX},
    store::Reader as _,
};

/// More than a want's answer.
const ENTRIES: u64 = 6_000;

fn want(start: u64, max_bytes: usize) -> Kind {
    let max_bytes = u32::try_from(max_bytes).unwrap();
    Kind::Want(v1::Want { origin: origin("ph").to_string(), start, max_bytes })
}

fn batches(sent: Vec<(u64, Kind)>) -> Vec<v1::Batch> {
    let batch = |(_, frame)| match frame {
        Kind::Batch(batch) => Some(batch),
        _ => None,
    };
    sent.into_iter().filter_map(batch).collect()
}

#[test]
fn a_long_log_comes_in_answers_of_several_batches() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(ENTRIES);
    join(&mut ph, &mut sg, 1);
    assert_eq!(sg.store.tree(&origin("ph")), ph.store.tree(&origin("ph")));
    let tally = sg.exchange.tally();
    assert_eq!(tally.batches_redundant, 0);
    assert!(tally.batches >= 4, "{}", tally.batches);
    assert!(tally.wants * 2 <= tally.batches + 1, "{} wants", tally.wants);
}

#[test]
fn an_answer_has_no_more_than_its_limit_and_says_where_it_ends() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut ph = federation.node("ph");
    ph.write(ENTRIES);
    ph.meet(1, "sg");
    for (asked, most) in [(1, 1), (BATCH_BYTES_MAX, 1), (2 * BATCH_BYTES_MAX, 2)]
        .into_iter()
        .chain([ANSWER_BYTES_MAX, usize::try_from(u32::MAX).unwrap()].map(|asked| (asked, 4)))
    {
        ph.take();
        ph.frame(1, want(0, asked));
        let answer = batches(ph.take());
        assert_eq!(answer.len(), most, "{asked}");
        let mut start = 0;
        for (at, batch) in answer.iter().enumerate() {
            assert_eq!((batch.start, batch.more), (start, at + 1 < most));
            start += batch.entries.len() as u64;
            let bytes: usize = batch.entries.iter().map(Vec::len).sum();
            assert!(bytes <= BATCH_BYTES_MAX.min(asked.max(512)), "{asked}: {bytes}");
        }
    }
    // The last before the head's end says that nothing follows.
    ph.frame(1, want(ENTRIES - 1, ANSWER_BYTES_MAX));
    let answer = batches(ph.take());
    assert_eq!((answer.len(), answer[0].more), (1, false));
}

#[test]
fn who_says_that_more_follows_and_gives_none_is_given_up() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(9);
    ph.meet(1, "sg");
    ph.take();
    ph.frame(1, want(0, 1));
    let mut first = batches(ph.take()).remove(0);
    first.more = true;
    let head = ph.store.head(&origin("ph")).unwrap();
    sg.meet(1, "ph");
    sg.frame(1, heads(&[&head]));
    sg.wait(2_000);
    sg.take();
    sg.frame(1, Kind::Batch(first));
    assert_eq!(sg.store.tree(&origin("ph")).size(), 1);
    assert_eq!(sg.take().iter().filter(|(_, f)| matches!(f, Kind::Want(_))).count(), 0);
    sg.meet(2, "qa");
    sg.frame(2, heads(&[&head]));
    sg.take();
    sg.wait(6_000);
    let asked = sg.take();
    assert!(
        asked.iter().any(|(link, frame)| *link == 2
            && matches!(frame, Kind::Want(want) if want.start == 1)),
        "{asked:?}"
    );
}
