//! What becomes of a set of events: the same on every node, whatever the order of arrival.
//!
//! Each side is totally ordered by its own log. An event names the last event of the other side
//! that its author had seen, and so has seen all before that too, and whatever its author had seen
//! before. The two sides are merged into one order: what was seen comes first; what is concurrent
//! comes by [`rank`], so that what decides comes after what does not. Then each event is judged
//! twice:
//!
//! 1. *in its author's view*, that is among the events that its author had seen or written: one
//!    that does not fit there is out of order, and stays so;
//! 2. *in what happened*, that is among all events before it: one that fitted its author's view
//!    but does not fit here was overtaken. An acceptance is overtaken by every effective event of
//!    the sender that it had not seen, a reopening by whatever stopped the referral unseen.
//!
//! An event that its author takes back as entered in error counts as if it had not been written,
//! from the moment on that this is seen.
//!
//! Invariant: a pure and total function of the set; nothing that a peer signs makes it fail. Two
//! sides whose claims contradict each other (each says that it had seen the other's later event)
//! are put in order by [`merge`], whose rule depends on the set alone.

mod due;

use std::collections::{BTreeMap, BTreeSet};

use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Case, Event, EventRef, Keeping, Kind, Outcome, ReferralId, Side, State, Why, check, handover,
    transition,
};
use crate::society::Society;
pub use due::Passed;
pub(super) use due::{Stop, TakenBack};
use due::{file_of, keeping, stop, taken_back, taken_file};

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
    /// Whose the case is.
    pub(super) case: Case,
    /// The consent that holds now.
    pub(super) consent: Option<v1::Consent>,
    /// What stopped the referral last.
    pub(super) stop: Option<Stop>,
    /// Files that their authors have taken back, in order.
    pub(super) taken_back: Vec<TakenBack>,
    /// Until when the case may be kept.
    pub(super) keeping: Keeping,
}

/// One event on one side.
struct Item<'a> {
    event: &'a Event,
    side: Side,
    /// Its place on its side.
    place: usize,
    /// What it does, or why it is set aside before anything is judged.
    kind: Result<Kind, Why>,
    /// The place on its own side of the event that it corrects or takes back.
    target: Option<usize>,
    /// How many events of the other side its author had seen.
    seen: usize,
    /// Whether the event that it says it has seen is among the events.
    named: bool,
    /// Whether it fitted what its author had seen; known once it is judged.
    lawful: bool,
}

