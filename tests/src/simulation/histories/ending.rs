//! What is asked at the end of a history, when all is whole: of starts on copies of the disks, and of
//! what is told to some alone; of the bytes, in [`super::words`].

use std::collections::BTreeMap;

use tutti_core::{
    entry::Visibility, information::InformationId, society::Society, store::Reader as _,
};
use tutti_node::local::Actor;
use tutti_proto::{
    node::v1 as api,
    v1::{information_event::Transition as Says, record::Event},
};

use super::History;

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
                    referral.attachments.iter_mut().for_each(|file| file.parts_delivered = 0);
                }
                list
            };
            assert_eq!(
                listed(engine.referrals(&Actor::node(), &request, now_ms)),
                listed(rebuilt.referrals(&Actor::node(), &request, now_ms)),
                "{who}: what a start makes of the disk is another"
            );
            let request = all_shares();
            let shares = engine.shares(&Actor::node(), &request, now_ms).expect("a list");
            assert_eq!(
                shares,
                rebuilt.shares(&Actor::node(), &request, now_ms).expect("a list"),
                "{who}"
            );
            self.check_shares(who, &shares.shares, now_ms);
        }
        self.simulation.truth.borrow().check_bodies();
        self.check_words();
    }

    /// A node lists the shares that are for it, and all who do say the same of each.
    fn check_shares(&self, who: Society, shares: &[api::InformationShare], now_ms: u64) {
        let listed = |id: &[u8]| {
            let id = InformationId::from_bytes(id.try_into().expect("16 bytes"));
            shares.iter().find(|share| share.id == id.to_string())
        };
        // By one clock: some of it is in force from a day on.
        let theirs = |author: Society| {
            let author = self.simulation.nodes.iter().find(|node| node.society == author);
            let engine = author.and_then(|node| node.engine()).expect("all are on");
            let theirs = engine.shares(&Actor::node(), &all_shares(), now_ms);
            theirs.expect("a list").shares
        };
        let mut authors: BTreeMap<Society, Vec<api::InformationShare>> = BTreeMap::new();
        for fact in self.facts.iter() {
            let Some(Event::Information(event)) = &fact.record.event else { continue };
            let Some(Says::Published(_)) = &event.transition else { continue };
            let author = fact.header.origin.society();
            let is_for = fact.header.visibility != Visibility::Addressed
                || who == author
                || fact.record.addressees.contains(&who.to_string());
            let share = listed(&event.information_id);
            assert_eq!(share.is_some(), is_for, "{who}: {} {}", author, fact.header.index);
            if let Some(share) = share.filter(|_| author != who) {
                let theirs = authors.entry(author).or_insert_with(|| theirs(author));
                assert!(theirs.contains(share), "{who}: {share:#?}");
            }
        }
    }
}

fn all_shares() -> api::ListInformationRequest {
    api::ListInformationRequest { page_size: 1000, with_ended: true, ..Default::default() }
}
