//! The frames inside sealed bodies.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tutti_core::sealing::padding::{pad, unpad};

use super::{Expect, Page, expect, frozen};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    /// The message is so many bytes `a5`.
    message_bytes: usize,
    /// What the frame's first four bytes say, in hex.
    length: String,
    frame_bytes: usize,
    /// The last byte of the frame.
    last: u8,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    frame_sha256: String,
}

/// The frame that a case describes.
fn frame(case: &Case) -> Vec<u8> {
    let mut frame = hex::decode(&case.length).unwrap();
    frame.extend(std::iter::repeat_n(0xa5, case.message_bytes));
    frame.resize(case.frame_bytes, 0);
    if let Some(last) = frame.last_mut() {
        *last = case.last;
    }
    frame
}

#[test]
fn frames() {
    // The size of the message, and of its frame.
    let mut cases: Vec<Case> = [
        (0, 8_192),
        (1, 8_192),
        (8_188, 8_192),
        (8_188, 65_536),
        (8_189, 16_384),
        (20_000, 32_768),
        (65_532, 65_536),
        (65_533, 131_072),
        (200_000, 262_144),
        (400_000, 524_288),
        (1_015_804, 1_015_808),
    ]
    .map(|(message_bytes, frame_bytes)| {
        let frame = pad(&vec![0xa5; message_bytes], frame_bytes).unwrap();
        Case {
            name: format!("a message of {message_bytes} bytes in {frame_bytes}"),
            expect: Expect::Valid,
            reason: String::new(),
            message_bytes,
            length: hex::encode(&frame[..4]),
            frame_bytes: frame.len(),
            last: *frame.last().unwrap(),
            frame_sha256: hex::encode(Sha256::digest(&frame)),
        }
    })
    .into();
    let refuse = |name: &str, reason: &str, length: &str, frame_bytes, last| Case {
        name: name.into(),
        expect: Expect::Refuse,
        reason: reason.into(),
        message_bytes: 5,
        length: length.into(),
        frame_bytes,
        last,
        frame_sha256: String::new(),
    };
    cases.extend([
        refuse("a byte more", "none of the sizes", "00000005", 8_193, 0),
        refuse("a byte less", "none of the sizes", "00000005", 8_191, 0),
        refuse("a power of two below the first size", "none of the sizes", "00000005", 4_096, 0),
        refuse("a power of two above the last size", "none of the sizes", "00000005", 1 << 20, 0),
        refuse("something in the padding", "not zeros", "00000005", 8_192, 1),
        refuse("a length beyond the frame", "shorter", "ffffffff", 8_192, 0),
        refuse("a length that leaves no room for itself", "shorter", "00001ffd", 8_192, 0xa5),
        refuse("no length", "shorter", "000000", 3, 0),
    ]);
    let page: Page<Case> = Page {
        about: "docs/protocol.md, \"Bodies\": the frame inside a sealed body.".into(),
        shared: None,
        cases,
    };
    for case in frozen("padding.json", &page).cases {
        let frame = frame(&case);
        if let Some(message) = expect(&case.name, case.expect, &case.reason, unpad(&frame)) {
            assert_eq!(message, vec![0xa5; case.message_bytes]);
            assert_eq!(hex::encode(Sha256::digest(&frame)), case.frame_sha256, "{}", case.name);
        }
    }
}
