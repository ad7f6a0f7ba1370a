//! Wrong passwords, by account and by address: pauses that double, and who has to keep them.
//!
//! Two things are wanted at once: nobody guesses a password, and nobody keeps its owner out by
//! guessing. So each address waits for what it has guessed wrong itself, and an account is not closed
//! to all because of one of them:
//!
//! - one address at one account: five free guesses, then pauses that double, up to a quarter of an hour;
//! - one address at all accounts: twenty free guesses, then the same pauses;
//! - one account from everywhere: eight addresses are counted each by itself, all others as one. So many
//!   addresses have, together, no more than nine times the guesses of one.
//!
//! From where an account has logged in well, it waits for nothing but what was guessed wrong at it from
//! there. What nobody has added to for a day is forgotten. Invariant: what is counted has a bound; a
//! clock that is set back keeps nobody out.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

/// Wrong guesses of one address at one account before the pauses begin.
const FREE_OF_PAIR: u32 = 5;

/// The same of one address at all accounts: an office has one address for many.
const FREE_OF_ADDRESS: u32 = 20;

/// The longest pause, milliseconds.
const PAUSE_MAX_MS: u64 = 15 * 60 * 1000;

/// After so long without a guess a count is forgotten, milliseconds.
const FORGOTTEN_MS: u64 = 24 * 3_600_000;

/// Addresses of one account that are counted each by itself.
const ADDRESSES_MAX: usize = 8;

/// Counts that are kept at once, of each kind: a guesser of names must not fill the memory.
const COUNTS_MAX: usize = 1024;

/// From where somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// This machine, through the node's socket.
    Machine,
    /// A network: all of an IPv4 address, the first half of an IPv6 one, which is what a household or a
    /// hired machine has to itself.
    Network(Ipv6Addr),
    /// Any, where more have guessed at an account than are counted each by itself.
    Elsewhere,
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64),
        })
    }
}

/// What one guess adds up to: wrong ones, this one included, as long as it is not known to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrong {
    /// At this account, from everywhere.
    pub(super) at_account: u32,
    /// From this address, at all accounts.
    pub(super) from_address: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    wrong: u32,
    /// Until when no other is heard.
    until_ms: u64,
    last_ms: u64,
    /// Somebody has logged in well here.
    known: bool,
}

impl Count {
    /// Until when it waits; `None` where it need not. No pause is longer than the longest: where it
    /// seems to be, the clock was set back.
    fn waits(&self, now_ms: u64) -> Option<u64> {
        let left_ms = self.until_ms.checked_sub(now_ms)?;
        (1..=PAUSE_MAX_MS).contains(&left_ms).then_some(self.until_ms)
    }

    fn add(&mut self, free: u32, now_ms: u64) {
        self.wrong = self.wrong.saturating_add(1);
        let pause_ms = match self.wrong.checked_sub(free) {
            None => 0,
            Some(more) => 1000u64.saturating_mul(1 << more.min(20)).min(PAUSE_MAX_MS),
        };
        (self.until_ms, self.last_ms) = (now_ms.saturating_add(pause_ms), now_ms);
    }

    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.last_ms) > FORGOTTEN_MS
    }

    /// Who goes first where there are too many.
    fn weight(&self) -> (bool, u32, u64) {
        (self.known, self.wrong, self.until_ms)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    by_account: BTreeMap<String, BTreeMap<Address, Count>>,
    by_address: BTreeMap<Address, Count>,
}

impl Guesses {
    /// Counts a guess before it is looked at, so that many at once count as many. `Err`: not
    /// before that time, and nothing was counted.
    pub(super) fn begin(&mut self, name: &str, from: Address, now_ms: u64) -> Result<Wrong, u64> {
        self.forget(name, now_ms);
        let place = self.place(name, from);
        let pair = self.of(name, place);
        let of_address = self.by_address.get(&from).copied().unwrap_or_default();
        let waits = [Some(pair), (!pair.known).then_some(of_address)];
        if let Some(until) = waits.iter().flatten().filter_map(|count| count.waits(now_ms)).max() {
            return Err(until);
        }
        self.make_room(name, from);
        let account = self.by_account.entry(name.into()).or_default();
        account.entry(place).or_default().add(FREE_OF_PAIR, now_ms);
        let at_account = account.values().fold(0, |all: u32, one| all.saturating_add(one.wrong));
        let of_address = self.by_address.entry(from).or_default();
        of_address.add(FREE_OF_ADDRESS, now_ms);
        Ok(Wrong { at_account, from_address: of_address.wrong })
    }

