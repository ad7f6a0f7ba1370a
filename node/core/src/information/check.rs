//! Whether an event can be read at all: what every node checks on what it receives.
//!
//! This is about form alone, never about time or policy, so that every node answers alike for
//! ever. What an author must heed besides is in [`super::decide`].

use std::collections::BTreeSet;

use tutti_proto::v1::{self, information_event::Transition};

use super::{Event, InformationId, Kind, Why};
use crate::{
    entry::Visibility,
    referral::codes::{self, Code},
    society::Society,
};

/// The kind of an event that names the share `id`, where it is well-formed.
pub(crate) fn event(id: InformationId, event: &Event) -> Result<Kind, Why> {
    let is = |holds: bool, what| if holds { Ok(()) } else { Err(Why::Malformed(what)) };
    let Some(transition) = &event.body.transition else {
        return Err(Why::Malformed("it says nothing that can be read"));
    };
    let sealed = event.visibility == Visibility::Addressed;
    let kind = match transition {
        Transition::Published(version) => {
            is(
                InformationId::of(&event.at.origin, &event.event_id) == id,
                "the share's id does not belong to this log and event",
            )?;
            is(is_share(&version.supersedes), "what it supersedes is no share")?;
            readable(version, sealed)?;
            Kind::Published
        }
        Transition::Revised(version) => {
            is(version.supersedes.is_empty(), "a revision supersedes no other share")?;
            readable(version, sealed)?;
            Kind::Revised
        }
        Transition::Superseded(v1::Superseded { by }) => {
            is(by.len() == 16 && by != id.as_bytes(), "what takes its place is no other share")?;
            Kind::Superseded
        }
        Transition::Retracted(retracted) => {
            clear(&[&retracted.reason], sealed)?;
            Kind::Retracted
        }
        Transition::Acknowledged(_) => Kind::Acknowledged,
        Transition::Endorsed(endorsed) => {
            clear(&[&endorsed.note], sealed)?;
            Kind::Endorsed
        }
        Transition::Disputed(disputed) => {
            is(known::<v1::DisputeCode>(disputed.code), "it disputes without a reason")?;
            clear(&[&disputed.reason], sealed)?;
            Kind::Disputed
        }
        Transition::ActedOn(acted) => {
            is(known::<v1::ActionCode>(acted.code), "it does not say what was done")?;
            clear(&[&acted.note], sealed)?;
            Kind::ActedOn
        }
        Transition::Translated(translated) => {
            let Some(text) = &translated.text else {
                return Err(Why::Malformed("it has no text"));
            };
            is(!text.language.is_empty(), "it does not say in which language it is")?;
            is(sealed || !text.title.is_empty(), "it has no text")?;
            clear_text(text, sealed)?;
            Kind::Translated
        }
        Transition::TakenBack(taken) => {
            is(taken.event_id.len() == 16, "it takes back no event")?;
            Kind::TakenBack
        }
    };
    let about_size = match kind {
        Kind::Published | Kind::Revised | Kind::Superseded | Kind::Retracted | Kind::TakenBack => 0,
        Kind::Acknowledged | Kind::Endorsed | Kind::Disputed | Kind::ActedOn | Kind::Translated => {
            16
        }
    };
    is(event.body.about.len() == about_size, "it is about no event, or should be about none")?;
    let is_set = parties(event).is_some_and(|parties| parties.is_empty() != sealed);
    is(is_set, "whom the share is for cannot be told")?;
    is(event.has_content == sealed, "a content belongs to an addressed share, and to no other")?;
    Ok(kind)
}

/// For whom the share is besides the one that published it, as this event says: by code, each once.
/// `None` where that cannot be read.
pub(super) fn parties(event: &Event) -> Option<BTreeSet<Society>> {
    let named: Option<Vec<Society>> =
        event.body.parties.iter().map(|code| code.parse().ok()).collect();
    let named = named.filter(|named| named.is_sorted_by(|one, next| one < next))?;
    Some(named.into_iter().collect())
}

fn readable(version: &v1::InformationVersion, sealed: bool) -> Result<(), Why> {
    if version.texts.is_empty() {
        return Err(Why::Malformed("it has no text"));
    }
    version.texts.iter().try_for_each(|text| clear_text(text, sealed))?;
    let v1::InformationVersion { jurisdiction, legal_reference, source_url, amount, group, .. } =
        version;
    clear(&[jurisdiction, legal_reference, source_url, amount, group], sealed)
}

fn clear_text(text: &v1::LocalText, sealed: bool) -> Result<(), Why> {
    let v1::LocalText { title, summary, text, results, how_to_repeat, .. } = text;
    clear(&[title, summary, text, results, how_to_repeat], sealed)
}

/// The record of an addressed entry is read by auditors too: free text is in its content.
fn clear(texts: &[&String], sealed: bool) -> Result<(), Why> {
    match sealed && texts.iter().any(|text| !text.is_empty()) {
        true => Err(Why::Malformed("the record of an addressed entry holds free text")),
        false => Ok(()),
    }
}

fn is_share(id: &[u8]) -> bool {
    id.is_empty() || id.len() == 16
}

fn known<C: Code>(number: i32) -> bool {
    codes::is_known::<C>(number)
}
