//! People of one society: their roles, and what each role may do. Deny is what is not written.
//!
//! [`may`] is the one table; the node asks it at every query and every write, and knows no other
//! rule. Nothing here reads, opens or stores anything.

mod may;

use std::{collections::BTreeSet, fmt, str::FromStr};

pub use may::{Action, Relation, Scope, Verdict, may};

macro_rules! named {
    ($(#[$about:meta])* $list:ident { $($(#[$doc:meta])* $item:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $list {
            $($(#[$doc])* $item,)+
        }

        impl $list {
            /// All, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// Their names, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// For files, commands and people.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$item => $name,)+
                }
            }

            /// The one with that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.name() == name)
            }
        }

        impl fmt::Display for $list {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What a person is to the society. One person may be several.
    Role {
        /// Runs the node: accounts, tokens, rosters. Sees no case.
        Administrator = "administrator",
        /// Keeps a root key offline. Sees no case.
        KeyCustodian = "key_custodian",
        /// Answers for people's data: stops processing, is told of every broken glass.
        DataProtection = "data_protection",
        /// Migration focal point: takes in what arrives and gives it to caseworkers.
        FocalPoint = "focal_point",
        /// Works on the own cases.
        Caseworker = "caseworker",
        /// Gives cases to others.
        Supervisor = "supervisor",
        /// Restores family links: a caseworker who takes in what asks for that.
        RflOfficer = "rfl_officer",
        /// Keeps the directory of services.
        DirectoryEditor = "directory_editor",
        /// Writes information shares.
        InformationEditor = "information_editor",
        /// Reviews information shares, and retracts them.
        InformationReviewer = "information_reviewer",
        /// Reports figures. Sees no case.
        ReportingOfficer = "reporting_officer",
        /// Checks records, logs, proofs and who read what. Never sees content.
        Auditor = "auditor",
        /// Sees how the node does and what societies share.
        Observer = "observer",
    }
}

/// A set of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// All roles: the node itself, and nobody else.
    pub fn all() -> Self {
        Self(Role::ALL.iter().copied().collect())
    }

    /// What the person needs who is a society's only one. Not the auditor: nobody checks
    /// themselves.
    pub fn of_one_person() -> Self {
        Self(BTreeSet::from([
            Role::Administrator,
            Role::DataProtection,
            Role::FocalPoint,
            Role::Caseworker,
            Role::Supervisor,
            Role::InformationEditor,
        ]))
    }

    /// Whether it is among them.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The best that one of them may.
    pub fn may(&self, relation: Relation, action: Action) -> Verdict {
        self.iter().map(|role| may(role, relation, action)).max().unwrap_or(Verdict::Deny)
    }

    /// Whether they see what concerns a person, in some relation or with the glass broken.
    pub fn open_cases(&self) -> bool {
        let relations = Relation::ALL.iter();
        relations.copied().any(|relation| self.may(relation, Action::Open) != Verdict::Deny)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

/// Separated by commas.
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Role::name).collect();
        f.write_str(&names.join(", "))
    }
}

/// Not the name of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role. Roles are: {all}", all = Role::NAMES.join(", "))]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(name: &str) -> Result<Self, RoleError> {
        Self::parse(name).ok_or_else(|| RoleError(name.into()))
    }
}

#[cfg(test)]
mod tests;