/// What a run over the events comes to.
#[derive(Default)]
struct Run {
    state: Option<State>,
    case: Case,
    /// Of each event whether it counts, and the state before it.
    told: Vec<(bool, Option<State>)>,
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
        return Verdict {
            sent: None,
            outcomes: outcomes.collect(),
            state: None,
            case: Case::default(),
            consent: None,
            stop: None,
            taken_back: Vec::new(),
            keeping: Keeping::default(),
        };
    };
    let sender = sent.society;
    let none = BTreeMap::new();
    let of = |society| events.get(&society).unwrap_or(&none);
    let lanes = [
        lane(id, Side::Sender, of(sender), receiver, of(receiver)),
        lane(id, Side::Receiver, of(receiver), sender, of(sender)),
    ];
    let mut order = merge(lanes);
    let mut viewed = Vec::with_capacity(order.len());
    for at in 0..order.len() {
        let (before, rest) = order.split_at_mut(at);
        let Some(item) = rest.first_mut() else { break };
        let view = run(before, |other| item.has_seen(other));
        viewed.push(view.state);
        let Ok(kind) = item.kind else { continue };
        let counted = |place: usize| {
            let mut told = before.iter().zip(&view.told);
            told.any(|(other, (counts, _))| {
                *counts && other.side == item.side && other.place == place
            })
        };
        item.lawful = transition(view.state, kind).is_some()
            && handover(view.case, kind).is_some()
            && (kind != Kind::StepEnteredInError || item.target.is_some_and(counted));
    }
    let whole = run(&order, |_| true);
    let outcomes = order.iter().enumerate().map(|(at, item)| {
        let (effective, before) = whole.told.get(at).copied().unwrap_or_default();
        let why = match &item.kind {
            _ if effective => None,
            Err(why) => Some(why.clone()),
            Ok(_) if !item.lawful => {
                Some(Why::OutOfOrder { state: viewed.get(at).copied().flatten() })
            }
            Ok(_) => Some(overtaken(at, item, &order, &whole, before)),
        };
        Outcome { event: item.event.clone(), effective, why }
    });
    let strangers = all()
        .filter(|e| e.society != sender && e.society != receiver)
        .map(|event| Outcome { event: event.clone(), effective: false, why: Some(Why::NotAParty) });
    Verdict {
        sent: Some((sent.clone(), receiver)),
        outcomes: outcomes.chain(strangers).collect(),
        state: whole.state,
        case: whole.case,
        consent: consent(&order, &whole),
        stop: stop(&order, &whole),
        taken_back: taken_back(&order, &whole),
        keeping: keeping(sent, &order, &whole),
    }
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
    let mut ids = BTreeSet::new();
    let mut items: Vec<Item> = Vec::with_capacity(own.len());
    for (place, event) in own.values().enumerate() {
        let mut target = None;
        let kind = check::event(id, side, other, event).and_then(|kind| {
            if !ids.insert(event.event_id) {
                return Err(Why::Duplicate);
            }
            if let Some(about) = about(event) {
                let may = |item: &&Item| match &item.kind {
                    Ok(of) => kind == Kind::Corrected || of.is_voidable(),
                    Err(_) => false,
                };
                let found = items.iter().find(|item| item.event.at == about).filter(may);
                target = found.map(|item| item.place);
                if target.is_none() {
                    return Err(Why::Malformed("it is about no earlier event of its author"));
                }
            }
            if let Some(file) = taken_file(event) {
                let has = |item: &Item| file_of(item.event) == Some(file);
                if !items.iter().any(has) {
                    return Err(Why::Malformed("it is about no earlier file of its author"));
                }
            }
            Ok(kind)
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
        items.push(Item { event, side, place, kind, target, seen, named, lawful: false });
    }
    items
}

/// The own event that an event corrects or takes back.
fn about(event: &Event) -> Option<EventRef> {
    match &event.body.transition {
        Some(
            Transition::Corrected(v1::Corrected { event: Some(about), .. })
            | Transition::EnteredInError(v1::EnteredInError { event: Some(about), .. }),
        ) => EventRef::from_seen(about),
        _ => None,
    }
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

/// Which of two concurrent events comes first: the lower. Entered in error before consent withdrawn
/// before withdrawn before declined before accepted is the precedence of `docs/protocol.md`.
fn rank(item: &Item) -> u8 {
    let Ok(kind) = item.kind else { return 0 };
    match kind {
        Kind::Sent
        | Kind::Erased
        | Kind::StepEnteredInError
        | Kind::FileEnteredInError
        | Kind::Attached => 0,
        Kind::Acknowledged
        | Kind::InformationProvided
        | Kind::ServiceStarted
        | Kind::AppointmentScheduled
        | Kind::AppointmentMissed
        | Kind::Paused
        | Kind::Resumed
        | Kind::FollowUp
        | Kind::Onward
        | Kind::HandoverProposed
        | Kind::HandoverAccepted
        | Kind::HandoverDeclined
        | Kind::ConsentRenewed
        | Kind::Corrected => 1,
        Kind::InformationRequested => 2,
        Kind::EnteredInError => 3,
        Kind::ConsentWithdrawn => 4,
        Kind::ErasureRequested => 5,
        Kind::Withdrawn => 6,
        Kind::Declined => 7,
        Kind::Expired => 8,
        Kind::Accepted => 9,
        Kind::ServiceDelivered => 10,
        Kind::Cancelled => 11,
        Kind::Closed => 12,
        Kind::Reopened => 13,
    }
}

impl Item<'_> {
    fn has_seen(&self, other: &Item) -> bool {
        other.side == self.side || other.place < self.seen
    }

    fn is(&self, kind: Kind) -> bool {
        self.kind.as_ref().is_ok_and(|own| *own == kind)
    }
}

/// Runs over those of `items` that are in view, in their order.
fn run(items: &[Item], in_view: impl Fn(&Item) -> bool) -> Run {
    let taken_back: BTreeSet<(Side, usize)> = items
        .iter()
        .filter(|item| item.lawful && item.is(Kind::StepEnteredInError) && in_view(item))
        .filter_map(|item| Some((item.side, item.target?)))
        .collect();
    let mut run = Run::default();
    for (at, item) in items.iter().enumerate() {
        let state = run.state;
        let kind = match item.kind {
            Ok(kind) if item.lawful && in_view(item) => kind,
            Ok(_) | Err(_) => {
                run.told.push((false, state));
                continue;
            }
        };
        let before = items.get(..at).unwrap_or_default();
        let to = transition(state, kind).zip(handover(run.case, kind));
        let to = to
            .filter(|_| !taken_back.contains(&(item.side, item.place)))
            .filter(|_| is_bound(kind, item, before, &run.told));
        if let Some((state, case)) = to {
            (run.state, run.case) = (Some(state), case);
        }
        run.told.push((to.is_some(), state));
    }
    run
}

/// Whether an event that must have seen what it rests on has seen it.
fn is_bound(kind: Kind, item: &Item, before: &[Item], told: &[(bool, Option<State>)]) -> bool {
    let mut unseen = unseen(item, before, told);
    match kind {
        Kind::Accepted => unseen.next().is_none(),
        Kind::Reopened => !unseen.any(|(_, kind)| kind.stops()),
        _ => true,
    }
}

/// Effective events of the other side that the author of `item` had not seen. Parts of a file are none,
/// nor is that one is taken back: they change nothing of what an answer rests on, and may come for
/// minutes.
fn unseen<'a>(
    item: &'a Item,
    before: &'a [Item<'a>],
    told: &'a [(bool, Option<State>)],
) -> impl Iterator<Item = (&'a Item<'a>, Kind)> {
    before
        .iter()
        .zip(told)
        .filter(|(other, (effective, _))| *effective && !item.has_seen(other))
        .filter(|(other, _)| !other.is(Kind::Attached) && !other.is(Kind::FileEnteredInError))
        .filter_map(|(other, _)| Some((other, other.kind.clone().ok()?)))
}

