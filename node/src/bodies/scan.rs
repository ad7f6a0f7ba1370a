//! Reading the segments from their beginning: at start, and whenever the index cannot say.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tutti_core::body::{Body, BodyKey};

use super::{
    Bodies,
    frame::{Frame, HEADER, Seal, Spot, State},
    overwrite,
};
use crate::{disk, index::Index, journal::BodiesMark, store::DiskError};

pub(super) fn path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}"))
}

/// Opens all segments and reads their frames.
pub(super) fn open(
    dir: &Path,
    mark: BodiesMark,
    writable: bool,
    index: &mut Index,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Bodies, Vec<String>), DiskError> {
    let segments = segments(dir, mark, writable)?;
    let current = segments.keys().last().copied().unwrap_or(0);
    let mut bodies = Bodies {
        dir: dir.into(),
        segments,
        current,
        end: 0,
        written: 0,
        before: 0,
        count: 0,
        last: Mutex::new(None),
        damaged: Mutex::default(),
        looked: (0, 0),
    };
    let mut notices = Vec::new();
    let (mut cut_bytes, mut count, mut before) = (None, 0, 0);
    for (&number, file) in &bodies.segments {
        let path = path(dir, number);
        let io = |error| DiskError::io(&path, error);
        let mut begun = Vec::new();
        let durable = |at: u64| (number, at) < (mark.segment, mark.end);
        let mut accept = |frame: Frame, spot: Spot| {
            let whole = durable(spot.offset) || is_whole(file, frame, spot)?;
            if whole {
                if let Some(state) = settled(spot.state) {
                    count += 1;
                    index.expect_body(&frame.key, Spot { state, ..spot });
                }
                if matches!(spot.state, State::Erasing | State::Dropping) {
                    begun.push(spot);
                }
            }
            Ok(whole)
        };
        let seal = seal(number, file).map_err(io)?;
        if let Some(seal) = seal.filter(|seal| (seal.segment, seal.end) != (number - 1, before)) {
            let place = self::path(dir, number - 1);
            let problem = format!(
                "its bodies end there, and the next segment says that they ended at byte {} of \
                 segment {}",
                seal.end, seal.segment
            );
            return Err(damaged(&place, before, &problem));
        }
        let is_begun = number == 1 || seal.is_some();
        let end = if is_begun { frames(number, file, &mut accept).map_err(io)? } else { 0 };
        if !is_begun && number != current {
            return Err(damaged(&path, 0, "it does not begin with where the one before it ended"));
        }
        if number == mark.segment && durable(end) {
            return Err(damaged(
                &path,
                end,
                "a body that was acknowledged is missing or not whole",
            ));
        }
        let len = file.metadata().map_err(io)?.len();
        if !is_zero(file, end, len).map_err(io)? {
            if number != current {
                return Err(damaged(&path, end, "there is a body that is not whole"));
            }
            cut_bytes = Some(len - end);
        }
        if number == current {
            (bodies.end, bodies.written, bodies.before) = (end, len, before);
        }
        before = end;
        if writable && !begun.is_empty() {
            begun.iter().try_for_each(|spot| overwrite(file, *spot)).map_err(io)?;
            notices
                .push(format!("finished erasing {} bodies, which was begun before", begun.len()));
        }
        progress(u64::from(number), u64::from(current));
    }
    if let (Some(len), true) = (cut_bytes, writable) {
        let path = path(dir, current);
        if let Some(file) = bodies.segments.get(&current) {
            disk::set_len(file, bodies.end)
                .and_then(|()| disk::sync(file))
                .map_err(|error| DiskError::io(&path, error))?;
        }
        bodies.written = bodies.end;
        notices.push(format!(
            "the last write of bodies was cut short, by a crash or a power cut, before it was \
             acknowledged to anyone. {len} bytes at the end of {} were dropped; everything \
             acknowledged is here",
            path.display()
        ));
    }
    bodies.count = count;
    Ok((bodies, notices))
}

/// Every body, until `visit` says `false`.
pub(super) fn each(
    bodies: &Bodies,
    mut visit: impl FnMut(BodyKey, Spot) -> bool,
) -> Result<(), DiskError> {
    let mut go_on = true;
    for (&number, file) in &bodies.segments {
        let ends = if number == bodies.current { bodies.end } else { u64::MAX };
        let mut accept = |frame: Frame, spot: Spot| {
            go_on &= spot.offset < ends;
            if let Some(state) = settled(spot.state).filter(|_| go_on) {
                go_on = visit(frame.key, Spot { state, ..spot });
            }
            Ok(go_on)
        };
        frames(number, file, &mut accept)
            .map_err(|error| DiskError::io(&path(&bodies.dir, number), error))?;
    }
    Ok(())
}

