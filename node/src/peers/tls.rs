//! TLS 1.3 by the roster: no CA, no names, no dates, no resumption.
//!
//! A certificate is a wrapper around a key. Whoever proves a key (rustls checks the handshake's
//! signature with it) is the active member whose key it is in the roster, or nobody. X25519MLKEM768
//! is offered first; Ed25519 is the only signature.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::{
        NoServerSessionStorage, ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tutti_core::{roster::TlsSpki, society::Society};

use super::{TlsKey, TlsKeyError, members::Members};

/// HTTP/2, the only protocol above.
const ALPN: &[u8] = b"h2";

/// Why no TLS configuration was made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The key gives no certificate.
    #[error(transparent)]
    Key(#[from] TlsKeyError),
    /// rustls refused.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] Error),
}

/// Which keys may stand at the other end.
#[derive(Clone)]
enum Accepted {
    /// Any active member but ourselves.
    Members { members: Arc<Members>, own: Society },
    /// This one key.
    One(TlsSpki),
}

impl Accepted {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let refused =
            || Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        let key = key_of(certificate).ok_or_else(refused)?;
        let accepted = match self {
            Self::Members { members, own } => {
                members.active(&key).is_some_and(|society| society != *own)
            }
            Self::One(one) => *one == key,
        };
        if accepted { Ok(()) } else { Err(refused()) }
    }
}

/// The key in a certificate, if it is an Ed25519 one.
fn key_of(certificate: &CertificateDer<'_>) -> Option<TlsSpki> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    TlsSpki::from_der(parsed.subject_public_key_info().as_ref()).ok()
}

/// Whom a finished handshake has proven, and by which key.
pub(crate) fn proven(
    members: &Members,
    certificates: Option<&[CertificateDer<'_>]>,
) -> Option<(Society, TlsSpki)> {
    let key = key_of(certificates?.first()?)?;
    Some((members.active(&key)?, key))
}

/// Both sides of a link between members.
pub(crate) struct MemberTls {
    pub(crate) server: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl MemberTls {
    pub(crate) fn new(key: &TlsKey, own: Society, members: Arc<Members>) -> Result<Self, TlsError> {
        let certificate = key.certificate()?;
        let accepted = Accepted::Members { members, own };
        let verifier = Arc::new(Verifier { accepted, algorithms: algorithms() });
        let server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.clone()], key.private_key())?;
        let server = Arc::new(hardened(server));
        Ok(Self { server, certificate, key: key.private_key() })
    }

    /// For dialling the member with this key, and no other.
    pub(crate) fn client(&self, peer: &TlsSpki) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(one(peer))
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        harden_client(&mut config);
        Ok(config)
    }
}

/// For a client of the remote API: the server is known by its key, the client by its token.
pub(crate) fn client_of_one(key: &TlsSpki) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(one(key))
        .with_no_client_auth();
    harden_client(&mut config);
    Ok(config)
}

/// For the server of the remote API.
pub(crate) fn api_server(key: &TlsKey) -> Result<Arc<ServerConfig>, TlsError> {
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![key.certificate()?], key.private_key())?;
    Ok(Arc::new(hardened(server)))
}

fn hardened(mut server: ServerConfig) -> ServerConfig {
    server.alpn_protocols = vec![ALPN.into()];
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    server
}

fn harden_client(config: &mut ClientConfig) {
    config.alpn_protocols = vec![ALPN.into()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
}

fn one(key: &TlsSpki) -> Arc<Verifier> {
    Arc::new(Verifier { accepted: Accepted::One(*key), algorithms: algorithms() })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}

/// What stands for a server's name where there are none; it is not sent.
pub(crate) fn nameless() -> ServerName<'static> {
    ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into())
}

/// One verifier for both directions.
struct Verifier {
    accepted: Accepted,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
}

/// TLS 1.2 is never negotiated; were it, nothing it signs would count.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".into()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.accepted.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.accepted.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
