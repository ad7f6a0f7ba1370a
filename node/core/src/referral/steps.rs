//! The steps after sending: what each must say, and what consent must allow.

use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Command, Context, EventRef, Kind, Referral, Refusal, attachment, carrying, overriding,
    validate::{self, disclosed},
};
use crate::{
    fields::{FieldError, Fields, Need},
    society::Society,
};

/// The command with what it discloses by name. An answer that names nothing gives what was asked for; where
/// that was a question in words, it tells more of why the person is referred.
pub(super) fn with_asked(referral: &Referral, command: Command) -> Command {
    let Command::ProvideInformation(mut given) = command else { return command };
    if given.information_disclosed.is_empty() {
        let asked = referral.effective().rev().find_map(|event| match &event.body.transition {
            Some(Transition::InformationRequested(asked)) => Some(asked.fields.clone()),
            _ => None,
        });
        let asked = asked.filter(|fields| !fields.is_empty());
        given.information_disclosed = asked.unwrap_or_else(|| vec!["reason".into()]);
    }
    Command::ProvideInformation(given)
}

/// Every field of `command` that is wrong.
pub(super) fn check(
    referral: &Referral,
    by: Society,
    command: &Command,
    context: &Context,
) -> Result<(), Vec<FieldError>> {
    use Need::{Optional, Required};
    let mut fields = Fields::default();
    let mut note_need = Optional;
    let now_s = context.now_ms / 1000;
    match command {
        Command::Send { .. }
        | Command::Acknowledge
        | Command::Accept
        | Command::Expire
        | Command::Start
        | Command::Resume
        | Command::PassOn(_)
        | Command::ProposeHandover
        | Command::AcceptHandover
        | Command::DeclineHandover => {}
        Command::ConfirmErasure(erased) => {
            fields.code::<v1::ErasureReason>("reason", erased.reason, Required);
            fields.check(!erased.entries.is_empty(), "entries", "is missing");
        }
        Command::RequestInformation(asked) => {
            validate::field_names(&mut fields, "fields", &asked.fields);
            if asked.fields.is_empty() {
                note_need = Required;
            }
        }
        Command::ProvideInformation(given) => {
            let field = "information_disclosed";
            validate::field_names(&mut fields, field, &given.information_disclosed);
            note_need = Required;
        }
        Command::Decline(declined) => {
            fields.code::<v1::DeclineCode>("code", declined.code, Required);
            if declined.code == v1::DeclineCode::Other as i32 {
                note_need = Required;
            }
        }
        Command::Withdraw(withdrawn) => {
            fields.code::<v1::WithdrawCode>("code", withdrawn.code, Required);
        }
        Command::Schedule(appointment) => {
            fields.check(appointment.at > 0, "at", "is missing");
        }
        Command::Miss(missed) => fields.code::<v1::MissedCode>("code", missed.code, Required),
        Command::Pause(paused) => fields.code::<v1::PauseCode>("code", paused.code, Required),
        Command::Deliver(delivered) => {
            fields.code::<v1::DeliveryResult>("result", delivered.result, Required);
            let (field, services) = ("services_delivered", &delivered.services_delivered);
            let nothing = delivered.result == v1::DeliveryResult::Not as i32;
            let need = if nothing { Optional } else { Required };
            fields.codes::<v1::ServiceCategory>(field, services, need);
            let fits = !nothing || services.is_empty();
            fields.check(fits, field, "cannot go with a result that says that nothing was given");
        }
        Command::FollowUp(found) => {
            fields.code::<v1::FollowUpResult>("result", found.result, Required);
        }
        Command::Close(closed) => {
            fields.code::<v1::Outcome>("outcome", closed.outcome, Required);
            fields.code::<v1::Feedback>("feedback", closed.feedback, Required);
        }
        Command::Cancel(cancelled) => {
            fields.code::<v1::CancelCode>("code", cancelled.code, Required);
        }
        Command::Reopen(reopened, case) => {
            fields.code::<v1::ReopenCode>("code", reopened.code, Required);
            fresh_consent(&mut fields, referral, reopened.consent.as_ref(), now_s);
            if let Some(case) = case {
                validate::content_texts(&mut fields, case);
            }
        }
        Command::WithdrawConsent(withdrawn) => {
            fields.code::<v1::ConsentGiver>("by", withdrawn.by, Required);
            fields.code::<v1::ConsentForm>("form", withdrawn.form, Optional);
            fields.code::<v1::Extent>("extent", withdrawn.extent, Optional);
        }
        Command::RenewConsent(renewed) => {
            fresh_consent(&mut fields, referral, renewed.consent.as_ref(), now_s);
        }
        Command::Correct(corrected, case) => {
            let about = corrected.event.as_ref().and_then(EventRef::from_seen);
            own_event(&mut fields, referral, by, about, |_| true);
            match case {
                Some(case) => validate::content_texts(&mut fields, case),
                None => note_need = Required,
            }
        }
        Command::EnterInError(v1::EnteredInError { event, attachment, .. }) => {
            if !attachment.is_empty() {
                fields.check(
                    event.is_none(),
                    "event",
                    "cannot go with a file: give one of the two",
                );
                fields.check(
                    referral.has_added(by, attachment),
                    "attachment",
                    "is no file that this society has added to this referral",
                );
                fields.check(
                    !referral.has_taken_back(by, attachment),
                    "attachment",
                    "was taken back before; it is erased on both sides",
                );
            } else if let Some(event) = event {
                let about = EventRef::from_seen(event);
                own_event(&mut fields, referral, by, about, Kind::is_voidable);
            }
        }
        Command::Attach(attached) => {
            let alone = context.note.trim().is_empty();
            fields.check(alone, "note", "cannot go with a part of a file");
            attach(&mut fields, referral, by, attached);
        }
        Command::RequestErasure(requested) => {
            fields.code::<v1::ErasureGround>("ground", requested.ground, Required);
            fields.code::<v1::Extent>("extent", requested.extent, Optional);
            let whole = requested.extent == v1::Extent::Case as i32;
            fields.check(
                !whole || carrying::is_the_persons(requested.ground),
                "extent",
                "is the whole case, and that is for the person alone to say",
            );
        }
    }
    if let Command::Reopen(_, Some(_)) | Command::Correct(_, Some(_)) = command {
        let alone = context.note.trim().is_empty();
        fields.check(alone, "note", "cannot go with the case told anew: write it there");
    }
    // What would be erased at once is not written down at all.
    if command.kind().ends() {
        fields.check(
            context.note.trim().is_empty(),
            "note",
            "cannot go with this: it would be erased at once, unread",
        );
    }
    fields.text("note", context.note, note_need);
    fields.finish()
}

