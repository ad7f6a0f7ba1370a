//! What a scenario does to a simulation from outside, and what it asks of it at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tutti_core::{
    body::{BodyKey, Part},
    entry::Visibility,
    head::SignedHead,
    information::Share,
    referral::Brief,
    session,
    society::{Origin, Society},
    store::{BodyState, MemoryStore, Reader as _},
};

use super::{
    Conduct, Node, Odds, Simulation, Tampering, Traffic, Truth,
    events::Event,
    network::{Carrier, Wire, kind},
};

impl Simulation {
    /// Splits the network: nodes reach each other that share a bit of their sides.
    pub fn partition(&mut self, side: impl Fn(usize) -> u32) {
        for node in 0..self.nodes.len() {
            self.side[node] = side(node);
        }
        let apart = |wire: &Wire| self.side[wire.ends[0]] & self.side[wire.ends[1]] == 0;
        let across: Vec<u64> =
            self.wires.iter().filter(|(_, wire)| apart(wire)).map(|(id, _)| *id).collect();
        for wire in across {
            self.cut(wire);
        }
    }

    /// Switches a machine off, and on again after a while.
    pub fn stop(&mut self, node: usize, away_ms: u64) {
        if !self.nodes[node].is_up() {
            return;
        }
        let touches = |wire: &Wire| wire.ends.contains(&node);
        let wires: Vec<u64> =
            self.wires.iter().filter(|(_, wire)| touches(wire)).map(|(id, _)| *id).collect();
        for wire in wires {
            self.cut(wire);
        }
        self.nodes[node].stop();
        self.ticks[node] = None;
        self.at(away_ms, Event::Start { node });
    }

    /// What a backup of a node's disk would hold now.
    pub fn backup(&self, node: usize) -> MemoryStore {
        self.nodes[node].disk.platter().backup()
    }

    /// The disk of a node that is off is replaced.
    pub fn replace_disk(&mut self, node: usize, store: MemoryStore) {
        assert!(!self.nodes[node].is_up(), "a disk is replaced in a machine that is off");
        self.truth.borrow_mut().disk_replaced(self.nodes[node].society);
        self.nodes[node].disk.platter().replace(store);
    }

    /// Whether something is still to be written at a node.
    pub fn waits_to_write(&self, node: usize) -> bool {
        self.unanswered.contains_key(&node)
    }

    /// Grows with each head that a node's society signs or cosigns.
    pub fn signatures(&self, node: usize) -> u64 {
        self.truth.borrow().signatures(self.nodes[node].society)
    }

    /// Whether there is room on a node's disk.
    pub fn set_full(&mut self, node: usize, full: bool) {
        self.nodes[node].disk.platter().full = full;
        if !full {
            self.retry(node);
        }
    }

    /// A node's wall clock is set.
    pub fn set_clock(&mut self, node: usize, skew_ms: i64) {
        self.nodes[node].set_clock(skew_ms, self.now_ms);
        self.after(node);
    }

    /// From now on, a member tampers with what it sends.
    pub fn tamper(&mut self, node: usize, tampering: Tampering) {
        self.carriers.insert(node, Carrier::new(tampering));
    }

    /// From now on the second machines of equivocators withhold the entries under their heads.
    pub fn withhold(&mut self) {
        self.withholding = true;
    }

    /// Those that are on the same side of a partition dial each other.
    pub fn reach(&mut self) {
        self.dial_waiting();
    }

    /// Everyone who is on reaches everyone who is on.
    pub fn rejoin(&mut self) {
        self.side.fill(u32::MAX);
        self.dial_waiting();
    }

    /// No more cuts and no more failing disks; everyone is on and reaches everyone.
    pub fn heal(&mut self) {
        self.network.cut_every_ms = 0;
        self.calm();
    }

    /// As [`Simulation::heal`], but links are cut as before.
    pub fn calm(&mut self) {
        if self.network.cut_every_ms == 0 {
            self.events.retain(|_, event| !matches!(event, Event::Cut));
        }
        for node in 0..self.nodes.len() {
            let mut platter = self.nodes[node].disk.platter();
            platter.odds = Odds::default();
            platter.full = false;
            drop(platter);
            if !self.nodes[node].is_up() {
                self.at(0, Event::Start { node });
            }
        }
        self.rejoin();
    }

