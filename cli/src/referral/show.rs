//! `tutti referral show`.

use clap::Args;
use tutti_core::referral::{codes, disclosed_by};
use tutti_proto::{
    node::v1::{self as api, BodyState, GetReferralRequest, Referral, ReferralState},
    v1,
};

use super::{IdArg, beside, due, joined, names as listed, story, word};
use crate::{
    desk,
    failure::{Exit, Outcome},
    json, names,
    node::Asked,
    pages,
    screen::{Style, fields, paint, say, table, text_width},
    text, time,
};

/// Tell one referral's story; with --content also the person's case.
///
/// Who opens a case is recorded before it is shown. A case that is not yours opens with
/// --break-glass alone, where the person is in need: the data-protection focal point is told.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    id: IdArg,
    /// Also open the person's case and the notes.
    #[arg(long)]
    content: bool,
    /// Open a case that is not yours, and say why; give its whole id.
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Show {
    pub(super) async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        // Of a case that is not one's own, no list tells the whole id.
        let id = self.id.resolve(&node).await?;
        let with_content = self.content || self.break_glass.is_some();
        let break_glass = self.break_glass.unwrap_or_default();
        let request = GetReferralRequest { id, with_content, break_glass, ..Default::default() };
        let referral = pages::referral(&node, request).await?;
        match self.asked.json {
            true => json::print(&json::Referral::from(&referral)),
            false => say(describe(&referral, with_content)),
        }
        Ok(Exit::Ok)
    }
}

fn describe(referral: &Referral, with_content: bool) -> String {
    let mut parts = vec![heading(referral)];
    parts.extend(silence(referral));
    parts.extend(referral.overridden.as_ref().map(overridden));
    parts.extend([record(referral), table(&story::HEADINGS, story::rows(referral))]);
    if !referral.attachments.is_empty() {
        parts.push(super::attachments::files(&referral.attachments));
    }
    parts.extend(referral.erasure.as_ref().map(erasure));
    let unstopped = beside::unstopped(referral);
    parts.extend(unstopped.map(|line| paint(Style::Bad, text::wrap(&line, "", text_width()))));
    parts.extend(notes(referral));
    parts.push(match (&referral.content, with_content, referral.content_state()) {
        (Some(content), true, _) => case(content),
        (_, _, BodyState::Erased) => "The case was erased.".to_owned(),
        (_, _, BodyState::Absent) => "The case is not here yet; it is on its way.".to_owned(),
        (None, true, _) => "This node cannot open the case.".to_owned(),
        (_, false, _) => paint(Style::Dim, "To see the person's case and the notes: --content"),
    });
    parts.join("\n\n")
}

fn heading(referral: &Referral) -> String {
    let state = names::referral_state(referral.state()).replace('_', " ");
    let due = match due::told(referral, time::local) {
        None => String::new(),
        Some(due) if due.overdue => paint(Style::Bad, format!(", {}", due.text)),
        Some(due) => format!(", {}", due.text),
    };
    let whose = match text::line(&referral.assigned_to) {
        name if name.is_empty() => String::new(),
        name => format!("\nwith {name}"),
    };
    format!(
        "{}\n{} → {}: {}{due}{whose}",
        paint(Style::Bold, format!("Referral {}", text::line(&referral.id))),
        text::line(&referral.sender),
        text::line(&referral.receiver),
        paint(Style::Bold, state),
    )
}

/// That they have not answered, and whom to call there.
fn silence(referral: &Referral) -> Option<String> {
    let told = text::wrap(&desk::silence(referral)?, "", text_width());
    let late = referral.overdue || referral.state() == ReferralState::Expired;
    Some(if late { paint(Style::Warn, told) } else { told })
}

/// That it went beyond what the person agreed to.
fn overridden(overridden: &api::Overridden) -> String {
    let line = format!(
        "OVERRIDDEN: sent beyond what the person agreed to ({}, on the basis of {})",
        overridden.reason, overridden.basis
    );
    let by = match overridden.by_two {
        true => format!(
            "by two persons: {} sent it, {} approved it",
            text::line(&overridden.author),
            text::line(&overridden.approver)
        ),
        false => "NO SECOND PERSON has approved that: ask the society that sent it".into(),
    };
    format!("{}\n{by}", paint(Style::Warn, line))
}

/// What the record says: no personal data.
fn record(referral: &Referral) -> String {
    let sent = referral.sent.clone().unwrap_or_default();
    let countries = [
        ("from", &sent.country_of_origin),
        ("now in", &sent.country_of_stay),
        ("to", &sent.country_of_destination),
    ];
    let way = countries.iter().filter(|(_, country)| !country.is_empty());
    let mut journey = vec![codes::name::<v1::JourneyStage>(sent.stage).to_owned()];
    journey.extend(way.map(|(word, country)| format!("{word} {country}")));
    let kept = match sent.retain_until {
        0 => "as long as the roster says".to_owned(),
        until => format!("until {}", time::day(until)),
    };
    let first = super::short(&hex::encode(&sent.onward_of)).to_owned();
    // Where an answer is waited for, it stands above.
    let told = desk::silence(referral).is_some();
    let their_desk = if told { String::new() } else { desk::theirs(referral) };
    let onward: Vec<&str> = referral.onward.iter().map(|id| super::short(id)).collect();
    let person = [
        codes::name::<v1::AgeBand>(sent.age_band).to_owned(),
        codes::name::<v1::Sex>(sent.sex).to_owned(),
    ];
    fields([
        ("whose case", whose(referral)),
        ("priority", codes::name::<v1::Priority>(sent.priority).to_owned()),
        ("services", listed::<v1::ServiceCategory>(&sent.services_requested)),
        ("given already", listed::<v1::ServiceCategory>(&sent.services_provided)),
        ("journey", joined(journey)),
        ("vulnerabilities", listed::<v1::Vulnerability>(&sent.vulnerabilities)),
        ("age, sex", joined(person.into())),
        ("legal basis", codes::name::<v1::LegalBasis>(sent.legal_basis).to_owned()),
        ("consent", word::standing(referral)),
        ("purpose", codes::name::<v1::Purpose>(sent.purpose).to_owned()),
        ("restrictions", listed::<v1::Restriction>(&sent.restrictions)),
        ("disclosed", disclosed_by(&sent).join(", ")),
        ("withheld", sent.information_withheld.join(", ")),
        ("kept", kept),
        ("passes on", first),
        ("passed on as", onward.join(", ")),
        ("their desk", their_desk),
    ])
}

