//! Going beyond what the person agreed to: what that takes, and when it may never be.
//!
//! Where the legal basis is another than consent, and the person was asked, what they said is on
//! record: they refused, took it back, have not answered, or agreed to less. Sending all the same
//! overrides their word. It takes a reason that fits the basis, and a second person who approves the
//! exact text before it is sent. Invariant: form alone is judged here, so that a sender, a reader and
//! an auditor judge alike; that two persons stood behind it is in the record's `actor` and `approver`.
//!
//! Source: `docs/protocol.md`, "Before sending"; `docs/data-protection.md`, "Overriding".

use tutti_proto::v1::{self, ConsentStatus, LegalBasis, OverrideReason};

use super::{check, validate};
use crate::fields::Fields;

/// What of the person's word is overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beyond {
    /// They refused.
    Refused,
    /// They took it back.
    Withdrawn,
    /// They were asked and have not answered, or could not.
    Unanswered,
    /// What they agreed to has ended.
    Ended,
    /// They have not agreed to that society.
    Recipient,
    /// They have not agreed to that use.
    Purpose,
    /// They have not agreed to every field that is disclosed.
    Fields,
}

impl Beyond {
    /// For people, behind "the person".
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "has refused",
            Self::Withdrawn => "has taken the consent back",
            Self::Unanswered => "was asked and has not agreed",
            Self::Ended => "had agreed for a time that is over",
            Self::Recipient => "has not agreed to that society",
            Self::Purpose => "has not agreed to that use",
            Self::Fields => "has not agreed to every field that is disclosed",
        }
    }
}

/// What of the person's word `sent` goes beyond, with these fields disclosed, at `now_s` (seconds
/// since the Unix epoch) where that is known. Nothing where the basis is consent, for then it may not
/// at all, and where the person was not asked.
pub fn beyond(sent: &v1::Sent, disclosed: &[String], now_s: Option<u64>) -> Vec<Beyond> {
    let by_consent = sent.legal_basis == LegalBasis::Consent as i32;
    let Some(consent) = sent.consent.as_ref().filter(|_| !by_consent) else { return Vec::new() };
    let whole = match ConsentStatus::try_from(consent.status) {
        Ok(ConsentStatus::Refused) => Some(Beyond::Refused),
        Ok(ConsentStatus::Withdrawn) => Some(Beyond::Withdrawn),
        Ok(ConsentStatus::Requested) => Some(Beyond::Unanswered),
        Ok(ConsentStatus::Expired) => Some(Beyond::Ended),
        Ok(ConsentStatus::Given | ConsentStatus::Renewed | ConsentStatus::Unspecified) | Err(_) => {
            None
        }
    };
    if let Some(whole) = whole {
        return vec![whole];
    }
    if !check::holds(Some(consent)) {
        return Vec::new();
    }
    let ended = now_s.is_some_and(|now_s| check::has_ended(consent, now_s));
    let purpose = sent.purpose != 0 && !consent.purposes.contains(&sent.purpose);
    [
        (ended, Beyond::Ended),
        (!consent.recipients.contains(&sent.receiver), Beyond::Recipient),
        (purpose, Beyond::Purpose),
        (!validate::covers(consent, disclosed), Beyond::Fields),
    ]
    .into_iter()
    .filter_map(|(is, beyond)| is.then_some(beyond))
    .collect()
}

/// Whether the person's word is known: the referral rests on it, or they were asked all the same. `held` is
/// the consent that holds now.
pub fn was_asked(sent: &v1::Sent, held: Option<&v1::Consent>) -> bool {
    sent.legal_basis == LegalBasis::Consent as i32 || sent.consent.is_some() || held.is_some()
}

