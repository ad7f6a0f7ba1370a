//! age's hybrid post-quantum keys: `age1pq1…` recipients and `AGE-SECRET-KEY-PQ-1…` identities.
//!
//! A file key is wrapped with HPKE base mode (X-Wing, HKDF-SHA256, ChaCha20-Poly1305) into a
//! `mlkem768x25519` stanza, byte for byte as any other implementation of age does. Invariants: a
//! [`Recipient`] is a key that the KEM accepts; a key has one text and no other; an [`Identity`]
//! is wiped when dropped and shown by nothing but [`Identity::to_secret_string`]. This module
//! must not decide who is sealed to, and knows nothing of padding or of bodies.
//!
//! Source: C2SP `age.md`, "The MLKEM768-X25519 hybrid post-quantum recipient type".

use std::{collections::HashSet, fmt, str::FromStr, sync::Arc};

use age_core::{
    format::{FILE_KEY_BYTES, FileKey, Stanza},
    secrecy::ExposeSecret,
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bech32::{Bech32, Checksum, Hrp, primitives::decode::CheckedHrpstring};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::XWing,
};
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, Zeroizing};

/// First argument of the stanza.
const STANZA_TAG: &str = "mlkem768x25519";
/// HPKE's `info`.
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// Every recipient of a file must carry this label, so that a file that is sealed to a hybrid key
/// is not also sealed to one that a quantum computer opens. The word is that of the Go age.
const LABEL: &str = "postquantum";

const RECIPIENT_HRP: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY_HRP: Hrp = Hrp::parse_unchecked("age-secret-key-pq-");

/// X-Wing's public key, bytes.
const PUBLIC_KEY_BYTES: usize = 1216;
/// X-Wing's encapsulated key, bytes.
const ENCAPSULATED_BYTES: usize = 1120;
/// A wrapped file key with its tag, bytes.
const WRAPPED_BYTES: usize = 32;
/// The secret seed, bytes.
const SEED_BYTES: usize = 32;

/// Why a text is not a sealing key. The text itself is not repeated: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeyError {
    /// Not a hybrid recipient, or not in its one canonical text.
    #[error("not a canonical age1pq recipient")]
    Recipient,
    /// Well-formed text around bytes that are no X-Wing public key.
    #[error("age1pq recipient holds no valid ML-KEM-768 and X25519 key")]
    PublicKey,
    /// Not a hybrid identity, or not in its one canonical text.
    #[error("not a canonical AGE-SECRET-KEY-PQ identity")]
    Identity,
}

/// Bech32 as age uses it: BIP 173's checksum without its limit of 90 characters.
enum UnlimitedBech32 {}

impl Checksum for UnlimitedBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    /// Twice what a recipient takes. Beyond it nothing of age's is that long.
    const CODE_LENGTH: usize = 4096;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Decodes the data part when the prefix is `hrp` and the data is `N` bytes.
fn decode<const N: usize>(text: &str, hrp: Hrp) -> Option<Zeroizing<[u8; N]>> {
    let parsed = CheckedHrpstring::new::<UnlimitedBech32>(text).ok()?;
    if parsed.hrp() != hrp {
        return None;
    }
    let mut bytes = Zeroizing::new([0; N]);
    let mut from = parsed.byte_iter();
    for byte in bytes.iter_mut() {
        *byte = from.next()?;
    }
    from.next().is_none().then_some(bytes)
}

/// A public key that bodies are sealed to: an X-Wing public key of 1216 bytes, by text `age1pq1…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient(Arc<[u8; PUBLIC_KEY_BYTES]>);

impl Recipient {
    fn from_public_key(key: &<XWing as Kem>::PublicKey) -> Self {
        let mut bytes = [0; PUBLIC_KEY_BYTES];
        key.write_exact(&mut bytes);
        Self(Arc::new(bytes))
    }

    /// The raw X-Wing public key.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = SealingKeyError;