/// What overtook the item at `at`: of what it had not seen, that which decides most.
fn overtaken(at: usize, item: &Item, order: &[Item], whole: &Run, before: Option<State>) -> Why {
    let takes_back = |other: &&Item| other.lawful && other.is(Kind::StepEnteredInError);
    let own = |other: &&Item| other.side == item.side && other.target == Some(item.place);
    if let Some(by) = order.iter().filter(takes_back).find(own) {
        return Why::EnteredInError { by: by.event.at.clone() };
    }
    let weight = |kind: Kind| match kind {
        Kind::EnteredInError => 0,
        Kind::ConsentWithdrawn => 1,
        Kind::ErasureRequested => 2,
        Kind::Withdrawn => 3,
        Kind::Declined => 4,
        Kind::Accepted => 5,
        _ => 6,
    };
    let earlier = order.get(..at).unwrap_or_default();
    let unseen = unseen(item, earlier, &whole.told).min_by_key(|(_, kind)| weight(*kind));
    // What it rested on may have been taken back later, by either side.
    let later = || {
        order.iter().filter(takes_back).find(|other| match other.side == item.side {
            true => other.place > item.place,
            false => !item.has_seen(other),
        })
    };
    let by = match unseen {
        Some((other, kind)) if weight(kind) < 6 => Some((other, kind)),
        other => later().map(|by| (by, Kind::StepEnteredInError)).or(other),
    };
    match by {
        Some((other, kind)) => Why::Overtaken { by: other.event.at.clone(), kind },
        None => Why::OutOfOrder { state: before },
    }
}

/// Every event that counts, in order.
fn effective<'a>(
    order: &'a [Item<'a>],
    whole: &'a Run,
) -> impl DoubleEndedIterator<Item = (usize, &'a Item<'a>)> {
    order.iter().enumerate().filter(|(at, _)| whole.told.get(*at).is_some_and(|told| told.0))
}

/// The consent that holds: the last that was given, unless it was withdrawn since.
fn consent(order: &[Item], whole: &Run) -> Option<v1::Consent> {
    let mut holds = None;
    for (_, item) in effective(order, whole) {
        match &item.event.body.transition {
            Some(Transition::Sent(sent)) => holds = sent.consent.clone(),
            Some(Transition::ConsentRenewed(renewed)) => holds = renewed.consent.clone(),
            Some(Transition::Reopened(reopened)) => holds = reopened.consent.clone(),
            Some(Transition::ConsentWithdrawn(_)) => holds = None,
            _ => {}
        }
    }
    holds
}
