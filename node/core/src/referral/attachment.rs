//! Files that go with a case: each a run of events of its author's, a part in each.
//!
//! A part is an event like any other: its bytes are the content beside it, sealed, padded, delivered,
//! erased and audited as all contents are. So a file needs no second way through the federation.
//! [`Attachment`] is what the parts of one file come to. Invariants: a file is its author's alone, and
//! nobody can add to another's; what is here of it is told part by part; nothing in a record says what
//! the file holds but its kind.
//!
//! Source: `docs/protocol.md`, "Attachments"; ADR 8.

use std::{collections::BTreeMap, fmt};

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use tutti_proto::v1::{self, referral_event::Transition};

pub use super::media::{HEAD_BYTES, MediaType, TextCheck, WrongType, recognise};
use super::{Command, Event, EventRef, Referral, ReferralId, Refusal, codes, onward, steps};
use crate::{
    fields::Fields,
    limits::{ATTACHMENT_BYTES_MAX, ATTACHMENT_PARTS_MAX, LINE_CHARS_MAX},
    roster::DataProtection,
    society::Society,
};

/// Bytes of a file in each part but the last. With what stands around them they fill a frame of
/// 992 KiB, which is a size that padding leaves as it is; sealed, that is less than a body may be.
pub const PART_BYTES: usize = 990 * 1024;

/// How many parts a file of that many bytes has; `None` where it may not be sent: it is empty, or
/// larger than [`ATTACHMENT_BYTES_MAX`].
pub fn parts_of(size: u64) -> Option<u32> {
    if size == 0 || size > ATTACHMENT_BYTES_MAX {
        return None;
    }
    u32::try_from(size.div_ceil(PART_BYTES as u64)).ok()
}

/// How many bytes part `part` (from 1) of a file of `size` bytes has; 0 for one that it has not.
pub fn bytes_of_part(size: u64, part: u32) -> u64 {
    let before = u64::from(part.saturating_sub(1)).saturating_mul(PART_BYTES as u64);
    size.saturating_sub(before).min(PART_BYTES as u64)
}

/// The name by which a record and a consent call what such a file discloses; `None` for a kind that
/// is not in the list.
pub fn field(kind: i32) -> Option<&'static str> {
    use v1::AttachmentKind as K;
    codes::known::<K>(kind).and_then(|kind| match kind {
        K::Unspecified => None,
        K::ConsentForm => Some("attachment.consent_form"),
        K::MedicalLetter => Some("attachment.medical_letter"),
        K::IdentityDocument => Some("attachment.identity_document"),
        K::Photo => Some("attachment.photo"),
        K::Other => Some("attachment.other"),
    })
}

/// Whether a file of that kind may go with what is about to be sent, as far as the person's word goes.
/// That the word has not ended meanwhile is asked when it is sent.
///
/// # Errors
/// [`Refusal::Consent`].
pub fn goes_along(sent: &v1::Sent, kind: i32) -> Result<(), Refusal> {
    steps::covered(sent, sent.consent.as_ref(), &fields(kind), 0)
}

/// Which file of the referral that is passed on goes along as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Whose it is there.
    pub by: Society,
    /// Its id there.
    pub id: [u8; 16],
}

impl Source {
    /// The source that a record names; `None` where it names none that could be one.
    pub fn from_record(source: &v1::FileSource) -> Option<Self> {
        let id = source.attachment_id.as_slice().try_into().ok()?;
        Some(Self { by: source.society.parse().ok()?, id })
    }

    /// As it stands in a record.
    pub fn to_record(self) -> v1::FileSource {
        v1::FileSource { society: self.by.to_string(), attachment_id: self.id.to_vec() }
    }
}

