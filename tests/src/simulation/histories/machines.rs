//! What befalls machines in a history: they are switched off, cut off, full, restored from older
//! backups, and their clocks are set.

use tutti_core::store::Reader as _;

use super::History;
use crate::simulation::origin;

impl History {
    pub(super) fn away(&mut self) {
        let node = self.choose(self.count());
        let away_ms = [500, 10_000, 80_000, 400_000][self.choose(4)];
        self.simulation.stop(node, away_ms);
    }

    /// Who reaches whom: all, only over a relay, two halves, all but one.
    pub(super) fn part(&mut self) {
        let (count, relays) = (self.count(), self.relays);
        let apart = self.choose(count);
        match self.choose(5) {
            0 | 1 => self.simulation.partition(|node| match node + relays >= count {
                true => u32::MAX,
                false => 1 << node,
            }),
            2 => self.simulation.partition(|node| 1 << (node % 2)),
            3 => self.simulation.partition(|node| if node == apart { 1 } else { 2 }),
            _ => self.simulation.rejoin(),
        }
        self.parted = true;
    }

    pub(super) fn fill(&mut self) {
        let node = self.choose(self.count());
        let full = !self.simulation.nodes[node].disk.platter().full;
        self.simulation.set_full(node, full);
    }

    pub(super) fn set_clock(&mut self) {
        let node = self.choose(self.count());
        let skew_ms = self.choose(7_200_000) as i64 - 3_600_000;
        self.simulation.set_clock(node, skew_ms);
    }

    /// A machine comes back from an older backup, where others have its whole log and all that is for them:
    /// what it alone had would be lost. Without the mark that is kept out of backups. Or a backup is made.
    pub(super) fn restore(&mut self) {
        let node = self.choose(self.count());
        let Some(backup) = self.backups.remove(&node).filter(|_| self.choose(3) > 0) else {
            let backup = self.simulation.backup(node);
            self.backups.insert(node, backup);
            return;
        };
        self.simulation.calm();
        self.simulation.run(5_000);
        let log = origin(self.society(node));
        let held = |other: usize| self.simulation.nodes[other].store().tree(&log).size();
        let has_all = |other: usize| {
            let engine = self.simulation.nodes[other].engine();
            engine.is_some_and(|engine| engine.bodies_waited_for().all(|of| of.origin != log))
        };
        if !(0..self.count()).all(|other| has_all(other) && held(other) == held(node)) {
            return;
        }
        self.simulation.stop(node, 500);
        self.simulation.replace_disk(node, backup);
        self.restored.insert(node);
        self.simulation.run(40_000);
        self.restores += 1;
    }
}
