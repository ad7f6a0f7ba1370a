//! The gate at which a request becomes somebody's: from the token to the [`Actor`].
//!
//! The engine sets who is let in after each change; the services only look. Tokens are 256 random
//! bits, so that a plain SHA-256 hides them and there is nothing to guess; passwords are another
//! matter ([`super::password`]).

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Actor;

/// With what every token begins, so that one that leaks is found.
const PREFIX: &str = "tutti_";

/// What one token admits.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    pub(super) actor: Actor,
    pub(super) token: [u8; 8],
    pub(super) expires_ms: u64,
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<RwLock<BTreeMap<[u8; 32], Pass>>>);

/// A token was shown that is good: who asks, and by which token.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Who.
    pub actor: Actor,
    /// Which token; for showing and revoking.
    pub token: [u8; 8],
    hash: [u8; 32],
}

impl Gate {
    /// Who shows this token; `None` where it is none, or its time is over.
    pub fn admit(&self, token: &str, now_ms: u64) -> Option<Admitted> {
        self.look(hash(token), now_ms)
    }

    /// Whether the token is still good: for what goes on for long.
    pub fn again(&self, admitted: &Admitted, now_ms: u64) -> Option<Admitted> {
        self.look(admitted.hash, now_ms)
    }

    fn look(&self, hash: [u8; 32], now_ms: u64) -> Option<Admitted> {
        let passes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let pass = passes.get(&hash)?;
        let good = pass.expires_ms == 0 || now_ms < pass.expires_ms;
        good.then(|| Admitted { actor: pass.actor.clone(), token: pass.token, hash })
    }

    pub(super) fn set(&self, passes: BTreeMap<[u8; 32], Pass>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = passes;
    }
}

/// A new token.
pub(super) fn draw(rng: &mut impl CryptoRngCore) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *bytes);
    Zeroizing::new(format!("{PREFIX}{}", hex::encode(*bytes)))
}

/// What is kept of a token.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.trim()).into()
}
