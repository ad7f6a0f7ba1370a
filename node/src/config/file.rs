//! The file's form, the overrides, and every check.

use std::{
    collections::BTreeMap, fs, net::SocketAddr, os::unix::fs::DirBuilderExt as _, path::Path,
    str::FromStr,
};

use serde::Deserialize;
use tutti_core::{
    roster::Desk,
    society::{Origin, Society, check_federation},
};

use super::{Config, ConfigError, FILE, LogFormat, NewNode};
use crate::{disk, local::DRAFT_KEEP_DAYS};

/// The keys that the environment may override.
pub(super) const KEYS: [&str; 9] = [
    "passphrase_file",
    "peers.listen",
    "peers.endpoints",
    "api.listen",
    "metrics.listen",
    "information.review",
    "drafts.keep_days",
    "log.format",
    "log.filter",
];

/// Variables with these beginnings are ours alone: an unknown one is a typing error.
const OWN_PREFIXES: [&str; 7] = [
    "TUTTI_PEERS_",
    "TUTTI_API_",
    "TUTTI_METRICS_",
    "TUTTI_INFORMATION_",
    "TUTTI_DRAFTS_",
    "TUTTI_DESK_",
    "TUTTI_LOG_",
];

/// The longest that a draft may be kept on which nobody works, days.
const DRAFT_KEEP_DAYS_MAX: u32 = 365;

pub(super) fn variable(key: &str) -> String {
    format!("TUTTI_{}", key.replace('.', "_").to_uppercase())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    society: String,
    name: String,
    federation: String,
    #[serde(default = "first_epoch")]
    epoch: u32,
    #[serde(default)]
    passphrase_file: String,
    #[serde(default)]
    peers: Peers,
    #[serde(default)]
    api: ApiSection,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    information: Information,
    #[serde(default)]
    drafts: Drafts,
    #[serde(default)]
    desk: DeskSection,
    #[serde(default)]
    log: Log,
}

fn first_epoch() -> u32 {
    1
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Peers {
    listen: String,
    endpoints: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ApiSection {
    listen: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Metrics {
    listen: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Information {
    review: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct DeskSection {
    name: String,
    telephone: String,
    email: String,
    other: String,
    hours: String,
    languages: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Drafts {
    keep_days: u32,
}

impl Default for Drafts {
    fn default() -> Self {
        Self { keep_days: DRAFT_KEEP_DAYS }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    format: String,
    filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".into(), filter: "info".into() }
    }
}

pub(super) fn load(
    dir: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let path = dir.join(FILE);
    let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Missing(path.clone()),
        _ => ConfigError::Io { path: path.clone(), source },
    })?;
    let file = toml::from_str(&text)
        .map_err(|error| ConfigError::Syntax { path, problem: error.to_string() })?;
    check(dir, file, environment)
}

/// A value with the place it came from, for the error.
struct Value<'a> {
    key: &'a str,
    text: String,
    place: String,
}

impl Value<'_> {
    fn wrong(&self, problem: impl Into<String>, fix: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            key: self.key.into(),
            value: self.text.clone(),
            place: self.place.clone(),
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    /// `None` where the value is empty: off.
    fn address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        if self.text.is_empty() {
            return Ok(None);
        }
        SocketAddr::from_str(&self.text).map(Some).map_err(|_| {
            self.wrong(
                "is not an address and a port",
                "Write for instance \"0.0.0.0:7447\" or \"[::]:7447\", or \"\" for none",
            )
        })
    }
}

/// The environment's overrides, looked up by key.
struct Overrides(BTreeMap<String, String>);

impl Overrides {
    fn new(environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let known: Vec<String> = KEYS.iter().map(|key| variable(key)).collect();
        let ours: BTreeMap<String, String> =
            environment.into_iter().filter(|(name, _)| name.starts_with("TUTTI_")).collect();
        for name in ours.keys() {
            let own = OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if own && !known.contains(name) {
                return Err(ConfigError::Variable { name: name.clone(), known: known.join(", ") });
            }
        }
        Ok(Self(ours))
    }

    fn value<'a>(&self, key: &'a str, written: String) -> Value<'a> {
        let name = variable(key);
        match self.0.get(&name) {
            Some(text) => Value { key, text: text.trim().into(), place: name },
            None => Value { key, text: written, place: FILE.into() },
        }
    }
}

