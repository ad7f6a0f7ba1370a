//! Accounts and tokens, as the client API shows them, and who may change what.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Action, Role, Roles, Scope},
    referral::ReferralId,
    store::Store,
};
use tutti_proto::node::v1 as api;

use super::{Engine, Refused, allowed::not_allowed, query::slice, reading::people_refused};
use crate::local::{Account, Actor, Address, Admitted, Credential, LoginStep, Token};

const DAY_MS: u64 = 24 * 3_600_000;

/// How long a token is good where nothing is said, and at most, days.
const DAYS_DEFAULT: u32 = 90;
const DAYS_MAX: u32 = 400;

/// Cases that one token may be limited to.
const CASES_MAX: usize = 500;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Who asks.
    pub fn who_am_i(
        &self,
        admitted: &Admitted,
        now_ms: u64,
    ) -> Result<api::WhoAmIResponse, Refused> {
        let actor = &admitted.actor;
        let unknown = || not_allowed(Action::Status);
        let id = actor.account().ok_or_else(unknown)?;
        let account = self.local.accounts().find(|(other, _)| *other == id);
        let (id, account) = account.ok_or_else(unknown)?;
        let token = self.local.token(&admitted.token).ok_or_else(unknown)?;
        let may = Action::ALL.iter().copied().filter(|action| actor.may(*action));
        Ok(api::WhoAmIResponse {
            account: Some(self.account_message(id, account, now_ms)),
            token: Some(self.token_message(&admitted.token, token)),
            may: may.map(|action| action.name().into()).collect(),
        })
    }

    /// Every account. Whoever gives cases to others must know who there is.
    pub fn accounts(
        &self,
        actor: &Actor,
        request: &api::ListAccountsRequest,
        now_ms: u64,
    ) -> Result<api::ListAccountsResponse, Refused> {
        if !actor.may(Action::ReadAccess) && !actor.may(Action::Send) {
            self.check(actor, Action::ManagePeople)?;
        }
        let accounts = self.local.accounts();
        let mut accounts: Vec<_> =
            accounts.map(|(id, account)| self.account_message(id, account, now_ms)).collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        let (accounts, next_page_token) =
            slice(accounts, |account| account.name.as_str(), &request.page_token)?;
        Ok(api::ListAccountsResponse { accounts, next_page_token })
    }

    /// Makes an account, with a start code.
    pub fn add_account(
        &mut self,
        actor: &Actor,
        request: &api::AddAccountRequest,
        now_ms: u64,
    ) -> Result<api::AccountResponse, Refused> {
        self.check(actor, Action::ManagePeople)?;
        let roles = parse_roles(&request.roles)?;
        let (by, name) = (actor.pseudonym(), &request.name);
        let made = self.local.add_account(by, name, &roles, now_ms, &mut self.rng);
        made.map_err(|error| self.local_failed(error))?;
        self.start_code(name, now_ms)
    }

    /// A new start code in place of the password.
    pub fn renew_start_code(
        &mut self,
        actor: &Actor,
        request: &api::AccountRequest,
        now_ms: u64,
    ) -> Result<api::AccountResponse, Refused> {
        self.check(actor, Action::ManagePeople)?;
        let (id, account) = self.local.account(&request.name).map_err(people_refused)?;
        let whose = self.local.pseudonym(&id);
        if account.roles.open_cases() && actor.pseudonym() != whose {
            let told = self.local.raise("token_for_other", &whose, now_ms, &mut self.rng);
            told.map_err(|error| self.local_failed(error.into()))?;
        }
        self.start_code(&request.name, now_ms)
    }

    fn start_code(&mut self, name: &str, now_ms: u64) -> Result<api::AccountResponse, Refused> {
        let code = self.local.renew_start_code(name, now_ms, &mut self.rng);
        let code = code.map_err(|error| self.local_failed(error))?;
        let mut answer = self.account_response(name, now_ms)?;
        answer.start_code = code.to_string();
        Ok(answer)
    }

    /// Gives an account other roles.
    pub fn set_roles(
        &mut self,
        actor: &Actor,
        request: &api::SetRolesRequest,
        now_ms: u64,
    ) -> Result<api::AccountResponse, Refused> {
        self.check(actor, Action::ManagePeople)?;
        let roles = parse_roles(&request.roles)?;
        let (by, name) = (actor.pseudonym(), &request.name);
        let set = self.local.set_roles(by, name, Some(&roles), None, now_ms, &mut self.rng);
        set.map_err(|error| self.local_failed(error))?;
        self.account_response(name, now_ms)
    }

    /// Switches an account off or on.
    pub fn set_active(
        &mut self,
        actor: &Actor,
        request: &api::SetActiveRequest,
        now_ms: u64,
    ) -> Result<api::AccountResponse, Refused> {
        self.check(actor, Action::ManagePeople)?;
        let (by, name, active) = (actor.pseudonym(), &request.name, Some(request.active));
        let set = self.local.set_roles(by, name, None, active, now_ms, &mut self.rng);
        set.map_err(|error| self.local_failed(error))?;
        self.account_response(name, now_ms)
    }

    /// Whose a pseudonym is.
    pub fn resolve(
        &self,
        actor: &Actor,
        request: &api::ResolveRequest,
        now_ms: u64,
    ) -> Result<api::AccountResponse, Refused> {
        self.check(actor, Action::ReadAccess)?;
        let name = self.local.name_of(&request.pseudonym).map(String::from);
        let name = name.ok_or_else(|| {
            Refused::NotFound("that pseudonym is nobody's here; it may be another society's".into())
        })?;
        self.account_response(&name, now_ms)
    }

    /// Issues a token, to whoever asks or, by an administrator, to another.
    pub fn issue_token(
        &mut self,
        actor: &Actor,
        request: &api::IssueTokenRequest,
        now_ms: u64,
    ) -> Result<api::IssuedToken, Refused> {
        let own = actor.account().copied().ok_or_else(|| not_allowed(Action::ManagePeople))?;
        let (account, for_other) = match request.name.as_str() {
            "" => (own, false),
            name => {
                let (id, _) = self.local.account(name).map_err(people_refused)?;
                (id, id != own)
            }
        };
        if for_other {
            self.check(actor, Action::ManagePeople)?;
        }
        // Else a token that was made for little, and is found, would make itself another.
        let whole = actor.scopes().contains(&Scope::Admin) && actor.cases().is_none();
        let scopes = parse_scopes(&request.scopes)?;
        if !whole || !scopes.is_subset(actor.scopes()) {
            return Err(not_allowed(Action::ManagePeople));
        }
        let cases = parse_cases(&request.cases)?;
        let days = match request.days {
            0 => DAYS_DEFAULT,
            days if days <= DAYS_MAX => days,
            _ => return Err(Refused::Invalid(format!("a token is good for 1 to {DAYS_MAX} days"))),
        };
        let expires_ms = now_ms.saturating_add(u64::from(days) * DAY_MS);
        let (by, label) = (actor.pseudonym(), &request.label);
        let rng = &mut self.rng;
        let local = &mut self.local;
        let issued =
            local.issue(by, &account, label, &scopes, cases.as_ref(), expires_ms, now_ms, rng);
        let issued = issued.map_err(|error| self.local_failed(error))?;
        self.issued(&issued)
    }

    /// Tokens that are in force.
    pub fn tokens(
        &self,
        actor: &Actor,
        request: &api::ListTokensRequest,
        now_ms: u64,
    ) -> Result<api::ListTokensResponse, Refused> {
        let wanted = if request.all { Action::ManagePeople } else { Action::Status };
        self.check(actor, wanted)?;
        let shown = |(_, token): &(&[u8; 8], &Token)| {
            request.all || actor.account() == Some(&token.account)
        };
        let mut tokens: Vec<_> = self
            .local
            .tokens(now_ms)
            .filter(shown)
            .map(|(id, token)| self.token_message(id, token))
            .collect();
        tokens.sort_by(|a, b| (&a.account, a.created_at_ms).cmp(&(&b.account, b.created_at_ms)));
        let (tokens, next_page_token) =
            slice(tokens, |token| token.id.as_str(), &request.page_token)?;
        Ok(api::ListTokensResponse { tokens, next_page_token })
    }

    /// Takes a token back: one's own, with a token that may do all that it may; or, by an administrator,
    /// any.
    pub fn revoke_token(
        &mut self,
        actor: &Actor,
        request: &api::RevokeTokenRequest,
        now_ms: u64,
    ) -> Result<api::TokenInfo, Refused> {
        let mut id = [0; 8];
        hex::decode_to_slice(&request.id, &mut id)
            .map_err(|_| Refused::Invalid("a token's number is 16 hexadecimal digits".into()))?;
        let mine = self.local.token(&id).filter(|token| actor.account() == Some(&token.account));
        match mine {
            None => self.check(actor, Action::ManagePeople)?,
            Some(token)
                if !actor.holds_all_of(&token.scopes, token.cases.as_ref())
                    && self.check(actor, Action::ManagePeople).is_err() =>
            {
                return Err(Refused::NotAllowed(
                    "this token may do less than the one that it would take back; nothing was done. \
                     Log in, or show one that may do as much"
                        .into(),
                ));
            }
            Some(_) => {}
        }
        let revoked = self.local.revoke(actor.pseudonym(), &id, now_ms, &mut self.rng);
        let revoked = revoked.map_err(|error| self.local_failed(error))?;
        Ok(self.token_message(&id, &revoked))
    }

    /// Begins a login; the password is looked at outside the engine.
    pub fn begin_login(
        &mut self,
        name: &str,
        from: Address,
        now_ms: u64,
    ) -> Result<LoginStep, Refused> {
        let begun = self.local.begin_login(name, from, now_ms, &mut self.rng);
        begun.map_err(|error| self.local_failed(error))
    }

    /// Ends one that was right.
    pub fn end_login(
        &mut self,
        name: &str,
        from: Address,
        checked: &str,
        new_hash: Option<String>,
        now_ms: u64,
    ) -> Result<api::IssuedToken, Refused> {
        let issued = self.local.end_login(name, from, checked, new_hash, now_ms, &mut self.rng);
        let issued = issued.map_err(|error| self.local_failed(error))?;
        self.issued(&issued)
    }

    /// 16 random bytes, for a password's salt.
    pub fn draw_salt(&mut self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.rng.fill_bytes(&mut salt);
        salt
    }

    fn issued(&self, issued: &Credential) -> Result<api::IssuedToken, Refused> {
        let token = self.local.token(&issued.id);
        let info = token.map(|token| self.token_message(&issued.id, token));
        Ok(api::IssuedToken { token: issued.text.to_string(), info })
    }

    fn account_response(&self, name: &str, now_ms: u64) -> Result<api::AccountResponse, Refused> {
        let (id, account) = self.local.account(name).map_err(people_refused)?;
        Ok(api::AccountResponse {
            account: Some(self.account_message(&id, account, now_ms)),
            start_code: String::new(),
        })
    }

    fn account_message(&self, id: &[u8; 16], account: &Account, now_ms: u64) -> api::Account {
        let tokens = self.local.tokens(now_ms).filter(|(_, token)| token.account == *id).count();
        api::Account {
            name: account.name.clone(),
            pseudonym: self.local.pseudonym(id),
            roles: account.roles.iter().map(|role| role.name().into()).collect(),
            active: account.active,
            password: match &account.password {
                None => "none",
                Some(password) if password.start_code => "start_code",
                Some(_) => "password",
            }
            .into(),
            tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
            drafts: u32::try_from(self.local.drafts(id).len()).unwrap_or(u32::MAX),
        }
    }

    fn token_message(&self, id: &[u8; 8], token: &Token) -> api::TokenInfo {
        let whose = self.local.accounts().find(|(id, _)| **id == token.account);
        api::TokenInfo {
            id: hex::encode(id),
            account: whose.map(|(_, account)| account.name.clone()).unwrap_or_default(),
            label: token.label.clone(),
            scopes: token.scopes.iter().map(|scope| scope.name().into()).collect(),
            cases: token.cases.iter().flatten().map(ToString::to_string).collect(),
            created_at_ms: token.created_ms,
            expires_at_ms: token.expires_ms,
        }
    }
}

