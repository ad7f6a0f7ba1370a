//! Sealing: who can read a body, and who can see that it is for them.
//!
//! A sealed body is a binary age file to hybrid post-quantum [`Recipient`]s around a padded
//! message; an unsealed one is 32 random bytes in front of the message, so that its digest does
//! not tell what it says once the bytes were erased. Invariants: nothing is sealed to nobody;
//! what is opened is bounded before it is parsed; an error never holds any of the message. This
//! module must not be called from `decide` or from the session: age draws its file keys from the
//! operating system (ADR 1).
//!
//! Source: C2SP `age.md`; `docs/protocol.md`, "Bodies".

mod addressed;
pub mod hybrid;
pub mod padding;
mod revealed;
pub mod routing;

use std::{
    collections::BTreeSet,
    io::{Read, Write},
};

use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

pub use addressed::{Party, Sealed, seal_both, stanzas};
pub use hybrid::{Identity, Recipient, SealingKeyError};
pub use padding::PaddingError;
pub use revealed::{RevealedKey, open_revealed, reveal};
pub use routing::{PairKey, RoutingError, RoutingKey, RoutingSecret};

use crate::limits::BODY_BYTES_MAX;

/// Keys that one body is sealed to. Eight addressees and the author with a case and an audit key
/// each make 18; a hostile body could otherwise make its reader try hundreds.
pub const RECIPIENTS_MAX: usize = 32;

/// The header of a sealed body, bytes. A hybrid stanza takes 1,563.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Lines in that header: two a hybrid stanza, and what age adds of its own.
const HEADER_LINES_MAX: usize = 2 * RECIPIENTS_MAX + 16;

/// Random bytes in front of an unsealed body.
pub const SALT_BYTES: usize = 32;

/// Why a message was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nobody to seal to.
    #[error("a body is sealed to at least one recipient")]
    NoRecipient,
    /// More than [`RECIPIENTS_MAX`] distinct recipients.
    #[error("a body is sealed to at most {RECIPIENTS_MAX} recipients, not {0}")]
    TooManyRecipients(usize),
    /// The message, or what sealing made of it, is above the limit for a body.
    #[error("sealed body of {0} bytes is larger than a body may be")]
    TooLarge(usize),
    /// The age library refused; it does not for recipients of this type.
    #[error("age could not seal")]
    Age(#[from] age::EncryptError),
    /// Writing to memory failed.
    #[error("age could not write the sealed body")]
    Write(#[from] std::io::Error),
}

/// Why a sealed body was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A sound age file, for other keys.
    #[error("sealed body is not for any of these keys")]
    NotForUs,
    /// Not an age file as this federation writes them, cut short, or altered.
    #[error("sealed body is malformed: {0}")]
    Malformed(&'static str),
    /// Opened, but what was inside is not one padded message. Its sealer is at fault.
    #[error("sealed body is wrongly padded: {0}")]
    Padding(#[from] PaddingError),
}

/// Why an unsealed body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unsealed body is shorter than its salt of {SALT_BYTES} bytes")]
pub struct SaltError;

/// Pads `message` into the smallest frame and seals it to every one of `recipients`, in an order
/// that does not tell who asked. The bytes differ at each call: the file key and the wrapping are
/// random. The bodies of an entry are sealed together, by [`seal_both`].
///
/// # Errors
/// [`SealError`]; on any the message was sealed to nobody.
pub fn seal(message: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, SealError> {
    let recipients: BTreeSet<&Recipient> = recipients.iter().collect();
    match recipients.len() {
        0 => return Err(SealError::NoRecipient),
        count if count > RECIPIENTS_MAX => return Err(SealError::TooManyRecipients(count)),
        _ => {}
    }
    let frame = padding::frame_bytes(message.len()).ok_or(SealError::TooLarge(message.len()))?;
    encrypt(message, frame, recipients.into_iter().map(|r| r as &dyn age::Recipient))
}

/// An age file around `message` in a frame of `frame_bytes`, its stanzas in the order given.
fn encrypt<'a>(
    message: &[u8],
    frame_bytes: usize,
    recipients: impl Iterator<Item = &'a dyn age::Recipient>,
) -> Result<Vec<u8>, SealError> {
    let frame =
        padding::pad(message, frame_bytes).map_err(|_| SealError::TooLarge(message.len()))?;
    let frame = Zeroizing::new(frame);
    let mut sealed = Vec::new();
    let mut writer = age::Encryptor::with_recipients(recipients)?.wrap_output(&mut sealed)?;
    writer.write_all(&frame)?;
    writer.finish()?;
    if sealed.len() as u64 > BODY_BYTES_MAX {
        return Err(SealError::TooLarge(sealed.len()));
    }
    Ok(sealed)
}

/// Opens what [`seal`] made, with the first of `identities` that fits. The message is wiped from
/// memory when dropped.
///
/// # Errors
/// [`OpenError`], apart for what is somebody else's, what is broken, and what was badly padded.
pub fn open(sealed: &[u8], identities: &[&Identity]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let identities: Vec<&dyn age::Identity> =
        identities.iter().map(|identity| *identity as &dyn age::Identity).collect();
    open_by(sealed, &identities)
}

fn open_by(
    sealed: &[u8],
    identities: &[&dyn age::Identity],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if sealed.len() as u64 > BODY_BYTES_MAX {
        return Err(OpenError::Malformed("larger than a body may be"));
    }
    check_header(sealed)?;
    let mut reader = age::Decryptor::new_buffered(sealed)
        .and_then(|decryptor| decryptor.decrypt(identities.iter().copied()))
        .map_err(|refused| match refused {
            age::DecryptError::NoMatchingKeys => OpenError::NotForUs,
            age::DecryptError::InvalidMac => OpenError::Malformed("the header was altered"),
            age::DecryptError::UnknownFormat => OpenError::Malformed("not version 1 of age"),
            _ => OpenError::Malformed("the header is not as age has it"),
        })?;
    // The plaintext is shorter than the file: with this capacity it is never moved, and so leaves
    // no copy behind that is not wiped.
    let mut frame = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader
        .read_to_end(&mut frame)
        .map_err(|_| OpenError::Malformed("the payload was cut or altered"))?;
    Ok(Zeroizing::new(padding::unpad(&frame)?.to_vec()))
}

/// Bounds the header before age parses it: age parses it anew from its start at each further
/// line, so that a body of a million short lines would hold its reader up for hours.
fn check_header(sealed: &[u8]) -> Result<(), OpenError> {
    let start = sealed.get(..HEADER_BYTES_MAX).unwrap_or(sealed);
    let mut lines = start.split(|byte| *byte == b'\n').take(HEADER_LINES_MAX);
    if lines.any(|line| line.starts_with(b"---")) {
        Ok(())
    } else {
        Err(OpenError::Malformed("the header does not end within its limit"))
    }
}

/// An unsealed body: 32 random bytes, then the message.
pub fn salt(message: &[u8], rng: &mut impl CryptoRngCore) -> Vec<u8> {
    let mut body = vec![0; SALT_BYTES];
    rng.fill_bytes(&mut body);
    body.extend_from_slice(message);
    body
}

/// The message of an unsealed body.
pub fn unsalt(body: &[u8]) -> Result<&[u8], SaltError> {
    body.split_first_chunk::<SALT_BYTES>().map(|(_, message)| message).ok_or(SaltError)
}

#[cfg(test)]
mod tests;
