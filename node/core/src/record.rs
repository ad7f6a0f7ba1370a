//! Reading what is inside a body: the record and the content.
//!
//! A body whose digest was checked against its entry is opened, decoded through the round-trip
//! gate, and believed only where it names the log that it stands in. Invariants: nothing here
//! decides what a record means; an error never holds any of the message.
//!
//! Source: `docs/protocol.md`, "Record and content".

use prost::Message as _;
use tutti_proto::v1;
use zeroize::Zeroizing;

use crate::{
    entry::{Header, Visibility},
    limits::{LIST_MAX, SEALED_RECORD_BYTES_MAX},
    sealing::{self, Identity, OpenError, RevealedKey},
    society::Society,
};

/// Why a body says nothing to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not for these keys, or not sealed as it must be.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// An unsealed body that is too short.
    #[error(transparent)]
    Salt(#[from] sealing::SaltError),
    /// Not the message that it must be.
    #[error("body is not decodable")]
    Decode,
    /// Fields that this version does not know, or another encoding than the canonical one.
    #[error("body is of a later version, or not in its one canonical encoding")]
    NotCanonical,
    /// Longer lists than any society writes: a short message can hold half a million empty texts.
    #[error("a list in the record has more than {LIST_MAX} items")]
    TooMuch,
    /// Longer than any record that a society seals: it has no free text.
    #[error("the record of an addressed entry is longer than {SEALED_RECORD_BYTES_MAX} bytes")]
    TooLong,
    /// It names another log than the one it stands in.
    #[error("body is of another log than its entry")]
    Origin,
    /// Its addressees do not fit the entry's visibility and tags.
    #[error("record names addressees that its entry has no room for, or none")]
    Addressees,
    /// A content that belongs to another record.
    #[error("content is of another event than the record")]
    Event,
}

/// Opens the record of the entry with this `header`.
///
/// # Errors
/// [`Unreadable`]; the entry counts as one that says nothing.
pub fn open(
    header: &Header,
    body: &[u8],
    identities: &[&Identity],
) -> Result<v1::Record, Unreadable> {
    believe(header, decode(header, body, identities)?)
}

/// The same with the key of a sealed record that was given away.
///
/// # Errors
/// [`Unreadable`]; the entry counts as one that says nothing.
pub fn open_revealed(
    header: &Header,
    body: &[u8],
    key: &RevealedKey,
) -> Result<v1::Record, Unreadable> {
    let message = sealing::open_revealed(body, key)?;
    believe(header, read(&message)?)
}

/// The rules that a record must keep in its entry.
///
/// # Errors
/// [`Unreadable`]; the entry counts as one that says nothing.
pub fn believe(header: &Header, record: v1::Record) -> Result<v1::Record, Unreadable> {
    if lists(&record).into_iter().any(|items| items > LIST_MAX) {
        return Err(Unreadable::TooMuch);
    }
    let sealed = header.visibility == Visibility::Addressed;
    if sealed && record.encoded_len() > SEALED_RECORD_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    if record.origin != header.origin.as_str() {
        return Err(Unreadable::Origin);
    }
    let count = record.addressees.len();
    let fits = match header.visibility {
        Visibility::Public | Visibility::Federation => count == 0,
        Visibility::Addressed => (1..=header.tags.len()).contains(&count),
    };
    if fits { Ok(record) } else { Err(Unreadable::Addressees) }
}