/// Whether what `attached` holds may go along where `first` was passed on by `onward`, as far as the first
/// goes: the file is there and stands, and the person's word for it covers the third society. What goes
/// with the new one is asked there.
///
/// # Errors
/// [`Refusal::NotFound`] where the one does not pass on the other, [`Refusal::State`] where the first was
/// stopped, [`Refusal::TimeIsOver`], [`Refusal::Fields`] where it has no such file any more,
/// [`Refusal::Consent`].
pub fn passes_on(
    first: Option<&Referral>,
    onward: &Referral,
    attached: &v1::Attached,
    (now_ms, rules): (u64, &DataProtection),
) -> Result<(), Refusal> {
    let Some(source) = &attached.source else { return Ok(()) };
    let first = first.filter(|first| onward.sent.onward_of == first.id.as_bytes());
    let first = first.ok_or(Refusal::NotFound)?;
    if first.state.is_stopped() {
        let (kind, state) = (super::Kind::Attached, first.state);
        return Err(Refusal::State { kind, state, allowed: Vec::new() });
    }
    first.may_go_on(onward.sender, (now_ms, rules))?;
    let mut fields = Fields::default();
    let files = first.attachments();
    let source = Source::from_record(source);
    match files.iter().find(|file| source == Some(file.source_here())) {
        None => fields.wrong("source", "is no file of the referral that was passed on"),
        Some(file) => {
            fields.check(!file.taken_back, "source", "was taken back by whoever added it");
            fields.check(file.kind == attached.kind, "kind", "is another than that of the file");
        }
    }
    fields.finish().map_err(Refusal::Fields)?;
    let sent = &onward.sent;
    onward::covered(first, &sent.receiver, &self::fields(attached.kind), sent.purpose, now_ms)
}

/// The field as consent is asked for it.
pub(super) fn fields(kind: i32) -> Vec<String> {
    field(kind).map(String::from).into_iter().collect()
}

/// The id of a file: HMAC-SHA-256 under the author's own `secret` over what it is, so that the same
/// file as the same kind is added once, and nobody else can tell that it is the same as another.
/// `again` is 0, or counts up where what was added before is erased. What goes along from another
/// referral has an id of its own, for it is taken back with its `source`.
pub fn id(
    secret: &[u8; 32],
    referral: &ReferralId,
    kind: i32,
    sha256: &[u8; 32],
    source: Option<Source>,
    again: u32,
) -> [u8; 16] {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(b"tutti/v1/attachment\0");
    mac.update(referral.as_bytes());
    mac.update(&kind.to_be_bytes());
    mac.update(sha256);
    mac.update(&again.to_be_bytes());
    if let Some(source) = source {
        mac.update(&source.id);
        mac.update(source.by.as_str().as_bytes());
    }
    let digest = mac.finalize().into_bytes();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, byte)| *to = byte);
    id
}

/// The id of the event for one part: the same file again writes nothing twice.
pub fn event_id(attachment_id: &[u8; 16], part: u32) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(b"tutti/attachment-part\0");
    hasher.update(attachment_id);
    hasher.update(part.to_be_bytes());
    let digest = hasher.finalize();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, byte)| *to = byte);
    id
}

/// A file, as the records of its parts tell. What it is called is in the content of the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Drawn by its author for the whole.
    pub id: [u8; 16],
    /// Whose it is.
    pub by: Society,
    /// A code of [`v1::AttachmentKind`].
    pub kind: i32,
    /// How many parts it has.
    pub parts: u32,
    /// The file of which it is the copy, where the case was passed on.
    pub source: Option<Source>,
    /// When the first of those that are known was recorded, by the author's clock, milliseconds
    /// since the Unix epoch.
    pub at_ms: u64,
    /// Its author has taken it back as entered in error.
    pub taken_back: bool,
    /// The parts whose records are known, by their numbers: where each stands, and its event's id.
    pub known: BTreeMap<u32, (EventRef, [u8; 16])>,
}

impl Attachment {
    /// The code of its kind.
    pub fn kind_name(&self) -> &'static str {
        codes::name::<v1::AttachmentKind>(self.kind)
    }

    /// What a copy of it in another referral names as its source.
    pub fn source_here(&self) -> Source {
        Source { by: self.by, id: self.id }
    }
}

