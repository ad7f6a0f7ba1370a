//! `tutti roster`: how a federation is founded, who is in it, and how that changes.

mod change;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tutti_core::{
    limits::NOTE_BYTES_MAX,
    roster::{self, AcknowledgeHours, DataProtection, Draft, Group, Member, RosterError},
};
use tutti_node::{keyring, rosters};

use crate::{
    card,
    failure::{Exit, Failure, Outcome},
    files, json, passphrase,
    screen::{Style, fields, paint, say, table},
    text,
};

/// Found a federation, sign its roster, install it.
///
/// The roster lists the members with their keys. Version 1 is signed by every founder. The way:
/// everybody runs `tutti init` and sends card.note to one of them; that one runs `roster found` and
/// sends the draft round; each runs `roster sign`; the finished file goes to all, and each runs
/// `roster install`. Later: `roster change` makes the draft of the next version, which a threshold of
/// the members signs.
#[derive(Subcommand)]
pub(crate) enum Roster {
    Found(Found),
    Change(Box<change::Change>),
    Sign(Sign),
    Show(Show),
    Install(Install),
}

/// Make the draft of a first roster out of the founders' membership cards.
#[derive(Args)]
pub(crate) struct Found {
    /// The founders' cards, each compared with its society by telephone.
    #[arg(required = true)]
    cards: Vec<PathBuf>,
    /// How many members must sign a later change.
    #[arg(long)]
    threshold: u32,
    /// The day after which everybody is warned that the roster is old; a year from now if not
    /// given. Service never stops for it.
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<jiff::civil::Date>,
    /// Hours to answer an emergency.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    emergency_hours: u32,
    /// Hours to answer an urgent referral.
    #[arg(long, value_name = "HOURS", default_value_t = 72)]
    urgent_hours: u32,
    /// Hours to answer a normal referral.
    #[arg(long, value_name = "HOURS", default_value_t = 14 * 24)]
    normal_hours: u32,
    /// Hours to acknowledge an emergency, an urgent and a normal referral, as 4,24,72; those to answer if
    /// not given.
    #[arg(long, value_name = "HOURS,HOURS,HOURS", value_parser = hours)]
    acknowledge_hours: Option<AcknowledgeHours>,
    /// Days that a case is kept where its sender set no other time.
    #[arg(long, value_name = "DAYS", default_value_t = 5 * 365)]
    retention_days: u32,
    /// A working group of members, to which information can be addressed; may be given again.
    #[arg(long = "group", value_name = "NAME=CODE,CODE", value_parser = group)]
    groups: Vec<Group>,
    /// Where the draft is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `4,24,72`
fn hours(text: &str) -> Result<AcknowledgeHours, String> {
    let parsed: Option<Vec<u32>> = text.split(',').map(|one| one.trim().parse().ok()).collect();
    match parsed.as_deref() {
        Some(&[emergency, urgent, normal]) => Ok(AcknowledgeHours { emergency, urgent, normal }),
        _ => {
            Err("write three numbers, for an emergency, an urgent and a normal one: 4,24,72".into())
        }
    }
}

/// `labour-migration-steering-group=ph,qa,sg`
fn group(text: &str) -> Result<Group, String> {
    let (name, members) =
        text.split_once('=').ok_or("write it as steering-group=ph,qa,sg".to_owned())?;
    let parsed: Result<Vec<_>, _> = members.split(',').map(|code| code.trim().parse()).collect();
    match parsed {
        Ok(members) => Ok(Group { name: name.trim().into(), members }),
        Err(error) => Err(format!("{error}")),
    }
}

/// Sign a draft with this society's root key, in place.
///
/// Look at it with `tutti roster show` first, and compare its fingerprint with the other founders.
/// The root key is keys/root.key in the node's directory, or wherever it is kept offline.
#[derive(Args)]
pub(crate) struct Sign {
    /// The draft.
    file: PathBuf,
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR", required_unless_present = "root_key")]
    dir: Option<PathBuf>,
    /// The root key, where it is kept elsewhere.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// A file whose first line is the key's passphrase.
    #[arg(long, env = "TUTTI_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Show who is in a roster and who has signed it.
#[derive(Args)]
pub(crate) struct Show {
    /// The draft or roster; if not given, the one that the node has installed.
    file: Option<PathBuf>,
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR", required_unless_present = "file")]
    dir: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Check a finished roster and give it to this society's node.
///
/// A node that runs takes it within seconds: whoever is no longer let in loses its streams at once. Where
/// the roster names new keys of this society (`tutti card renew --new-key`), they are put in their places,
/// and the node must be started anew.
#[derive(Args)]
pub(crate) struct Install {
    /// The roster, signed by all who must.
    file: PathBuf,
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    dir: PathBuf,
}

impl Roster {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Found(found) => found.run(),
            Self::Change(change) => change.run(),
            Self::Sign(sign) => sign.run(),
            Self::Show(show) => show.run(),
            Self::Install(install) => install.run(),
        }
    }
}

impl Found {
    fn run(self) -> Outcome {
        let cards =
            self.cards.iter().map(|file| card::open(file)).collect::<Result<Vec<_>, _>>()?;
        let mut societies = std::collections::BTreeSet::new();
        if let Some(twice) = cards.iter().find(|card| !societies.insert(card.member.society)) {
            let what = format!("two of the cards are of {}", twice.member.society);
            return Err(Failure::new(Exit::Usage, what)
                .kept("every file as it was")
                .todo("give one card a society, the one whose fingerprint you have compared"));
        }
        let today = jiff::Zoned::now().date();
        let expires = match self.expires {
            Some(day) if day <= today => {
                return Err(Failure::new(Exit::Usage, format!("--expires {day} is not to come"))
                    .kept("every file as it was"));
            }
            Some(day) => day,
            None => today.saturating_add(jiff::Span::new().years(1)),
        };
        let times = DataProtection {
            emergency_hours: self.emergency_hours,
            urgent_hours: self.urgent_hours,
            normal_hours: self.normal_hours,
            retention_days: self.retention_days,
            acknowledge_hours: self.acknowledge_hours,
        };
        let draft = Draft::found(&cards, self.threshold, &expires.to_string(), times)
            .and_then(|draft| draft.with_groups(self.groups))
            .map_err(|error| refused("no roster can be made of these cards", &error))?;
        files::write_new(&self.out, &draft.to_bytes())?;
        say(describe_draft(&draft));
        say(format!(
            "\nDraft written to {}. Each founder now runs: tutti roster sign {}",
            self.out.display(),
            text::shell(&self.out.display().to_string())
        ));
        Ok(Exit::Ok)
    }
}

impl Sign {
    fn run(self) -> Outcome {
        let mut draft = open(&self.file, self.dir.as_deref())?;
        let path = match (&self.root_key, &self.dir) {
            (Some(path), _) => path.clone(),
            (None, Some(dir)) => dir.join("keys").join("root.key"),
            (None, None) => return Err(Failure::new(Exit::Usage, "give --dir or --root-key")),
        };
        if self.root_key.is_none() && !path.exists() {
            return Err(Failure::new(Exit::Key, format!("{} is not there", path.display()))
                .kept("the draft as it was")
                .todo("name the root key where it is kept offline: --root-key FILE"));
        }
        let passphrase = passphrase::for_key(&path, self.passphrase_file.as_deref())?;
        let root = keyring::root_key(&path, passphrase.as_ref())
            .map_err(|error| Failure::new(Exit::Key, error.to_string()))?;
        let society =
            draft.sign(&root).map_err(|error| refused("the draft was not signed", &error))?;
        files::replace(&self.file, &draft.to_bytes())?;
        say(format!(
            "Signed by {society}: version {} of {}, fingerprint {}.",
            draft.document().version,
            draft.document().federation,
            draft.fingerprint()
        ));
        say(match draft.is_finished() {
            true => format!(
                "All have signed who must. Each society now runs: tutti roster install {} --dir DIR",
                text::shell(&self.file.display().to_string())
            ),
            false => standing(&draft),
        });
        Ok(Exit::Ok)
    }
}

impl Show {
    fn run(self) -> Outcome {
        let draft = match (&self.file, &self.dir) {
            (Some(file), dir) => open(file, dir.as_deref())?,
            (None, Some(dir)) => {
                let roster = installed(dir)?;
                Draft::open(roster.as_bytes())
                    .map_err(|error| refused("the installed roster is refused", &error))?
            }
            (None, None) => return Err(Failure::new(Exit::Usage, "give a file or --dir")),
        };
        match self.json {
            true => json::print(&json::Roster::from(&draft)),
            false => say(describe_draft(&draft)),
        }
        Ok(Exit::Ok)
    }
}

impl Install {
    fn run(self) -> Outcome {
        let bytes = files::read(&self.file, NOTE_BYTES_MAX)?;
        if let Ok(draft) = Draft::open(&bytes)
            && draft.document().version == 1
            && !draft.missing().is_empty()
        {
            let missing = list(&draft.missing());
            let what = format!(
                "the roster is still a draft, not signed yet by {missing}. Nothing was installed"
            );
            return Err(Failure::new(Exit::Refused, what)
                .todo("have them sign it (tutti roster sign), and install what comes of it"));
        }
        let roster = rosters::install(&self.dir, &bytes)
            .map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
        say(format!(
            "Installed version {} of {}, {} members. A node that runs takes it within seconds; else: \
             tutti serve --dir {}",
            roster.version(),
            roster.federation(),
            roster.members().len(),
            text::shell(&self.dir.display().to_string())
        ));
        Ok(Exit::Ok)
    }
}

/// The roster in force of the node in `dir`.
pub(crate) fn installed(dir: &Path) -> Result<roster::Roster, Failure> {
    rosters::current(dir).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))
}

