//! The second person: who asked for approval of which draft, and what was said.
//!
//! Invariant: an approval holds for one text, byte for byte. The log tells whose it is and of what
//! digest; when a draft is saved anew or erased, what was said of it before is over.

use rand_core::CryptoRngCore;
use tutti_proto::v1::{LocalAlert, LocalApproval, local_record::Event};
use zeroize::Zeroizing;

use super::{Actor, Local, PeopleError, Use};

/// What is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// That a person's word is overridden.
    Override,
    /// That an information share is published, revised or translated.
    Information,
}

impl Of {
    /// For records and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Information => "information",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Override, Self::Information].into_iter().find(|of| of.name() == name)
    }
}

/// What has become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nobody has answered.
    Asked,
    /// By whom, a pseudonym.
    Approved(String),
    /// By whom, and why.
    Refused(String, String),
}

/// A request for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// What is approved.
    pub of: Of,
    /// Bound to exactly what is approved.
    pub digest: [u8; 32],
    /// Who asked, a pseudonym.
    pub asked_by: String,
    /// Milliseconds since the Unix epoch.
    pub asked_ms: u64,
    /// Why, in their words.
    pub reason: String,
    /// What became of it.
    pub said: Said,
}

impl Approval {
    /// What an event says, and of which draft; `before` is what was known of that draft.
    pub(super) fn take(before: Option<Self>, event: &LocalApproval, at_ms: u64) -> Option<Self> {
        let (of, digest) = (Of::parse(&event.of)?, event.digest.as_slice().try_into().ok()?);
        let by = || event.pseudonym.clone();
        let said = match event.what.as_str() {
            "asked" => {
                let reason = event.reason.clone();
                return Some(Self {
                    of,
                    digest,
                    asked_by: by(),
                    asked_ms: at_ms,
                    reason,
                    said: Said::Asked,
                });
            }
            "approved" => Said::Approved(by()),
            "refused" => Said::Refused(by(), event.reason.clone()),
            _ => return before,
        };
        before.filter(|before| before.digest == digest).map(|before| Self { said, ..before })
    }
}

impl Local {
    /// Every request, by the draft's number.
    pub fn approvals(&self) -> impl Iterator<Item = (&[u8; 16], &Approval)> {
        self.state.approvals.iter()
    }

    /// What was said of a draft as it stands.
    pub fn approval(&self, draft: &[u8; 16]) -> Option<&Approval> {
        self.state.approvals.get(draft)
    }

    /// The text of a draft, what it is for, and the digest of exactly that; whoever's it is.
    pub fn draft_for_approval(
        &self,
        draft: &[u8; 16],
    ) -> Result<(Zeroizing<String>, Use, [u8; 32]), PeopleError> {
        let known = self.state.drafts.get(draft);
        let known = known.ok_or_else(|| PeopleError::Unknown("such draft".into()))?;
        let used = known.used;
        let (text, _) = self.draft(&known.account.clone(), draft)?;
        let (number, target) = used.to_parts();
        let digest = self.keys.approval_digest(&[
            draft.as_slice(),
            &number.to_be_bytes(),
            &target,
            text.as_bytes(),
        ]);
        Ok((text, used, digest))
    }

    /// Whose a draft is, a pseudonym.
    pub fn whose_draft(&self, draft: &[u8; 16]) -> Option<String> {
        self.state.drafts.get(draft).map(|draft| self.pseudonym(&draft.account))
    }

    /// Asks for approval of a draft as it stands.
    pub fn ask_approval(
        &mut self,
        by: &Actor,
        draft: &[u8; 16],
        of: Of,
        reason: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let (_, _, digest) = self.draft_for_approval(draft)?;
        let asked = said(draft, "asked", of, digest, by, reason);
        Ok(self.write(vec![Event::Approval(asked)], now_ms, rng)?)
    }

    /// Approves or refuses what was asked. Gives the alerts that it raised: whoever answers for
    /// people's data is told of each override, and of an approver whom the author has made.
    pub fn answer_approval(
        &mut self,
        by: &Actor,
        draft: &[u8; 16],
        refused: Option<&str>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<&'static str>, PeopleError> {
        let asked = self.approval(draft).cloned();
        let asked = asked.ok_or_else(|| PeopleError::Unknown("such request".into()))?;
        let what = if refused.is_some() { "refused" } else { "approved" };
        let reason = refused.unwrap_or_default();
        let mut events =
            vec![Event::Approval(said(draft, what, asked.of, asked.digest, by, reason))];
        let mut alerts = Vec::new();
        if refused.is_none() {
            if asked.of == Of::Override {
                alerts.push("override");
            }
            let made_by = self.state.roles_by.get(by.pseudonym());
            if made_by.is_some_and(|made_by| *made_by == asked.asked_by) {
                alerts.push("approver_of_own_making");
            }
        }
        events.extend(alerts.iter().map(|what| {
            Event::Alert(LocalAlert {
                what: (*what).into(),
                pseudonym: by.pseudonym().into(),
                referral: Vec::new(),
                count: 1,
            })
        }));
        self.write(events, now_ms, rng)?;
        Ok(alerts)
    }

    /// Records that somebody is about to read a draft that waits for their approval.
    pub fn reading_draft(
        &mut self,
        by: &Actor,
        draft: &[u8; 16],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let read = tutti_proto::v1::LocalRead {
            pseudonym: by.pseudonym().into(),
            what: "approval".into(),
            draft: draft.to_vec(),
            ..Default::default()
        };
        Ok(self.write(vec![Event::Read(read)], now_ms, rng)?)
    }
}

fn said(
    draft: &[u8; 16],
    what: &str,
    of: Of,
    digest: [u8; 32],
    by: &Actor,
    reason: &str,
) -> LocalApproval {
    LocalApproval {
        draft: draft.to_vec(),
        what: what.into(),
        of: of.name().into(),
        digest: digest.to_vec(),
        pseudonym: by.pseudonym().into(),
        reason: reason.into(),
    }
}