    fn from_str(text: &str) -> Result<Self, SealingKeyError> {
        let bytes =
            decode::<PUBLIC_KEY_BYTES>(text, RECIPIENT_HRP).ok_or(SealingKeyError::Recipient)?;
        let key = <XWing as Kem>::PublicKey::from_bytes(&bytes[..])
            .map_err(|_| SealingKeyError::PublicKey)?;
        let recipient = Self::from_public_key(&key);
        if recipient.0[..] != bytes[..] {
            return Err(SealingKeyError::PublicKey);
        }
        // Bech32 leaves room for upper case and for set bits after the last byte. A key that had
        // several texts would pass checks for duplicates.
        if recipient.to_string() != text {
            return Err(SealingKeyError::Recipient);
        }
        Ok(recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<UnlimitedBech32, _>(f, RECIPIENT_HRP, &self.0[..])
            .map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Recipient {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Recipient {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl age::Recipient for Recipient {
    /// Wraps with randomness from the operating system: age's trait hands none in (ADR 1).
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        // Cannot fail: the bytes came out of a parsed key, and the plaintext is 16 bytes.
        let broken = |e: hpke::HpkeError| age::EncryptError::Io(std::io::Error::other(e));
        let key = <XWing as Kem>::PublicKey::from_bytes(&self.0[..]).map_err(broken)?;
        let (encapsulated, body) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &key,
            INFO,
            file_key.expose_secret(),
            b"",
        )
        .map_err(broken)?;
        let stanza = Stanza {
            tag: STANZA_TAG.into(),
            args: vec![BASE64_STANDARD_NO_PAD.encode(encapsulated.to_bytes())],
            body,
        };
        Ok((vec![stanza], HashSet::from([LABEL.to_owned()])))
    }
}

/// A stanza like any other that opens nothing: a key, and 16 bytes in place of the file key.
pub(super) struct Decoy {
    key: Recipient,
    inside: Zeroizing<[u8; FILE_KEY_BYTES]>,
}

impl Decoy {
    /// Around random bytes. Whose the key is matters little: there is nothing to find.
    pub(super) fn around_nothing(key: &Recipient, rng: &mut impl CryptoRngCore) -> Self {
        let mut inside = Zeroizing::new([0; FILE_KEY_BYTES]);
        rng.fill_bytes(&mut inside[..]);
        Self { key: key.clone(), inside }
    }
}

impl age::Recipient for Decoy {
    fn wrap_file_key(
        &self,
        _: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        let nothing = FileKey::init_with_mut(|to| to.copy_from_slice(&self.inside[..]));
        self.key.wrap_file_key(&nothing)
    }
}

/// A secret key that opens what was sealed to its [`Recipient`]. Wiped when dropped.
pub struct Identity(<XWing as Kem>::PrivateKey);

impl Identity {
    /// Draws a new key of 32 bytes from `rng`.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        rng.fill_bytes(&mut seed[..]);
        Self::from_seed(&seed)
    }

    fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self(<XWing as Kem>::PrivateKey::from_bytes(seed).expect("any 32 bytes are a seed"))
    }

    /// The public half.
    pub fn recipient(&self) -> Recipient {
        Recipient::from_public_key(&XWing::sk_to_pk(&self.0))
    }

    /// The text `AGE-SECRET-KEY-PQ-1…`, to be kept in a key file alone.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        self.0.write_exact(&mut seed[..]);
        // The capacity is given at once: growing would leave pieces of the key in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(96));
        let written = bech32::encode_upper_to_fmt::<UnlimitedBech32, String>(
            &mut text,
            IDENTITY_HRP,
            &seed[..],
        );
        // Writing to a string does not fail, and the length is fixed and below the limit.
        debug_assert!(written.is_ok());
        text
    }

    /// Opens the stanza; none when it is of another type or for another key.
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let malformed = Some(Err(age::DecryptError::InvalidHeader));
        let [argument] = &stanza.args[..] else { return malformed };
        // This engine refuses padding characters and set trailing bits, as the format asks.
        let Ok(encapsulated) = BASE64_STANDARD_NO_PAD.decode(argument) else { return malformed };
        // The length of the body is checked before it is opened, so that one ciphertext cannot
        // be made to try several keys (partitioning oracle).
        if encapsulated.len() != ENCAPSULATED_BYTES || stanza.body.len() != WRAPPED_BYTES {
            return malformed;
        }
        let Ok(encapsulated) = <XWing as Kem>::EncappedKey::from_bytes(&encapsulated) else {
            return malformed;
        };
        // A stanza does not say whose it is: one that does not open is somebody else's.
        let mut opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            INFO,
            &stanza.body,
            b"",
        )
        .ok()?;
        let key = <&[u8; FILE_KEY_BYTES]>::try_from(&opened[..])
            .map(|key| FileKey::init_with_mut(|to| to.copy_from_slice(key)))
            .map_err(|_| age::DecryptError::InvalidHeader);
        opened.zeroize();
        Some(key)
    }
}

impl age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.unwrap(stanza)
    }
}

impl FromStr for Identity {
    type Err = SealingKeyError;

    fn from_str(text: &str) -> Result<Self, SealingKeyError> {
        let seed = decode::<SEED_BYTES>(text, IDENTITY_HRP).ok_or(SealingKeyError::Identity)?;
        let identity = Self::from_seed(&seed);
        if *identity.to_secret_string() != text {
            return Err(SealingKeyError::Identity);
        }
        Ok(identity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

#[cfg(test)]
#[path = "hybrid_tests.rs"]
mod tests;
