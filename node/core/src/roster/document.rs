//! What a roster says, apart from who signed it: the document, its one text, and its rules.
//!
//! Invariant: a [`Document`] that was read is in its canonical form and keeps every rule that can
//! be checked on it alone. The rules of succession and the signatures are checked by `Roster`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::{DataProtection, Desk, Member, Relaying, RosterError, Status};
use crate::{
    keys::{KeyKind, NoteKey},
    limits::{ENDPOINTS_MAX, LIST_MAX, MEMBERS_MAX, NAME_CHARS_MAX},
    society::{Origin, Society, check_federation},
};

/// The first line of a roster's text.
pub const ROSTER_LINE: &str = "tutti-roster/v1";

/// The longest time to answer that a federation may set, hours: a year.
const HOURS_MAX: u32 = 8_760;
/// The longest time that contents may be kept, days: a hundred years.
const RETENTION_DAYS_MAX: u32 = 36_525;
/// The most that a relay may be asked to keep of one member, MiB: 64 GiB.
const RELAY_MEMBER_MIB_MAX: u32 = 65_536;
/// The most that it may be asked to keep in all, MiB: 16 TiB.
const RELAY_TOTAL_MIB_MAX: u32 = 16_777_216;
/// The longest that it may be asked to keep anything, days.
const RELAY_KEEP_DAYS_MAX: u32 = 365;

/// What a roster says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The federation's name.
    pub federation: String,
    /// From 1.
    pub version: u64,
    /// SHA-256 of the text of the version before; none for version 1.
    #[serde(with = "hex_hash")]
    pub previous: Option<[u8; 32]>,
    /// How many root keys of active members a change needs.
    pub threshold: u32,
    /// YYYY-MM-DD.
    pub expires_on: String,
    /// Deadlines and retention.
    pub data_protection: DataProtection,
    /// What relays keep for others.
    pub relaying: Relaying,
    /// By code, each once; whoever leaves stays as removed.
    pub members: Vec<Member>,
    /// Working groups, by name, each once; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// A working group: some members to whom information is addressed by one name. It gives nobody any
/// right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// `labour-migration-steering-group`
    pub name: String,
    /// Who is in it, by code, each once; of whatever status.
    pub members: Vec<Society>,
}

/// Whether that can be the name of a group: 1 to 64 small letters, digits and hyphens, a letter or
/// digit at both ends.
pub fn is_group_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl Document {
    /// The text that is hashed and signed.
    pub fn to_text(&self) -> Result<String, RosterError> {
        text_of(ROSTER_LINE, self)
    }

    /// Reads a text and checks every rule that one version alone must keep.
    pub(super) fn parse(text: &[u8]) -> Result<Self, RosterError> {
        let document: Self = parse_text(ROSTER_LINE, text)?;
        document.check()?;
        Ok(document)
    }

    /// Members in good standing.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.status == Status::Active)
    }

    pub(super) fn check(&self) -> Result<(), RosterError> {
        check_federation(&self.federation)
            .map_err(|error| RosterError::field("federation", error))?;
        if self.version == 0 || self.version > u64::from(u32::MAX) {
            return Err(RosterError::field("version", "not between 1 and 4294967295"));
        }
        if self.previous.is_some() != (self.version > 1) {
            return Err(RosterError::Previous);
        }
        if day_of(&self.expires_on).is_none() {
            return Err(RosterError::field("expires_on", "not a date such as 2028-12-31"));
        }
        self.data_protection.check()?;
        self.relaying.check()?;
        if self.members.is_empty() || self.members.len() > MEMBERS_MAX {
            return Err(RosterError::field("members", format!("not 1 to {MEMBERS_MAX} of them")));
        }
        for (one, next) in self.members.iter().zip(self.members.iter().skip(1)) {
            if one.society >= next.society {
                return Err(RosterError::Order(next.society));
            }
        }
        for member in &self.members {
            member.check(&self.federation)?;
        }
        self.check_groups()?;
        self.keys()?;
        let active = self.active().count();
        if self.threshold == 0 || self.threshold as usize > active {
            return Err(RosterError::Threshold { threshold: self.threshold, active });
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), RosterError> {
        let wrong = |problem: String| Err(RosterError::field("groups", problem));
        if self.groups.len() > LIST_MAX {
            return wrong(format!("more than {LIST_MAX} of them"));
        }
        if !self.groups.is_sorted_by(|one, next| one.name < next.name) {
            return wrong("not in the order of their names, each once".into());
        }
        for group in &self.groups {
            let name = &group.name;
            if !is_group_name(name) {
                return wrong("a name is not of small letters, digits and hyphens".into());
            }
            let known = |society: &Society| self.members.iter().any(|m| m.society == *society);
            if group.members.is_empty()
                || group.members.len() > LIST_MAX
                || !group.members.is_sorted_by(|one, next| one < next)
                || !group.members.iter().all(known)
            {
                return wrong(format!(
                    "{name}: not 1 to {LIST_MAX} members of the federation by code, each once"
                ));
            }
        }
        Ok(())
    }

    /// Every key with its one use; two uses of one key are refused.
    pub(super) fn keys(&self) -> Result<BTreeMap<Vec<u8>, String>, RosterError> {
        check_uses(&self.members)
    }
}

