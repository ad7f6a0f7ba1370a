//! Records: what happened, without personal data. Opened where a key was given or none is needed.

use std::collections::BTreeSet;

use tutti_proto::v1;

use super::{
    Code, Findings, Records,
    gathered::{Gathered, Held},
    walk::Walked,
    workflow::Workflow,
};
use crate::{
    entry::{Header, Visibility},
    information,
    record::{self, Unreadable},
    referral::{self, EventRef},
    roster::Roster,
    sealing::{Identity, OpenError},
    society::{Origin, Society},
};

/// Reads records one after the other, and follows what they tell of.
pub(super) struct Reading<'a> {
    origin: Origin,
    keys: &'a [&'a Identity],
    /// Whether a record that the keys do not open may still belong to a referral of their societies.
    keys_may_miss: bool,
    keys_unknown: u64,
    gathered: Option<&'a mut Gathered>,
    records: Records,
    workflow: Workflow,
    /// Records that could not be read: addressed ones, and those in clear.
    missed_addressed: u64,
    missed_clear: u64,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        origin: Origin,
        keys: &'a [&'a Identity],
        gathered: Option<&'a mut Gathered>,
        chain: &[Roster],
    ) -> Self {
        let given: BTreeSet<_> = keys.iter().map(|key| key.recipient()).collect();
        let members = || chain.iter().flat_map(Roster::members);
        let owned = members().filter(|member| given.contains(&member.audit_key));
        let owners: BTreeSet<Society> = owned.clone().map(|member| member.society).collect();
        let known: BTreeSet<_> = owned.map(|member| &member.audit_key).collect();
        let keys_unknown = (given.len() - known.len()) as u64;
        // Every record of a referral is sealed to both parties' audit keys. Only a society that
        // had another key once, or whose own log this is, has records that a key of its should
        // open and does not.
        let had_another = members()
            .any(|member| owners.contains(&member.society) && !given.contains(&member.audit_key));
        Self {
            keys_may_miss: owners.contains(&origin.society()) || had_another || keys_unknown > 0,
            keys_unknown,
            origin,
            keys,
            gathered,
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
    pub(super) fn read(
        &mut self,
        header: &Header,
        body: &[u8],
        content: Held,
        findings: &mut Findings,
    ) {
        if header.visibility == Visibility::Addressed && self.keys.is_empty() {
            self.records.sealed += 1;
            return;
        }
        let error = match record::open(header, body, self.keys) {
            Ok(record) => return self.follow(header, &record, content, findings),
            Err(error) => error,
        };
        let code = match error {
            Unreadable::Sealed(OpenError::NotForUs) => {
                self.records.not_for_key += 1;
                if self.keys_may_miss {
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
            | Unreadable::TooLong
            | Unreadable::Event => Code::RecordMalformed,
            Unreadable::Origin => Code::RecordOrigin,
            Unreadable::Addressees => Code::RecordAddressees,
        };
        findings.add(code, format!("entry {} record", header.index), error);
    }

    fn follow(
        &mut self,
        header: &Header,
        record: &v1::Record,
        content: Held,
        findings: &mut Findings,
    ) {
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
            if let Some(gathered) = &mut self.gathered {
                gathered.take(event, content);
            }
        } else if let Some(event) = information::Event::from_record(
            at,
            recorded_at_ms,
            header.visibility,
            header.content.is_some(),
            record,
        ) {
            self.records.information_events += 1;
            let missed = match header.visibility {
                Visibility::Addressed => self.missed_addressed,
                Visibility::Public | Visibility::Federation => self.missed_clear,
            };
            self.workflow.information(&event, missed, findings);
            if let Some(gathered) = &mut self.gathered {
                gathered.take_share(event);
            }
        } else {
            self.records.unknown += 1;
        }
    }

    /// Hands over the counts, and what a joint judgement needs to know of this log.
    pub(super) fn end(self, walked: &mut Walked) {
        walked.records = Records { referrals: self.workflow.referrals(), ..self.records };
        walked.keys_unknown = self.keys_unknown;
        if let Some(gathered) = self.gathered {
            let missed = [self.missed_addressed, self.missed_clear];
            gathered.end_log(&self.origin, walked.entries, missed, self.workflow);
        }
    }
}