    /// The last guess was the right one: what was guessed wrong here before was its owner's mistyping.
    pub(super) fn good(&mut self, name: &str, from: Address, now_ms: u64) {
        let mistyped = self.of(name, from).wrong.max(1);
        if let Some(count) = self.by_address.get_mut(&from) {
            count.wrong = count.wrong.saturating_sub(mistyped);
        }
        self.make_room(name, from);
        let account = self.by_account.entry(name.into()).or_default();
        account.insert(from, Count { known: true, last_ms: now_ms, ..Count::default() });
        let known = account.iter().filter(|(_, count)| count.known);
        if known.clone().count() > ADDRESSES_MAX {
            let oldest = known.min_by_key(|(_, count)| count.last_ms).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                account.remove(&oldest);
            }
        }
    }

    fn of(&self, name: &str, place: Address) -> Count {
        let account = self.by_account.get(name);
        account.and_then(|account| account.get(&place)).copied().unwrap_or_default()
    }

    /// Under which address this one is counted at that account.
    fn place(&self, name: &str, from: Address) -> Address {
        let Some(account) = self.by_account.get(name) else { return from };
        let strangers = account.values().filter(|count| !count.known).count();
        if account.contains_key(&from) || strangers < ADDRESSES_MAX {
            from
        } else {
            Address::Elsewhere
        }
    }

    fn forget(&mut self, name: &str, now_ms: u64) {
        if let Some(account) = self.by_account.get_mut(name) {
            account.retain(|_, count| count.known || !count.is_over(now_ms));
        }
        self.by_address.retain(|_, count| !count.is_over(now_ms));
    }

    /// Where there are too many, it is forgotten who was guessed at the least, and last of all where
    /// somebody has logged in.
    fn make_room(&mut self, name: &str, from: Address) {
        if !self.by_account.contains_key(name) && self.by_account.len() >= COUNTS_MAX {
            let weight =
                |account: &BTreeMap<Address, Count>| account.values().map(Count::weight).max();
            let least = self.by_account.iter().min_by_key(|(_, account)| weight(account));
            if let Some(least) = least.map(|(name, _)| name.clone()) {
                self.by_account.remove(&least);
            }
        }
        if !self.by_address.contains_key(&from) && self.by_address.len() >= COUNTS_MAX {
            let least = self.by_address.iter().min_by_key(|(_, count)| count.weight());
            if let Some(least) = least.map(|(address, _)| *address) {
                self.by_address.remove(&least);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY_MS: u64 = 24 * 3_600_000;

    fn network(n: u32) -> Address {
        IpAddr::from(n.to_be_bytes()).into()
    }

    /// Guesses without a rest until that time; how many.
    fn besiege(guesses: &mut Guesses, name: &str, from: &[Address], until_ms: u64) -> u64 {
        let (mut now_ms, mut made) = (0, 0);
        while now_ms < until_ms {
            let mut next_ms = u64::MAX;
            for address in from {
                match guesses.begin(name, *address, now_ms) {
                    Ok(_) => (made, next_ms) = (made + 1, now_ms),
                    Err(until) => next_ms = next_ms.min(until),
                }
            }
            now_ms = next_ms;
        }
        made
    }

    #[test]
    fn ten_thousand_guesses_take_months() {
        let (mut guesses, mut now_ms) = (Guesses::default(), 0);
        for _ in 0..10_000 {
            while let Err(until) = guesses.begin("maria", network(1), now_ms) {
                now_ms = until;
            }
        }
        let days = now_ms / DAY_MS;
        assert!(days > 90, "{days} days");
    }

    #[test]
    fn an_account_under_attack_lets_its_owner_in_from_elsewhere() {
        let mut guesses = Guesses::default();
        besiege(&mut guesses, "maria", &[network(1)], DAY_MS);
        let now_ms = DAY_MS;
        assert!(guesses.begin("maria", network(1), now_ms).is_err(), "who guesses waits");
        for address in [network(2), Address::Machine] {
            guesses.begin("maria", address, now_ms).unwrap();
        }
        guesses.good("maria", network(2), now_ms);
        // That the owner is in does not free whoever guesses.
        assert!(guesses.begin("maria", network(1), now_ms).is_err());
        // Another account at that address waits with it: an address that fails is slowed.
        assert!(guesses.begin("jose", network(1), now_ms).is_err());
        guesses.begin("jose", network(3), now_ms).unwrap();
    }

    #[test]
    fn one_address_that_tries_one_password_at_each_account_is_slowed() {
        let mut guesses = Guesses::default();
        let all = |guesses: &mut Guesses| {
            (0..1000).filter(|n| guesses.begin(&format!("name {n}"), network(1), 0).is_ok()).count()
        };
        assert_eq!(all(&mut guesses), FREE_OF_ADDRESS as usize);
        // In a day it has no more than at one account.
        let made = besiege(&mut guesses, "maria", &[network(1)], DAY_MS);
        assert!(made < 120, "{made}");
    }

    #[test]
    fn who_has_logged_in_from_an_address_does_not_wait_for_what_others_do_there() {
        let mut guesses = Guesses::default();
        guesses.begin("maria", network(1), 0).unwrap();
        guesses.good("maria", network(1), 0);
        besiege(&mut guesses, "jose", &[network(1)], DAY_MS);
        assert!(guesses.begin("ana", network(1), DAY_MS).is_err());
        for n in 1..=FREE_OF_PAIR {
            let begun = guesses.begin("maria", network(1), DAY_MS).unwrap();
            assert_eq!(begun.at_account, n);
        }
        assert!(guesses.begin("maria", network(1), DAY_MS).is_err(), "its own wrong ones count");
    }

    #[test]
    fn forty_addresses_have_nine_times_the_guesses_of_one_and_the_owner_gets_in() {
        let (mut alone, mut guesses) = (Guesses::default(), Guesses::default());
        guesses.begin("maria", network(0), 0).unwrap();
        guesses.good("maria", network(0), 0);
        let one = besiege(&mut alone, "maria", &[network(1)], 2 * DAY_MS);
        let forty: Vec<Address> = (1..=40).map(network).collect();
        let all = besiege(&mut guesses, "maria", &forty, 2 * DAY_MS);
        assert!(all <= (ADDRESSES_MAX as u64 + 1) * one, "{all} guesses, of one address {one}");
        assert!(guesses.begin("maria", network(5000), 2 * DAY_MS - 1).is_err(), "a stranger");
        guesses.begin("maria", network(0), 2 * DAY_MS - 1).unwrap();
    }

    #[test]
    fn mistyping_that_ends_well_counts_against_nobody_in_the_office() {
        let mut guesses = Guesses::default();
        for n in 0..200 {
            let name = format!("name {n}");
            for _ in 0..4 {
                guesses.begin(&name, network(1), 0).unwrap();
            }
            guesses.good(&name, network(1), 0);
        }
    }

    #[test]
    fn guessing_names_and_addresses_fills_no_memory_and_frees_nobody() {
        let mut guesses = Guesses::default();
        besiege(&mut guesses, "maria", &[network(0)], DAY_MS);
        for n in 1..3 * COUNTS_MAX as u32 {
            guesses.begin(&format!("name {n}"), network(n), DAY_MS).unwrap();
            let _ = guesses.begin("ana", network(n), DAY_MS);
        }
        assert!(guesses.by_account.len() <= COUNTS_MAX && guesses.by_address.len() <= COUNTS_MAX);
        assert!(guesses.by_account["ana"].len() <= ADDRESSES_MAX + 1);
        assert!(guesses.begin("maria", network(0), DAY_MS).is_err());
        for n in 0..3 * COUNTS_MAX as u32 {
            guesses.good("ana", network(n), DAY_MS + u64::from(n));
        }
        assert!(guesses.by_account["ana"].len() <= 2 * ADDRESSES_MAX + 1);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out_and_a_day_forgets() {
        let mut guesses = Guesses::default();
        besiege(&mut guesses, "maria", &[network(1)], DAY_MS);
        assert!(guesses.begin("maria", network(1), DAY_MS).is_err());
        guesses.begin("maria", network(1), 1000).unwrap();
        let begun = guesses.begin("maria", network(1), 3 * DAY_MS).unwrap();
        assert_eq!(begun, Wrong { at_account: 1, from_address: 1 });
    }

    #[test]
    fn an_address_is_what_one_customer_has_to_itself() {
        let of = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
