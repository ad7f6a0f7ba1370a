//! The keys of one society on the disk: one file a key, one use a key, mode 0600.
//!
//! Each file is text: lines of explanation that begin with `#`, then the secret in its public
//! format (signed-note, age, PKCS#8 PEM, base64). Under a passphrase the same text is inside an
//! age file with the scrypt recipient, so the `age` command opens it. The root key is a file of
//! its own, and a node runs without it.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use age::secrecy::SecretString;
use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use tutti_core::{
    keys::{KeyKind, NoteSecret},
    sealing::{Identity, RoutingSecret},
    society::{Origin, Society},
};
use zeroize::Zeroizing;

use crate::{disk, tls_key::TlsKey};

/// The files in `keys/`, and what each is for.
const FILES: [(&str, &str); 8] = [
    ("root", "root key: signs rosters and the membership card. Keep it offline."),
    ("log", "log key: signs the heads of this society's log."),
    ("witness", "witness key: cosigns the heads of other societies' logs."),
    ("tls", "TLS key: proves to other nodes who this node is."),
    ("case", "case key: opens the content of referrals."),
    ("audit", "audit key: opens records, without personal data, for an auditor."),
    ("routing", "routing key: recognises what is addressed to this society."),
    ("local", "local key: never leaves this node; hides case codes and names of users."),
];

/// Scrypt's work for one key file, as a power of two: 128 MiB and about a third of a second.
const WORK_FACTOR: u8 = 17;

/// The most that is taken of a file that another tool has written.
const WORK_FACTOR_MAX: u8 = 20;

/// Why the keys could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There are keys already.
    #[error(
        "{0} exists already; keys are never overwritten. Choose another directory, or move it away"
    )]
    Exists(PathBuf),
    /// A key file is missing.
    #[error("key file {0} is missing. Restore it from your backup of the keys")]
    Missing(PathBuf),
    /// Others may read the file.
    #[error("key file {path} may be read by others (mode {mode:o}). Run: chmod 600 {path}")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is under a passphrase and none was given.
    #[error(
        "key file {0} is under a passphrase. Give it in TUTTI_PASSPHRASE_FILE or at the prompt"
    )]
    Locked(PathBuf),
    /// The passphrase does not open it.
    #[error("the passphrase does not open key file {0}")]
    Passphrase(PathBuf),
    /// It is not a key of that use.
    #[error("key file {path} holds no such key: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Reading or writing failed.
    #[error("key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The keys that a running node needs. The root key is read apart, by [`root_key`].
pub struct Keyring {
    /// Signs the heads of the own log.
    pub log: NoteSecret,
    /// Cosigns others' heads.
    pub witness: NoteSecret,
    /// Proves who the node is.
    pub tls: TlsKey,
    /// Opens contents and records.
    pub case: Identity,
    /// Opens records.
    pub audit: Identity,
    /// Recognises what is addressed to this society.
    pub routing: RoutingSecret,
    /// 32 bytes that never leave the node.
    pub local: Zeroizing<[u8; 32]>,
}

/// The name of a society's root key.
pub fn root_name(federation: &str, society: Society) -> String {
    format!("{federation}/{society}/root")
}

/// The name of a society's witness key.
pub fn witness_name(federation: &str, society: Society) -> String {
    format!("{federation}/{society}/witness")
}

