//! The one table that joins states and kinds of events: who may, from where, to where.

use super::{
    Kind, State,
    state::By::{self, Both, Receiver, Sender},
};

/// Where an event leads from one of the states before it; `None`: it leaves the state as it is.
type Way = (&'static [State], Option<State>);

const UNANSWERED: &[State] = &[State::Sent, State::Acknowledged, State::InformationRequested];
const WORKING: &[State] = &[State::Accepted, State::InProgress];
const HELPED: &[State] = &[State::Accepted, State::InProgress, State::OnHold, State::Completed];
const PROMISED: &[State] = &[State::Accepted, State::InProgress, State::OnHold];
const ENDED: &[State] =
    &[State::Completed, State::Declined, State::Expired, State::Withdrawn, State::Cancelled];
const PASSABLE: &[State] = &[
    State::Acknowledged,
    State::Accepted,
    State::InProgress,
    State::OnHold,
    State::Completed,
    State::Declined,
];
/// Those in which somebody works on the case, or is to.
const PROCESSING: &[State] = &[
    State::Sent,
    State::Acknowledged,
    State::InformationRequested,
    State::Accepted,
    State::InProgress,
    State::OnHold,
    State::Completed,
];
/// All but those in which nothing goes on.
const GOING_ON: &[State] = &[
    State::Sent,
    State::Acknowledged,
    State::InformationRequested,
    State::Accepted,
    State::InProgress,
    State::OnHold,
    State::Completed,
    State::Declined,
    State::Expired,
    State::Withdrawn,
    State::Cancelled,
    State::Closed,
];

/// One row of the table: who may, and whence whither.
pub(super) fn row(kind: Kind) -> (By, &'static [Way]) {
    use State as S;
    match kind {
        Kind::Sent => (Sender, &[]),
        Kind::Acknowledged => (Receiver, &[(&[S::Sent], Some(S::Acknowledged))]),
        Kind::InformationRequested => {
            (Receiver, &[(&[S::Sent, S::Acknowledged], Some(S::InformationRequested))])
        }
        Kind::InformationProvided => {
            (Sender, &[(&[S::InformationRequested], Some(S::Acknowledged))])
        }
        Kind::Accepted => (Receiver, &[(&[S::Sent, S::Acknowledged], Some(S::Accepted))]),
        Kind::Declined => (Receiver, &[(UNANSWERED, Some(S::Declined))]),
        Kind::Expired => (Sender, &[(UNANSWERED, Some(S::Expired))]),
        Kind::Withdrawn => (Sender, &[(UNANSWERED, Some(S::Withdrawn))]),
        Kind::ServiceStarted => (Receiver, &[(&[S::Accepted], Some(S::InProgress))]),
        Kind::AppointmentScheduled | Kind::AppointmentMissed => (Receiver, &[(WORKING, None)]),
        Kind::Paused => (Receiver, &[(&[S::InProgress], Some(S::OnHold))]),
        Kind::Resumed => (Receiver, &[(&[S::OnHold], Some(S::InProgress))]),
        Kind::ServiceDelivered => (Receiver, &[(WORKING, Some(S::Completed))]),
        Kind::FollowUp => (Both, &[(HELPED, None)]),
        Kind::Closed => (Sender, &[(ENDED, Some(S::Closed))]),
        Kind::Cancelled => (Both, &[(PROMISED, Some(S::Cancelled))]),
        Kind::Reopened => (
            Sender,
            &[(&[S::Closed, S::ConsentWithdrawn, S::ErasureRequested], Some(S::Acknowledged))],
        ),
        Kind::Onward => (Receiver, &[(PASSABLE, None)]),
        Kind::HandoverProposed => (Sender, &[(HELPED, None)]),
        Kind::HandoverAccepted | Kind::HandoverDeclined => (Receiver, &[(HELPED, None)]),
        Kind::ConsentWithdrawn => (
            Both,
            &[
                (GOING_ON, Some(S::ConsentWithdrawn)),
                (&[S::ConsentWithdrawn, S::ErasureRequested], Some(S::ConsentWithdrawn)),
            ],
        ),
        Kind::ConsentRenewed => (Both, &[(GOING_ON, None)]),
        Kind::Corrected => (Both, &[(GOING_ON, None)]),
        Kind::StepEnteredInError => (Both, &[(GOING_ON, None)]),
        Kind::EnteredInError => (
            Sender,
            &[
                (GOING_ON, Some(S::EnteredInError)),
                (&[S::ConsentWithdrawn, S::ErasureRequested], Some(S::EnteredInError)),
            ],
        ),
        Kind::ErasureRequested => (
            Both,
            &[
                (GOING_ON, Some(S::ErasureRequested)),
                (&[S::ConsentWithdrawn, S::ErasureRequested], None),
            ],
        ),
        Kind::FileEnteredInError | Kind::Erased => (Both, &[(S::ALL, None)]),
        Kind::Attached => (Both, &[(PROCESSING, None)]),
    }
}

/// The table. `None` before the referral was sent; the answer is `None` where the event does not
/// lead anywhere from that state. *Going on* are all states but consent_withdrawn,
/// erasure_requested and entered_in_error; *=* is the state that it was.
///
/// | event (by) | from | to |
/// |---|---|---|
/// | sent (sender) | nothing | sent |
/// | acknowledged (receiver) | sent | acknowledged |
/// | information_requested (receiver) | sent, acknowledged | information_requested |
/// | information_provided (sender) | information_requested | acknowledged |
/// | accepted (receiver) | sent, acknowledged | accepted |
/// | declined (receiver) | sent, acknowledged, information_requested | declined |
/// | expired (sender) | sent, acknowledged, information_requested | expired |
/// | withdrawn (sender) | sent, acknowledged, information_requested | withdrawn |
/// | service_started (receiver) | accepted | in_progress |
/// | appointment_scheduled (receiver) | accepted, in_progress | = |
/// | appointment_missed (receiver) | accepted, in_progress | = |
/// | paused (receiver) | in_progress | on_hold |
/// | resumed (receiver) | on_hold | in_progress |
/// | service_delivered (receiver) | accepted, in_progress | completed |
/// | follow_up (both) | accepted, in_progress, on_hold, completed | = |
/// | closed (sender) | completed, declined, expired, withdrawn, cancelled | closed |
/// | cancelled (both) | accepted, in_progress, on_hold | cancelled |
/// | reopened (sender) | closed, consent_withdrawn, erasure_requested | acknowledged |
/// | onward (receiver) | acknowledged, accepted, in_progress, on_hold, completed, declined | = |
/// | handover_proposed (sender) | accepted, in_progress, on_hold, completed | = |
/// | handover_accepted (receiver) | accepted, in_progress, on_hold, completed | = |
/// | handover_declined (receiver) | accepted, in_progress, on_hold, completed | = |
/// | consent_withdrawn (both) | going on, consent_withdrawn, erasure_requested | consent_withdrawn |
/// | consent_renewed (both) | going on | = |
/// | corrected (both) | going on | = |
/// | step_entered_in_error (both) | going on | = |
/// | file_entered_in_error (both) | going on, consent_withdrawn, erasure_requested, entered_in_error | = |
/// | entered_in_error (sender) | going on, consent_withdrawn, erasure_requested | entered_in_error |
/// | erasure_requested (both) | going on | erasure_requested |
/// | erasure_requested (both) | consent_withdrawn, erasure_requested | = |
/// | erased (both) | going on, consent_withdrawn, erasure_requested, entered_in_error | = |
/// | attached (both) | sent, acknowledged, information_requested, accepted, in_progress, on_hold, completed | = |
pub fn transition(state: Option<State>, kind: Kind) -> Option<State> {
    let Some(state) = state else {
        return (kind == Kind::Sent).then_some(State::Sent);
    };
    let (_, ways) = row(kind);
    let way = ways.iter().find(|(from, _)| from.contains(&state));
    way.map(|(_, to)| to.unwrap_or(state))
}
