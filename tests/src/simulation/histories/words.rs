//! Words that stand in cases, in files and in what was told to some alone, looked for on every disk at
//! the end.

use std::collections::{BTreeMap, BTreeSet};

use tutti_core::{
    body::{BodyKey, Part},
    society::Society,
    store::Reader as _,
};
use tutti_proto::v1::{record::Event, referral_event::Transition};

use super::{History, attaching::Added, facts::Fact};

/// How each of them begins.
pub(super) const STEM: &str = "canary";

impl History {
    /// Opens every content on every disk with every key there is. A word of a case whose every
    /// referral is stopped is nowhere, nor is one of a file that was taken back; in clear no word is
    /// anywhere.
    pub(super) fn check_words(&self) {
        let gone = self.gone();
        let words = self.words(&gone);
        let mut contents: BTreeMap<BodyKey, Society> = BTreeMap::new();
        for fact in self.facts.iter() {
            let author = fact.header.origin.society();
            contents.extend(fact.key(Part::Content).map(|key| (key, author)));
        }
        // Which words stand in each content that is on a disk.
        let mut told: BTreeMap<BodyKey, BTreeSet<&str>> = BTreeMap::new();
        for machine in &self.simulation.nodes {
            let who = machine.society;
            for (what, bytes) in machine.disk.platter().raw() {
                let clear = words_in(&bytes, &words);
                assert!(clear.is_empty(), "{who}: {clear:?} stands in clear in {what}");
            }
            for (key, author) in &contents {
                let Ok(Some(body)) = machine.store().body(key, 0, usize::MAX) else { continue };
                let told = told
                    .entry(*key)
                    .or_insert_with(|| words_in(&self.facts.content(*author, &body), &words));
                let past = told.iter().find(|word| !words[*word]);
                assert!(past.is_none(), "{who} holds {past:?}, which is to be gone");
            }
        }
        // Or the test would find nothing whatever happened.
        let about = |fact: &&Fact| match &fact.record.event {
            // What others say to a share of information needs no words.
            Some(Event::Information(event)) => event.about.is_empty(),
            _ => true,
        };
        for fact in self.facts.iter().filter(|fact| fact.record.has_content).filter(about) {
            let told = fact.key(Part::Content).and_then(|key| told.get(&key));
            let none = told.is_some_and(BTreeSet::is_empty);
            assert!(!none, "a content without a word: {:?}", fact.record);
        }
    }

    /// Each word, and whether something that it stands in may be held somewhere.
    fn words(&self, gone: &BTreeSet<BodyKey>) -> BTreeMap<&str, bool> {
        let mut words: BTreeMap<&str, bool> = BTreeMap::new();
        for (number, matter) in self.matters.iter().enumerate() {
            let mut contents = self.facts_of(number).filter_map(|fact| fact.key(Part::Content));
            let held = contents.any(|key| !gone.contains(&key));
            *words.entry(&matter.word).or_default() |= held;
        }
        words.extend(self.told.iter().map(|word| (word.as_str(), true)));
        // Of a file: whether a part of it, or of a copy, may be held.
        for added in &self.files {
            let mut parts = self.facts_of(added.matter).filter(|fact| is_part_of(fact, added));
            let held =
                parts.any(|fact| fact.key(Part::Content).is_some_and(|key| !gone.contains(&key)));
            *words.entry(&added.word).or_default() |= held;
        }
        words
    }
}

fn is_part_of(fact: &Fact, added: &Added) -> bool {
    let says = fact.referral().and_then(|event| event.transition.as_ref());
    matches!(says, Some(Transition::Attached(part)) if part.attachment_id == added.id)
}

/// Those of `words` that stand in `bytes`.
fn words_in<'a>(bytes: &[u8], words: &BTreeMap<&'a str, bool>) -> BTreeSet<&'a str> {
    let stem = STEM.as_bytes();
    let begins = |at: &usize| bytes[*at] == stem[0] && bytes[*at..].starts_with(stem);
    let places = (0..bytes.len()).filter(begins);
    let stands = |at: usize| {
        let all = words.keys().copied();
        all.filter(move |word| bytes[at..].starts_with(word.as_bytes()))
    };
    places.flat_map(stands).collect()
}

#[test]
fn words_are_found_wherever_they_stand() {
    let words =
        BTreeMap::from([("canary1x2.", true), ("canary1x22.", false), ("canary7x1.", true)]);
    let found = |text: &str| words_in(text.as_bytes(), &words).into_iter().collect::<Vec<_>>();
    assert_eq!(found("canary1x2."), ["canary1x2."]);
    assert_eq!(found("ccanarycanary1x22. of canary1x2. it"), ["canary1x2.", "canary1x22."]);
    assert_eq!(found("canary canary7x1 canary1x2"), Vec::<&str>::new());
    assert_eq!(found(""), Vec::<&str>::new());
}
