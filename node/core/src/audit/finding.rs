//! What an audit found: a stable code, how bad it is, where, and a sentence.
//!
//! Invariant: a code, once released, keeps its meaning; `docs/auditing.md` has a row for each. A
//! text never holds anything out of a body. All are listed, however many: each is about a file, an entry
//! or a step that the auditor was given, of which a few rules say at most one thing each (of missing files,
//! those in a row are one), so that they take some hundreds of bytes of memory for each entry or hash that
//! is at fault, beside the records, which are held anyway. Whoever shows them to people shortens the page,
//! not the list.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// To know; nothing is wrong.
    Note,
    /// Sound, but a person should look at it.
    Warning,
    /// Something is not what it must be.
    Error,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $severity:ident;)*) => {
        /// What was found. Its text is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable text.
            pub fn as_str(&self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How bad it is.
            pub fn severity(&self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// A roster does not keep a rule, or does not follow the one before.
    RosterInvalid, "roster-invalid", Error;
    /// Versions of the roster are missing between others.
    RosterGap, "roster-gap", Error;
    /// The founding roster is not the one that the auditor holds.
    RosterOther, "roster-other", Error;
    /// `checkpoint` is not a signed head.
    CheckpointMalformed, "checkpoint-malformed", Error;
    /// No roster has a key for this log.
    CheckpointUnknownLog, "checkpoint-unknown-log", Error;
    /// The log has not signed its head.
    CheckpointUnsigned, "checkpoint-unsigned", Error;
    /// The log's signature does not verify.
    CheckpointSignature, "checkpoint-signature", Error;
    /// A witness's cosignature does not verify.
    CosignatureInvalid, "cosignature-invalid", Error;
    /// A signature line is by nobody whom the rosters know.
    SignatureUnknown, "signature-unknown", Note;
    /// A file in `heads/` is not a signed head of this log.
    HeadInvalid, "head-invalid", Error;
    /// A file in `heads/` lacks the cosignature of the society that it is named after.
    HeadNotCosigned, "head-not-cosigned", Error;
    /// A witness has seen more entries than the checkpoint has.
    HeadBeyond, "head-beyond-checkpoint", Error;
    /// A witness has seen another history.
    HeadFork, "head-fork", Error;
    /// No other society has cosigned any head.
    Unwitnessed, "unwitnessed", Warning;
    /// A member whose turn it is has not cosigned any head.
    NotWitnessed, "not-witnessed-by", Note;
    /// An entry bundle is missing.
    BundleMissing, "bundle-missing", Error;
    /// An entry bundle cannot be taken apart.
    BundleMalformed, "bundle-malformed", Error;
    /// A hash tile is missing.
    TileMissing, "tile-missing", Error;
    /// A hash tile does not have the size that its place says.
    TileMalformed, "tile-malformed", Error;
    /// A hash tile does not say what follows from what is below it.
    TileMismatch, "tile-mismatch", Error;
    /// The entries do not give the root that was signed.
    RootMismatch, "root-mismatch", Error;
    /// Too much is missing to know the root.
    TreeIncomplete, "tree-incomplete", Error;
    /// An entry is not one.
    EntryMalformed, "entry-malformed", Error;
    /// An entry says that it stands elsewhere.
    EntryMisplaced, "entry-misplaced", Error;
    /// An entry of a version that this program does not know.
    EntryUnknownVersion, "entry-unknown-version", Note;
    /// A body is not what its entry commits to.
    BodyAltered, "body-altered", Error;
    /// A body has another size than its entry says.
    BodySize, "body-size", Error;
    /// A body is listed as erased and is there.
    ErasedPresent, "erased-present", Error;
    /// A list of erased bodies is not one.
    ErasedMalformed, "erased-malformed", Error;
    /// A body is listed as erased that no entry there commits to.
    ErasedUnknown, "erased-unknown", Warning;
    /// There are bodies that no entry commits to.
    BodyUnknown, "body-unknown", Warning;
    /// There are files that no export has.
    FileUnknown, "file-unknown", Note;
    /// A record is sealed, padded or encoded as no record is.
    RecordMalformed, "record-malformed", Error;
    /// A record is another author's word.
    RecordOrigin, "record-origin", Error;
    /// A record names more addressees than its entry has tags, or none where it must.
    RecordAddressees, "record-addressees", Error;
    /// The same event stands in the log twice.
    EventTwice, "event-twice", Warning;
    /// A step that this society may not take, or not then, whatever others did.
    WorkflowIllegal, "workflow-illegal", Error;
    /// Two exports of one log are not of one history.
    ExportsDiffer, "exports-differ", Error;
    /// A step that fitted what its author had seen lost to one of the other side.
    StepOvertaken, "step-overtaken", Note;
    /// A step that its author has taken back.
    StepTakenBack, "step-taken-back", Note;
    /// A consent was renewed on one side's word, and nobody on the other has gone on with that.
    ConsentUnseen, "consent-unseen", Note;
    /// Help was declined for another reason than those in the list, and nothing says which.
    DeclineUnexplained, "decline-unexplained", Warning;
    /// Something was disclosed on the ground of a consent that did not hold.
    ConsentMissing, "consent-missing", Error;
    /// Something was disclosed after the consent had ended.
    ConsentEnded, "consent-ended", Error;
    /// Something was disclosed to a society that the consent does not name.
    ConsentRecipient, "consent-recipient", Error;
    /// Something was disclosed for a purpose that the consent does not name.
    ConsentPurpose, "consent-purpose", Error;
    /// A field was disclosed that the consent does not cover.
    ConsentScope, "consent-scope", Error;
    /// The record does not say what its content discloses.
    DisclosureUnlisted, "disclosure-unlisted", Warning;
    /// A field is said to be withheld and is disclosed.
    DisclosureWithheld, "disclosure-withheld", Error;
    /// It was sent beyond what the person agreed to, on another basis, and nothing says why.
    OverrideMissing, "override-missing", Error;
    /// The person's word was overridden, and no second person approved.
    OverrideUnapproved, "override-unapproved", Error;
    /// The reason does not override that on that basis, or there was nothing to override.
    OverrideUnfounded, "override-unfounded", Error;
    /// Something was disclosed by who had seen that the referral was stopped.
    DisclosedAfterStop, "disclosed-after-stop", Error;
    /// Something was disclosed when the time to keep the case was over.
    DisclosedAfterRetention, "disclosed-after-retention", Error;
    /// A step was taken when the time to keep the case was over.
    StepAfterRetention, "step-after-retention", Warning;
    /// A referral and the one that it passes on, or is passed on by, do not say so of each other.
    OnwardUnlinked, "onward-unlinked", Error;
    /// A case was passed on further than the person had agreed to for the first referral.
    OnwardConsent, "onward-consent", Error;
    /// A case was passed on by a consent that whoever did so had recorded alone.
    OnwardUnseen, "onward-unseen", Error;
    /// A file was passed on that the person's consent for the first referral does not let go further.
    OnwardFile, "onward-file", Error;
    /// A case was passed on with a restriction less, or to be kept for longer.
    OnwardTerms, "onward-terms", Error;
    /// What stopped a referral was not carried to another of the case by who had seen it.
    StopNotCarried, "stop-not-carried", Error;
    /// What stopped a referral was not carried to another of the case yet.
    StopCarryOpen, "stop-carry-open", Warning;
    /// What stopped a referral was carried to another of the case late.
    StopCarriedLate, "stop-carried-late", Warning;
    /// A word is said to come from another referral of the case, which has none.
    CarriedUnfounded, "carried-unfounded", Warning;
    /// A society has signed that those further on confirmed, and they did not.
    OnwardClaimUntrue, "onward-claim-untrue", Error;
    /// That it had arrived was said after its time, though the answer was not late.
    AcknowledgedLate, "acknowledged-late", Warning;
    /// That it has arrived was to be said and has not been, and the answer is not due yet.
    AcknowledgementOverdue, "acknowledgement-overdue", Warning;
    /// An answer came after its time.
    AnswerLate, "answer-late", Warning;
    /// The other side gave up waiting for an answer after its time.
    AnswerNever, "answer-never", Warning;
    /// An answer is due and has not come.
    AnswerOverdue, "answer-overdue", Warning;
    /// A referral expired before its time.
    ExpiredEarly, "expired-early", Error;
    /// The same case was sent again to the same society for the same service while it was open.
    SentTwice, "sent-twice", Warning;
    /// A side has not confirmed that it erased what it must.
    ErasureOpen, "erasure-open", Warning;
    /// Content that both sides say they erased is in the export.
    ErasedHeld, "erased-held", Error;
    /// A side erased, and the logs show no ground.
    ErasedUnfounded, "erased-unfounded", Warning;
    /// What is said of a share names no version that its author has written and that counts.
    ShareVersionUnknown, "share-version-unknown", Warning;
    /// Two shares are each said to have the other's place, or one end of the chain is missing.
    ShareChainBroken, "share-chain-broken", Warning;
    /// The second person who approved is the first one.
    ApprovedBySame, "approved-by-same", Error;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Where: a path in the export, and within it.
    pub place: String,
    /// In a sentence.
    pub text: String,
}

/// All that was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    counts: BTreeMap<Code, u64>,
}

impl Findings {
    pub(super) fn add(&mut self, code: Code, place: impl ToString, text: impl ToString) {
        *self.counts.entry(code).or_default() += 1;
        let (place, text) = (place.to_string(), text.to_string());
        self.listed.push(Finding { code, severity: code.severity(), place, text });
    }

    /// The worst first, then in the order in which they were found; and how many of each there
    /// are in all.
    pub(super) fn end(mut self) -> (Vec<Finding>, BTreeMap<&'static str, u64>) {
        self.listed.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        (self.listed, self.counts.iter().map(|(code, count)| (code.as_str(), *count)).collect())
    }
}
