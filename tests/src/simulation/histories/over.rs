//! What people do when the time to keep their cases is over, whatever they would like to; and what of it
//! may stand in the logs.

use std::collections::BTreeSet;

use tutti_core::society::Origin;
use tutti_proto::v1::referral_event::Transition as T;

use super::{History, model::may_follow_the_end};

impl History {
    /// They go on with what is over as with all else, with notes and without; says how many steps of
    /// theirs stand there then.
    ///
    /// # Panics
    /// Where one was written that may not be.
    pub(super) fn act_when_over(&mut self) -> u64 {
        let before = self.written_of_what_is_over();
        for _ in 0..12 + self.choose(20) {
            match self.choose(10) {
                0 => self.race(),
                1 => self.stop(),
                2 => self.reopen(),
                3 => self.pass_on(),
                4 if self.with_files => self.act_on_files(),
                _ => self.step_when_over(),
            }
            let waits = [0, 20, 1_500, 15_000];
            let wait_ms = waits[self.choose(waits.len())];
            self.simulation.run(wait_ms);
            self.check_now();
        }
        self.simulation.run(180_000);
        self.check_now();
        let steps = self.written_of_what_is_over().difference(&before).count() as u64;
        for matter in (0..self.matters.len()).filter(|matter| self.is_over(*matter)) {
            for fact in self.facts_of(matter) {
                let at = (fact.header.origin.clone(), fact.header.index);
                let Some(says) = fact.referral().and_then(|event| event.transition.as_ref()) else {
                    continue;
                };
                let in_time = before.contains(&at);
                let may = may_follow_the_end(says) && !fact.record.has_content;
                assert!(in_time || may, "written when the time was over: {:?}", fact.record);
            }
        }
        steps
    }

    /// Steps, but for receipts, which write themselves.
    fn written_of_what_is_over(&self) -> BTreeSet<(Origin, u64)> {
        let over = (0..self.matters.len()).filter(|matter| self.is_over(*matter));
        let steps = over.flat_map(|matter| self.facts_of(matter)).filter(|fact| {
            let says = fact.referral().and_then(|event| event.transition.as_ref());
            !matches!(says, Some(T::Erased(_)))
        });
        steps.map(|fact| (fact.header.origin.clone(), fact.header.index)).collect()
    }

    fn step_when_over(&mut self) {
        let Some((matter, side, shown)) = self.any_side() else { return };
        let command = match self.choose(2) {
            0 => self.any_command(matter, side, &shown),
            _ => self.likely(matter, side, &shown),
        };
        let Some(command) = command else { return };
        match self.choose(3) {
            0 => self.advance(matter, side, command),
            _ => self.advance_without_note(matter, side, command),
        }
    }
}
