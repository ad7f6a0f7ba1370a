//! The two bodies of an addressed entry, sealed so that they differ from those of no other.
//!
//! Whoever may not read an entry, a relay that keeps its bodies too, sees two age files. Their sizes
//! are those of one rung of the padding's ladder, and the number of their stanzas follows from the
//! number of tags alone: what is missing to it is made up by *decoys*. A decoy is a stanza like any
//! other, wrapped to a key that is thrown away, around 16 random bytes in place of the file key: it
//! opens nothing, for anybody, ever. Random bytes would not do for one, for those of a real stanza
//! are not random: half of them is a compressed ML-KEM ciphertext, and the rest a point of a curve.
//!
//! Invariants: the record is sealed to the parties' case and audit keys, the content to their case
//! keys alone; the place of a stanza is drawn at random.
//!
//! Source: `docs/protocol.md`, "Bodies"; ADR 9.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;

use super::{Identity, Recipient, SealError, encrypt, hybrid::Decoy, padding, routing::tag_count};

/// The keys of a society that a body may be sealed to.
#[derive(Debug, Clone)]
pub struct Party {
    /// Opens records and contents.
    pub case: Recipient,
    /// Opens records.
    pub audit: Recipient,
}

/// The bodies of an addressed entry.
#[derive(Debug)]
pub struct Sealed {
    /// For the parties and their auditors.
    pub record: Vec<u8>,
    /// For the parties.
    pub content: Vec<u8>,
}

/// How many stanzas the record and the content of an entry with `tags` tags have: two and one for
/// each society that there is room for, and for the author.
pub fn stanzas(tags: usize) -> (usize, usize) {
    (2 * (tags + 1), tags + 1)
}

/// Seals an entry's record and content to `parties`, the author among them.
///
/// # Errors
/// [`SealError`]; on any nothing was sealed to anybody.
pub fn seal_both(
    record: &[u8],
    content: &[u8],
    parties: &[Party],
    rng: &mut impl CryptoRngCore,
) -> Result<Sealed, SealError> {
    let addressees = parties.len().checked_sub(1).ok_or(SealError::NoRecipient)?;
    let tags = tag_count(addressees).ok_or(SealError::TooManyRecipients(2 * parties.len()))?;
    let too_large = SealError::TooLarge(record.len().max(content.len()));
    let (record_frame, content_frame) =
        padding::frames(record.len(), content.len()).ok_or(too_large)?;
    let (of_record, of_content) = stanzas(tags);
    let case = || parties.iter().map(|party| &party.case);
    let both: Vec<_> = case().chain(parties.iter().map(|party| &party.audit)).collect();
    Ok(Sealed {
        record: seal_among_decoys(record, record_frame, &both, of_record, rng)?,
        content: seal_among_decoys(
            content,
            content_frame,
            &case().collect::<Vec<_>>(),
            of_content,
            rng,
        )?,
    })
}

fn seal_among_decoys(
    message: &[u8],
    frame_bytes: usize,
    recipients: &[&Recipient],
    stanzas: usize,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, SealError> {
    let recipients: BTreeSet<&Recipient> = recipients.iter().copied().collect();
    let missing = stanzas.saturating_sub(recipients.len());
    let decoys: Vec<Decoy> = match missing {
        0 => Vec::new(),
        _ => {
            // One key does for all of a body: a stanza does not show whose key it is for.
            let key = Identity::generate(rng).recipient();
            let mut decoy = || Decoy::around_nothing(&key, rng);
            (0..missing).map(|_| decoy()).collect()
        }
    };
    let real = recipients.into_iter().map(|key| key as &dyn age::Recipient);
    let all = real.chain(decoys.iter().map(|decoy| decoy as &dyn age::Recipient));
    // Sorting by random keys shuffles without bias; 64 bits make a tie one in 10^17.
    let mut placed: Vec<(u64, &dyn age::Recipient)> =
        all.map(|recipient| (rng.next_u64(), recipient)).collect();
    placed.sort_by_key(|(place, _)| *place);
    encrypt(message, frame_bytes, placed.into_iter().map(|(_, recipient)| recipient))
}

#[cfg(test)]
#[path = "addressed_tests.rs"]
mod tests;
