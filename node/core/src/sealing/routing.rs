//! Routing: an addressee, and no one else, sees that an entry is addressed to it.
//!
//! Two societies share a [`PairKey`] by their static X25519 keys. From it, for each entry and
//! slot, comes a *token*; the entry carries the token's hash, a *tag*. An addressee finds its slot
//! by computing ([`claim`]); a relay that is shown the token checks it against the tags
//! ([`admits`]) and learns nothing else. Invariants: a [`RoutingKey`] is one that gives a shared
//! secret, in its one encoding; a list of tags is 0, 2, 4 or 8 long, so that it shows the number
//! of addressees only roughly, and dummies look like any other. This module must not learn what
//! is addressed.
//!
//! Source: `docs/protocol.md`, "Routing tags".

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{limits::TAGS_MAX, society::Origin};

const PAIR_INFO: &[u8] = b"tutti/v1/routing-pair\0";
const TOKEN_INFO: &[u8] = b"tutti/v1/routing-token\0";
const RECEIPT_INFO: &[u8] = b"tutti/v1/routing-receipt\0";
const KEY_BYTES: usize = 32;

/// What an addressee shows to claim a body.
pub type Token = [u8; 32];
/// What shows the author that its addressee holds the bodies.
pub type Receipt = [u8; 32];
/// What an entry carries for each slot.
pub type Tag = [u8; 16];

/// Why a routing key or a list of addressees was refused. Never repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoutingError {
    /// Not canonical base64 of 32 bytes.
    #[error("routing key is not 32 bytes in canonical base64")]
    Encoding,
    /// A point of small order or not in its one encoding: the shared secret would be known to all,
    /// or one key could stand in a roster twice.
    #[error("routing key is weak or not in its canonical encoding")]
    Weak,
    /// More than an entry has slots for.
    #[error("an entry has at most {TAGS_MAX} addressees, not {0}")]
    TooMany(usize),
    /// Named twice: the number of tags would tell more than it should.
    #[error("an addressee is named twice")]
    Twice,
}

fn key_bytes(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, RoutingError> {
    // This engine wants padding and refuses set trailing bits: one key, one text.
    let bytes = BASE64_STANDARD.decode(text).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| RoutingError::Encoding)?;
    <[u8; KEY_BYTES]>::try_from(&bytes[..]).map(Zeroizing::new).map_err(|_| RoutingError::Encoding)
}

/// A society's public routing key: an X25519 point of 32 bytes, by text in base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingKey([u8; KEY_BYTES]);

impl RoutingKey {
    /// Admits a key that gives a shared secret and is encoded as RFC 7748 encodes it.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Result<Self, RoutingError> {
        // The field's prime is 2^255 - 19: little-endian ed, ff thirty times, 7f.
        let [low, middle @ .., high] = bytes;
        let above_prime = high == 0x7f && middle.iter().all(|b| *b == 0xff) && low >= 0xed;
        // Clamping makes every secret a multiple of eight, so one secret finds each weak point.
        let probe = StaticSecret::from([0x77; KEY_BYTES]);
        let shared = probe.diffie_hellman(&PublicKey::from(bytes));
        if high >= 0x80 || above_prime || !shared.was_contributory() {
            return Err(RoutingError::Weak);
        }
        Ok(Self(bytes))
    }

    /// The point as RFC 7748 encodes it.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl FromStr for RoutingKey {
    type Err = RoutingError;

    fn from_str(text: &str) -> Result<Self, RoutingError> {
        Self::from_bytes(*key_bytes(text)?)
    }
}

impl fmt::Display for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for RoutingKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for RoutingKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A society's secret routing key. Wiped when dropped.
pub struct RoutingSecret(StaticSecret);

impl RoutingSecret {
    /// Draws a new key from `rng`.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(StaticSecret::random_from_rng(rng))
    }

    /// The public half.
    pub fn public(&self) -> RoutingKey {
        // A clamped multiple of the base point is never of small order.
        RoutingKey(PublicKey::from(&self.0).to_bytes())
    }

    /// The key that this society shares with the one of `other`; both compute the same.
    pub fn pair(&self, other: &RoutingKey) -> PairKey {
        let shared = self.0.diffie_hellman(&PublicKey::from(other.0));
        let ours = self.public();
        let (low, high) = if ours < *other { (&ours, other) } else { (other, &ours) };
        let mut key = PairKey([0; 32]);
        Hkdf::<Sha256>::new(None, shared.as_bytes())
            .expand_multi_info(&[PAIR_INFO, &low.0, &high.0], &mut key.0)
            .expect("32 bytes are within what HKDF gives");
        key
    }

    /// Base64, to be kept in a key file alone.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(self.0.as_bytes()))
    }
}

