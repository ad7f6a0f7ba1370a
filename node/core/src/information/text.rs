//! What of an event stands in its record and what in its content.
//!
//! In an addressed entry the record is read by the parties' auditors too, and has no room for free
//! text: that is in the content. Invariant: [`split`] and [`join`] undo each other.
//!
//! Source: `docs/protocol.md`, "The information share".

use std::mem::take;

use tutti_proto::v1::{self, content::Content, information_event::Transition};

/// Takes the free text out of an event that is to be addressed; gives the content for it. There is
/// one beside every event, also beside one that says nothing: an entry with a content shows nobody
/// what it is.
pub fn split(event: &mut v1::InformationEvent) -> Content {
    let note = |text: &mut String| Content::Note(v1::Note { text: take(text) });
    match &mut event.transition {
        Some(Transition::Published(version) | Transition::Revised(version)) => {
            let texts = version.texts.iter_mut().map(split_text).collect();
            Content::Information(v1::InformationText {
                texts,
                jurisdiction: take(&mut version.jurisdiction),
                legal_reference: take(&mut version.legal_reference),
                source_url: take(&mut version.source_url),
                amount: take(&mut version.amount),
                group: take(&mut version.group),
            })
        }
        Some(Transition::Translated(translated)) => {
            let texts = translated.text.as_mut().map(split_text).into_iter().collect();
            Content::Information(v1::InformationText { texts, ..Default::default() })
        }
        Some(Transition::Retracted(retracted)) => note(&mut retracted.reason),
        Some(Transition::Endorsed(endorsed)) => note(&mut endorsed.note),
        Some(Transition::Disputed(disputed)) => note(&mut disputed.reason),
        Some(Transition::ActedOn(acted)) => note(&mut acted.note),
        Some(
            Transition::Superseded(_) | Transition::Acknowledged(_) | Transition::TakenBack(_),
        )
        | None => note(&mut String::new()),
    }
}

/// The language stays.
fn split_text(text: &mut v1::LocalText) -> v1::LocalText {
    let language = text.language.clone();
    std::mem::replace(text, v1::LocalText { language, ..Default::default() })
}

/// Puts the free text of a content back into the transition beside it. What does not belong there
/// is left alone; a text in a language that the record does not name is not shown.
pub fn join(transition: &mut Transition, content: Content) {
    match (transition, content) {
        (
            Transition::Published(version) | Transition::Revised(version),
            Content::Information(text),
        ) => {
            for own in &mut version.texts {
                join_text(own, &text.texts);
            }
            version.jurisdiction = text.jurisdiction;
            version.legal_reference = text.legal_reference;
            version.source_url = text.source_url;
            version.amount = text.amount;
            version.group = text.group;
        }
        (Transition::Translated(translated), Content::Information(text)) => {
            if let Some(own) = &mut translated.text {
                join_text(own, &text.texts);
            }
        }
        (Transition::Retracted(retracted), Content::Note(note)) => retracted.reason = note.text,
        (Transition::Endorsed(endorsed), Content::Note(note)) => endorsed.note = note.text,
        (Transition::Disputed(disputed), Content::Note(note)) => disputed.reason = note.text,
        (Transition::ActedOn(acted), Content::Note(note)) => acted.note = note.text,
        _ => {}
    }
}

fn join_text(own: &mut v1::LocalText, texts: &[v1::LocalText]) {
    if let Some(text) = texts.iter().find(|text| text.language == own.language) {
        own.clone_from(text);
    }
}
