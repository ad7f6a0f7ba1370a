//! Every limit on what is accepted from outside, in one place, each with its reason.

/// The encoded header of one entry, bytes. A header with eight tags and two commitments is 330.
pub const ENTRY_BYTES_MAX: usize = 512;

/// Routing tags in one entry.
pub const TAGS_MAX: usize = 8;

/// One stored body (sealed record or content), bytes. A file is cut into parts that fit.
pub const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// The record of an addressed entry, bytes before it is padded and sealed: codes, names of fields, places. The
/// longest that a society writes, a receipt that names 50 entries of a log with a long name, has some 8 KiB.
/// What is free text is in the content, so nobody needs more; and who lists a thousand referrals holds a
/// thousand such records.
pub const SEALED_RECORD_BYTES_MAX: usize = 16 * 1024;

/// One signed note (roster), bytes: what the Go tools and `signed_note` read too. A roster member
/// takes about 5 KiB, most of it its two post-quantum keys; 191 members fit.
pub const NOTE_BYTES_MAX: usize = 1_000_000;

/// One membership card, bytes. Its two post-quantum keys take 4 KiB.
pub const CARD_BYTES_MAX: usize = 16 * 1024;

/// One signed head with its cosignatures, bytes: 100 signatures of about 150 bytes.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Cosignatures that are kept beside one head: with the log's own signature a note has at most
/// 100 lines, as many as the C2SP implementations read.
pub const COSIGNATURES_MAX: usize = 99;

/// Entries in one log. Far above what a society can write, far below where index arithmetic ends.
pub const LOG_SIZE_MAX: u64 = 1 << 40;

/// One frame between nodes, bytes encoded (4 MiB of empty submessages would decode to 275 MiB).
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Entry bytes in one batch. Leaves room in the frame for the head and the proof.
pub const BATCH_BYTES_MAX: usize = 128 * 1024;

/// Data bytes in one body chunk.
pub const CHUNK_BYTES_MAX: usize = 48 * 1024;

/// Heads in one frame.
pub const HEADS_MAX: usize = 512;

/// Members of one federation.
pub const MEMBERS_MAX: usize = 512;

/// Founders of one federation: a signed note has at most 100 signatures, there and in Go. Others
/// join by a later roster.
pub const FOUNDERS_MAX: usize = 100;

/// Endpoints of one member.
pub const ENDPOINTS_MAX: usize = 4;

/// A member's name, characters.
pub const NAME_CHARS_MAX: usize = 100;

/// What a member's entry says of its referral desk, bytes over all lines: with it 191 members still
/// fit in one note.
pub const DESK_BYTES_MAX: usize = 320;

/// Events of one author that are kept of one referral or information share. A long case has some
/// twenty.
pub const REFERRAL_EVENTS_MAX: usize = 64;

/// One file that goes with a case, bytes.
pub const ATTACHMENT_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Parts of one such file: what the largest is cut into.
pub const ATTACHMENT_PARTS_MAX: u32 = 26;

/// Parts of files of one author that are kept of one referral: four of the largest, or a hundred
/// photos.
pub const REFERRAL_PARTS_MAX: usize = 128;

/// Receipts of erasure of one author, and files that it takes back, that are kept of one referral: room
/// for a receipt for each part and each stop of the other side, and as much again.
pub const REFERRAL_RECEIPTS_MAX: usize = 512;

/// Days that a content is kept which belongs to no case that is known here. As long as a roster may have
/// relays keep what waits for an addressee: whatever is still to bring what the case began with has
/// done so by then.
pub const STRAY_CONTENT_DAYS: u64 = 365;

/// One short free text (a name, a place, a contact), characters.
pub const LINE_CHARS_MAX: usize = 200;

/// One long free text (a reason, a note, an article), characters.
pub const TEXT_CHARS_MAX: usize = 20_000;

/// Items in one list (services, languages, countries, fields).
pub const LIST_MAX: usize = 50;

/// Entries in one batch: a batch of the smallest ones would else be decoded to thirty times its size.
pub const BATCH_ENTRIES_MAX: usize = 4096;

/// Bytes of heads, or of cosignatures, in one frame. As many cosignatures take 90 ms to check.
pub const HEADS_BYTES_MAX: usize = 128 * 1024;

/// Entry bytes in the batches of one answer to a want.
pub const ANSWER_BYTES_MAX: usize = 4 * BATCH_BYTES_MAX;

/// Wants for entries that may be open on one link. Times an answer, this is what answers may
/// put into the peer's outbox at once.
pub const WANTS_PER_LINK: usize = 4;

/// Bytes of the bodies that are pulled at one time, over all links: what their buffers take, and
/// one body more.
pub const PULL_BYTES_MAX: u64 = 8 * BODY_BYTES_MAX;

/// The same over one link: what the answers may put into the peer's outbox at once.
pub const PULL_BYTES_PER_LINK: u64 = BODY_BYTES_MAX;

/// Bodies that are pulled at one time over one link: over a link with a round trip of 100 ms some
/// thousand small ones a second. With what their bytes allow, fewer frames than an outbox holds.
pub const PULLS_PER_LINK: usize = 128;

/// Entry bytes that a node takes of one member's logs a day: some 900,000 entries, where a federation of
/// 191 writes 86,400 a day at one a second.
pub const MEMBER_ENTRY_BYTES_A_DAY: u64 = 256 * 1024 * 1024;

/// Bytes of bodies that a node takes of one author a day, of those for everybody, and as much of those that
/// are addressed to it.
pub const MEMBER_BODY_BYTES_A_DAY: u64 = 1024 * 1024 * 1024;

/// So many days' bytes may come at once: a node that is new, or was away for long, has years of all logs
/// to fetch.
pub const MEMBER_QUOTA_DAYS: u64 = 7;

/// Offers of bodies that go over one link at one time, and as many receipts; the next ones follow a second
/// later. However many there are, they fill no outbox, and a case does not wait for them on a slow line.
pub const TOLD_AT_ONCE: usize = 64;

/// Receipts that are held until their author, or a relay, has taken them. The oldest are left out.
pub const RECEIPTS_MAX: usize = 4096;

/// One small note of a holder's own, bytes: eight receipts and what belongs to them.
pub const NOTE_VALUE_BYTES_MAX: usize = 512;

/// Bodies of more than one chunk that are pulled at one time over one link.
pub const BULK_PER_LINK: usize = 4;

/// Bytes of such bodies that are pulled at one time, over all links: what their buffers take, and one
/// body more.
pub const BULK_BYTES_MAX: u64 = 4 * BODY_BYTES_MAX;

/// Chunks of such bodies that may be asked for over one link and not yet there: 384 KiB, so that a link
/// with half the world between its ends carries more than a megabyte a second of them.
pub const BULK_CHUNKS_PER_LINK: usize = 8;

/// Of a pseudonym in a record, bytes: what is longer is not kept in memory.
pub const ACTOR_BYTES_MAX: usize = 64;
