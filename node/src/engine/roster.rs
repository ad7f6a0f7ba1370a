//! Another roster while the node runs: who is let in, to whom is sealed, and by which times.
//!
//! Invariants: from the moment that a roster is taken nothing goes by the one before; one that does
//! not fit this node (other keys of its own, another federation) is not taken, and people are told.

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::ReferralId,
    roster::{Roster, Status},
    store::Store,
};

use super::{Engine, Routing};
use crate::{
    config::Config,
    rosters::{RostersError, check_keyring},
};

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Takes a roster that was checked to follow the one in force, where it names this node as it is.
    ///
    /// # Errors
    /// [`RostersError`]; then nothing has changed, and the status says so.
    pub fn take_roster(
        &mut self,
        config: &Config,
        roster: &Roster,
        now_ms: u64,
    ) -> Result<(), RostersError> {
        if let Err(unfit) = check_keyring(config, &self.identity.keyring, roster) {
            let why = match &unfit {
                // The card has them already: they are those that waited for this roster.
                RostersError::DamagedKeys { .. } => {
                    "it names new keys of this society, which were put in their places".to_owned()
                }
                other => format!("{other}. Put that right first"),
            };
            let version = roster.version();
            self.cannot_take_roster(format!(
                "roster version {version} is installed and not in force: {why}. Start the node again"
            ));
            return Err(unfit);
        }
        self.go_by(roster.clone(), now_ms);
        Ok(())
    }

    /// Tells people that a roster lies there that is not in force, and why.
    pub fn cannot_take_roster(&mut self, why: String) {
        self.roster_refused = Some(why);
    }

    pub(super) fn go_by(&mut self, roster: Roster, now_ms: u64) {
        self.routing = Routing::new(&self.identity.keyring, &roster);
        self.exchange.work_by(&roster);
        self.roster_refused = None;
        self.roster = roster;
        tracing::info!(version = self.roster.version(), "another roster is in force");
        // Times to answer may be others.
        let all: Vec<ReferralId> = self.referrals.iter().map(|(id, _)| *id).collect();
        all.iter().for_each(|id| self.note_deadline(id));
        self.changed(now_ms, "peer", self.roster.version().to_string(), "roster");
        // Whoever is no member any more loses its link with this.
        self.do_what_is_due(now_ms);
    }

    /// Whether the roster says that this society itself takes no part for the time being.
    pub(super) fn is_suspended(&self) -> bool {
        let own = self.roster.member(self.identity.society);
        own.is_some_and(|own| own.status != Status::Active)
    }
}