/// A file that went along where a case was passed on, and was taken back in the referral that it came
/// from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled {
    /// The file; whether that was carried to it is in `taken_back`.
    pub copy: Attachment,
    /// The event that took the first one back.
    pub on: Event,
}

impl Recalled {
    /// What carries it.
    pub fn command(&self) -> Command {
        let attachment = self.copy.id.to_vec();
        let carried = self.on.event_id.to_vec();
        Command::EnterInError(v1::EnteredInError { event: None, carried, attachment })
    }
}

impl Referral {
    /// The files that go with it: those of the sender, then those of the receiver, each in the order
    /// in which they began. Of the parts of one number the first counts; parts that do not fit the
    /// first of their file are left out.
    pub fn attachments(&self) -> Vec<Attachment> {
        let taken_back = |by: Society, id: &[u8; 16]| {
            self.taken_back.iter().any(|file| file.event.society == by && file.id == *id)
        };
        let mut found: Vec<Attachment> = Vec::new();
        let mut events: Vec<_> = self.effective().collect();
        events.sort_by_key(|event| (event.society != self.sender, &event.at));
        for event in events {
            let Some(Transition::Attached(attached)) = &event.body.transition else { continue };
            let Ok(id) = <[u8; 16]>::try_from(attached.attachment_id.as_slice()) else { continue };
            let part = (event.at.clone(), event.event_id);
            let source = attached.source.as_ref().and_then(Source::from_record);
            let mut files = found.iter_mut();
            match files.find(|file| file.id == id && file.by == event.society) {
                Some(file)
                    if (file.kind, file.parts, file.source)
                        == (attached.kind, attached.parts, source) =>
                {
                    file.known.entry(attached.part).or_insert(part);
                }
                Some(_) => {}
                None => found.push(Attachment {
                    id,
                    by: event.society,
                    kind: attached.kind,
                    parts: attached.parts,
                    source,
                    at_ms: event.recorded_at_ms,
                    taken_back: taken_back(event.society, &id),
                    known: BTreeMap::from([(attached.part, part)]),
                }),
            }
        }
        found
    }

    /// Whether that society has written a part of that file, whatever became of the event: also where it
    /// was overtaken, and the file goes with no case, both sides hold its bytes.
    pub fn has_added(&self, by: Society, id: &[u8]) -> bool {
        let mut own =
            self.outcomes.iter().map(|outcome| &outcome.event).filter(|e| e.society == by);
        own.any(|event| match &event.body.transition {
            Some(Transition::Attached(part)) => part.attachment_id == id,
            _ => false,
        })
    }

    /// Whether that society has taken back that file of its own.
    pub fn has_taken_back(&self, by: Society, id: &[u8]) -> bool {
        self.taken_back_by(by).any(|file| file[..] == *id)
    }

    /// The files that went along from `first`, which this one passes on, and were taken back there.
    pub fn recalled(&self, first: &Self) -> Vec<Recalled> {
        if first.taken_back.is_empty() || self.sent.onward_of != first.id.as_bytes() {
            return Vec::new();
        }
        let files = self.attachments().into_iter().filter(|file| file.by == self.sender);
        let recalled = files.filter_map(|copy| {
            let source = copy.source?;
            let mut taken_back = first.taken_back.iter();
            let on = taken_back.find(|file| file.source() == source)?.event.clone();
            Some(Recalled { copy, on })
        });
        recalled.collect()
    }
}

/// Why a manifest, or a part, is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Empty, too long, or no name of a file.
    Name,
    /// Of no type that may go along.
    MediaType,
    /// Nothing, or more than may go along, or not what its parts hold.
    Size,
    /// Not 32 bytes.
    Digest,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(
                f,
                "the file's name must have 1 to {LINE_CHARS_MAX} characters, and none that controls \
                 a screen or parts a path"
            ),
            Self::MediaType => f.write_str("the file is of no type that may go along"),
            Self::Size => write!(
                f,
                "a file has at least one byte and at most {} MiB, and its parts hold all of it",
                ATTACHMENT_BYTES_MAX / (1024 * 1024)
            ),
            Self::Digest => f.write_str("the file's digest is not a SHA-256"),
        }
    }
}

