//! How long it takes until the other side sees something: looked at from a thread of its own, so
//! that what the story does meanwhile does not count.

use std::{path::Path, thread, time::Instant};

use tutti_proto::node::v1::{ListReferralsRequest, ReferralState};

use super::nodes::PATIENCE;
use crate::{
    failure::{Exit, Failure},
    node::{self, Node},
    time,
};

/// Somebody who looks at one node's list of referrals all the time.
pub(super) struct Seen(thread::JoinHandle<Result<u64, Failure>>);

impl Seen {
    /// Begins to look for a referral in `state`; with an id, for that one.
    pub(super) fn look(dir: &Path, id: Option<&str>, state: ReferralState) -> Self {
        let (dir, id) = (dir.to_path_buf(), id.map(ToOwned::to_owned));
        Self(thread::spawn(move || {
            node::block_on(async {
                let node = Node::in_dir(&dir).await?;
                let begun = Instant::now();
                loop {
                    let request = ListReferralsRequest {
                        states: vec![state as i32],
                        ..ListReferralsRequest::default()
                    };
                    let found = node::ask(node.referrals().list(request)).await?.referrals;
                    if found.iter().any(|referral| id.as_ref().is_none_or(|id| *id == referral.id))
                    {
                        return Ok(time::now_ms());
                    }
                    if begun.elapsed() > PATIENCE {
                        let what = format!("nothing was seen in {} s", PATIENCE.as_secs());
                        return Err(Failure::new(Exit::Refused, what));
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            })
        }))
    }

    /// Waits until it was seen; milliseconds since `from_ms`.
    pub(super) fn after(self, from_ms: u64) -> Result<u64, Failure> {
        let seen_ms = self.0.join().unwrap_or_else(|_| {
            Err(Failure::new(Exit::Internal, "the thread that looked has panicked"))
        })?;
        Ok(seen_ms.saturating_sub(from_ms))
    }
}