/// Whose the case is between the two societies.
fn whose(referral: &Referral) -> String {
    let owner = &referral.owner;
    match (referral.handover_open, *owner == referral.receiver) {
        (true, _) => format!(
            "{owner}'s, which has offered to hand it over: {} has not answered",
            referral.receiver
        ),
        (false, true) => format!("{owner}'s: {} has handed it over", referral.sender),
        (false, false) => format!("{owner}'s"),
    }
}

/// Who has confirmed that the content is gone, and who has not.
fn erasure(erasure: &api::Erasure) -> String {
    let whose = match erasure.by.as_str() {
        "" => "the time to keep it has passed".to_owned(),
        by => format!("{}, by {}", erasure.reason.replace('_', " "), text::line(by)),
    };
    let what = if erasure.of_case { "The content is erased" } else { "A file is erased" };
    let mut lines = vec![paint(Style::Warn, format!("{what}: {whose}."))];
    for side in &erasure.confirmations {
        let society = text::line(&side.society);
        lines.push(match side.confirmed {
            true => format!("  {society} has confirmed, {}", time::local(side.at_ms)),
            false => {
                // What it names and has not sent yet is open, too.
                let all = erasure.entries.max(side.open);
                let open = format!("{} of {all} entries open", side.open);
                paint(Style::Bad, format!("  {society} HAS NOT CONFIRMED: {open}"))
            }
        });
        lines.extend(side.onward.iter().map(|onward| further_on(&society, onward)));
        lines.extend(side.earlier.as_ref().map(|earlier| before(&society, *earlier)));
    }
    lines.join("\n")
}

/// What a side says of a society to whom it had passed the case on.
fn further_on(society: &str, onward: &api::OnwardErasure) -> String {
    let third = text::line(&onward.society);
    match (onward.stopped, onward.confirmed) {
        (true, true) => {
            format!("    {third}, to whom {society} had passed it on, has confirmed, too")
        }
        (stopped, _) => {
            let word = if stopped { "was told and" } else { "WAS NOT TOLD YET and" };
            let line = format!(
                "    {third}, to whom {society} had passed it on, {word} HAS NOT CONFIRMED"
            );
            paint(Style::Bad, line)
        }
    }
}

/// What a side says of those from whom it had the case.
fn before(society: &str, earlier: api::EarlierErasure) -> String {
    match (earlier.stopped, earlier.confirmed) {
        (true, true) => {
            format!("    the others who had the case before {society} have confirmed, too")
        }
        (stopped, _) => {
            let word = if stopped { "were told and" } else { "WERE NOT TOLD YET and" };
            let line = format!(
                "    the others who had the case before {society} {word} HAVE NOT ALL CONFIRMED"
            );
            paint(Style::Bad, line)
        }
    }
}

fn notes(referral: &Referral) -> Vec<String> {
    let with_note = referral.events.iter().filter(|event| !event.note.is_empty());
    with_note
        .map(|event| {
            let what = event.transition.replace('_', " ");
            let head = text::line(&format!("{} wrote, with “{what}”:", event.society));
            let safe = text::block(&event.note, "");
            format!("{head}\n{}", text::wrap(&safe, "  │ ", text_width()))
        })
        .collect()
}

fn case(content: &v1::ReferralContent) -> String {
    let person = content.person.clone().unwrap_or_default();
    let focal = content.focal_point.clone().unwrap_or_default();
    let yes = |flag: bool| if flag { "yes".to_owned() } else { String::new() };
    let age = if person.age == 0 { String::new() } else { person.age.to_string() };
    let lines = fields([
        ("case code", content.case_code.clone()),
        ("name", person.name),
        ("sex", codes::name::<v1::Sex>(person.sex).to_owned()),
        ("age", age),
        ("nationality", person.nationality),
        ("languages", person.languages.join(", ")),
        ("interpreter needed", yes(person.interpreter_needed)),
        ("disability", person.disability),
        ("safe contact", person.safe_contact),
        ("safe times", person.safe_contact_times),
        ("caregiver", person.caregiver),
        ("separated or unaccompanied", yes(person.separated_or_unaccompanied)),
        ("dependants", person.dependants),
        ("reason", content.reason.clone()),
        ("risk", content.risk.clone()),
        ("given already", content.services_already_provided.clone()),
        ("focal point", joined(vec![focal.name, focal.contact])),
        ("witness of consent", content.consent_witness.clone()),
    ]);
    format!("{}\n{lines}", paint(Style::Bold, "The case"))
}
