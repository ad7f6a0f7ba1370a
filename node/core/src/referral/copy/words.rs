//! What codes and fields are called to the person whom they are about.

/// A code as words: `food_nutrition` is "food nutrition".
pub(super) fn plain(code: &str) -> String {
    match code {
        "mhpss" => "support for mind and soul".into(),
        "nfi" => "things for everyday life".into(),
        "wash" => "water and hygiene".into(),
        "gbv" => "help after violence".into(),
        "gbv_survivor" => "violence that you lived through".into(),
        "rfl_tracing" => "looking for somebody of your family".into(),
        "dead_missing" => "somebody who is missing or has died".into(),
        "authorities" => "the authorities".into(),
        "employer" => "your employer".into(),
        "family" => "your family".into(),
        code => code.replace('_', " "),
    }
}

/// A field of the case, as `CONTENT_FIELDS` has it.
pub(super) fn label(field: &str) -> &'static str {
    match field {
        "case_code" => "Number of your file",
        "person.name" => "Name",
        "person.sex" => "Sex or gender",
        "person.age" => "Age",
        "person.nationality" => "Nationality",
        "person.languages" => "Languages",
        "person.interpreter_needed" => "Interpreter needed",
        "person.disability" => "What you need because of a disability",
        "person.safe_contact" => "How to reach you safely",
        "person.safe_contact_times" => "When to reach you safely",
        "person.caregiver" => "Who cares for you",
        "person.separated_or_unaccompanied" => "A child without its parents",
        "person.dependants" => "Who depends on you",
        "reason" => "What has happened",
        "risk" => "What to be careful about",
        "services_already_provided" => "What was done for you",
        "focal_point" => "Whom to ask",
        _ => "Something else",
    }
}

/// What allows data to be passed on.
pub(super) fn basis(code: &str) -> &'static str {
    match code {
        "consent" => "You agreed to it",
        "vital_interest" => "A life or somebody's health was at stake",
        "public_interest" => "The common good asked for it",
        "legitimate_interest" => "The society's task of helping you",
        "legal_obligation" => "A law asks for it",
        "contract" => "An agreement with you",
        _ => "",
    }
}

/// Why it went beyond what the person agreed to. Two people of the society have decided that.
pub(super) fn overriding(code: &str) -> &'static str {
    match code {
        "life_at_risk" => "Two people of the society decided so: your life was at risk",
        "cannot_consent" => "Two people of the society decided so: you could not be asked",
        "child_best_interest" => "Two people of the society decided so, for the good of a child",
        "serious_harm_to_others" => {
            "Two people of the society decided so: others were in serious danger"
        }
        "consent_unobtainable" => "Two people of the society decided so: you could not be reached",
        "legal_duty" => "Two people of the society decided so: a law asks for it",
        _ => "Two people of the society decided so",
    }
}

/// Who agreed.
pub(super) fn giver(code: &str) -> &'static str {
    match code {
        "person" => "You",
        "caregiver" => "Who cares for you",
        "guardian" => "Your guardian",
        _ => "",
    }
}

/// A span of years.
pub(super) fn age(code: &str) -> String {
    code.replace('_', " ")
}
