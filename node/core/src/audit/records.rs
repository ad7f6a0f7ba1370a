//! Records: what happened, without personal data. Opened where a key was given or none is needed.

use std::collections::BTreeSet;

use tutti_proto::v1;

use super::{Code, Findings, Records, walk::Walked, workflow::Workflow};
use crate::{
    entry::{Header, Visibility},
    information,
    record::{self, Unreadable},
    referral::{self, EventRef},
    roster::Roster,
    sealing::{Identity, OpenError},
    society::Origin,
};

/// Reads records one after the other, and follows what they tell of.
pub(super) struct Reading<'a> {
    origin: Origin,
    key: Option<&'a Identity>,
    /// Whether a record that the key does not open may still belong to a referral of its society.
    key_may_miss: bool,
    key_unknown: bool,
    records: Records,
    workflow: Workflow,
    /// Records that could not be read: addressed ones, and those in clear.
    missed_addressed: u64,
    missed_clear: u64,
}

impl<'a> Reading<'a> {
    pub(super) fn new(origin: Origin, key: Option<&'a Identity>, chain: &[Roster]) -> Self {
        let recipient = key.map(Identity::recipient);
        let members = || chain.iter().flat_map(Roster::members);
        let owner = members()
            .find(|member| Some(&member.audit_key) == recipient.as_ref())
            .map(|member| member.society);
        // Every record of a referral is sealed to both parties' audit keys. Only a society that
        // changed its key, or whose own log this is, has records that a key of its should open
        // and does not.
        let keys: BTreeSet<_> = members()
            .filter(|member| Some(member.society) == owner)
            .map(|member| &member.audit_key)
            .collect();
        Self {
            key_may_miss: owner == Some(origin.society()) || keys.len() != 1,
            key_unknown: key.is_some() && owner.is_none(),
            origin,
            key,
            records: Records::default(),
            workflow: Workflow::default(),
            missed_addressed: 0,
            missed_clear: 0,
        }
    }

    /// Notes that a record could not be read; `None` where it may be of any visibility.
    pub(super) fn missed(&mut self, visibility: Option<Visibility>) {
        if visibility.is_none_or(|visibility| visibility == Visibility::Addressed) {
            self.missed_addressed += 1;
        }
        if visibility.is_none_or(|visibility| visibility != Visibility::Addressed) {
            self.missed_clear += 1;
        }
    }

    /// Opens the record of one entry, whose digest was checked.
    pub(super) fn read(&mut self, header: &Header, body: &[u8], findings: &mut Findings) {
        let identities: Vec<&Identity> = self.key.into_iter().collect();
        if header.visibility == Visibility::Addressed && identities.is_empty() {
            self.records.sealed += 1;
            return;
        }
        let error = match record::open(header, body, &identities) {
            Ok(record) => return self.follow(header, &record, findings),
            Err(error) => error,
        };
        let code = match error {
            Unreadable::Sealed(OpenError::NotForUs) => {
                self.records.not_for_key += 1;
                if self.key_may_miss {
                    self.missed(Some(header.visibility));
                }
                return;
            }
            Unreadable::NotCanonical => {
                self.records.unknown += 1;
                return self.missed(Some(header.visibility));
            }
            Unreadable::Sealed(OpenError::Malformed(_) | OpenError::Padding(_))
            | Unreadable::Salt(_)
            | Unreadable::Decode
            | Unreadable::TooMuch
            | Unreadable::Event => Code::RecordMalformed,
            Unreadable::Origin => Code::RecordOrigin,
            Unreadable::Addressees => Code::RecordAddressees,
        };
        findings.add(code, format!("entry {} record", header.index), error);
    }

    fn follow(&mut self, header: &Header, record: &v1::Record, findings: &mut Findings) {
        self.records.opened += 1;
        let at = EventRef { origin: self.origin.clone(), index: header.index };
        let recorded_at_ms = header.recorded_at_ms;
        if let Some(event) = referral::Event::from_record(
            at.clone(),
            recorded_at_ms,
            header.content.is_some(),
            record,
        ) {
            self.records.referral_events += 1;
            self.workflow.referral(&event, self.missed_addressed, findings);
        } else if let Some(event) =
            information::Event::from_record(at, recorded_at_ms, header.visibility, record)
        {
            self.records.information_events += 1;
            self.workflow.information(&event, self.missed_clear, findings);
        } else {
            self.records.unknown += 1;
        }
    }

    /// Hands over the counts.
    pub(super) fn end(self, walked: &mut Walked) {
        let (referrals, one_sided) = self.workflow.referrals();
        walked.records = Records { referrals, ..self.records };
        walked.one_sided = one_sided;
        walked.key_unknown = self.key_unknown;
    }
}