fn check(
    dir: &Path,
    file: File,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let overrides = Overrides::new(environment)?;
    let fixed = |key, text: &str| Value { key, text: text.into(), place: FILE.into() };

    let value = fixed("society", &file.society);
    let society = Society::from_str(&file.society).map_err(|_| {
        value.wrong(
            "is no society",
            "Write the country's ISO 3166-1 alpha-2 code in lower case, or ifrc, icrc",
        )
    })?;
    let value = fixed("name", &file.name);
    if file.name.trim().is_empty() || file.name.len() > 200 || file.name.contains(char::is_control)
    {
        return Err(value.wrong("is no name", "Write the society's name, on one line"));
    }
    let value = fixed("federation", &file.federation);
    check_federation(&file.federation).map_err(|_| {
        value.wrong("is no federation", "Write its host name, such as \"migrants.example.org\"")
    })?;
    let value = fixed("epoch", &file.epoch.to_string());
    if file.epoch == 0 {
        return Err(value.wrong("is no epoch", "Write 1, or the number in the roster"));
    }
    let origin = Origin::new(&file.federation, society, file.epoch)
        .map_err(|error| value.wrong(error.to_string(), "Correct federation, society or epoch"))?;

    let listen = overrides.value("peers.listen", file.peers.listen).address()?;
    let endpoints = endpoints(&overrides, &file.peers.endpoints)?;
    let desk = desk(file.desk)?;
    let api = overrides.value("api.listen", file.api.listen).address()?;
    let value = overrides.value("metrics.listen", file.metrics.listen);
    let metrics = value.address()?;
    if metrics.is_some_and(|address| !address.ip().is_loopback()) {
        return Err(value.wrong(
            "is not on loopback",
            "Metrics have no access control; write \"127.0.0.1:9447\", or \"\" for none",
        ));
    }
    let value = overrides.value("information.review", file.information.review.to_string());
    let review = match value.text.as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(value.wrong("is no yes or no", "Write true or false")),
    };
    let value = overrides.value("drafts.keep_days", file.drafts.keep_days.to_string());
    let days =
        value.text.parse::<u32>().ok().filter(|days| (1..=DRAFT_KEEP_DAYS_MAX).contains(days));
    let draft_days = days.ok_or_else(|| {
        value.wrong(
            "is no number of days",
            format!("Write a number from 1 to {DRAFT_KEEP_DAYS_MAX}"),
        )
    })?;
    let value = overrides.value("log.format", file.log.format);
    let log_format = match value.text.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        _ => return Err(value.wrong("is no format", "Write \"text\" or \"json\"")),
    };
    let value = overrides.value("log.filter", file.log.filter);
    tracing_subscriber::EnvFilter::try_new(&value.text).map_err(|error| {
        value.wrong(format!("is no filter: {error}"), "Write \"info\", \"warn\" or \"debug\"")
    })?;
    let passphrase_file = overrides.value("passphrase_file", file.passphrase_file).text;
    Ok(Config {
        dir: dir.into(),
        society,
        name: file.name,
        federation: file.federation,
        origin,
        listen,
        endpoints,
        desk,
        api,
        metrics,
        review,
        draft_days,
        log_format,
        log_filter: value.text,
        passphrase_file: (!passphrase_file.is_empty()).then(|| dir.join(passphrase_file)),
    })
}

/// `None` where nothing is written: then the card names no desk.
fn desk(written: DeskSection) -> Result<Option<Desk>, ConfigError> {
    let DeskSection { name, telephone, email, other, hours, languages } = written;
    let mut desk = Desk { name, telephone, email, other, hours, languages };
    if desk.is_empty() {
        return Ok(None);
    }
    let Err(wrong) = desk.check() else { return Ok(Some(desk)) };
    let key = format!("desk.{}", wrong.field);
    let text = desk.line_mut(wrong.field).cloned().unwrap_or_default();
    let value = Value { key: &key, text, place: FILE.into() };
    Err(value.wrong(
        wrong.problem,
        "Write the office, never a person, and how it is reached, each on one line; or leave all of \
         [desk] empty",
    ))
}

