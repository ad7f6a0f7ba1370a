//! Whether somebody may do what they ask for: deny by default, here and nowhere else.
//!
//! Every query and every write comes through these; the rule itself is the one table of
//! `tutti_core::people`. Invariant: of a case that somebody may not see, no list, count, search or error
//! tells that it is there; the answer is that of a case that does not exist. One exception is meant: who
//! refers a case of which they know the code, to the society and for the service for which a colleague's is
//! open, is refused, hears that there is one and neither which nor whose, and is told of in an alert first
//! ([`Refused::OpenAtColleague`]). How long an answer takes is not made equal.

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    information,
    people::{Action, Relation, Verdict},
    referral::{self, Brief, Kind, ReferralId},
    store::Store,
};
use tutti_proto::v1;

use super::{Engine, Refused, Write, commit::Group};
use crate::local::Actor;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// How somebody stands to a case.
    pub(super) fn relation(&self, actor: &Actor, id: &ReferralId, brief: &Brief) -> Relation {
        let own = self.identity.society;
        if brief.side_of(own).is_none() {
            return Relation::NoParty;
        }
        let Some(_) = actor.account() else {
            return Relation::Own;
        };
        if let Some(whose) = self.whose(id, brief) {
            return if whose == actor.pseudonym() { Relation::Own } else { Relation::Other };
        }
        let rfl = [
            v1::ServiceCategory::RflTracing,
            v1::ServiceCategory::FamilyContact,
            v1::ServiceCategory::DeadMissing,
        ];
        if brief.asks_for(&rfl) { Relation::TriageRfl } else { Relation::Triage }
    }

    /// The pseudonym of whose case it is here: to whom it was given, else who sent it. `None` where
    /// it is nobody's, or of somebody who has left.
    pub(super) fn whose<'a>(&'a self, id: &ReferralId, brief: &'a Brief) -> Option<&'a str> {
        let whose = self.local.given(id).or(brief.by.as_deref())?;
        Some(whose).filter(|whose| self.local.is_here(whose))
    }

    /// What somebody may do with a case.
    pub(super) fn may_with(
        &self,
        actor: &Actor,
        (id, brief): (&ReferralId, &Brief),
        action: Action,
    ) -> Verdict {
        actor.may_with(id, self.relation(actor, id, brief), action)
    }

    /// Whether somebody sees that the case is there.
    pub(super) fn sees(&self, actor: &Actor, case: (&ReferralId, &Brief)) -> bool {
        self.may_with(actor, case, Action::See) == Verdict::Allow
    }

    /// Whether somebody sees that case; no for one that is none here.
    pub fn sees_case(&self, actor: &Actor, id: &ReferralId) -> bool {
        self.referrals.get(id).is_some_and(|brief| self.sees(actor, (id, brief)))
    }

    /// The case, where somebody sees it; else what is said of one that does not exist.
    pub(super) fn seen(&self, actor: &Actor, id: &ReferralId) -> Result<&Brief, Refused> {
        let brief = self.referrals.get(id).filter(|brief| self.sees(actor, (id, brief)));
        brief.ok_or_else(|| referral::Refusal::NotFound.into())
    }

    /// The same where a group has written something that is not durable yet.
    fn seen_in(&self, group: &Group, actor: &Actor, id: &ReferralId) -> Result<Brief, Refused> {
        let changed = group.changed(id).map(|case| Brief::of(case, self.identity.society));
        let brief = changed.or_else(|| self.referrals.get(id).cloned());
        let brief = brief.filter(|brief| self.sees(actor, (id, brief)));
        brief.ok_or_else(|| referral::Refusal::NotFound.into())
    }

    /// Whether somebody may read that share: what is addressed is for whoever works with it.
    pub(super) fn reads(&self, actor: &Actor, visibility: Visibility) -> bool {
        let action = match visibility {
            Visibility::Addressed => Action::ReadAddressed,
            Visibility::Public | Visibility::Federation => Action::ReadInformation,
        };
        actor.may(action)
    }

    /// Whether somebody may know that this share is there. One that is not known to be published tells
    /// nothing.
    pub fn sees_share(&self, actor: &Actor, id: &information::InformationId) -> bool {
        match self.information.get(id) {
            Some(share) => self.reads(actor, share.visibility),
            None => actor.may(Action::ReadAddressed),
        }
    }

    /// Refuses what somebody may not do that is about no case.
    pub fn check(&self, actor: &Actor, action: Action) -> Result<(), Refused> {
        if actor.may(action) { Ok(()) } else { Err(not_allowed(action)) }
    }

    /// Refuses a write that somebody may not make. `group` knows what was written before it and is
    /// not durable yet.
    pub(super) fn check_order(
        &self,
        actor: &Actor,
        write: &Write,
        group: &Group,
    ) -> Result<(), Refused> {
        match write {
            Write::Send { .. } => self.check(actor, Action::Send),
            // The case is passed on as it is known: that takes being one who may read it.
            Write::PassOn { id, .. } => {
                self.check(actor, Action::Send)?;
                let brief = self.seen_in(group, actor, id)?;
                for action in [Action::Act, Action::Open] {
                    if self.may_with(actor, (id, &brief), action) != Verdict::Allow {
                        return Err(not_allowed(action));
                    }
                }
                Ok(())
            }
            Write::Publish { readers, .. } => {
                if readers.visibility == Visibility::Addressed {
                    self.check(actor, Action::ReadAddressed)?;
                }
                self.check(actor, Action::WriteInformation)
            }
            Write::Inform { id, command, .. } => {
                let share = self.information.get(id);
                if share.is_some_and(|share| !self.reads(actor, share.visibility)) {
                    return Err(information::Refusal::NotFound.into());
                }
                self.check(actor, action_on_share(command.kind()))
            }
            Write::Advance { id, command, .. } => self.check_step(actor, id, command.kind(), group),
            Write::Attach { id, .. } => self.check_step(actor, id, Kind::Attached, group),
        }
    }

    fn check_step(
        &self,
        actor: &Actor,
        id: &ReferralId,
        kind: Kind,
        group: &Group,
    ) -> Result<(), Refused> {
        let brief = self.seen_in(group, actor, id)?;
        let action = action_of(kind);
        match self.may_with(actor, (id, &brief), action) {
            Verdict::Allow => Ok(()),
            Verdict::BreakGlass | Verdict::Deny => Err(not_allowed(action)),
        }
    }
}

