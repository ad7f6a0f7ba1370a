//! What is asked of every node after each act, and of all of them together at the end.
//!
//! The checkers know what people did ([`super::people`]), what the disks hold byte for byte, what the
//! logs say ([`Facts`]) and what that comes to by the model ([`judge`]). They ask nodes for what
//! these show, and believe none of it.

use std::collections::BTreeSet;

use tutti_core::{
    body::{BodyKey, Part},
    entry::Visibility,
    store::{BodyState, Reader as _},
};
use tutti_node::local::Actor;
use tutti_proto::{
    node::v1 as api,
    v1::{record::Event, referral_event::Transition as T},
};

use super::{
    History,
    facts::Fact,
    model::{Judged, Line, Place, carried, judge, words_back},
};
use crate::simulation::origin;

impl History {
    pub(super) fn count(&self) -> usize {
        self.simulation.nodes.len()
    }

    /// What must hold at any moment.
    pub(super) fn check_now(&mut self) {
        self.facts.learn(&self.simulation);
        for node in 0..self.count() {
            if self.simulation.nodes[node].engine().is_none() {
                continue;
            }
            self.check_list(node);
            for matter in 0..self.matters.len() {
                self.check_shown(node, matter);
            }
        }
    }

    /// A node lists what it is a party to, and nothing else.
    fn check_list(&self, node: usize) {
        let (machine, society) =
            (&self.simulation.nodes[node], self.simulation.nodes[node].society);
        let Some(engine) = machine.engine() else { return };
        let request = api::ListReferralsRequest { page_size: 1000, ..Default::default() };
        let now_ms = machine.clock(self.simulation.now_ms);
        let listed = engine.referrals(&Actor::node(), &request, now_ms).expect("a list");
        for referral in listed.referrals {
            let known = self.matters.iter().find(|matter| matter.id.to_string() == referral.id);
            let known = known.unwrap_or_else(|| panic!("{society} lists what nobody sent"));
            assert!(known.parties.contains(&node), "{society} lists {known:?}");
            let mut own = referral.events.iter().filter(|event| event.effective);
            let sides = known.parties.map(|party| self.simulation.nodes[party].society.to_string());
            let stranger = own.find(|event| !sides.contains(&event.society));
            assert!(stranger.is_none(), "{society}: an event by a stranger counts: {stranger:?}");
        }
    }

    /// What a node shows of a referral is what the model makes of the records that it holds.
    fn check_shown(&self, node: usize, matter: usize) {
        let shown = self.shown(node, matter);
        let parties = self.matters[matter].parties;
        let who = format!("{} of {:?}", self.simulation.nodes[node].society, self.matters[matter]);
        if !parties.contains(&node) {
            assert!(shown.is_none(), "{who}: it is no party");
            return;
        }
        let disk = self.simulation.nodes[node].store();
        let here = |fact: &Fact| {
            let key = fact.header.body_key(Part::Record);
            disk.tree(&fact.header.origin).size() > fact.header.index
                && key.is_some_and(|key| disk.body_state(&key) == BodyState::Present)
        };
        let lines = self.lines(matter, here);
        let judged = self.judged(matter, &lines);
        let Some(shown) = shown else {
            assert_eq!(judged.state, "", "{who}: it is not shown");
            return;
        };
        let state = shown.state().as_str_name().to_ascii_lowercase();
        assert_eq!(state.strip_prefix("referral_state_"), Some(judged.state), "{who}: {lines:#?}");
        let sender = self.simulation.nodes[parties[0]].society.to_string();
        let place = |event: &api::ReferralEventView| (event.society == sender, event.index);
        let effective = shown.events.iter().filter(|event| event.effective).map(place);
        assert_eq!(effective.collect::<BTreeSet<Place>>(), judged.counts, "{who}: {lines:#?}");
        self.check_content(&who, &shown, &judged, &lines, place);
        if judged.stop.is_some() || self.is_over(matter) {
            self.check_erasure(&who, matter, &shown, &judged, &lines);
        }
    }

    /// What the events come to; where the time to keep it is over, all content is to be gone.
    fn judged(&self, matter: usize, lines: &[Line]) -> Judged {
        let mut judged = judge(lines);
        if self.is_over(matter) {
            judged.gone = lines.iter().filter(|line| line.content).map(|line| line.place).collect();
        }
        judged
    }

