//! Whom to call: the referral desk of the other society, as the roster has it, where no answer comes.

use std::collections::BTreeMap;

use tutti_core::roster;
use tutti_proto::node::v1::{Desk, Direction, Referral, ReferralState};

use crate::text;

/// A desk as a roster has it.
pub(crate) fn of(desk: &Desk) -> roster::Desk {
    let Desk { name, telephone, email, other, hours, languages } = desk.clone();
    roster::Desk { name, telephone, email, other, hours, languages }
}

/// All that a desk says, on one line that a terminal may show.
pub(crate) fn line(desk: &Desk) -> String {
    text::line(&of(desk).to_string())
}

/// The other society of a case, and its desk.
fn other(referral: &Referral) -> Option<(&str, Option<&Desk>)> {
    match referral.direction() {
        Direction::Sent => Some((&referral.receiver, referral.receiver_desk.as_ref())),
        Direction::Received => Some((&referral.sender, referral.sender_desk.as_ref())),
        Direction::Unspecified => None,
    }
}

/// The other society's desk, where it is known.
pub(crate) fn theirs(referral: &Referral) -> String {
    other(referral).and_then(|(_, desk)| desk).map(line).unwrap_or_default()
}

/// Where the other society owes an answer, or gave none in time: that, and whom to call there.
pub(crate) fn silence(referral: &Referral) -> Option<String> {
    let (society, desk) = other(referral)?;
    let name = text::line(society);
    let what = match referral.state() {
        ReferralState::Expired if referral.direction() == Direction::Sent => {
            format!("{name} did not answer in time.")
        }
        _ if referral.waits_for == society && referral.answer_overdue => {
            format!("{name} has not answered.")
        }
        _ if referral.waits_for == society && referral.acknowledgement_overdue => {
            format!("{name} has not acknowledged it.")
        }
        _ if referral.waits_for == society => format!("{name} has not answered yet."),
        _ => return None,
    };
    Some(format!("{what} {}", reach(society, desk)))
}

/// Of all that is overdue at others: how many answers and acknowledgements each owes, and whom to call there.
/// Whoever owes an answer by now is not asked for an acknowledgement besides.
pub(crate) fn overdue(referrals: &[Referral]) -> Vec<String> {
    let mut owed: BTreeMap<&str, ([u64; 2], Option<&Desk>)> = BTreeMap::new();
    for referral in referrals.iter().filter(|referral| referral.overdue) {
        let Some((society, desk)) = other(referral) else { continue };
        if referral.waits_for == society {
            let ([answers, acknowledgements], _) = owed.entry(society).or_insert(([0, 0], desk));
            match referral.answer_overdue {
                true => *answers += 1,
                false => *acknowledgements += 1,
            }
        }
    }
    let told = owed.into_iter().map(|(society, ([answers, acknowledgements], desk))| {
        let society = text::line(society);
        let counts = [(answers, "answer"), (acknowledgements, "acknowledgement")];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> =
            counts.map(|(count, what)| format!("{count} {what}{}", text::s(*count))).collect();
        format!("{society} owes {}. {}", counts.join(" and "), reach(&society, desk))
    });
    told.collect()
}

fn reach(society: &str, desk: Option<&Desk>) -> String {
    match desk {
        Some(desk) => format!("Their desk: {}", line(desk)),
        None => unknown(society),
    }
}

/// That a society has told nobody how to reach it.
pub(crate) fn unknown(society: &str) -> String {
    format!(
        "No desk of {} is known; their administrator can add one (tutti card renew).",
        text::line(society)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn referral(state: ReferralState, waits_for: &str, direction: Direction) -> Referral {
        let desk = Desk {
            name: "Migration desk".into(),
            telephone: "+63 2 8790 2300".into(),
            hours: "8:00 to 17:00\u{1b}[2J".into(),
            ..Desk::default()
        };
        Referral {
            sender: "sg".into(),
            receiver: "ph".into(),
            state: state as i32,
            waits_for: waits_for.into(),
            direction: direction as i32,
            receiver_desk: Some(desk),
            ..Referral::default()
        }
    }

    #[test]
    fn a_case_that_waits_for_them_says_whom_to_call_there() {
        use ReferralState::{Accepted, Acknowledged, Expired, InformationRequested, Sent};
        for state in [Sent, Acknowledged] {
            let waits = referral(state, "ph", Direction::Sent);
            let told = "ph has not answered yet. Their desk: Migration desk; +63 2 8790 2300; 8:00 to \
                        17:00\\x1b[2J";
            assert_eq!(silence(&waits).unwrap_or_default(), told);
            let late = Referral { overdue: true, answer_overdue: true, ..waits.clone() };
            assert!(silence(&late).unwrap_or_default().starts_with("ph has not answered. Their"));
            let unseen = Referral { overdue: true, acknowledgement_overdue: true, ..waits.clone() };
            let told = silence(&unseen).unwrap_or_default();
            assert!(told.starts_with("ph has not acknowledged it. Their desk"), "{told}");
            let unknown = Referral { receiver_desk: None, ..waits };
            let told = silence(&unknown).unwrap_or_default();
            assert!(
                told.ends_with(
                    "No desk of ph is known; their administrator can add one (tutti \
                                    card renew)."
                ),
                "{told}"
            );
        }
        let expired = silence(&referral(Expired, "", Direction::Sent)).unwrap_or_default();
        assert!(expired.starts_with("ph did not answer in time. Their desk: "), "{expired}");
        // What this society owes, or nobody does, is not theirs.
        for (state, waits_for, direction) in [
            (InformationRequested, "sg", Direction::Sent),
            (Sent, "ph", Direction::Received),
            (Accepted, "", Direction::Sent),
            (Expired, "", Direction::Received),
            (Sent, "ph", Direction::Unspecified),
        ] {
            assert_eq!(silence(&referral(state, waits_for, direction)), None, "{state:?}");
        }
        // The receiver that has asked something waits for the sender.
        let asked = silence(&referral(InformationRequested, "sg", Direction::Received));
        assert!(asked.unwrap_or_default().starts_with("sg has not answered yet. No desk of sg"));
    }

    #[test]
    fn each_society_that_owes_answers_is_told_once() {
        let late = Referral {
            overdue: true,
            answer_overdue: true,
            ..referral(ReferralState::Sent, "ph", Direction::Sent)
        };
        let other = Referral {
            receiver: "qa".into(),
            waits_for: "qa".into(),
            receiver_desk: None,
            ..late.clone()
        };
        let own = Referral { waits_for: "sg".into(), ..late.clone() };
        let soon = Referral { overdue: false, ..late.clone() };
        let told = overdue(&[late.clone(), other, own, soon, late]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("ph owes 2 answers. Their desk: Migration desk; "), "{told:?}");
        assert!(told[1].starts_with("qa owes 1 answer. No desk of qa is known"), "{told:?}");
    }
}
