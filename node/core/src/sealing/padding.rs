//! Padding, so that the size of a sealed body tells next to nothing of what is in it.
//!
//! A frame is `u32 big-endian length ‖ message ‖ zeros`, and of one of eight sizes, the rungs of a
//! ladder. Both bodies of an entry get one rung ([`frames`]), so that not even the two together
//! tell which of them is the long one. A frame of another size, or with anything but zeros after
//! the message, is refused, so that padding cannot carry a hidden channel. Nothing here is
//! secret-dependent in a way that an observer could time: padding is taken off only after the seal
//! was opened.
//!
//! Source: `docs/protocol.md`, "Bodies"; why a ladder and not Padmé: ADR 9.

/// The sizes that a frame may have, bytes. The first holds a case with some 2,500 letters of Thai or
/// 8,000 of English; the last leaves room for the seal of an entry with eight tags in what a body
/// may be.
pub const RUNGS: [usize; 8] =
    [8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 992 << 10];

/// Up to here both bodies of an entry are of one size, bytes. Above it, the record of a piece of an
/// attachment would double what there is to carry.
pub const ALIKE_BYTES_MAX: usize = 64 << 10;

/// What a frame on a holder's own disk is rounded up to, bytes.
const AT_REST_BYTES: usize = 1024;

/// Bytes of the length in front of the message.
const LENGTH_BYTES: usize = 4;

/// Why a message was not framed, or a frame not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaddingError {
    /// Above what the largest frame holds.
    #[error("message of {0} bytes is larger than a body may be")]
    TooLong(usize),
    /// Shorter than the length field, or than the length it claims.
    #[error("padded frame is shorter than the length that it gives")]
    Truncated,
    /// None of [`RUNGS`].
    #[error("padded frame of {0} bytes is of none of the sizes that there are")]
    Size(usize),
    /// Something was put where zeros belong.
    #[error("padding is not zeros alone")]
    NotZero,
}

/// The size in bytes of the smallest frame for a message of `message_bytes`; none above the limit.
pub fn frame_bytes(message_bytes: usize) -> Option<usize> {
    let needed = message_bytes.checked_add(LENGTH_BYTES)?;
    RUNGS.into_iter().find(|rung| *rung >= needed)
}

/// The sizes of the frames of an entry's record and content, bytes; none above the limit. Both are
/// what the longer message takes; above [`ALIKE_BYTES_MAX`] the shorter one's is that much.
pub fn frames(record_bytes: usize, content_bytes: usize) -> Option<(usize, usize)> {
    let (record, content) = (frame_bytes(record_bytes)?, frame_bytes(content_bytes)?);
    let alike = record.max(content).min(ALIKE_BYTES_MAX);
    Some((record.max(alike), content.max(alike)))
}

/// Puts `message` into a frame of `frame_bytes`, which is one of [`RUNGS`].
///
/// # Errors
/// [`PaddingError::TooLong`] where it does not fit.
pub fn pad(message: &[u8], frame_bytes: usize) -> Result<Vec<u8>, PaddingError> {
    let too_long = PaddingError::TooLong(message.len());
    if self::frame_bytes(message.len()).is_none_or(|needed| needed > frame_bytes) {
        return Err(too_long);
    }
    let length = u32::try_from(message.len()).map_err(|_| too_long)?;
    // The capacity is given at once: growing would leave copies of the message in freed memory.
    let mut frame = Vec::with_capacity(frame_bytes);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.resize(frame_bytes, 0);
    Ok(frame)
}

/// Takes the message out of a frame that [`pad`] made, and of no other.
///
/// # Errors
/// [`PaddingError`].
pub fn unpad(frame: &[u8]) -> Result<&[u8], PaddingError> {
    let (length, rest) = frame.split_first_chunk::<4>().ok_or(PaddingError::Truncated)?;
    if !RUNGS.contains(&frame.len()) {
        return Err(PaddingError::Size(frame.len()));
    }
    let length = usize::try_from(u32::from_be_bytes(*length))
        .map_err(|_| PaddingError::TooLong(usize::MAX))?;
    let (message, zeros) = rest.split_at_checked(length).ok_or(PaddingError::Truncated)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(PaddingError::NotZero);
    }
    Ok(message)
}

/// A message in a frame for a holder's own disk, rounded up to whole KiB: nobody is told of it.
pub fn pad_at_rest(message: &[u8]) -> Result<Vec<u8>, PaddingError> {
    let too_long = PaddingError::TooLong(message.len());
    let length = u32::try_from(message.len()).map_err(|_| too_long)?;
    let total = (message.len() + LENGTH_BYTES).next_multiple_of(AT_REST_BYTES);
    let mut frame = Vec::with_capacity(total);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.resize(total, 0);
    Ok(frame)
}