impl FromStr for RoutingSecret {
    type Err = RoutingError;

    fn from_str(text: &str) -> Result<Self, RoutingError> {
        Ok(Self(StaticSecret::from(*key_bytes(text)?)))
    }
}

impl fmt::Debug for RoutingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoutingSecret(..)")
    }
}

/// What two societies share: from it come the tokens of all that one addresses to the other.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PairKey([u8; 32]);

impl fmt::Debug for PairKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairKey(..)")
    }
}

/// The token for one `slot` of the entry at `index` in the log `origin`.
pub fn token(pair: &PairKey, origin: &Origin, index: u64, slot: u8) -> Token {
    of_slot(before_slot(TOKEN_INFO, pair, origin, index), slot)
}

/// What an addressee says once it holds all bodies of an entry. Nobody but the author and that
/// addressee can make it, so that it may go through others' hands.
pub fn receipt(pair: &PairKey, origin: &Origin, index: u64, slot: u8) -> Receipt {
    of_slot(before_slot(RECEIPT_INFO, pair, origin, index), slot)
}

/// What the tokens, or the receipts, of all slots of an entry have in common.
fn before_slot(info: &[u8], pair: &PairKey, origin: &Origin, index: u64) -> Hmac<Sha256> {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(&pair.0).expect("HMAC takes a key of any length");
    mac.update(info);
    mac.update(origin.as_str().as_bytes());
    mac.update(&[0]);
    mac.update(&index.to_be_bytes());
    mac
}

fn of_slot(mut mac: Hmac<Sha256>, slot: u8) -> Token {
    mac.update(&[slot]);
    mac.finalize().into_bytes().into()
}

/// The tag that an entry carries for `token`: the first 16 bytes of its SHA-256.
pub fn tag(token: &Token) -> Tag {
    let mut tag = Tag::default();
    tag.iter_mut().zip(Sha256::digest(token)).for_each(|(to, from)| *to = from);
    tag
}

/// How many tags an entry with `addressees` carries; none above the limit.
pub(super) fn tag_count(addressees: usize) -> Option<usize> {
    match addressees {
        0 => Some(0),
        1..=2 => Some(2),
        3..=4 => Some(4),
        5..=TAGS_MAX => Some(TAGS_MAX),
        _ => None,
    }
}

/// The tags of the entry at `index` in the author's log `origin`: one for each addressee, at
/// random places among random dummies, 0, 2, 4 or 8 in all.
///
/// # Errors
/// [`RoutingError::TooMany`] above eight, [`RoutingError::Twice`] for one named twice.
pub fn tags(
    secret: &RoutingSecret,
    addressees: &[RoutingKey],
    origin: &Origin,
    index: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<Tag>, RoutingError> {
    let count = tag_count(addressees.len()).ok_or(RoutingError::TooMany(addressees.len()))?;
    let distinct: std::collections::BTreeSet<&RoutingKey> = addressees.iter().collect();
    if distinct.len() != addressees.len() {
        return Err(RoutingError::Twice);
    }
    // Sorting by random keys shuffles without bias; 64 bits make a tie one in 10^17.
    let mut places: Vec<(u64, u8)> = (0u8..).take(count).map(|s| (rng.next_u64(), s)).collect();
    places.sort_unstable();
    let mut tags = vec![Tag::default(); count];
    for dummy in &mut tags {
        rng.fill_bytes(dummy);
    }
    for ((_, slot), addressee) in places.into_iter().zip(addressees) {
        if let Some(place) = tags.get_mut(usize::from(slot)) {
            *place = tag(&token(&secret.pair(addressee), origin, index, slot));
        }
    }
    Ok(tags)
}

/// The slot that is ours among the `tags` of the entry at `index` in `origin`, and the token to
/// claim its bodies with. `pair` is the key shared with the author.
pub fn claim(pair: &PairKey, origin: &Origin, index: u64, tags: &[Tag]) -> Option<(u8, Token)> {
    if tags.is_empty() {
        return None;
    }
    let mac = before_slot(TOKEN_INFO, pair, origin, index);
    (0u8..).zip(tags.iter().take(TAGS_MAX)).find_map(|(slot, carried)| {
        let token = of_slot(mac.clone(), slot);
        (tag(&token) == *carried).then_some((slot, token))
    })
}

/// Whether `token` claims the bodies of an entry with these `tags`. Timing tells nothing that the
/// tags, which are public, do not.
pub fn admits(token: &Token, tags: &[Tag]) -> bool {
    tags.contains(&tag(token))
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
