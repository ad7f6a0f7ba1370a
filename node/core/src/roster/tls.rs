//! The public key of a member's TLS certificate.
//!
//! Invariant: a [`TlsSpki`] is an Ed25519 key that is a point of the curve and not of small order,
//! in the one encoding of RFC 8410. It says nothing of whose it is: the roster does.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::VerifyingKey;

/// What RFC 8410 puts before the 32 bytes of the point.
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The public key of a member's TLS certificate: the 44 bytes of an Ed25519 SubjectPublicKeyInfo
/// in DER (RFC 8410), in text as base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsSpki([u8; 44]);

/// Why bytes or a text are no TLS key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsKeyError {
    /// Not base64 with padding.
    #[error("TLS key is not canonical base64")]
    Encoding,
    /// Not the SubjectPublicKeyInfo of an Ed25519 key.
    #[error("TLS key is not the 44 bytes of an Ed25519 SubjectPublicKeyInfo")]
    NotEd25519,
    /// Not a point of the curve, or a point of small order.
    #[error("TLS key is weak or no point of the curve")]
    Weak,
}

impl TlsSpki {
    /// Reads the SubjectPublicKeyInfo of a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, TlsKeyError> {
        let point = der.strip_prefix(&PREFIX).ok_or(TlsKeyError::NotEd25519)?;
        Self::from_ed25519(point.try_into().map_err(|_| TlsKeyError::NotEd25519)?)
    }

    /// Takes the 32 bytes of the point.
    pub fn from_ed25519(point: &[u8; 32]) -> Result<Self, TlsKeyError> {
        let key = VerifyingKey::from_bytes(point).map_err(|_| TlsKeyError::Weak)?;
        if key.is_weak() {
            return Err(TlsKeyError::Weak);
        }
        let mut der = [0; 44];
        der.iter_mut().zip(PREFIX.iter().chain(point)).for_each(|(to, from)| *to = *from);
        Ok(Self(der))
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn as_der(&self) -> &[u8; 44] {
        &self.0
    }

    /// The 32 bytes of the point.
    pub fn as_ed25519(&self) -> &[u8; 32] {
        self.0.last_chunk().unwrap_or(&[0; 32])
    }
}

impl FromStr for TlsSpki {
    type Err = TlsKeyError;

    fn from_str(text: &str) -> Result<Self, TlsKeyError> {
        Self::from_der(&BASE64_STANDARD.decode(text).map_err(|_| TlsKeyError::Encoding)?)
    }
}

impl fmt::Display for TlsSpki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for TlsSpki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsSpki({self})")
    }
}

impl serde::Serialize for TlsSpki {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for TlsSpki {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn der_and_text_are_read_back_and_anything_else_is_refused() {
        let point = ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
        let key = TlsSpki::from_ed25519(&point).unwrap();
        assert_eq!(TlsSpki::from_der(key.as_der()), Ok(key));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.as_ed25519(), &point);
        for at in 0..PREFIX.len() {
            let mut der = *key.as_der();
            der[at] ^= 1;
            assert_eq!(TlsSpki::from_der(&der), Err(TlsKeyError::NotEd25519));
        }
        assert_eq!(TlsSpki::from_der(&key.as_der()[..43]), Err(TlsKeyError::NotEd25519));
        assert_eq!(TlsSpki::from_der(&point), Err(TlsKeyError::NotEd25519));
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(TlsSpki::from_ed25519(&identity), Err(TlsKeyError::Weak));
        assert_eq!("MCowBQYDK2VwAyEA".parse::<TlsSpki>(), Err(TlsKeyError::NotEd25519));
        assert_eq!("!".parse::<TlsSpki>(), Err(TlsKeyError::Encoding));
    }
}
