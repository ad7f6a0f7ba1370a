//! Other referrals of a case that go on, though the person wants nobody to have the case any more.

use tutti_proto::node::v1::{Referral, UnstoppedReferral};

use super::short;
use crate::{names, text};

/// That there are some, which, and what to do; `None` where there are none.
pub(super) fn unstopped(referral: &Referral) -> Option<String> {
    let count = referral.unstopped.len() as u64;
    if count == 0 {
        return None;
    }
    let told = |other: &UnstoppedReferral| {
        let state = names::referral_state(other.state()).replace('_', " ");
        format!("{} to {} ({state})", short(&other.id), text::line(&other.receiver))
    };
    let others: Vec<String> = referral.unstopped.iter().map(told).collect();
    Some(format!(
        "Referral {}: the person has said that nobody may have this case any more; {count} other referral{} \
         of it {} not stopped: {}. Ask the person. If they mean that, too, withdraw there as well; if not, \
         record there that they still agree (renew-consent).",
        short(&referral.id),
        text::s(count),
        if count == 1 { "is" } else { "are" },
        others.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tutti_proto::node::v1::ReferralState;

    use super::*;

    #[test]
    fn it_says_which_go_on_and_that_the_person_is_asked() {
        let mut referral = Referral { id: "3f9a1b2c3d4e".into(), ..Default::default() };
        assert_eq!(unstopped(&referral), None);
        let other = |id: &str, receiver: &str, state: ReferralState| UnstoppedReferral {
            id: id.into(),
            receiver: receiver.into(),
            state: state as i32,
        };
        referral.unstopped.push(other("aaaa1111bbbb", "my", ReferralState::InProgress));
        let line = unstopped(&referral).unwrap();
        assert!(line.contains("1 other referral of it is not stopped"), "{line}");
        assert!(line.contains("to my (in progress)") && line.contains("Ask the person"), "{line}");
        assert!(line.contains(short("aaaa1111bbbb")), "{line}");
        referral.unstopped.push(other("cccc2222dddd", "qa\u{1b}[2J", ReferralState::Sent));
        let line = unstopped(&referral).unwrap();
        assert!(line.contains("2 other referrals of it are not stopped"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}
