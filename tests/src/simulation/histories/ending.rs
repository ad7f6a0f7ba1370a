//! What is asked at the end of a history, when all is whole: of starts on copies of the disks, of what
//! is told to some alone, and of the bytes.

use std::collections::BTreeMap;

use tutti_core::{
    body::{BodyKey, Part},
    entry::Visibility,
    information::InformationId,
    society::Society,
    store::Reader as _,
};
use tutti_node::local::Actor;
use tutti_proto::{
    node::v1 as api,
    v1::{information_event::Transition as Says, record::Event},
};

use super::{History, facts::Fact};

impl History {
    /// At the end, when all is whole: what was shown step by step is what a start makes of the
    /// disks, all may know the same, and no disk holds a word that is to be gone.
    pub(super) fn check_end(&self) {
        for machine in &self.simulation.nodes {
            let (who, engine) = (machine.society, machine.engine().expect("all are on"));
            if self.forgers.is_empty() {
                assert_eq!(engine.projection_warnings(), Vec::<String>::new(), "{who}");
            }
            let now_ms = machine.clock(self.simulation.now_ms);
            assert_eq!(engine.erasures_open(&Actor::node(), now_ms), 0, "{who}");
            let rebuilt = machine.rebuilt(&self.simulation.federation, self.simulation.now_ms);
            for log in machine.store().logs() {
                let size = rebuilt.store().tree(&log).size();
                assert_eq!(size, machine.store().tree(&log).size(), "{who}: a start writes");
            }
            let request = api::ListReferralsRequest { page_size: 1000, ..Default::default() };
            // A note for which there was no room is made anew after a start.
            let (_, refusals) = self.simulation.faults();
            let listed = |list: Result<api::ListReferralsResponse, _>| {
                let mut list = list.expect("a list");
                for referral in list.referrals.iter_mut().filter(|_| refusals > 0) {
                    referral.delivery = 0;
                    referral.events.iter_mut().for_each(|event| event.delivery = 0);
                }
                list
            };
            assert_eq!(
                listed(engine.referrals(&Actor::node(), &request, now_ms)),
                listed(rebuilt.referrals(&Actor::node(), &request, now_ms)),
                "{who}: what a start makes of the disk is another"
            );
            let request = api::ListInformationRequest {
                page_size: 1000,
                with_ended: true,
                ..Default::default()
            };
            let shares = engine.shares(&Actor::node(), &request, now_ms).expect("a list");
            assert_eq!(
                shares,
                rebuilt.shares(&Actor::node(), &request, now_ms).expect("a list"),
                "{who}"
            );
            self.check_shares(who, &shares.shares, now_ms);
        }
        self.check_words();
    }

    /// A node lists the shares that are for it, and all who do say the same of each.
    fn check_shares(&self, who: Society, shares: &[api::InformationShare], now_ms: u64) {
        let listed = |id: &[u8]| {
            let id = InformationId::from_bytes(id.try_into().expect("16 bytes"));
            shares.iter().find(|share| share.id == id.to_string())
        };
        for fact in self.facts.iter() {
            let Some(Event::Information(event)) = &fact.record.event else { continue };
            let Some(Says::Published(_)) = &event.transition else { continue };
            let author = fact.header.origin.society();
            let is_for = fact.header.visibility != Visibility::Addressed
                || who == author
                || fact.record.addressees.contains(&who.to_string());
            let share = listed(&event.information_id);
            assert_eq!(share.is_some(), is_for, "{who}: {} {}", author, fact.header.index);
            let author = self.simulation.nodes.iter().find(|node| node.society == author);
            let author = author.expect("a member");
            let request = api::ListInformationRequest {
                page_size: 1000,
                with_ended: true,
                ..Default::default()
            };
            let engine = author.engine().expect("all are on");
            // By one clock: some of it is in force from a day on.
            let theirs = engine.shares(&Actor::node(), &request, now_ms);
            let theirs = theirs.expect("a list").shares;
            if let Some(share) = share {
                assert!(theirs.contains(share), "{who}: {share:#?}");
            }
        }
    }

    /// Opens every content on every disk with every key there is. A word of a case whose every
    /// referral is stopped is nowhere; in clear no word is anywhere.
    fn check_words(&self) {
        let gone = self.gone();
        let mut contents: BTreeMap<BodyKey, (Society, bool)> = BTreeMap::new();
        for fact in self.facts.iter() {
            let key = fact.header.body_key(Part::Content);
            contents
                .extend(key.map(|key| (key, (fact.header.origin.society(), gone.contains(&key)))));
        }
        // Words of cases, and whether something of the case may be held somewhere.
        let mut words: BTreeMap<&str, bool> = BTreeMap::new();
        for (number, matter) in self.matters.iter().enumerate() {
            let held = self.facts_of(number).filter_map(|f| f.header.body_key(Part::Content));
            let held = held.into_iter().any(|key| !gone.contains(&key));
            *words.entry(&matter.word).or_default() |= held;
        }
        words.extend(self.told.iter().map(|word| (word.as_str(), true)));
        let mut opened: BTreeMap<BodyKey, Vec<u8>> = BTreeMap::new();
        for machine in &self.simulation.nodes {
            let who = machine.society;
            for (what, bytes) in machine.disk.platter().raw() {
                for word in words.keys() {
                    assert!(!holds(&bytes, word), "{who}: {word} stands in clear in {what}");
                }
            }
            for (key, (author, _)) in &contents {
                let Ok(Some(body)) = machine.store().body(key, 0, usize::MAX) else { continue };
                let text = opened.entry(*key).or_insert_with(|| self.facts.content(*author, &body));
                for (word, _) in words.iter().filter(|(_, held)| !**held) {
                    assert!(!holds(text, word), "{who} holds {word}, which is to be gone");
                }
            }
        }
        // Or the test would find nothing whatever happened.
        let about = |fact: &&Fact| match &fact.record.event {
            // What others say to a share of information needs no words.
            Some(Event::Information(event)) => event.about.is_empty(),
            _ => true,
        };
        for fact in self.facts.iter().filter(|fact| fact.record.has_content).filter(about) {
            let key = fact.header.body_key(Part::Content);
            let Some(text) = key.and_then(|key| opened.get(&key)) else { continue };
            let says = words.keys().any(|word| holds(text, word));
            assert!(says, "a content without a word: {:?}", fact.record);
        }
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}
