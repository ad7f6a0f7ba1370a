//! `tutti roster change`: the draft of the next version, out of the one that is installed.

use std::{collections::BTreeSet, fmt::Display, path::PathBuf, str::FromStr};

use clap::Args;
use tutti_core::{
    roster::{self, AcknowledgeHours, Card, Document, Draft, Group, Member, Role, Status},
    society::Society,
};

use super::{describe_draft, installed, refused};
use crate::{
    card,
    failure::{Exit, Failure, Outcome},
    files, json,
    screen::say,
    text,
};

/// Make the draft of the next roster: take in, suspend or remove a member, take over a new card.
///
/// Say all that changes at once: it becomes one version. The draft then goes round like the first
/// one: each looks at it (`tutti roster show FILE --dir DIR` says what changes), signs it (`tutti roster
/// sign`), and when as many have signed as both versions ask for, all install it (`tutti roster
/// install`); a node that runs takes it within seconds, and ends the streams of whoever is no longer let in.
#[derive(Args)]
pub(crate) struct Change {
    /// Take in the society whose card this is; its fingerprint was compared by telephone.
    #[arg(long, value_name = "CARD")]
    add: Vec<PathBuf>,
    /// Take over name, endpoints, desk and keys of a member from its new card. Compare its fingerprint.
    #[arg(long, value_name = "CARD")]
    update: Vec<PathBuf>,
    /// Let in no more for now, such as when its keys may be in wrong hands.
    #[arg(long, value_name = "SOCIETY")]
    suspend: Vec<Society>,
    /// Let in again.
    #[arg(long, value_name = "SOCIETY")]
    reinstate: Vec<Society>,
    /// Let in no more for good.
    #[arg(long, value_name = "SOCIETY")]
    remove: Vec<Society>,
    /// Give a member another role: member, observer or relay.
    #[arg(long, value_name = "SOCIETY=ROLE")]
    role: Vec<NewRole>,
    /// How many members must sign a later change.
    #[arg(long)]
    threshold: Option<u32>,
    /// The day after which everybody is warned that the roster is old; a year from now if not given.
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<jiff::civil::Date>,
    /// Hours to answer an emergency.
    #[arg(long, value_name = "HOURS")]
    emergency_hours: Option<u32>,
    /// Hours to answer an urgent referral.
    #[arg(long, value_name = "HOURS")]
    urgent_hours: Option<u32>,
    /// Hours to answer a normal referral.
    #[arg(long, value_name = "HOURS")]
    normal_hours: Option<u32>,
    /// Hours to acknowledge an emergency, an urgent and a normal referral, as 4,24,72. Societies whose
    /// program is older than this setting refuse a roster that has it.
    #[arg(long, value_name = "HOURS,HOURS,HOURS", value_parser = super::hours)]
    acknowledge_hours: Option<AcknowledgeHours>,
    /// Have as many hours to acknowledge as to answer again.
    #[arg(long, conflicts_with = "acknowledge_hours")]
    acknowledge_as_answer: bool,
    /// Days that a case is kept where its sender set no other time.
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
    /// MiB that a relay keeps of one member's bodies at one time.
    #[arg(long, value_name = "MIB")]
    relay_member_mib: Option<u32>,
    /// MiB that a relay keeps of all.
    #[arg(long, value_name = "MIB")]
    relay_total_mib: Option<u32>,
    /// Days that a relay keeps a body for which nobody comes.
    #[arg(long, value_name = "DAYS")]
    relay_keep_days: Option<u32>,
    /// A working group, anew or in place of the one of that name; may be given again.
    #[arg(long = "group", value_name = "NAME=CODE,CODE", value_parser = super::group)]
    groups: Vec<Group>,
    /// A working group that is no more.
    #[arg(long, value_name = "NAME")]
    drop_group: Vec<String>,
    /// The directory of a node on which the newest roster is installed.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    dir: PathBuf,
    /// Where the draft is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// A member and its new role.
#[derive(Debug, Clone)]
struct NewRole(Society, Role);

impl FromStr for NewRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (society, role) = text.split_once('=').ok_or("write it as SOCIETY=ROLE")?;
        let role = match role {
            "member" => Role::Member,
            "observer" => Role::Observer,
            "relay" => Role::Relay,
            other => return Err(format!("{other} is no role: member, observer or relay")),
        };
        Ok(Self(society.parse().map_err(|error| format!("{error}"))?, role))
    }
}

