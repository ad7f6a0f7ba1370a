//! A small model of a referral, written from `docs/protocol.md` and from nothing else: what state a
//! set of events comes to, which of them count, and whose content is to be gone.
//!
//! Invariant: it shares no line with `tutti_core::referral`, but for the encoding of the events. It
//! knows honest societies alone: every event fits what its author had seen. What files come to is in
//! [`files`].

mod files;

use std::collections::{BTreeMap, BTreeSet};

use tutti_proto::v1::{self, referral_event::Transition as T};

pub(super) use files::{File, FileId, attached, files, shown_apart};

/// One event of one referral.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Whether the sender wrote it, and where it stands in its author's log.
    pub(super) place: Place,
    /// The last entry of the other side's log that its author says it had seen.
    pub(super) seen: Option<u64>,
    /// Whether a content goes with it.
    pub(super) content: bool,
    pub(super) event_id: Vec<u8>,
    pub(super) says: T,
}

/// Whether the sender wrote it, and its index.
pub(super) type Place = (bool, u64);

/// What the events come to.
#[derive(Debug)]
pub(super) struct Judged {
    /// Empty before anything was sent.
    pub(super) state: &'static str,
    /// Events that count.
    pub(super) counts: BTreeSet<Place>,
    /// Those whose content is to be gone.
    pub(super) gone: BTreeSet<Place>,
    /// Those of them whose author had seen what stopped the referral: being honest, it had also
    /// seen a reopening that is not among the events.
    pub(super) doubtful: BTreeSet<Place>,
    /// The first event that stopped it since it was last reopened.
    pub(super) stop: Option<Line>,
    /// Referrals by which it was passed on, and that are to be stopped with it.
    pub(super) passed: Vec<Vec<u8>>,
    /// Files that were taken back, and the ids of the events that say so.
    pub(super) taken_back: BTreeMap<FileId, Vec<u8>>,
}

impl Judged {
    /// Whether it was stopped, and not reopened since.
    pub(super) fn is_stopped(&self) -> bool {
        STOPS.contains(&self.state)
    }

    /// Whether somebody's word has made any content due.
    pub(super) fn erases(&self) -> bool {
        self.stop.is_some() || !self.taken_back.is_empty()
    }
}

pub(super) fn name(says: &T) -> &'static str {
    match says {
        T::Sent(_) => "sent",
        T::Acknowledged(_) => "acknowledged",
        T::InformationRequested(_) => "information_requested",
        T::InformationProvided(_) => "information_provided",
        T::Accepted(_) => "accepted",
        T::Declined(_) => "declined",
        T::Withdrawn(_) => "withdrawn",
        T::Expired(_) => "expired",
        T::ServiceStarted(_) => "service_started",
        T::AppointmentScheduled(_) => "appointment_scheduled",
        T::AppointmentMissed(_) => "appointment_missed",
        T::Paused(_) => "paused",
        T::Resumed(_) => "resumed",
        T::ServiceDelivered(_) => "service_delivered",
        T::FollowUp(_) => "follow_up",
        T::Closed(_) => "closed",
        T::Cancelled(_) => "cancelled",
        T::Reopened(_) => "reopened",
        T::Onward(_) => "onward",
        T::HandoverProposed(_) => "handover_proposed",
        T::HandoverAccepted(_) => "handover_accepted",
        T::HandoverDeclined(_) => "handover_declined",
        T::ConsentWithdrawn(_) => "consent_withdrawn",
        T::ConsentRenewed(_) => "consent_renewed",
        T::Corrected(_) => "corrected",
        T::EnteredInError(which) if which.event.is_some() => "step_entered_in_error",
        T::EnteredInError(which) if !which.attachment.is_empty() => "file_entered_in_error",
        T::EnteredInError(_) => "entered_in_error",
        T::ErasureRequested(_) => "erasure_requested",
        T::Erased(_) => "erased",
        T::Attached(_) => "attached",
    }
}

/// The event in another referral that this one carries; empty where none.
pub(super) fn carried(says: &T) -> &[u8] {
    match says {
        T::ConsentWithdrawn(withdrawn) => &withdrawn.carried,
        T::ErasureRequested(requested) => &requested.carried,
        T::EnteredInError(which) => &which.carried,
        _ => &[],
    }
}

/// Whether it is a person's word for the whole case: 1 says so, 2 says not, and the person's is for
/// the whole where nobody has said.
fn is_for_the_case(says: &T) -> bool {
    match says {
        T::ConsentWithdrawn(withdrawn) => withdrawn.extent != 2,
        // Person, caregiver, guardian.
        T::ErasureRequested(requested) => requested.extent != 2 && requested.ground <= 3,
        _ => false,
    }
}

/// Words that are to be carried back to the referral that this one passes on: those of the whole
/// case that did not come from there.
pub(super) fn words_back(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| {
        let from_there = line.place.0 && !carried(&line.says).is_empty();
        is_for_the_case(&line.says) && !from_there
    })
}

