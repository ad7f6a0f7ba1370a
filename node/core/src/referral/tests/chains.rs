//! A case that is passed on: three societies, two referrals, and whatever order things arrive in.
//!
//! sg refers to ph, ph passes on to qa. ph is the only one that is a party to both, and carries what
//! stops one of them to the other; it may do so at once, or long after.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use rand_core::RngCore as _;

use super::{
    any_order::{Dice, command},
    *,
};

const CODES: [&str; 3] = ["sg", "ph", "qa"];
const SG: usize = 0;
const PH: usize = 1;
const QA: usize = 2;

fn onward_id() -> ReferralId {
    ReferralId::of(&origin("ph"), &[8; 16])
}

/// The two referrals, and between whom each is.
fn sides(id: ReferralId) -> [usize; 2] {
    if id == onward_id() { [PH, QA] } else { [SG, PH] }
}

struct World {
    books: [Book; 3],
    /// What is on its way: from, to.
    on_the_way: BTreeMap<(usize, usize), VecDeque<Event>>,
    next: [u64; 3],
    written: Vec<Event>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            books: Default::default(),
            on_the_way: BTreeMap::new(),
            next: [0; 3],
            written: Vec::new(),
        };
        let consent = v1::Consent { recipients: vec!["ph".into(), "qa".into()], ..consent() };
        let sent = v1::Sent {
            legal_basis: v1::LegalBasis::Consent as i32,
            consent: Some(consent),
            ..sent_body()
        };
        let send = |sent: v1::Sent| Command::Send { sent: Box::new(sent), content: Box::default() };
        world.decide(SG, id(), [7; 16], send(sent.clone())).unwrap();
        world.deliver(SG, PH);
        world.decide(PH, id(), [9; 16], Command::Acknowledge).unwrap();
        let onward_of = id().as_bytes().to_vec();
        let sent = v1::Sent { receiver: "qa".into(), onward_of, ..sent };
        world.decide(PH, onward_id(), [8; 16], send(sent)).unwrap();
        let referral_id = onward_id().as_bytes().to_vec();
        let told = v1::Onward { receiver: "qa".into(), referral_id };
        world.decide(PH, id(), [10; 16], Command::PassOn(told)).unwrap();
        world
    }

    /// Writes what a society decides, where it may.
    fn decide(
        &mut self,
        who: usize,
        id: ReferralId,
        event_id: [u8; 16],
        command: Command,
    ) -> Result<(), Refusal> {
        let from = origin(CODES[who]);
        let note = if command.kind().ends() { "" } else { "a note" };
        let first = self.books[who].get(&super::id());
        let passes_on = id == onward_id();
        let context = Context {
            origin: &from,
            event_id,
            now_ms: NOW_MS,
            note,
            duplicate: None,
            onward_of: first.filter(|_| passes_on),
            rules: &DataProtection { urgent_hours: 0, ..RULES },
        };
        let body = decide(self.books[who].get(&id), command, &context)?;
        let [sender, receiver] = sides(id);
        let other = if who == sender { receiver } else { sender };
        let event = Event {
            society: from.society(),
            at: EventRef { origin: from, index: self.next[who] },
            recorded_at_ms: NOW_MS + self.next[who],
            event_id,
            addressees: vec![society(CODES[other])],
            commits_content: true,
            has_content: true,
            actor: String::new(),
            approver: String::new(),
            body,
        };
        self.next[who] += 1;
        self.books[who].apply(event.clone());
        self.on_the_way.entry((who, other)).or_default().push_back(event.clone());
        self.written.push(event);
        Ok(())
    }

    /// The next of one log arrives at one society.
    fn deliver(&mut self, from: usize, to: usize) {
        let next = self.on_the_way.get_mut(&(from, to)).and_then(VecDeque::pop_front);
        next.into_iter().for_each(|event| {
            self.books[to].apply(event);
        });
    }

    /// What ph has still to carry, on or back.
    fn uncarried(&self, book: &Book) -> Vec<(ReferralId, Command)> {
        let (Some(first), Some(onward)) = (book.get(&id()), book.get(&onward_id())) else {
            return Vec::new();
        };
        let on = first.to_carry_on(onward).map(|command| (onward.id, command));
        let back = onward.to_carry_back(first).map(|command| (first.id, command));
        on.into_iter().chain(back).collect()
    }

    fn carry(&mut self, dice: &mut Dice) {
        for (id, command) in self.uncarried(&self.books[PH]) {
            let mut event_id = [0; 16];
            dice.0.fill_bytes(&mut event_id);
            self.decide(PH, id, event_id, command).unwrap();
        }
    }

    fn anything(&mut self, dice: &mut Dice) {
        let id = dice.pick(&[id(), onward_id()]);
        let who = dice.pick(&sides(id));
        let mut kind = dice.pick(Kind::ALL);
        if kind.ends() && dice.below(3) > 0 {
            kind = dice.pick(Kind::ALL);
        }
        // What was sent was sent; receipts are the node's.
        if matches!(kind, Kind::Sent | Kind::Onward | Kind::Erased) {
            return;
        }
        let own = society(CODES[who]);
        let of = |event: &&Event| event.society == own && event.referral_id() == Some(id);
        let own: Vec<EventRef> = self.written.iter().filter(of).map(|e| e.at.clone()).collect();
        let about = (!own.is_empty()).then(|| dice.pick(&own));
        let mut command = command(kind, about.as_ref());
        if let Command::Reopen(v1::Reopened { consent: Some(consent), .. }, _) = &mut command {
            consent.recipients.push("qa".into());
        }
        let extent = dice.below(3) as i32;
        match &mut command {
            Command::WithdrawConsent(withdrawn) => withdrawn.extent = extent,
            Command::RequestErasure(asked) => {
                asked.ground = 1 + dice.below(5) as i32;
                asked.extent = extent;
            }
            _ => {}
        }
        let mut event_id = [0; 16];
        dice.0.fill_bytes(&mut event_id);
        // What may not be written is refused.
        let _refused = self.decide(who, id, event_id, command);
    }

    /// Until all has arrived everywhere and nothing is to be carried.
    fn settle(&mut self, dice: &mut Dice) {
        for round in 0.. {
            assert!(round < 12, "carrying does not end: {:#?}", self.written);
            let ways: Vec<(usize, usize)> = self.on_the_way.keys().copied().collect();
            for (from, to) in ways {
                while self.on_the_way[&(from, to)].front().is_some() {
                    self.deliver(from, to);
                }
            }
            if self.uncarried(&self.books[PH]).is_empty() {
                return;
            }
            self.carry(dice);
        }
    }
}

