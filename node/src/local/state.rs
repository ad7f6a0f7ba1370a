//! What the local log comes to: accounts, tokens, whose a case is, who has read what. A projection
//! in memory; the log is the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tutti_core::{
    people::{Role, Roles, Scope},
    referral::ReferralId,
    society::Society,
};
use tutti_proto::v1::{self, local_record::Event};

use super::{Approval, Use, log::Entry};

/// Reads and alerts that are kept in memory for showing; an export has all.
const SHOWN_MAX: usize = 10_000;

/// An account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What people call it.
    pub name: String,
    /// What it is to the society.
    pub roles: Roles,
    /// Whether it is in use.
    pub active: bool,
    /// What it logs in with.
    pub password: Option<Password>,
}

/// A password or start code, as its hash.
#[derive(Debug, Clone)]
pub struct Password {
    /// argon2id in the PHC string format.
    pub hash: String,
    /// Only good for choosing another.
    pub start_code: bool,
    /// Until when, milliseconds since the Unix epoch; 0: without end.
    pub expires_ms: u64,
}

/// What a token is good for.
#[derive(Debug, Clone, Default)]
pub struct Token {
    /// Whose.
    pub account: [u8; 16],
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// What its owner calls it.
    pub label: String,
    /// What it may.
    pub scopes: BTreeSet<Scope>,
    /// Where it is for these cases alone.
    pub cases: Option<BTreeSet<ReferralId>>,
    /// Milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// The same; 0: without end.
    pub expires_ms: u64,
}

/// A read or an alert, as it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The entry.
    pub index: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Which.
    pub event: Event,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    size: u64,
    pub(super) accounts: BTreeMap<[u8; 16], Account>,
    pub(super) tokens: BTreeMap<[u8; 8], Token>,
    /// By case: the pseudonym that it was given to; empty: nobody's.
    pub(super) given: BTreeMap<ReferralId, String>,
    pub(super) drafts: BTreeMap<[u8; 16], Draft>,
    /// By draft: who was asked for what, as it stands.
    pub(super) approvals: BTreeMap<[u8; 16], Approval>,
    /// By pseudonym: who set their roles last; empty: at the machine itself.
    pub(super) roles_by: BTreeMap<String, String>,
    pub(super) reads: VecDeque<Shown>,
    pub(super) alerts: VecDeque<Shown>,
    /// Working groups of the society's own, by name.
    pub(super) groups: BTreeMap<String, BTreeSet<Society>>,
    /// When the last entry was written.
    last_ms: u64,
    /// Roles and grants whose account or token comes after them.
    roles: BTreeMap<String, (Roles, bool)>,
}

/// A draft: whose, where and when.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) account: [u8; 16],
    pub(super) file: String,
    pub(super) saved_ms: u64,
    pub(super) used: Use,
}

