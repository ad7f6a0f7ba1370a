//! The code lists: each number in a record has one name, in `snake_case`, and back.
//!
//! Forms, tables and JSON use the names; records use the numbers. Nought is "not given" in every
//! list and has no name. Invariant: a list only ever grows; a name or number is never used again.

use tutti_proto::v1;

/// One of the code lists of `record.proto`.
pub trait Code: Copy + Sized + 'static {
    /// Every code that may be given, in the order of its number.
    const ALL: &'static [Self];
    /// Their names, in the same order.
    const NAMES: &'static [&'static str];

    /// The code's name; empty where none is given.
    fn name(self) -> &'static str;

    /// The code's number.
    fn number(self) -> i32;
}

/// The code with that name.
pub fn parse<C: Code>(name: &str) -> Option<C> {
    C::ALL.iter().copied().find(|code| code.name() == name)
}

/// The code with that number; `None` where none is given or this version does not know it.
pub fn known<C: Code>(number: i32) -> Option<C> {
    C::ALL.iter().copied().find(|code| code.number() == number)
}

/// Whether the number is a code that may be given.
pub fn is_known<C: Code>(number: i32) -> bool {
    known::<C>(number).is_some()
}

/// The name of that number: empty where none is given, `unknown` where this version does not know.
pub fn name<C: Code>(number: i32) -> &'static str {
    match known::<C>(number) {
        Some(code) => code.name(),
        None if number == 0 => "",
        None => "unknown",
    }
}

macro_rules! codes {
    ($($list:ident { $($code:ident = $name:literal,)+ })+) => {$(

        impl Code for v1::$list {
            const ALL: &'static [Self] = &[$(Self::$code),+];
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn name(self) -> &'static str {
                match self {
                    Self::Unspecified => "",
                    $(Self::$code => $name,)+
                }
            }

            fn number(self) -> i32 {
                self as i32
            }
        }
    )+

        /// Asks of every list what `tests` asks; gives their names.
        #[cfg(test)]
        fn every_list() -> Vec<&'static str> {
            $(tests::check::<v1::$list>(
                v1::$list::as_str_name,
                |number| v1::$list::try_from(number).ok(),
            );)+
            vec![$(stringify!($list)),+]
        }
    };
}

