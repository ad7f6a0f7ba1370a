//! Whether a roster names this node as it is.

use std::{fs, path::Path};

use tutti_core::{
    roster::{Card, Member, Roster, Status},
    society::Society,
};

use super::RostersError;
use crate::{config::Config, keyring::Keyring};

/// Against the node's membership card, which is public: no passphrase is needed.
pub(super) fn check(dir: &Path, roster: &Roster) -> Result<(), RostersError> {
    let path = dir.join("card.note");
    let bytes = fs::read(&path).map_err(|source| RostersError::Io { path, source })?;
    let card = Card::open(&bytes)
        .map_err(|error| RostersError::Unfit(format!("card.note is refused: {error}")))?;
    if roster.federation() != card.federation {
        return Err(RostersError::Unfit(format!(
            "it is of {}, and this node was made for {}",
            roster.federation(),
            card.federation
        )));
    }
    let listed = listed(roster, card.member.society)?;
    differing(listed, &Keys::of_member(&card.member), "the node's card")
}

/// Against the configuration and the keys that a starting node has.
pub(crate) fn check_keyring(
    config: &Config,
    keyring: &Keyring,
    roster: &Roster,
) -> Result<(), RostersError> {
    if roster.federation() != config.federation {
        return Err(RostersError::Unfit(format!(
            "it is of {}, and tutti.toml says {}",
            roster.federation(),
            config.federation
        )));
    }
    let member = listed(roster, config.society)?;
    if member.status == Status::Removed {
        return Err(RostersError::Unfit(format!("it has removed {}", config.society)));
    }
    let tls = keyring.tls.spki().map_err(|error| RostersError::Unfit(error.to_string()))?;
    let keys = Keys {
        log: keyring.log.public().to_string(),
        witness: keyring.witness.public().to_string(),
        tls: tls.to_string(),
        case: keyring.case.recipient().to_string(),
        audit: keyring.audit.recipient().to_string(),
        routing: keyring.routing.public().to_string(),
    };
    differing(member, &keys, "keys/")
}

fn listed(roster: &Roster, society: Society) -> Result<&Member, RostersError> {
    roster.member(society).ok_or_else(|| RostersError::Unfit(format!("it does not list {society}")))
}

/// Public keys as text, so that each use is compared alike.
struct Keys {
    log: String,
    witness: String,
    tls: String,
    case: String,
    audit: String,
    routing: String,
}

impl Keys {
    fn of_member(member: &Member) -> Self {
        Self {
            log: member.log_key.to_string(),
            witness: member.witness_key.to_string(),
            tls: member.tls_key.to_string(),
            case: member.case_key.to_string(),
            audit: member.audit_key.to_string(),
            routing: member.routing_key.to_string(),
        }
    }
}

fn differing(member: &Member, own: &Keys, place: &str) -> Result<(), RostersError> {
    let listed = Keys::of_member(member);
    let differ: Vec<&str> = [
        ("log", &listed.log, &own.log),
        ("witness", &listed.witness, &own.witness),
        ("tls", &listed.tls, &own.tls),
        ("case", &listed.case, &own.case),
        ("audit", &listed.audit, &own.audit),
        ("routing", &listed.routing, &own.routing),
    ]
    .into_iter()
    .filter(|(_, listed, own)| listed != own)
    .map(|(name, ..)| name)
    .collect();
    if differ.is_empty() {
        return Ok(());
    }
    Err(RostersError::WrongKeys { keys: differ.join(", "), place: place.into() })
}
