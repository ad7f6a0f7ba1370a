//! Passing a case on to a third society, and what must be so before.
//!
//! The receiver of a referral sends another one, and says so in the first. What the person agreed to
//! travels along: the third society, every field and the use must be covered by the consent that
//! holds for the first, on whatever basis that came; what nobody may learn of it stays so; it is kept no
//! longer than the first. A consent that reaches further than before on the passer's word alone lets nothing
//! go on until somebody at the first society has gone on with it ([`Words`], ADR 12). The same holds for all
//! that the passer tells the third society later, and for the consent that it sends or records there: the
//! next society goes by that.
//! Invariants: a case is passed on by [`may_send`] alone, whoever composed it; what its passer adds
//! later has come by [`later`].

use tutti_proto::v1::{self, referral_event::Transition};

use super::{FIELDS, Outcome, Referral, Refusal, check, overriding, standing::has_seen, validate};
use crate::{fields::Fields, society::Society};

/// What is passed on where nothing else is said: the first referral as it was sent, with the
/// consent that holds now and the case as it is known.
///
/// `services` takes the place of what was asked for, where it is not empty. The fields and categories named
/// in `withhold` are left out; so is the focal point, who is at the first society.
pub fn compose(
    first: &Referral,
    case: &v1::ReferralContent,
    to: Society,
    services: &[i32],
    withhold: &[String],
) -> (v1::Sent, v1::ReferralContent) {
    let mut content = case.clone();
    content.focal_point = None;
    let mut sent = first.sent.clone();
    withhold.iter().for_each(|field| leave_out(&mut sent, &mut content, field));
    let filled = validate::disclosed_with(&sent, &content);
    let withheld = FIELDS.into_iter().map(String::from).filter(|field| {
        let named = withhold.contains(field) || first.sent.information_withheld.contains(field);
        named && !filled.contains(field)
    });
    sent.information_withheld = withheld.collect();
    sent.information_disclosed = Vec::new();
    sent.receiver = to.to_string();
    // What this society alone has recorded is not handed on before it may go further.
    let words = Words::of(first.sender, || first.outcomes.iter());
    let held = words.held.clone();
    sent.consent = words.common().filter(|common| validate::covers(common, &filled)).or(held);
    // What went beyond the person's word once goes no further on the strength of that.
    sent.consent_override = None;
    if !services.is_empty() {
        sent.services_requested = services.to_vec();
    }
    (sent, content)
}

/// Empties the field of that name, as [`FIELDS`] has it.
fn leave_out(sent: &mut v1::Sent, content: &mut v1::ReferralContent, field: &str) {
    let person = content.person.get_or_insert_default();
    match field {
        "case_code" => content.case_code.clear(),
        "person.name" => person.name.clear(),
        "person.sex" => person.sex = 0,
        "person.age" => person.age = 0,
        "person.nationality" => person.nationality.clear(),
        "person.languages" => person.languages.clear(),
        "person.interpreter_needed" => person.interpreter_needed = false,
        "person.disability" => person.disability.clear(),
        "person.safe_contact" => person.safe_contact.clear(),
        "person.safe_contact_times" => person.safe_contact_times.clear(),
        "person.caregiver" => person.caregiver.clear(),
        "person.separated_or_unaccompanied" => person.separated_or_unaccompanied = false,
        "person.dependants" => person.dependants.clear(),
        "reason" => content.reason.clear(),
        "risk" => content.risk.clear(),
        "services_already_provided" => content.services_already_provided.clear(),
        "focal_point" => content.focal_point = None,
        "consent_witness" => content.consent_witness.clear(),
        "category.stage" => sent.stage = 0,
        "category.country_of_origin" => sent.country_of_origin.clear(),
        "category.country_of_stay" => sent.country_of_stay.clear(),
        "category.country_of_destination" => sent.country_of_destination.clear(),
        "category.services_provided" => sent.services_provided.clear(),
        "category.vulnerabilities" => sent.vulnerabilities.clear(),
        "category.age_band" => sent.age_band = 0,
        "category.sex" => sent.sex = 0,
        _ => {}
    }
}

