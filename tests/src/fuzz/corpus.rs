//! The corpus of a target as one file: each input behind its length in four bytes, shortest first.

/// A file of a corpus is not to grow beyond this, bytes: it is read in every test run.
pub const BYTES_MAX: usize = 30_000;

/// As many of the inputs as there is room for, each once, the shortest first.
pub fn pack(mut inputs: Vec<Vec<u8>>) -> Vec<u8> {
    inputs.sort_by(|left, right| (left.len(), left).cmp(&(right.len(), right)));
    inputs.dedup();
    let mut packed = Vec::new();
    for input in inputs {
        if packed.len() + 4 + input.len() > BYTES_MAX {
            break;
        }
        packed.extend((input.len() as u32).to_le_bytes());
        packed.extend(input);
    }
    packed
}

/// Reads what [`pack`] made. Panics where it is not whole: it lies in the repository.
pub fn unpack(mut packed: &[u8]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    while let Some((len, rest)) = packed.split_first_chunk::<4>() {
        let (input, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        inputs.push(input.to_vec());
        packed = rest;
    }
    assert!(packed.is_empty(), "the corpus ends in the middle of an input");
    inputs
}