codes! {
    // How soon an answer is needed.
    Priority {
        Emergency = "emergency",
        Urgent = "urgent",
        Normal = "normal",
    }
    // Where on the way the person is.
    JourneyStage {
        Origin = "origin",
        Transit = "transit",
        Destination = "destination",
        Return = "return",
    }
    // What allows the data to be passed on.
    LegalBasis {
        Consent = "consent",
        VitalInterest = "vital_interest",
        PublicInterest = "public_interest",
        LegitimateInterest = "legitimate_interest",
        LegalObligation = "legal_obligation",
        Contract = "contract",
    }
    // What the data may be used for.
    Purpose {
        Assistance = "assistance",
        FamilyLinks = "family_links",
        Protection = "protection",
        Repatriation = "repatriation",
    }
    // Who must never learn of it.
    Restriction {
        NeverToAuthorities = "never_to_authorities",
        NeverToEmployer = "never_to_employer",
        NeverToFamily = "never_to_family",
    }
    // The person's sex or gender.
    Sex {
        Female = "female",
        Male = "male",
        Other = "other",
    }
    // The person's age, roughly.
    AgeBand {
        Under5 = "under_5",
        AgeBand5To11 = "5_to_11",
        AgeBand12To17 = "12_to_17",
        AgeBand18To24 = "18_to_24",
        AgeBand25To49 = "25_to_49",
        AgeBand50To59 = "50_to_59",
        AgeBand60AndOver = "60_and_over",
    }
    // What a file is that goes with a case.
    AttachmentKind {
        ConsentForm = "consent_form",
        MedicalLetter = "medical_letter",
        IdentityDocument = "identity_document",
        Photo = "photo",
        Other = "other",
    }
    // Whether the person agreed.
    ConsentStatus {
        Requested = "requested",
        Given = "given",
        Refused = "refused",
        Withdrawn = "withdrawn",
        Expired = "expired",
        Renewed = "renewed",
    }
    // How the person agreed.
    ConsentForm {
        Written = "written",
        Verbal = "verbal",
        Thumbprint = "thumbprint",
        Remote = "remote",
    }
    // Who agreed.
    ConsentGiver {
        Person = "person",
        Caregiver = "caregiver",
        Guardian = "guardian",
    }
    // Why a referral is declined.
    DeclineCode {
        NoCapacity = "no_capacity",
        Waitlist = "waitlist",
        NotEligible = "not_eligible",
        OutsideArea = "outside_area",
        ServiceUnavailable = "service_unavailable",
        InsufficientInformation = "insufficient_information",
        Duplicate = "duplicate",
        Unsafe = "unsafe",
        PersonDeclined = "person_declined",
        PersonUnreachable = "person_unreachable",
        ConsentInvalid = "consent_invalid",
        WrongRecipient = "wrong_recipient",
        Other = "other",
    }
    // Why a referral is withdrawn.
    WithdrawCode {
        PersonWithdrew = "person_withdrew",
        PersonLeft = "person_left",
        HelpedElsewhere = "helped_elsewhere",
        SentInError = "sent_in_error",
        NoResponse = "no_response",
        Other = "other",
    }
    // How far the service was delivered.
    DeliveryResult {
        Fully = "fully",
        Partly = "partly",
        Not = "not",
    }
    // Why an appointment did not come about.
    MissedCode {
        PersonDidNotCome = "person_did_not_come",
        PersonCouldNotCome = "person_could_not_come",
        ProviderCancelled = "provider_cancelled",
        Other = "other",
    }
    // Why the help rests.
    PauseCode {
        PersonAsked = "person_asked",
        PersonUnreachable = "person_unreachable",
        AwaitingDocuments = "awaiting_documents",
        NoCapacity = "no_capacity",
        Unsafe = "unsafe",
        Other = "other",
    }
    // How the person was found.
    FollowUpResult {
        Well = "well",
        NeedsMore = "needs_more",
        NotReached = "not_reached",
    }
    // Why help that was promised ends.
    CancelCode {
        PersonDeclined = "person_declined",
        PersonLeft = "person_left",
        PersonUnreachable = "person_unreachable",
        HelpedElsewhere = "helped_elsewhere",
        NoCapacity = "no_capacity",
        Unsafe = "unsafe",
        PersonDied = "person_died",
        Other = "other",
    }
    // Why a matter that had ended goes on.
    ReopenCode {
        NeedAgain = "need_again",
        NewNeed = "new_need",
        ClosedInError = "closed_in_error",
        ConsentGivenAnew = "consent_given_anew",
        Other = "other",
    }
    // On whose word the data are to be erased.
    ErasureGround {
        Person = "person",
        Caregiver = "caregiver",
        Guardian = "guardian",
        Authority = "authority",
        Society = "society",
    }
    // How far a word goes that stops a referral.
    Extent {
        Case = "case",
        Referral = "referral",
    }
    // Why data were erased.
    ErasureReason {
        ConsentWithdrawn = "consent_withdrawn",
        ErasureRequested = "erasure_requested",
        EnteredInError = "entered_in_error",
        Retention = "retention",
    }
    // How the matter ended.
    Outcome {
        NeedMet = "need_met",
        NeedPartlyMet = "need_partly_met",
        NeedNotMet = "need_not_met",
        ReferredElsewhere = "referred_elsewhere",
        PersonLeft = "person_left",
    }
    // The person's own word.
    Feedback {
        Satisfied = "satisfied",
        PartlySatisfied = "partly_satisfied",
        NotSatisfied = "not_satisfied",
        NotGiven = "not_given",
    }
    // A kind of help.
    ServiceCategory {
        Health = "health",
        Mhpss = "mhpss",
        FirstAid = "first_aid",
        FoodNutrition = "food_nutrition",
        ShelterSafeHouse = "shelter_safe_house",
        Nfi = "nfi",
        Cash = "cash",
        Wash = "wash",
        LegalAssistance = "legal_assistance",
        DocumentationConsular = "documentation_consular",
        WageClaimLabourDispute = "wage_claim_labour_dispute",
        ChildProtection = "child_protection",
        Gbv = "gbv",
        Trafficking = "trafficking",
        RflTracing = "rfl_tracing",
        FamilyContact = "family_contact",
        DetentionVisit = "detention_visit",
        MedicalEscortRepatriation = "medical_escort_repatriation",
        ReturnReintegration = "return_reintegration",
        Livelihoods = "livelihoods",
        EducationLanguage = "education_language",
        InformationOrientation = "information_orientation",
        PhysicalSafety = "physical_safety",
        DeadMissing = "dead_missing",
        Other = "other",
    }
    // What makes the person vulnerable; the last eleven are the ILO indicators of forced labour.
    Vulnerability {
        UnaccompaniedOrSeparatedChild = "unaccompanied_or_separated_child",
        Child = "child",
        OlderPerson = "older_person",
        Disability = "disability",
        SeriousMedical = "serious_medical",
        PregnantLactating = "pregnant_lactating",
        SingleParent = "single_parent",
        GbvSurvivor = "gbv_survivor",
        Trafficking = "trafficking",
        Stateless = "stateless",
        Detained = "detained",
        Undocumented = "undocumented",
        MentalDistress = "mental_distress",
        FamilySeparated = "family_separated",
        MissingRelative = "missing_relative",
        AbuseOfVulnerability = "abuse_of_vulnerability",
        Deception = "deception",
        RestrictionOfMovement = "restriction_of_movement",
        Isolation = "isolation",
        PhysicalSexualViolence = "physical_sexual_violence",
        IntimidationThreats = "intimidation_threats",
        DocumentRetention = "document_retention",
        WageWithholding = "wage_withholding",
        DebtBondage = "debt_bondage",
        AbusiveConditions = "abusive_conditions",
        ExcessiveOvertime = "excessive_overtime",
    }
    // What an information share is about.
    InformationKind {
        LegalChange = "legal_change",
        PolicyChange = "policy_change",
        SafetyAlert = "safety_alert",
        ContextChange = "context_change",
        Guidance = "guidance",
        GoodPractice = "good_practice",
        ResourceOpportunity = "resource_opportunity",
        ServiceChange = "service_change",
        Report = "report",
    }
    // For whom it is meant.
    Audience {
        Societies = "societies",
        Migrants = "migrants",
        Families = "families",
    }
    // How serious it is.
    Severity {
        Information = "information",
        Advisory = "advisory",
        Warning = "warning",
        Critical = "critical",
    }
    // How far it was checked.
    Verification {
        Unverified = "unverified",
        Verified = "verified",
        Official = "official",
    }
    // Why the person's word is overridden.
    OverrideReason {
        LifeAtRisk = "life_at_risk",
        CannotConsent = "cannot_consent",
        ChildBestInterest = "child_best_interest",
        SeriousHarmToOthers = "serious_harm_to_others",
        ConsentUnobtainable = "consent_unobtainable",
        LegalDuty = "legal_duty",
    }
    // What is wrong with a share.
    DisputeCode {
        Inaccurate = "inaccurate",
        Outdated = "outdated",
        Incomplete = "incomplete",
        Harmful = "harmful",
        SourceDoubtful = "source_doubtful",
        Other = "other",
    }
    // What was done with it.
    ActionCode {
        InformedStaff = "informed_staff",
        InformedMigrants = "informed_migrants",
        InformedFamilies = "informed_families",
        ServiceAdapted = "service_adapted",
        Advocacy = "advocacy",
        Applied = "applied",
        Repeated = "repeated",
        NoActionNeeded = "no_action_needed",
        Other = "other",
    }
}

