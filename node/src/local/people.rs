//! Accounts and tokens: made, changed, taken back. Whether somebody may is the engine's to say.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Roles, Scope},
    referral::ReferralId,
    store::StoreError,
};
use tutti_proto::v1::{
    LocalAccount, LocalAlert, LocalGrant, LocalPassword, LocalRoles, LocalToken,
    local_record::Event,
};
use zeroize::Zeroizing;

use super::{
    Account, Actor, Address, Local, Token,
    gate::{self, Pass},
    password,
};

/// How long a start code is good, milliseconds.
const START_CODE_MS: u64 = 7 * 24 * 3_600_000;

/// How long a token from a login is good, milliseconds: a working day.
const LOGIN_MS: u64 = 12 * 3_600_000;

/// Tokens of one account at once.
const TOKENS_MAX: usize = 50;

/// The longest name, bytes.
const NAME_MAX: usize = 64;

/// Wrong guesses at one account after which the focal point is told, and again at each multiple.
const GUESSES_TOLD: u32 = 10;

/// The same from one address, at whatever accounts.
const GUESSES_FROM_ONE_TOLD: u32 = 50;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// No such account or token.
    #[error("there is no {0} here; nothing was changed. See `tutti user list`, `tutti token list`")]
    Unknown(String),
    /// The name is taken, or none.
    #[error("{0}; nothing was changed")]
    Wrong(String),
    /// It would leave nobody who can manage accounts.
    #[error(
        "{0} is the last active administrator; nothing was changed. Give somebody else that role \
         first"
    )]
    LastAdministrator(String),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token as it is handed out, once.
pub struct Credential {
    /// The secret.
    pub text: Zeroizing<String>,
    /// Its number.
    pub id: [u8; 8],
}

/// What a login is checked against, outside the engine.
pub enum LoginStep {
    /// Not before that time, milliseconds since the Unix epoch.
    Wait(u64),
    /// This hash; one that nothing matches, where the account is none or has none.
    Check {
        /// argon2id in the PHC string format.
        hash: String,
        /// Only good for choosing another.
        start_code: bool,
    },
}

/// Names are shown in tables and typed in commands.
fn check_name(name: &str) -> Result<(), PeopleError> {
    let fits = |c: char| c.is_alphanumeric() || "._-@".contains(c);
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(fits) {
        return Err(PeopleError::Wrong(format!(
            "a name has 1 to {NAME_MAX} letters, digits and . _ - @, no spaces"
        )));
    }
    Ok(())
}

impl Local {
    /// Every account: its number and what it is.
    pub fn accounts(&self) -> impl Iterator<Item = (&[u8; 16], &Account)> {
        self.state.accounts.iter()
    }

    /// The account of that name.
    pub fn account(&self, name: &str) -> Result<([u8; 16], &Account), PeopleError> {
        let found = self.state.named(name).map(|(id, account)| (*id, account));
        found.ok_or_else(|| PeopleError::Unknown(format!("account {name:?}")))
    }

    /// Every token that is in force: its number and what it is good for.
    pub fn tokens(&self, now_ms: u64) -> impl Iterator<Item = (&[u8; 8], &Token)> {
        let good = move |token: &Token| token.expires_ms == 0 || now_ms < token.expires_ms;
        self.state.tokens.iter().filter(move |(_, token)| good(token))
    }

