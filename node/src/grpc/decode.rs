//! From what a client sent to what the engine takes.

use std::str::FromStr;

use tutti_core::{
    entry::Visibility,
    information::{self, InformationId, Readers},
    referral::{Command, EventRef, ReferralId},
    society::{Origin, Society},
};
use tutti_proto::{
    node::v1::{self as api, advance_referral_request::Transition},
    v1,
};

use crate::engine::{Receipt, Refused, Write};

fn key(bytes: &[u8]) -> Result<[u8; 16], Refused> {
    bytes.try_into().map_err(|_| {
        Refused::Invalid(format!(
            "idempotency_key has {} bytes; nothing was written. Draw 16 random bytes for each \
             write, and send the same again where the answer was lost",
            bytes.len()
        ))
    })
}

fn referral_id(text: &str) -> Result<ReferralId, Refused> {
    ReferralId::from_str(text)
        .map_err(|error| Refused::Invalid(format!("id: {error}. Nothing was done")))
}

fn information_id(text: &str) -> Result<InformationId, Refused> {
    InformationId::from_str(text)
        .map_err(|error| Refused::Invalid(format!("id: {error}. Nothing was done")))
}

pub(super) fn draft(text: &str) -> Result<[u8; 16], Refused> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).map_err(|_| {
        Refused::Invalid("draft: is not 32 hexadecimal digits; nothing was written".into())
    })?;
    Ok(id)
}

fn missing(field: &str) -> Refused {
    Refused::Invalid(format!("{field} is missing; nothing was written"))
}

/// The log that is meant: `own` where none is named.
pub(super) fn origin(text: &str, own: &Origin) -> Result<Origin, Refused> {
    if text.is_empty() {
        return Ok(own.clone());
    }
    text.parse().map_err(|error| Refused::Invalid(format!("{error}. See `tutti status`")))
}

pub(super) fn send(request: api::SendReferralRequest) -> Result<Write, Refused> {
    Ok(Write::Send {
        key: key(&request.idempotency_key)?,
        sent: Box::new(request.sent.ok_or_else(|| missing("sent"))?),
        content: Box::new(request.content.ok_or_else(|| missing("content"))?),
    })
}

pub(super) fn advance(request: api::AdvanceReferralRequest) -> Result<Write, Refused> {
    let mut case = request.content.map(Box::new);
    let command = match request.transition.ok_or_else(|| missing("transition"))? {
        Transition::Acknowledge(v1::Acknowledged {}) => Command::Acknowledge,
        Transition::RequestInformation(asked) => Command::RequestInformation(asked),
        Transition::ProvideInformation(given) => Command::ProvideInformation(given),
        Transition::Accept(v1::Accepted {}) => Command::Accept,
        Transition::Decline(declined) => Command::Decline(declined),
        Transition::Withdraw(withdrawn) => Command::Withdraw(withdrawn),
        Transition::Deliver(delivered) => Command::Deliver(delivered),
        Transition::Close(closed) => Command::Close(closed),
        Transition::Expire(v1::Expired {}) => Command::Expire,
        Transition::Start(v1::ServiceStarted {}) => Command::Start,
        Transition::Schedule(appointment) => Command::Schedule(appointment),
        Transition::Miss(missed) => Command::Miss(missed),
        Transition::Pause(paused) => Command::Pause(paused),
        Transition::Resume(v1::Resumed {}) => Command::Resume,
        Transition::FollowUp(found) => Command::FollowUp(found),
        Transition::Cancel(cancelled) => Command::Cancel(cancelled),
        Transition::Reopen(reopened) => Command::Reopen(reopened, case.take()),
        Transition::ProposeHandover(v1::HandoverProposed {}) => Command::ProposeHandover,
        Transition::AcceptHandover(v1::HandoverAccepted {}) => Command::AcceptHandover,
        Transition::DeclineHandover(v1::HandoverDeclined {}) => Command::DeclineHandover,
        // What carries a word from another referral is for the node alone to write.
        Transition::WithdrawConsent(withdrawn) => {
            Command::WithdrawConsent(v1::ConsentWithdrawn { carried: Vec::new(), ..withdrawn })
        }
        Transition::RenewConsent(renewed) => Command::RenewConsent(renewed),
        Transition::Correct(corrected) => Command::Correct(corrected, case.take()),
        Transition::EnterInError(which) => {
            Command::EnterInError(v1::EnteredInError { carried: Vec::new(), ..which })
        }
        Transition::RequestErasure(requested) => {
            Command::RequestErasure(v1::ErasureRequested { carried: Vec::new(), ..requested })
        }
    };
    if case.is_some() {
        return Err(Refused::Invalid(
            "content goes with reopen and correct alone; nothing was written".into(),
        ));
    }
    Ok(Write::Advance {
        key: key(&request.idempotency_key)?,
        id: referral_id(&request.id)?,
        command,
        note: request.note,
    })
}

