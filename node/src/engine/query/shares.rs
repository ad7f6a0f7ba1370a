//! An information share as a message: how much of it lists tell, and how much one who asks for it.
//!
//! What others say of a share is theirs to write, as much as the limits allow, and so is what is for
//! everybody. Invariant: a share in an answer has a bound in bytes, whatever was written, and what is left
//! out is counted and can be asked for.

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    fields::day_of,
    information::{self, Event, InformationId, Kind, Response, Share, State, join},
    limits::LINE_CHARS_MAX,
    referral::codes,
    society::Society,
    store::Store,
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, information_event::Transition},
};

use crate::engine::{Engine, Refused};

/// Bytes of what is said of a share in the answer to one who asks for it alone; at least one thing, which
/// with its text may be as long as a body, is there all the same.
const SAID_BYTES_MAX: usize = 1024 * 1024;

/// The same of one share in a list.
const LISTED_SAID_BYTES_MAX: usize = 64 * 1024;

/// How much of a share is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Depth<'a> {
    /// What lists show: languages and titles, who says what, and no text.
    Titles,
    /// A list with texts.
    Texts,
    /// All; of what others say what follows on that event, ORIGIN INDEX, or from the beginning.
    Whole(&'a str),
}

impl Depth<'_> {
    fn has_texts(self) -> bool {
        match self {
            Self::Titles => false,
            Self::Texts | Self::Whole(_) => true,
        }
    }
}