/// Whether `sent` with these fields may go out as what passes `first` on. A consent in it allows the third society
/// no more than the person allowed.
pub(super) fn may_send(
    first: &Referral,
    sent: &v1::Sent,
    disclosed: &[String],
    now_ms: u64,
) -> Result<(), Refusal> {
    let mut fields = Fields::default();
    fields.check(
        sent.receiver != first.sender.as_str(),
        "receiver",
        "is the society that has sent the case here",
    );
    let kept = |restriction| sent.restrictions.contains(restriction);
    fields.check(
        first.sent.restrictions.iter().all(kept),
        "restrictions",
        "lacks one that the case came with: whom it may never reach stays so",
    );
    let longer = sent.retain_until == 0 || sent.retain_until > first.sent.retain_until;
    fields.check(
        first.sent.retain_until == 0 || !longer,
        "retain_until",
        "is later than the case may be kept here",
    );
    fields.finish().map_err(Refusal::Fields)?;
    covered(first, &sent.receiver, disclosed, sent.purpose, now_ms)?;
    match sent.consent.as_ref().filter(|own| check::holds(Some(own))) {
        Some(own) => within(first, own),
        None => Ok(()),
    }
}

/// Whether what the sender of `onward` tells there after it was sent, and a consent that it records there, reach
/// no further than the person's word for the referral that it passes on: `first`, where that is known. What
/// narrows the consent that holds in `onward` may always be recorded.
pub(super) fn later(
    first: Option<&Referral>,
    onward: &Referral,
    disclosed: Option<&[String]>,
    recorded: Option<&v1::Consent>,
    now_ms: u64,
) -> Result<(), Refusal> {
    if onward.sent.onward_of.is_empty() {
        return Ok(());
    }
    let first = first.filter(|first| onward.sent.onward_of == first.id.as_bytes());
    let first = first.ok_or(Refusal::NotFound)?;
    let here = |refusal: Refusal| match refusal {
        Refusal::Consent(problem) => {
            Refusal::Onward { first: first.id, society: first.sender, problem }
        }
        other => other,
    };
    if first.state.is_stopped() {
        // Once that was carried here, this one goes on only where the person has agreed to it afresh.
        return match first.to_carry_on(onward) {
            None => Ok(()),
            Some(_) => Err(here(Refusal::Consent("the referral was stopped"))),
        };
    }
    if let Some(disclosed) = disclosed {
        let (to, purpose) = (&onward.sent.receiver, onward.sent.purpose);
        covered(first, to, disclosed, purpose, now_ms).map_err(here)?;
    }
    let held = onward.consent.as_ref().filter(|held| check::holds(Some(held)));
    match recorded.filter(|own| held.is_none_or(|held| wider(own, held).is_some())) {
        Some(own) => within(first, own).map_err(here),
        None => Ok(()),
    }
}

/// Whether a consent that goes along, or is recorded further on, allows no more than the person's word for
/// `first` as it holds now, and as the society there has seen it.
fn within(first: &Referral, own: &v1::Consent) -> Result<(), Refusal> {
    let words = Words::of(first.sender, || first.outcomes.iter());
    if words.held.is_none() && !overriding::was_asked(&first.sent, None) {
        return Err(Refusal::Unasked);
    }
    let Some(held) = words.held.as_ref().filter(|held| check::holds(Some(held))) else {
        return Err(Refusal::Consent("the person has not agreed, or agrees no longer"));
    };
    match wider(own, held) {
        Some(problem) => Err(Refusal::Consent(problem)),
        None if words.narrower_before(own) => Err(Refusal::Unseen { society: first.sender }),
        None => Ok(()),
    }
}

/// What of a consent, `own`, reaches further than another one.
pub(crate) fn wider(own: &v1::Consent, than: &v1::Consent) -> Option<&'static str> {
    if own.recipients.iter().any(|society| !than.recipients.contains(society)) {
        return Some("the new consent names a society that it does not name");
    }
    let everything = own.fields.is_empty() && !than.fields.is_empty();
    if everything || !validate::covers(than, &own.fields) {
        return Some("the new consent goes for fields that it does not cover");
    }
    if own.purposes.iter().any(|purpose| !than.purposes.contains(purpose)) {
        return Some("the new consent names a use that it does not cover");
    }
    let longer = own.expires_at == 0 || own.expires_at > than.expires_at;
    (than.expires_at != 0 && longer).then_some("the new consent holds for longer than it does")
}

/// Whether the person's word for `first` as it holds now covers the third society, these fields and that
/// use. It counts on every basis: one that outweighs their word for the first society is none for the next,
/// and where nobody has asked them, they have not agreed to a third.
pub(super) fn covered(
    first: &Referral,
    to: &str,
    disclosed: &[String],
    purpose: i32,
    now_ms: u64,
) -> Result<(), Refusal> {
    let words = Words::of(first.sender, || first.outcomes.iter());
    let further = Further { to, disclosed, purpose, now_s: now_ms / 1000 };
    if words.held.is_none() && !overriding::was_asked(&first.sent, None) {
        return Err(Refusal::Unasked);
    }
    further.lies_within(words.held.as_ref()).map_err(Refusal::Consent)?;
    match words.waits(&further) {
        true => Err(Refusal::Unseen { society: first.sender }),
        false => Ok(()),
    }
}