fn endpoints(overrides: &Overrides, written: &[String]) -> Result<Vec<String>, ConfigError> {
    let value = overrides.value("peers.endpoints", written.join(","));
    let all: Vec<String> = value
        .text
        .split(',')
        .map(|part| part.trim().to_string())
        .filter(|part| !part.is_empty())
        .collect();
    let sound = |endpoint: &String| {
        endpoint.len() <= 255
            && endpoint.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains(|c: char| c.is_whitespace() || c == '/')
                    && port.parse::<u16>().is_ok_and(|port| port != 0)
            })
    };
    match all.iter().find(|endpoint| !sound(endpoint)) {
        None if all.len() <= 8 => Ok(all),
        None => Err(value.wrong("names more than 8 endpoints", "Write the best eight")),
        Some(bad) => Err(value.wrong(
            format!("holds {bad:?}, which is no host and port"),
            "Write for instance [\"tutti.example.org:7447\"]; none for a node that only dials out",
        )),
    }
}

pub(super) fn create(dir: &Path, node: &NewNode) -> Result<Config, ConfigError> {
    let path = dir.join(FILE);
    let text = text(node);
    let file: File = toml::from_str(&text)
        .map_err(|error| ConfigError::Syntax { path: path.clone(), problem: error.to_string() })?;
    let config = check(dir, file, [])?;
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => ConfigError::Exists(path.clone()),
        _ => ConfigError::Io { path: path.clone(), source },
    };
    fs::DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(io)?;
    disk::write_new(&path, text.as_bytes()).map_err(io)?;
    Ok(config)
}

/// The commented file of a new node.
fn text(node: &NewNode) -> String {
    // TOML's basic strings are written as Rust's debug form is, but for control characters, which
    // the check refuses.
    let quoted = |text: &str| toml::Value::String(text.into()).to_string();
    let address = |address: Option<SocketAddr>| {
        quoted(&address.map(|address| address.to_string()).unwrap_or_default())
    };
    let endpoints: Vec<String> = node.endpoints.iter().map(|endpoint| quoted(endpoint)).collect();
    let desk = node.desk.clone().unwrap_or_default();
    let desk = desk.lines().map(|(field, line)| format!("{field} = {}\n", quoted(line))).concat();
    format!(
        r#"# A node of Tutti. The keys are described in docs/operating.md. Each key below the first four
# can be overridden by the environment, but for those of the desk: peers.listen by
# TUTTI_PEERS_LISTEN, and so on.

# Who runs this node. Changing one of these makes it another node.
society = {society}
name = {name}
federation = {federation}
# Which of the society's logs this is; another only after a fork, as the roster says.
epoch = 1

# A file whose first line opens the keys; empty where they are under no passphrase.
# Relative to this directory. TUTTI_PASSPHRASE_FILE
passphrase_file = ""

[peers]
# Where other nodes reach this one; empty for a node that only dials out.
listen = {listen}
# What they dial, host:port, at most eight. Takes effect through the membership card and the roster.
endpoints = [{endpoints}]

[desk]
# How the other societies, and the people who were referred, reach the referral desk when no answer
# comes. An office with its hours, and no person's own name or number: every member reads it. It needs a
# name, and a telephone, email or other; all are empty where none is to be known. Takes effect through
# the membership card (tutti card renew) and the roster.
{desk}
[api]
# Remote access to the client API, over TLS with a token; empty for none. Local access is always
# through tutti.sock in this directory.
listen = {api}

[metrics]
# Prometheus metrics over HTTP, on loopback alone; empty for none.
listen = {metrics}

[information]
# Whether a second person approves what is published, revised and translated: true or false.
review = false

[drafts]
# Days after which a draft is erased on which nobody works, 1 to 365.
keep_days = {draft_days}

[log]
# On standard error: text for people, json for machines.
format = "text"
# error, warn, info, debug, or a filter such as "info,tutti_node::peers=debug".
filter = "info"
"#,
        society = quoted(node.society.as_str()),
        name = quoted(&node.name),
        federation = quoted(&node.federation),
        listen = address(node.listen),
        endpoints = endpoints.join(", "),
        draft_days = DRAFT_KEEP_DAYS,
        api = address(node.api_listen),
        metrics = address(node.metrics_listen),
    )
}