impl Keyring {
    /// Draws all keys of a society, writes them into `dir`, and gives them back, the root key apart.
    pub fn create(
        dir: &Path,
        origin: &Origin,
        passphrase: Option<&SecretString>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, NoteSecret), KeyringError> {
        if dir.exists() {
            return Err(KeyringError::Exists(dir.into()));
        }
        fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(dir)
            .map_err(|source| KeyringError::Io { path: dir.into(), source })?;
        let (federation, society) = (origin.federation(), origin.society());
        let note = |name: &str, kind, rng: &mut _| {
            NoteSecret::generate(name, kind, rng).map(|key| key.to_secret_string()).map_err(
                |error| KeyringError::Malformed { path: dir.into(), problem: error.to_string() },
            )
        };
        let mut secrets = BTreeMap::new();
        for (file, purpose) in FILES {
            let secret = match file {
                "root" => note(&root_name(federation, society), KeyKind::Signature, rng)?,
                "log" => note(origin.as_str(), KeyKind::Signature, rng)?,
                "witness" => note(&witness_name(federation, society), KeyKind::Cosignature, rng)?,
                "tls" => {
                    let key = TlsKey::generate().map_err(|error| KeyringError::Malformed {
                        path: dir.into(),
                        problem: error.to_string(),
                    })?;
                    Zeroizing::new(key.to_pem().to_string())
                }
                "case" | "audit" => Identity::generate(rng).to_secret_string(),
                "routing" => RoutingSecret::generate(rng).to_secret_string(),
                _ => {
                    let mut local = Zeroizing::new([0; 32]);
                    rng.fill_bytes(&mut *local);
                    local_text(&local)
                }
            };
            let text =
                Zeroizing::new(format!("# Tutti {society}, {purpose}\n{}\n", secret.trim_end()));
            write_key(&dir.join(format!("{file}.key")), &text, passphrase)?;
            secrets.insert(file, Zeroizing::new(secret.trim_end().to_string()));
        }
        // The names too are on the disk before anybody hands out the public halves.
        disk::sync_dir(dir).map_err(|source| KeyringError::Io { path: dir.into(), source })?;
        // As they were written: to open the files again would ask for scrypt's work again.
        let read = |file: &str| {
            let secret = secrets.get(file).cloned();
            secret.ok_or_else(|| KeyringError::Missing(dir.join(format!("{file}.key"))))
        };
        let keyring = Self::assemble(dir, read)?;
        let root = read("root")?.parse().map_err(|error| KeyringError::Malformed {
            path: dir.join("root.key"),
            problem: format!("{error}"),
        })?;
        Ok((keyring, root))
    }

    /// Draws one key anew and writes it into `dir`, where there is none of that name: `root`,
    /// `witness` or `tls`. The others cannot be changed so: what was sealed to them, or signed, would
    /// be lost with them.
    pub fn draw(
        dir: &Path,
        file: &str,
        origin: &Origin,
        passphrase: Option<&SecretString>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), KeyringError> {
        let path = dir.join(format!("{file}.key"));
        if path.exists() {
            return Err(KeyringError::Exists(path));
        }
        let io = |source| KeyringError::Io { path: dir.into(), source };
        fs::DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(io)?;
        let (federation, society) = (origin.federation(), origin.society());
        let malformed = |problem: String| KeyringError::Malformed { path: path.clone(), problem };
        let note = |name: &str, kind, rng: &mut _| {
            let key = NoteSecret::generate(name, kind, rng);
            key.map(|key| key.to_secret_string()).map_err(|error| malformed(error.to_string()))
        };
        let secret = match file {
            "root" => note(&root_name(federation, society), KeyKind::Signature, rng)?,
            "witness" => note(&witness_name(federation, society), KeyKind::Cosignature, rng)?,
            "tls" => {
                let key = TlsKey::generate().map_err(|error| malformed(error.to_string()))?;
                Zeroizing::new(key.to_pem().to_string())
            }
            other => return Err(malformed(format!("a key {other} cannot be drawn anew"))),
        };
        let purpose = FILES.iter().find(|(of, _)| *of == file).map_or("", |(_, purpose)| *purpose);
        let text = Zeroizing::new(format!("# Tutti {society}, {purpose}\n{}\n", secret.trim_end()));
        write_key(&path, &text, passphrase)?;
        disk::sync_dir(dir).map_err(io)
    }

    /// Reads the keys of a node of which some lie in another folder, by the same names.
    pub fn open_with(
        dir: &Path,
        newer: &Path,
        passphrase: Option<&SecretString>,
    ) -> Result<Self, KeyringError> {
        Self::assemble(dir, |file| {
            let name = format!("{file}.key");
            let newer = newer.join(&name);
            match newer.try_exists() {
                Err(source) => Err(KeyringError::Io { path: newer, source }),
                Ok(true) => read_key(&newer, passphrase),
                Ok(false) => read_key(&dir.join(name), passphrase),
            }
        })
    }

    /// Reads the keys of a node; the root key is not touched.
    pub fn open(dir: &Path, passphrase: Option<&SecretString>) -> Result<Self, KeyringError> {
        Self::assemble(dir, |file| read_key(&dir.join(format!("{file}.key")), passphrase))
    }

