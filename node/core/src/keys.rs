//! Ed25519 keys of signed notes: the log, witness and root keys.
//!
//! Public keys are written as C2SP verifier keys, secret ones as the Go checksum database writes
//! them, so that tools that we did not write read both. Verification is strict (`verify_strict`)
//! and weak keys are refused when they are read. One key has one use: the kind is part of it.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature as Ed25519Signature, Signer as _, SigningKey, VerifyingKey};
use rand_core::CryptoRngCore;
use signed_note::{Note, Signature};
use zeroize::Zeroizing;

/// What the signatures of a key say. The number is the algorithm byte of the C2SP key ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// C2SP signed-note, type 0x01: signs the text itself (log heads, rosters, cards).
    Signature = 0x01,
    /// C2SP tlog-cosignature, type 0x04: signs a head that it has checked, with the time.
    Cosignature = 0x04,
}

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `<name>+<hash>+<base64>`, or for a secret one not `PRIVATE+KEY+…`.
    #[error("not a key in the signed-note format")]
    Format,
    /// The name is empty, or holds a space or a plus.
    #[error("key name {0:?} is empty or holds a space or a plus sign")]
    Name(String),
    /// Neither Ed25519 nor an Ed25519 cosignature key.
    #[error("key algorithm {0:#04x} is not known here")]
    Algorithm(u8),
    /// The four bytes that identify the key do not belong to it.
    #[error("key ID does not belong to the key")]
    Id,
    /// Not a point of the curve, or a point of small order.
    #[error("key is weak or no point of the curve")]
    Weak,
}

/// A public note key.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: KeyKind,
    id: u32,
    key: VerifyingKey,
}

impl NoteKey {
    fn new(name: &str, kind: KeyKind, key: VerifyingKey) -> Result<Self, KeyError> {
        if !signed_note::is_key_name_valid(name) {
            return Err(KeyError::Name(name.into()));
        }
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        let id = key_id(name, kind, &key);
        Ok(Self { name: name.into(), kind, id, key })
    }

    /// The name that is written in signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures say.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes of the point.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The four bytes before each signature.
    pub fn id(&self) -> u32 {
        self.id
    }

    fn accepts(&self, text: &[u8], signature: &[u8]) -> bool {
        match self.kind {
            KeyKind::Signature => Ed25519Signature::from_slice(signature)
                .is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok()),
            KeyKind::Cosignature => {
                let Some((time, signature)) = signature.split_first_chunk::<8>() else {
                    return false;
                };
                let Some(message) = cosigned_message(u64::from_be_bytes(*time), text) else {
                    return false;
                };
                Ed25519Signature::from_slice(signature)
                    .is_ok_and(|signature| self.key.verify_strict(&message, &signature).is_ok())
            }
        }
    }

    /// Whether `signature` bears this key's name and ID.
    pub fn made(&self, signature: &Signature) -> bool {
        signature.name() == self.name && signature.id() == self.id
    }

    /// Checks one signature of `note` strictly.
    pub fn verify(&self, note: &Note, signature: &Signature) -> bool {
        self.verify_text(note.text(), signature)
    }

    /// The same for the text alone.
    pub fn verify_text(&self, text: &[u8], signature: &Signature) -> bool {
        self.made(signature) && self.accepts(text, signature.signature())
    }
}

/// The C2SP verifier key: `<name>+<hex of the ID>+<base64 of algorithm and key>`.
impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.kind as u8], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64_STANDARD.encode(material))
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for NoteKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Format);
        };
        let (kind, key) = material_of(material)?;
        let key =
            Self::new(name, kind, VerifyingKey::from_bytes(&key).map_err(|_| KeyError::Weak)?)?;
        if format!("{:08x}", key.id) != id {
            return Err(KeyError::Id);
        }
        Ok(key)
    }
}

impl serde::Serialize for NoteKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for NoteKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A secret note key. Overwritten in memory when dropped; never shown.
pub struct NoteSecret {
    key: SigningKey,
    public: NoteKey,
}

impl NoteSecret {
    /// A new key from `rng`.
    pub fn generate(
        name: &str,
        kind: KeyKind,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, KeyError> {
        Self::new(name, kind, SigningKey::generate(rng))
    }

    /// The key that 32 secret bytes make.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, kind, SigningKey::from_bytes(seed))
    }

    fn new(name: &str, kind: KeyKind, key: SigningKey) -> Result<Self, KeyError> {
        let public = NoteKey::new(name, kind, key.verifying_key())?;
        Ok(Self { key, public })
    }

    /// The public half.
    pub fn public(&self) -> &NoteKey {
        &self.public
    }