    /// Whether the time has passed that it was sent with.
    pub(super) fn is_over(&self, matter: usize) -> bool {
        let sent = |fact: &Fact| match &fact.record.event {
            Some(Event::Referral(event)) => match &event.transition {
                Some(T::Sent(sent)) => sent.retain_until,
                _ => 0,
            },
            _ => 0,
        };
        self.passed && self.facts_of(matter).map(sent).any(|until_s| until_s > 0)
    }

    fn lines(&self, matter: usize, known: impl Fn(&Fact) -> bool) -> Vec<Line> {
        let matter = &self.matters[matter];
        let sides = matter.parties.map(|node| self.simulation.nodes[node].society);
        self.facts.lines(&matter.id, sides, known)
    }

    /// Nothing is shown that is to be gone.
    fn check_content(
        &self,
        who: &str,
        shown: &api::Referral,
        judged: &Judged,
        lines: &[Line],
        place: impl Fn(&api::ReferralEventView) -> Place,
    ) {
        let gone = |place: &Place| judged.gone.contains(place) && !judged.doubtful.contains(place);
        for event in shown.events.iter().filter(|event| !event.note.is_empty()) {
            assert!(!gone(&place(event)), "{who}: it shows the note of {event:?}");
        }
        let tells = |line: &&Line| match &line.says {
            T::Sent(_) => true,
            T::Reopened(reopened) => !reopened.information_disclosed.is_empty(),
            T::Corrected(corrected) => !corrected.information_disclosed.is_empty(),
            _ => false,
        };
        let cases = lines.iter().filter(tells).filter(|line| judged.counts.contains(&line.place));
        if shown.content.is_some() {
            assert!(cases.into_iter().any(|line| !gone(&line.place)), "{who}: it shows the case");
        }
    }

    /// Every erasure is shown as confirmed or as open, by side; and where it is shown as confirmed,
    /// the bytes are gone.
    fn check_erasure(
        &self,
        who: &str,
        matter: usize,
        shown: &api::Referral,
        judged: &Judged,
        lines: &[Line],
    ) {
        let parties = self.matters[matter].parties;
        let erasure = shown.erasure.as_ref().unwrap_or_else(|| panic!("{who}: none is shown"));
        assert_eq!(erasure.entries as usize, judged.gone.len(), "{who}: {erasure:#?} {lines:#?}");
        for (side, node) in parties.into_iter().enumerate() {
            let society = self.simulation.nodes[node].society.to_string();
            let told = erasure.confirmations.iter().find(|told| told.society == society);
            let told = told.unwrap_or_else(|| panic!("{who}: nothing is shown of {society}"));
            let mut named = BTreeSet::new();
            for line in lines.iter().filter(|line| line.place.0 == (side == 0)) {
                if let T::Erased(erased) = &line.says {
                    named.extend(erased.entries.iter().map(|at| self.place(matter, at)));
                }
            }
            let confirmed = judged.gone.is_subset(&named);
            assert_eq!(told.confirmed, confirmed, "{who}: of {society}: {erasure:#?} {lines:#?}");
            if told.confirmed {
                self.check_gone(who, node, matter, &judged.gone);
            }
            for onward in told.onward.iter().filter(|onward| onward.confirmed) {
                self.check_gone_elsewhere(who, &onward.id);
            }
            let first = self.matters[matter].first.filter(|_| side == 0);
            let waits = first.is_some() && words_back(lines).next().is_some();
            assert_eq!(told.earlier.is_some(), waits, "{who}: of {society}: {lines:#?}");
            if let Some(first) = first.filter(|_| told.earlier.is_some_and(|it| it.confirmed)) {
                self.check_gone_elsewhere(who, &self.matters[first].id.to_string());
            }
        }
    }

    fn place(&self, matter: usize, at: &tutti_proto::v1::Seen) -> Place {
        let sender = origin(self.simulation.nodes[self.matters[matter].parties[0]].society);
        (at.origin == sender.as_str(), at.index)
    }

    /// The contents that stand at these places are not on a node's disk.
    fn check_gone(&self, who: &str, node: usize, matter: usize, gone: &BTreeSet<Place>) {
        if self.restored.contains(&node) {
            return;
        }
        let machine = &self.simulation.nodes[node];
        for fact in self.facts_of(matter) {
            let place = (self.is_senders(matter, fact), fact.header.index);
            if let Some(key) = fact.header.body_key(Part::Content).filter(|_| gone.contains(&place))
            {
                let state = machine.store().body_state(&key);
                let society = machine.society;
                assert_ne!(state, BodyState::Present, "{who}: {society} has {place:?} still");
            }
        }
    }