    fn assemble(
        dir: &Path,
        read: impl Fn(&str) -> Result<Zeroizing<String>, KeyringError>,
    ) -> Result<Self, KeyringError> {
        let parse = |file: &str, problem: String| KeyringError::Malformed {
            path: dir.join(format!("{file}.key")),
            problem,
        };
        let note = |file: &str| -> Result<NoteSecret, KeyringError> {
            read(file)?.parse().map_err(|error| parse(file, format!("{error}")))
        };
        let identity = |file: &str| -> Result<Identity, KeyringError> {
            read(file)?.parse().map_err(|error| parse(file, format!("{error}")))
        };
        let mut local = Zeroizing::new([0; 32]);
        let text = read("local")?;
        hex::decode_to_slice(text.get(..64).unwrap_or_default(), &mut *local)
            .map_err(|error| parse("local", error.to_string()))?;
        if local_text(&local) != text {
            return Err(parse("local", "it is not what was written".into()));
        }
        Ok(Self {
            log: note("log")?,
            witness: note("witness")?,
            tls: TlsKey::from_pem(&read("tls")?)
                .map_err(|error| parse("tls", error.to_string()))?,
            case: identity("case")?,
            audit: identity("audit")?,
            routing: read("routing")?
                .parse()
                .map_err(|error| parse("routing", format!("{error}")))?,
            local,
        })
    }
}

/// The local key as text, with a check: it is the one key that no roster names, so nobody would see
/// that it is another.
fn local_text(local: &[u8; 32]) -> Zeroizing<String> {
    let check = Sha256::digest([b"tutti/v1/local-key".as_slice(), local].concat());
    let mut text = Zeroizing::new(hex::encode(local));
    text.push('-');
    text.extend(hex::encode(check).chars().take(8));
    text
}

/// Reads the root key, wherever it is kept.
pub fn root_key(
    path: &Path,
    passphrase: Option<&SecretString>,
) -> Result<NoteSecret, KeyringError> {
    read_key(path, passphrase)?
        .parse()
        .map_err(|error| KeyringError::Malformed { path: path.into(), problem: format!("{error}") })
}

/// Reads an age identity file, such as an auditor's `audit.key`.
pub fn identity_file(
    path: &Path,
    passphrase: Option<&SecretString>,
) -> Result<Identity, KeyringError> {
    read_key(path, passphrase)?
        .parse()
        .map_err(|error| KeyringError::Malformed { path: path.into(), problem: format!("{error}") })
}

/// Whether the key file asks for a passphrase.
pub fn is_locked(path: &Path) -> bool {
    let mut start = [0; 21];
    fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok_and(|()| &start == b"age-encryption.org/v1")
}

fn write_key(
    path: &Path,
    text: &str,
    passphrase: Option<&SecretString>,
) -> Result<(), KeyringError> {
    let io = |source| KeyringError::Io { path: path.into(), source };
    let bytes = match passphrase {
        None => Zeroizing::new(text.as_bytes().to_vec()),
        Some(passphrase) => {
            let mut sealed = Zeroizing::new(Vec::new());
            let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
            recipient.set_work_factor(WORK_FACTOR);
            let mut writer =
                age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
                    .map_err(|error| io(std::io::Error::other(error)))?
                    .wrap_output(&mut *sealed)
                    .map_err(io)?;
            writer.write_all(text.as_bytes()).map_err(io)?;
            writer.finish().map_err(io)?;
            sealed
        }
    };
    disk::write_new(path, &bytes).map_err(io)
}

