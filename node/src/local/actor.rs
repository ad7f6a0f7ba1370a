//! Who asks: resolved once where a request comes in, and passed to every query and every write.

use std::collections::BTreeSet;

use tutti_core::{
    people::{Action, Relation, Roles, Scope, Verdict},
    referral::ReferralId,
};

/// Whoever asks the engine for something, with all that they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    account: Option<[u8; 16]>,
    pseudonym: String,
    roles: Roles,
    scopes: BTreeSet<Scope>,
    /// Where the token is good for these cases alone.
    cases: Option<BTreeSet<ReferralId>>,
}

impl Actor {
    /// The node itself: what it does by its own rules, such as receipts of erasure. No request
    /// from outside ever has this actor.
    pub fn node() -> Self {
        Self {
            account: None,
            pseudonym: String::new(),
            roles: Roles::all(),
            scopes: Scope::ALL.iter().copied().collect(),
            cases: None,
        }
    }

    /// A person with an account, whose token has `scopes` and, where `cases` is given, is good for
    /// these alone.
    pub fn person(
        account: [u8; 16],
        pseudonym: String,
        roles: Roles,
        scopes: BTreeSet<Scope>,
        cases: Option<BTreeSet<ReferralId>>,
    ) -> Self {
        Self { account: Some(account), pseudonym, roles, scopes, cases }
    }

    /// The account; `None` for the node itself.
    pub fn account(&self) -> Option<&[u8; 16]> {
        self.account.as_ref()
    }

    /// What stands in records in place of a name; empty for the node itself.
    pub fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// What the token is good for.
    pub fn scopes(&self) -> &BTreeSet<Scope> {
        &self.scopes
    }

    /// Where the token is good for these cases alone, which.
    pub fn cases(&self) -> Option<&BTreeSet<ReferralId>> {
        self.cases.as_ref()
    }

    /// Whether their token is good for all that one with these scopes and cases is good for.
    pub fn holds_all_of(
        &self,
        scopes: &BTreeSet<Scope>,
        cases: Option<&BTreeSet<ReferralId>>,
    ) -> bool {
        let within = |own: &BTreeSet<ReferralId>| cases.is_some_and(|cases| cases.is_subset(own));
        scopes.is_subset(&self.scopes) && self.cases.as_ref().is_none_or(within)
    }

    /// What they are to the society.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// Whether they may do what is about no case.
    pub fn may(&self, action: Action) -> bool {
        self.scopes.contains(&action.scope())
            // A token for some cases is for nothing that goes beyond them.
            && (self.cases.is_none() || matches!(action, Action::Status | Action::ReadInformation))
            && self.roles.may(Relation::Nothing, action) == Verdict::Allow
    }

    /// What they may do with a case to which they stand in that relation.
    pub fn may_with(&self, id: &ReferralId, relation: Relation, action: Action) -> Verdict {
        let meant = self.cases.as_ref().is_none_or(|cases| cases.contains(id));
        if !meant || !self.scopes.contains(&action.scope()) {
            return Verdict::Deny;
        }
        self.roles.may(relation, action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutti_core::people::Role;

    #[test]
    fn a_token_takes_away_and_never_gives() {
        let id = |byte| ReferralId::from_bytes([byte; 16]);
        let roles: Roles = [Role::Caseworker].into_iter().collect();
        let person = |scopes: &[Scope], cases: Option<BTreeSet<ReferralId>>| {
            let scopes = scopes.iter().copied().collect();
            Actor::person([1; 16], "p".into(), roles.clone(), scopes, cases)
        };
        let all = person(Scope::ALL, None);
        assert!(all.may(Action::Send) && !all.may(Action::ManagePeople));
        let reads = person(&[Scope::Read], None);
        assert!(!reads.may(Action::Send) && reads.may(Action::ReadInformation));
        assert_eq!(reads.may_with(&id(1), Relation::Own, Action::Open), Verdict::Allow);
        assert_eq!(reads.may_with(&id(1), Relation::Own, Action::Act), Verdict::Deny);
        let one = person(Scope::ALL, Some(BTreeSet::from([id(1)])));
        assert!(!one.may(Action::Send));
        assert_eq!(one.may_with(&id(1), Relation::Own, Action::Act), Verdict::Allow);
        assert_eq!(one.may_with(&id(2), Relation::Own, Action::See), Verdict::Deny);
        let nothing = person(&[], None);
        assert!(!nothing.may(Action::Status));
    }
}
