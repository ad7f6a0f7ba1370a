//! The first account, and the way back in when nobody can log in any more: both need the keys, and
//! that no node runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Role, Roles, Scope},
    society::Origin,
};

use super::{Local, PeopleError};
use crate::{disk, store::DiskError};

/// Where the token of the first account lies in the node's directory: the command line uses it
/// where no other is given.
pub const OPERATOR_TOKEN: &str = "tokens/operator";

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The data.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The account.
    #[error(transparent)]
    People(#[from] PeopleError),
}

/// Makes the first account of a new node, with all that a society's only person needs, and its
/// token.
pub fn found(
    dir: &Path,
    secret: &[u8; 32],
    own: &Origin,
    name: &str,
    now_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<(), ResetError> {
    let (mut local, _) = Local::open(dir, secret, own)?;
    let id = local.add_account("", name, &Roles::of_one_person(), now_ms, rng)?;
    operator(&mut local, dir, &id, now_ms, rng)
}

/// Makes `name` an administrator again, or a new one, whose token is written into the directory
/// anew; all tokens and the password that it had are no more. The focal point is told.
pub fn reset(
    dir: &Path,
    secret: &[u8; 32],
    own: &Origin,
    name: &str,
    now_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<String>, ResetError> {
    let _lock = crate::store::lock(dir)?;
    let (mut local, notices) = Local::open(dir, secret, own)?;
    let known = local.account(name).map(|(_, account)| account.roles.clone()).ok();
    let id = match known {
        None => {
            let first = local.accounts().next().is_none();
            let administrator = [Role::Administrator].into_iter().collect();
            let roles = if first { Roles::of_one_person() } else { administrator };
            local.add_account("", name, &roles, now_ms, rng)?
        }
        Some(roles) => {
            let roles: Roles = roles.iter().chain([Role::Administrator]).collect();
            local.set_roles("", name, Some(&roles), Some(true), now_ms, rng)?;
            let (id, _) = local.account(name)?;
            local.forget_password(&id, now_ms, rng)?;
            let tokens = local.tokens(0).filter(|(_, token)| token.account == id);
            for token in tokens.map(|(id, _)| *id).collect::<Vec<_>>() {
                local.revoke("", &token, now_ms, rng)?;
            }
            id
        }
    };
    let whose = local.pseudonym(&id);
    local.raise("reset", &whose, now_ms, rng).map_err(PeopleError::from)?;
    operator(&mut local, dir, &id, now_ms, rng)?;
    Ok(notices)
}

/// Issues a token without end and writes it where the command line finds it.
fn operator(
    local: &mut Local,
    dir: &Path,
    id: &[u8; 16],
    now_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<(), ResetError> {
    let scopes = Scope::ALL.iter().copied().collect();
    let token = local.issue("", id, "on this machine", &scopes, None, 0, now_ms, rng)?;
    let path: PathBuf = dir.join(OPERATOR_TOKEN);
    let io = |error| DiskError::io(&path, error);
    let folder = dir.join("tokens");
    disk::make_dir(&folder).map_err(io)?;
    if path.exists() {
        fs::remove_file(&path).map_err(io)?;
    }
    disk::replace(&path, format!("{}\n", *token.text).as_bytes()).map_err(io)?;
    Ok(())
}
