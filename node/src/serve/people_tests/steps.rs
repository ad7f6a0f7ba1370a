//! What the matrix tries and how it reads the answers: every step, whole logs, refusals.

use super::*;

/// Every step that a request may name.
pub(super) fn steps() -> Vec<Transition> {
    use Transition as T;
    let by = v1::ConsentGiver::Person as i32;
    let file = v1::EnteredInError { attachment: vec![1; 16], ..Default::default() };
    let steps = vec![
        T::Acknowledge(v1::Acknowledged::default()),
        T::RequestInformation(v1::InformationRequested::default()),
        T::ProvideInformation(v1::InformationProvided::default()),
        T::Accept(v1::Accepted::default()),
        T::Decline(v1::Declined::default()),
        T::Withdraw(v1::Withdrawn::default()),
        T::Deliver(v1::ServiceDelivered::default()),
        T::Close(v1::Closed::default()),
        T::Expire(v1::Expired::default()),
        T::Start(v1::ServiceStarted::default()),
        T::Schedule(v1::AppointmentScheduled::default()),
        T::Miss(v1::AppointmentMissed::default()),
        T::Pause(v1::Paused::default()),
        T::Resume(v1::Resumed::default()),
        T::FollowUp(v1::FollowUp::default()),
        T::Cancel(v1::Cancelled::default()),
        T::Reopen(v1::Reopened::default()),
        T::ProposeHandover(v1::HandoverProposed::default()),
        T::AcceptHandover(v1::HandoverAccepted::default()),
        T::DeclineHandover(v1::HandoverDeclined::default()),
        T::RenewConsent(v1::ConsentRenewed::default()),
        T::Correct(v1::Corrected::default()),
        T::EnterInError(file),
        // What stops the case comes last.
        T::WithdrawConsent(v1::ConsentWithdrawn { by, ..Default::default() }),
        T::RequestErasure(v1::ErasureRequested::default()),
        T::EnterInError(v1::EnteredInError::default()),
    ];
    let kinds: std::collections::HashSet<_> = steps.iter().map(std::mem::discriminant).collect();
    assert_eq!((steps.len(), kinds.len()), (26, 25), "entering in error is of two kinds");
    steps
}

/// What it is to take that step; a new one must be put here, and above.
pub(super) fn kind_of(step: &Transition) -> Action {
    use Transition as T;
    match step {
        T::WithdrawConsent(_) | T::RequestErasure(_) => Action::Stop,
        T::EnterInError(which) if which.attachment.is_empty() => Action::Stop,
        T::EnterInError(_)
        | T::Acknowledge(_)
        | T::RequestInformation(_)
        | T::ProvideInformation(_)
        | T::Accept(_)
        | T::Decline(_)
        | T::Withdraw(_)
        | T::Deliver(_)
        | T::Close(_)
        | T::Expire(_)
        | T::Start(_)
        | T::Schedule(_)
        | T::Miss(_)
        | T::Pause(_)
        | T::Resume(_)
        | T::FollowUp(_)
        | T::Cancel(_)
        | T::Reopen(_)
        | T::ProposeHandover(_)
        | T::AcceptHandover(_)
        | T::DeclineHandover(_)
        | T::RenewConsent(_)
        | T::Correct(_) => Action::Act,
    }
}

/// Whether it was refused for who asks; the domain also says of a step that it is the other side's.
pub(super) fn denied<T>(answer: &Result<T, Status>) -> bool {
    let Err(status) = answer else { return false };
    match status.code() {
        Code::PermissionDenied => status.message().starts_with("your account or this token"),
        _ => !allowed(answer),
    }
}

/// Passes a case on to a society that there is not: nothing is written, whoever asks.
pub(super) async fn pass_on(person: &Connection, id: &str) -> Result<(), Status> {
    let request = api::PassReferralOnRequest {
        idempotency_key: vec![0xee; 16],
        id: id.into(),
        receiver: "qa".into(),
        ..Default::default()
    };
    ReferralsClient::new(person.clone()).pass_on(request).await.map(drop)
}

/// A whole log with its bodies.
pub(super) async fn export(person: &Connection, of: &str) -> Result<Vec<u8>, Status> {
    let origin = format!("{}/{of}/1", crate::testing::FEDERATION);
    let request = api::ExportRequest { origin, without_bodies: false };
    let mut pieces = LogClient::new(person.clone()).export(request).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.message().await? {
        bytes.extend(piece.path.into_bytes());
        bytes.extend(piece.data);
    }
    Ok(bytes)
}

/// Whether one of these words, each of two bytes at least, stands in the bytes.
pub(super) fn holds(bytes: &[u8], words: &[Vec<u8>]) -> bool {
    let pair = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let mut by_start = vec![Vec::new(); 1 << 16];
    for word in words {
        by_start[pair(word)].push(word);
    }
    let starts = |at: usize| by_start[pair(&bytes[at..])].iter();
    (1..bytes.len()).any(|at| starts(at - 1).any(|word| bytes[at - 1..].starts_with(word)))
}

/// Nothing of any case is in what somebody is refused with.
pub(super) fn tells_nothing(refused: &Status, what: &str) {
    let told = format!("{refused:?}");
    for word in [CANARY, CODE] {
        assert!(!told.contains(word), "{what}: {told}");
    }
}