/// The party that a reason to decline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The society that would have helped.
    Provider,
    /// The person.
    Person,
}

impl Reason {
    /// Its name: `provider`, `person`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Person => "person",
        }
    }
}

/// Whether a reason to decline is the provider's or the person's; `None` where it is neither's.
pub fn reason_of(code: v1::DeclineCode) -> Option<Reason> {
    use v1::DeclineCode as D;
    match code {
        D::Unspecified | D::Other => None,
        D::NoCapacity
        | D::Waitlist
        | D::NotEligible
        | D::OutsideArea
        | D::ServiceUnavailable
        | D::InsufficientInformation
        | D::Duplicate
        | D::Unsafe
        | D::ConsentInvalid
        | D::WrongRecipient => Some(Reason::Provider),
        D::PersonDeclined | D::PersonUnreachable => Some(Reason::Person),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One list against the names that the protocol buffers give: no name is misspelt, no code is
    /// missing.
    pub(super) fn check<C: Code>(
        proto_name: fn(&C) -> &'static str,
        from_number: fn(i32) -> Option<C>,
    ) {
        assert_eq!(C::ALL.len(), C::NAMES.len());
        for (number, (code, name)) in (1..).zip(C::ALL.iter().zip(C::NAMES)) {
            assert_eq!(code.number(), number);
            assert!(proto_name(code).to_lowercase().ends_with(&format!("_{name}")), "{name}");
            assert_eq!(parse::<C>(name).map(C::number), Some(number));
            assert_eq!(super::name::<C>(number), *name);
        }
        let beyond = i32::try_from(C::ALL.len()).unwrap_or(i32::MAX) + 1;
        assert!(from_number(beyond).is_none(), "a code is missing from the list");
        assert_eq!(super::name::<C>(beyond), "unknown");
        assert_eq!(super::name::<C>(0), "");
        assert!(!is_known::<C>(0) && !is_known::<C>(-1) && parse::<C>("").is_none());
    }

    /// The lists are those of the protocol buffers, all of them.
    #[test]
    fn every_list_of_the_records_is_here_with_the_names_of_the_protocol_buffers() {
        let mut here = every_list();
        let proto = include_str!("../../../../proto/proto/tutti/v1/record.proto");
        let enums = proto.lines().filter_map(|line| line.strip_prefix("enum ")?.strip_suffix(" {"));
        let mut there: Vec<&str> = enums.collect();
        here.sort_unstable();
        there.sort_unstable();
        assert_eq!(here, there);
    }
}
