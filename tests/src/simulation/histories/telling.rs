//! What people tell each other in one history: everybody, or some alone.

use tutti_core::{
    entry::Visibility,
    information::{Command as Inform, Readers, form as information},
};
use tutti_node::{engine::Write, local::Actor};
use tutti_proto::{node::v1 as api, v1};

use super::{History, words::STEM};
use crate::simulation::truth::Parties;

/// `word` stands in each of its texts.
fn version(word: &str) -> Box<v1::InformationVersion> {
    let form: information::InformationForm =
        toml::from_str(information::example()).expect("the example is sound");
    let (_, mut version) = form.to_messages().expect("the example is sound");
    for text in &mut version.texts {
        text.text = format!("{word}{}", text.text);
    }
    Box::new(version)
}

impl History {
    /// Somebody tells all others something, or says something of what was told.
    pub(super) fn inform(&mut self) {
        let node = self.choose(self.count());
        let key = self.key();
        let (now_ms, society) = (self.simulation.now_ms, self.society(node).to_string());
        let machine = &self.simulation.nodes[node];
        let shares = machine.engine().and_then(|engine| {
            let request = api::ListInformationRequest::default();
            Some(engine.shares(&Actor::node(), &request, machine.clock(now_ms)).ok()?.shares)
        });
        let shares = shares.unwrap_or_default();
        let any = (!shares.is_empty()).then(|| &shares[self.choose(shares.len())]);
        let own = any.is_some_and(|share| share.society == society);
        let id = any.and_then(|share| share.id.parse().ok());
        // What is said of an addressed share is for those that it is for.
        let readers = any.filter(|share| share.visibility() == v1::Visibility::Addressed);
        let (mut parties, mut word) = (Parties::All, String::new());
        if let (Some(share), Some(_)) = (readers, id) {
            word = self.told.last().cloned().unwrap_or_default();
            let codes = share.parties.iter().chain([&share.society]);
            parties = Parties::Named(codes.filter_map(|code| code.parse().ok()).collect());
        }
        let inform = |id, command| Write::Inform { key, id, command, version: 0 };
        let write = match (self.choose(4), id) {
            (0, Some(id)) if own => inform(id, Inform::Revise(version(&word))),
            (1, Some(id)) if own => {
                let reason = format!("{word}It is no longer so.");
                inform(id, Inform::Retract(v1::Retracted { reason }))
            }
            (0 | 1, Some(id)) => inform(id, Inform::Acknowledge),
            _ => {
                parties = Parties::All;
                let visibility = Visibility::Federation;
                let (addressees, group) = (Vec::new(), String::new());
                let readers = Readers { visibility, addressees, group };
                Write::Publish { key, readers, version: version(""), supersedes: None }
            }
        };
        self.write(node, parties, write);
    }

    /// Somebody tells one or two others something that nobody else is to know.
    pub(super) fn address(&mut self) {
        let node = self.choose(self.count());
        let whom: Vec<usize> = (0..self.count()).filter(|other| *other != node).collect();
        let first = self.choose(whom.len());
        let mut readers = vec![whom[first]];
        if whom.len() > 1 && self.choose(2) == 0 {
            readers.push(whom[(first + 1) % whom.len()]);
        }
        let key = self.key();
        let word = format!("{STEM}{}x{}.", self.seed, self.written);
        let version = version(&word);
        self.told.push(word);
        let addressees: Vec<_> = readers.iter().map(|reader| self.society(*reader)).collect();
        let parties = addressees.iter().copied().chain([self.society(node)]).collect();
        let visibility = Visibility::Addressed;
        let readers = Readers { visibility, addressees, group: String::new() };
        let write = Write::Publish { key, readers, version, supersedes: None };
        self.write(node, Parties::Named(parties), write);
    }
}
