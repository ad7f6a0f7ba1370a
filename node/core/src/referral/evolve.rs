//! What becomes of a set of events: the same on every node, whatever the order of arrival.
//!
//! Each side is totally ordered by its own log. An event names the last event of the other side
//! that its author had seen, and so has seen all before that too, and whatever its author had seen
//! before. The two sides are merged into one order: what was seen comes first; what is concurrent
//! comes by [`rank`], so that what decides comes after what does not, and acceptance last. Then
//! each event is judged twice:
//!
//! 1. *in its author's view*, that is among the events that its author had seen or written: one
//!    that does not fit there is out of order, and stays so;
//! 2. *in what happened*, that is among all events before it: one that fitted its author's view
//!    but does not fit here was overtaken. An acceptance is overtaken by every effective event of
//!    the sender that it had not seen.
//!
//! Invariant: a pure and total function of the set; nothing that a peer signs makes it fail. Two
//! sides whose claims contradict each other (each says that it had seen the other's later event)
//! are put in order by [`merge`], whose rule depends on the set alone.

use std::collections::BTreeMap;

use super::{Event, EventRef, Kind, Outcome, ReferralId, Side, State, Why, check, transition};
use crate::society::Society;

/// Events of one referral: by author, then in the order of the author's log.
pub(super) type Events = BTreeMap<Society, BTreeMap<EventRef, Event>>;

/// What becomes of them.
pub(super) struct Verdict {
    /// What sent the referral, and to whom; `None` where no valid `Sent` is among the events.
    pub(super) sent: Option<(Event, Society)>,
    /// In the order in which they are judged; strangers last.
    pub(super) outcomes: Vec<Outcome>,
    /// `None` exactly where `sent` is.
    pub(super) state: Option<State>,
}

/// One event on one side.
struct Item<'a> {
    event: &'a Event,
    side: Side,
    /// Its place on its side.
    place: usize,
    /// What it does, or why it is set aside before anything is judged.
    kind: Result<Kind, Why>,
    /// How many events of the other side its author had seen.
    seen: usize,
    /// Whether the event that it says it has seen is among the events.
    named: bool,
    /// Whether it fitted what its author had seen; known once it is judged.
    lawful: bool,
}

/// Judges all `events` that name the referral `id`.
pub(super) fn evolve(id: ReferralId, events: &Events) -> Verdict {
    let all = || events.values().flat_map(BTreeMap::values);
    let Some((sent, receiver)) = all().find_map(|e| Some((e, check::sent(id, e).ok()?))) else {
        let outcomes = all().map(|event| {
            let why = match event.kind() {
                Some(Kind::Sent) => check::sent(id, event).err().unwrap_or(Why::NotSent),
                _ => Why::NotSent,
            };
            Outcome { event: event.clone(), effective: false, why: Some(why) }
        });
        return Verdict { sent: None, outcomes: outcomes.collect(), state: None };
    };
    let sender = sent.society;
    let none = BTreeMap::new();
    let of = |society| events.get(&society).unwrap_or(&none);
    let lanes = [
        lane(id, Side::Sender, of(sender), receiver, of(receiver)),
        lane(id, Side::Receiver, of(receiver), sender, of(sender)),
    ];
    let mut order = merge(lanes);
    let mut outcomes = Vec::with_capacity(order.len());
    for at in 0..order.len() {
        let (before, rest) = order.split_at_mut(at);
        let Some(item) = rest.first_mut() else { break };
        outcomes.push(match item.kind.clone() {
            Err(why) => (false, Some(why)),
            Ok(kind) => {
                let (viewed, _) = fold(before, |other| item.has_seen(other));
                item.lawful = transition(viewed, kind).is_some();
                let (state, effective) = fold(before, |_| true);
                if !item.lawful {
                    (false, Some(Why::OutOfOrder { state: viewed }))
                } else if fits(state, kind, item, before, &effective) {
                    (true, None)
                } else {
                    (false, Some(overtaken(item, before, &effective, state)))
                }
            }
        });
    }
    let (state, _) = fold(&order, |_| true);
    let outcome = |(item, (effective, why)): (&Item, _)| Outcome {
        event: item.event.clone(),
        effective,
        why,
    };
    let strangers = all()
        .filter(|e| e.society != sender && e.society != receiver)
        .map(|event| Outcome { event: event.clone(), effective: false, why: Some(Why::NotAParty) });
    let outcomes = order.iter().zip(outcomes).map(outcome).chain(strangers).collect();
    Verdict { sent: Some((sent.clone(), receiver)), outcomes, state }
}

