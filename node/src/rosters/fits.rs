//! Whether a roster names this node as it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tutti_core::{
    roster::{Card, Member, Roster, Status},
    society::Society,
};

use super::RostersError;
use crate::{config::Config, keyring::Keyring};

/// The node's membership card.
fn card(path: PathBuf) -> Result<Card, RostersError> {
    let bytes = fs::read(&path).map_err(|source| RostersError::Io { path, source })?;
    Card::open(&bytes)
        .map_err(|error| RostersError::Unfit(format!("card.note is refused: {error}")))
}

/// Against the node's membership card, which is public: no passphrase is needed.
pub(super) fn check(dir: &Path, roster: &Roster) -> Result<(), RostersError> {
    let card = card(dir.join("card.note"))?;
    if roster.federation() != card.federation {
        return Err(RostersError::Unfit(format!(
            "it is of {}, and this node was made for {}",
            roster.federation(),
            card.federation
        )));
    }
    let listed = listed(roster, card.member.society)?;
    let own = Keys::of_member(&card.member);
    let differing = differing(&Keys::of_member(listed), &own);
    if differing.is_empty() {
        return Ok(());
    }
    Err(RostersError::WrongKeys { keys: differing.join(", "), place: "the node's card".into() })
}

/// Whether the roster lists a society with the keys of this card.
pub(super) fn names(roster: &Roster, card: &Card) -> bool {
    let member = roster.member(card.member.society);
    member.is_some_and(|member| {
        differing(&Keys::of_member(member), &Keys::of_member(&card.member)).is_empty()
            && member.root_key == card.member.root_key
    })
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
    let listed = Keys::of_member(member);
    let differing = differing(&listed, &keys);
    let (signs, own) = (keyring.log.public().name(), config.origin.as_str());
    if differing.is_empty() && signs == own {
        return Ok(());
    }
    if differing.is_empty() {
        return Err(RostersError::Unfit(format!(
            "keys/log.key signs the log {signs}, and tutti.toml says {own}"
        )));
    }
    // A key that this node was made with, and that its card shows, was the right one.
    let card = card(config.card()).ok().map(|card| Keys::of_member(&card.member));
    if card.is_some_and(|card| self::differing(&card, &listed).is_empty()) {
        let file = |name: &&str| config.keys().join(format!("{name}.key")).display().to_string();
        let files = differing.iter().map(file).collect::<Vec<_>>().join(", ");
        return Err(RostersError::DamagedKeys { files });
    }
    Err(RostersError::WrongKeys { keys: differing.join(", "), place: "keys/".into() })
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

/// The uses for which they are not the same.
fn differing(listed: &Keys, own: &Keys) -> Vec<&'static str> {
    [
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
    .collect()
}
