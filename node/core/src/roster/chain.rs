//! Every version of a roster, from the founding on.
//!
//! Who is let in is for the newest version alone to say. What was signed under an older one stays
//! signed: a society that begins a new epoch leaves a log behind whose key no later version lists,
//! and whoever holds that log must still be able to check it.

use super::{Roster, RosterError};
use crate::{head::HeadKeys, keys::NoteKey, society::Origin, society::Society};

/// A chain that was checked from its first version. Never empty.
#[derive(Debug, Clone)]
pub struct Chain {
    older: Vec<Roster>,
    newest: Roster,
}

impl Chain {
    /// Reads versions 1 to N, in order.
    pub fn open<'a>(notes: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, RosterError> {
        let mut notes = notes.into_iter();
        let newest = Roster::open_first(notes.next().ok_or(RosterError::Empty)?)?;
        let mut chain = Self { older: Vec::new(), newest };
        for bytes in notes {
            let next = Roster::open_next(&chain.newest, bytes)?;
            chain.older.push(std::mem::replace(&mut chain.newest, next));
        }
        Ok(chain)
    }

    /// The version in force.
    pub fn newest(&self) -> &Roster {
        &self.newest
    }
}

/// The keys of all logs there ever were; of each witness the newest key.
impl HeadKeys for Chain {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        let older = || self.older.iter().rev().find_map(|roster| roster.log_key(origin));
        self.newest.log_key(origin).or_else(older)
    }

    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        self.newest.witness(name)
    }
}
