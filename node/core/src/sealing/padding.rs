//! Padmé padding, so that the size of a sealed body tells little of what is in it.
//!
//! A frame is `u32 big-endian length ‖ message ‖ zeros`, its size the Padmé of what it holds and
//! at least 1 KiB. There is exactly one frame for a message: a frame of another size, or with
//! anything but zeros after the message, is refused, so that padding cannot carry a hidden
//! channel. Nothing here is secret-dependent in a way that an observer could time: padding is
//! taken off only after the seal was opened.
//!
//! Source: Padmé is algorithm 1 of "Reducing Metadata Leakage from Encrypted Files and
//! Communication with PURBs" (PETS 2019); it leaks O(log log n) bits at 12% overhead at most.

use crate::limits::BODY_BYTES_MAX;

/// The smallest frame, bytes: most records and short contents look alike.
pub const FRAME_BYTES_MIN: usize = 1024;

/// Bytes of the length in front of the message.
const LENGTH_BYTES: usize = 4;

/// Why a message was not framed, or a frame not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaddingError {
    /// Above what a body may hold.
    #[error("message of {0} bytes is larger than a body may be")]
    TooLong(usize),
    /// Shorter than the length field, or than the length it claims.
    #[error("padded frame is shorter than the length that it gives")]
    Truncated,
    /// Not the Padmé size of the message.
    #[error("padded frame is {actual} bytes where its message takes {expected}")]
    Size {
        /// What Padmé gives for the message, bytes.
        expected: usize,
        /// What the frame has, bytes.
        actual: usize,
    },
    /// Something was put where zeros belong.
    #[error("padding is not zeros alone")]
    NotZero,
}

/// The size in bytes of the frame for a message of `message_bytes`; none above the limit.
pub fn frame_bytes(message_bytes: usize) -> Option<usize> {
    if message_bytes as u64 > BODY_BYTES_MAX {
        return None;
    }
    Some(padme(message_bytes.checked_add(LENGTH_BYTES)?).max(FRAME_BYTES_MIN))
}

/// Puts `message` into a frame of Padmé's size.
pub fn pad(message: &[u8]) -> Result<Vec<u8>, PaddingError> {
    let too_long = PaddingError::TooLong(message.len());
    let total = frame_bytes(message.len()).ok_or(too_long)?;
    let length = u32::try_from(message.len()).map_err(|_| too_long)?;
    // The capacity is given at once: growing would leave copies of the message in freed memory.
    let mut frame = Vec::with_capacity(total);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.resize(total, 0);
    Ok(frame)
}

/// Takes the message out of a frame that [`pad`] made, and of no other.
pub fn unpad(frame: &[u8]) -> Result<&[u8], PaddingError> {
    let (length, rest) = frame.split_first_chunk::<4>().ok_or(PaddingError::Truncated)?;
    let length = usize::try_from(u32::from_be_bytes(*length))
        .map_err(|_| PaddingError::TooLong(usize::MAX))?;
    let (message, zeros) = rest.split_at_checked(length).ok_or(PaddingError::Truncated)?;
    let expected = frame_bytes(length).ok_or(PaddingError::TooLong(length))?;
    if frame.len() != expected {
        return Err(PaddingError::Size { expected, actual: frame.len() });
    }
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(PaddingError::NotZero);
    }
    Ok(message)
}

/// Rounds `bytes` up so that only the leading bits of the size stay meaningful.
fn padme(bytes: usize) -> usize {
    // Below 2 the logarithm of the logarithm does not exist, and there is nothing to round.
    let Some(exponent) = bytes.checked_ilog2().filter(|e| *e > 0) else { return bytes };
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - kept_bits)) - 1;
    (bytes + mask) & !mask
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_those_of_padme() {
        // Worked by hand: 1025 has exponent 10, keeps 4 bits, rounds to a multiple of 64.
        assert_eq!(padme(1025), 1088);
        assert_eq!(padme(1024), 1024);
        assert_eq!(padme(9), 10);
        assert_eq!(padme(1_000_000), 1_015_808);
        assert_eq!((0..9).map(padme).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(frame_bytes(0), Some(1024));
        assert_eq!(frame_bytes(1020), Some(1024));
        assert_eq!(frame_bytes(1021), Some(1088));
    }

    #[test]
    fn one_frame_a_message_and_no_other() {
        let frame = pad(b"hello").unwrap();
        assert_eq!(unpad(&frame), Ok(&b"hello"[..]));

        let mut stained = frame.clone();
        *stained.last_mut().unwrap() = 1;
        assert_eq!(unpad(&stained), Err(PaddingError::NotZero));

        let mut grown = frame.clone();
        grown.push(0);
        assert_eq!(unpad(&grown), Err(PaddingError::Size { expected: 1024, actual: 1025 }));
        assert_eq!(unpad(&frame[..1023]), Err(PaddingError::Size { expected: 1024, actual: 1023 }));

        let mut claims = frame;
        claims[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(unpad(&claims), Err(PaddingError::Truncated));
        assert_eq!(unpad(b"abc"), Err(PaddingError::Truncated));
        assert_eq!(unpad(b""), Err(PaddingError::Truncated));
    }

    #[test]
    fn too_long_is_refused_not_cut() {
        let max = usize::try_from(BODY_BYTES_MAX).unwrap();
        assert!(pad(&vec![7; max]).is_ok());
        assert_eq!(pad(&vec![7; max + 1]), Err(PaddingError::TooLong(max + 1)));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(message in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let frame = pad(&message).unwrap();
            prop_assert!(frame.len() >= FRAME_BYTES_MIN);
            // Padmé's promise: at most 12% more, apart from the floor.
            let content = message.len() + LENGTH_BYTES;
            prop_assert!(frame.len() == FRAME_BYTES_MIN || frame.len() * 100 <= content * 112);
            prop_assert_eq!(unpad(&frame), Ok(&message[..]));
        }

        #[test]
        fn any_bytes_are_answered(frame in proptest::collection::vec(any::<u8>(), 0..3000)) {
            if let Ok(message) = unpad(&frame) {
                prop_assert_eq!(pad(message).unwrap(), frame);
            }
        }
    }
}