impl State {
    /// Takes the next entry of the log. `pseudonym` tells an account's.
    pub(super) fn apply(&mut self, entry: &Entry, pseudonym: impl Fn(&[u8; 16]) -> String) {
        let index = self.size;
        self.size += 1;
        // Where the clock was set back, the time of what was kept meanwhile begins anew.
        if entry.at_ms < self.last_ms {
            let ahead = self.drafts.values_mut().filter(|draft| draft.saved_ms > entry.at_ms);
            ahead.for_each(|draft| draft.saved_ms = entry.at_ms);
        }
        self.last_ms = entry.at_ms;
        let Some(event) = &entry.record.event else { return };
        match event {
            Event::Account(account) => {
                let Some(id) = id(&account.account) else { return };
                let (roles, active) = self.roles.get(&pseudonym(&id)).cloned().unwrap_or_default();
                let known = self.accounts.entry(id).or_default();
                (known.name, known.roles, known.active) = (account.name.clone(), roles, active);
            }
            Event::Password(password) => {
                let account = id(&password.account).and_then(|id| self.accounts.get_mut(&id));
                let Some(account) = account else { return };
                account.password = (!password.hash.is_empty()).then(|| Password {
                    hash: password.hash.clone(),
                    start_code: password.start_code,
                    expires_ms: password.expires_ms,
                });
            }
            Event::Roles(roles) => self.set_roles(roles, pseudonym),
            Event::Token(token) => {
                let (Some(account), Ok(key), Ok(hash)) = (
                    id(&token.account),
                    token.token.as_slice().try_into(),
                    token.hash.as_slice().try_into(),
                ) else {
                    return;
                };
                let known: &mut Token = self.tokens.entry(key).or_default();
                (known.account, known.hash, known.label) = (account, hash, token.label.clone());
                known.created_ms = entry.at_ms;
            }
            Event::Grant(grant) => self.grant(grant),
            Event::Case(case) => {
                if let Some(referral) = id(&case.referral) {
                    self.given.insert(ReferralId::from_bytes(referral), case.pseudonym.clone());
                }
            }
            Event::Group(group) => {
                let members: BTreeSet<Society> =
                    group.members.iter().filter_map(|code| code.parse().ok()).collect();
                match members.is_empty() {
                    true => drop(self.groups.remove(&group.name)),
                    false => drop(self.groups.insert(group.name.clone(), members)),
                }
            }
            Event::Read(_) => keep(&mut self.reads, index, entry.at_ms, event),
            Event::Alert(_) => keep(&mut self.alerts, index, entry.at_ms, event),
            Event::Draft(draft) => {
                let (Some(key), Some(account)) = (id(&draft.draft), id(&draft.account)) else {
                    return;
                };
                // Another text, or none: what was said of the one before is over.
                self.approvals.remove(&key);
                let used = Use::from_parts(draft.r#use, &draft.target).unwrap_or(Use::Referral);
                if draft.file.is_empty() {
                    self.drafts.remove(&key);
                } else {
                    let (file, saved_ms) = (draft.file.clone(), entry.at_ms);
                    self.drafts.insert(key, Draft { account, file, saved_ms, used });
                }
            }
            Event::Approval(said) => {
                let Some(key) = id(&said.draft) else { return };
                let before = self.approvals.remove(&key);
                if let Some(approval) = Approval::take(before, said, entry.at_ms) {
                    self.approvals.insert(key, approval);
                }
            }
        }
    }

    fn set_roles(&mut self, roles: &v1::LocalRoles, pseudonym: impl Fn(&[u8; 16]) -> String) {
        // A role of a later version is none here.
        self.roles_by.insert(roles.pseudonym.clone(), roles.by.clone());
        let set: Roles = roles.roles.iter().filter_map(|name| Role::parse(name)).collect();
        self.roles.insert(roles.pseudonym.clone(), (set.clone(), roles.active));
        let found = self.accounts.iter_mut().find(|(id, _)| pseudonym(id) == roles.pseudonym);
        let Some((id, account)) = found else { return };
        (account.roles, account.active) = (set, roles.active);
        if !roles.active {
            account.password = None;
            let id = *id;
            self.tokens.retain(|_, token| token.account != id);
        }
    }

    fn grant(&mut self, grant: &v1::LocalGrant) {
        let Ok(key) = <[u8; 8]>::try_from(grant.token.as_slice()) else { return };
        if grant.revoked {
            self.tokens.remove(&key);
            return;
        }
        let token = self.tokens.entry(key).or_default();
        token.scopes = grant.scopes.iter().filter_map(|name| Scope::parse(name)).collect();
        let cases = grant.cases.iter().filter_map(|id| id.parse().ok());
        token.cases = (!grant.cases.is_empty()).then(|| cases.collect());
        token.expires_ms = grant.expires_ms;
    }

    /// The account of that name.
    pub(super) fn named(&self, name: &str) -> Option<(&[u8; 16], &Account)> {
        self.accounts.iter().find(|(_, account)| account.name == name)
    }
}

fn id(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}

fn keep(list: &mut VecDeque<Shown>, index: u64, at_ms: u64, event: &Event) {
    if list.len() >= SHOWN_MAX {
        list.pop_front();
    }
    list.push_back(Shown { index, at_ms, event: event.clone() });
}
