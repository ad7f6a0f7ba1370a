//! Who is linked: at most one link a society, and what is known of each.
//!
//! Both sides may dial at once. Of two links the one that the society with the higher code dialled
//! stays, on both sides alike, so that neither flaps; of two by the same dialler the newer stays,
//! for the older is what a restart left behind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use tutti_core::{
    roster::{Status, TlsSpki},
    society::Society,
};

use super::{members::Members, traffic::Traffic, wire::Grip};
use crate::clock::now_ms;

/// What is known of one peer, for people.
#[derive(Debug, Clone, Default)]
pub struct PeerState {
    /// The link, where there is one.
    pub link: Option<LinkState>,
    /// What ended the last link or the last attempt; empty where nothing did.
    pub last_error: String,
    /// When it was last heard, milliseconds since the Unix epoch; 0 for never in this run.
    pub last_heard_ms: u64,
    /// Bytes of links that ended.
    past_in: u64,
    past_out: u64,
}

/// One link that is up.
#[derive(Debug, Clone)]
pub struct LinkState {
    /// Its number.
    pub link: u64,
    /// Whether this side dialled.
    pub dialled: bool,
    /// The other end's address.
    pub address: String,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// One round trip as TCP's own handshake took it, where this side dialled.
    pub round_trip_us: u32,
    traffic: Arc<Traffic>,
    grip: Arc<Grip>,
}

impl PeerState {
    /// Bytes received in this run, over all links.
    pub fn bytes_in(&self) -> u64 {
        self.past_in + self.link.as_ref().map_or(0, |link| link.traffic.bytes_in())
    }

    /// Bytes sent in this run, over all links.
    pub fn bytes_out(&self) -> u64 {
        self.past_out + self.link.as_ref().map_or(0, |link| link.traffic.bytes_out())
    }

    /// When the peer was last heard, milliseconds since the Unix epoch; 0 for never in this run.
    pub fn heard_ms(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.traffic.last_heard_ms()).max(self.last_heard_ms)
    }
}

/// Why a link was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAdmitted {
    /// There is a link already that stays.
    Duplicate,
    /// No active member has this key any more: the roster has changed since it was proven.
    NoMember,
}

/// What a new link is.
pub(super) struct NewLink {
    pub(super) society: Society,
    /// By which it was proven to be that society.
    pub(super) key: TlsSpki,
    pub(super) dialled: bool,
    pub(super) address: String,
    pub(super) round_trip_us: u32,
    pub(super) grip: Arc<Grip>,
}

pub(super) struct Table {
    own: Society,
    members: Arc<Members>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    last_link: u64,
    peers: BTreeMap<Society, PeerState>,
}

impl Table {
    pub(super) fn new(own: Society, members: Arc<Members>) -> Self {
        let table = Self { own, members, state: Mutex::default(), changed: watch::Sender::new(()) };
        table.list();
        table
    }

    /// Every active member but this one, with what is known of it.
    fn list(&self) {
        let mut state = self.state();
        for member in self.members.now().active().filter(|member| member.society != self.own) {
            state.peers.entry(member.society).or_default();
        }
    }

