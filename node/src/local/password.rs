//! Passwords and start codes: argon2id.
//!
//! People choose passwords, so each guess must cost: argon2id with OWASP's parameters (19 MiB, two
//! passes). Tokens need none of it: 256 random bits are not guessed. Hashing takes tens of
//! milliseconds and is done outside the engine's thread. How wrong ones are slowed: [`super::guesses`].

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _, password_hash::SaltString,
};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

/// The shortest password, characters.
pub const PASSWORD_MIN: usize = 10;

/// The longest, bytes: argon2 hashes any, a client may not make it hash megabytes.
pub const PASSWORD_MAX: usize = 1024;

/// The hash of a password.
pub fn hash(password: &str, salt: &[u8; 16]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether it is the password of that hash.
pub fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// A start code: 80 random bits in groups that can be read out.
pub(super) fn start_code(rng: &mut impl CryptoRngCore) -> Zeroizing<String> {
    let mut bytes = [0; 10];
    rng.fill_bytes(&mut bytes);
    let groups: Vec<String> = bytes.chunks(2).map(hex::encode).collect();
    Zeroizing::new(groups.join("-"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_takes_its_password_alone() {
        let hash = hash("correct horse", &[1; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches("correct horse", &hash) && !matches("correct house", &hash));
        assert!(!matches("x", "no hash"));
    }
}
