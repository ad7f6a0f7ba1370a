//! Pages: bounded, in one stable order, each with the token of the next.
//!
//! What is on a page others have written, as long as their records may be. Invariants: a page is below
//! what every gRPC client takes, 4 MiB, however long that is; nobody holds up the node by what is to be
//! read for one. So a page ends by its items, by its bytes or by what was
//! read, whatever is first, and the list goes on at the next.

use std::cmp::Reverse;

use prost::Message;

use crate::engine::Refused;

/// Items on a page where none is asked for, and at most.
const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// Bytes of the items on a page, encoded; one that is larger by itself is alone on it. With a largest
/// item on top it stays below what clients take.
pub(in crate::engine) const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What is read for a page, as [`Read::bytes`] counts it: a thousand ordinary referrals, and some tenths
/// of a second.
const READ_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What reading one event counts beside its bytes: it is looked up, and opened.
pub(super) const EVENT_BYTES: usize = 512;

/// What became of something that might be on a page.
pub(super) struct Read<T> {
    /// What is told of it; `None` where it is left out.
    pub(super) item: Option<T>,
    /// How much was read for that.
    pub(super) bytes: usize,
}

/// The page of `found` that follows `token`, each as `read` gives it, or left out where it gives
/// none, and the token of the next; `found` is in the order of the latest time, then of the id.
pub(super) fn page<K, T: Message>(
    found: Vec<K>,
    key: impl Fn(&K) -> (u64, [u8; 16]),
    mut read: impl FnMut(&K) -> Result<Read<T>, Refused>,
    size: u32,
    token: &str,
) -> Result<(Vec<T>, String), Refused> {
    let size = if size == 0 { PAGE_DEFAULT } else { size.min(PAGE_MAX) } as usize;
    let order = |(time, id): (u64, [u8; 16])| (Reverse(time), id);
    let after = match token {
        "" => None,
        token => Some(order(parse_token(token).ok_or_else(not_ours)?)),
    };
    let skip = |item: &K| after.is_some_and(|after| order(key(item)) <= after);
    let (mut page, mut bytes, mut read_bytes) = (Vec::new(), 0, 0);
    // The last that needs not be looked at again, and whether any follows.
    let (mut done, mut more) = (None, false);
    for found in found.into_iter().skip_while(skip) {
        if page.len() == size || read_bytes >= READ_BYTES_MAX {
            more = true;
            break;
        }
        let Read { item, bytes: cost } = read(&found)?;
        read_bytes += cost;
        if let Some(item) = item {
            bytes += item.encoded_len();
            if bytes > PAGE_BYTES_MAX && !page.is_empty() {
                more = true;
                break;
            }
            page.push(item);
        }
        done = Some(key(&found));
    }
    let next = done.filter(|_| more).map(|(time, id)| format!("{time:016x}{}", hex::encode(id)));
    Ok((page, next.unwrap_or_default()))
}

/// The page of a list that is at hand as a whole: what follows the item whose `key` the token is, and
/// the token of the next. For lists of this society's own: people, tokens, drafts.
pub(in crate::engine) fn slice<T: Message>(
    items: Vec<T>,
    key: impl Fn(&T) -> &str,
    token: &str,
) -> Result<(Vec<T>, String), Refused> {
    let start = match token {
        "" => 0,
        token => items.iter().position(|item| key(item) == token).ok_or_else(not_ours)? + 1,
    };
    let (mut page, mut bytes) = (Vec::new(), 0);
    for item in items.into_iter().skip(start) {
        bytes += item.encoded_len();
        if bytes > PAGE_BYTES_MAX && !page.is_empty() {
            let next = page.last().map(&key).unwrap_or_default().to_owned();
            return Ok((page, next));
        }
        page.push(item);
    }
    Ok((page, String::new()))
}

fn not_ours() -> Refused {
    Refused::Invalid(
        "the page token is not one that this node gave, or what it names is gone since; ask for the \
         list from its beginning"
            .into(),
    )
}

