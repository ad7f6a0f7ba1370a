//! Pages: bounded, in one stable order, each with the token of the next.

use std::cmp::Reverse;

use crate::engine::Refused;

/// Items on a page where none is asked for, and at most.
const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// The page of `found` that follows `token`, each as `read` gives it, or left out where it gives
/// none, and the token of the next; `found` is in the order of the latest time, then of the id.
pub(super) fn page<K, T>(
    found: Vec<K>,
    key: impl Fn(&K) -> (u64, [u8; 16]),
    read: impl Fn(&K) -> Result<Option<T>, Refused>,
    size: u32,
    token: &str,
) -> Result<(Vec<T>, String), Refused> {
    let size = if size == 0 { PAGE_DEFAULT } else { size.min(PAGE_MAX) } as usize;
    let order = |(time, id): (u64, [u8; 16])| (Reverse(time), id);
    let after = match token {
        "" => None,
        token => Some(order(parse_token(token).ok_or_else(|| {
            Refused::Invalid("the page token is not one that this node gave".into())
        })?)),
    };
    let skip = |item: &K| after.is_some_and(|after| order(key(item)) <= after);
    let mut page = Vec::new();
    for item in found.into_iter().skip_while(skip) {
        if let Some(read) = read(&item)? {
            page.push((key(&item), read));
        }
        if page.len() > size {
            break;
        }
    }
    let more = page.len() > size;
    page.truncate(size);
    let next = page
        .last()
        .filter(|_| more)
        .map(|((time, id), _)| format!("{time:016x}{}", hex::encode(id)));
    Ok((page.into_iter().map(|(_, item)| item).collect(), next.unwrap_or_default()))
}

fn parse_token(token: &str) -> Option<(u64, [u8; 16])> {
    let mut bytes = [0; 24];
    hex::decode_to_slice(token, &mut bytes).ok()?;
    let (time, id) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*time), id.try_into().ok()?))
}
