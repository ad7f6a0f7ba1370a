//! What is asked of all nodes together, once they were on and reached each other for a while.

use std::collections::BTreeSet;

use tutti_core::{
    body::{BodyKey, Part, Place},
    entry::Visibility,
    store::{BodyState, Reader as _},
};
use tutti_proto::node::v1 as api;

use super::{
    History,
    facts::Fact,
    model::{Judged, carried, files as files_of, judge, words_back},
};
use crate::simulation::origin;

impl History {
    /// What the two sides have written of it.
    pub(super) fn facts_of(&self, matter: usize) -> impl Iterator<Item = &Fact> {
        let sides = self.matters[matter].parties.map(|node| self.simulation.nodes[node].society);
        let facts = self.facts.of(self.matters[matter].id);
        facts.filter(move |fact| sides.contains(&fact.header.origin.society()))
    }

    /// By somebody who is no party to the referral that it is of.
    fn is_forged(&self, fact: &Fact) -> bool {
        let Some(event) = fact.referral() else { return false };
        let of = |matter: &&super::people::Matter| event.referral_id == matter.id.as_bytes();
        self.matters.iter().find(of).is_some_and(|matter| {
            let society = |node: &usize| self.simulation.nodes[*node].society;
            !matter.parties.iter().any(|node| society(node) == fact.header.origin.society())
        })
    }

    /// What a stranger says beside its lie. The parties erase it with the case, so a stranger that comes
    /// back from an older backup may find that nobody has it.
    fn is_nobodys(&self, place: &Place) -> bool {
        let lie = |fact: &Fact| {
            (&fact.header.origin, fact.header.index) == (&place.origin, place.index)
                && self.is_forged(fact)
        };
        place.part == Part::Content && self.facts.iter().any(lie)
    }

    pub(super) fn is_senders(&self, matter: usize, fact: &Fact) -> bool {
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
            if let Some(wanted) = engine.bodies_waited_for().find(|of| !self.is_nobodys(of)) {
                return Err(format!("{who} waits for {wanted:?}"));
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
                    gone.extend(fact.key(Part::Content));
                }
            }
        }
        gone
    }

    fn is_where_it_belongs(&self, fact: &Fact, gone: &BTreeSet<BodyKey>) -> Result<(), String> {
        let (log, index) = (&fact.header.origin, fact.header.index);
        for part in Part::ALL {
            if part == Part::Content && self.is_forged(fact) {
                continue;
            }
            let Some(key) = fact.key(part) else { continue };
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
            let files = shown.attachments.iter();
            let files = files.map(|f| (f.society.clone(), f.id.clone(), f.parts_present, f.state));
            (
                shown.state(),
                events.collect::<Vec<_>>(),
                files.collect::<Vec<_>>(),
                shown.erasure.clone(),
                shown.owner.clone(),
            )
        };
        if common(ours) != common(theirs) {
            return Err(format!("the two sides show another {id}"));
        }
        if judged.erases() || self.is_over(matter) {
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
        self.are_recalled(matter, &judged, ours)?;
        for (node, shown) in parties.into_iter().zip([ours, theirs]) {
            let own = self.simulation.nodes[node].society.to_string();
            let mut events = shown.events.iter().filter(|event| event.society == own);
            let arrived = |event: &api::ReferralEventView| {
                matches!(event.delivery(), api::Delivery::OnTheirNode | api::Delivery::Seen)
            };
            if let Some(event) = events.find(|event| !arrived(event)) {
                return Err(format!("{own} does not know that {event:?} of {id} has arrived"));
            }
            let mut files = shown.attachments.iter().filter(|file| file.society == own);
            let known = files_of(&lines, &judged);
            let parts = |file: &api::Attachment| {
                let mut known = known.iter();
                let known = known.find(|known| hex::encode(&known.id.1) == file.id);
                known.map_or(0, |known| known.known.len() as u32)
            };
            if let Some(file) = files.find(|file| file.parts_delivered != parts(file)) {
                return Err(format!("{own} does not know that {file:?} of {id} has arrived"));
            }
        }
        Ok(())
    }

    /// Each copy of a file that was taken back is taken back wherever it went along, and both sides of
    /// the referral from which it did are told that it is confirmed there.
    fn are_recalled(
        &self,
        matter: usize,
        judged: &Judged,
        shown: &api::Referral,
    ) -> Result<(), String> {
        let id = self.matters[matter].id;
        let files = judged.taken_back.keys().cloned().collect();
        for (onward, copies) in self.copies(matter, &files) {
            let there = self.lines(onward, |_| true);
            let taken_back = judge(&there).taken_back;
            if let Some(copy) = copies.iter().find(|copy| !taken_back.contains_key(*copy)) {
                let copy = hex::encode(&copy.1);
                return Err(format!("{copy}, the copy of a file of {id}, was not taken back"));
            }
            if copies.is_empty() {
                continue;
            }
            let passed = self.matters[onward].id.to_string();
            let sides = shown.erasure.iter().flat_map(|erasure| &erasure.confirmations);
            let mut told = sides.flat_map(|side| &side.onward).filter(|told| told.id == passed);
            if !told.any(|told| told.stopped && told.confirmed) {
                return Err(format!("{id} does not tell that its files are gone from {passed}"));
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