impl Change {
    pub(crate) fn run(self) -> Outcome {
        let previous = installed(&self.dir)?;
        let read = |files: &[PathBuf]| {
            files.iter().map(|file| card::open(file)).collect::<Result<Vec<_>, _>>()
        };
        let (added, updated) = (read(&self.add)?, read(&self.update)?);
        self.check(&previous, &added, &updated)?;
        let today = jiff::Zoned::now().date();
        let expires = match self.expires {
            Some(day) if day <= today => {
                return Err(wrong(format!("--expires {day} is not to come")));
            }
            Some(day) => day,
            None => today.saturating_add(jiff::Span::new().years(1)),
        };
        let draft = Draft::succeed(&previous, |next| {
            next.expires_on = expires.to_string();
            self.apply(next, &added, &updated);
        })
        .map_err(|error| refused("no roster can be made of this", &error))?;
        if changes(&previous, draft.document()).is_empty() && self.expires.is_none() {
            return Err(wrong("nothing would change").todo("say what: tutti roster change --help"));
        }
        files::write_new(&self.out, &draft.to_bytes())?;
        if self.json {
            json::print(&json::Roster::from(&draft));
            return Ok(Exit::Ok);
        }
        say(describe_draft(&draft));
        let file = text::shell(&self.out.display().to_string());
        say(format!(
            "\nDraft written to {}. Each who signs looks at it first (tutti roster show {file} --dir \
             DIR), compares the fingerprint with the others, and runs: tutti roster sign {file} --dir \
             DIR",
            self.out.display(),
        ));
        Ok(Exit::Ok)
    }

    /// What the core would refuse in words that do not name the option, or not at all.
    fn check(
        &self,
        previous: &roster::Roster,
        added: &[Card],
        updated: &[Card],
    ) -> Result<(), Failure> {
        let of_cards = |cards: &[Card]| cards.iter().map(|c| c.member.society).collect::<Vec<_>>();
        let (added, updated_ones) = (of_cards(added), of_cards(updated));
        if let Some(there) = added.iter().find(|society| previous.member(**society).is_some()) {
            return Err(wrong(format!("{there} is in the roster already")).todo(
                "take its new card over with --update, or let it in again with --reinstate",
            ));
        }
        let roles: Vec<Society> = self.role.iter().map(|NewRole(society, _)| *society).collect();
        let named = [&updated_ones, &self.suspend, &self.reinstate, &self.remove, &roles];
        let known =
            |society: &&Society| previous.member(**society).is_none() && !added.contains(*society);
        if let Some(stranger) = named.into_iter().flatten().find(known) {
            return Err(wrong(format!("{stranger} is not in the roster"))
                .todo("take it in with --add and its card"));
        }
        let there = |name: &&String| !previous.document().groups.iter().any(|g| g.name == **name);
        if let Some(none) = self.drop_group.iter().find(there) {
            return Err(wrong(format!("there is no working group {none}")));
        }
        let mut seen = BTreeSet::new();
        let fates = [&self.suspend, &self.reinstate, &self.remove];
        if let Some(twice) = fates.into_iter().flatten().find(|society| !seen.insert(**society)) {
            return Err(wrong(format!("{twice} can only be one of suspended, let in, removed")));
        }
        let federation = previous.federation();
        match updated.iter().find(|card| card.federation != federation) {
            Some(card) => Err(wrong(format!("a card is of {}, not {federation}", card.federation))),
            None => Ok(()),
        }
    }

    fn apply(&self, next: &mut Document, added: &[Card], updated: &[Card]) {
        next.members.extend(added.iter().map(|card| card.member.clone()));
        next.members.sort_by_key(|member| member.society);
        for member in &mut next.members {
            if let Some(card) = updated.iter().find(|card| card.member.society == member.society) {
                // What its role and standing are, it does not decide alone.
                let (role, status) = (member.role, member.status);
                *member = Member { role, status, ..card.member.clone() };
            }
            for (societies, status) in [
                (&self.suspend, Status::Suspended),
                (&self.reinstate, Status::Active),
                (&self.remove, Status::Removed),
            ] {
                if societies.contains(&member.society) {
                    member.status = status;
                }
            }
            if let Some(NewRole(_, role)) = self.role.iter().find(|r| r.0 == member.society) {
                member.role = *role;
            }
        }
        let named = |group: &Group| {
            self.drop_group.contains(&group.name)
                || self.groups.iter().any(|other| other.name == group.name)
        };
        next.groups.retain(|group| !named(group));
        next.groups.extend(self.groups.iter().cloned());
        next.groups.sort_by(|one, other| one.name.cmp(&other.name));
        for group in &mut next.groups {
            group.members.sort_unstable();
        }
        next.threshold = self.threshold.unwrap_or(next.threshold);
        let (times, relaying) = (&mut next.data_protection, &mut next.relaying);
        for (given, value) in [
            (self.emergency_hours, &mut times.emergency_hours),
            (self.urgent_hours, &mut times.urgent_hours),
            (self.normal_hours, &mut times.normal_hours),
            (self.retention_days, &mut times.retention_days),
            (self.relay_member_mib, &mut relaying.member_mib),
            (self.relay_total_mib, &mut relaying.total_mib),
            (self.relay_keep_days, &mut relaying.keep_days),
        ] {
            *value = given.unwrap_or(*value);
        }
        if self.acknowledge_as_answer {
            next.data_protection.acknowledge_hours = None;
        }
        if let Some(hours) = self.acknowledge_hours {
            next.data_protection.acknowledge_hours = Some(hours);
        }
    }
}

