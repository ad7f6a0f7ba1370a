//! The one table of exit codes, of the node and of the command line alike.
//!
//! They are stable: a script, a service manager and the manual (`docs/operating.md`) rely on them.

use std::process::ExitCode;

/// Why a process ended, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The node refused what was asked, or an audit found something.
    Refused = 1,
    /// Wrong use, or what was to be read cannot be read.
    Usage = 2,
    /// The node does not answer.
    Unreachable = 3,
    /// An address is taken by another process.
    AddressInUse = 10,
    /// The disk is full.
    DiskFull = 11,
    /// A key is missing, unreadable, locked, or not the one that the roster names.
    Key = 12,
    /// The data were written by a newer version.
    NewerFormat = 13,
    /// The configuration or the roster is missing or wrong.
    Configuration = 14,
    /// Stored data are damaged, or the disk failed.
    Damaged = 15,
    /// Another node runs on the same directory.
    Locked = 16,
    /// A fault of the program's own.
    Internal = 70,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Refused,
        Self::Usage,
        Self::Unreachable,
        Self::AddressInUse,
        Self::DiskFull,
        Self::Key,
        Self::NewerFormat,
        Self::Configuration,
        Self::Damaged,
        Self::Locked,
        Self::Internal,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Refused => "the node refused, or an audit has findings",
            Self::Usage => "wrong use, or unreadable input",
            Self::Unreachable => "the node does not answer",
            Self::AddressInUse => "an address is in use by another process",
            Self::DiskFull => "the disk is full",
            Self::Key => "a key is missing, locked or wrong",
            Self::NewerFormat => "the data were written by a newer version",
            Self::Configuration => "the configuration or the roster is missing or wrong",
            Self::Damaged => "stored data are damaged, or the disk failed",
            Self::Locked => "another node runs on this directory",
            Self::Internal => "a fault of the program's own",
        }
    }
}

impl std::process::Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_every_code_with_its_meaning() {
        let manual = include_str!("../../docs/operating.md");
        for exit in Exit::ALL {
            let line = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(manual.contains(&line), "docs/operating.md lacks: {line}");
        }
    }
}
