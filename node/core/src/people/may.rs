//! The table of who may do what.

use std::fmt;

use super::{Role, named};

named! {
    /// How a person stands to a case. Of what is no case at all: [`Relation::Nothing`].
    Relation {
        /// The action is about no case.
        Nothing = "nothing",
        /// The case is this person's: who sent it, or to whom it was given.
        Own = "own",
        /// Nobody's yet, or of somebody who has left.
        Triage = "triage",
        /// The same, and it asks for restoring family links.
        TriageRfl = "triage_rfl",
        /// A colleague's.
        Other = "other",
        /// This society is no party to it, or there is no such case here.
        NoParty = "no_party",
    }
}

named! {
    /// What somebody wants to do.
    Action {
        /// See that a case is there, its state and its record: lists, search, watching.
        See = "see",
        /// Read the person's case and the notes: showing, printing.
        Open = "open",
        /// Take a case a step on.
        Act = "act",
        /// Stop it: consent withdrawn, erasure requested, entered in error.
        Stop = "stop",
        /// Take a case, give it to somebody, or give it back.
        Assign = "assign",
        /// Refer somebody; keep drafts of it.
        Send = "send",
        /// Read the draft of a referral by somebody who has left, and go on with it as one's own.
        TakeDraft = "take_draft",
        /// See that there are drafts of somebody who has left, not what they say; erase them.
        DiscardDraft = "discard_draft",
        /// See how the node and its peers do, and that something happens.
        Status = "status",
        /// The number of referrals by state, whoever's they are.
        Count = "count",
        /// Read what societies share with all.
        ReadInformation = "read_information",
        /// Read what they share with some, sealed: with a working group.
        ReadAddressed = "read_addressed",
        /// Publish, revise and translate it.
        WriteInformation = "write_information",
        /// Take it back.
        RetractInformation = "retract_information",
        /// Say for the society that it was seen, is right, is wrong, was acted on.
        RespondInformation = "respond_information",
        /// Approve or refuse, as the second person, that a person's word is overridden.
        ApproveOverride = "approve_override",
        /// The same that an information share is published.
        ApproveInformation = "approve_information",
        /// Read logs, entry by entry, and have proofs made.
        ReadLog = "read_log",
        /// Take whole logs out, with their sealed bodies.
        Export = "export",
        /// Make accounts, give roles, issue and revoke others' tokens.
        ManagePeople = "manage_people",
        /// Read who has read what, and alerts; take that out; resolve pseudonyms.
        ReadAccess = "read_access",
    }
}

named! {
    /// What a token is good for. A token does at most what its account's roles may.
    Scope {
        /// Reading.
        Read = "read",
        /// Writing on cases and information shares.
        Write = "write",
        /// Accounts and tokens.
        Admin = "admin",
        /// Taking logs out.
        Export = "export",
    }
}

impl Action {
    /// The scope that a token needs for it.
    pub fn scope(self) -> Scope {
        match self {
            Self::See
            | Self::Open
            | Self::Status
            | Self::Count
            | Self::ReadInformation
            | Self::ReadAddressed
            | Self::ReadLog
            | Self::ReadAccess => Scope::Read,
            Self::Act
            | Self::Stop
            | Self::Assign
            | Self::Send
            | Self::TakeDraft
            | Self::DiscardDraft
            | Self::WriteInformation
            | Self::RetractInformation
            | Self::RespondInformation
            | Self::ApproveOverride
            | Self::ApproveInformation => Scope::Write,
            Self::ManagePeople => Scope::Admin,
            Self::Export => Scope::Export,
        }
    }

    /// Whether it is about one case.
    pub fn is_about_a_case(self) -> bool {
        matches!(self, Self::See | Self::Open | Self::Act | Self::Stop | Self::Assign)
    }
}

/// What the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No, and whoever asks learns nothing more.
    Deny,
    /// Only by breaking the glass: with a reason, recorded first, and told.
    BreakGlass,
    /// Yes.
    Allow,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "deny",
            Self::BreakGlass => "break_glass",
            Self::Allow => "allow",
        })
    }
}

