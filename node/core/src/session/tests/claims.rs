//! What a member may claim without end: origins that nobody has heard of, and sizes beyond any log.

use tutti_proto::v1;

use super::fixture::*;
use crate::{
    session::{Effect, Input},
    store::Reader as _,
};

/// A million origins that nobody has heard of, of each kind of frame that names one a quarter: what is
/// kept, all of it written out, is no longer after the last than after the first hundred.
#[test]
fn a_million_origins_and_a_size_without_end_leave_nothing_behind() {
    const ORIGINS: u32 = 1_000_000;
    let federation = Federation::new(&["ph", "sg"]);
    let mut node = federation.node("sg");
    node.meet(1, "ph");
    let offset = u64::MAX - u64::MAX % crate::limits::CHUNK_BYTES_MAX as u64;
    let claim = |number: u32| {
        let origin = format!("m.example.org/ph/{}", number + 2);
        let token = vec![0; 32];
        match number % 4 {
            0 => Kind::Want(v1::Want {
                origin,
                start: crate::limits::LOG_SIZE_MAX,
                max_bytes: u32::MAX,
            }),
            1 => Kind::Batch(v1::Batch { origin, entries: vec![vec![8, 1]], ..Default::default() }),
            2 => {
                let index = u64::MAX;
                Kind::WantBody(v1::WantBody { origin, index, part: 2, token, offset })
            }
            _ => {
                let (index, data) = (u64::MAX, vec![7; 64]);
                Kind::BodyChunk(v1::BodyChunk { origin, index, part: 1, offset, data })
            }
        }
    };
    let kept = |node: &Node| format!("{:?}", node.exchange).len();
    let mut answers = 0;
    let mut at_first = 0;
    for number in 0..ORIGINS {
        // The fixture looks at every timer after each frame; a thousand times is enough.
        if number < 1_000 {
            node.frame(1, claim(number));
        } else {
            let frame = v1::Frame { frame: Some(claim(number)) };
            let input = Input::Frame { link: 1, frame };
            let roster = &federation.roster;
            let effects =
                node.exchange.handle(input, node.now_ms, &node.store, roster, &mut node.rng);
            let closed = effects.iter().find(|effect| matches!(effect, Effect::Close { .. }));
            assert!(closed.is_none(), "claim {number}: {closed:?}");
            answers += effects.len();
        }
        if number == 100 {
            at_first = kept(&node);
        }
    }
    assert!(node.closed.is_empty(), "{:?}", node.closed);
    // Where somebody was told, it was one frame for one.
    assert!(answers <= ORIGINS as usize, "{answers}");
    assert!(kept(&node) < at_first + 256, "{} bytes, at first {at_first}", kept(&node));
    assert_eq!(node.exchange.logs.iter().count(), 0);
    assert!(node.exchange.links.values().all(|link| link.standing.is_empty()));
    assert!(node.store.logs().is_empty());
}
