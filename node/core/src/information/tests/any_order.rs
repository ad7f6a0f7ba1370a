use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::*;

/// A step of somebody's, legal or not: of any kind, in clear or sealed, about anything.
fn step(by: &str, index: u64, below: &mut impl FnMut(u64) -> u64) -> Event {
    let kind = Kind::ALL[below(Kind::ALL.len() as u64) as usize];
    let index = index + 1;
    let mut event = of(by, index, kind);
    if !event.body.about.is_empty() && below(2) == 0 {
        event.body.about = event_id(below(12)).to_vec();
    }
    if let Some(Transition::TakenBack(taken)) = &mut event.body.transition {
        taken.event_id = event_id(below(index)).to_vec();
    }
    match below(16) {
        0 => event.event_id = [7; 16],
        1 => event.body.transition = None,
        2 => event.body.about = vec![1],
        3 => event.has_content = !event.has_content,
        4 => event.event_id = event_id(below(index)),
        5 => event.visibility = Visibility::Federation,
        _ => {}
    }
    event
}

proptest! {
    /// Whatever several societies write, and however it is mixed, doubled and delayed on its way:
    /// the same set gives the same shares and the same explanations on every replica.
    #[test]
    fn every_order_of_arrival_is_told_alike(seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut below = |end: u64| rng.next_u64() % end;
        let sealed_share = below(3) == 0;
        let mut events = vec![of("qa", 0, Kind::Published)];
        for by in ["qa", "ph", "sg", "my"] {
            for index in 0..below(9) {
                events.push(step(by, index, &mut below));
            }
        }
        if sealed_share {
            let circle = ["ph", "sg"];
            events = events
                .into_iter()
                .map(|event| if below(8) == 0 { event } else { sealed(&circle, event) })
                .collect();
            // Copies of some, for others.
            let copies: Vec<Event> = events.iter().filter(|_| below(3) == 0).cloned().collect();
            events.extend(copies.into_iter().map(|mut copy| {
                copy.at.index += 100;
                copy.addressees.pop();
                copy
            }));
        }
        let first = book(events.iter().cloned());
        for _ in 0..4 {
            for end in (1..events.len()).rev() {
                events.swap(end, below(end as u64 + 1) as usize);
            }
            // Some come twice, and some a second time late.
            let mut late = book(events.iter().skip(events.len() / 2).cloned());
            for event in events.iter().chain(events.iter().step_by(2)) {
                late.apply(event.clone());
            }
            prop_assert_eq!(late.get(&id()), first.get(&id()));
            prop_assert_eq!(late.outcomes(&id()), first.outcomes(&id()));
        }
        // Every event has an outcome, but copies of one event are one.
        let outcomes = first.outcomes(&id());
        if !sealed_share {
            prop_assert_eq!(outcomes.len(), events.len());
        }
        prop_assert!(outcomes.iter().all(|outcome| outcome.effective == outcome.why.is_none()));
        if let Some(share) = first.get(&id()) {
            for response in share.responses().into_iter().chain(share.translations()) {
                prop_assert!(response.version <= share.version_number);
            }
        }
    }
}
