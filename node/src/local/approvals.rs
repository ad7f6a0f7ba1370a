//! The second person: who asked for approval of which draft, and what was said.
//!
//! Invariant: an approval holds for one text, byte for byte, and for the files that go along with it. The
//! log tells whose it is and of what digest; when a draft is saved anew or erased, what was said of it
//! before is over, and so it is while other files are with it.

use rand_core::CryptoRngCore;
use tutti_proto::v1::{LocalAlert, LocalApproval, local_record::Event};
use zeroize::Zeroizing;

use super::{Actor, Local, PeopleError, Upload, Use};

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
    /// Bound to the files alone; empty where there were none.
    pub files: Vec<u8>,
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
                let (reason, files) = (event.reason.clone(), event.files.clone());
                return Some(Self {
                    of,
                    digest,
                    files,
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
    /// Every request of a draft as it stands, by the draft's number.
    pub fn approvals(&self) -> impl Iterator<Item = (&[u8; 16], &Approval)> {
        let all = self.state.approvals.iter();
        all.filter(move |(draft, approval)| approval.files == self.files_digest(draft))
    }

    /// What was said of a draft as it stands, text and files.
    pub fn approval(&self, draft: &[u8; 16]) -> Option<&Approval> {
        let known = self.state.approvals.get(draft);
        known.filter(|approval| approval.files == self.files_digest(draft))
    }

    /// What each file of a draft is, in the order of their numbers.
    fn file_parts(&self, draft: &[u8; 16]) -> Vec<Vec<u8>> {
        let parts = |file: &Upload| {
            let (kind, size) = (file.kind.to_be_bytes(), file.size.to_be_bytes());
            let parts = [file.id.as_slice(), &kind, file.name.as_bytes(), &size, &file.sha256];
            parts.map(<[u8]>::to_vec)
        };
        self.uploads_of_draft(draft).flat_map(parts).collect()
    }

    /// The digest of the files of a draft; empty where it has none.
    fn files_digest(&self, draft: &[u8; 16]) -> Vec<u8> {
        let parts = self.file_parts(draft);
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        if parts.is_empty() { Vec::new() } else { self.keys.approval_digest(&parts).to_vec() }
    }

    /// The text of a draft, what it is for, and the digest of exactly that and of its files; whoever's
    /// it is.
    pub fn draft_for_approval(
        &self,
        draft: &[u8; 16],
    ) -> Result<(Zeroizing<String>, Use, [u8; 32]), PeopleError> {
        let known = self.state.drafts.get(draft);
        let known = known.ok_or_else(|| PeopleError::Unknown("such draft".into()))?;
        let used = known.used;
        let (text, _) = self.draft(&known.account.clone(), draft)?;
        let (number, target) = used.to_parts();
        let (number, files) = (number.to_be_bytes(), self.file_parts(draft));
        let said = [draft.as_slice(), &number, &target, text.as_bytes()];
        let parts: Vec<&[u8]> = said.into_iter().chain(files.iter().map(Vec::as_slice)).collect();
        let digest = self.keys.approval_digest(&parts);
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
        let files = self.files_digest(draft);
        let asked = LocalApproval { files, ..said(draft, "asked", of, digest, by, reason) };
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
        files: Vec::new(),
    }
}
