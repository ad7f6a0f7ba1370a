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
use tutti_core::society::Society;

use super::{traffic::Traffic, wire::Grip};
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

/// There is a link already that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duplicate;

/// What a new link is.
pub(super) struct NewLink {
    pub(super) society: Society,
    pub(super) dialled: bool,
    pub(super) address: String,
    pub(super) round_trip_us: u32,
    pub(super) grip: Arc<Grip>,
}

pub(super) struct Table {
    own: Society,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    last_link: u64,
    peers: BTreeMap<Society, PeerState>,
}

impl Table {
    pub(super) fn new(own: Society, peers: impl IntoIterator<Item = Society>) -> Self {
        let peers = peers.into_iter().map(|peer| (peer, PeerState::default())).collect();
        let state = Mutex::new(State { last_link: 0, peers });
        Self { own, state, changed: watch::Sender::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a link in and gives it its number; the one that it replaces is cut.
    pub(super) fn admit(&self, new: &NewLink) -> Result<u64, Duplicate> {
        let mut state = self.state();
        state.last_link += 1;
        let number = state.last_link;
        let peer = state.peers.entry(new.society).or_default();
        if let Some(old) = &peer.link {
            let ours_wins = self.own > new.society;
            if old.dialled != new.dialled && new.dialled != ours_wins {
                return Err(Duplicate);
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

    pub(super) fn states(&self) -> BTreeMap<Society, PeerState> {
        self.state().peers.clone()
    }

    /// Cuts every link.
    pub(super) fn cut_all(&self) {
        for peer in self.state().peers.values() {
            if let Some(link) = &peer.link {
                link.grip.cut_because("this node is stopping");
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

    fn link(society: &str, dialled: bool) -> NewLink {
        NewLink {
            society: society.parse().unwrap(),
            dialled,
            address: String::new(),
            round_trip_us: 0,
            grip: Arc::default(),
        }
    }

    #[test]
    fn of_two_links_both_sides_keep_the_same_one() {
        let (low, high): (Society, Society) = ("ph".parse().unwrap(), "sg".parse().unwrap());
        // For every order in which the two dials come up, at both ends.
        for first_low in [true, false] {
            for first_high in [true, false] {
                let kept = |own: Society, peer: &str, ours_first: bool| {
                    let table = Table::new(own, []);
                    let first = table.admit(&link(peer, ours_first)).unwrap();
                    let second = table.admit(&link(peer, !ours_first));
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
        let table = Table::new("ph".parse().unwrap(), []);
        let sg = "sg".parse().unwrap();
        let first = table.admit(&link("sg", false)).unwrap();
        let second = table.admit(&link("sg", false)).unwrap();
        table.gone(sg, first, "replaced");
        let state = table.states().remove(&sg).unwrap();
        assert_eq!(state.link.unwrap().link, second);
        assert_eq!(state.last_error, "");
        table.gone(sg, second, "reset");
        let state = table.states().remove(&sg).unwrap();
        assert!(state.link.is_none() && state.last_error == "reset");
    }
}