/// What it is to do that with a share.
fn action_on_share(kind: information::Kind) -> Action {
    use information::Kind;
    match kind {
        Kind::Published | Kind::Revised | Kind::Superseded | Kind::Translated => {
            Action::WriteInformation
        }
        Kind::Retracted => Action::RetractInformation,
        Kind::Acknowledged | Kind::Endorsed | Kind::Disputed | Kind::ActedOn | Kind::TakenBack => {
            Action::RespondInformation
        }
    }
}

/// What kind of step it is to the one who takes it.
fn action_of(kind: Kind) -> Action {
    match kind {
        Kind::Sent => Action::Send,
        Kind::ConsentWithdrawn | Kind::ErasureRequested | Kind::EnteredInError => Action::Stop,
        Kind::Acknowledged
        | Kind::InformationRequested
        | Kind::InformationProvided
        | Kind::Accepted
        | Kind::Declined
        | Kind::Expired
        | Kind::Withdrawn
        | Kind::ServiceStarted
        | Kind::AppointmentScheduled
        | Kind::AppointmentMissed
        | Kind::Paused
        | Kind::Resumed
        | Kind::ServiceDelivered
        | Kind::FollowUp
        | Kind::Closed
        | Kind::Cancelled
        | Kind::Reopened
        | Kind::Onward
        | Kind::HandoverProposed
        | Kind::HandoverAccepted
        | Kind::HandoverDeclined
        | Kind::ConsentRenewed
        | Kind::Corrected
        | Kind::StepEnteredInError
        | Kind::FileEnteredInError
        | Kind::Erased
        | Kind::Attached => Action::Act,
    }
}

/// What is said to somebody who may not.
pub(super) fn not_allowed(action: Action) -> Refused {
    let what = match action {
        Action::See | Action::Open => "read this case",
        Action::Act => "take this case a step on: it is not yours",
        Action::Stop => "stop this case",
        Action::Assign => "give this case to somebody",
        Action::Send => "refer somebody",
        Action::TakeDraft => "go on with the draft of somebody who has left",
        Action::DiscardDraft => "erase the drafts of somebody who has left",
        Action::Status => "see how this node does",
        Action::Count => "see figures of all cases",
        Action::ReadInformation => "read information shares",
        Action::ReadAddressed => "read what is addressed to this society alone",
        Action::WriteInformation => "write information shares",
        Action::RespondInformation => "speak for this society about information shares",
        Action::RetractInformation => "retract information shares",
        Action::ApproveOverride => "approve that a person's word is overridden",
        Action::ApproveInformation => "approve what is published",
        Action::ReadLog => "read logs",
        Action::Export => "take logs out",
        Action::ManagePeople => "manage accounts and tokens",
        Action::ReadAccess => "read the access log",
    };
    Refused::NotAllowed(format!(
        "your account or this token may not {what}; nothing was done. See `tutti whoami`, and ask \
         the node's administrator"
    ))
}