    /// What was said to be confirmed in another referral is: all of it, on both sides.
    fn check_gone_elsewhere(&self, who: &str, id: &str) {
        let known = self.matters.iter().position(|matter| matter.id.to_string() == id);
        let matter = known.unwrap_or_else(|| panic!("{who}: {id} was never sent"));
        let judged = self.judged(matter, &self.lines(matter, |_| true));
        let before_reopening = judge(&self.before_reopening(matter));
        let gone = judged.gone.intersection(&before_reopening.gone).copied().collect();
        for node in self.matters[matter].parties {
            self.check_gone(who, node, matter, &gone);
        }
    }

    /// The events of a referral up to the first that takes it up again.
    fn before_reopening(&self, matter: usize) -> Vec<Line> {
        let lines = self.lines(matter, |_| true);
        let reopened = lines.iter().filter(|line| matches!(line.says, T::Reopened(_)));
        let first = reopened.map(|line| line.place.1).min().unwrap_or(u64::MAX);
        let before = |line: &Line| !line.place.0 || line.place.1 < first;
        lines.into_iter().filter(before).collect()
    }

    /// What the two sides have written of it.
    pub(super) fn facts_of(&self, matter: usize) -> impl Iterator<Item = &Fact> {
        let id = self.matters[matter].id;
        let sides = self.matters[matter].parties.map(|node| self.simulation.nodes[node].society);
        self.facts.iter().filter(move |fact| match &fact.record.event {
            Some(Event::Referral(event)) => {
                event.referral_id == id.as_bytes() && sides.contains(&fact.header.origin.society())
            }
            _ => false,
        })
    }

    /// By somebody who is no party to the referral that it is of.
    fn is_forged(&self, fact: &Fact) -> bool {
        let Some(Event::Referral(event)) = &fact.record.event else { return false };
        let of = |matter: &&super::people::Matter| event.referral_id == matter.id.as_bytes();
        self.matters.iter().find(of).is_some_and(|matter| {
            let society = |node: &usize| self.simulation.nodes[*node].society;
            !matter.parties.iter().any(|node| society(node) == fact.header.origin.society())
        })
    }

    fn is_senders(&self, matter: usize, fact: &Fact) -> bool {
        let sender = self.simulation.nodes[self.matters[matter].parties[0]].society;
        fact.header.origin.society() == sender
    }

    /// What must hold once all were on and reached each other for a while; says what does not yet.
    pub(super) fn whole(&mut self) -> Result<(), String> {
        self.facts.learn(&self.simulation);
        if let Some((node, jobs)) = self.simulation.unanswered.first_key_value() {
            return Err(format!("node {node} has not answered {} writes", jobs.len()));
        }
        for machine in &self.simulation.nodes {
            let who = machine.society;
            let engine = machine.engine().ok_or_else(|| format!("{who} is off"))?;
            for other in &self.simulation.nodes {
                let log = origin(other.society);
                let (here, there) = (machine.store().tree(&log), other.store().tree(&log));
                if (here.size(), here.root()) != (there.size(), there.root()) {
                    return Err(format!("{who} has {} of {log}", here.size()));
                }
            }
            match engine.bodies_wanted() {
                0 => {}
                wanted => return Err(format!("{who} waits for {wanted} bodies")),
            }
        }
        let gone = self.gone();
        for fact in self.facts.iter() {
            self.is_where_it_belongs(fact, &gone)?;
        }
        (0..self.matters.len()).try_for_each(|matter| self.is_settled(matter))
    }

    /// Contents that are to be gone, by their keys.
    pub(super) fn gone(&self) -> BTreeSet<BodyKey> {
        let mut gone: BTreeSet<BodyKey> = self.facts.silent().collect();
        for matter in 0..self.matters.len() {
            let judged = self.judged(matter, &self.lines(matter, |_| true));
            for fact in self.facts_of(matter) {
                if judged.gone.contains(&(self.is_senders(matter, fact), fact.header.index)) {
                    gone.extend(fact.header.body_key(Part::Content));
                }
            }
        }
        gone
    }