fn run(seed: u64) -> (World, Dice) {
    let mut dice = Dice::new(seed);
    let mut world = World::new();
    // Sometimes ph can write nothing by itself for a while.
    let late = dice.below(3);
    for _ in 0..60 {
        match dice.below(3) {
            0 => world.anything(&mut dice),
            1 => {
                let ways: Vec<(usize, usize)> = world.on_the_way.keys().copied().collect();
                let (from, to) = dice.pick(&ways);
                world.deliver(from, to);
            }
            _ => {}
        }
        if late == 0 || dice.below(8 * late) == 0 {
            world.carry(&mut dice);
        }
    }
    world.settle(&mut dice);
    (world, dice)
}

/// Anything that one of the two could sign about a referral of theirs.
fn forged(dice: &mut Dice, like: &[Event]) -> Event {
    let mut event = dice.pick(like);
    event.at.index = 100 + dice.below(100);
    event.event_id = [dice.below(255) as u8; 16];
    for _ in 0..=dice.below(2) {
        match dice.below(5) {
            0 => event.body.seen = None,
            1 => {
                let index = dice.below(300);
                let other = dice.pick(&CODES);
                event.body.seen = Some(EventRef { origin: origin(other), index }.to_seen());
            }
            2 => event.addressees = vec![society(dice.pick(&CODES))],
            3 => {
                let carried = dice.pick(like).event_id.to_vec();
                let extent = dice.below(4) as i32;
                let withdrawn = v1::ConsentWithdrawn {
                    by: dice.below(5) as i32,
                    form: dice.below(9) as i32,
                    carried,
                    extent,
                };
                event.body.transition = Some(Transition::ConsentWithdrawn(withdrawn));
            }
            _ => {
                let other = dice.pick(&[id(), onward_id()]);
                event.body.referral_id = other.as_bytes().to_vec();
            }
        }
    }
    event
}