    /// `PRIVATE+KEY+<name>+<hex of the ID>+<base64 of algorithm and seed>`.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        let material =
            Zeroizing::new([&[self.public.kind as u8], self.key.as_bytes().as_slice()].concat());
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*material));
        Zeroizing::new(format!(
            "PRIVATE+KEY+{}+{:08x}+{}",
            self.public.name, self.public.id, *encoded
        ))
    }

    /// Signs the text of a note.
    ///
    /// A cosignature key answers [`KeyError::Algorithm`]: one key, one use.
    pub fn sign(&self, text: &[u8]) -> Result<Signature, KeyError> {
        if self.public.kind != KeyKind::Signature {
            return Err(KeyError::Algorithm(self.public.kind as u8));
        }
        self.line(self.key.sign(text).to_bytes().to_vec())
    }

    /// Cosigns the text of a checkpoint at `time_s`, seconds since the Unix epoch, below 2^63.
    pub fn cosign(&self, text: &[u8], time_s: u64) -> Result<Signature, KeyError> {
        if self.public.kind != KeyKind::Cosignature {
            return Err(KeyError::Algorithm(self.public.kind as u8));
        }
        let message = cosigned_message(time_s, text).ok_or(KeyError::Format)?;
        let signature = self.key.sign(&message).to_bytes();
        self.line([time_s.to_be_bytes().as_slice(), &signature].concat())
    }

    fn line(&self, signature: Vec<u8>) -> Result<Signature, KeyError> {
        Signature::new(self.public.name.clone(), self.public.id, signature)
            .map_err(|_| KeyError::Name(self.public.name.clone()))
    }
}

impl FromStr for NoteSecret {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::Format)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Format);
        };
        let (kind, seed) = material_of(material)?;
        let secret = Self::new(name, kind, SigningKey::from_bytes(&seed))?;
        if format!("{:08x}", secret.public.id) != id {
            return Err(KeyError::Id);
        }
        Ok(secret)
    }
}

impl fmt::Debug for NoteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSecret({})", self.public.name)
    }
}

/// The time in a cosignature, seconds since the Unix epoch.
pub fn cosigned_at(signature: &Signature) -> Option<u64> {
    signature.signature().first_chunk::<8>().map(|time| u64::from_be_bytes(*time))
}

/// C2SP tlog-cosignature, "Ed25519 signed message". `None` where the time is 2^63 or more.
fn cosigned_message(time_s: u64, text: &[u8]) -> Option<Vec<u8>> {
    if time_s > i64::MAX as u64 {
        return None;
    }
    Some([format!("cosignature/v1\ntime {time_s}\n").as_bytes(), text].concat())
}

fn key_id(name: &str, kind: KeyKind, key: &VerifyingKey) -> u32 {
    signed_note::key_id(name, &[&[kind as u8], key.as_bytes().as_slice()].concat())
}

fn material_of(base64: &str) -> Result<(KeyKind, Zeroizing<[u8; 32]>), KeyError> {
    let material = Zeroizing::new(BASE64_STANDARD.decode(base64).map_err(|_| KeyError::Format)?);
    let (algorithm, key) = material.split_first().ok_or(KeyError::Format)?;
    let kind = match algorithm {
        0x01 => KeyKind::Signature,
        0x04 => KeyKind::Cosignature,
        other => return Err(KeyError::Algorithm(*other)),
    };
    let key = <[u8; 32]>::try_from(key).map_err(|_| KeyError::Format)?;
    Ok((kind, Zeroizing::new(key)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    #[test]
    fn keys_survive_text_and_keep_their_one_use() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for kind in [KeyKind::Signature, KeyKind::Cosignature] {
            let secret = NoteSecret::generate("m.example.org/ph/1", kind, &mut rng).unwrap();
            let again: NoteSecret = secret.to_secret_string().parse().unwrap();
            assert_eq!(again.public(), secret.public());
            assert_eq!(&secret.public().to_string().parse::<NoteKey>().unwrap(), secret.public());
            assert_eq!(secret.sign(b"x\n").is_ok(), kind == KeyKind::Signature);
            assert_eq!(secret.cosign(b"x\n", 1).is_ok(), kind == KeyKind::Cosignature);
        }
    }

    #[test]
    fn weak_and_foreign_keys_are_refused() {
        // The point of order one.
        let weak = VerifyingKey::from_bytes(&{
            let mut one = [0; 32];
            one[0] = 1;
            one
        })
        .unwrap();
        assert_eq!(NoteKey::new("a", KeyKind::Signature, weak), Err(KeyError::Weak));
        assert_eq!(
            "a+00000000+AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse::<NoteKey>(),
            Err(KeyError::Algorithm(3))
        );
    }

    /// The example of the C2SP signed-note specification's vkey for PeterNeumann.
    #[test]
    fn reads_a_key_of_the_go_checksum_database() {
        let key: NoteKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.kind(), KeyKind::Signature);
    }
}
