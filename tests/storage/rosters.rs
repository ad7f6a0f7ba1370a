//! Rosters that are installed: the first, and the next one, which names new keys of this society.

use std::{fs, path::Path};

use rand_core::OsRng;
use tutti_core::{
    keys::NoteSecret,
    roster::{Card, DataProtection, Draft, Member, Role, Roster, Status},
    society::Society,
};
use tutti_node::{
    config::{Config, NewNode},
    keyring::{Keyring, root_key},
    rosters::{self, NEXT_CARD, RostersError, next_keys},
};

use super::{Problem, Script, must, said};

/// See the module.
pub(super) struct Rosters;

const FEDERATION: &str = "m.example.org";

/// The keys that the second roster names anew.
const RENEWED: [&str; 2] = ["tls", "witness"];

fn member(config: &Config, keyring: &Keyring, root: &NoteSecret) -> Result<Member, Problem> {
    Ok(Member {
        society: config.society,
        name: config.name.clone(),
        endpoints: Vec::new(),
        role: Role::Member,
        status: Status::Active,
        root_key: root.public().clone(),
        log_key: keyring.log.public().clone(),
        witness_key: keyring.witness.public().clone(),
        tls_key: keyring.tls.spki().map_err(said)?,
        case_key: keyring.case.recipient(),
        audit_key: keyring.audit.recipient(),
        routing_key: keyring.routing.public(),
        desk: None,
    })
}

/// A node's directory as `tutti init` makes it.
fn create(dir: &Path, code: &str) -> Result<(Config, NoteSecret, Card), Problem> {
    let society: Society = code.parse().map_err(|_| "a society's code")?;
    let node = NewNode {
        society,
        name: format!("Society of {code}"),
        federation: FEDERATION.into(),
        listen: None,
        endpoints: Vec::new(),
        api_listen: None,
        metrics_listen: None,
        desk: None,
    };
    let config = Config::create(dir, &node).map_err(said)?;
    Keyring::create(&config.keys(), &config.origin, None, &mut OsRng).map_err(said)?;
    let keyring = Keyring::open(&config.keys(), None).map_err(said)?;
    let root = root_key(&config.keys().join("root.key"), None).map_err(said)?;
    let card = Card::sign(FEDERATION, member(&config, &keyring, &root)?, &root).map_err(said)?;
    fs::write(config.card(), &card).map_err(said)?;
    let card = Card::open(&card).map_err(said)?;
    Ok((config, root, card))
}

/// Beside the node's directory: what came from the other founders.
fn arrived(dir: &Path, version: usize) -> Result<Vec<u8>, Problem> {
    fs::read(dir.join(format!("arrived-{version}"))).map_err(said)
}

fn installed(dir: &Path) -> Result<usize, Problem> {
    let held = rosters::load(dir).map_err(said)?;
    for (at, bytes) in held.iter().enumerate() {
        must(*bytes == arrived(dir, at + 1)?, || format!("roster {} is another", at + 1))?;
    }
    Ok(held.len())
}

/// The node's keys and card are those that its newest roster names, and the old ones are kept.
fn keys_are_renewed(dir: &Path) -> Result<(), Problem> {
    let keys = dir.join("keys");
    let keyring = Keyring::open(&keys, None).map_err(said)?;
    let roster = rosters::current(dir).map_err(said)?;
    let card = Card::open(&fs::read(dir.join("card.note")).map_err(said)?).map_err(said)?;
    let member = roster.member(card.member.society).ok_or("it lists this society")?;
    let tls = keyring.tls.spki().map_err(said)?;
    let fits = member.tls_key == tls && member.witness_key == *keyring.witness.public();
    must(fits, || "the keys are not those of the newest roster".into())?;
    must(card.member.tls_key == tls, || "the card names other keys".into())?;
    must(!dir.join(NEXT_CARD).exists(), || "a card waits still".into())?;
    for name in RENEWED {
        let old = keys.join(format!("old/2-{name}.key"));
        let was = fs::read(dir.join(format!("was-{name}.key"))).map_err(said)?;
        must(fs::read(&old).is_ok_and(|bytes| bytes == was), || {
            format!("the old {name} key is not kept")
        })?;
        must(!next_keys(dir).join(format!("{name}.key")).exists(), || {
            format!("a {name} key waits still")
        })?;
    }
    Ok(())
}

impl Script for Rosters {
    fn prepare(&self, dir: &Path) -> Result<(), Problem> {
        let (config, root, card) = create(dir, "ph")?;
        let (_, other_root, other) = create(&dir.join("other"), "sg")?;
        let protection = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 365,
            acknowledge_hours: None,
        };
        let mut first = Draft::found(&[card, other], 1, "2036-01-01", protection).map_err(said)?;
        for name in RENEWED {
            let key = config.keys().join(format!("{name}.key"));
            fs::copy(key, dir.join(format!("was-{name}.key"))).map_err(said)?;
            Keyring::draw(&next_keys(dir), name, &config.origin, None, &mut OsRng).map_err(said)?;
        }
        let keyring = Keyring::open_with(&config.keys(), &next_keys(dir), None).map_err(said)?;
        let renewed = member(&config, &keyring, &root)?;
        let card = Card::sign(FEDERATION, renewed.clone(), &root).map_err(said)?;
        fs::write(dir.join(NEXT_CARD), card).map_err(said)?;
        for root in [&root, &other_root] {
            first.sign(root).map_err(said)?;
        }
        let roster = Roster::open_first(&first.to_bytes()).map_err(said)?;
        let mut second = Draft::succeed(&roster, |document| {
            for member in &mut document.members {
                if member.society == renewed.society {
                    *member = renewed.clone();
                }
            }
        })
        .map_err(said)?;
        for root in [&root, &other_root] {
            second.sign(root).map_err(said)?;
        }
        for (version, draft) in [(1, &first), (2, &second)] {
            fs::write(dir.join(format!("arrived-{version}")), draft.to_bytes()).map_err(said)?;
        }
        Ok(())
    }

    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
        for version in 1..=2 {
            rosters::install(dir, &arrived(dir, version)?).map_err(said)?;
            done();
        }
        Ok(())
    }

    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem> {
        let held = installed(dir)?;
        must(held == acknowledged || held == (acknowledged + 1).min(2), || {
            format!("{acknowledged} rosters were installed, and {held} are there")
        })?;
        if acknowledged == 2 {
            keys_are_renewed(dir)?;
        }
        // Whoever was not told does it again; what is installed already changes nothing.
        for version in held.max(1)..=2 {
            rosters::install(dir, &arrived(dir, version)?).map_err(said)?;
        }
        must(installed(dir)? == 2, || "the rosters are not installed".into())?;
        keys_are_renewed(dir)?;
        // One that is lost afterwards is missed.
        fs::remove_file(dir.join("roster/2")).map_err(said)?;
        let lost = rosters::load(dir);
        must(matches!(lost, Err(RostersError::Lost { .. })), || {
            "a roster that is gone is not missed".into()
        })
    }
}