/// What is to go further than the receiver of a referral.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Further<'a> {
    /// The third society's code.
    pub(crate) to: &'a str,
    /// Names of fields.
    pub(crate) disclosed: &'a [String],
    /// A number of [`v1::Purpose`]; 0 where none is given.
    pub(crate) purpose: i32,
    /// Seconds since the Unix epoch.
    pub(crate) now_s: u64,
}

impl Further<'_> {
    /// Whether a consent covers all of it, or what it does not cover.
    pub(crate) fn lies_within(&self, consent: Option<&v1::Consent>) -> Result<(), &'static str> {
        let Some(consent) = consent.filter(|consent| check::holds(Some(consent))) else {
            return Err("the person has not agreed, or agrees no longer");
        };
        if check::has_ended(consent, self.now_s) {
            return Err("it has ended");
        }
        if !consent.recipients.iter().any(|society| society == self.to) {
            return Err("it does not name that society");
        }
        if !validate::covers(consent, self.disclosed) {
            return Err("it does not cover every field that would be passed on");
        }
        if self.purpose != 0 && !consent.purposes.contains(&self.purpose) {
            return Err("it does not cover that use");
        }
        Ok(())
    }
}

/// The person's word as the receiver of a referral may go by it where it passes the case on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Words {
    /// The consent that holds; `None` where there is none.
    pub(crate) held: Option<v1::Consent>,
    /// What held before each renewal that the receiver has recorded and that nobody at the sender has gone
    /// on with, `None` where nothing did. What goes further lies within these too: so a renewal
    /// that narrows counts at once, and one that widens as soon as the other side has seen it.
    before: Vec<Option<v1::Consent>>,
}

impl Words {
    /// Of a referral by `sender`, with these outcomes, in order; those that do not count tell who has seen what.
    pub(crate) fn of<'a, I: Iterator<Item = &'a Outcome>>(
        sender: Society,
        outcomes: impl Fn() -> I,
    ) -> Self {
        let mut words = Self::default();
        for outcome in outcomes().filter(|outcome| outcome.effective) {
            let event = &outcome.event;
            match &event.body.transition {
                Some(Transition::Sent(sent)) => words.begin(sent.consent.clone()),
                Some(Transition::Reopened(reopened)) => words.begin(reopened.consent.clone()),
                Some(Transition::ConsentWithdrawn(_)) => words.begin(None),
                Some(Transition::ConsentRenewed(renewed)) => {
                    let consent = renewed.consent.clone();
                    if event.society == sender || has_seen(outcomes(), &event.at) {
                        words.begin(consent);
                    } else {
                        words.before.push(std::mem::replace(&mut words.held, consent));
                    }
                }
                _ => {}
            }
        }
        words
    }

    fn begin(&mut self, held: Option<v1::Consent>) {
        *self = Self { held, before: Vec::new() };
    }

    /// Whether a consent that goes along allows what one of those before did not.
    pub(crate) fn narrower_before(&self, own: &v1::Consent) -> bool {
        let allows =
            |before: &v1::Consent| check::holds(Some(before)) && wider(own, before).is_none();
        !self.before.iter().all(|before| before.as_ref().is_some_and(allows))
    }

    /// The consent that goes along where the case is passed on: what the one that holds allows, and each before
    /// it. Where these have nothing in common the one that holds, which then does not go.
    fn common(self) -> Option<v1::Consent> {
        let held = self.held?;
        let mut common = held.clone();
        for before in &self.before {
            let Some(before) = before else { return Some(held) };
            common.recipients.retain(|society| before.recipients.contains(society));
            common.purposes.retain(|purpose| before.purposes.contains(purpose));
            match (common.fields.is_empty(), before.fields.is_empty()) {
                (_, true) => {}
                (true, false) => common.fields.clone_from(&before.fields),
                (false, false) => {
                    common.fields.retain(|field| before.fields.contains(field));
                    // An empty list would allow everything.
                    if common.fields.is_empty() {
                        return Some(held);
                    }
                }
            }
            common.expires_at = match (common.expires_at, before.expires_at) {
                (0, end_s) | (end_s, 0) => end_s,
                (one_s, other_s) => one_s.min(other_s),
            };
        }
        Some(common)
    }

    /// Whether the receiver's word alone lets that go further, so that it waits for the sender to see it.
    pub(crate) fn waits(&self, further: &Further) -> bool {
        self.before.iter().any(|before| further.lies_within(before.as_ref()).is_err())
    }
}
