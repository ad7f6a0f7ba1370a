//! Answering for bodies: one chunk, to those who may have it, or the reason why not.
//!
//! An addressed body is given for a token, and by its author alone: a body is stored by its digest,
//! which anyone may commit to in a log of its own, with tags of its own. For the same reason a sealed
//! body is never given as a public one. Whether a body is here or was erased is told only to those
//! who may have it: a holder that is not the author answers for a sealed body, and for an erased one,
//! as if it had never had it. Otherwise a commitment to the digest of another's body would tell who
//! has that body, and so to whom it was addressed.

use rand_core::CryptoRngCore;
use tutti_proto::v1::{self, body_unavailable::Reason};

use super::{Exchange, FrameKind, Misbehaved, Part, Sender, Step, bodies::key};
use crate::{
    entry::{Entry, Visibility},
    limits::CHUNK_BYTES_MAX,
    sealing::routing::{Token, admits},
    society::Origin,
    store::{BodyState, Reader},
};

/// How a sealed body begins, and one that is not sealed never does: its first 32 bytes are random.
const SEALED: &[u8] = b"age-encryption.org/";

impl Exchange {
    /// Answers with one chunk, or with why not.
    pub(super) fn body_wanted<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        want: &v1::WantBody,
    ) -> Result<(), Misbehaved> {
        let (origin, index, part) = key(from, &want.origin, want.index, want.part)?;
        let token = match want.token.as_slice() {
            [] => None,
            token => Some(token.try_into().map_err(|_| from.wrong("token"))?),
        };
        if !want.offset.is_multiple_of(CHUNK_BYTES_MAX as u64) {
            return Err(from.wrong("offset"));
        }
        let own = origin == self.settings.origin;
        let token = token.as_ref().filter(|_| own);
        let served =
            serve(step.store, &origin, index, part, token, want.offset).map_err(|reason| {
                if reason == Reason::Erased && !own { Reason::Absent } else { reason }
            });
        step.send(
            from.link,
            match served {
                Ok(data) => FrameKind::BodyChunk(v1::BodyChunk {
                    origin: want.origin.clone(),
                    index,
                    part: want.part,
                    offset: want.offset,
                    data,
                }),
                Err(reason) => FrameKind::BodyUnavailable(v1::BodyUnavailable {
                    origin: want.origin.clone(),
                    index,
                    part: want.part,
                    reason: reason.into(),
                }),
            },
        );
        Ok(())
    }
}

/// One chunk for one who may have it. Whether the body is here or erased is told only to them.
fn serve(
    store: &impl Reader,
    origin: &Origin,
    index: u64,
    part: Part,
    token: Option<&Token>,
    offset: u64,
) -> Result<Vec<u8>, Reason> {
    let entries = store.entries(origin, index, 1, usize::MAX).map_err(|_| Reason::Absent)?;
    let entry = entries.first().ok_or(Reason::Absent)?;
    let entry = Entry::parse(entry.as_slice()).map_err(|_| Reason::Refused)?;
    let header = entry.header().ok_or(Reason::Refused)?;
    let admitted = match header.visibility {
        Visibility::Public | Visibility::Federation => true,
        Visibility::Addressed => token.is_some_and(|token| admits(token, &header.tags)),
    };
    let commitment = match part {
        Part::Record => Some(header.record),
        Part::Content => header.content,
    };
    let commitment = commitment.filter(|_| admitted).ok_or(Reason::Refused)?;
    match store.body_state(&commitment.digest) {
        BodyState::Erased => return Err(Reason::Erased),
        BodyState::Absent => return Err(Reason::Absent),
        BodyState::Present => {}
    }
    let begins = store.body(&commitment.digest, 0, SEALED.len()).map_err(|_| Reason::Absent)?;
    if header.visibility != Visibility::Addressed && begins.as_deref() == Some(SEALED) {
        return Err(Reason::Absent);
    }
    match store.body(&commitment.digest, offset, CHUNK_BYTES_MAX) {
        Ok(Some(data)) if !data.is_empty() => Ok(data),
        Ok(_) | Err(_) => Err(Reason::Absent),
    }
}