/// Of the fields that a later step of a referral discloses, those that nobody has agreed to and that
/// were not in what was sent; where its basis is another than consent, the person was asked before it
/// was sent, and `held` is what is known of their word now. A consent that does not name the receiver and the
/// use agrees to nothing here. What was overridden once is overridden as it was approved, and no further.
pub fn beyond_later<'a>(
    sent: &v1::Sent,
    held: Option<&v1::Consent>,
    disclosed: &'a [String],
    now_s: u64,
) -> Vec<&'a str> {
    let by_consent = sent.legal_basis == LegalBasis::Consent as i32;
    let was_asked = !by_consent && sent.consent.is_some();
    let Some(held) = held.filter(|_| was_asked) else { return Vec::new() };
    let for_this = held.recipients.contains(&sent.receiver)
        && (sent.purpose == 0 || held.purposes.contains(&sent.purpose));
    let holds = check::holds(Some(held)) && !check::has_ended(held, now_s);
    let beyond: Vec<&str> = match holds && for_this {
        true => validate::uncovered(held, disclosed),
        false => disclosed
            .iter()
            .map(String::as_str)
            .filter(|field| !validate::NOT_PERSONAL.contains(field))
            .collect(),
    };
    let before = validate::disclosed_by(sent);
    let sent_before = |field: &&str| before.iter().any(|one| one == field);
    beyond.into_iter().filter(|field| !sent_before(field)).collect()
}

/// Whether that reason can override that word on that basis:
///
/// | reason | basis |
/// |---|---|
/// | life_at_risk, cannot_consent | vital_interest |
/// | child_best_interest, serious_harm_to_others | vital_interest, public_interest |
/// | consent_unobtainable | vital_interest, public_interest; only where the person has not answered, or the time is over |
/// | legal_duty | legal_obligation |
///
/// What a person has taken back is overridden for life_at_risk and legal_duty alone. A legitimate
/// interest of the society's own and a contract override nobody's word.
pub fn fits(reason: OverrideReason, basis: LegalBasis, word: Beyond) -> bool {
    use LegalBasis as B;
    use OverrideReason as R;
    let on_basis = match basis {
        B::VitalInterest => reason != R::LegalDuty,
        B::PublicInterest => {
            matches!(reason, R::ChildBestInterest | R::SeriousHarmToOthers | R::ConsentUnobtainable)
        }
        B::LegalObligation => reason == R::LegalDuty,
        B::Consent | B::LegitimateInterest | B::Contract | B::Unspecified => false,
    };
    let over_word = match word {
        Beyond::Withdrawn => matches!(reason, R::LifeAtRisk | R::LegalDuty),
        Beyond::Unanswered | Beyond::Ended => true,
        Beyond::Refused | Beyond::Recipient | Beyond::Purpose | Beyond::Fields => {
            reason != R::ConsentUnobtainable
        }
    };
    reason != R::Unspecified && on_basis && over_word
}

/// Whether it takes a second person.
pub fn is_override(sent: &v1::Sent) -> bool {
    sent.consent_override.is_some()
}

/// Why an override does not hold, or that one is missing; `None` where all is as it must be.
pub fn fault(sent: &v1::Sent, disclosed: &[String], now_s: Option<u64>) -> Option<Fault> {
    let beyond = beyond(sent, disclosed, now_s);
    let reason = sent.consent_override.as_ref().map(|given| given.reason());
    let basis = LegalBasis::try_from(sent.legal_basis).unwrap_or_default();
    match (beyond.as_slice(), reason) {
        ([], None) => None,
        ([], Some(_)) => Some(Fault::Nothing),
        (beyond, None) => Some(Fault::Missing(beyond.to_vec())),
        (beyond, Some(reason)) => {
            let fits = beyond.iter().all(|word| fits(reason, basis, *word));
            (!fits).then(|| Fault::Unfit(beyond.to_vec()))
        }
    }
}

/// What is wrong with an override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is one, and nothing that it overrides.
    Nothing,
    /// There is none, and this is overridden.
    Missing(Vec<Beyond>),
    /// Its reason cannot override that on this basis.
    Unfit(Vec<Beyond>),
}