    fn is_where_it_belongs(&self, fact: &Fact, gone: &BTreeSet<BodyKey>) -> Result<(), String> {
        let (log, index) = (&fact.header.origin, fact.header.index);
        for part in Part::ALL {
            // What a stranger says beside its lie is nobody's.
            if part == Part::Content && self.is_forged(fact) {
                continue;
            }
            let Some(key) = fact.header.body_key(part) else { continue };
            for machine in &self.simulation.nodes {
                let who = machine.society;
                let party = fact.header.visibility != Visibility::Addressed
                    || who == log.society()
                    || fact.record.addressees.contains(&who.to_string());
                let present = machine.store().body_state(&key) == BodyState::Present;
                if present != (party && !gone.contains(&key)) {
                    let (event, state) = (&fact.record.event, machine.store().body_state(&key));
                    return Err(format!(
                        "{who}: {state:?} {part:?} of {log} {index}, party: {party}: {event:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Both sides show the same of a referral, and nothing of it is open.
    fn is_settled(&self, matter: usize) -> Result<(), String> {
        let parties = self.matters[matter].parties;
        let id = self.matters[matter].id;
        let lines = self.lines(matter, |_| true);
        let judged = self.judged(matter, &lines);
        let shown = parties.map(|node| self.shown(node, matter));
        let [Some(ours), Some(theirs)] = &shown else {
            let none = shown.iter().all(Option::is_none) && lines.is_empty();
            return if none { Ok(()) } else { Err(format!("{id} is shown at one side alone")) };
        };
        let common = |shown: &api::Referral| {
            let events = shown.events.iter();
            let events = events.map(|e| (e.origin.clone(), e.index, e.explanation.clone()));
            (shown.state(), events.collect::<Vec<_>>(), shown.erasure.clone(), shown.owner.clone())
        };
        if common(ours) != common(theirs) {
            return Err(format!("the two sides show another {id}"));
        }
        if judged.stop.is_some() || self.is_over(matter) {
            let sides = ours.erasure.iter().flat_map(|erasure| &erasure.confirmations);
            for side in sides {
                let before = side.earlier.is_some_and(|earlier| !earlier.confirmed);
                let onward = side.onward.iter().any(|onward| !onward.confirmed);
                if !side.confirmed || onward || before {
                    return Err(format!(
                        "{} has not confirmed all of {id}: {side:?}",
                        side.society
                    ));
                }
            }
        }
        self.is_carried(matter, &judged)?;
        for (node, shown) in parties.into_iter().zip([ours, theirs]) {
            let own = self.simulation.nodes[node].society.to_string();
            let mut events = shown.events.iter().filter(|event| event.society == own);
            let arrived = |event: &api::ReferralEventView| {
                matches!(event.delivery(), api::Delivery::OnTheirNode | api::Delivery::Seen)
            };
            if let Some(event) = events.find(|event| !arrived(event)) {
                return Err(format!("{own} does not know that {event:?} of {id} has arrived"));
            }
        }
        Ok(())
    }

    /// What stopped a referral has stopped those by which it was passed on before, and a word for the
    /// whole case the one that it passes on.
    fn is_carried(&self, matter: usize, judged: &Judged) -> Result<(), String> {
        let id = self.matters[matter].id;
        let lines = self.lines(matter, |_| true);
        if let Some(first) = self.matters[matter].first {
            let there = self.lines(first, |_| true);
            let in_error = judge(&there).state == "entered_in_error";
            for word in words_back(&lines) {
                let mut copies = there.iter().filter(|line| !line.place.0);
                if !in_error && !copies.any(|line| carried(&line.says) == word.event_id) {
                    return Err(format!("{:?} of {id} was not carried back", word.says));
                }
            }
        }
        let Some(stop) = &judged.stop else { return Ok(()) };
        for onward in &judged.passed {
            let passed = self.matters.iter().position(|m| m.id.as_bytes()[..] == onward[..]);
            let passed = passed.ok_or_else(|| format!("{id} names what nobody sent"))?;
            let there = self.lines(passed, |_| true);
            let in_error = judge(&there).state == "entered_in_error";
            let came_from_there = there.iter().any(|line| line.event_id == carried(&stop.says));
            let mut copies = there.iter().filter(|line| line.place.0);
            let carries = copies.any(|line| carried(&line.says) == stop.event_id);
            if !in_error && !came_from_there && !carries {
                return Err(format!("{} was not stopped", self.matters[passed].id));
            }
        }
        Ok(())
    }
}