pub(super) fn pass_on(request: api::PassReferralOnRequest) -> Result<Write, Refused> {
    let told = match (request.sent, request.content) {
        (Some(sent), Some(content)) => Some(Box::new((sent, content))),
        (None, None) => None,
        (Some(_), None) => return Err(missing("content")),
        (None, Some(_)) => return Err(missing("sent")),
    };
    let to = Society::from_str(&request.receiver)
        .map_err(|error| Refused::Invalid(format!("receiver: {error}. Nothing was written")))?;
    if told.is_some() && !(request.services.is_empty() && request.withhold.is_empty()) {
        return Err(Refused::Invalid(
            "services and withhold go with a case that is passed on as it is; nothing was written"
                .into(),
        ));
    }
    Ok(Write::PassOn {
        key: key(&request.idempotency_key)?,
        id: referral_id(&request.id)?,
        to,
        told,
        services: request.services,
        withhold: request.withhold,
    })
}

pub(super) fn publish(request: api::PublishInformationRequest) -> Result<Write, Refused> {
    let visibility = match request.visibility() {
        v1::Visibility::Public => Visibility::Public,
        v1::Visibility::Federation => Visibility::Federation,
        v1::Visibility::Addressed => Visibility::Addressed,
        v1::Visibility::Unspecified => {
            return Err(Refused::Invalid(
                "visibility is none of public, federation and addressed; nothing was written"
                    .into(),
            ));
        }
    };
    let parsed = |code: &String| Society::from_str(code);
    let addressees = request.addressees.iter().map(parsed).collect::<Result<_, _>>();
    let addressees = addressees
        .map_err(|error| Refused::Invalid(format!("addressees: {error}. Nothing was written")))?;
    let supersedes = match request.supersedes.as_str() {
        "" => None,
        id => Some(information_id(id)?),
    };
    Ok(Write::Publish {
        key: key(&request.idempotency_key)?,
        readers: Readers { visibility, addressees, group: request.group },
        version: Box::new(request.version.ok_or_else(|| missing("version"))?),
        supersedes,
    })
}

pub(super) fn revise(request: api::ReviseInformationRequest) -> Result<Write, Refused> {
    let version = request.version.ok_or_else(|| missing("version"))?;
    let command = information::Command::Revise(Box::new(version));
    inform(&request.idempotency_key, &request.id, command, 0)
}

pub(super) fn retract(request: api::RetractInformationRequest) -> Result<Write, Refused> {
    let command = information::Command::Retract(v1::Retracted { reason: request.reason });
    inform(&request.idempotency_key, &request.id, command, 0)
}

pub(super) fn respond(
    request: api::RespondInformationRequest,
    own: &Origin,
) -> Result<Write, Refused> {
    use api::respond_information_request::Response;
    use information::Command;
    let command = match request.response.ok_or_else(|| missing("response"))? {
        Response::Acknowledge(v1::Acknowledged {}) => Command::Acknowledge,
        Response::Endorse(endorsed) => Command::Endorse(endorsed),
        Response::Dispute(disputed) => Command::Dispute(disputed),
        Response::ActOn(acted) => Command::ActOn(acted),
        Response::Translate(text) => Command::Translate(Box::new(text)),
        Response::TakeBack(index) => Command::TakeBack(EventRef { origin: own.clone(), index }),
    };
    inform(&request.idempotency_key, &request.id, command, request.version)
}

fn inform(
    idempotency_key: &[u8],
    id: &str,
    command: information::Command,
    version: u32,
) -> Result<Write, Refused> {
    Ok(Write::Inform { key: key(idempotency_key)?, id: information_id(id)?, command, version })
}

pub(super) fn receipt(receipt: &Receipt) -> api::Receipt {
    api::Receipt {
        id: hex::encode(receipt.id),
        origin: receipt.origin.to_string(),
        index: receipt.index,
        recorded_at_ms: receipt.recorded_at_ms,
    }
}