/// See [`Bodies::look_over`].
pub(super) fn look_over(bodies: &mut Bodies, max_bytes: u64) -> bool {
    let (mut segment, mut at) = bodies.looked;
    let mut looked_bytes = 0;
    while looked_bytes < max_bytes {
        let Some(file) = bodies.segments.get(&segment) else {
            let next = bodies.segments.range(segment..).next().map(|(number, _)| *number);
            let Some(next) = next else {
                bodies.looked = (0, 0);
                return false;
            };
            (segment, at) = (next, start(next));
            continue;
        };
        let ends = segment == bodies.current && at >= bodies.end;
        let header = disk::read_at(file, HEADER, at).unwrap_or_default();
        match Frame::read(&header).filter(|_| !ends) {
            Some(frame) => {
                let spot = frame.at(segment, at);
                // The one that was read last would be taken from memory.
                if spot.state == State::Present && !bodies.is_damaged(&frame.key) {
                    *bodies.last.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
                    let _ = bodies.read(&frame.key, spot);
                }
                at += frame.size();
                looked_bytes += frame.size();
            }
            None => (segment, at) = (segment + 1, start(segment + 1)),
        }
    }
    bodies.looked = (segment, at);
    true
}

/// What counts: an erasure that was begun is finished before anyone asks, and what was dropped is
/// not here.
fn settled(state: State) -> Option<State> {
    match state {
        State::Present => Some(State::Present),
        State::Erasing | State::Erased => Some(State::Erased),
        State::Dropping | State::Dropped => None,
    }
}

/// The open files, 1 to the newest without a gap.
fn segments(
    dir: &Path,
    mark: BodiesMark,
    writable: bool,
) -> Result<BTreeMap<u32, File>, DiskError> {
    let segments = files(dir, writable)?;
    let newest = segments.keys().last().copied().unwrap_or(0).max(mark.segment);
    match (1..=newest).find(|number| !segments.contains_key(number)) {
        Some(missing) => Err(damaged(&path(dir, missing), 0, "the file is missing")),
        None => Ok(segments),
    }
}

/// All files that are called as a segment is.
pub(super) fn files(dir: &Path, writable: bool) -> Result<BTreeMap<u32, File>, DiskError> {
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => damaged(dir, 0, "the folder is missing"),
        _ => DiskError::io(dir, error),
    };
    let mut segments = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok()).filter(|n| *n > 0);
        if let Some(number) = number {
            let path = path(dir, number);
            let file = disk::open(&path, writable).map_err(|error| DiskError::io(&path, error))?;
            segments.insert(number, file);
        }
    }
    Ok(segments)
}

/// Visits the frames of a segment until one is not whole or not accepted; says where that is.
fn frames(
    number: u32,
    file: &File,
    accept: &mut dyn FnMut(Frame, Spot) -> std::io::Result<bool>,
) -> std::io::Result<u64> {
    let len = file.metadata()?.len();
    let mut at = start(number);
    loop {
        let header = disk::read_at(file, HEADER, at)?;
        let Some(frame) = Frame::read(&header) else {
            return Ok(at);
        };
        let body_end = at + HEADER as u64 + u64::from(frame.len);
        if body_end > len || !accept(frame, frame.at(number, at))? {
            return Ok(at);
        }
        at += frame.size();
    }
}

/// Where the first frame of a segment stands.
pub(super) fn start(number: u32) -> u64 {
    if number > 1 { HEADER as u64 } else { 0 }
}

/// Where the segment before ended, as this one says; `None` in the first, and where it is not whole.
pub(super) fn seal(number: u32, file: &File) -> std::io::Result<Option<Seal>> {
    if number < 2 {
        return Ok(None);
    }
    Ok(Seal::read(&disk::read_at(file, HEADER, 0)?))
}

fn is_whole(file: &File, frame: Frame, spot: Spot) -> std::io::Result<bool> {
    if frame.state != State::Present {
        return Ok(true);
    }
    let bytes = disk::read_at(file, frame.len as usize, spot.offset + HEADER as u64)?;
    Ok(Body::from_bound(bytes).is_some_and(|body| body.key() == frame.key))
}

/// Whether nothing but zeros stands from there on. Compared a page at a time: each start looks through
/// all the space that was written ahead.
pub(super) fn is_zero(file: &File, from: u64, to: u64) -> std::io::Result<bool> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut at = from;
    while at < to {
        let bytes = disk::read_at(file, 64 * 1024, at)?;
        if bytes.is_empty() {
            break;
        }
        if bytes.chunks(ZEROS.len()).any(|page| !ZEROS.starts_with(page)) {
            return Ok(false);
        }
        at += bytes.len() as u64;
    }
    Ok(true)
}

fn damaged(path: &Path, at: u64, problem: &str) -> DiskError {
    DiskError::Damaged {
        place: format!("{} at byte {at}", path.display()),
        problem: problem.into(),
    }
}
