//! Until when an acknowledgement and an answer are due, and which of them is overdue, by name.

use tutti_proto::node::v1::Referral;

/// What is due of a referral, in words; `when` writes a time. `None` where nothing is.
pub(super) fn told(referral: &Referral, when: impl Fn(u64) -> String) -> Option<Due> {
    let acknowledgement = (referral.acknowledgement_due_at_ms, referral.acknowledgement_overdue);
    let answer = (referral.due_at_ms, referral.answer_overdue);
    let text = match (acknowledgement, answer) {
        ((0, _), (0, _)) => return None,
        ((0, _), (at, late)) => one("answer", at, late, &when),
        ((at, late), (answer_at, answer_late)) if at == answer_at && late == answer_late => {
            one("acknowledge and answer", at, late, &when)
        }
        ((at, late), (answer_at, answer_late)) => {
            let acknowledgement = one("acknowledge", at, late, &when);
            format!("{acknowledgement}, {}", one("answer", answer_at, answer_late, &when))
        }
    };
    Some(Due { text, overdue: referral.overdue })
}

/// See [`told`].
pub(super) struct Due {
    pub(super) text: String,
    pub(super) overdue: bool,
}

fn one(what: &str, at_ms: u64, late: bool, when: &impl Fn(u64) -> String) -> String {
    match late {
        true => format!("OVERDUE to {what} since {}", when(at_ms)),
        false => format!("to {what} by {}", when(at_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deadline_is_told_by_name() {
        let at = |acknowledgement: (u64, bool), answer: (u64, bool)| {
            let referral = Referral {
                acknowledgement_due_at_ms: acknowledgement.0,
                acknowledgement_overdue: acknowledgement.1,
                due_at_ms: answer.0,
                answer_overdue: answer.1,
                overdue: acknowledgement.1 || answer.1,
                ..Default::default()
            };
            told(&referral, |at| format!("t{at}")).map(|due| (due.text, due.overdue))
        };
        let said = |text: &str, overdue| Some((text.to_owned(), overdue));
        assert_eq!(at((0, false), (0, false)), None);
        assert_eq!(at((0, false), (9, false)), said("to answer by t9", false));
        assert_eq!(at((0, false), (9, true)), said("OVERDUE to answer since t9", true));
        assert_eq!(at((9, false), (9, false)), said("to acknowledge and answer by t9", false));
        let both = "OVERDUE to acknowledge and answer since t9";
        assert_eq!(at((9, true), (9, true)), said(both, true));
        let first = "OVERDUE to acknowledge since t5, to answer by t9";
        assert_eq!(at((5, true), (9, false)), said(first, true));
        assert_eq!(
            at((5, false), (9, false)),
            said("to acknowledge by t5, to answer by t9", false)
        );
    }
}
