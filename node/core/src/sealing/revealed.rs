//! The key of one sealed body, given away: whoever has it opens that one body, and nothing else.
//!
//! Each age file has a *file key* of its own, drawn at random; the recipients' keys only wrap it.
//! Given away, it proves to anybody what the committed bytes say: the header's MAC is made with it,
//! so that no second key fits the same file. Invariant: only a key that opened the file is given
//! away. It must never be that of a content: what was revealed cannot be taken back.
//!
//! Source: C2SP `age.md`, "File key" and "Header MAC"; `docs/protocol.md`, "Evidence with the
//! record".

use std::cell::RefCell;

use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Identity, OpenError, open_by};

/// See the module.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RevealedKey([u8; FILE_KEY_BYTES]);

impl RevealedKey {
    /// A key that was given away.
    pub fn from_bytes(bytes: [u8; FILE_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; FILE_KEY_BYTES] {
        &self.0
    }

    fn file_key(&self) -> FileKey {
        FileKey::init_with_mut(|to| to.copy_from_slice(&self.0))
    }
}

impl std::fmt::Debug for RevealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RevealedKey(..)")
    }
}

/// Fits every stanza; whether it fits the file, the MAC tells.
impl age::Identity for RevealedKey {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        Some(Ok(self.file_key()))
    }
}

/// An identity that remembers the last file key which it unwrapped.
struct Remembering<'a> {
    identity: &'a Identity,
    last: RefCell<Option<RevealedKey>>,
}

impl age::Identity for Remembering<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        let unwrapped = self.identity.unwrap_stanza(stanza);
        if let Some(Ok(key)) = &unwrapped {
            *self.last.borrow_mut() = Some(RevealedKey(*key.expose_secret()));
        }
        unwrapped
    }
}

/// The key of the sealed body, where `identity` opens it.
///
/// # Errors
/// [`OpenError`], as [`super::open`].
pub fn reveal(sealed: &[u8], identity: &Identity) -> Result<RevealedKey, OpenError> {
    let identity = Remembering { identity, last: RefCell::new(None) };
    open_by(sealed, &[&identity])?;
    identity.last.into_inner().ok_or(OpenError::NotForUs)
}

/// Opens a sealed body with the key of it that was given away.
///
/// # Errors
/// [`OpenError`]; a key of another body is told as an altered header.
pub fn open_revealed(sealed: &[u8], key: &RevealedKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    open_by(sealed, &[key])
}