fn wrong(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what.into()).kept("every file as it was")
}

/// What the next version changes, line by line; the date apart.
pub(super) fn changes(previous: &roster::Roster, next: &Document) -> Vec<String> {
    let mut lines = Vec::new();
    for member in &next.members {
        let society = member.society;
        let Some(before) = previous.member(society) else {
            lines.push(format!(
                "{society}, {}, is taken in as {}",
                member.name,
                json::word(&member.role)
            ));
            continue;
        };
        let mut differs = |what: &str, from: &dyn Display, to: &dyn Display| {
            let (from, to) = (from.to_string(), to.to_string());
            if from != to {
                lines.push(format!("{society}: {what} {from} becomes {to}"));
            }
        };
        differs("status", &json::word(&before.status), &json::word(&member.status));
        differs("role", &json::word(&before.role), &json::word(&member.role));
        differs("name", &before.name, &member.name);
        let list = |member: &Member| match member.endpoints.as_slice() {
            [] => "nowhere".to_owned(),
            endpoints => endpoints.join(", "),
        };
        differs("reached at", &list(before), &list(member));
        let desk = |member: &Member| {
            member.desk.as_ref().map_or_else(|| "none".to_owned(), |desk| format!("“{desk}”"))
        };
        differs("desk", &desk(before), &desk(member));
        let keys = |member: &Member| {
            [
                ("root", member.root_key.to_string()),
                ("log", member.log_key.to_string()),
                ("witness", member.witness_key.to_string()),
                ("TLS", member.tls_key.to_string()),
                ("case", member.case_key.to_string()),
                ("audit", member.audit_key.to_string()),
                ("routing", member.routing_key.to_string()),
            ]
        };
        for ((name, old), (_, new)) in keys(before).into_iter().zip(keys(member)) {
            if old != new {
                lines.push(format!("{society}: another {name} key"));
            }
        }
    }
    let old = previous.document();
    let list = |group: &Group| {
        group.members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    for group in &next.groups {
        if !old.groups.contains(group) {
            lines.push(format!("working group {}: {}", group.name, list(group)));
        }
    }
    for gone in &old.groups {
        if !next.groups.iter().any(|group| group.name == gone.name) {
            lines.push(format!("working group {} is no more", gone.name));
        }
    }
    let mut differs = |what: &str, from: u32, to: u32| {
        if from != to {
            lines.push(format!("{what}: {from} becomes {to}"));
        }
    };
    differs("threshold", old.threshold, next.threshold);
    let (from, to) = (&old.data_protection, &next.data_protection);
    differs("hours to answer an emergency", from.emergency_hours, to.emergency_hours);
    differs("hours to answer an urgent referral", from.urgent_hours, to.urgent_hours);
    differs("hours to answer a normal referral", from.normal_hours, to.normal_hours);
    let whose = ["an emergency", "an urgent referral", "a normal referral"];
    let (before, after) = (from.hours_to_acknowledge(), to.hours_to_acknowledge());
    for ((what, from), to) in whose.iter().zip(before).zip(after) {
        differs(&format!("hours to acknowledge {what}"), from, to);
    }
    differs("days that a case is kept", from.retention_days, to.retention_days);
    let (from, to) = (&old.relaying, &next.relaying);
    differs("MiB that a relay keeps of a member", from.member_mib, to.member_mib);
    differs("MiB that a relay keeps of all", from.total_mib, to.total_mib);
    differs("days that a relay keeps a body", from.keep_days, to.keep_days);
    lines
}