    /// Goes by another roster: every link ends, and who is still a member comes again.
    pub(super) fn follow(&self, roster: Arc<tutti_core::roster::Roster>) {
        // First the one, then the other: who is admitted in between is admitted by the new one.
        self.members.replace(roster);
        self.cut_all("the roster has changed");
        self.list();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a link in and gives it its number; the one that it replaces is cut.
    pub(super) fn admit(&self, new: &NewLink) -> Result<u64, NotAdmitted> {
        let mut state = self.state();
        if self.members.active(&new.key) != Some(new.society) {
            return Err(NotAdmitted::NoMember);
        }
        state.last_link += 1;
        let number = state.last_link;
        let peer = state.peers.entry(new.society).or_default();
        if let Some(old) = &peer.link {
            let ours_wins = self.own > new.society;
            if old.dialled != new.dialled && new.dialled != ours_wins {
                return Err(NotAdmitted::Duplicate);
            }
        }
        let link = LinkState {
            link: number,
            dialled: new.dialled,
            address: new.address.clone(),
            since_ms: now_ms(),
            round_trip_us: new.round_trip_us,
            traffic: new.grip.traffic().clone(),
            grip: new.grip.clone(),
        };
        if let Some(old) = peer.link.replace(link) {
            peer.settle(&old);
            old.grip.cut_because("another link with this peer took its place");
        }
        drop(state);
        self.changed.send_replace(());
        Ok(number)
    }

    /// Forgets a link that has ended. One that was replaced says nothing of the peer.
    pub(super) fn gone(&self, society: Society, number: u64, why: &str) {
        let mut state = self.state();
        let peer = state.peers.entry(society).or_default();
        if let Some(old) = peer.link.take_if(|link| link.link == number) {
            peer.settle(&old);
            peer.last_error = why.into();
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// Notes why a peer was not reached.
    pub(super) fn failed(&self, society: Society, why: &str) {
        self.state().peers.entry(society).or_default().last_error = why.into();
    }

    /// Waits until there is no link with this society.
    pub(super) async fn free(&self, society: Society) {
        let mut changed = self.changed.subscribe();
        while self.state().peers.get(&society).is_some_and(|peer| peer.link.is_some()) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Of each active member, and of who still has a link.
    pub(super) fn states(&self) -> BTreeMap<Society, PeerState> {
        let roster = self.members.now();
        let active = |of: &Society| roster.member(*of).is_some_and(|m| m.status == Status::Active);
        let mut states = self.state().peers.clone();
        states.retain(|society, peer| peer.link.is_some() || active(society));
        states
    }

    /// Cuts every link.
    pub(super) fn cut_all(&self, why: &'static str) {
        for peer in self.state().peers.values() {
            if let Some(link) = &peer.link {
                link.grip.cut_because(why);
            }
        }
    }
}

impl PeerState {
    fn settle(&mut self, old: &LinkState) {
        self.past_in += old.traffic.bytes_in();
        self.past_out += old.traffic.bytes_out();
        self.last_heard_ms = self.last_heard_ms.max(old.traffic.last_heard_ms());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn members() -> (Arc<Members>, crate::testing::Federation) {
        let federation = crate::testing::Federation::found(&["ph", "sg"], &["ph", "sg"]);
        (Members::new(federation.roster.clone()), federation)
    }

    fn link(members: &Members, society: &str, dialled: bool) -> NewLink {
        let society = society.parse().unwrap();
        NewLink {
            society,
            key: members.now().member(society).unwrap().tls_key,
            dialled,
            address: String::new(),
            round_trip_us: 0,
            grip: Arc::default(),
        }
    }

    #[test]
    fn of_two_links_both_sides_keep_the_same_one() {
        let (members, _federation) = members();
        let (low, high): (Society, Society) = ("ph".parse().unwrap(), "sg".parse().unwrap());
        // For every order in which the two dials come up, at both ends.
        for first_low in [true, false] {
            for first_high in [true, false] {
                let kept = |own: Society, peer: &str, ours_first: bool| {
                    let table = Table::new(own, members.clone());
                    let first = table.admit(&link(&members, peer, ours_first)).unwrap();
                    let second = table.admit(&link(&members, peer, !ours_first));
                    let state = table.states().into_values().next().unwrap().link.unwrap();
                    assert_eq!(state.link, second.unwrap_or(first));
                    // Whether the link that stays was dialled by the higher society.
                    state.dialled == (own == high)
                };
                assert!(kept(low, "sg", first_low) && kept(high, "ph", first_high));
            }
        }
    }

    #[test]
    fn a_newer_link_of_the_same_dialler_replaces_and_the_old_one_ends_quietly() {
        let (members, _federation) = members();
        let table = Table::new("ph".parse().unwrap(), members.clone());
        let sg = "sg".parse().unwrap();
        let first = table.admit(&link(&members, "sg", false)).unwrap();
        let second = table.admit(&link(&members, "sg", false)).unwrap();
        table.gone(sg, first, "replaced");
        let state = table.states().remove(&sg).unwrap();
        assert_eq!(state.link.unwrap().link, second);
        assert_eq!(state.last_error, "");
        table.gone(sg, second, "reset");
        let state = table.states().remove(&sg).unwrap();
        assert!(state.link.is_none() && state.last_error == "reset");
    }

    #[test]
    fn who_is_no_member_any_more_is_cut_and_not_let_in_by_what_it_proved_before() {
        let (members, federation) = members();
        let table = Table::new("ph".parse().unwrap(), members.clone());
        let (held, late) = (link(&members, "sg", false), link(&members, "sg", false));
        let number = table.admit(&held).unwrap();
        table.follow(federation.next(|document| document.members[1].status = Status::Suspended));
        assert_eq!(held.grip.why(), Some("the roster has changed"));
        assert_eq!(table.admit(&late), Err(NotAdmitted::NoMember));
        table.gone(held.society, number, "the roster has changed");
        assert!(table.states().is_empty());
    }
}