/// A draft, read as the next version of the roster in `dir` where it is that.
fn open(file: &Path, dir: Option<&Path>) -> Result<Draft, Failure> {
    let bytes = files::read(file, NOTE_BYTES_MAX)?;
    let what = format!("{} is refused", file.display());
    let previous = dir.and_then(|dir| rosters::current(dir).ok());
    let alone = Draft::open(&bytes);
    match previous {
        // By the root key that a member had before, too.
        Some(previous) => Draft::open_after(&previous, &bytes).or(alone),
        None => alone,
    }
    .map_err(|error| refused(&what, &error))
}

fn refused(what: &str, error: &RosterError) -> Failure {
    Failure::new(Exit::Refused, format!("{what}: {error}")).kept("every file as it was")
}

fn list(societies: &[tutti_core::society::Society]) -> String {
    societies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn by_priority([emergency, urgent, normal]: [u32; 3]) -> String {
    format!("emergency {emergency} h, urgent {urgent} h, normal {normal} h")
}

fn describe_draft(draft: &Draft) -> String {
    let document = draft.document();
    let times = &document.data_protection;
    let head = fields([
        ("federation", document.federation.clone()),
        ("version", document.version.to_string()),
        ("fingerprint", draft.fingerprint()),
        ("threshold", format!("{} of {}", document.threshold, document.members.len())),
        ("expires on", document.expires_on.clone()),
        ("to acknowledge", by_priority(times.hours_to_acknowledge())),
        ("to answer", by_priority(times.hours_to_answer())),
        ("cases kept", format!("{} days", times.retention_days)),
        (
            "relays keep",
            format!(
                "{} MiB of each, {} MiB of all, for {} days",
                document.relaying.member_mib,
                document.relaying.total_mib,
                document.relaying.keep_days
            ),
        ),
    ]);
    let signed: Vec<_> = draft.signed().collect();
    let row = |member: &Member| {
        vec![
            member.society.to_string(),
            member.name.clone(),
            json::word(&member.role),
            json::word(&member.status),
            member.endpoints.join(", "),
            if signed.contains(&member.society) { "yes" } else { "no" }.to_owned(),
        ]
    };
    let members = table(
        &["society", "name", "role", "status", "reached at", "signed"],
        document.members.iter().map(row),
    );
    let groups = document.groups.iter().map(|group| {
        format!("\n\nWorking group {}: {}", text::line(&group.name), list(&group.members))
    });
    let members = members + &groups.collect::<String>();
    let mut text = format!("{head}\n\n{members}\n\n{}", desks(&document.members));
    if let Some(previous) = draft.previous() {
        let lines = change::changes(previous, document);
        let lines: String = lines.iter().map(|line| format!("\n  {}", text::line(line))).collect();
        text.push_str(&format!("\n\nwhat changes{lines}"));
    }
    if !draft.is_finished() {
        text.push_str(&format!("\n\n{}", paint(Style::Warn, standing(draft))));
    }
    text
}

/// How each member's referral desk is reached.
fn desks(members: &[Member]) -> String {
    let known = members.iter().filter_map(|member| Some((member.society, member.desk.as_ref()?)));
    let mut lines: Vec<String> = known
        .map(|(society, desk)| format!("Desk of {society}: {}", text::line(&desk.to_string())))
        .collect();
    let none = members.iter().filter(|member| member.desk.is_none());
    let none: Vec<_> = none.map(|member| member.society).collect();
    if !none.is_empty() {
        lines.push(format!("No desk is known of {}", list(&none)));
    }
    lines.join("\n")
}

/// Who has still to sign.
fn standing(draft: &Draft) -> String {
    if draft.document().version == 1 {
        return match draft.missing().as_slice() {
            [] => "All have signed.".to_owned(),
            missing => format!("Not signed yet by {}.", list(missing)),
        };
    }
    let counted: Vec<String> = draft
        .standing()
        .iter()
        .map(|s| format!("{} of the {} that version {} asks for", s.signed, s.needed, s.version))
        .collect();
    match draft.previous() {
        Some(_) => format!("Signed by {}.", counted.join(", and by ")),
        None => format!(
            "Signed by {}. How many of the version before must sign, and what changes, --dir of a \
             node with that one says.",
            counted.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_to_acknowledge_are_three_numbers() {
        let three = AcknowledgeHours { emergency: 4, urgent: 24, normal: 72 };
        assert_eq!(hours("4,24, 72"), Ok(three));
        for wrong in ["", "4", "4,24", "4,24,72,9", "4,x,72", "4,-1,72"] {
            assert!(hours(wrong).is_err_and(|error| error.contains("4,24,72")), "{wrong}");
        }
        let times = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 9,
            acknowledge_hours: Some(three),
        };
        let told = by_priority(times.hours_to_acknowledge());
        assert_eq!(told, "emergency 4 h, urgent 24 h, normal 72 h");
    }
}
