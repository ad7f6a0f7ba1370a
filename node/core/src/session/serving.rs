//! Answering for bodies: one chunk, to those who may have it, or the reason why not.
//!
//! An addressed body is given by whoever holds it for a token of one of its entry's tags: to its
//! author and to those it is addressed to. Whether it is here or was erased is told to them alone: a
//! stranger gets one and the same answer, whatever is held. That nobody is led to answer for another
//! entry's body is seen to by [`crate::body`]: a copied digest finds nothing.

use rand_core::CryptoRngCore;
use tutti_proto::v1::{self, body_unavailable::Reason};

use super::{Exchange, FrameKind, Misbehaved, Sender, Step, bodies::key};
use crate::{
    body::Part,
    entry::{Entry, Visibility},
    limits::CHUNK_BYTES_MAX,
    sealing::routing::{Token, admits},
    society::Origin,
    store::{BodyState, Reader},
};

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
        let lent = origin == self.settings.origin && self.is_lent(step.roster, from.society, index);
        // Lent no more: it has come, or was erased, while that relay had a part of it, or none.
        let over = token.is_none() && !lent && origin == self.settings.origin;
        let shown = Shown { token, lent };
        let served = serve(step.store, &origin, index, part, &shown, want.offset);
        let served_as = served.as_ref().err().copied();
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
        if over && matches!(served_as, Some(Reason::Refused)) {
            self.tell_relay_over(step, from, index);
        }
        Ok(())
    }
}

/// What an asker has to show for an addressed body.
struct Shown {
    token: Option<Token>,
    /// It is a relay, to which we as the author lend it.
    lent: bool,
}

/// One chunk for one who may have it. Whether the body is here or erased is told only to them.
fn serve(
    store: &impl Reader,
    origin: &Origin,
    index: u64,
    part: Part,
    shown: &Shown,
    offset: u64,
) -> Result<Vec<u8>, Reason> {
    let entries = store.entries(origin, index, 1, usize::MAX).map_err(|_| Reason::Absent)?;
    let entry = entries.first().ok_or(Reason::Absent)?;
    let entry = Entry::parse(entry.as_slice()).map_err(|_| Reason::Refused)?;
    let header = entry.header().ok_or(Reason::Refused)?;
    let admitted = match header.visibility {
        Visibility::Public | Visibility::Federation => true,
        Visibility::Addressed => {
            shown.lent || shown.token.is_some_and(|token| admits(&token, &header.tags))
        }
    };
    let key = header.body_key(part).filter(|_| admitted).ok_or(Reason::Refused)?;
    match store.body_state(&key) {
        BodyState::Erased => return Err(Reason::Erased),
        BodyState::Absent => return Err(Reason::Absent),
        BodyState::Present => {}
    }
    match store.body(&key, offset, CHUNK_BYTES_MAX) {
        Ok(Some(data)) if !data.is_empty() => Ok(data),
        Ok(_) | Err(_) => Err(Reason::Absent),
    }
}
