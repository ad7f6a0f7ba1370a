//! Erasure: not one byte of an erased body is left in any file, and a crash in the middle never
//! brings it back.

use std::{collections::HashSet, fs};

use tutti_core::store::{BodyState, contract::World};

use super::*;
use crate::disk::faults::{self, Fault};

/// Whether any sixteen bytes of the body, at any place, stand anywhere in any file.
fn is_anywhere(dir: &Path, body: &Body) -> bool {
    let parts: HashSet<&[u8]> = body.bytes().chunks_exact(16).collect();
    let first: HashSet<u8> = parts.iter().map(|part| part[0]).collect();
    files(dir).iter().any(|file| {
        let bytes = fs::read(dir.join(file)).unwrap();
        // Zeros are no part of it, and there are many of them.
        let mut windows = bytes.windows(16).filter(|w| w[0] != 0 && first.contains(&w[0]));
        windows.any(|window| parts.contains(window))
    })
}

#[test]
fn no_byte_of_an_erased_body_is_left() {
    let world = World::new();
    let dir = folder();
    let mut store = write(dir.path(), &world, &history());
    let gone = body(3, 2000);
    assert!(is_anywhere(dir.path(), &gone));
    store.body(&gone.key(), 0, 100).unwrap();
    store.keep_opened(&gone.key(), gone.bytes());
    store.erase_body(&gone.key()).unwrap();
    assert!(!is_anywhere(dir.path(), &gone));
    assert_eq!(store.opened(&gone.key()), None);
    assert_eq!(store.body(&gone.key(), 0, 100).unwrap(), None);
    drop(store);
    assert!(!is_anywhere(dir.path(), &gone));
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let mut store = open(dir.path(), &world).unwrap().store;
    assert!(!is_anywhere(dir.path(), &gone));
    for erased in [gone, body(2, 300), body(9, 77)] {
        assert_eq!(store.body_state(&erased.key()), BodyState::Erased);
        assert!(matches!(store.put_bodies(&[erased]), Err(StoreError::Erased)));
    }
    assert!(is_anywhere(dir.path(), &body(6, 5000)), "the others are untouched");
}

#[test]
fn an_erasure_that_a_crash_interrupts_is_finished_or_never_was() {
    let world = World::new();
    let gone = body(3, 2000);
    let mut finished = 0;
    for at in 0.. {
        let dir = folder();
        let mut store = write(dir.path(), &world, &history());
        store.keep_opened(&gone.key(), &[gone.bytes(), b"opened"].concat());
        faults::strike(Fault::Crash, at);
        let erased = store.erase_body(&gone.key());
        let killed = folder();
        copy(dir.path(), killed.path());
        drop(store);
        let struck = faults::heal();
        let read_only = open_read_only(killed.path(), &world).unwrap().store;
        let state = read_only.body_state(&gone.key());
        drop(read_only);
        let opened = open(killed.path(), &world).unwrap();
        assert_eq!(opened.store.body_state(&gone.key()), state);
        match state {
            BodyState::Present => {
                assert!(erased.is_err(), "what was acknowledged stays erased");
                let whole = opened.store.body(&gone.key(), 0, usize::MAX).unwrap();
                assert_eq!(whole.as_deref(), Some(gone.bytes()));
            }
            _ => {
                assert!(!is_anywhere(killed.path(), &gone));
                finished += u32::from(opened.notices.iter().any(|n| n.contains("erasing")));
            }
        }
        if !struck {
            break;
        }
    }
    assert!(finished > 0, "some were found begun");
}
