//! Keys that are tried on bodies: those that must open one, and those that must not.
//!
//! A try costs a fraction of a millisecond for each stanza, and a history has some hundred entries
//! that are sealed. So the kinds of tries take turns, and each is made on every eighth entry. A run
//! tells how often each was: over all histories, often.

use std::collections::BTreeMap;

use tutti_core::{
    body::Part,
    entry::Header,
    sealing::{self, Identity},
    society::Society,
};
use tutti_node::keyring::Keyring;
use tutti_proto::v1;

/// A kind of tries: whose key, which, and on which of the two bodies of an entry.
pub(super) type Trial = (Whose, Key, Part);

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Author,
    Addressee,
    Stranger,
}

/// Which of a society's two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Case,
    Audit,
}

/// Each is tried on one entry in so many.
const EVERY: u64 = 8;

/// All kinds, but for one: with its author's audit key each record is opened that is read.
pub(super) fn all() -> impl Iterator<Item = Trial> {
    let whose = [Whose::Author, Whose::Addressee, Whose::Stranger];
    let tries = whose.into_iter().flat_map(|whose| {
        let keys = [Key::Case, Key::Audit].into_iter();
        keys.flat_map(move |key| Part::ALL.map(|part| (whose, key, part)))
    });
    tries.filter(|trial| *trial != (Whose::Author, Key::Audit, Part::Record))
}

/// See the module.
pub(super) struct Trials {
    turn: u64,
    tried: BTreeMap<Trial, u64>,
}

impl Trials {
    /// Another number begins with other kinds.
    pub(super) fn starting(turn: u64) -> Self {
        Self { turn, tried: BTreeMap::new() }
    }

    /// How often each kind was tried.
    pub(super) fn tried(&self) -> &BTreeMap<Trial, u64> {
        &self.tried
    }

    /// Tries keys, as the turn has it, on the bodies of a sealed entry; of the content where there
    /// is one on some disk.
    pub(super) fn on(
        &mut self,
        keyrings: &BTreeMap<Society, Keyring>,
        header: &Header,
        record: &v1::Record,
        bodies: [Option<&[u8]>; 2],
    ) {
        self.turn += 1;
        let author = header.origin.society();
        let whose_is = |society: &Society| match *society == author {
            true => Whose::Author,
            false if record.addressees.contains(&society.to_string()) => Whose::Addressee,
            false => Whose::Stranger,
        };
        for (number, trial) in (self.turn..).zip(all()) {
            let (whose, key, part) = trial;
            let body = match part {
                Part::Record => bodies[0],
                Part::Content => bodies[1],
            };
            let Some(body) = body.filter(|_| number.is_multiple_of(EVERY)) else { continue };
            let those = || keyrings.iter().filter(|(society, _)| whose_is(society) == whose);
            // Where there are several, they take turns, too.
            let at = self.turn / EVERY % (those().count() as u64).max(1);
            let Some((society, keyring)) = those().nth(at as usize) else { continue };
            let secret: &Identity = match key {
                Key::Case => &keyring.case,
                Key::Audit => &keyring.audit,
            };
            let may = whose != Whose::Stranger && (part == Part::Record || key == Key::Case);
            let opened = sealing::open(body, &[secret]).is_ok();
            let (origin, index) = (&header.origin, header.index);
            assert_eq!(
                opened, may,
                "whether {society} opens the {part:?} of {origin} {index} with its {key:?} key"
            );
            *self.tried.entry(trial).or_default() += 1;
        }
    }
}
