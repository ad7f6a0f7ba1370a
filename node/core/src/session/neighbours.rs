//! Who links to whom, and along which tree a log spreads: both from the roster alone.
//!
//! Every node computes the same graph from the same roster. Up to [`MESH_MAX`] members all link to
//! all; in a larger federation each to its successor on a ring and to those that rendezvous
//! hashing gives it, 6 to 10 in all. On that graph each log has a spanning tree from its author;
//! entries are pushed down it, cosignatures go up and down it. None of this is relied on: what the
//! tree misses, heads and grafting bring. Without a link the tree costs time, never a log.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::{
    roster::Roster,
    society::{Origin, Society},
};

/// Up to here every member links to every other.
pub const MESH_MAX: usize = 17;

/// Up to here an author pushes to everyone.
const STAR_MAX: usize = 8;

/// Links that a member takes by rendezvous hashing, besides those that others take to it.
const CHOICES: usize = 3;

/// Whom a node pushes to in one tree, beyond [`STAR_MAX`] members.
const CHILDREN: usize = 2;

/// Whom `society` keeps links to: itself not among them; empty where it is no active member.
pub fn neighbours(roster: &Roster, society: Society) -> BTreeSet<Society> {
    Graph::new(roster).edges.remove(&society).unwrap_or_default()
}

/// The graph of one roster.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Hash of the roster that it is made from.
    pub(super) roster: [u8; 32],
    edges: BTreeMap<Society, BTreeSet<Society>>,
}

/// Where a node stands in the tree of one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// One step nearer to the author; `None` for the author itself.
    pub(super) parent: Option<Society>,
    /// How many steps away the author is.
    pub(super) depth: u32,
    /// To whom it pushes.
    pub(super) children: Vec<Society>,
    /// Neighbours that stand no deeper than this node, nearest to the author first.
    pub(super) nearer: Vec<Society>,
}

impl Graph {
    pub(super) fn new(roster: &Roster) -> Self {
        let members: Vec<Society> = roster.active().map(|member| member.society).collect();
        let mut edges: BTreeMap<Society, BTreeSet<Society>> =
            members.iter().map(|member| (*member, BTreeSet::new())).collect();
        let mut link = |one: Society, other: Society| {
            if one != other {
                edges.entry(one).or_default().insert(other);
                edges.entry(other).or_default().insert(one);
            }
        };
        if members.len() <= MESH_MAX {
            for one in &members {
                for other in &members {
                    link(*one, *other);
                }
            }
        } else {
            let mut ring = members.clone();
            ring.sort_by_cached_key(|member| rank("ring", *member, *member));
            for (member, next) in ring.iter().zip(ring.iter().cycle().skip(1)) {
                link(*member, *next);
            }
            for one in &members {
                let mut others: Vec<Society> =
                    members.iter().copied().filter(|other| other != one).collect();
                others.sort_by_cached_key(|other| {
                    rank("link", (*one).min(*other), (*one).max(*other))
                });
                for other in others.iter().take(CHOICES) {
                    link(*one, *other);
                }
            }
        }
        Self { roster: roster.hash(), edges }
    }

    /// The place of `own` in the tree of `origin`.
    ///
    /// Breadth first from the author; each takes at most two neighbours that nobody has taken, in
    /// the order of their hash with the origin. Who is left over is taken by the first that can.
    pub(super) fn place(&self, origin: &Origin, own: Society) -> Place {
        // Once each: the tree asks for them over and over.
        let ranks: BTreeMap<Society, [u8; 32]> = self
            .edges
            .keys()
            .map(|society| (*society, rank(origin.as_str(), *society, *society)))
            .collect();
        let by_rank = |society: &Society| ranks.get(society).copied().unwrap_or_default();
        let root = if self.edges.contains_key(&origin.society()) {
            origin.society()
        } else {
            let Some(root) = self.edges.keys().copied().min_by_key(by_rank) else {
                return Place::default();
            };
            root
        };
        let fan_out = if self.edges.len() <= STAR_MAX { STAR_MAX } else { CHILDREN };
        let mut taken = BTreeMap::from([(root, (None, 0u32))]);
        let mut order = vec![root];
        let mut next = 0;
        while taken.len() < self.edges.len() {
            let free = |at: Society, taken: &BTreeMap<Society, (Option<Society>, u32)>| {
                let mut free: Vec<Society> =
                    self.edges.get(&at).into_iter().flatten().copied().collect();
                free.retain(|member| !taken.contains_key(member));
                free.sort_by_key(by_rank);
                free
            };
            // In turn each takes its share; then the first that can take one more does.
            let (at, count) = match order.get(next) {
                Some(at) => (*at, fan_out),
                None => match order.iter().find(|at| !free(**at, &taken).is_empty()) {
                    Some(at) => (*at, 1),
                    None => break,
                },
            };
            next = (next + 1).min(order.len());
            let depth = taken.get(&at).map_or(0, |(_, depth)| *depth);
            for child in free(at, &taken).into_iter().take(count) {
                taken.insert(child, (Some(at), depth + 1));
                order.push(child);
            }
        }
        let Some((parent, own_depth)) = taken.get(&own).copied() else {
            return Place::default();
        };
        let children = order
            .iter()
            .copied()
            .filter(|member| taken.get(member).is_some_and(|(parent, _)| *parent == Some(own)));
        let mut nearer: Vec<(u32, Society)> = self
            .edges
            .get(&own)
            .into_iter()
            .flatten()
            .filter_map(|next| taken.get(next).map(|(_, depth)| (*depth, *next)))
            .filter(|(depth, _)| *depth < own_depth)
            .collect();
        nearer.sort_unstable();
        Place {
            parent,
            depth: own_depth,
            children: children.collect(),
            nearer: nearer.into_iter().map(|(_, society)| society).collect(),
        }
    }
}

fn rank(what: &str, one: Society, other: Society) -> [u8; 32] {
    let text = format!("tutti/v1/neighbours {what} {one} {other}");
    Sha256::digest(text.as_bytes()).into()
}