/// The length of every list in a record. What a reader keeps of a record is then no more than a few
/// times its bytes.
fn lists(record: &v1::Record) -> Vec<usize> {
    use v1::{information_event::Transition as I, record::Event, referral_event::Transition as R};
    let mut lists = vec![record.addressees.len()];
    match &record.event {
        None => {}
        Some(Event::Information(event)) => {
            lists.push(event.parties.len());
            match &event.transition {
                Some(I::Published(version) | I::Revised(version)) => {
                    lists.extend([version.texts.len(), version.countries.len()]);
                }
                Some(
                    I::Retracted(_)
                    | I::Superseded(_)
                    | I::Acknowledged(_)
                    | I::Endorsed(_)
                    | I::Disputed(_)
                    | I::ActedOn(_)
                    | I::Translated(_)
                    | I::TakenBack(_),
                )
                | None => {}
            }
        }
        Some(Event::Referral(event)) => match &event.transition {
            Some(R::Sent(sent)) => {
                lists.extend([
                    sent.services_requested.len(),
                    sent.services_provided.len(),
                    sent.vulnerabilities.len(),
                    sent.information_disclosed.len(),
                    sent.information_withheld.len(),
                    sent.restrictions.len(),
                ]);
                lists.extend(sent.consent.iter().flat_map(of_consent));
            }
            Some(R::InformationRequested(asked)) => lists.push(asked.fields.len()),
            Some(R::InformationProvided(given)) => lists.push(given.information_disclosed.len()),
            Some(R::ServiceDelivered(delivered)) => lists.push(delivered.services_delivered.len()),
            Some(R::Reopened(reopened)) => {
                lists.push(reopened.information_disclosed.len());
                lists.extend(reopened.consent.iter().flat_map(of_consent));
            }
            Some(R::ConsentRenewed(renewed)) => {
                lists.extend(renewed.consent.iter().flat_map(of_consent));
            }
            Some(R::Corrected(corrected)) => lists.push(corrected.information_disclosed.len()),
            Some(R::Erased(erased)) => lists.extend([erased.entries.len(), erased.onward.len()]),
            Some(
                R::Acknowledged(_)
                | R::Accepted(_)
                | R::Declined(_)
                | R::Withdrawn(_)
                | R::Closed(_)
                | R::Expired(_)
                | R::ServiceStarted(_)
                | R::AppointmentScheduled(_)
                | R::AppointmentMissed(_)
                | R::Paused(_)
                | R::Resumed(_)
                | R::FollowUp(_)
                | R::Cancelled(_)
                | R::Onward(_)
                | R::HandoverProposed(_)
                | R::HandoverAccepted(_)
                | R::HandoverDeclined(_)
                | R::ConsentWithdrawn(_)
                | R::EnteredInError(_)
                | R::ErasureRequested(_)
                | R::Attached(_),
            )
            | None => {}
        },
    }
    lists
}

fn of_consent(consent: &v1::Consent) -> [usize; 3] {
    [consent.recipients.len(), consent.fields.len(), consent.purposes.len()]
}

/// Opens the content of the entry with this `header`, whose record has this `event_id`.
///
/// # Errors
/// [`Unreadable`]; the content is shown to nobody.
pub fn open_content(
    header: &Header,
    event_id: &[u8; 16],
    body: &[u8],
    identities: &[&Identity],
) -> Result<v1::Content, Unreadable> {
    let content: v1::Content = decode(header, body, identities)?;
    if let Some(v1::content::Content::Information(text)) = &content.content
        && text.texts.len() > LIST_MAX
    {
        return Err(Unreadable::TooMuch);
    }
    if content.origin != header.origin.as_str() {
        return Err(Unreadable::Origin);
    }
    if content.event_id != event_id { Err(Unreadable::Event) } else { Ok(content) }
}

/// The addressees that can be read, for people.
pub fn addressees(record: &v1::Record) -> Vec<Society> {
    record.addressees.iter().filter_map(|code| code.parse().ok()).collect()
}

fn decode<M: prost::Message + Default>(
    header: &Header,
    body: &[u8],
    identities: &[&Identity],
) -> Result<M, Unreadable> {
    let opened;
    let message = match header.visibility {
        Visibility::Public | Visibility::Federation => sealing::unsalt(body)?,
        Visibility::Addressed => {
            opened = sealing::open(body, identities)?;
            opened.as_slice()
        }
    };
    read(message)
}

