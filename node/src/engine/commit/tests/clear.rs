//! What stands in the clear: every byte that a node holds of an entry to which it is no party, by its
//! field; and every byte that a relay holds of the bodies besides and that is no ciphertext.

use prost::Message as _;

use super::*;

/// A field as it stands in the bytes: its number, and how many bytes it takes.
fn fields(bytes: &[u8]) -> Vec<(u64, usize)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let before = rest.len();
        let key = prost::encoding::decode_varint(&mut rest).unwrap();
        let value = prost::encoding::decode_varint(&mut rest).unwrap();
        if key & 7 == 2 {
            rest = &rest[usize::try_from(value).unwrap()..];
        }
        found.push((key >> 3, before - rest.len()));
    }
    found
}

fn share(author: &mut Author, visibility: Visibility, to: &[&str]) -> Prepared {
    let retracted = v1::Retracted { reason: author.words(300) };
    let mut event = v1::InformationEvent {
        information_id: vec![1; 16],
        about: Vec::new(),
        parties: to.iter().map(ToString::to_string).collect(),
        transition: Some(v1::information_event::Transition::Retracted(retracted)),
    };
    let addressed = visibility == Visibility::Addressed;
    let content = addressed.then(|| information::split(&mut event));
    let draft = Draft {
        id: [1; 16],
        visibility,
        addressees: to.iter().map(|code| society(code)).collect(),
        event: v1::record::Event::Information(event),
        content,
    };
    author.engine.seal((&Actor::node(), ""), [9; 16], draft, 5, 1_764_000_000_000).unwrap()
}

#[test]
fn every_clear_byte_of_an_entry_is_one_of_these() {
    let mut author = Author::new(5);
    for (visibility, addressees, tags) in [
        (Visibility::Public, 0, 0),
        (Visibility::Federation, 0, 0),
        (Visibility::Addressed, 1, 2),
        (Visibility::Addressed, 2, 2),
        (Visibility::Addressed, 3, 4),
        (Visibility::Addressed, 4, 4),
        (Visibility::Addressed, 5, 8),
        (Visibility::Addressed, 8, 8),
    ] {
        let sealed = share(&mut author, visibility, &CODES[1..=addressees]);
        let bytes = sealed.entry.as_slice();
        let told = fields(bytes);
        assert_eq!(told.iter().map(|(_, length)| length).sum::<usize>(), bytes.len());
        let numbers: Vec<u64> = told.iter().map(|(number, _)| *number).collect();
        // Version, origin, index, time, visibility, record; where addressed, content and tags.
        let mut golden = vec![1, 2, 3, 4, 5, 6];
        if visibility == Visibility::Addressed {
            golden.push(7);
            golden.extend(vec![8; tags]);
        }
        assert_eq!(numbers, golden, "{visibility:?}, {addressees} addressees");
        let entry = v1::Entry::decode(bytes).unwrap();
        for commitment in [entry.record.as_ref(), entry.content.as_ref()].into_iter().flatten() {
            let said: Vec<u64> =
                fields(&commitment.encode_to_vec()).iter().map(|(number, _)| *number).collect();
            assert_eq!(said, [1, 2], "a digest and a padded size");
            assert_eq!(commitment.digest.len(), 32);
        }
        assert_eq!((entry.version, entry.index), (1, 5));
        assert_eq!(entry.origin, author.engine.identity.origin.as_str());
        assert_eq!(entry.recorded_at_ms, 1_764_000_000_000);
        assert!(entry.tags.iter().all(|tag| tag.len() == 16));
    }
}

/// An age file without its ciphertexts, line by line.
fn outside(body: &[u8]) -> Vec<String> {
    let end = body.windows(5).position(|bytes| bytes == b"\n--- ").unwrap();
    let text = std::str::from_utf8(&body[..end]).unwrap();
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(match line.strip_prefix("-> mlkem768x25519 ") {
            Some(argument) => format!("-> mlkem768x25519 <{}>", argument.len()),
            None if line.starts_with("-> ") || line.starts_with("age") => line.to_owned(),
            None => format!("<{}>", line.len()),
        });
    }
    // Where there is grease, it is one stanza of random words, and its lines are the last.
    if let Some(at) = lines.iter().position(|line| line.contains("-grease")) {
        lines.truncate(at);
    }
    lines.push(format!("payload {}", payload(body)));
    lines
}

#[test]
fn every_clear_byte_of_a_sealed_body_is_one_of_these() {
    let mut author = Author::new(6);
    for (addressees, stanzas) in [(1, 3), (2, 3), (3, 5), (4, 5), (5, 9), (8, 9)] {
        let sealed = share(&mut author, Visibility::Addressed, &CODES[1..=addressees]);
        let golden = |stanzas: usize| {
            let mut lines = vec!["age-encryption.org/v1".to_owned()];
            let stanza = ["-> mlkem768x25519 <1494>".to_owned(), "<43>".to_owned()];
            (0..stanzas).for_each(|_| lines.extend(stanza.clone()));
            lines.push("payload 8224".into());
            lines
        };
        assert_eq!(outside(sealed.bodies[0].bytes()), golden(2 * stanzas));
        assert_eq!(outside(sealed.bodies[1].bytes()), golden(stanzas));
    }
}
