//! Every limit on the wire between nodes, each with its reason.

use std::time::Duration;

/// From the first packet to the end of the TLS handshake. Two round trips; the worst satellite
/// link takes two seconds.
pub(super) const HANDSHAKE_MAX: Duration = Duration::from_secs(8);

/// From the first packet to the first frame of the session: whoever stalls at any step in between
/// is gone by then.
pub(super) const FIRST_FRAME_MAX: Duration = Duration::from_secs(12);

/// Handshakes under way at once. Above it, the oldest gives way: an honest one takes milliseconds.
pub(super) const HANDSHAKES_MAX: usize = 256;

/// Connections of one member at once: the link, its replacement, and one that is just ending.
pub(super) const CONNECTIONS_PER_PEER_MAX: usize = 4;

/// HTTP/2 pings, so that middleboxes keep the link and a dead one is found out.
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(45);

/// How long a ping may stay unanswered.
pub(super) const KEEPALIVE_MAX: Duration = Duration::from_secs(20);

/// Streams on one connection: the session, and one to spare.
pub(super) const STREAMS_MAX: u32 = 2;

/// Header bytes of one request.
pub(super) const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Streams that a peer has reset and that are not yet forgotten (rapid reset, CVE-2023-44487).
pub(super) const RESETS_PENDING_MAX: usize = 20;

/// Streams that we had to reset for the peer's errors before the connection is closed.
pub(super) const RESETS_LOCAL_MAX: usize = 32;

/// Flow-control window: four of the largest frames. The HTTP/2 library (h2 0.4.20) lets half of it go for the
/// overhead of small frames that nobody has read yet, some 2,800 of them, and cuts off whoever sends more: what
/// is told without being asked for is far less ([`tutti_core::limits::TOLD_AT_ONCE`]).
pub(super) const WINDOW_BYTES: u32 = 1024 * 1024;

/// Bytes of decoded frames, of all links, that may wait for the engine.
pub(super) const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The same of one link, so that one peer that floods takes no other's room.
pub(super) const WAITING_BYTES_PER_LINK_MAX: usize = 1024 * 1024;

/// First and longest pause between two attempts to dial.
pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// See [`BACKOFF_MIN`].
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A link that stood this long was sound: the next pause is the shortest again.
pub(super) const SOUND_AFTER: Duration = Duration::from_secs(30);

/// How long the last words of a link may take before the connection is cut.
pub(super) const FAREWELL_MAX: Duration = Duration::from_millis(500);
