//! Who may use the API from elsewhere: whoever shows a token whose hash is in the file.
//!
//! Tokens are random, so a plain SHA-256 keeps them; the file alone lets nobody in.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use tonic::{Request, Status, service::Interceptor};

use super::remote::Caller;

/// Why the tokens were not read.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// Missing or unreadable.
    #[error(
        "tokens file {path}: {source}; nothing was started. Write into it the SHA-256 of a token, \
         or leave api.listen empty"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may write it.
    #[error("tokens file {0} may be written by others; nothing was started. Run: chmod 600 {0}")]
    Mode(PathBuf),
    /// A line is none.
    #[error(
        "tokens file {path}, line {line}, is no SHA-256 in hexadecimal; nothing was started. \
         Correct the line"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// It lets nobody in.
    #[error(
        "tokens file {0} lists no token; nothing was started. Write into it the SHA-256 of a \
         token, or leave api.listen empty"
    )]
    None(PathBuf),
}

/// The hashes of all tokens that are let in.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<[[u8; 32]]>);

impl Tokens {
    /// Reads the file: a SHA-256 in hexadecimal a line, then anything after a space; lines that
    /// begin with `#` say nothing.
    pub(crate) fn read(path: &Path) -> Result<Self, TokensError> {
        let io = |source| TokensError::Io { path: path.into(), source };
        if fs::metadata(path).map_err(io)?.permissions().mode() & 0o022 != 0 {
            return Err(TokensError::Mode(path.into()));
        }
        let text = fs::read_to_string(path).map_err(io)?;
        let mut hashes = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let Some(hash) = line.split_whitespace().next().filter(|word| !word.starts_with('#'))
            else {
                continue;
            };
            let mut bytes = [0; 32];
            hex::decode_to_slice(hash, &mut bytes)
                .map_err(|_| TokensError::Line { path: path.into(), line: number })?;
            hashes.push(bytes);
        }
        if hashes.is_empty() {
            return Err(TokensError::None(path.into()));
        }
        Ok(Self(hashes.into()))
    }

    /// Looks at every hash and every byte of it, whatever they are.
    fn admit(&self, token: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(token).into();
        self.0.iter().fold(false, |found, hash| {
            let differ = hash.iter().zip(&shown).fold(0, |all, (a, b)| all | (a ^ b));
            found | (std::hint::black_box(differ) == 0)
        })
    }
}

impl Interceptor for Tokens {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.admit(token)) {
            return Err(Status::unauthenticated(
                "the token is not known here; nothing was done. Ask the node's administrator",
            ));
        }
        if let Some(caller) = request.extensions().get::<Caller>() {
            caller.admitted();
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_file_is_checked_and_only_its_tokens_are_let_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api-tokens");
        assert!(matches!(Tokens::read(&path), Err(TokensError::Io { .. })));
        fs::write(&path, "# nobody\n\n").unwrap();
        assert!(matches!(Tokens::read(&path), Err(TokensError::None(_))));
        let hash = hex::encode(Sha256::digest("secret"));
        fs::write(&path, format!("# office\n{hash} the office\n")).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert!(tokens.admit("secret") && !tokens.admit("secre") && !tokens.admit(""));
        fs::write(&path, format!("{hash}\n{}\n", &hash[1..])).unwrap();
        assert!(matches!(Tokens::read(&path), Err(TokensError::Line { line: 2, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o662)).unwrap();
        assert!(matches!(Tokens::read(&path), Err(TokensError::Mode(_))));
    }
}
