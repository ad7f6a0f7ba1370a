//! What of a referral is to be erased: by what stopped it, with files that were taken back, and when.

use tutti_proto::v1::{self, ErasureReason, referral_event::Transition};

use super::{Item, Run, effective};
use crate::{
    referral::{
        Event, EventRef, Keeping, Kind, ReferralId, Side, attachment::Source, moves_the_end,
    },
    society::Society,
};

/// A file that its author has taken back.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::referral) struct TakenBack {
    /// The event that says so.
    pub(in crate::referral) event: Event,
    /// The file.
    pub(in crate::referral) id: [u8; 16],
    /// Its parts, those that came later too.
    pub(in crate::referral) due: Vec<EventRef>,
}

impl TakenBack {
    /// What a copy of it in another referral names as its source.
    pub(in crate::referral) fn source(&self) -> Source {
        Source { by: self.event.society, id: self.id }
    }
}

/// What stopped the referral last.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::referral) struct Stop {
    /// The first event that did since it was last reopened.
    pub(in crate::referral) event: Event,
    /// The entries whose content is to be erased for it.
    pub(in crate::referral) due: Vec<EventRef>,
    /// Those of them whose author had seen that it was stopped: a reopening that has not arrived
    /// may lie between.
    pub(in crate::referral) doubtful: Vec<EventRef>,
    /// By what the case was passed on to a third society before.
    pub(in crate::referral) onward: Vec<Passed>,
}

/// A referral by which one side has passed the case on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The event that says so.
    pub at: EventRef,
    /// The third society.
    pub to: Society,
    /// The referral that was sent there.
    pub referral: ReferralId,
    /// Whether its author had seen that the referral was stopped: a reopening that has not arrived
    /// may lie between.
    pub doubtful: bool,
}

/// The own file that an event takes back.
pub(super) fn taken_file(event: &Event) -> Option<&[u8]> {
    match &event.body.transition {
        Some(Transition::EnteredInError(v1::EnteredInError {
            event: None, attachment, ..
        })) if !attachment.is_empty() => Some(attachment),
        _ => None,
    }
}

/// The file of which an event holds a part.
pub(super) fn file_of(event: &Event) -> Option<&[u8]> {
    match &event.body.transition {
        Some(Transition::Attached(attached)) => Some(&attached.attachment_id),
        _ => None,
    }
}

/// What stopped the referral last, and the entries whose content is to be erased for it: all, but
/// for those that a reopening after it brought, and those whose author had seen that.
pub(super) fn stop(order: &[Item], whole: &Run) -> Option<Stop> {
    let stops = |item: &Item| item.kind.as_ref().is_ok_and(|kind| kind.stops());
    let (last, stopper) = effective(order, whole).rfind(|(_, item)| stops(item))?;
    let reopened = |item: &Item| item.is(Kind::Reopened);
    // The first of those that stopped it since it was last reopened is the one that is answered.
    let since = effective(order, whole)
        .rfind(|(at, item)| *at < last && reopened(item))
        .map_or(0, |(at, _)| at);
    let (_, first) = effective(order, whole).find(|(at, item)| *at >= since && stops(item))?;
    let again = effective(order, whole).find(|(at, item)| *at > last && reopened(item));
    let kept = |item: &Item| {
        again.is_some_and(|(_, again)| match item.side == again.side {
            true => item.place >= again.place,
            false => item.seen > again.place,
        })
    };
    let knew = |item: &Item| match item.side == stopper.side {
        true => item.place > stopper.place,
        false => item.seen > stopper.place,
    };
    let due = || order.iter().filter(|item| item.event.holds_content() && !kept(item));
    // Whatever became of the event: what it tells of has left the house.
    let onward = order.iter().filter(|item| item.is(Kind::Onward) && !kept(item));
    Some(Stop {
        event: first.event.clone(),
        onward: onward.filter_map(|item| passed(item.event, knew(item))).collect(),
        due: due().map(|item| item.event.at.clone()).collect(),
        doubtful: due().filter(|item| knew(item)).map(|item| item.event.at.clone()).collect(),
    })
}

/// The files that were taken back, with the entries of all their parts, whatever became of these.
pub(super) fn taken_back(order: &[Item], whole: &Run) -> Vec<TakenBack> {
    let taken =
        effective(order, whole).filter_map(|(_, item)| Some((item, taken_file(item.event)?)));
    let file = |(item, file): (&Item, &[u8])| {
        let parts = order.iter().filter(|part| part.side == item.side);
        let parts = parts.filter(|part| file_of(part.event) == Some(file));
        let due = parts.filter(|part| part.event.holds_content());
        Some(TakenBack {
            event: item.event.clone(),
            id: file.try_into().ok()?,
            due: due.map(|part| part.event.at.clone()).collect(),
        })
    };
    taken.filter_map(file).collect()
}

/// Until when the case may be kept. Once a receipt says that the time is over, what its author had not seen
/// then moves it no more, nor does anything that is written later.
pub(super) fn keeping(sent: &Event, order: &[Item], whole: &Run) -> Keeping {
    let until_s = match &sent.body.transition {
        Some(Transition::Sent(sent)) => sent.retain_until,
        _ => 0,
    };
    let told = |seen: &dyn Fn(&Item) -> bool| {
        let steps = effective(order, whole).map(|(_, item)| item).filter(|item| seen(item));
        let steps = steps.filter(|item| item.kind.as_ref().is_ok_and(|kind| moves_the_end(*kind)));
        Keeping::new(until_s, sent.recorded_at_ms, steps.map(|item| item.event.recorded_at_ms))
    };
    let says_so = |item: &&Item| match &item.event.body.transition {
        Some(Transition::Erased(erased)) => erased.reason == ErasureReason::Retention as i32,
        _ => false,
    };
    let receipts = || effective(order, whole).map(|(_, item)| item).filter(says_so);
    let Some(signed_ms) = receipts().map(|item| item.event.recorded_at_ms).min() else {
        return told(&|_| true);
    };
    // Later ones of the same side had seen all that its first had.
    let first = |side| receipts().find(|item| item.side == side);
    let seen = [Side::Sender, Side::Receiver].into_iter().filter_map(first).map(|receipt| {
        told(&|item| match item.side == receipt.side {
            true => item.place < receipt.place,
            false => item.place < receipt.seen,
        })
    });
    Keeping::signed(seen.collect(), Some(signed_ms))
}

fn passed(event: &Event, doubtful: bool) -> Option<Passed> {
    let Some(Transition::Onward(onward)) = &event.body.transition else { return None };
    let referral = <[u8; 16]>::try_from(onward.referral_id.as_slice()).ok()?;
    Some(Passed {
        at: event.at.clone(),
        to: onward.receiver.parse().ok()?,
        referral: ReferralId::from_bytes(referral),
        doubtful,
    })
}