/// Takes the message out of a frame that [`pad_at_rest`] made.
pub fn unpad_at_rest(frame: &[u8]) -> Result<&[u8], PaddingError> {
    let (length, rest) = frame.split_first_chunk::<4>().ok_or(PaddingError::Truncated)?;
    let length = usize::try_from(u32::from_be_bytes(*length))
        .map_err(|_| PaddingError::TooLong(usize::MAX))?;
    rest.get(..length).ok_or(PaddingError::Truncated)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_the_smallest_rung_that_holds_its_message() {
        assert_eq!(frame_bytes(0), Some(8_192));
        assert_eq!(frame_bytes(8_188), Some(8_192));
        assert_eq!(frame_bytes(8_189), Some(16_384));
        assert_eq!(frame_bytes(1_015_804), Some(1_015_808));
        assert_eq!(frame_bytes(1_015_805), None);
        assert_eq!(frame_bytes(usize::MAX), None);
        assert!(RUNGS.is_sorted());
    }

    #[test]
    fn two_bodies_of_an_entry_do_not_tell_which_is_the_long_one() {
        assert_eq!(frames(400, 1_500), Some((8_192, 8_192)));
        assert_eq!(frames(400, 9_000), frames(9_000, 400));
        assert_eq!(frames(400, 9_000), Some((16_384, 16_384)));
        assert_eq!(frames(60_000, 0), Some((65_536, 65_536)));
        assert_eq!(frames(400, 1_000_000), Some((65_536, 1_015_808)), "a piece of an attachment");
        assert_eq!(frames(70_000, 300_000), Some((131_072, 524_288)));
        assert_eq!(frames(0, 1_015_805), None);
    }

    #[test]
    fn only_frames_of_the_ladder_are_taken_apart() {
        let frame = pad(b"hello", 8_192).unwrap();
        assert_eq!(unpad(&frame), Ok(&b"hello"[..]));
        assert_eq!(unpad(&pad(b"hello", 65_536).unwrap()), Ok(&b"hello"[..]), "as its twin needs");

        let mut stained = frame.clone();
        *stained.last_mut().unwrap() = 1;
        assert_eq!(unpad(&stained), Err(PaddingError::NotZero));

        let mut grown = frame.clone();
        grown.push(0);
        assert_eq!(unpad(&grown), Err(PaddingError::Size(8_193)));
        assert_eq!(unpad(&frame[..1_024]), Err(PaddingError::Size(1_024)));

        let mut claims = frame;
        claims[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(unpad(&claims), Err(PaddingError::Truncated));
        assert_eq!(unpad(b"abc"), Err(PaddingError::Truncated));
        assert_eq!(unpad(b""), Err(PaddingError::Truncated));
    }

    #[test]
    fn what_a_holder_keeps_for_itself_comes_back() {
        for bytes in [0, 1, 1_020, 1_021, 5_000] {
            let frame = pad_at_rest(&vec![7; bytes]).unwrap();
            assert_eq!(frame.len() % AT_REST_BYTES, 0);
            assert_eq!(unpad_at_rest(&frame), Ok(&vec![7; bytes][..]));
        }
        assert_eq!(unpad_at_rest(b"abc"), Err(PaddingError::Truncated));
        assert_eq!(unpad_at_rest(&[0xff; 1_024]), Err(PaddingError::Truncated));
    }

    #[test]
    fn too_long_is_refused_not_cut() {
        assert_eq!(pad(&[7; 8_189], 8_192), Err(PaddingError::TooLong(8_189)));
        let largest = *RUNGS.last().unwrap();
        assert!(pad(&vec![7; largest - 4], largest).is_ok());
        assert_eq!(pad(&vec![7; largest], largest), Err(PaddingError::TooLong(largest)));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            message in proptest::collection::vec(any::<u8>(), 0..20_000),
            twin in 0..100_000usize,
        ) {
            let (bytes, of_twin) = frames(message.len(), twin).unwrap();
            prop_assert_eq!(frames(twin, message.len()), Some((of_twin, bytes)));
            let frame = pad(&message, bytes).unwrap();
            prop_assert_eq!(frame.len(), bytes);
            prop_assert_eq!(unpad(&frame), Ok(&message[..]));
        }

        #[test]
        fn any_bytes_are_answered(
            rung in 0..2usize,
            start in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            let mut frame = start;
            frame.resize(RUNGS[rung], 0);
            if let Ok(message) = unpad(&frame) {
                prop_assert_eq!(pad(message, RUNGS[rung]).unwrap(), frame);
            }
        }
    }
}
