//! What is shown of erasures, held against the records that say so and against the bytes: of a case
//! that was stopped, or whose time is over, and of files that were taken back.

use std::collections::BTreeSet;

use tutti_core::{
    body::Part,
    store::{BodyState, Reader as _},
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, referral_event::Transition as T},
};

use super::{
    History,
    model::{FileId, Judged, Line, Place, attached, judge, words_back},
};
use crate::simulation::origin;

impl History {
    /// Every erasure is shown as confirmed or as open, by side; and where it is shown as confirmed,
    /// the bytes are gone.
    pub(super) fn check_erasure(
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
        let of_case = judged.is_stopped() || self.is_over(matter);
        assert_eq!(erasure.of_case, of_case, "{who}: {erasure:#?} {lines:#?}");
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
            // What it names of its own and has not arrived may be here all the same, but for its record.
            let own = named.iter().filter(|place| place.0 == (side == 0));
            let all_here = own.into_iter().all(|own| lines.iter().any(|it| it.place == *own));
            let confirmed = judged.gone.is_subset(&named) && all_here;
            assert_eq!(told.confirmed, confirmed, "{who}: of {society}: {erasure:#?} {lines:#?}");
            if told.confirmed {
                self.check_gone(who, node, matter, &judged.gone);
            }
            for onward in told.onward.iter().filter(|onward| onward.confirmed) {
                let passed = self.matter_of(who, &onward.id);
                let was_stopped =
                    judged.passed.iter().any(|id| *id == self.matters[passed].id.as_bytes());
                if was_stopped {
                    self.check_gone_elsewhere(who, passed);
                    if let Some(stop) = judged.stop.as_ref().filter(|_| !self.is_over(matter)) {
                        let word = (who, matter, stop.place);
                        self.check_word_on(word, passed, lines, side == 0);
                    }
                }
                // A receipt that names all of the files here knew of all of them.
                if told.confirmed {
                    let files = judged.taken_back.keys().cloned().collect();
                    self.check_gone_further_on(who, matter, &files, Some(passed));
                }
            }
            let first = self.matters[matter].first.filter(|_| side == 0);
            let waits = first.is_some() && words_back(lines).next().is_some();
            assert_eq!(told.earlier.is_some(), waits, "{who}: of {society}: {lines:#?}");
            if let Some(first) = first.filter(|_| told.earlier.is_some_and(|it| it.confirmed)) {
                self.check_gone_elsewhere(who, first);
            }
        }
    }

    fn place(&self, matter: usize, at: &v1::Seen) -> Place {
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
            if let Some(key) = fact.key(Part::Content).filter(|_| gone.contains(&place)) {
                let state = machine.store().body_state(&key);
                let society = machine.society;
                assert_ne!(state, BodyState::Present, "{who}: {society} has {place:?} still");
            }
        }
    }

    /// What was said to be confirmed in another referral is: all of it, on both sides.
    fn check_gone_elsewhere(&self, who: &str, matter: usize) {
        for node in self.matters[matter].parties {
            self.check_gone(who, node, matter, &self.gone_before_reopening(matter));
        }
    }

    fn gone_before_reopening(&self, matter: usize) -> BTreeSet<Place> {
        let judged = self.judged(matter, &self.lines(matter, |_| true));
        let before_reopening = judge(&self.before_reopening(matter));
        judged.gone.intersection(&before_reopening.gone).copied().collect()
    }

    /// Whoever says, of the event that stopped a referral, that one by which it passed the case on is confirmed,
    /// goes by receipts: each of its own contents there is named in one of its own, written before, and
    /// in one of the other side.
    fn check_word_on(
        &self,
        (who, matter, stop): (&str, usize, Place),
        onward: usize,
        lines: &[Line],
        by_sender: bool,
    ) {
        let id = self.matters[onward].id;
        let of_stop =
            |on: &Option<v1::Seen>| on.as_ref().is_some_and(|on| self.place(matter, on) == stop);
        let says = |line: &&Line| match &line.says {
            T::Erased(erased) if line.place.0 == by_sender && of_stop(&erased.on) => {
                let mut told = erased.onward.iter().filter(|told| told.confirmed);
                told.any(|told| told.referral_id == id.as_bytes())
            }
            _ => false,
        };
        let said = lines.iter().filter(says).map(|line| line.place.1).min();
        let said = said.unwrap_or_else(|| panic!("{who}: nobody has said so of {id}: {lines:#?}"));
        let there = self.lines(onward, |_| true);
        let named = |sender: bool, before: u64| {
            let own = there.iter().filter(|it| it.place.0 == sender && it.place.1 < before);
            let mut named = BTreeSet::new();
            for line in own {
                if let T::Erased(erased) = &line.says {
                    named.extend(erased.entries.iter().map(|at| self.place(onward, at)));
                }
            }
            named
        };
        let mut gone = self.gone_before_reopening(onward);
        gone.retain(|place| place.0 && place.1 < said);
        for named in [named(true, said), named(false, u64::MAX)] {
            assert!(gone.is_subset(&named), "{who}: said of {id}: {gone:?}, {named:?} {there:#?}");
        }
    }

    fn matter_of(&self, who: &str, id: &str) -> usize {
        let known = self.matters.iter().position(|matter| matter.id.to_string() == id);
        known.unwrap_or_else(|| panic!("{who}: {id} was never sent"))
    }

    /// The events of a referral up to the first that takes it up again, but for those whose author had
    /// seen that.
    fn before_reopening(&self, matter: usize) -> Vec<Line> {
        let lines = self.lines(matter, |_| true);
        let reopened = lines.iter().filter(|line| matches!(line.says, T::Reopened(_)));
        let first = reopened.map(|line| line.place.1).min().unwrap_or(u64::MAX);
        let knew = lines.iter().filter(|line| !line.place.0 && line.seen >= Some(first));
        let knew = knew.map(|line| line.place.1).min().unwrap_or(u64::MAX);
        let before = |line: &Line| line.place.1 < if line.place.0 { first } else { knew };
        lines.into_iter().filter(before).collect()
    }

    /// The referrals that pass this one on, and which copies of these files went along there.
    pub(super) fn copies(
        &self,
        matter: usize,
        files: &BTreeSet<FileId>,
    ) -> Vec<(usize, BTreeSet<FileId>)> {
        let sides = self.matters[matter].parties.map(|party| self.society(party).to_string());
        let is_copy = |line: &&Line| match &line.says {
            T::Attached(v1::Attached { source: Some(source), .. }) => {
                let mut of_these = files.iter().filter(|(_, id)| *id == source.attachment_id);
                line.place.0
                    && of_these.any(|(sender, _)| sides[usize::from(!sender)] == source.society)
            }
            _ => false,
        };
        let of = |onward: usize| {
            let lines = self.lines(onward, |_| true);
            let copies = lines.iter().filter(is_copy).filter_map(attached);
            (onward, copies.map(|id| (true, id.to_vec())).collect())
        };
        let onward = (0..self.matters.len()).filter(|it| self.matters[*it].first == Some(matter));
        onward.map(of).collect()
    }

    /// What of these files went along to referrals that pass this one on, or to one of them, is gone
    /// there on both sides, and further on.
    fn check_gone_further_on(
        &self,
        who: &str,
        matter: usize,
        files: &BTreeSet<FileId>,
        one: Option<usize>,
    ) {
        for (onward, copies) in self.copies(matter, files) {
            if one.is_some_and(|one| one != onward) || copies.is_empty() {
                continue;
            }
            let lines = self.lines(onward, |_| true);
            let of_copy = |line: &&Line| {
                attached(line).is_some_and(|id| copies.contains(&(line.place.0, id.to_vec())))
            };
            let gone = lines.iter().filter(of_copy).map(|line| line.place).collect();
            for node in self.matters[onward].parties {
                self.check_gone(who, node, onward, &gone);
            }
            self.check_gone_further_on(who, onward, &copies, None);
        }
    }
}
