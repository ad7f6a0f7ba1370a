//! The first frame on both sides: who is there, of which federation, by which roster.

use rand_core::CryptoRngCore;
use tutti_proto::v1;

use super::{
    Exchange, FrameKind, LinkId, Misbehaved, Sender, Step, is_active,
    link::{Greeting, Link},
};
use crate::{society::Society, store::Reader};

/// The version of the exchange that is spoken here.
pub(super) const VERSION: u32 = 1;

/// How long a peer may take to say hello, milliseconds.
pub(super) const HELLO_MS: u64 = 10_000;

impl Exchange {
    pub(super) fn connected<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
        society: Society,
    ) {
        let due_ms = step.now_ms.saturating_add(HELLO_MS);
        self.links.insert(id, Link::new(society, step.now_ms, due_ms));
        if society == self.settings.society {
            return self.close(step, id, Misbehaved::Twin(society));
        }
        if !is_active(step.roster, society) {
            return self.close(step, id, Misbehaved::NotAMember(society));
        }
        let hello = v1::Hello {
            version: VERSION,
            federation: self.settings.origin.federation().into(),
            society: self.settings.society.to_string(),
            roster_version: self.settings.roster_version,
            roster_hash: self.settings.roster_hash.to_vec(),
            incarnation: self.settings.incarnation.to_vec(),
        };
        step.send(id, FrameKind::Hello(hello));
    }

    /// Checks a hello, then shows the peer every log. Another roster is kept for people to see.
    pub(super) fn hello<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        hello: &v1::Hello,
    ) -> Result<(), Misbehaved> {
        let society = from.society;
        let wrong = |field| Misbehaved::Hello { society, field };
        let Some(link) = self.links.get_mut(&from.link) else { return Ok(()) };
        if link.is_ready() {
            return Err(Misbehaved::HelloTwice(society));
        }
        if hello.version != VERSION {
            return Err(Misbehaved::Version { society, version: hello.version });
        }
        if hello.federation != self.settings.origin.federation() {
            return Err(Misbehaved::Federation(society));
        }
        if hello.society != society.as_str() {
            let claimed = hello.society.chars().take(8).collect();
            return Err(Misbehaved::Impostor { proven: society, claimed });
        }
        if hello.roster_version == 0 {
            return Err(wrong("roster_version"));
        }
        link.greeting = Some(Greeting {
            roster_version: hello.roster_version,
            roster_hash: hello
                .roster_hash
                .as_slice()
                .try_into()
                .map_err(|_| wrong("roster_hash"))?,
            incarnation: hello
                .incarnation
                .as_slice()
                .try_into()
                .map_err(|_| wrong("incarnation"))?,
        });
        link.took(step.now_ms.saturating_sub(link.connected_at_ms));
        self.show_frontier(step, from.link);
        self.bodies_may_come(step, from.society);
        self.greet(step, from);
        Ok(())
    }

    /// Closes links whose peer is silent, and shows the frontier where it is time.
    pub(super) fn tick_links<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        let now_ms = step.now_ms;
        let due: Vec<(LinkId, Society, bool)> = self
            .links
            .iter()
            .filter(|(_, link)| match link.is_ready() {
                true => link.frontier_at_ms <= now_ms,
                false => link.hello_due_ms <= now_ms,
            })
            .map(|(id, link)| (*id, link.society, link.is_ready()))
            .collect();
        for (id, society, ready) in due {
            if ready {
                self.show_frontier(step, id);
            } else {
                self.close(step, id, Misbehaved::Silent(society));
            }
        }
    }
}
