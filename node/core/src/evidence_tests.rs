#![allow(clippy::unwrap_used)]
use super::*;
use crate::{head::Head, head::tests::Keys, tree::Tree};
use tlog_tiles::{HashReader, prove_tree, record_hash, tree_hash};

struct Stored(Vec<Hash>);
impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&i| self.0[i as usize]).collect())
    }
}

/// `common` leaves that both histories share, then leaves of `branch`.
fn log(common: u64, size: u64, branch: u8) -> Stored {
    let (mut tree, mut stored) = (Tree::default(), Stored(Vec::new()));
    for index in 0..size {
        let leaf = [index as u8, if index < common { 0 } else { branch }];
        tree.push(record_hash(&leaf), |hash| stored.0.push(hash));
    }
    stored
}

fn head(keys: &Keys, stored: &Stored, size: u64) -> SignedHead {
    let (origin, secret) = keys.logs.first_key_value().unwrap();
    let root = tree_hash(size, stored).unwrap();
    SignedHead::sign(Head { origin: origin.clone(), size, root }, secret).unwrap()
}

#[test]
fn forks_are_proven_at_every_pair_of_sizes() {
    let keys = Keys::new(&["ph"]);
    for common in 0..9 {
        let (left, right) = (log(common, 12, 1), log(common, 12, 2));
        for size in common + 1..=12 {
            for larger in size..=12 {
                let (one, other) = (head(&keys, &left, size), head(&keys, &right, larger));
                let root = tree_hash(size, &right).unwrap();
                let proof =
                    if size < larger { prove_tree(larger, size, &right).unwrap() } else { vec![] };
                let evidence =
                    Evidence::new(other.clone(), one.clone(), root, proof.clone()).unwrap();
                let again = Evidence::from_bytes(&evidence.to_bytes(), &keys).unwrap();
                assert_eq!(again, evidence);
                // The root of the smaller head itself: both can be true as far as that shows.
                if size < larger {
                    let lie = Evidence::new(one, other, tree_hash(size, &left).unwrap(), proof);
                    assert_eq!(lie, Err(EvidenceError::NoContradiction));
                }
            }
        }
    }
}

#[test]
fn an_honest_log_can_not_be_framed() {
    let keys = Keys::new(&["ph", "sg"]);
    let stored = log(12, 12, 0);
    for size in 1..=12 {
        let root = tree_hash(size, &stored).unwrap();
        let (one, other) = (head(&keys, &stored, size), head(&keys, &stored, 12));
        let proof = if size < 12 { prove_tree(12, size, &stored).unwrap() } else { vec![] };
        for root in [root, Hash([7; 32]), other.root()] {
            assert!(Evidence::new(one.clone(), other.clone(), root, proof.clone()).is_err());
        }
    }
    let one = head(&keys, &stored, 3);
    assert_eq!(Evidence::of_one_size(one.clone(), one), Err(EvidenceError::NoContradiction));
}

#[test]
fn every_mutated_field_is_refused() {
    let keys = Keys::new(&["ph"]);
    let (left, right) = (log(2, 8, 1), log(2, 8, 2));
    let (one, other) = (head(&keys, &left, 5), head(&keys, &right, 8));
    let root = tree_hash(5, &right).unwrap();
    let proof = prove_tree(8, 5, &right).unwrap();
    let good = Evidence::new(one, other, root, proof).unwrap();
    let bytes = good.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut mutated = bytes.clone();
        mutated[bit / 8] ^= 1 << (bit % 8);
        // Base64 has bits that say nothing only where the decoder lets them; it does not.
        assert!(Evidence::from_bytes(&mutated, &keys).is_err(), "bit {bit}");
    }
    let message = good.to_message();
    let swapped = v1::Evidence {
        first: message.second.clone(),
        second: message.first.clone(),
        ..message.clone()
    };
    assert_eq!(Evidence::open(&swapped, &keys), Err(EvidenceError::Order));
    let bare = v1::Evidence { consistency: vec![], ..message };
    assert_eq!(Evidence::open(&bare, &keys), Err(EvidenceError::NoContradiction));
}