/// Whether a manifest can be believed of a file of so many parts: what is written, and what is read.
pub fn check_manifest(manifest: &v1::AttachmentManifest, parts: u32) -> Result<MediaType, Unfit> {
    if !is_file_name(&manifest.name) {
        return Err(Unfit::Name);
    }
    if manifest.sha256.len() != 32 {
        return Err(Unfit::Digest);
    }
    if parts_of(manifest.size) != Some(parts) {
        return Err(Unfit::Size);
    }
    MediaType::parse(&manifest.media_type).ok_or(Unfit::MediaType)
}

/// Whether a text is a file's name and nothing else: it leads nowhere, and does nothing on a screen.
fn is_file_name(name: &str) -> bool {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | ':' | '\u{61c}' | '\u{feff}')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    (1..=LINE_CHARS_MAX).contains(&name.chars().count())
        && !name.chars().any(harmful)
        && name != "."
        && name != ".."
        && name.trim() == name
}

/// Whether the record of a part has the form that every one must have.
pub(super) fn is_part(attached: &v1::Attached) -> bool {
    attached.attachment_id.len() == 16
        && (1..=ATTACHMENT_PARTS_MAX).contains(&attached.parts)
        && (1..=attached.parts).contains(&attached.part)
        && attached.source.as_ref().is_none_or(|source| Source::from_record(source).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        limits::BODY_BYTES_MAX,
        sealing::{self, Identity},
    };
    use prost::Message as _;
    use rand_core::SeedableRng as _;

    #[test]
    fn a_file_is_cut_into_parts_that_hold_all_of_it() {
        let part = PART_BYTES as u64;
        for (size, parts) in [
            (0, None),
            (1, Some(1)),
            (part, Some(1)),
            (part + 1, Some(2)),
            (ATTACHMENT_BYTES_MAX, Some(ATTACHMENT_PARTS_MAX)),
            (ATTACHMENT_BYTES_MAX + 1, None),
        ] {
            assert_eq!(parts_of(size), parts, "{size}");
            let parts = parts.unwrap_or(0);
            let sum: u64 = (1..=parts).map(|part| bytes_of_part(size, part)).sum();
            assert_eq!(sum, if parts == 0 { 0 } else { size });
            assert!(parts == 0 || bytes_of_part(size, parts + 1) == 0);
        }
    }

    /// With the longest name, and sealed to more than there are sides.
    #[test]
    fn a_whole_part_fits_into_a_body() {
        let content = v1::Content {
            origin: format!("{}.example.org/ph/4294967295", "a".repeat(63)),
            event_id: vec![1; 16],
            content: Some(v1::content::Content::Attachment(v1::AttachmentPart {
                manifest: Some(v1::AttachmentManifest {
                    name: "\u{10000}".repeat(LINE_CHARS_MAX),
                    media_type: "application/pdf".into(),
                    size: ATTACHMENT_BYTES_MAX,
                    sha256: vec![1; 32],
                }),
                data: vec![1; PART_BYTES],
            })),
        };
        let message = content.encode_to_vec();
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let keys: Vec<_> = (0..9).map(|_| Identity::generate(&mut rng).recipient()).collect();
        let sealed = sealing::seal(&message, &keys).unwrap();
        assert!(sealed.len() as u64 <= BODY_BYTES_MAX, "{}", sealed.len());
    }

    #[test]
    fn a_name_is_a_name() {
        for name in ["letter.pdf", "Überweisung (2).pdf", "สมชาย.jpg", "..a"] {
            assert!(is_file_name(name), "{name}");
        }
        let long = "a".repeat(LINE_CHARS_MAX + 1);
        for name in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "C:a",
            "a\0",
            "a\n",
            "\u{1b}[2J",
            "a\u{202e}fdp.exe",
            " a",
            &long,
        ] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }
}