/// Steps that may be written, with nothing beside them, when the time to keep a case is over.
pub(super) fn may_follow_the_end(says: &T) -> bool {
    [
        "consent_withdrawn",
        "erasure_requested",
        "entered_in_error",
        "step_entered_in_error",
        "file_entered_in_error",
        "erased",
        "declined",
        "expired",
        "withdrawn",
        "service_delivered",
        "cancelled",
        "closed",
    ]
    .contains(&name(says))
}

const STOPS: [&str; 3] = ["consent_withdrawn", "erasure_requested", "entered_in_error"];

/// The table: where an event leads; `None` where there is no row.
fn leads(state: &'static str, what: &str) -> Option<&'static str> {
    let one_of = |states: &[&str], to| states.contains(&state).then_some(to);
    let stopped = STOPS.contains(&state);
    match what {
        "sent" => one_of(&[""], "sent"),
        _ if state.is_empty() => None,
        "acknowledged" => one_of(&["sent"], "acknowledged"),
        "information_requested" => one_of(&["sent", "acknowledged"], "information_requested"),
        "information_provided" => one_of(&["information_requested"], "acknowledged"),
        "accepted" => one_of(&["sent", "acknowledged"], "accepted"),
        "declined" => one_of(&["sent", "acknowledged", "information_requested"], "declined"),
        "withdrawn" => one_of(&["sent", "acknowledged", "information_requested"], "withdrawn"),
        "expired" => one_of(&["sent", "acknowledged", "information_requested"], "expired"),
        "service_started" => one_of(&["accepted"], "in_progress"),
        "appointment_scheduled" | "appointment_missed" => {
            one_of(&["accepted", "in_progress"], state)
        }
        "paused" => one_of(&["in_progress"], "on_hold"),
        "resumed" => one_of(&["on_hold"], "in_progress"),
        "service_delivered" => one_of(&["accepted", "in_progress"], "completed"),
        "follow_up" | "handover_proposed" | "handover_accepted" | "handover_declined" => {
            one_of(&["accepted", "in_progress", "on_hold", "completed"], state)
        }
        "closed" => {
            one_of(&["completed", "declined", "expired", "withdrawn", "cancelled"], "closed")
        }
        "cancelled" => one_of(&["accepted", "in_progress", "on_hold"], "cancelled"),
        "reopened" => one_of(&["closed", "consent_withdrawn", "erasure_requested"], "acknowledged"),
        "onward" => one_of(
            &["acknowledged", "accepted", "in_progress", "on_hold", "completed", "declined"],
            state,
        ),
        "consent_withdrawn" => (state != "entered_in_error").then_some("consent_withdrawn"),
        "erasure_requested" if stopped => (state != "entered_in_error").then_some(state),
        "erasure_requested" => Some("erasure_requested"),
        "entered_in_error" => (state != "entered_in_error").then_some("entered_in_error"),
        "consent_renewed" | "corrected" | "step_entered_in_error" => (!stopped).then_some(state),
        "attached" => one_of(
            &[
                "sent",
                "acknowledged",
                "information_requested",
                "accepted",
                "in_progress",
                "on_hold",
                "completed",
            ],
            state,
        ),
        "erased" | "file_entered_in_error" => Some(state),
        other => panic!("{other} is no event"),
    }
}

/// Of two that did not know of each other, the one with the lower number comes first.
fn rank(what: &str) -> u8 {
    match what {
        "sent" | "erased" | "step_entered_in_error" | "file_entered_in_error" | "attached" => 0,
        "information_requested" => 2,
        "entered_in_error" => 3,
        "consent_withdrawn" => 4,
        "erasure_requested" => 5,
        "withdrawn" => 6,
        "declined" => 7,
        "expired" => 8,
        "accepted" => 9,
        "service_delivered" => 10,
        "cancelled" => 11,
        "closed" => 12,
        "reopened" => 13,
        _ => 1,
    }
}

impl Line {
    fn what(&self) -> &'static str {
        name(&self.says)
    }
}

/// A line, whether it is set aside, and up to which entry of the other side its author had seen all.
struct Told<'a> {
    line: &'a Line,
    aside: bool,
    upto: Option<u64>,
}

impl Told<'_> {
    fn knew(&self, place: Place) -> bool {
        match place.0 == self.line.place.0 {
            true => self.line.place.1 > place.1,
            false => self.upto.is_some_and(|upto| upto >= place.1),
        }
    }
}

fn one_side(lines: &[Line], sender: bool) -> Vec<Told<'_>> {
    let mut own: Vec<&Line> = lines.iter().filter(|line| line.place.0 == sender).collect();
    own.sort_by_key(|line| line.place);
    let mut upto = None;
    let mut told = Vec::new();
    for line in own {
        let aside = !is_about_something(line, lines);
        upto = upto.max(line.seen.filter(|_| line.what() != "sent" && !aside));
        told.push(Told { line, aside, upto });
    }
    told
}

