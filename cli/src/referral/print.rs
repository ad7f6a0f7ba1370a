//! `tutti referral print`.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::{Args, ValueEnum};
use tutti_core::referral::copy::{self, Copy, Done, Erased, Language};
use tutti_node::paper::{self, Fonts};
use tutti_proto::{
    node::v1::{
        Attachment, BodyState, GetReferralRequest, PeersRequest, ReferralEventView, StatusRequest,
    },
    v1::referral_event::Transition,
};

use super::IdArg;
use crate::{
    desk,
    failure::{Exit, Failure, Outcome},
    files, names,
    node::{self, NodeArgs},
    pages,
    screen::say,
    time,
};

/// Make the person's own copy of a referral: a page to print, or to show on a screen.
///
/// It says what was passed on, to whom, why, until when, and how to take consent back, in the
/// language that the person reads; what the case says stays as it was written, in whatever script. It
/// is HTML that every browser opens and prints, or a PDF made with the fonts of this machine. It
/// opens the case, and that is recorded like any other reading. Give it to the person and delete the
/// file.
#[derive(Debug, Args)]
pub(crate) struct Print {
    #[command(flatten)]
    id: IdArg,
    /// A new file for the page; if not given, it goes to standard output. A PDF where it ends in
    /// `.pdf`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What kind of file, whatever its name.
    #[arg(long, value_name = "FORM")]
    format: Option<Format>,
    /// The language of the page's own words. All but English were translated by Tutti's makers: let
    /// somebody who speaks it read one before you give the first away.
    #[arg(long, value_name = "CODE", default_value = "en", value_parser = language)]
    language: Language,
    /// A folder with more fonts for a PDF, tried before those of this machine.
    #[arg(long, value_name = "FOLDER")]
    fonts: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a browser.
    Html,
    /// For a printer.
    Pdf,
}

fn language(code: &str) -> Result<Language, String> {
    Language::parse(code).ok_or_else(|| {
        let known: Vec<&str> = Language::ALL.iter().map(|language| language.code()).collect();
        format!("there are {}", known.join(", "))
    })
}

impl Print {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let id = self.id.resolve(&node).await?;
        let request = GetReferralRequest {
            id,
            with_content: true,
            purpose: "print".into(),
            ..GetReferralRequest::default()
        };
        let referral = pages::referral(&node, request).await?;
        // Who may not see how the node does is shown the societies' codes.
        let status = node::ask(node.node().status(StatusRequest {})).await.ok();
        let peers = node::ask(node.node().peers(PeersRequest {})).await.ok();
        let peers = peers.map(|peers| peers.peers).unwrap_or_default();
        let name = |code: &str| {
            let own = status.iter().find(|status| status.society == code);
            let peer =
                || peers.iter().find(|peer| peer.society == code).map(|peer| peer.name.clone());
            own.map(|status| status.name.clone())
                .or_else(peer)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| code.to_uppercase())
        };
        let with_note = referral.events.iter().filter(|event| !event.note.is_empty());
        let notes: Vec<(String, u64, String)> = with_note
            .map(|event| (name(&event.society), event.recorded_at_ms / 1000, event.note.clone()))
            .collect();
        let kept = |file: &&Attachment| file.state() != BodyState::Erased;
        let files = referral.attachments.iter().filter(kept);
        let files: Vec<(String, u64, String)> = files
            .map(|file| (name(&file.society), file.recorded_at_ms / 1000, file.kind.clone()))
            .collect();
        let onward: Vec<String> = referral
            .events
            .iter()
            .filter(|event| event.transition == "onward")
            .map(|event| name(&event.code))
            .collect();
        let erased = referral.erasure.as_ref().map(|erasure| {
            let sides = |confirmed: bool| {
                let sides = erasure.confirmations.iter().filter(|side| side.confirmed == confirmed);
                sides.map(|side| name(&side.society)).collect()
            };
            Erased { confirmed: sides(true), open: sides(false) }
        });
        // After a reopening the case is there again, and one file is not the case.
        let of_case = referral.erasure.as_ref().is_some_and(|erasure| erasure.of_case);
        let erased = erased.filter(|_| of_case && referral.content.is_none());
        let sent = referral.sent.clone().unwrap_or_default();
        let done = done(&referral.events);
        let desk = referral.receiver_desk.as_ref().map(desk::of);
        let copy = Copy {
            id: &referral.id,
            sender: &name(&referral.sender),
            receiver: &name(&referral.receiver),
            desk: desk.as_ref(),
            sent: &sent,
            sent_at: referral.sent_at_ms / 1000,
            state: names::referral_state(referral.state()),
            content: referral.content.as_ref(),
            notes: &notes,
            files: &files,
            done: &done,
            consent: referral.consent.as_ref(),
            onward: &onward,
            kept_until: referral.retained_until_ms / 1000,
            erased: erased.as_ref(),
            made_at: time::now_ms() / 1000,
        };
        let page = copy::page(&copy, self.language);
        let ending = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "pdf");
        let pdf = match self.format {
            Some(format) => format == Format::Pdf,
            None => self.out.as_ref().is_some_and(ending),
        };
        let bytes = if pdf {
            paper::pdf(&page, &mut Fonts::installed(self.fonts.as_deref())).map_err(|error| {
                Failure::new(Exit::Usage, error.to_string()).todo(error.advice())
            })?
        } else {
            copy::html(&page).into_bytes()
        };
        match &self.out {
            None if pdf && std::io::stdout().is_terminal() => {
                return Err(Failure::new(Exit::Usage, "a PDF is not for a terminal")
                    .todo("give --out FILE, or send it on to a program that prints"));
            }
            None => files::to_stdout(&bytes)?,
            Some(file) => {
                files::write_private(file, &bytes)?;
                say(format!(
                    "The person's copy is in {}. Print it, give it to the person, and delete the file.",
                    file.display()
                ));
            }
        }
        if desk.is_none() && self.out.is_some() {
            say(format!(
                "{} So the page does not say how to reach them.",
                desk::unknown(&referral.receiver)
            ));
        }
        let reads = referral.content.iter().filter_map(|content| content.person.as_ref());
        let reads = reads.flat_map(|person| &person.languages);
        let reads = reads.filter_map(|code| Language::parse(code)).next();
        if let Some(reads) = reads.filter(|reads| *reads != self.language && self.out.is_some()) {
            say(format!(
                "The case names a language that the page can be made in, too: --language {}",
                reads.code()
            ));
        }
        Ok(Exit::Ok)
    }
}

/// What the events that count have noted of the help.
fn done(events: &[ReferralEventView]) -> Done {
    let mut done = Done::default();
    let records = events.iter().filter(|event| event.effective);
    for record in records.filter_map(|event| event.event.as_ref()) {
        match &record.transition {
            Some(Transition::AppointmentScheduled(appointment)) => {
                done.appointments.push(time::short(appointment.at.saturating_mul(1000)));
            }
            Some(Transition::ServiceDelivered(delivered)) => {
                done.delivered.clone_from(&delivered.services_delivered);
            }
            Some(Transition::Closed(closed)) => done.feedback = closed.feedback,
            _ => {}
        }
    }
    done
}