/// A message through the round-trip gate.
fn read<M: prost::Message + Default>(message: &[u8]) -> Result<M, Unreadable> {
    let decoded = M::decode(message).map_err(|_| Unreadable::Decode)?;
    let again = Zeroizing::new(decoded.encode_to_vec());
    if *again == message { Ok(decoded) } else { Err(Unreadable::NotCanonical) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{entry::tests::header, sealing::salt};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    /// A mebibyte of empty texts decodes to fifty, of which a node would keep three copies for ever.
    #[test]
    fn a_record_that_grows_when_it_is_read_says_nothing() {
        let open = |texts: usize| {
            let version = v1::InformationVersion {
                texts: vec![v1::LocalText::default(); texts],
                ..Default::default()
            };
            let record = v1::Record {
                origin: "m.example.org/ph/1".into(),
                event: Some(v1::record::Event::Information(v1::InformationEvent {
                    information_id: vec![1; 16],
                    transition: Some(v1::information_event::Transition::Published(version)),
                    ..Default::default()
                })),
                ..Default::default()
            };
            let body = salt(&record.encode_to_vec(), &mut ChaCha20Rng::seed_from_u64(1));
            let mut header = header("m.example.org/ph/1", 0);
            header.visibility = Visibility::Federation;
            super::open(&header, &body, &[]).map(|_| ())
        };
        assert_eq!(open(LIST_MAX), Ok(()));
        assert_eq!(open(LIST_MAX + 1), Err(Unreadable::TooMuch));
        assert_eq!(open(500_000), Err(Unreadable::TooMuch));
    }

    /// The record of an addressed entry has no free text. One as long as a body would be in every list of
    /// referrals, a thousand of them to a page.
    #[test]
    fn a_sealed_record_is_no_longer_than_any_that_a_society_writes() {
        let federation = format!("{}.{}", "m".repeat(63), "o".repeat(36));
        let origin = format!("{federation}/ifrc/{}", u32::MAX);
        let mut header = header(&origin, 0);
        header.visibility = Visibility::Addressed;
        let record = |erased: v1::Erased| v1::Record {
            origin: origin.clone(),
            event_id: vec![1; 16],
            actor: "a".repeat(64),
            approver: "a".repeat(64),
            addressees: vec!["ph".into()],
            has_content: false,
            event: Some(v1::record::Event::Referral(v1::ReferralEvent {
                referral_id: vec![1; 16],
                seen: Some(v1::Seen { origin: origin.clone(), index: u64::MAX }),
                transition: Some(v1::referral_event::Transition::Erased(erased)),
            })),
        };
        // The longest that there is: a receipt for as many entries and referrals as one holds.
        let seen = v1::Seen { origin: origin.clone(), index: u64::MAX };
        let onward = v1::OnwardErasure { referral_id: vec![1; 16], stopped: true, confirmed: true };
        let longest = v1::Erased {
            reason: 1,
            on: Some(seen.clone()),
            entries: vec![seen; LIST_MAX],
            onward: vec![onward; LIST_MAX],
            earlier: Some(v1::EarlierErasure { stopped: true, confirmed: true }),
        };
        let bytes = record(longest.clone()).encoded_len();
        assert!((8_000..SEALED_RECORD_BYTES_MAX).contains(&bytes), "{bytes}");
        assert!(believe(&header, record(longest)).is_ok());
        let padded = |bytes: usize| {
            let seen = v1::Seen { origin: "m".repeat(bytes), index: 0 };
            record(v1::Erased { entries: vec![seen], ..Default::default() })
        };
        let around = padded(0).encoded_len();
        let (fits, long) = (padded(SEALED_RECORD_BYTES_MAX - around - 8), padded(1_000_000));
        assert!(believe(&header, fits).is_ok());
        assert_eq!(believe(&header, long.clone()), Err(Unreadable::TooLong));
        // What is for everybody holds its text in its record.
        header.visibility = Visibility::Federation;
        header.tags.clear();
        let open = v1::Record { addressees: Vec::new(), ..long };
        assert!(believe(&header, open).is_ok());
    }
}
