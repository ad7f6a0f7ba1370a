//! What stands in the clear: every byte of an addressed entry, by its field.

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

#[test]
fn every_clear_byte_of_an_addressed_entry_is_one_of_these() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    one(&mut sg, send(1)).unwrap();
    let entries = sg.store.entries(&origin("sg"), 0, 1, usize::MAX).unwrap();
    let bytes = entries[0].as_slice();
    let numbers: Vec<u64> = fields(bytes).iter().map(|(number, _)| *number).collect();
    // Version, origin, time, visibility, record, content, two tags; index 0 is left out.
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7, 8, 8]);
    let lengths: usize = fields(bytes).iter().map(|(_, length)| length).sum();
    assert_eq!(lengths, bytes.len(), "no byte besides");
    let entry = v1::Entry::decode(bytes).unwrap();
    for commitment in [entry.record.as_ref(), entry.content.as_ref()].into_iter().flatten() {
        let said: Vec<u64> =
            fields(&commitment.encode_to_vec()).iter().map(|(number, _)| *number).collect();
        assert_eq!(said, [1, 2], "a digest and a padded size");
        assert_eq!(commitment.digest.len(), 32);
    }
    assert_eq!((entry.version, entry.index, entry.visibility), (1, 0, 3));
    assert_eq!((entry.origin.as_str(), entry.recorded_at_ms), (origin("sg").as_str(), NOW_MS));
    assert!(entry.tags.iter().all(|tag| tag.len() == 16));
}
