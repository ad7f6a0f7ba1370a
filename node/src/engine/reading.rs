//! Reading a person's case, or what is addressed to this society alone, and giving a case to somebody: what
//! is recorded first in the local log.
//!
//! Invariant: no content is opened for a person before the record of it is on the disk; where that
//! cannot be written, nothing is shown.

use rand_core::CryptoRngCore;
use tutti_core::{
    information::InformationId,
    local::{ids, read_count},
    people::{Action, Relation, Verdict},
    referral::{self, ReferralId},
    store::Store,
};
use tutti_proto::{node::v1 as api, v1::local_record::Event};

use super::{
    Engine, Refused,
    allowed::not_allowed,
    query::{Depth, events_before},
};
use crate::local::{Actor, DUPLICATE_REFUSED, PeopleError};

/// The reason for a broken glass, characters: a sentence, not a dossier.
const REASON: std::ops::RangeInclusive<usize> = 10..=500;

/// Alerts of so long ago are still told of in the status, milliseconds.
const TOLD_MS: u64 = 7 * 24 * 3_600_000;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// One referral, as somebody asked for it; the person's case only once that is recorded.
    pub fn read_referral(
        &mut self,
        actor: &Actor,
        request: &api::GetReferralRequest,
        now_ms: u64,
    ) -> Result<api::Referral, Refused> {
        let reason = request.break_glass.trim();
        if !request.with_content && reason.is_empty() {
            return self.referral(actor, request, now_ms);
        }
        let id: ReferralId = request
            .id
            .parse()
            .map_err(|error| Refused::Invalid(format!("referral id: {error}")))?;
        let what = match request.purpose.as_str() {
            "" | "content" => "content",
            "print" => "print",
            _ => return Err(Refused::Invalid("purpose is neither content nor print".into())),
        };
        let before = events_before(&request.events_before)?;
        self.gate_reading(actor, id, reason, what, now_ms)?;
        let hidden = || Refused::from(referral::Refusal::NotFound);
        let referral = self.case(&id).ok_or_else(hidden)?;
        let depth = Depth::Shown { with_content: true, before };
        self.referral_message(actor, &referral, depth, now_ms)
    }

    /// Whether somebody may read a case, where not by right then for a reason; what is recorded of it.
    pub(super) fn gate<'a>(
        &self,
        actor: &Actor,
        id: ReferralId,
        reason: &'a str,
    ) -> Result<&'a str, Refused> {
        let reason = reason.trim();
        let hidden = || Refused::from(referral::Refusal::NotFound);
        let brief = self.referrals.get(&id).ok_or_else(hidden)?;
        Ok(match self.may_with(actor, (&id, brief), Action::Open) {
            Verdict::Allow => "",
            Verdict::BreakGlass if !reason.is_empty() => {
                if !REASON.contains(&reason.chars().count()) {
                    return Err(Refused::Invalid(format!(
                        "the reason has {} to {} characters; nothing was opened",
                        REASON.start(),
                        REASON.end()
                    )));
                }
                reason
            }
            _ if !self.sees(actor, (&id, brief)) => return Err(hidden()),
            Verdict::BreakGlass => {
                return Err(Refused::NotAllowed(
                    "this case is not yours; nothing was opened. Ask for it to be given to you. If \
                     the person is in need now: --break-glass REASON; it is recorded, and the \
                     data-protection focal point is told"
                        .into(),
                ));
            }
            Verdict::Deny => return Err(not_allowed(Action::Open)),
        })
    }

    /// The same, and the reading is recorded, on the disk, when it returns.
    pub(super) fn gate_reading(
        &mut self,
        actor: &Actor,
        id: ReferralId,
        reason: &str,
        what: &str,
        now_ms: u64,
    ) -> Result<(), Refused> {
        let reason = self.gate(actor, id, reason)?;
        self.record_reading(actor, id, what, reason, now_ms)
    }

    /// Records that a case is about to be opened for somebody, and tells of the alerts that this
    /// raised; what the node opens by its own rules is nobody's reading.
    pub(super) fn record_reading(
        &mut self,
        actor: &Actor,
        id: ReferralId,
        what: &str,
        reason: &str,
        now_ms: u64,
    ) -> Result<(), Refused> {
        if actor.account().is_none() {
            return Ok(());
        }
        let read = self.local.reading(actor, Some(id), what, reason, now_ms, &mut self.rng);
        for alert in read.map_err(|error| self.local_failed(error.into()))? {
            self.tell_alert(id, alert, now_ms);
        }
        Ok(())
    }

    fn tell_alert(&mut self, id: ReferralId, alert: &str, now_ms: u64) {
        tracing::warn!(alert, "an alert on the reading of cases: `tutti access alerts`");
        self.changed(now_ms, "access", id.to_string(), alert);
    }

    /// Records that somebody is about to be told which cases were found by their contents, of `opened`;
    /// nothing where none was opened.
    pub(super) fn record_search(
        &mut self,
        actor: &Actor,
        found: &[ReferralId],
        opened: u64,
        now_ms: u64,
    ) -> Result<(), Refused> {
        if actor.account().is_none() || opened == 0 {
            return Ok(());
        }
        let read = self.local.reading_search(actor, found, opened, now_ms, &mut self.rng);
        if let Some(id) = read.map_err(|error| self.local_failed(error.into()))? {
            self.tell_alert(id, "bulk_reading", now_ms);
        }
        Ok(())
    }

    /// Records that a referral was refused because a colleague's is open, and which, before whoever asked
    /// hears that there is one: so nobody finds out by trying what cases there are without its being seen.
    pub(super) fn record_duplicate(
        &mut self,
        actor: &Actor,
        refused: Refused,
        now_ms: u64,
    ) -> Refused {
        let Refused::OpenAtColleague(first) = refused else { return refused };
        match self.local.raise_duplicate(actor, first, now_ms, &mut self.rng) {
            Ok(()) => {
                self.changed(now_ms, "access", first.to_string(), DUPLICATE_REFUSED);
                refused
            }
            Err(error) => self.local_failed(error.into()),
        }
    }

    /// Records that the texts of these shares, which are addressed to some alone, are about to be given
    /// to somebody: each one, on the disk when it returns. They are about no person, so that many of
    /// them raise no alarm.
    pub(super) fn record_reading_shares(
        &mut self,
        actor: &Actor,
        shares: &[InformationId],
        what: &str,
        now_ms: u64,
    ) -> Result<(), Refused> {
        if actor.account().is_none() || shares.is_empty() {
            return Ok(());
        }
        let read = self.local.reading_shares(actor, shares, what, now_ms, &mut self.rng);
        read.map_err(|error| self.local_failed(error.into()))
    }

    /// Records that the titles of these shares, which are addressed to some alone, are about to be given to
    /// somebody: a title is part of what is sealed. One record a list, for a list of titles is looked at
    /// often and says little.
    pub(super) fn record_reading_titles(
        &mut self,
        actor: &Actor,
        shares: &[InformationId],
        now_ms: u64,
    ) -> Result<(), Refused> {
        if actor.account().is_none() || shares.is_empty() {
            return Ok(());
        }
        let read = self.local.reading_titles(actor, shares, now_ms, &mut self.rng);
        read.map_err(|error| self.local_failed(error.into()))
    }

    /// Records that somebody is about to be told in which of them their words stand.
    pub(super) fn record_search_of_shares(
        &mut self,
        actor: &Actor,
        now_ms: u64,
    ) -> Result<(), Refused> {
        if actor.account().is_none() {
            return Ok(());
        }
        let read = self.local.reading(actor, None, "share_search", "", now_ms, &mut self.rng);
        read.map(drop).map_err(|error| self.local_failed(error.into()))
    }

    /// Gives a case to somebody, or to nobody.
    pub fn assign(
        &mut self,
        actor: &Actor,
        request: &api::AssignReferralRequest,
        now_ms: u64,
    ) -> Result<api::AssignReferralResponse, Refused> {
        let id: ReferralId = request
            .id
            .parse()
            .map_err(|error| Refused::Invalid(format!("referral id: {error}")))?;
        let brief = self.seen(actor, &id)?;
        if self.may_with(actor, (&id, brief), Action::Assign) != Verdict::Allow {
            return Err(not_allowed(Action::Assign));
        }
        let whose = match request.name.as_str() {
            "" => String::new(),
            name => {
                let found = self.local.account(name).map_err(people_refused)?;
                let (account, known) = (found.0, found.1);
                if !known.active || known.roles.may(Relation::Own, Action::Act) != Verdict::Allow {
                    return Err(Refused::State(format!(
                        "{name} takes no cases; nothing was changed. `tutti user list` shows who is \
                         a caseworker"
                    )));
                }
                self.local.pseudonym(&account)
            }
        };
        let given = self.local.give(actor, id, &whose, now_ms, &mut self.rng);
        given.map_err(|error| self.local_failed(error.into()))?;
        self.changed(now_ms, "referral", id.to_string(), "assigned");
        Ok(api::AssignReferralResponse {
            id: request.id.clone(),
            assigned_to: request.name.clone(),
        })
    }

    /// Reads or alerts, the newest first: with the longest reasons, of [`REASON`] in four bytes a
    /// character, a thousand are 2.3 MB, and with as many titles as one has, as much.
    pub fn access(
        &self,
        actor: &Actor,
        request: &api::ListAccessRequest,
    ) -> Result<api::ListAccessResponse, Refused> {
        self.check(actor, Action::ReadAccess)?;
        let count = if request.count == 0 { 100 } else { request.count.min(1000) };
        let entries = self.local.shown(request.alerts, count as usize).into_iter();
        let entries = entries.filter_map(|shown| {
            let (index, at_ms) = (shown.index, shown.at_ms);
            match shown.event {
                Event::Read(read) => Some(api::AccessEntry {
                    index,
                    at_ms,
                    count: read_count(&read),
                    pseudonym: read.pseudonym,
                    referral: hex::encode(read.referral),
                    what: read.what,
                    reason: read.reason,
                    share: hex::encode(read.share),
                    shares: ids(&read.titles),
                    referrals: ids(&read.found),
                }),
                Event::Alert(alert) => Some(api::AccessEntry {
                    index,
                    at_ms,
                    pseudonym: alert.pseudonym,
                    referral: hex::encode(alert.referral),
                    what: alert.what,
                    reason: String::new(),
                    count: alert.count,
                    share: String::new(),
                    shares: Vec::new(),
                    referrals: Vec::new(),
                }),
                _ => None,
            }
        });
        let entries = entries.collect();
        Ok(api::ListAccessResponse { entries, key: self.local.verifier(), size: self.local.size() })
    }

    /// The files of an export of the local log; that it was taken is recorded first.
    pub fn export_access(
        &mut self,
        actor: &Actor,
        now_ms: u64,
    ) -> Result<Vec<(String, Vec<u8>)>, Refused> {
        self.check(actor, Action::ReadAccess)?;
        let read = self.local.reading(actor, None, "access_log", "", now_ms, &mut self.rng);
        read.map_err(|error| self.local_failed(error.into()))?;
        Ok(self.local.export()?)
    }

    /// What whoever answers for people should look at.
    pub(super) fn people_warnings(&self, actor: &Actor, now_ms: u64) -> Vec<String> {
        use tutti_core::people::Role::Administrator;
        let mut warnings = Vec::new();
        if actor.may(Action::ReadAccess) {
            let since = now_ms.saturating_sub(TOLD_MS);
            let alerts = self.local.shown(true, 1000);
            let count = alerts.iter().filter(|alert| alert.at_ms >= since).count();
            if count > 0 {
                warnings.push(format!(
                    "{count} alert{} on who reads cases, or looks for them, in the last seven days. See \
                     `tutti access alerts`",
                    if count == 1 { "" } else { "s" }
                ));
            }
        }
        let waiting = self.approvals_waiting(actor);
        if waiting > 0 {
            warnings.push(format!(
                "{waiting} draft{} for your approval. See `tutti approval list`",
                if waiting == 1 { " waits" } else { "s wait" }
            ));
        }
        warnings.extend(self.draft_warnings(actor, now_ms));
        if actor.may(Action::ManagePeople) {
            let active: Vec<_> = self.local.accounts().filter(|(_, a)| a.active).collect();
            let both = active.iter().filter(|(_, account)| {
                account.roles.has(Administrator) && account.roles.open_cases()
            });
            let names: Vec<&str> = both.map(|(_, account)| account.name.as_str()).collect();
            if active.len() > 1 && !names.is_empty() {
                warnings.push(format!(
                    "{} runs the node and may open cases. With several people, let these be two: \
                     `tutti user roles NAME …`",
                    names.join(", ")
                ));
            }
        }
        warnings
    }

    /// What became of a change to the local log; a disk that failed ends the process.
    pub(super) fn local_failed(&mut self, error: PeopleError) -> Refused {
        if let PeopleError::Store(tutti_core::store::StoreError::Fatal(problem)) = &error {
            self.fatal = Some(format!("writing the local log failed: {problem}"));
            return Refused::Stopping;
        }
        people_refused(error)
    }
}

/// As a refusal.
pub(super) fn people_refused(error: PeopleError) -> Refused {
    match error {
        PeopleError::Unknown(_) => Refused::NotFound(error.to_string()),
        PeopleError::Wrong(_) => Refused::Invalid(error.to_string()),
        PeopleError::LastAdministrator(_) => Refused::State(error.to_string()),
        PeopleError::Store(error) => error.into(),
    }
}
