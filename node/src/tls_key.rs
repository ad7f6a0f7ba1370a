//! The key by which a node is known in TLS: Ed25519, in PKCS#8.
//!
//! The certificate around it is made anew at each start and says nothing: others check the key
//! alone, against the roster.

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tutti_core::roster::TlsSpki;
use zeroize::Zeroizing;

/// Why a TLS key was not made or read.
#[derive(Debug, thiserror::Error)]
pub enum TlsKeyError {
    /// Not PKCS#8 in PEM, or not an Ed25519 key.
    #[error("not an Ed25519 key as PKCS#8 in PEM")]
    Malformed,
    /// The system's randomness or the library failed.
    #[error("the key could not be made: {0}")]
    Library(#[from] rcgen::Error),
}

/// See the module. Never shown.
pub struct TlsKey(KeyPair);

impl TlsKey {
    /// Draws a new key.
    pub fn generate() -> Result<Self, TlsKeyError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ED25519)?))
    }

    /// Reads a key in PKCS#8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, TlsKeyError> {
        KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_ED25519)
            .map(Self)
            .map_err(|_| TlsKeyError::Malformed)
    }

    /// The key in PKCS#8 PEM, to be kept in a key file alone.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// The public half, as the roster names it.
    pub fn spki(&self) -> Result<TlsSpki, TlsKeyError> {
        let raw = self.0.public_key_raw().try_into().map_err(|_| TlsKeyError::Malformed)?;
        TlsSpki::from_ed25519(raw).map_err(|_| TlsKeyError::Malformed)
    }

    /// A certificate around the key, signed by itself. It names nobody.
    pub(crate) fn certificate(&self) -> Result<CertificateDer<'static>, TlsKeyError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        Ok(params.self_signed(&self.0)?.der().clone())
    }

    /// The secret half, for rustls.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

impl std::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsKey(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_is_read_back_and_another_kind_is_refused() {
        let key = TlsKey::generate().unwrap();
        let again = TlsKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(again.spki().unwrap(), key.spki().unwrap());
        assert_ne!(TlsKey::generate().unwrap().spki().unwrap(), key.spki().unwrap());
        let p256 = KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(TlsKey::from_pem(&p256), Err(TlsKeyError::Malformed)));
        assert!(TlsKey::from_pem("").is_err());
    }
}