/// The events of one side, in its own order.
fn lane<'a>(
    id: ReferralId,
    side: Side,
    own: &'a BTreeMap<EventRef, Event>,
    other: Society,
    others: &BTreeMap<EventRef, Event>,
) -> Vec<Item<'a>> {
    let mut seen = 0;
    let mut ids = std::collections::BTreeSet::new();
    let mut items = Vec::with_capacity(own.len());
    for (place, event) in own.values().enumerate() {
        let kind = check::event(id, side, other, event).and_then(|kind| {
            if ids.insert(event.event_id) { Ok(kind) } else { Err(Why::Duplicate) }
        });
        let claim = match kind {
            // What sends a referral has seen nothing of it.
            Err(_) | Ok(Kind::Sent) => None,
            Ok(_) => event.body.seen.as_ref().and_then(EventRef::from_seen),
        };
        let named = claim.as_ref().is_none_or(|claim| others.contains_key(claim));
        if let Some(claim) = claim {
            seen = seen.max(others.range(..=claim).count());
        }
        items.push(Item { event, side, place, kind, seen, named, lawful: false });
    }
    items
}

/// One order for both sides. Where each of the two next events claims to have seen the other, the
/// one that names an event that does not exist goes first, and its claim is cut; else the sender's.
fn merge<'a>([senders, receivers]: [Vec<Item<'a>>; 2]) -> Vec<Item<'a>> {
    let mut order: Vec<Item> = Vec::with_capacity(senders.len() + receivers.len());
    let (mut senders, mut receivers) =
        (senders.into_iter().peekable(), receivers.into_iter().peekable());
    let (mut from_sender, mut from_receiver) = (0, 0);
    loop {
        let sender_is_next = match (senders.peek(), receivers.peek()) {
            (None, None) => return order,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(s), Some(r)) => match (s.seen <= from_receiver, r.seen <= from_sender) {
                (true, false) => true,
                (false, true) => false,
                (true, true) => rank(s) <= rank(r),
                (false, false) => r.named || !s.named,
            },
        };
        let (next, emitted) = if sender_is_next {
            from_sender += 1;
            (senders.next(), from_receiver)
        } else {
            from_receiver += 1;
            (receivers.next(), from_sender)
        };
        order.extend(next.map(|item| Item { seen: item.seen.min(emitted), ..item }));
    }
}

/// Which of two concurrent events comes first: the lower. Withdrawn before declined before
/// accepted is the precedence of `docs/protocol.md`.
fn rank(item: &Item) -> u8 {
    match item.kind {
        Err(_) | Ok(Kind::Sent | Kind::Closed) => 0,
        Ok(Kind::Acknowledged | Kind::InformationProvided) => 1,
        Ok(Kind::InformationRequested) => 2,
        Ok(Kind::Withdrawn) => 3,
        Ok(Kind::Declined) => 4,
        Ok(Kind::Accepted) => 5,
        Ok(Kind::Completed) => 6,
    }
}

impl Item<'_> {
    fn has_seen(&self, other: &Item) -> bool {
        other.side == self.side || other.place < self.seen
    }
}

/// The state after those of `items` that are in view, and which of all items were effective.
fn fold(items: &[Item], in_view: impl Fn(&Item) -> bool) -> (Option<State>, Vec<bool>) {
    let mut state = None;
    let mut effective: Vec<bool> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let before = items.get(..at).unwrap_or_default();
        let counts = in_view(item)
            && item.lawful
            && item.kind.as_ref().is_ok_and(|kind| fits(state, *kind, item, before, &effective));
        if let Ok(kind) = item.kind
            && counts
        {
            state = transition(state, kind);
        }
        effective.push(counts);
    }
    (state, effective)
}

/// Whether `item` has its effect in `state`, after the events `before` it.
///
/// With the events of today the table alone sees to it that an acceptance has seen all that the
/// sender wrote; the rule is checked all the same, for those that leave the state as it is.
fn fits(
    state: Option<State>,
    kind: Kind,
    item: &Item,
    before: &[Item],
    effective: &[bool],
) -> bool {
    let bound = kind != Kind::Accepted || unseen(item, before, effective).next().is_none();
    bound && transition(state, kind).is_some()
}

/// Effective events of the other side that the author of `item` had not seen.
fn unseen<'a>(
    item: &'a Item,
    before: &'a [Item<'a>],
    effective: &'a [bool],
) -> impl Iterator<Item = (&'a Item<'a>, Kind)> {
    before
        .iter()
        .zip(effective)
        .filter(|(other, effective)| **effective && !item.has_seen(other))
        .filter_map(|(other, _)| Some((other, other.kind.clone().ok()?)))
}

/// What overtook `item`: of what it had not seen, that which decides most.
fn overtaken(item: &Item, before: &[Item], effective: &[bool], state: Option<State>) -> Why {
    let weight = |kind: Kind| match kind {
        Kind::Withdrawn => 0,
        Kind::Declined => 1,
        Kind::Accepted => 2,
        Kind::Sent
        | Kind::Acknowledged
        | Kind::InformationRequested
        | Kind::InformationProvided
        | Kind::Completed
        | Kind::Closed => 3,
    };
    match unseen(item, before, effective).min_by_key(|(_, kind)| weight(*kind)) {
        Some((other, kind)) => Why::Overtaken { by: other.event.at.clone(), kind },
        None => Why::OutOfOrder { state },
    }
}