/// One part of a file, which fits those that were written before.
fn attach(fields: &mut Fields, referral: &Referral, by: Society, attached: &v1::Attached) {
    fields.code::<v1::AttachmentKind>("kind", attached.kind, Need::Required);
    fields.check(attachment::is_part(attached), "part", "is no part of a file");
    let files = referral.attachments();
    let file = files.iter().find(|file| file.by == by && file.id == attached.attachment_id[..]);
    if let Some(file) = file {
        let source = attached.source.as_ref().and_then(attachment::Source::from_record);
        let same = (file.kind, file.parts, file.source) == (attached.kind, attached.parts, source);
        fields.check(same, "attachment", "was begun as another kind, or with another size");
        let twice = file.known.contains_key(&attached.part);
        fields.check(!twice, "part", "was written already");
    }
    let gone = referral.has_taken_back(by, &attached.attachment_id);
    fields.check(!gone, "attachment", "was taken back as entered in error: add it anew");
}

fn fresh_consent(
    fields: &mut Fields,
    referral: &Referral,
    consent: Option<&v1::Consent>,
    now_s: u64,
) {
    let Some(consent) = consent else {
        return fields.wrong("consent", "is missing: the person must have agreed anew");
    };
    validate::consent_form(fields, consent, Need::Required, Some(now_s));
    validate::consent_holds(fields, consent, Some(now_s));
    fields.check(
        consent.recipients.contains(&referral.sent.receiver),
        "consent.recipients",
        "does not name the receiver: the person has not agreed to that society",
    );
    let purpose = referral.sent.purpose;
    fields.check(
        purpose == 0 || consent.purposes.contains(&purpose),
        "consent.purposes",
        "does not name the purpose: the person has not agreed to that use",
    );
}