/// Every key of `members` with its one use; two uses of one key are refused.
pub(super) fn check_uses(members: &[Member]) -> Result<BTreeMap<Vec<u8>, String>, RosterError> {
    let mut uses = BTreeMap::new();
    for member in members {
        for (key, what) in member.key_parts() {
            let second = format!("{} {what}", member.society);
            if let Some(first) = uses.insert(key.to_vec(), second.clone()) {
                return Err(RosterError::KeyReused { first, second });
            }
        }
    }
    Ok(uses)
}

impl DataProtection {
    fn check(&self) -> Result<(), RosterError> {
        let sound = |hours: [u32; 3]| {
            hours.iter().all(|hours| (1..=HOURS_MAX).contains(hours)) && hours.is_sorted()
        };
        let (answer, acknowledge) = (self.hours_to_answer(), self.hours_to_acknowledge());
        if !sound(answer) {
            return Err(RosterError::field(
                "data_protection",
                format!("hours are not 1 to {HOURS_MAX}, the more urgent the fewer"),
            ));
        }
        let longer =
            acknowledge.iter().zip(answer).any(|(acknowledge, answer)| *acknowledge > answer);
        if !sound(acknowledge) || longer {
            return Err(RosterError::field(
                "data_protection.acknowledge_hours",
                "hours are not from 1 to those to answer, the more urgent the fewer",
            ));
        }
        if !(1..=RETENTION_DAYS_MAX).contains(&self.retention_days) {
            return Err(RosterError::field(
                "data_protection.retention_days",
                format!("not 1 to {RETENTION_DAYS_MAX}"),
            ));
        }
        Ok(())
    }
}

impl Relaying {
    fn check(&self) -> Result<(), RosterError> {
        let Self { member_mib, total_mib, keep_days } = *self;
        let sound = (1..=RELAY_MEMBER_MIB_MAX).contains(&member_mib)
            && (member_mib..=RELAY_TOTAL_MIB_MAX).contains(&total_mib)
            && (1..=RELAY_KEEP_DAYS_MAX).contains(&keep_days);
        if sound { Ok(()) } else { Err(RosterError::field("relaying", "out of its bounds")) }
    }
}

impl Member {
    /// Checks all of a member that can be checked without the others.
    pub(super) fn check(&self, federation: &str) -> Result<(), RosterError> {
        let at = |field: &str| format!("{}: {field}", self.society);
        if let Err(problem) = check_name(&self.name) {
            return Err(RosterError::field(at("name"), problem));
        }
        let distinct: BTreeSet<&String> = self.endpoints.iter().collect();
        if self.endpoints.len() > ENDPOINTS_MAX || distinct.len() != self.endpoints.len() {
            return Err(RosterError::field(
                at("endpoints"),
                format!("more than {ENDPOINTS_MAX}, or one named twice"),
            ));
        }
        if let Some(wrong) = self.endpoints.iter().find(|endpoint| !is_endpoint(endpoint)) {
            return Err(RosterError::field(at("endpoints"), format!("{wrong:?} is not host:port")));
        }
        let key = |field: &str, key: &NoteKey, kind, named: bool| {
            if key.kind() != kind {
                Err(RosterError::field(at(field), "is of another kind"))
            } else if named {
                Ok(())
            } else {
                Err(RosterError::field(at(field), format!("is named {}", key.name())))
            }
        };
        let name = |used: &str| format!("{federation}/{}/{used}", self.society);
        let root = self.root_key.name() == name("root");
        key("root_key", &self.root_key, KeyKind::Signature, root)?;
        let log = self
            .origin()
            .is_some_and(|o| o.society() == self.society && o.federation() == federation);
        key("log_key", &self.log_key, KeyKind::Signature, log)?;
        let witness = self.witness_key.name() == name("witness");
        key("witness_key", &self.witness_key, KeyKind::Cosignature, witness)?;
        match self.desk.as_ref().map(Desk::check) {
            Some(Err(wrong)) => {
                Err(RosterError::field(at(&format!("desk.{}", wrong.field)), wrong.problem))
            }
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The log that it writes now: the name of its log key.
    pub fn origin(&self) -> Option<Origin> {
        self.log_key.name().parse().ok()
    }

    /// Every key, a hybrid one by its halves, and what it is used for.
    fn key_parts(&self) -> [(&[u8], &'static str); 9] {
        let (case_kem, case_dh) = halves(self.case_key.as_bytes());
        let (audit_kem, audit_dh) = halves(self.audit_key.as_bytes());
        [
            (self.root_key.as_bytes(), "root_key"),
            (self.log_key.as_bytes(), "log_key"),
            (self.witness_key.as_bytes(), "witness_key"),
            (self.tls_key.as_ed25519(), "tls_key"),
            (case_kem, "case_key"),
            (case_dh, "case_key"),
            (audit_kem, "audit_key"),
            (audit_dh, "audit_key"),
            (self.routing_key.as_bytes(), "routing_key"),
        ]
    }
}

/// X-Wing: an ML-KEM-768 key, then an X25519 key of 32 bytes.
fn halves(key: &[u8; 1216]) -> (&[u8], &[u8]) {
    key.split_last_chunk::<32>().map_or((key, &[]), |(kem, dh)| (kem, dh.as_slice()))
}

/// A name for people: a line that is not empty.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() { Err("is empty".into()) } else { check_line(name) }
}

/// A line for people, or none: no control characters, none that turns the direction of a line.
pub(super) fn check_line(line: &str) -> Result<(), String> {
    let turns = |c: char| {
        matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if line.chars().count() > NAME_CHARS_MAX || line.trim() != line {
        Err(format!("is longer than {NAME_CHARS_MAX} characters, or has space around it"))
    } else if line.chars().any(|c| c.is_control() || turns(c)) {
        Err("holds control or direction characters".into())
    } else {
        Ok(())
    }
}

/// `host:port`: a host name in lower case, an IPv4 address, or an IPv6 address in brackets, and a
/// port from 1 without leading zeros.
fn is_endpoint(endpoint: &str) -> bool {
    let Some((host, port)) = endpoint.rsplit_once(':') else { return false };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<core::net::Ipv6Addr>().is_ok_and(|ip| ip.to_string() == v6),
        None if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            host.parse::<core::net::Ipv4Addr>().is_ok()
        }
        None => host.len() <= 253 && host.split('.').all(label),
    };
    is_host && port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port)
}