/// Something that is said of a share.
enum Said<'a> {
    Response(Response<'a>),
    Translation(Response<'a>),
    Ignored(&'a Event, String),
}

impl Said<'_> {
    fn event(&self) -> &Event {
        match self {
            Self::Response(response) | Self::Translation(response) => response.event,
            Self::Ignored(event, _) => event,
        }
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// What an event says, with the free text of an addressed one, which is in its content. And
    /// whether all of it is here.
    fn told(&self, event: &Event, now_ms: u64) -> Result<(Option<Transition>, bool), Refused> {
        let mut transition = event.body.transition.clone();
        if event.visibility != Visibility::Addressed {
            return Ok((transition, true));
        }
        let content = self.open_content(&event.at, &event.event_id, now_ms)?;
        let is_here = content.is_some();
        if let (Some(transition), Some(content)) = (&mut transition, content) {
            join(transition, content);
        }
        Ok((transition, is_here))
    }

    /// The newest version, with the free text of an addressed one; and whether all of it is here.
    pub(in crate::engine) fn version_of(
        &self,
        share: &Share,
        now_ms: u64,
    ) -> Result<(v1::InformationVersion, bool), Refused> {
        let latest = share.effective().find(|event| event.at == share.latest);
        Ok(match latest.map(|event| self.told(event, now_ms)).transpose()? {
            Some((Some(Transition::Published(version) | Transition::Revised(version)), here)) => {
                (version, here)
            }
            _ => (share.version.clone(), false),
        })
    }

    /// The text of a translation.
    pub(super) fn translated(
        &self,
        event: &Event,
        now_ms: u64,
    ) -> Result<Option<v1::LocalText>, Refused> {
        Ok(match self.told(event, now_ms)?.0 {
            Some(Transition::Translated(translated)) => translated.text,
            _ => None,
        })
    }

    fn retraction_reason(&self, share: &Share, now_ms: u64) -> Result<String, Refused> {
        let taken_back =
            share.effective().find(|event| Some(&event.at) == share.retracted_at.as_ref());
        Ok(match taken_back.map(|event| self.told(event, now_ms)).transpose()? {
            Some((Some(Transition::Retracted(retracted)), _)) => retracted.reason,
            _ => String::new(),
        })
    }

    /// A share, and how many bytes were read for it beside its records.
    pub(super) fn share_message(
        &self,
        share: &Share,
        depth: Depth,
        now_ms: u64,
    ) -> Result<(api::InformationShare, usize), Refused> {
        let today = day_of(now_ms);
        let (version, text_is_here) = self.version_of(share, now_ms)?;
        let read = version.encoded_len();
        let (version, retraction_reason) = match depth.has_texts() {
            true => (version, self.retraction_reason(share, now_ms)?),
            false => (titles(version), String::new()),
        };
        let id = |id: Option<InformationId>| id.map(|id| id.to_string()).unwrap_or_default();
        let mut message = api::InformationShare {
            id: share.id.to_string(),
            society: share.society.to_string(),
            state: state_message(share, &today) as i32,
            visibility: visibility_message(share.visibility) as i32,
            version: Some(version),
            version_number: share.version_number,
            published_at_ms: share.published_at_ms,
            changed_at_ms: share.changed_at_ms,
            retraction_reason,
            parties: share.parties.iter().map(Society::to_string).collect(),
            not_yet_in_force: share.is_yet_to_begin(&today),
            supersedes: id(share.supersedes),
            superseded_by: id(share.superseded_by),
            versions: share.versions().map(version_message).collect(),
            translations: Vec::new(),
            responses: Vec::new(),
            text_is_here,
            ignored: Vec::new(),
            said_left: 0,
        };
        let said = self.say(share, depth, now_ms, &mut message)?;
        Ok((message, read + said))
    }

    /// What is said of a share, as much as there is room for; gives its bytes.
    fn say(
        &self,
        share: &Share,
        depth: Depth,
        now_ms: u64,
        message: &mut api::InformationShare,
    ) -> Result<usize, Refused> {
        let ignored = share.outcomes.iter().filter_map(|outcome| {
            let why = outcome.why.as_ref()?;
            Some(Said::Ignored(&outcome.event, why.to_string()))
        });
        let said: Vec<Said> = share
            .responses()
            .into_iter()
            .map(Said::Response)
            .chain(share.translations().into_iter().map(Said::Translation))
            .chain(ignored)
            .collect();
        let (start, room, at_least) = match depth {
            Depth::Titles | Depth::Texts => (0, LISTED_SAID_BYTES_MAX, 0),
            Depth::Whole("") => (0, SAID_BYTES_MAX, 1),
            Depth::Whole(after) => {
                let place = |said: &Said| {
                    let at = &said.event().at;
                    format!("{} {}", at.origin, at.index) == after
                };
                let found = said.iter().position(place).ok_or_else(|| {
                    Refused::Invalid(
                        "said_after is nothing that is said of this share now; ask for it from its \
                         beginning"
                            .into(),
                    )
                })?;
                (found + 1, SAID_BYTES_MAX, 1)
            }
        };
        let (mut told, mut bytes) = (0, 0);
        for one in said.iter().skip(start) {
            let with_text = depth.has_texts();
            let (response, translation) = match one {
                Said::Response(response) => {
                    (Some(self.response_message(response, with_text, now_ms)?), None)
                }
                Said::Ignored(event, why) => {
                    let response = Response { version: 0, is_stale: false, event };
                    let message = self.response_message(&response, with_text, now_ms)?;
                    let explanation = why.clone();
                    (Some(api::InformationResponse { explanation, ..message }), None)
                }
                Said::Translation(response) => {
                    let text = match with_text {
                        true => self.translated(response.event, now_ms)?,
                        false => language_of(response.event),
                    };
                    (None, Some(translation_message(response, text)))
                }
            };
            bytes += response.as_ref().map_or(0, |response| response.encoded_len());
            bytes += translation.as_ref().map_or(0, |translation| translation.encoded_len());
            if bytes > room && told >= at_least {
                break;
            }
            told += 1;
            match one {
                Said::Response(_) => message.responses.extend(response),
                Said::Ignored(..) => message.ignored.extend(response),
                Said::Translation(_) => message.translations.extend(translation),
            }
        }
        message.said_left = u32::try_from(said.len() - start - told).unwrap_or(u32::MAX);
        Ok(bytes)
    }

    fn response_message(
        &self,
        response: &Response,
        with_text: bool,
        now_ms: u64,
    ) -> Result<api::InformationResponse, Refused> {
        let event = response.event;
        let told = match with_text {
            true => self.told(event, now_ms)?.0,
            false => event.body.transition.clone(),
        };
        let (code, note) = match told {
            Some(Transition::Endorsed(endorsed)) => ("", endorsed.note),
            Some(Transition::Disputed(disputed)) => {
                (codes::name::<v1::DisputeCode>(disputed.code), disputed.reason)
            }
            Some(Transition::ActedOn(acted)) => {
                (codes::name::<v1::ActionCode>(acted.code), acted.note)
            }
            _ => ("", String::new()),
        };
        Ok(api::InformationResponse {
            society: event.society.to_string(),
            what: event.kind().map_or("malformed", Kind::name).into(),
            code: code.into(),
            note: if with_text { note } else { String::new() },
            version_number: response.version,
            stale: response.is_stale,
            origin: event.at.origin.to_string(),
            index: event.at.index,
            recorded_at_ms: event.recorded_at_ms,
            explanation: String::new(),
        })
    }
}

/// What a list shows of a version: no free text but titles, and those no longer than a title is.
fn titles(version: v1::InformationVersion) -> v1::InformationVersion {
    let text = |text: v1::LocalText| v1::LocalText {
        language: line(text.language),
        title: line(text.title),
        ..v1::LocalText::default()
    };
    v1::InformationVersion {
        texts: version.texts.into_iter().map(text).collect(),
        countries: version.countries.into_iter().map(line).collect(),
        effective_on: line(version.effective_on),
        expires_on: line(version.expires_on),
        deadline_on: line(version.deadline_on),
        kind: version.kind,
        stage: version.stage,
        audience: version.audience,
        severity: version.severity,
        verification: version.verification,
        supersedes: version.supersedes,
        ..v1::InformationVersion::default()
    }
}

/// A text of one line, cut where it is longer than one may be.
fn line(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LINE_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// In which language a translation is.
fn language_of(event: &Event) -> Option<v1::LocalText> {
    match &event.body.transition {
        Some(Transition::Translated(translated)) => {
            let language = line(translated.text.as_ref()?.language.clone());
            Some(v1::LocalText { language, ..v1::LocalText::default() })
        }
        _ => None,
    }
}

fn version_message(version: information::Version) -> api::InformationVersionInfo {
    let event = version.event;
    api::InformationVersionInfo {
        number: version.number,
        origin: event.at.origin.to_string(),
        index: event.at.index,
        recorded_at_ms: event.recorded_at_ms,
        reviewed: event.is_approved(),
    }
}

fn translation_message(
    response: &Response,
    text: Option<v1::LocalText>,
) -> api::InformationTranslation {
    let event = response.event;
    api::InformationTranslation {
        society: event.society.to_string(),
        version_number: response.version,
        stale: response.is_stale,
        text,
        origin: event.at.origin.to_string(),
        index: event.at.index,
        recorded_at_ms: event.recorded_at_ms,
        reviewed: event.is_approved(),
    }
}

fn state_message(share: &Share, today: &str) -> api::InformationState {
    match share.state {
        State::Retracted => api::InformationState::Retracted,
        State::Superseded => api::InformationState::Superseded,
        State::Published | State::Revised if share.has_expired(today) => {
            api::InformationState::Expired
        }
        State::Published => api::InformationState::Published,
        State::Revised => api::InformationState::Revised,
    }
}

fn visibility_message(visibility: Visibility) -> v1::Visibility {
    match visibility {
        Visibility::Public => v1::Visibility::Public,
        Visibility::Federation => v1::Visibility::Federation,
        Visibility::Addressed => v1::Visibility::Addressed,
    }
}
