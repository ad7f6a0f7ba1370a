//! Whatever the order of arrival, the same set of events gives the same story.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::*;

pub(super) struct Dice(pub(super) ChaCha20Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    pub(super) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

/// What a society would write to get an event of that kind; `about` is one of its own.
pub(super) fn command(kind: Kind, about: Option<&EventRef>) -> Command {
    match body(kind, about) {
        Transition::Sent(sent) => Command::Send { sent: Box::new(sent), content: Box::default() },
        Transition::Acknowledged(_) => Command::Acknowledge,
        Transition::InformationRequested(asked) => Command::RequestInformation(asked),
        Transition::InformationProvided(given) => Command::ProvideInformation(given),
        Transition::Accepted(_) => Command::Accept,
        Transition::Declined(declined) => Command::Decline(declined),
        Transition::Withdrawn(withdrawn) => Command::Withdraw(withdrawn),
        Transition::ServiceDelivered(delivered) => Command::Deliver(delivered),
        Transition::Closed(closed) => Command::Close(closed),
        Transition::Expired(_) => Command::Expire,
        Transition::ServiceStarted(_) => Command::Start,
        Transition::AppointmentScheduled(at) => Command::Schedule(at),
        Transition::AppointmentMissed(missed) => Command::Miss(missed),
        Transition::Paused(paused) => Command::Pause(paused),
        Transition::Resumed(_) => Command::Resume,
        Transition::FollowUp(found) => Command::FollowUp(found),
        Transition::Cancelled(cancelled) => Command::Cancel(cancelled),
        Transition::Reopened(reopened) => Command::Reopen(reopened, None),
        Transition::Onward(onward) => Command::PassOn(onward),
        Transition::HandoverProposed(_) => Command::ProposeHandover,
        Transition::HandoverAccepted(_) => Command::AcceptHandover,
        Transition::HandoverDeclined(_) => Command::DeclineHandover,
        Transition::ConsentWithdrawn(withdrawn) => Command::WithdrawConsent(withdrawn),
        Transition::ConsentRenewed(renewed) => Command::RenewConsent(renewed),
        Transition::Corrected(corrected) => Command::Correct(corrected, None),
        Transition::EnteredInError(which) => Command::EnterInError(which),
        Transition::ErasureRequested(requested) => Command::RequestErasure(requested),
        Transition::Erased(erased) => Command::ConfirmErasure(erased),
        Transition::Attached(attached) => Command::Attach(attached),
    }
}

/// Two honest societies that each decide by what has reached them so far.
fn honest(dice: &mut Dice) -> (Vec<Event>, [Book; 2]) {
    let codes = ["sg", "ph"];
    let mut books = [Book::default(), Book::default()];
    let mut on_the_way: [Vec<Event>; 2] = [Vec::new(), Vec::new()];
    let mut written = Vec::new();
    let mut next = [dice.below(5), dice.below(5)];
    for _ in 0..60 {
        let side = dice.below(2) as usize;
        if dice.below(2) == 0 && !on_the_way[side].is_empty() {
            // Each log arrives in its own order; that is what a log is.
            books[side].apply(on_the_way[side].remove(0));
            continue;
        }
        let mut event_id = [7; 16];
        if !written.is_empty() {
            dice.0.fill_bytes(&mut event_id);
        }
        let from = origin(codes[side]);
        let mut kind = if written.is_empty() { Kind::Sent } else { dice.pick(Kind::ALL) };
        // What ends a case comes seldom, or there would be no case.
        if kind.ends() && dice.below(4) > 0 {
            kind = dice.pick(Kind::ALL);
        }
        let own: Vec<EventRef> = written
            .iter()
            .filter(|event: &&Event| event.society == from.society())
            .map(|event| event.at.clone())
            .collect();
        let about = if own.is_empty() { None } else { Some(dice.pick(&own)) };
        let bare = kind.ends() || kind == Kind::Attached;
        let note = if bare { "" } else { "a note" };
        let context = Context {
            origin: &from,
            event_id,
            now_ms: NOW_MS,
            note,
            duplicate: None,
            onward_of: None,
            // Whoever is waited for is late at once; steps were recorded at any time.
            rules: &DataProtection { urgent_hours: 0, retention_days: u32::MAX, ..RULES },
        };
        let command = command(kind, about.as_ref());
        let Ok(body) = decide(books[side].get(&id()), command, &context) else { continue };
        let event = Event {
            society: from.society(),
            at: EventRef { origin: from, index: next[side] },
            recorded_at_ms: dice.below(NOW_MS),
            event_id,
            addressees: vec![society(codes[1 - side])],
            commits_content: true,
            has_content: kind == Kind::Attached || dice.below(2) == 0,
            actor: String::new(),
            approver: String::new(),
            body,
        };
        if event.referral_id() != Some(id()) {
            continue;
        }
        next[side] += 1 + dice.below(3);
        books[side].apply(event.clone());
        let outcome = books[side].outcomes(&id()).iter().find(|o| o.event == event).unwrap();
        assert!(outcome.effective, "what was decided counts at once: {outcome:?}");
        on_the_way[1 - side].push(event.clone());
        written.push(event);
    }
    for (book, rest) in books.iter_mut().zip(on_the_way) {
        rest.into_iter().for_each(|event| {
            book.apply(event);
        });
    }
    (written, books)
}

/// Anything that a society could sign: about the referral, and wrong in any way.
fn forged(dice: &mut Dice, like: &[Event]) -> Event {
    let mut event = if dice.below(3) == 0 && !like.is_empty() {
        dice.pick(like)
    } else {
        let by = dice.pick(&["sg", "ph"]);
        let (index, kind) = (dice.below(40), dice.pick(Kind::ALL));
        let seen = Some(dice.below(45)).filter(|_| dice.below(4) > 0);
        event(by, index, kind, seen)
    };
    for _ in 0..dice.below(3) {
        match dice.below(10) {
            0 => {
                let code = dice.pick(&["sg", "ph", "qa", "my"]);
                event.at.origin = origin(code);
                event.society = society(code);
            }
            1 => event.at.index = dice.pick(&[0, 1, 39, 40, 41, u64::MAX]),
            2 => {
                event.body.seen = Some(v1::Seen {
                    origin: dice
                        .pick(&[
                            "m.example.org/sg/1",
                            "m.example.org/sg/2",
                            "x",
                            "",
                            "m.example.org/ph/1",
                        ])
                        .into(),
                    index: dice.pick(&[0, 1, 2, 39, u64::MAX]),
                })
            }
            3 => event.body.seen = None,
            4 => {
                event.body.transition = {
                    let about = EventRef { origin: event.at.origin.clone(), index: dice.below(40) };
                    Some(body(dice.pick(Kind::ALL), Some(&about)))
                }
            }
            5 => event.body.transition = None,
            6 => event.event_id = [dice.below(3) as u8; 16],
            7 => event.addressees = dice.pick(&[vec![], vec![society("qa")], vec![society("sg")]]),
            8 => {
                event.at.origin = format!("m.example.org/{}/{}", event.society, 1 + dice.below(11))
                    .parse()
                    .unwrap()
            }
            _ => {
                event.body.transition = Some(dice.pick(&[
                    Transition::Declined(v1::Declined { code: -1 }),
                    Transition::Withdrawn(v1::Withdrawn { code: 99 }),
                    Transition::ServiceDelivered(v1::ServiceDelivered {
                        result: 0,
                        services_delivered: vec![-7],
                    }),
                    Transition::Closed(v1::Closed { outcome: i32::MAX, feedback: i32::MIN }),
                    Transition::Sent(v1::Sent::default()),
                    Transition::Sent(v1::Sent { receiver: "sg".into(), ..sent_body() }),
                ]))
            }
        }
    }
    event
}

fn check_story(events: &[Event], book: &Book) {
    let outcomes = book.outcomes(&id());
    let places: BTreeSet<&EventRef> = events.iter().map(|event| &event.at).collect();
    let told: BTreeSet<&EventRef> = outcomes.iter().map(|outcome| &outcome.event.at).collect();
    assert_eq!(told.len(), outcomes.len(), "each event is told once");
    assert_eq!(places, told, "each event is told");
    let mut state = None;
    let mut last: BTreeMap<Society, &EventRef> = BTreeMap::new();
    for outcome in outcomes {
        assert_eq!(outcome.effective, outcome.why.is_none());
        let event = &outcome.event;
        if let Some(before) = last.insert(event.society, &event.at) {
            assert!(before < &event.at, "a log is told in its own order");
        }
        if outcome.effective {
            let kind = event.kind().unwrap();
            state = transition(state, kind);
            assert!(state.is_some(), "what counts goes by the table");
            let side = if event.society == society("sg") { Side::Sender } else { Side::Receiver };
            assert!(kind.by().may(side));
            assert_ne!(event.society, society("qa"));
        }
    }
    assert_eq!(book.get(&id()).map(|referral| referral.state), state);
}

/// The precedence: what a concurrent event may cost.
fn may_overtake(by: Kind, kind: Kind) -> bool {
    const ORDER: [Kind; 5] = [
        Kind::EnteredInError,
        Kind::ConsentWithdrawn,
        Kind::Withdrawn,
        Kind::Declined,
        Kind::Accepted,
    ];
    let place = |kind| ORDER.iter().position(|one| *one == kind);
    match (place(by), place(kind)) {
        // Taking back what it rests on costs any event but a stop its place.
        _ if by == Kind::StepEnteredInError => !kind.stops() && kind != Kind::Erased,
        (Some(by), Some(kind)) => by < kind,
        // Nothing but these goes before a decision that is in the order.
        (None, Some(kind)) => {
            kind > 2 || (kind == 2 && by.stops()) || (by == Kind::ErasureRequested && kind > 1)
        }
        (_, None) => !matches!(kind, Kind::Sent | Kind::Erased),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn honest_societies_agree_and_races_end_by_precedence(seed: u64) {
        let mut dice = Dice::new(seed);
        let (mut events, books) = honest(&mut dice);
        let told = story(&books[0]);
        prop_assert_eq!(&told, &story(&books[1]));
        for _ in 0..4 {
            dice.shuffle(&mut events);
            let any = book(events.iter().cloned().chain(events.first().cloned()));
            prop_assert_eq!(any.get(&id()), books[0].get(&id()));
        }
        check_story(&events, &books[0]);
        // A side's later steps wait for its earlier ones, also where it has taken those back.
        let took_back = |of: Society| {
            books[0].outcomes(&id()).iter().any(|other| {
                other.event.society == of
                    && other.event.kind() == Some(Kind::StepEnteredInError)
            })
        };
        for outcome in books[0].outcomes(&id()) {
            let kind = outcome.event.kind().unwrap();
            match &outcome.why {
                None => {}
                // An honest author's event always fitted what it had seen: it is overtaken, by
                // the precedence, or taken back.
                Some(Why::EnteredInError { by }) => {
                    prop_assert_eq!(by.origin.society(), outcome.event.society, "{}", told);
                }
                Some(Why::Overtaken { kind: by, .. }) => {
                    let may = may_overtake(*by, kind)
                        || (!kind.stops() && took_back(outcome.event.society));
                    prop_assert!(may, "{kind} by {by}: {told}");
                }
                Some(_) => prop_assert!(false, "{told}"),
            }
        }
    }

    #[test]
    fn any_set_of_events_is_told_alike_in_any_order(seed: u64) {
        let mut dice = Dice::new(seed);
        let (mut events, _) = honest(&mut dice);
        for _ in 0..dice.below(30) {
            let forged = forged(&mut dice, &events);
            // One log has one event at one place.
            if events.iter().all(|event| event.at != forged.at) {
                events.push(forged);
            }
        }
        events.retain(|event| event.referral_id() == Some(id()));
        let first = book(events.iter().cloned());
        check_story(&events, &first);
        for _ in 0..4 {
            dice.shuffle(&mut events);
            let twice = events.iter().chain(events.iter().rev().step_by(2)).cloned();
            let any = book(twice);
            prop_assert_eq!(story(&any), story(&first));
            prop_assert_eq!(any.get(&id()), first.get(&id()));
            prop_assert_eq!(any.outcomes(&id()), first.outcomes(&id()));
        }
    }
}

/// The honest societies above do meet every race that has a rule: else the tests say nothing.
#[test]
fn the_races_do_happen() {
    let mut met = BTreeSet::new();
    let mut ends = BTreeSet::new();
    for seed in 0..8000 {
        let (_, books) = honest(&mut Dice::new(seed));
        ends.extend(books[0].get(&id()).map(|referral| referral.state));
        for outcome in books[0].outcomes(&id()) {
            if let Some(Why::Overtaken { kind: by, .. }) = outcome.why {
                met.insert((outcome.event.kind().unwrap(), by));
            }
        }
    }
    for race in [
        (Kind::Accepted, Kind::Withdrawn),
        (Kind::Declined, Kind::Withdrawn),
        (Kind::Expired, Kind::Declined),
        (Kind::Accepted, Kind::ConsentWithdrawn),
        (Kind::Withdrawn, Kind::ConsentWithdrawn),
        (Kind::Accepted, Kind::EnteredInError),
        (Kind::ConsentWithdrawn, Kind::EnteredInError),
        (Kind::Cancelled, Kind::ServiceDelivered),
        (Kind::Closed, Kind::ConsentWithdrawn),
    ] {
        assert!(met.contains(&race), "{race:?} never happened: {met:?}");
    }
    assert_eq!(ends.len(), State::ALL.len(), "{ends:?}");
}