    /// How often a write ends badly, from now on and on all disks.
    pub fn set_odds(&mut self, odds: Odds) {
        for node in &self.nodes {
            node.disk.platter().odds = odds;
        }
    }

    /// Writes that wait for their node are tried again.
    pub fn retry_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.retry(node);
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What has really happened.
    pub fn truth(&self) -> std::cell::RefMut<'_, Truth> {
        self.truth.borrow_mut()
    }

    /// Frames that were sent.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Who closed a link on whom, and why.
    pub fn closed(&self) -> &[(Society, Society, String)] {
        &self.closed
    }

    /// Over every frame: when it was sent, where, what, and how large.
    pub fn trace_hash(&self) -> String {
        use sha2::Digest as _;
        hex::encode(self.trace.clone().finalize())
    }

    /// Power cuts, and writes for which there was no room.
    pub fn faults(&self) -> (u64, u64) {
        self.nodes.iter().fold((0, 0), |(crashes, refusals), node| {
            let platter = node.disk.platter();
            (crashes + platter.crashes, refusals + platter.refusals)
        })
    }

    /// A random number from the simulation's seed, for a scenario's own choices.
    pub fn choose(&mut self, bound: usize) -> usize {
        usize::try_from(self.random(bound as u64)).unwrap_or_default()
    }

    /// Every honest log is everywhere, whole, with the cosignatures of all, and every body where it
    /// belongs; every forked log is known as such to every honest node; nothing waits to be
    /// written. Says what is missing.
    pub fn converged(&self) -> Result<(), String> {
        if let Some((node, jobs)) = self.unanswered.first_key_value() {
            return Err(format!("node {node} has not answered {} writes", jobs.len()));
        }
        let turns = self.turns();
        self.nodes
            .iter()
            .filter(|node| node.conduct == Conduct::Honest)
            .try_for_each(|node| self.node_converged(node, &turns))?;
        self.truth.borrow().honest().try_for_each(|(origin, ..)| self.witnesses_agree(origin))
    }

    /// All know the same witnesses of a log.
    fn witnesses_agree(&self, origin: &Origin) -> Result<(), String> {
        let honest = self.nodes.iter().filter(|node| node.conduct == Conduct::Honest);
        let mut known = honest.map(|node| {
            let head = node.store().head(origin);
            let witnesses = |head: SignedHead| -> Vec<Society> {
                head.witnesses().map(|cosignature| cosignature.society).collect()
            };
            (node.society, head.map(witnesses).unwrap_or_default())
        });
        let Some((first, ours)) = known.next() else { return Ok(()) };
        match known.find(|(_, theirs)| *theirs != ours) {
            None => Ok(()),
            Some((other, _)) => {
                Err(format!("{first} and {other} know other witnesses of {origin}"))
            }
        }
    }

    /// Who of the honest is to have cosigned each honest log: those whose turn it is, and as many as
    /// there are to stand in for those of them who are not honest.
    fn turns(&self) -> BTreeMap<Origin, Vec<Society>> {
        let truth = self.truth.borrow();
        let forked: BTreeSet<Society> = truth.forked().map(Origin::society).collect();
        let turns = |origin: &Origin| {
            let turns = session::witnesses(&self.federation.roster, origin).into_iter();
            turns.take(session::WITNESSES).filter(|society| !forked.contains(society)).collect()
        };
        truth.honest().map(|(origin, ..)| (origin.clone(), turns(origin))).collect()
    }

    fn node_converged(
        &self,
        node: &Node,
        turns: &BTreeMap<Origin, Vec<Society>>,
    ) -> Result<(), String> {
        let (who, store, truth) = (node.society, node.store(), self.truth.borrow());
        let engine = node.engine().ok_or_else(|| format!("{who} is off"))?;
        for origin in truth.forked() {
            if store.evidence(origin).is_none() {
                let told = |node: &Node| {
                    let beyond = node.engine().map(|engine| engine.log_beyond(origin));
                    format!("{} {} {beyond:?}", node.society, node.store().tree(origin).size())
                };
                let all: Vec<_> = self.nodes.iter().map(told).collect();
                return Err(format!("{who} has not found out {origin}: {all:#?}"));
            }
        }
        for (origin, size, root) in truth.honest() {
            let tree = store.tree(origin);
            if (tree.size(), tree.root()) != (size, root) {
                return Err(format!("{who} holds {} of {size} of {origin}", tree.size()));
            }
            let Some(head) = store.head(origin).filter(|head| head.size() == size) else {
                return Err(format!("{who} has no head of {size} for {origin}"));
            };
            let absent = |society: &&Society| !head.is_cosigned_by(**society);
            let missing: Vec<_> = turns.get(origin).into_iter().flatten().filter(absent).collect();
            if !missing.is_empty() {
                return Err(format!("{who} lacks the cosignatures of {missing:?} on {origin}"));
            }
        }
        let mut due = BTreeSet::new();
        let rules = self.federation.roster.data_protection();
        for referral in engine.cases() {
            // By somebody's word, on both sides; by the time, where the own clock says so.
            let by_word = referral.erasure(0, rules);
            if by_word.as_ref().is_some_and(|erasure| !erasure.is_confirmed()) {
                return Err(format!("{who} waits for receipts of {}", referral.id));
            }
            let by_time = referral.erasure(node.clock(self.now_ms), rules);
            if by_time.as_ref().is_some_and(|erasure| !erasure.open(who).is_empty()) {
                return Err(format!("{who} owes a receipt of {}", referral.id));
            }
            let entries = by_word.into_iter().chain(by_time).flat_map(|erasure| erasure.entries);
            due.extend(entries.map(|at| (at.origin, at.index)));
        }
        let over = |at| truth.keeping.is_over(who, at, self.now_ms);
        for (at, part, key) in truth.bodies_for(who) {
            let gone = part == Part::Content && due.contains(at);
            match store.body_state(key) {
                BodyState::Present if gone => {
                    return Err(format!("{who} keeps the content {at:?}"));
                }
                // Its author's clock may have been past its time before it had come.
                BodyState::Absent if !gone && !self.has_erased(at.0.society(), key) => {
                    return Err(format!("{who} lacks a {part:?} {at:?}"));
                }
                BodyState::Present if part == Part::Content && over(at) => {
                    return Err(format!("{who} keeps the content {at:?} beyond its time"));
                }
                // That a content was erased in its time is checked for each erasure.
                BodyState::Erased if part == Part::Record => {
                    return Err(format!("{who} erased the record {at:?}"));
                }
                BodyState::Present | BodyState::Absent | BodyState::Erased => {}
            }
        }
        let wanted: Vec<_> = engine.bodies_waited_for().collect();
        match wanted.is_empty() {
            true => Ok(()),
            false => Err(format!("{who} waits for bodies: {wanted:?}")),
        }
    }

    fn has_erased(&self, society: Society, key: &BodyKey) -> bool {
        let node = self.nodes.iter().find(|node| node.society == society);
        node.is_some_and(|node| node.store().body_state(key) == BodyState::Erased)
    }

    /// No content is held by anybody, and each side of each referral has the other's receipts.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn check_all_is_erased(&self) {
        let (truth, rules) = (self.truth.borrow(), self.federation.roster.data_protection());
        for node in &self.nodes {
            let who = node.society;
            for (at, part, key) in truth.bodies_for(who) {
                let present = node.store().body_state(key) == BodyState::Present;
                let other = part == Part::Record || !truth.keeping.is_of_a_case(at);
                assert!(other || !present, "{who} keeps the content {at:?}");
            }
            for referral in node.engine().into_iter().flat_map(|own| own.cases()) {
                let erasure = referral.erasure(node.clock(self.now_ms), rules);
                let erasure = erasure.expect("its time is over");
                assert!(erasure.is_confirmed(), "{who}: {} lacks receipts", referral.id);
            }
        }
    }

    /// Every honest log is everywhere, to its last entry.
    pub fn logs_converged(&self) -> bool {
        let truth = self.truth.borrow();
        let honest: Vec<_> = truth.honest().collect();
        self.nodes.iter().all(|node| {
            let held = |origin| node.store().tree(origin).size();
            honest.iter().all(|(origin, size, _)| held(origin) == *size)
        })
    }

    /// Cuts a random link.
    pub fn cut_one(&mut self) {
        let at = self.choose(self.wires.len());
        if let Some(wire) = self.wires.keys().nth(at).copied() {
            self.cut(wire);
        }
    }

    /// From now on, keeps a copy of every frame that is delivered.
    pub fn record(&mut self) {
        self.recording = Some(Vec::new());
    }

    /// Delivers so many recorded frames again, in any order, each to whom it went and from whom it came,
    /// and lets time pass meanwhile. Says how many were drawn: some could not be delivered just then.
    ///
    /// # Panics
    /// Where hardly any can be.
    pub fn replay(&mut self, times: usize) -> usize {
        /// By then both ends of a new link have said hello; whoever says anything before is cut off.
        const GREETED_MS: u64 = 1_000;
        let recorded = self.recording.take().unwrap_or_default();
        let mut since_ms: BTreeMap<u64, u64> = self.wires.keys().map(|id| (*id, 0)).collect();
        let (mut drawn, mut delivered) = (0, 0);
        while delivered < times {
            assert!(drawn < 1_000 + 10 * times, "of {drawn} frames {delivered} were delivered");
            let (from, node, frame) = recorded[self.choose(recorded.len())].clone();
            // A second hello ends the link, and then there is nothing to replay on for a while.
            let hello = kind(&frame) == "hello";
            let wire = self.wires.iter().find_map(|(id, wire)| match wire.ends {
                [one, other] if (one, other) == (node, from) => Some((*id, 2 * id)),
                [one, other] if (one, other) == (from, node) => Some((*id, 2 * id + 1)),
                _ => None,
            });
            if let Some((wire, link)) = wire {
                let up_ms = *since_ms.entry(wire).or_insert(self.now_ms);
                if self.now_ms >= up_ms + GREETED_MS && (!hello || drawn % 500 == 0) {
                    self.nodes[node].frame(link, frame, self.now_ms);
                    self.after(node);
                    delivered += 1;
                }
            }
            if drawn % 20 == 0 {
                self.run(1);
            }
            drawn += 1;
        }
        drawn
    }

    /// Runs until all have converged; the time that it took, milliseconds.
    ///
    /// # Panics
    /// Where it takes longer than `max_ms`, with what is missing.
    pub fn settle(&mut self, max_ms: u64) -> u64 {
        let from_ms = self.now_ms;
        loop {
            self.retry_all();
            match self.converged() {
                Ok(()) => break,
                Err(missing) => {
                    assert!(self.now_ms - from_ms < max_ms, "not within {max_ms} ms: {missing}");
                }
            }
            self.run(500);
        }
        self.check_views();
        self.now_ms - from_ms
    }

    /// Both parties of a referral see the same, with the same explanations; nobody else sees
    /// anything of it; what all may see is seen by all alike; no body was ever in wrong hands.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn check_views(&self) {
        self.truth.borrow().check_bodies();
        self.truth.borrow_mut().keeping.check_erased();
        let engines: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| node.conduct == Conduct::Honest)
            .filter_map(|node| Some((node.society, node.engine()?)))
            .collect();
        let engine =
            |society| engines.iter().find(|(who, _)| *who == society).map(|(_, engine)| *engine);
        for (who, own) in &engines {
            for (id, brief) in own.referral_register().iter() {
                let case = own.case(id).expect("a case");
                assert_eq!(*brief, Brief::of(&case, *who), "{who}: {id}");
            }
            for referral in own.cases() {
                assert!(referral.side_of(*who).is_some(), "{who} reads a referral of others");
                let other =
                    if *who == referral.sender { referral.receiver } else { referral.sender };
                let Some(other) = engine(other) else { continue };
                assert_eq!(other.case(&referral.id), Some(referral));
            }
            assert_eq!(own.referral_register().strays(), [], "{who} has all that came before");
            assert_eq!(own.projection_warnings(), Vec::<String>::new());
            let first = engines[0].1;
            let forked: Vec<_> = self.truth.borrow().forked().map(|log| log.society()).collect();
            let honest = |share: &Arc<Share>| !forked.contains(&share.society);
            for share in own.shares_as_told().filter(honest) {
                assert_ne!(share.visibility, Visibility::Addressed);
                assert_eq!(first.share_as_told(&share.id), Some(share));
            }
        }
    }

    /// Redundant batches over all nodes and runs.
    pub fn redundant_batches(&self) -> u64 {
        self.nodes.iter().map(|node| node.tally().batches_redundant).sum()
    }
}