fn parse_token(token: &str) -> Option<(u64, [u8; 16])> {
    let mut bytes = [0; 24];
    hex::decode_to_slice(token, &mut bytes).ok()?;
    let (time, id) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*time), id.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tutti_proto::node::v1 as api;

    use super::*;

    fn id(n: u8) -> [u8; 16] {
        [n; 16]
    }

    fn text(n: u8, bytes: usize) -> api::Draft {
        api::Draft { info: None, form: format!("{n:03}{}", "x".repeat(bytes)) }
    }

    /// Every page of the list, each as the numbers on it.
    fn all(count: u8, size: u32, mut read: impl FnMut(u8) -> Read<api::Draft>) -> Vec<Vec<String>> {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let found = (0..count).collect();
            let key = |n: &u8| (1000 - u64::from(*n), id(*n));
            let (items, next) = page(found, key, |n| Ok(read(*n)), size, &token).unwrap();
            assert!(items.iter().map(Message::encoded_len).sum::<usize>() <= 3 * 1024 * 1024);
            pages.push(items.iter().map(|draft| draft.form[..3].to_owned()).collect());
            if next.is_empty() {
                return pages;
            }
            assert_ne!(next, token, "it goes on");
            token = next;
        }
    }

    #[test]
    fn a_page_ends_by_its_items_its_bytes_or_what_was_read_and_the_next_goes_on_there() {
        let told = |n, bytes, read| Read { item: Some(text(n, bytes)), bytes: read };
        let lengths = |pages: &[Vec<String>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
        let whole = |pages: Vec<Vec<String>>| pages.concat();
        let numbers = |count: u8| (0..count).map(|n| format!("{n:03}")).collect::<Vec<_>>();

        let by_count = all(7, 3, |n| told(n, 10, 1));
        assert_eq!(lengths(&by_count), [3, 3, 1]);
        assert_eq!(lengths(&all(6, 3, |n| told(n, 10, 1))), [3, 3]);
        assert_eq!(whole(by_count), numbers(7));

        let by_bytes = all(7, 0, |n| told(n, 600 * 1024, 1));
        assert_eq!(lengths(&by_bytes), [3, 3, 1]);
        assert_eq!(whole(by_bytes), numbers(7));
        // One that is too large by itself hides no other, and is there.
        let with_large = all(7, 0, |n| told(n, if n == 3 { 3_000_000 } else { 10 }, 1));
        assert_eq!(lengths(&with_large), [3, 1, 3]);
        assert_eq!(whole(with_large), numbers(7));

        let by_reading = all(7, 0, |n| told(n, 10, READ_BYTES_MAX / 2));
        assert_eq!(lengths(&by_reading), [2, 2, 2, 1]);
        assert_eq!(whole(by_reading), numbers(7));
        // Where little of what is read is wanted, a page may have nothing, and the list goes on.
        let few =
            all(7, 0, |n| Read { item: (n == 6).then(|| text(n, 10)), bytes: READ_BYTES_MAX / 2 });
        assert_eq!(lengths(&few), [0, 0, 0, 1]);
    }

    #[test]
    fn a_list_at_hand_comes_in_pages_too() {
        let items = || (0..7).map(|n| text(n, 600 * 1024)).collect::<Vec<_>>();
        let (mut token, mut lengths, mut seen) = (String::new(), Vec::new(), Vec::new());
        loop {
            let (page, next) = slice(items(), |draft| draft.form.as_str(), &token).unwrap();
            lengths.push(page.len());
            seen.extend(page);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(lengths, [3, 3, 1]);
        assert_eq!(seen, items());
        let gone = slice(items(), |draft| draft.form.as_str(), "gone");
        assert!(matches!(gone, Err(Refused::Invalid(_))));
        let all = slice(items().split_off(4), |draft| draft.form.as_str(), "").unwrap();
        assert_eq!((all.0.len(), all.1.as_str()), (3, ""));
        assert_eq!(slice::<api::Draft>(Vec::new(), |_| "", "").unwrap().0.len(), 0);
    }
}
