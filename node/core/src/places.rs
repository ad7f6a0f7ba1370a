//! Where events stand, in few bytes each: what a register keeps of them.
//!
//! A place is the number of a log and an index, 16 bytes; what stands there is read again whenever it
//! is asked for. Invariant: [`Places`] are in the order of [`EventRef`], each once, and of each
//! author's the first ones in its log alone, so that the same are kept in any order of arrival.

use std::collections::BTreeMap;

use crate::{referral::EventRef, society::Origin};

/// The logs of which places are kept, by number. There are as many as the federation has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    known: Vec<Origin>,
    numbers: BTreeMap<Origin, u32>,
}

impl Logs {
    fn number(&mut self, origin: &Origin) -> u32 {
        if let Some(number) = self.numbers.get(origin) {
            return *number;
        }
        let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.push(origin.clone());
        self.numbers.insert(origin.clone(), number);
        number
    }

    fn at(&self, place: &Place) -> Option<EventRef> {
        let origin = self.known.get(usize::try_from(place.log).ok()?)?.clone();
        Some(EventRef { origin, index: place.index })
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    log: u32,
    class: u8,
    index: u64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Vec<Place>);

impl Places {
    /// Takes a place. Of one author and one class there are at most `max`, the first ones in its log.
    /// Says whether anything changed, and which place was left out for it.
    pub(crate) fn take(
        &mut self,
        logs: &mut Logs,
        at: &EventRef,
        class: u8,
        max: usize,
    ) -> (bool, Option<EventRef>) {
        let log = logs.number(&at.origin);
        let Err(before) = self.find(logs, at) else { return (false, None) };
        self.0.reserve_exact(1);
        self.0.insert(before, Place { log, class, index: at.index });
        let author = at.origin.society();
        let alike = |place: &Place| {
            let of_author = logs.at(place).is_some_and(|at| at.origin.society() == author);
            place.class == class && of_author
        };
        if self.0.len() > max && self.0.iter().filter(|place| alike(place)).count() > max {
            let last = self.0.iter().rposition(alike);
            let left_out = last.and_then(|last| logs.at(&self.0.remove(last)));
            return (last != Some(before), left_out);
        }
        (true, None)
    }

    /// Forgets a place; says whether it was one of them.
    pub(crate) fn forget(&mut self, logs: &Logs, at: &EventRef) -> bool {
        let found = self.find(logs, at).ok();
        found.map(|found| self.0.remove(found)).is_some()
    }

    /// Whether it is one of them.
    pub(crate) fn holds(&self, logs: &Logs, at: &EventRef) -> bool {
        self.find(logs, at).is_ok()
    }

    /// All of them, in their order.
    pub(crate) fn all(&self, logs: &Logs) -> Vec<EventRef> {
        self.0.iter().filter_map(|place| logs.at(place)).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, logs: &Logs, at: &EventRef) -> Result<usize, usize> {
        self.0.binary_search_by(|place| logs.at(place).as_ref().cmp(&Some(at)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(origin: &str, index: u64) -> EventRef {
        EventRef { origin: origin.parse().unwrap(), index }
    }

    #[test]
    fn the_first_ones_of_each_author_are_kept_in_any_order_of_arrival() {
        let (mut one, mut other) = (Places::default(), Places::default());
        let (mut logs, mut others) = (Logs::default(), Logs::default());
        let mut offered: Vec<(EventRef, u8)> = Vec::new();
        for index in 0..6 {
            offered.push((at("m.example.org/ph/1", index), u8::from(index % 2 == 0)));
            offered.push((at("m.example.org/ph/2", index), 1));
            offered.push((at("m.example.org/sg/1", index), 0));
        }
        for (at, class) in &offered {
            one.take(&mut logs, at, *class, 4);
        }
        for (at, class) in offered.iter().rev() {
            other.take(&mut others, at, *class, 4);
        }
        assert_eq!(one.all(&logs), other.all(&others));
        let of = |society: &str| {
            let all = one.all(&logs).into_iter();
            all.filter(|at| at.origin.society().as_str() == society).count()
        };
        assert_eq!((of("ph"), of("sg")), (4 + 3, 4));
        let first = at("m.example.org/ph/1", 0);
        assert_eq!(one.take(&mut logs, &first, 1, 4), (false, None), "the same again is no news");
        let (late, last) = (at("m.example.org/ph/2", 7), at("m.example.org/ph/2", 0));
        assert_eq!(one.take(&mut logs, &late, 1, 4), (false, Some(late)), "there is no room");
        let earlier = at("m.example.org/ph/1", 7);
        assert_eq!(one.take(&mut logs, &earlier, 1, 4), (true, Some(last)), "it goes before");
        assert!(one.forget(&logs, &earlier));
        assert!(one.holds(&logs, &first) && one.forget(&logs, &first));
        assert!(!one.holds(&logs, &first) && !one.forget(&logs, &first));
    }
}
