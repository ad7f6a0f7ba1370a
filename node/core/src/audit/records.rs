//! Records: what happened, without personal data. Opened where a key was given or none is needed.

use prost::Message as _;
use tutti_proto::v1;

use super::{Code, Findings, Records, walk::Walked};
use crate::{
    entry::{Header, Visibility},
    roster::Roster,
    sealing::{self, Identity, OpenError},
    society::{Origin, Society},
};

/// Reads records one after the other.
pub(super) struct Reading<'a> {
    origin: Origin,
    key: Option<&'a Identity>,
    records: Records,
}

impl<'a> Reading<'a> {
    pub(super) fn new(origin: Origin, key: Option<&'a Identity>, _chain: &[Roster]) -> Self {
        Self { origin, key, records: Records::default() }
    }

    /// Opens the record of one entry, whose digest was checked.
    pub(super) fn read(&mut self, header: &Header, body: &[u8], findings: &mut Findings) {
        let place = format!("entry {} record", header.index);
        let message = match header.visibility {
            Visibility::Public | Visibility::Federation => match sealing::unsalt(body) {
                Ok(message) => zeroize::Zeroizing::new(message.to_vec()),
                Err(error) => return findings.add(Code::RecordMalformed, place, error),
            },
            Visibility::Addressed => {
                let Some(key) = self.key else {
                    self.records.sealed += 1;
                    return;
                };
                match sealing::open(body, &[key]) {
                    Ok(message) => message,
                    Err(OpenError::NotForUs) => {
                        self.records.not_for_key += 1;
                        return;
                    }
                    Err(error) => return findings.add(Code::RecordMalformed, place, error),
                }
            }
        };
        let record = match v1::Record::decode(message.as_slice()) {
            Ok(record) if record.encode_to_vec() == *message => record,
            Ok(_) => {
                self.records.unknown += 1;
                return;
            }
            Err(_) => {
                return findings.add(Code::RecordMalformed, place, "it is not decodable");
            }
        };
        self.records.opened += 1;
        self.check(header, &record, &place, findings);
    }

    fn check(
        &mut self,
        header: &Header,
        record: &v1::Record,
        place: &str,
        findings: &mut Findings,
    ) {
        if record.origin != self.origin.as_str() {
            let origin: String = record.origin.escape_debug().take(200).collect();
            findings.add(Code::RecordOrigin, place, format!("it is of {origin}"));
            return;
        }
        let addressees: Result<Vec<Society>, _> =
            record.addressees.iter().map(|code| code.parse()).collect();
        let fits = addressees.as_ref().is_ok_and(|societies| {
            let addressed = header.visibility == Visibility::Addressed;
            societies.len() <= header.tags.len() && (addressed || societies.is_empty())
        });
        if !fits {
            findings.add(
                Code::RecordAddressees,
                place,
                format!("{} addressees, {} tags", record.addressees.len(), header.tags.len()),
            );
        }
        match &record.event {
            Some(v1::record::Event::Referral(_)) => self.records.referral_events += 1,
            Some(v1::record::Event::Information(_)) => self.records.information_events += 1,
            None => self.records.unknown += 1,
        }
    }

    /// Judges the workflow of every referral that was seen.
    pub(super) fn end(&mut self, walked: &mut Walked, _findings: &mut Findings) {
        walked.records = std::mem::take(&mut self.records);
    }
}