/// Names what is wrong, with the reasons that may stand there.
pub(super) fn check_fields(
    fields: &mut Fields,
    sent: &v1::Sent,
    disclosed: &[String],
    now_s: Option<u64>,
) {
    let Some(fault) = fault(sent, disclosed, now_s) else { return };
    let field = "override_reason";
    let said =
        |words: &[Beyond]| words.iter().map(|word| word.name()).collect::<Vec<_>>().join(", ");
    let basis = LegalBasis::try_from(sent.legal_basis).unwrap_or_default();
    let allowed = |words: &[Beyond]| -> Vec<&'static str> {
        use super::codes::Code as _;
        let fits = |reason: &&OverrideReason| words.iter().all(|word| fits(**reason, basis, *word));
        OverrideReason::ALL.iter().filter(fits).map(|reason| reason.name()).collect()
    };
    match fault {
        Fault::Nothing => fields.wrong(
            field,
            "is given, and nothing is overridden: take it out, or record in consent what the person \
             said",
        ),
        Fault::Missing(words) | Fault::Unfit(words) if allowed(&words).is_empty() => fields.wrong(
            field,
            format!(
                "cannot be: the person {}, and this legal basis outweighs nobody's word so",
                said(&words)
            ),
        ),
        Fault::Missing(words) => fields.allowed(
            field,
            format!(
                "is missing: the person {}. Overriding that takes a reason, and a second person who \
                 approves the draft",
                said(&words)
            ),
            &allowed(&words),
        ),
        Fault::Unfit(words) => fields.allowed(
            field,
            format!("does not override that the person {} on this basis", said(&words)),
            &allowed(&words),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::referral::codes::{self, Code};

    const WORDS: [Beyond; 7] = [
        Beyond::Refused,
        Beyond::Withdrawn,
        Beyond::Unanswered,
        Beyond::Ended,
        Beyond::Recipient,
        Beyond::Purpose,
        Beyond::Fields,
    ];

    /// What outweighs a person's word is read by data-protection officers: a change must be seen.
    #[test]
    fn the_table_is_frozen() {
        let mut table = String::new();
        for basis in LegalBasis::ALL.iter().copied() {
            for word in WORDS {
                let reasons = OverrideReason::ALL.iter().copied();
                let fitting: Vec<&str> =
                    reasons.filter(|r| fits(*r, basis, word)).map(Code::name).collect();
                if !fitting.is_empty() {
                    table += &format!("{} {word:?}: {}\n", basis.name(), fitting.join(" "));
                }
            }
        }
        assert_eq!(
            table,
            "\
vital_interest Refused: life_at_risk cannot_consent child_best_interest serious_harm_to_others
vital_interest Withdrawn: life_at_risk
vital_interest Unanswered: life_at_risk cannot_consent child_best_interest serious_harm_to_others consent_unobtainable
vital_interest Ended: life_at_risk cannot_consent child_best_interest serious_harm_to_others consent_unobtainable
vital_interest Recipient: life_at_risk cannot_consent child_best_interest serious_harm_to_others
vital_interest Purpose: life_at_risk cannot_consent child_best_interest serious_harm_to_others
vital_interest Fields: life_at_risk cannot_consent child_best_interest serious_harm_to_others
public_interest Refused: child_best_interest serious_harm_to_others
public_interest Unanswered: child_best_interest serious_harm_to_others consent_unobtainable
public_interest Ended: child_best_interest serious_harm_to_others consent_unobtainable
public_interest Recipient: child_best_interest serious_harm_to_others
public_interest Purpose: child_best_interest serious_harm_to_others
public_interest Fields: child_best_interest serious_harm_to_others
legal_obligation Refused: legal_duty
legal_obligation Withdrawn: legal_duty
legal_obligation Unanswered: legal_duty
legal_obligation Ended: legal_duty
legal_obligation Recipient: legal_duty
legal_obligation Purpose: legal_duty
legal_obligation Fields: legal_duty
"
        );
    }

    #[test]
    fn what_goes_beyond_the_persons_word_is_told() {
        let consent = v1::Consent {
            status: ConsentStatus::Given as i32,
            recipients: vec!["ph".into()],
            fields: vec!["person.name".into()],
            purposes: vec![v1::Purpose::Assistance as i32],
            expires_at: 1_000,
            ..Default::default()
        };
        let sent = v1::Sent {
            receiver: "ph".into(),
            legal_basis: LegalBasis::VitalInterest as i32,
            purpose: v1::Purpose::Assistance as i32,
            consent: Some(consent.clone()),
            ..Default::default()
        };
        let told = |sent: &v1::Sent, fields: &[&str], now_s| {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            beyond(sent, &fields, Some(now_s))
        };
        assert_eq!(told(&sent, &["person.name", "case_code"], 999), []);
        assert_eq!(told(&sent, &["person.name", "risk"], 1_000), [Beyond::Ended, Beyond::Fields]);
        let elsewhere = v1::Sent {
            receiver: "my".into(),
            purpose: v1::Purpose::FamilyLinks as i32,
            ..sent.clone()
        };
        assert_eq!(told(&elsewhere, &[], 1), [Beyond::Recipient, Beyond::Purpose]);
        for (status, word) in [
            (ConsentStatus::Refused, Beyond::Refused),
            (ConsentStatus::Withdrawn, Beyond::Withdrawn),
            (ConsentStatus::Requested, Beyond::Unanswered),
            (ConsentStatus::Expired, Beyond::Ended),
        ] {
            let consent = v1::Consent { status: status as i32, ..consent.clone() };
            let against = v1::Sent { consent: Some(consent), ..sent.clone() };
            assert_eq!(told(&against, &[], 1), [word]);
            assert_eq!(fault(&against, &[], None), Some(Fault::Missing(vec![word])));
            // The basis is consent: that is refused elsewhere, whoever approves.
            let basis = LegalBasis::Consent as i32;
            assert_eq!(told(&v1::Sent { legal_basis: basis, ..against }, &[], 1), []);
        }
        let unasked = v1::Sent { consent: None, ..sent.clone() };
        assert_eq!(told(&unasked, &["risk"], 1), []);
        let given = v1::ConsentOverride { reason: OverrideReason::LifeAtRisk as i32 };
        let needless = v1::Sent { consent_override: Some(given), ..sent.clone() };
        assert_eq!(fault(&needless, &[], Some(1)), Some(Fault::Nothing));
        assert_eq!(fault(&needless, &["risk".into()], Some(1)), None);
        let duty = v1::ConsentOverride { reason: OverrideReason::LegalDuty as i32 };
        let unfit = v1::Sent { consent_override: Some(duty), ..sent };
        let expected = Fault::Unfit(vec![Beyond::Fields]);
        assert_eq!(fault(&unfit, &["risk".into()], Some(1)), Some(expected));
        assert!(codes::parse::<OverrideReason>("legal_duty").is_some());
    }

    #[test]
    fn what_is_told_later_goes_no_further_than_what_was_approved() {
        let consent = |status: ConsentStatus| v1::Consent {
            status: status as i32,
            recipients: vec!["ph".into()],
            purposes: vec![v1::Purpose::Assistance as i32],
            fields: vec!["person.name".into()],
            expires_at: 1_000,
            ..Default::default()
        };
        let sent = v1::Sent {
            receiver: "ph".into(),
            purpose: v1::Purpose::Assistance as i32,
            legal_basis: LegalBasis::VitalInterest as i32,
            information_disclosed: vec!["reason".into()],
            consent: Some(consent(ConsentStatus::Refused)),
            ..Default::default()
        };
        let fields = ["person.name", "reason", "risk", "case_code"].map(String::from);
        let beyond = |held: Option<&v1::Consent>, now_s| beyond_later(&sent, held, &fields, now_s);
        let given = consent(ConsentStatus::Given);
        assert_eq!(beyond(Some(&given), 999), ["risk"]);
        assert_eq!(beyond(Some(&given), 1_000), ["person.name", "risk"]);
        let refused = consent(ConsentStatus::Refused);
        assert_eq!(beyond(Some(&refused), 1), ["person.name", "risk"]);
        // What they allowed another society, or for another use, they did not allow here: with a list of
        // fields or without one.
        for fields in [vec!["person.name".to_owned(), "risk".into()], vec![]] {
            let elsewhere = v1::Consent { recipients: vec!["my".into()], ..given.clone() };
            let other_use =
                v1::Consent { purposes: vec![v1::Purpose::FamilyLinks as i32], ..given.clone() };
            for consent in [elsewhere, other_use] {
                let consent = v1::Consent { fields: fields.clone(), ..consent };
                assert_eq!(beyond(Some(&consent), 1), ["person.name", "risk"], "{consent:?}");
            }
        }
        let for_no_use = v1::Sent { purpose: 0, ..sent.clone() };
        let unnamed = v1::Consent { purposes: Vec::new(), ..given.clone() };
        assert_eq!(beyond_later(&for_no_use, Some(&unnamed), &fields, 1), ["risk"]);
        let unasked = v1::Sent { consent: None, ..sent.clone() };
        assert!(beyond_later(&unasked, Some(&given), &fields, 1).is_empty(), "nobody was asked");
        let by_it = v1::Sent { legal_basis: LegalBasis::Consent as i32, ..sent.clone() };
        assert!(
            beyond_later(&by_it, Some(&refused), &fields, 1).is_empty(),
            "that is judged elsewhere"
        );
    }
}