    /// Makes an account. It cannot log in before it has a start code.
    pub fn add_account(
        &mut self,
        by: &str,
        name: &str,
        roles: &Roles,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<[u8; 16], PeopleError> {
        check_name(name)?;
        if self.state.named(name).is_some() {
            return Err(PeopleError::Wrong(format!("there is an account {name:?} already")));
        }
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let account = LocalAccount { account: id.to_vec(), name: name.into() };
        let events = vec![Event::Account(account), self.roles(&id, roles, true, by)];
        self.write(events, now_ms, rng)?;
        self.let_in();
        Ok(id)
    }

    fn roles(&self, id: &[u8; 16], roles: &Roles, active: bool, by: &str) -> Event {
        Event::Roles(LocalRoles {
            pseudonym: self.keys.pseudonym(id),
            roles: roles.iter().map(|role| role.name().into()).collect(),
            active,
            by: by.into(),
        })
    }

    /// Gives an account other roles, or switches it off and on.
    pub fn set_roles(
        &mut self,
        by: &str,
        name: &str,
        roles: Option<&Roles>,
        active: Option<bool>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        use tutti_core::people::Role::Administrator;
        let (id, account) = self.account(name)?;
        let active = active.unwrap_or(account.active);
        let roles = roles.unwrap_or(&account.roles).clone();
        let stays = active && roles.has(Administrator);
        let another = self.state.accounts.iter().any(|(other, account)| {
            *other != id && account.active && account.roles.has(Administrator)
        });
        if !stays && !another && account.active && account.roles.has(Administrator) {
            return Err(PeopleError::LastAdministrator(name.into()));
        }
        let widened = roles.open_cases() && !account.roles.open_cases();
        let mut events = vec![self.roles(&id, &roles, active, by)];
        if widened && self.keys.pseudonym(&id) == by {
            events.push(alert("own_roles", by, 1));
        }
        self.write(events, now_ms, rng)?;
        self.let_in();
        Ok(())
    }

    /// A new start code in place of the password.
    pub fn renew_start_code(
        &mut self,
        name: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Zeroizing<String>, PeopleError> {
        let (id, account) = self.account(name)?;
        if !account.active {
            return Err(PeopleError::Wrong(format!("account {name:?} is switched off")));
        }
        let code = password::start_code(rng);
        self.set_password(&id, &code, true, now_ms, rng)?;
        Ok(code)
    }

    fn set_password(
        &mut self,
        id: &[u8; 16],
        password: &str,
        start_code: bool,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let hash = password::hash(password, &salt)
            .ok_or_else(|| PeopleError::Wrong("the password cannot be hashed".into()))?;
        self.set_hash(id, hash, start_code, now_ms, rng)
    }

    /// From now on the account logs in with nothing.
    pub(super) fn forget_password(
        &mut self,
        id: &[u8; 16],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        self.set_hash(id, String::new(), false, now_ms, rng)
    }

    fn set_hash(
        &mut self,
        id: &[u8; 16],
        hash: String,
        start_code: bool,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let expires_ms = if start_code { now_ms.saturating_add(START_CODE_MS) } else { 0 };
        let password = LocalPassword { account: id.to_vec(), hash, start_code, expires_ms };
        Ok(self.write(vec![Event::Password(password)], now_ms, rng)?)
    }

    /// Begins a login: counts the guess before it is looked at.
    pub fn begin_login(
        &mut self,
        name: &str,
        from: Address,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<LoginStep, PeopleError> {
        // Longer ones are nobody's, and are not kept either.
        let name = if name.len() > NAME_MAX { "" } else { name };
        let wrong = match self.guesses.begin(name, from, now_ms) {
            Ok(wrong) => wrong,
            Err(until) => return Ok(LoginStep::Wait(until)),
        };
        let account = self.state.named(name).filter(|(_, account)| account.active);
        let whose = account.map(|(id, _)| self.keys.pseudonym(id)).unwrap_or_default();
        let password = account.and_then(|(_, account)| account.password.clone());
        let told = [(wrong.at_account, GUESSES_TOLD), (wrong.from_address, GUESSES_FROM_ONE_TOLD)];
        if let Some((count, _)) = told.iter().find(|(count, each)| count.is_multiple_of(*each)) {
            self.write(vec![alert("guessing", &whose, (*count).into())], now_ms, rng)?;
        }
        let good = password.filter(|p| p.expires_ms == 0 || now_ms < p.expires_ms);
        Ok(match good {
            Some(password) => {
                LoginStep::Check { hash: password.hash, start_code: password.start_code }
            }
            // As long as for an account that is there.
            None => LoginStep::Check { hash: NOBODY.into(), start_code: false },
        })
    }

    /// Ends a login that was right: a token for the working day, and the new password's hash.
    pub fn end_login(
        &mut self,
        name: &str,
        from: Address,
        checked: &str,
        new_hash: Option<String>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Credential, PeopleError> {
        let (id, account) = self.account(name)?;
        // It may have changed while the guess was looked at.
        if !account.active || account.password.as_ref().is_none_or(|p| p.hash != checked) {
            return Err(PeopleError::Unknown(format!("account {name:?}")));
        }
        self.guesses.good(name, from, now_ms);
        if let Some(hash) = new_hash {
            self.set_hash(&id, hash, false, now_ms, rng)?;
        }
        let scopes = Scope::ALL.iter().copied().collect();
        let expires_ms = now_ms.saturating_add(LOGIN_MS);
        let by = self.keys.pseudonym(&id);
        self.issue(&by, &id, "login", &scopes, None, expires_ms, now_ms, rng)
    }

    /// Issues a token.
    #[allow(clippy::too_many_arguments, reason = "what a token is, and the node's clock and dice")]
    pub fn issue(
        &mut self,
        by: &str,
        account: &[u8; 16],
        label: &str,
        scopes: &BTreeSet<Scope>,
        cases: Option<&BTreeSet<ReferralId>>,
        expires_ms: u64,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Credential, PeopleError> {
        let owner = self.state.accounts.get(account).filter(|account| account.active);
        let owner = owner.ok_or_else(|| PeopleError::Unknown("such active account".into()))?;
        let held = self.tokens(now_ms).filter(|(_, token)| token.account == *account).count();
        if held >= TOKENS_MAX {
            return Err(PeopleError::Wrong(format!(
                "the account has {TOKENS_MAX} tokens already: revoke one that is not used"
            )));
        }
        if label.len() > 100 {
            return Err(PeopleError::Wrong("a label has at most 100 bytes".into()));
        }
        let opens_cases = owner.roles.open_cases();
        let (text, mut id) = (gate::draw(rng), [0; 8]);
        rng.fill_bytes(&mut id);
        let whose = self.keys.pseudonym(account);
        let mut events = vec![
            Event::Token(LocalToken {
                token: id.to_vec(),
                account: account.to_vec(),
                hash: gate::hash(&text).to_vec(),
                label: label.into(),
            }),
            Event::Grant(LocalGrant {
                token: id.to_vec(),
                pseudonym: whose.clone(),
                scopes: scopes.iter().map(|scope| scope.name().into()).collect(),
                cases: cases.into_iter().flatten().map(ToString::to_string).collect(),
                expires_ms,
                revoked: false,
                by: by.into(),
            }),
        ];
        if opens_cases && !by.is_empty() && by != whose {
            events.push(alert("token_for_other", &whose, 1));
        }
        self.write(events, now_ms, rng)?;
        self.let_in();
        Ok(Credential { text, id })
    }

    /// The token with that number.
    pub fn token(&self, id: &[u8; 8]) -> Option<&Token> {
        self.state.tokens.get(id)
    }

    /// Takes a token back; from now on it admits nobody.
    pub fn revoke(
        &mut self,
        by: &str,
        id: &[u8; 8],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Token, PeopleError> {
        let token = self.token(id).cloned();
        let token = token.ok_or_else(|| PeopleError::Unknown("such token".into()))?;
        let grant = LocalGrant {
            token: id.to_vec(),
            pseudonym: self.keys.pseudonym(&token.account),
            revoked: true,
            by: by.into(),
            ..LocalGrant::default()
        };
        self.write(vec![Event::Grant(grant)], now_ms, rng)?;
        self.let_in();
        Ok(token)
    }

    /// Tells the gate who is let in.
    pub(super) fn let_in(&mut self) {
        let active = self.state.accounts.iter().filter(|(_, account)| account.active);
        self.here = active.map(|(id, _)| (self.keys.pseudonym(id), *id)).collect();
        let pass = |(id, token): (&[u8; 8], &Token)| {
            let account = self.state.accounts.get(&token.account).filter(|a| a.active)?;
            let actor = Actor::person(
                token.account,
                self.keys.pseudonym(&token.account),
                account.roles.clone(),
                token.scopes.clone(),
                token.cases.clone(),
            );
            Some((token.hash, Pass { actor, token: *id, expires_ms: token.expires_ms }))
        };
        let passes: BTreeMap<_, _> = self.state.tokens.iter().filter_map(pass).collect();
        self.gate.set(passes);
    }

    /// Raises an alert that comes of no read.
    pub fn raise(
        &mut self,
        what: &str,
        whose: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        self.write(vec![alert(what, whose, 1)], now_ms, rng)
    }
}

/// The hash of a password that nobody has: to answer as slowly where there is no account.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2Q$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn alert(what: &str, whose: &str, count: u64) -> Event {
    Event::Alert(LocalAlert {
        what: what.into(),
        pseudonym: whose.into(),
        referral: Vec::new(),
        count,
    })
}
