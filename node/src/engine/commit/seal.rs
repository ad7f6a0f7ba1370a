//! From a draft to an entry: the record sealed to the parties and their auditors, the content to
//! the parties alone, and tags by which the addressees know it.

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    body::{Body, Part, Place},
    entry::{Header, Visibility},
    limits::{BODY_BYTES_MAX, SEALED_RECORD_BYTES_MAX},
    roster::Member,
    sealing::{self, Party, SealError, routing},
    society::Society,
    store::Store,
};
use tutti_proto::v1;
use zeroize::Zeroizing;

use super::{Engine, Prepared, Receipt, Refused, draft::Draft};
use crate::local::Actor;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Seals a draft and makes its entry, which will be the one `after` further than the log's end: in
    /// the name of one person and, where a second has approved it, of both.
    pub(super) fn seal(
        &mut self,
        (by, approver): (&Actor, &str),
        key: [u8; 16],
        draft: Draft,
        after: u64,
        now_ms: u64,
    ) -> Result<Prepared, Refused> {
        let origin = self.identity.origin.clone();
        let index = self.store.tree(&origin).size() + after;
        let record = v1::Record {
            origin: origin.to_string(),
            event_id: key.to_vec(),
            actor: by.pseudonym().into(),
            approver: approver.into(),
            addressees: draft.addressees.iter().map(Society::to_string).collect(),
            has_content: draft.content.is_some(),
            event: Some(draft.event),
        };
        let parties = self.parties(&draft.addressees)?;
        let record_bytes = record.encode_to_vec();
        let mut bodies = Vec::with_capacity(2);
        let body = |part, bytes: &[u8]| Body::new(Place::new(&origin, index, part), bytes);
        let mut tags = Vec::new();
        match draft.visibility {
            Visibility::Public | Visibility::Federation => {
                let salted = sealing::salt(&record_bytes, &mut self.rng);
                if salted.len() as u64 > BODY_BYTES_MAX {
                    return Err(too_large(salted.len()));
                }
                bodies.push(body(Part::Record, &salted));
            }
            Visibility::Addressed => {
                if record_bytes.len() > SEALED_RECORD_BYTES_MAX {
                    return Err(Refused::Invalid(format!(
                        "its codes and names of fields are {} bytes, more than the \
                         {SEALED_RECORD_BYTES_MAX} that others read; nothing was written. Shorten \
                         its lists",
                        record_bytes.len()
                    )));
                }
                // There is always a content: whether it says something is nobody else's business.
                let content = v1::Content {
                    origin: origin.to_string(),
                    event_id: key.to_vec(),
                    content: draft.content,
                };
                let message = Zeroizing::new(content.encode_to_vec());
                let keys: Vec<Party> = parties
                    .iter()
                    .map(|m| Party { case: m.case_key.clone(), audit: m.audit_key.clone() })
                    .collect();
                let sealed = sealing::seal_both(&record_bytes, &message, &keys, &mut self.rng)
                    .map_err(not_sealed)?;
                bodies.push(body(Part::Record, &sealed.record));
                bodies.push(body(Part::Content, &sealed.content));
                let keys: Vec<_> = parties
                    .iter()
                    .filter(|member| member.society != self.identity.society)
                    .map(|member| member.routing_key)
                    .collect();
                let secret = &self.identity.keyring.routing;
                tags = routing::tags(secret, &keys, &origin, index, &mut self.rng)
                    .map_err(|error| Refused::Internal(error.to_string()))?;
            }
        }
        let mut commitments = bodies.iter().map(Body::commitment);
        let record_commitment = commitments
            .next()
            .ok_or_else(|| Refused::Internal("an entry without a record".into()))?;
        let header = Header {
            origin: origin.clone(),
            index,
            recorded_at_ms: now_ms,
            visibility: draft.visibility,
            record: record_commitment,
            content: commitments.next(),
            tags,
        };
        let receipt = Receipt { id: draft.id, origin, index, recorded_at_ms: now_ms };
        let entry = header.encode();
        Ok(Prepared { key, entry, header, bodies, record, receipt })
    }

    /// The addressees and this society, by the roster.
    fn parties(&self, addressees: &[Society]) -> Result<Vec<Member>, Refused> {
        let member = |society: &Society| {
            self.roster.member(*society).cloned().ok_or_else(|| {
                Refused::NotAllowed(format!(
                    "{society} is not in the roster, so nothing can be sealed to it; nothing was \
                     written. Install the newest roster"
                ))
            })
        };
        addressees.iter().chain([&self.identity.society]).map(member).collect()
    }
}

fn too_large(bytes: usize) -> Refused {
    Refused::Invalid(format!(
        "the text is {bytes} bytes with all its languages, more than {BODY_BYTES_MAX}; nothing was \
         written. Shorten it"
    ))
}

fn not_sealed(error: SealError) -> Refused {
    match error {
        SealError::TooLarge(bytes) => too_large(bytes),
        SealError::NoRecipient
        | SealError::TooManyRecipients(_)
        | SealError::Age(_)
        | SealError::Write(_) => Refused::Internal(format!("nothing was written: {error}")),
    }
}