/// Whether `role` may do `action` on what stands to it in `relation`.
///
/// About a case; `-` is no, `glass` is only with a reason:
///
/// | role | own | triage | triage_rfl | other |
/// |---|---|---|---|---|
/// | administrator, key_custodian | - | - | - | - |
/// | data_protection | see, stop, open by glass | see, stop, open by glass | see, stop, open by glass | see, stop, open by glass |
/// | focal_point | see, open, act, stop, assign | see, open, act, stop, assign | see, open, act, stop, assign | see, assign, open by glass |
/// | caseworker | see, open, act, stop, assign | open by glass | open by glass | open by glass |
/// | supervisor | see, open, act, stop, assign | see, assign, open by glass | see, assign, open by glass | see, assign, open by glass |
/// | rfl_officer | see, open, act, stop, assign | open by glass | see, open, act, stop, assign | open by glass |
/// | directory_editor, information_editor, information_reviewer, reporting_officer, observer | - | - | - | - |
/// | auditor | see | see | see | see |
///
/// Of a case that is none here, nobody may anything. About no case:
///
/// | role | may |
/// |---|---|
/// | everybody | status, read_information |
/// | administrator | discard_draft, count, read_log, export, manage_people, read_access |
/// | key_custodian | read_log |
/// | data_protection | discard_draft, count, read_addressed, approve_override, read_log, export, read_access |
/// | focal_point | send, take_draft, discard_draft, count, read_addressed, respond_information, read_log |
/// | supervisor | send, count, read_addressed, respond_information, approve_override, read_log |
/// | caseworker, rfl_officer | send, read_addressed |
/// | directory_editor | read_addressed |
/// | information_editor | read_addressed, write_information, retract_information, respond_information |
/// | information_reviewer | read_addressed, write_information, retract_information, respond_information, approve_information |
/// | reporting_officer | count, read_addressed |
/// | auditor | count, read_log, export, read_access |
pub fn may(role: Role, relation: Relation, action: Action) -> Verdict {
    match (relation, action.is_about_a_case()) {
        (Relation::Nothing, false) => about_no_case(role, action),
        (Relation::Own | Relation::Triage | Relation::TriageRfl | Relation::Other, true) => {
            about_a_case(role, relation, action)
        }
        (Relation::NoParty, _) | (Relation::Nothing, true) => Verdict::Deny,
        (Relation::Own | Relation::Triage | Relation::TriageRfl | Relation::Other, false) => {
            Verdict::Deny
        }
    }
}

fn about_a_case(role: Role, relation: Relation, action: Action) -> Verdict {
    use Action as A;
    use Relation as R;
    use Verdict::{Allow, BreakGlass, Deny};
    let worker = |action| match action {
        A::See | A::Open | A::Act | A::Stop | A::Assign => Allow,
        _ => Deny,
    };
    let glass = |action| if action == A::Open { BreakGlass } else { Deny };
    match (role, relation) {
        (_, R::Nothing | R::NoParty) => Deny,
        (Role::DataProtection, R::Own | R::Triage | R::TriageRfl | R::Other) => match action {
            A::See | A::Stop => Allow,
            action => glass(action),
        },
        (Role::FocalPoint, R::Own | R::Triage | R::TriageRfl) => worker(action),
        (Role::FocalPoint, R::Other) => match action {
            A::See | A::Assign => Allow,
            action => glass(action),
        },
        (Role::Caseworker | Role::Supervisor, R::Own) => worker(action),
        (Role::Caseworker, R::Triage | R::TriageRfl | R::Other) => glass(action),
        (Role::RflOfficer, R::Own | R::TriageRfl) => worker(action),
        (Role::RflOfficer, R::Triage | R::Other) => glass(action),
        (Role::Supervisor, R::Triage | R::TriageRfl | R::Other) => match action {
            A::See | A::Assign => Allow,
            action => glass(action),
        },
        (Role::Auditor, R::Own | R::Triage | R::TriageRfl | R::Other) => match action {
            A::See => Allow,
            _ => Deny,
        },
        (
            Role::Administrator
            | Role::KeyCustodian
            | Role::DirectoryEditor
            | Role::InformationEditor
            | Role::InformationReviewer
            | Role::ReportingOfficer
            | Role::Observer,
            R::Own | R::Triage | R::TriageRfl | R::Other,
        ) => Deny,
    }
}

fn about_no_case(role: Role, action: Action) -> Verdict {
    use Action as A;
    let allowed: &[Action] = match role {
        Role::Administrator => {
            &[A::DiscardDraft, A::Count, A::ReadLog, A::Export, A::ManagePeople, A::ReadAccess]
        }
        Role::KeyCustodian => &[A::ReadLog],
        Role::DataProtection => &[
            A::DiscardDraft,
            A::Count,
            A::ReadAddressed,
            A::ApproveOverride,
            A::ReadLog,
            A::Export,
            A::ReadAccess,
        ],
        Role::Auditor => &[A::Count, A::ReadLog, A::Export, A::ReadAccess],
        Role::FocalPoint => &[
            A::Send,
            A::TakeDraft,
            A::DiscardDraft,
            A::Count,
            A::ReadAddressed,
            A::RespondInformation,
            A::ReadLog,
        ],
        Role::Supervisor => &[
            A::Send,
            A::Count,
            A::ReadAddressed,
            A::RespondInformation,
            A::ApproveOverride,
            A::ReadLog,
        ],
        Role::Caseworker | Role::RflOfficer => &[A::Send, A::ReadAddressed],
        Role::InformationEditor => {
            &[A::ReadAddressed, A::WriteInformation, A::RetractInformation, A::RespondInformation]
        }
        Role::InformationReviewer => &[
            A::ReadAddressed,
            A::WriteInformation,
            A::RetractInformation,
            A::RespondInformation,
            A::ApproveInformation,
        ],
        Role::ReportingOfficer => &[A::Count, A::ReadAddressed],
        Role::DirectoryEditor => &[A::ReadAddressed],
        Role::Observer => &[],
    };
    let everybody = matches!(action, A::Status | A::ReadInformation);
    if everybody || allowed.contains(&action) { Verdict::Allow } else { Verdict::Deny }
}
