//! What is asked of every node after each act.
//!
//! The checkers know what people did ([`super::people`]), what the disks hold byte for byte, what the
//! logs say ([`Facts`]) and what that comes to by the model ([`judge`]). They ask nodes for what
//! these show, and believe none of it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use rand_core::RngCore as _;
use tutti_core::{
    body::Part,
    society::Origin,
    store::{BodyState, Reader as _},
};
use tutti_node::local::Actor;
use tutti_proto::{node::v1 as api, v1::referral_event::Transition as T};

use super::{
    History,
    facts::Fact,
    model::{Judged, Line, Place, judge, words_back},
};
use crate::simulation::origin;

/// Where nothing has changed, contents are opened all the same once in so many looks.
const CLOSELY_IN: u32 = 8;

/// How much a disk has of each log.
type Held = BTreeMap<Origin, u64>;

/// What was shown of a referral when its contents were last looked into, and by which process.
#[derive(Debug, PartialEq)]
pub(super) struct Look {
    began_ms: u64,
    outline: Outline,
}

/// All that is shown without opening a content, and says whether one may be opened.
#[derive(Debug, PartialEq)]
struct Outline {
    state: i32,
    content: i32,
    events: Vec<(String, u64, bool, i32)>,
    erasure: Option<api::Erasure>,
}

fn outline(shown: &api::Referral) -> Outline {
    let events = shown.events.iter();
    let events = events.map(|e| (e.origin.clone(), e.index, e.effective, e.content_state));
    Outline {
        state: shown.state,
        content: shown.content_state,
        events: events.collect(),
        erasure: shown.erasure.clone(),
    }
}

impl History {
    pub(super) fn count(&self) -> usize {
        self.simulation.nodes.len()
    }

    /// What must hold at any moment.
    pub(super) fn check_now(&mut self) {
        self.facts.learn(&self.simulation);
        for node in 0..self.count() {
            let Some(listed) = self.listed(node) else { continue };
            self.check_list(node, &listed);
            let machine = &self.simulation.nodes[node];
            let (began_ms, store) = (machine.began_ms, machine.store());
            let logs = store.logs().into_iter();
            let held: Held = logs.map(|log| (log.clone(), store.tree(&log).size())).collect();
            for matter in 0..self.matters.len() {
                let id = self.matters[matter].id.to_string();
                let listed = listed.iter().find(|referral| referral.id == id);
                let shown = self.looked_at(node, matter, listed, began_ms);
                self.check_shown(node, matter, shown.as_deref(), &held);
            }
        }
    }

    /// What a node lists; `None` while it is off.
    fn listed(&self, node: usize) -> Option<Vec<api::Referral>> {
        let machine = &self.simulation.nodes[node];
        let request = api::ListReferralsRequest { page_size: 1000, ..Default::default() };
        let now_ms = machine.clock(self.simulation.now_ms);
        let listed = machine.engine()?.referrals(&Actor::node(), &request, now_ms);
        Some(listed.expect("a list").referrals)
    }

    /// A node lists what it is a party to, and nothing else.
    fn check_list(&self, node: usize, listed: &[api::Referral]) {
        let society = self.simulation.nodes[node].society;
        for referral in listed {
            let known = self.matters.iter().find(|matter| matter.id.to_string() == referral.id);
            let known = known.unwrap_or_else(|| panic!("{society} lists what nobody sent"));
            assert!(known.parties.contains(&node), "{society} lists {known:?}");
            let mut own = referral.events.iter().filter(|event| event.effective);
            let sides = known.parties.map(|party| self.simulation.nodes[party].society.to_string());
            let stranger = own.find(|event| !sides.contains(&event.society));
            assert!(stranger.is_none(), "{society}: an event by a stranger counts: {stranger:?}");
        }
    }

    /// What a node shows of a referral: with what is in its contents where something else is shown
    /// of it than at the last look, or by another process, now and then, and at the end. Else as it
    /// was listed: then nothing has changed of what may be in them.
    fn looked_at<'a>(
        &mut self,
        node: usize,
        matter: usize,
        listed: Option<&'a api::Referral>,
        began_ms: u64,
    ) -> Option<Cow<'a, api::Referral>> {
        let Some(listed) = listed else {
            // Nor is it shown to who knows its number.
            self.looks.remove(&(node, matter));
            return self.shown_with_content(node, matter).map(Cow::Owned);
        };
        let look = Look { began_ms, outline: outline(listed) };
        let closely = self.closely || self.eyes.next_u32().is_multiple_of(CLOSELY_IN);
        if self.looks.get(&(node, matter)) == Some(&look) && !closely {
            return Some(Cow::Borrowed(listed));
        }
        self.looks.insert((node, matter), look);
        self.looked_closely += 1;
        self.shown_with_content(node, matter).map(Cow::Owned)
    }

    /// What a node shows of a referral is what the model makes of the records that it holds.
    fn check_shown(&self, node: usize, matter: usize, shown: Option<&api::Referral>, held: &Held) {
        let parties = self.matters[matter].parties;
        let who = format!("{} of {:?}", self.simulation.nodes[node].society, self.matters[matter]);
        if !parties.contains(&node) {
            assert!(shown.is_none(), "{who}: it is no party");
            return;
        }
        let disk = self.simulation.nodes[node].store();
        let here = |fact: &Fact| {
            held.get(&fact.header.origin).is_some_and(|size| *size > fact.header.index)
                && fact
                    .key(Part::Record)
                    .is_some_and(|key| disk.body_state(&key) == BodyState::Present)
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
        self.check_content(&who, shown, &judged, &lines, place);
        if judged.stop.is_some() || self.is_over(matter) {
            self.check_erasure(&who, matter, shown, &judged, &lines);
        }
    }

    /// What the events come to; where the time to keep it is over, all content is to be gone.
    pub(super) fn judged(&self, matter: usize, lines: &[Line]) -> Judged {
        let mut judged = judge(lines);
        if self.is_over(matter) {
            judged.gone = lines.iter().filter(|line| line.content).map(|line| line.place).collect();
        }
        judged
    }

    /// Whether the time has passed that it was sent with.
    pub(super) fn is_over(&self, matter: usize) -> bool {
        let is_kept_for_a_while = |fact: &Fact| {
            let says = fact.referral().and_then(|event| event.transition.as_ref());
            matches!(says, Some(T::Sent(sent)) if sent.retain_until > 0)
        };
        self.passed && self.facts_of(matter).any(is_kept_for_a_while)
    }

    pub(super) fn lines(&self, matter: usize, known: impl Fn(&Fact) -> bool) -> Vec<Line> {
        let matter = &self.matters[matter];
        let sides = matter.parties.map(|node| self.simulation.nodes[node].society);
        self.facts.lines(matter.id, sides, known)
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
            if let Some(key) = fact.key(Part::Content).filter(|_| gone.contains(&place)) {
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
}