/// What is about an event or a file of its author's is set aside where that is not there before it: its
/// record may not have come.
fn is_about_something(line: &Line, lines: &[Line]) -> bool {
    let before = |other: &&Line| other.place.0 == line.place.0 && other.place.1 < line.place.1;
    let mut before = lines.iter().filter(before);
    match &line.says {
        T::Corrected(v1::Corrected { event: Some(about), .. })
        | T::EnteredInError(v1::EnteredInError { event: Some(about), .. }) => {
            before.any(|other| other.place.1 == about.index)
        }
        T::EnteredInError(which) if !which.attachment.is_empty() => {
            before.any(|other| attached(other).is_some_and(|part| part == which.attachment))
        }
        _ => true,
    }
}

/// What was seen comes before who has seen it; for the rest, by rank, and the sender first.
fn order(lines: &[Line]) -> Vec<Told<'_>> {
    let mut sides = [one_side(lines, true), one_side(lines, false)];
    sides.iter_mut().for_each(|side| side.reverse());
    let mut order = Vec::new();
    loop {
        let free = |side: usize| {
            let head = sides[side].last()?;
            let waits = sides[1 - side].last().is_some_and(|other| head.knew(other.line.place));
            (!waits).then(|| if head.aside { 0 } else { rank(head.line.what()) })
        };
        let next = match (free(0), free(1)) {
            (Some(sender), Some(receiver)) => usize::from(receiver < sender),
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            (None, None) if sides.iter().all(Vec::is_empty) => return order,
            (None, None) => panic!("each says that it had seen the other: {lines:#?}"),
        };
        order.extend(sides[next].pop());
    }
}

/// See the module.
pub(super) fn judge(lines: &[Line]) -> Judged {
    let order = order(lines);
    let taken_back: BTreeSet<Place> =
        order.iter().filter(|told| !told.aside).filter_map(|told| takes_back(told.line)).collect();
    let (mut state, mut case, mut counts) = ("", "senders", BTreeSet::new());
    for (at, told) in order.iter().enumerate() {
        let (place, what) = (told.line.place, told.line.what());
        let before = order[..at].iter().filter(|other| counts.contains(&other.line.place));
        // A file that comes or goes changes nothing of what an answer rests on.
        let of_files =
            |other: &&Told| matches!(other.line.what(), "attached" | "file_entered_in_error");
        let mut unseen = before
            .filter(|other| !of_files(other))
            .filter(|other| other.line.place.0 != place.0 && !told.knew(other.line.place));
        let bound = match what {
            "accepted" => unseen.next().is_none(),
            "reopened" => !unseen.any(|other| STOPS.contains(&other.line.what())),
            _ => true,
        };
        let owner = match (case, what) {
            ("senders", "handover_proposed") => Some("proposed"),
            ("proposed", "handover_accepted") => Some("receivers"),
            ("proposed", "handover_declined") => Some("senders"),
            (_, "handover_proposed" | "handover_accepted" | "handover_declined") => None,
            (case, _) => Some(case),
        };
        if let (Some(to), Some(owner), true, false) =
            (leads(state, what), owner, bound, told.aside || taken_back.contains(&place))
        {
            (state, case) = (to, owner);
            counts.insert(place);
        }
    }
    let counted: Vec<&Told> =
        order.iter().filter(|told| counts.contains(&told.line.place)).collect();
    let stops = |told: &&Told| STOPS.contains(&told.line.what());
    let mut judged = Judged {
        state,
        counts: counts.clone(),
        gone: BTreeSet::new(),
        doubtful: BTreeSet::new(),
        stop: None,
        passed: Vec::new(),
        taken_back: files::taken_back(counted.iter().map(|told| told.line)),
    };
    let of_files = files::gone(lines, &judged.taken_back);
    judged.gone.extend(&of_files);
    let Some(last) = counted.iter().rposition(stops) else { return judged };
    let reopens = |told: &&Told| told.line.what() == "reopened";
    let since = counted[..last].iter().rposition(reopens).unwrap_or(0);
    judged.stop = counted[since..].iter().find(|told| stops(told)).map(|told| told.line.clone());
    let again = counted[last..].iter().find(|told| reopens(told));
    let kept = |told: &Told| {
        again
            .is_some_and(|again| told.line.place == again.line.place || told.knew(again.line.place))
    };
    for told in order.iter().filter(|told| !kept(told)) {
        if told.line.content {
            judged.gone.insert(told.line.place);
            // No reopening saves a file that was taken back.
            if told.knew(counted[last].line.place) && !of_files.contains(&told.line.place) {
                judged.doubtful.insert(told.line.place);
            }
        }
        if let T::Onward(onward) = &told.line.says {
            judged.passed.push(onward.referral_id.clone());
        }
    }
    judged
}

/// The event that a line takes back, which is of the same side.
fn takes_back(line: &Line) -> Option<Place> {
    match &line.says {
        T::EnteredInError(which) => Some((line.place.0, which.event.as_ref()?.index)),
        _ => None,
    }
}