/// What may be told of one referral: its state, its outcomes, what is to be erased.
fn told(book: &Book, id: &ReferralId) -> Option<(Referral, Option<Erasure>)> {
    let referral = book.get(id)?;
    Some((referral.clone(), referral.erasure(NOW_MS, &RULES)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn three_societies_agree_and_every_word_has_gone_as_far_as_it_goes(seed: u64) {
        let (world, mut dice) = run(seed);
        for (id, sides) in [(id(), [SG, PH]), (onward_id(), [PH, QA])] {
            let [one, other] = sides.map(|who| told(&world.books[who], &id));
            prop_assert_eq!(&one, &other);
        }
        prop_assert!(world.books[QA].get(&id()).is_none() && world.books[SG].get(&onward_id()).is_none());
        // Several replicas of what all three have written, twice and in any order.
        let mut events = world.written.clone();
        for _ in 0..3 {
            dice.shuffle(&mut events);
            let twice = events.iter().chain(events.iter().step_by(3)).cloned();
            let any = book(twice);
            for id in [id(), onward_id()] {
                prop_assert_eq!(told(&any, &id), told(&world.books[PH], &id));
            }
            prop_assert!(world.uncarried(&any).is_empty());
        }
        // Each word for the whole case has come to the other referral, and once.
        let onward = world.books[PH].get(&onward_id()).unwrap();
        let first = world.books[PH].get(&id()).unwrap();
        for outcome in &onward.outcomes {
            let event = &outcome.event;
            let copies = first.outcomes.iter().filter(|o| *o.event.carried() == event.event_id[..]);
            let copies = copies.count();
            prop_assert!(copies <= 1);
            let carried = event.society == society("ph") && !event.carried().is_empty();
            let word = event.extent() == Some(v1::Extent::Case) && !carried;
            if word && outcome.effective && first.state != State::EnteredInError {
                prop_assert_eq!(copies, 1, "{:#?}", world.written);
            }
            if copies > 0 {
                prop_assert!(word);
            }
        }
        // Where the first is stopped and was never taken up again, so is the other.
        let reopened = |referral: &Referral| {
            referral.outcomes.iter().any(|o| o.event.kind() == Some(Kind::Reopened))
        };
        if first.state.is_stopped() && !reopened(first) && !reopened(onward) {
            prop_assert!(onward.state.is_stopped(), "{:#?}", world.written);
        }
    }

    #[test]
    fn forged_words_are_told_alike_everywhere_and_carried_once(seed: u64) {
        let (world, mut dice) = run(seed);
        let mut events = world.written.clone();
        for _ in 0..dice.below(12) {
            let forged = forged(&mut dice, &world.written);
            if events.iter().all(|event| event.at != forged.at) {
                events.push(forged);
            }
        }
        let first = book(events.iter().cloned());
        for _ in 0..3 {
            dice.shuffle(&mut events);
            let any = book(events.iter().chain(events.iter().step_by(2)).cloned());
            for id in [id(), onward_id()] {
                prop_assert_eq!(told(&any, &id), told(&first, &id));
            }
            prop_assert_eq!(world.uncarried(&any), world.uncarried(&first));
        }
        // Whatever the others have signed, ph writes a few events and is done.
        let mut world = world;
        world.books[PH] = first;
        world.next[PH] = 1000;
        world.settle(&mut dice);
    }
}

/// The histories above do have words at every place: else the tests say nothing.
#[test]
fn words_go_both_ways() {
    let (mut on, mut back, mut kept) = (0, 0, 0);
    for seed in 0..300 {
        let (world, _) = run(seed);
        let carried = |id| {
            let referral = world.books[PH].get(&id).unwrap();
            referral.outcomes.iter().filter(|o| !o.event.carried().is_empty()).count()
        };
        on += carried(onward_id());
        back += carried(id());
        kept += world
            .written
            .iter()
            .filter(|event| event.extent() == Some(v1::Extent::Referral))
            .count();
    }
    assert!(on > 30 && back > 30 && kept > 30, "{on} {back} {kept}");
}
