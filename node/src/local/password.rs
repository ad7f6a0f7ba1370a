//! Passwords and start codes: argon2id, and pauses that double with each wrong guess.
//!
//! People choose passwords, so each guess must cost: argon2id with OWASP's parameters (19 MiB, two
//! passes). Tokens need none of it: 256 random bits are not guessed. Hashing takes tens of
//! milliseconds and is done outside the engine's thread.

use std::collections::BTreeMap;

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _, password_hash::SaltString,
};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

/// The shortest password, characters.
pub const PASSWORD_MIN: usize = 10;

/// The longest, bytes: argon2 hashes any, a client may not make it hash megabytes.
pub const PASSWORD_MAX: usize = 1024;

/// Wrong guesses before the pauses begin.
const FREE_GUESSES: u32 = 5;

/// The longest pause, milliseconds.
const PAUSE_MAX_MS: u64 = 15 * 60 * 1000;

/// Names whose guesses are counted at once: a guesser of names must not fill the memory.
const NAMES_MAX: usize = 1024;

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

/// What somebody must wait for.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// By name: wrong ones so far, and until when no other is heard.
    wrong: BTreeMap<String, (u32, u64)>,
}

impl Guesses {
    /// Counts a guess before it is looked at, so that many at once count as many. `Err`: not
    /// before that time. `Ok(n)`: it is the n-th since the last good one.
    pub(super) fn begin(&mut self, name: &str, now_ms: u64) -> Result<u32, u64> {
        let (count, until) = self.wrong.get(name).copied().unwrap_or_default();
        if now_ms < until {
            return Err(until);
        }
        if !self.wrong.contains_key(name) && self.wrong.len() >= NAMES_MAX {
            // Who must wait the least is forgotten.
            let least = self.wrong.iter().min_by_key(|(_, (count, until))| (*until, *count));
            if let Some(least) = least.map(|(name, _)| name.clone()) {
                self.wrong.remove(&least);
            }
        }
        let count = count.saturating_add(1);
        let pause = match count.checked_sub(FREE_GUESSES) {
            None => 0,
            Some(more) => 1000u64.saturating_mul(1 << more.min(20)).min(PAUSE_MAX_MS),
        };
        self.wrong.insert(name.into(), (count, now_ms.saturating_add(pause)));
        Ok(count)
    }

    /// It was the right one.
    pub(super) fn good(&mut self, name: &str) {
        self.wrong.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ten_thousand_guesses_take_months() {
        let (mut guesses, mut now_ms) = (Guesses::default(), 0);
        for _ in 0..10_000 {
            while let Err(until) = guesses.begin("maria", now_ms) {
                now_ms = until;
            }
        }
        let days = now_ms / 86_400_000;
        assert!(days > 90, "{days} days");
        // Another's pauses are another's, and the right one ends them.
        guesses.begin("jose", now_ms).unwrap();
        guesses.good("maria");
        guesses.begin("maria", now_ms).unwrap();
    }

    #[test]
    fn guessing_names_fills_no_memory() {
        let mut guesses = Guesses::default();
        for n in 0..3 * NAMES_MAX {
            guesses.begin(&format!("name {n}"), 0).unwrap();
        }
        assert!(guesses.wrong.len() <= NAMES_MAX);
    }

    #[test]
    fn a_hash_is_argon2id_and_takes_its_password_alone() {
        let hash = hash("correct horse", &[1; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches("correct horse", &hash) && !matches("correct house", &hash));
        assert!(!matches("x", "no hash"));
    }
}