/// An event of the author's own that counts.
fn own_event(
    fields: &mut Fields,
    referral: &Referral,
    by: Society,
    about: Option<EventRef>,
    may: impl Fn(Kind) -> bool,
) {
    let Some(about) = about else {
        return fields.wrong("event", "is missing: which entry of this society's log is meant");
    };
    let found = referral.effective().find(|event| event.society == by && event.at == about);
    match found.and_then(super::Event::kind) {
        None => fields.wrong(
            "event",
            "is no event of this society's that counts in this referral. See its story",
        ),
        Some(kind) => fields.check(
            may(kind),
            "event",
            "cannot be taken back by itself: what was sent, said of consent, or erased stays",
        ),
    }
}

/// Refuses what the consent that holds does not allow: disclosing where it has ended or does not
/// cover a field, passing on to a society that it does not name.
pub(super) fn consent(
    referral: &Referral,
    by: Society,
    command: &Command,
    context: &Context,
) -> Result<(), Refusal> {
    let now_ms = context.now_ms;
    // Where this referral passes another one on, the person's word for that counts, too.
    let further =
        |told: Option<&[String]>, recorded: Option<&v1::Consent>| match by == referral.sender {
            true => super::onward::later(context.onward_of, referral, told, recorded, now_ms),
            false => Ok(()),
        };
    let fields = match command {
        Command::ProvideInformation(given) => given.information_disclosed.clone(),
        Command::Correct(_, Some(case)) => disclosed(case),
        Command::Attach(attached) => {
            let first = context.onward_of.filter(|_| by == referral.sender);
            attachment::passes_on(first, referral, attached, (now_ms, context.rules))?;
            attachment::fields(attached.kind)
        }
        Command::Reopen(reopened, Some(case)) => {
            let (fresh, told) = (reopened.consent.as_ref(), disclosed(case));
            return match fresh.is_none_or(|fresh| validate::covers(fresh, &told)) {
                true => further(Some(&told), fresh),
                false => Err(Refusal::Consent("it does not cover every field of the case")),
            };
        }
        Command::Reopen(reopened, None) => return further(Some(&[]), reopened.consent.as_ref()),
        Command::RenewConsent(renewed) => return further(None, renewed.consent.as_ref()),
        // Of the fields and the use, what is sent there is asked.
        Command::PassOn(onward) => {
            let purpose = referral.sent.purpose;
            return super::onward::covered(referral, &onward.receiver, &[], purpose, now_ms);
        }
        // These are owed all the same.
        Command::RequestInformation(_) | Command::Decline(_) => return Ok(()),
        // Of a note nobody can tell what it says of the person.
        _ if !context.note.trim().is_empty() => {
            let by_consent = referral.sent.legal_basis == v1::LegalBasis::Consent as i32;
            let held = referral.consent.as_ref().filter(|_| by_consent);
            let ended = held.is_some_and(|held| super::check::has_ended(held, now_ms / 1000));
            return match ended {
                true => Err(Refusal::Consent("it has ended, so no note can go with this step")),
                false => Ok(()),
            };
        }
        _ => return Ok(()),
    };
    covered(&referral.sent, referral.consent.as_ref(), &fields, now_ms)?;
    further(Some(&fields), None)
}