fn parse_roles(names: &[String]) -> Result<Roles, Refused> {
    let parse = |name: &String| name.parse::<Role>();
    let roles: Result<Roles, _> = names.iter().map(parse).collect();
    roles.map_err(|error| Refused::Invalid(format!("{error}. Nothing was changed")))
}

fn parse_scopes(names: &[String]) -> Result<BTreeSet<Scope>, Refused> {
    if names.is_empty() {
        return Ok(BTreeSet::from([Scope::Read]));
    }
    let parse = |name: &String| {
        Scope::parse(name).ok_or_else(|| {
            Refused::Invalid(format!(
                "{name:?} is no scope; nothing was issued. Scopes are: {}",
                Scope::NAMES.join(", ")
            ))
        })
    };
    names.iter().map(parse).collect()
}

fn parse_cases(ids: &[String]) -> Result<Option<BTreeSet<ReferralId>>, Refused> {
    if ids.len() > CASES_MAX {
        return Err(Refused::Invalid(format!("a token is limited to {CASES_MAX} cases at most")));
    }
    let parse =
        |id: &String| id.parse().map_err(|error| Refused::Invalid(format!("case {id}: {error}")));
    let cases: BTreeSet<ReferralId> = ids.iter().map(parse).collect::<Result<_, _>>()?;
    Ok((!cases.is_empty()).then_some(cases))
}