/// The last line of the file that is neither empty nor a comment, or a whole PEM.
fn read_key(
    path: &Path,
    passphrase: Option<&SecretString>,
) -> Result<Zeroizing<String>, KeyringError> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => KeyringError::Missing(path.into()),
        _ => KeyringError::Io { path: path.into(), source },
    };
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Mode { path: path.into(), mode });
    }
    let mut bytes = Zeroizing::new(fs::read(path).map_err(io)?);
    if is_locked(path) {
        let passphrase = passphrase.ok_or_else(|| KeyringError::Locked(path.into()))?;
        let wrong = |_| KeyringError::Passphrase(path.into());
        let mut identity = age::scrypt::Identity::new(passphrase.clone());
        identity.set_max_work_factor(WORK_FACTOR_MAX);
        let mut reader = age::Decryptor::new_buffered(&bytes[..])
            .and_then(|file| file.decrypt(std::iter::once(&identity as &dyn age::Identity)))
            .map_err(wrong)?;
        let mut opened = Zeroizing::new(Vec::new());
        reader.read_to_end(&mut opened).map_err(io)?;
        drop(reader);
        bytes = opened;
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyringError::Malformed {
        path: path.into(),
        problem: "it is not text".into(),
    })?;
    let secret: Vec<&str> =
        text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).collect();
    Ok(Zeroizing::new(secret.join("\n")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn origin() -> Origin {
        "m.example.org/ph/1".parse().unwrap()
    }

    #[test]
    fn keys_are_made_once_for_their_owner_alone_and_read_back() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("keys");
        Keyring::create(&dir, &origin(), None, &mut rand_core::OsRng).unwrap();
        let again = Keyring::create(&dir, &origin(), None, &mut rand_core::OsRng);
        assert!(matches!(again, Err(KeyringError::Exists(_))));
        let keys = Keyring::open(&dir, None).unwrap();
        assert_eq!(keys.log.public().name(), "m.example.org/ph/1");
        assert_eq!(keys.witness.public().name(), "m.example.org/ph/witness");
        let root = root_key(&dir.join("root.key"), None).unwrap();
        assert_eq!(root.public().name(), "m.example.org/ph/root");
        for (file, _) in FILES {
            let path = dir.join(format!("{file}.key"));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::set_permissions(dir.join("case.key"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keyring::open(&dir, None), Err(KeyringError::Mode { mode: 0o640, .. })));
        // The root key may be away.
        fs::set_permissions(dir.join("case.key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(dir.join("root.key")).unwrap();
        Keyring::open(&dir, None).unwrap();
    }

    /// Every bit of every key file, and every place where it may be cut: it is refused by the name
    /// of the file, or the keys are the same. Those that the roster names may be others; the start
    /// compares them with it (`rosters::fits`).
    #[test]
    fn a_damaged_key_is_refused_or_no_other() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("keys");
        Keyring::create(&dir, &origin(), None, &mut rand_core::OsRng).unwrap();
        let public = |keys: &Keyring| {
            [
                keys.log.public().to_string(),
                keys.witness.public().to_string(),
                keys.tls.spki().unwrap().to_string(),
                keys.case.recipient().to_string(),
                keys.audit.recipient().to_string(),
                keys.routing.public().to_string(),
            ]
        };
        let whole = Keyring::open(&dir, None).unwrap();
        let (mut refused, mut others) = (0, 0);
        for (file, _) in FILES.into_iter().filter(|(file, _)| *file != "root") {
            let path = dir.join(format!("{file}.key"));
            let bytes = fs::read(&path).unwrap();
            // Of the long keys of age each eleventh byte.
            let step = if bytes.len() > 400 { 11 } else { 1 };
            for at in (0..bytes.len()).step_by(step) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << (at % 8);
                for damaged in [flipped.as_slice(), &bytes[..at], &[]] {
                    fs::write(&path, damaged).unwrap();
                    match Keyring::open(&dir, None) {
                        Err(error) => {
                            let said = error.to_string();
                            assert!(said.contains(&format!("{file}.key")), "{said}");
                            refused += 1;
                        }
                        Ok(keys) => {
                            assert_eq!(keys.local, whole.local, "{file} at {at}");
                            others += u32::from(public(&keys) != public(&whole));
                        }
                    }
                }
            }
            fs::write(&path, &bytes).unwrap();
        }
        assert!(refused > 500, "{refused}");
        // TLS and routing keys have no check of their own.
        assert!(others > 0);
    }

    #[test]
    fn a_key_under_a_passphrase_opens_with_it_alone_and_is_not_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("local.key");
        let phrase = |text: &str| SecretString::from(text.to_string());
        write_key(&path, "# explained\nthe secret\n", Some(&phrase("correct horse"))).unwrap();
        assert!(is_locked(&path));
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(10).any(|window| window == b"the secret"));
        assert!(matches!(read_key(&path, None), Err(KeyringError::Locked(_))));
        let wrong = read_key(&path, Some(&phrase("wrong")));
        assert!(matches!(wrong, Err(KeyringError::Passphrase(_))));
        assert_eq!(*read_key(&path, Some(&phrase("correct horse"))).unwrap(), "the secret");
    }
}