/// Days from 1970-01-01 to a date of the form YYYY-MM-DD in the years 1970 to 9999; `None` where
/// there is no such day.
pub(super) fn day_of(date: &str) -> Option<u64> {
    let digits = |range: std::ops::Range<usize>| -> Option<u64> {
        let text = date.get(range)?;
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let dashed = date.len() == 10 && date.get(4..5) == Some("-") && date.get(7..8) == Some("-");
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = lengths.get(..usize::try_from(month.checked_sub(1)?).ok()?)?;
    let length = lengths.get(before.len())?;
    if !dashed || year < 1970 || !(1..=*length).contains(&day) {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    Some(years + before.iter().sum::<u64>() + day - 1)
}

/// First line, then the document as serde_json writes it for people, and a newline.
pub(super) fn text_of(line: &str, document: &impl Serialize) -> Result<String, RosterError> {
    let json = serde_json::to_string_pretty(document)
        .map_err(|error| RosterError::Document(error.to_string()))?;
    Ok(format!("{line}\n{json}\n"))
}

/// The reverse, with the round-trip gate.
pub(super) fn parse_text<T: Serialize + DeserializeOwned>(
    line: &'static str,
    text: &[u8],
) -> Result<T, RosterError> {
    let text = std::str::from_utf8(text).map_err(|_| RosterError::Note)?;
    let json = text
        .strip_prefix(line)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or(RosterError::Kind(line))?;
    let document: T =
        serde_json::from_str(json).map_err(|error| RosterError::Document(error.to_string()))?;
    if text_of(line, &document)? != text {
        return Err(RosterError::NotCanonical);
    }
    Ok(document)
}

/// SHA-256 of a note's text.
pub(super) fn hash_of(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// A hash in JSON: 64 hex digits in lower case, or null.
mod hex_hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        hash: &Option<[u8; 32]>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => s.serialize_some(&hex::encode(hash)),
            None => s.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        let Some(text) = <Option<String>>::deserialize(d)? else { return Ok(None) };
        let mut hash = [0; 32];
        hex::decode_to_slice(&text, &mut hash)
            .map_err(|_| D::Error::custom("hash is not 64 hex digits"))?;
        Ok(Some(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real() {
        assert_eq!(day_of("1970-01-01"), Some(0));
        assert_eq!(day_of("2000-03-01"), Some(11_017));
        assert_eq!(day_of("2024-02-29"), Some(19_782));
        assert_eq!(day_of("9999-12-31"), Some(2_932_896));
        for bad in [
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-1-1",
            "2024/01/01",
            "2024-04-31",
            "1969-12-31",
            "",
            "2024-01-1x",
            "20240101",
            "+024-01-01",
            "٢٠٢٤-01-01",
        ] {
            assert_eq!(day_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn endpoints_are_host_and_port() {
        for good in [
            "127.0.0.1:7400",
            "localhost:1",
            "tutti.redcross.sg:65535",
            "[::1]:7400",
            "[2001:db8::1]:443",
            "10.example.org:80",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in [
            "",
            ":1",
            "host",
            "host:",
            "host:0",
            "host:01",
            "host:65536",
            "Host:1",
            "a b:1",
            "1.2.3:1",
            "1.2.3.400:1",
            "::1:1",
            "[::1]",
            "[::0001]:1",
            "-a:1",
            "a..b:1",
            "a_b:1",
            "https://a:1",
            "a:1/",
            "host:+1",
        ] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