/// Whether these fields may be disclosed after what was sent, while the person's word is `held`.
pub(super) fn covered(
    sent: &v1::Sent,
    held: Option<&v1::Consent>,
    fields: &[String],
    now_ms: u64,
) -> Result<(), Refusal> {
    if sent.legal_basis != v1::LegalBasis::Consent as i32 {
        let now_s = now_ms / 1000;
        return match overriding::beyond_later(sent, held, fields, now_s).is_empty() {
            true => Ok(()),
            false => Err(Refusal::Consent(
                "it does not cover every field that is disclosed, and what was sent did not hold \
                 them either. To go beyond it, send a referral of its own, with an override",
            )),
        };
    }
    let Some(consent) = held else {
        return Err(Refusal::Consent("there is none"));
    };
    if super::check::has_ended(consent, now_ms / 1000) {
        return Err(Refusal::Consent("it has ended"));
    }
    if !validate::covers(consent, fields) {
        return Err(Refusal::Consent("it does not cover every field that is disclosed"));
    }
    Ok(())
}

/// What the event says.
pub(super) fn body(command: Command) -> Result<Transition, Refusal> {
    let names = |case: Option<Box<v1::ReferralContent>>| {
        case.map(|case| disclosed(&case)).unwrap_or_default()
    };
    Ok(match command {
        Command::Send { .. } => return Err(Refusal::AlreadySent),
        Command::Acknowledge => Transition::Acknowledged(v1::Acknowledged {}),
        Command::RequestInformation(asked) => Transition::InformationRequested(asked),
        Command::ProvideInformation(given) => Transition::InformationProvided(given),
        Command::Accept => Transition::Accepted(v1::Accepted {}),
        Command::Decline(declined) => Transition::Declined(declined),
        Command::Withdraw(withdrawn) => Transition::Withdrawn(withdrawn),
        Command::Expire => Transition::Expired(v1::Expired {}),
        Command::Start => Transition::ServiceStarted(v1::ServiceStarted {}),
        Command::Schedule(appointment) => Transition::AppointmentScheduled(appointment),
        Command::Miss(missed) => Transition::AppointmentMissed(missed),
        Command::Pause(paused) => Transition::Paused(paused),
        Command::Resume => Transition::Resumed(v1::Resumed {}),
        Command::Deliver(delivered) => Transition::ServiceDelivered(delivered),
        Command::FollowUp(found) => Transition::FollowUp(found),
        Command::Close(closed) => Transition::Closed(closed),
        Command::Cancel(cancelled) => Transition::Cancelled(cancelled),
        Command::Reopen(reopened, case) => {
            let information_disclosed = names(case);
            Transition::Reopened(v1::Reopened { information_disclosed, ..reopened })
        }
        Command::PassOn(onward) => Transition::Onward(onward),
        Command::ProposeHandover => Transition::HandoverProposed(v1::HandoverProposed {}),
        Command::AcceptHandover => Transition::HandoverAccepted(v1::HandoverAccepted {}),
        Command::DeclineHandover => Transition::HandoverDeclined(v1::HandoverDeclined {}),
        Command::WithdrawConsent(withdrawn) => {
            let extent = carrying::extent_of_withdrawal(withdrawn.extent) as i32;
            Transition::ConsentWithdrawn(v1::ConsentWithdrawn { extent, ..withdrawn })
        }
        Command::RenewConsent(renewed) => Transition::ConsentRenewed(renewed),
        Command::Correct(corrected, case) => {
            let information_disclosed = names(case);
            Transition::Corrected(v1::Corrected { information_disclosed, ..corrected })
        }
        Command::EnterInError(which) => Transition::EnteredInError(which),
        Command::RequestErasure(requested) => {
            let extent = carrying::extent_of_request(requested.extent, requested.ground) as i32;
            Transition::ErasureRequested(v1::ErasureRequested { extent, ..requested })
        }
        Command::ConfirmErasure(erased) => Transition::Erased(erased),
        Command::Attach(attached) => Transition::Attached(attached),
    })
}
