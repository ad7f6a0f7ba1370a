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
    model::{Judged, Line, Place, judge, shown_apart},
};

/// Where nothing has changed, contents are opened all the same once in so many looks.
const CLOSELY_IN: u32 = 8;

/// How much a disk has of each log.
pub(super) type Held = BTreeMap<Origin, u64>;

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
    files: Vec<(String, u32, i32)>,
    erasure: Option<api::Erasure>,
}

fn outline(shown: &api::Referral) -> Outline {
    let events = shown.events.iter();
    let events = events.map(|e| (e.origin.clone(), e.index, e.effective, e.content_state));
    let files = shown.attachments.iter();
    let files = files.map(|file| (file.id.clone(), file.parts_present, file.state));
    Outline {
        state: shown.state,
        content: shown.content_state,
        events: events.collect(),
        files: files.collect(),
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
            let began_ms = self.simulation.nodes[node].began_ms;
            let held = self.held(node);
            for matter in 0..self.matters.len() {
                let id = self.matters[matter].id.to_string();
                let listed = listed.iter().find(|referral| referral.id == id);
                let shown = self.looked_at(node, matter, listed, began_ms);
                self.check_shown(node, matter, shown.as_deref(), &held);
            }
        }
    }

    /// How much a node's disk has of each log.
    pub(super) fn held(&self, node: usize) -> Held {
        let store = self.simulation.nodes[node].store();
        store.logs().into_iter().map(|log| (log.clone(), store.tree(&log).size())).collect()
    }

    /// Whether an entry and its record are on a node's disk, which has so much of each log.
    pub(super) fn is_here(&self, node: usize, held: &Held, fact: &Fact) -> bool {
        let disk = self.simulation.nodes[node].store();
        let present = |key| disk.body_state(&key) == BodyState::Present;
        held.get(&fact.header.origin).is_some_and(|size| *size > fact.header.index)
            && fact.key(Part::Record).is_some_and(present)
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
        let lines = self.lines(matter, |fact| self.is_here(node, held, fact));
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
        let apart = shown_apart(&lines, &judged);
        assert_eq!(effective.collect::<BTreeSet<Place>>(), apart, "{who}: {lines:#?}");
        self.check_content(&who, shown, &judged, &lines, place);
        self.check_files(&who, (node, matter), shown, &judged, &lines);
        match judged.erases() || self.is_over(matter) {
            true => self.check_erasure(&who, matter, shown, &judged, &lines),
            false => assert_eq!(shown.erasure, None, "{who}: {lines:#?}"),
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
}
