//! Forms that people fill in (TOML) and programs write (JSON), and what is said of wrong ones.
//!
//! Whatever is wrong is told at once: what stands in the wrong place or is of the wrong kind
//! together with what the form's own rules find. Invariant: nothing of what somebody wrote is ever
//! repeated, no unknown name of a field either: that is somebody's case.

mod fit;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tutti_core::{
    fields::FieldError,
    information::form::{InformationForm, TextForm},
    referral::form::{ConsentForm, ContentForm, ReferralForm},
};

use crate::failure::{Exit, Failure};

/// A form with its explanations takes a few KiB; texts in several languages some more.
pub(crate) const FORM_BYTES_MAX: usize = 1024 * 1024;

/// A form that can be checked field by field.
pub(crate) trait Form: DeserializeOwned {
    /// Every field, with a value of its kind; an empty list is one of texts.
    fn shape() -> serde_json::Result<Value>;
}

impl Form for ReferralForm {
    fn shape() -> serde_json::Result<Value> {
        serde_json::to_value(Self {
            information_disclosed: vec![String::new()],
            // What may be left out is not written where it is empty.
            override_reason: "…".into(),
            consent: Some(ConsentForm { witness: "…".into(), ..ConsentForm::default() }),
            content: Some(ContentForm::default()),
            ..Self::default()
        })
    }
}

impl Form for InformationForm {
    fn shape() -> serde_json::Result<Value> {
        // What may be left out is not written where it is empty.
        let text = || "…".to_owned();
        serde_json::to_value(Self {
            texts: vec![text_shape()],
            addressees: vec![String::new()],
            group: text(),
            deadline_on: text(),
            amount: text(),
            ..Self::default()
        })
    }
}

impl Form for TextForm {
    fn shape() -> serde_json::Result<Value> {
        serde_json::to_value(text_shape())
    }
}

fn text_shape() -> TextForm {
    let text = || "…".to_owned();
    TextForm { results: text(), how_to_repeat: text(), ..TextForm::default() }
}

/// A form as far as it can be read, and what cannot.
pub(crate) struct Read<F> {
    /// Without what is of the wrong kind.
    pub(crate) form: F,
    wrong: Vec<FieldError>,
}

impl<F> Read<F> {
    /// What the form comes to; or everything that is wrong, what could not be read first.
    pub(crate) fn checked<T>(
        &self,
        file: &Path,
        check: impl FnOnce(&F) -> Result<T, Vec<FieldError>>,
    ) -> Result<T, Failure> {
        let more = match check(&self.form) {
            Ok(checked) if self.wrong.is_empty() => return Ok(checked),
            Ok(_) => Vec::new(),
            Err(more) => more,
        };
        let named = |field: &str| self.wrong.iter().any(|error| error.field == field);
        let more = more.into_iter().filter(|error| !named(&error.field));
        let wrong: Vec<FieldError> = self.wrong.iter().cloned().chain(more).collect();
        let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let lines = lines.join("\n");
        Err(nothing_sent(format!("{} is not right yet:\n{lines}", file.display()))
            .todo("correct these, then send it again"))
    }
}

/// Reads a form; JSON where it begins with a brace.
///
/// # Errors
/// Where it is neither TOML nor JSON; with its line, and never with what stands there.
pub(crate) fn parse<F: Form>(file: &Path, text: &str) -> Result<Read<F>, Failure> {
    let internal = |error: serde_json::Error| Failure::new(Exit::Internal, error.to_string());
    let read = match text.trim_start().starts_with('{') {
        true => fit::json(text),
        false => fit::toml(text),
    };
    let read = read.map_err(|(line, problem)| {
        let what = format!("{} cannot be read: line {line}: {problem}", file.display());
        nothing_sent(what).todo("correct that line; `template` shows the form")
    })?;
    let mut wrong = Vec::new();
    let fitting = fit::fit(&F::shape().map_err(internal)?, read, "", &mut wrong);
    let form = serde_json::from_value(fitting.unwrap_or_default()).map_err(internal)?;
    Ok(Read { form, wrong })
}

fn nothing_sent(what: String) -> Failure {
    Failure::new(Exit::Refused, what).kept("nothing was sent, and the form is as it was")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tutti_core::referral::form::example;

    #[test]
    fn a_form_that_cannot_be_read_is_not_repeated() {
        let canary = "Maria expected Santos";
        let fine = example();
        let json = |value: &str| format!("{{\n\"receiver\": \"ph\",\n{value}}}");
        let forms = [
            format!("{fine}\nsurname = \"{canary}\"\n"),
            format!("{fine}\n{canary}\n"),
            format!("{fine}\nx = \"{canary}\n"),
            format!("services_requested = \"{canary}\"\n"),
            format!("services_requested = [\"{canary}\", 3]\n"),
            format!("\"{canary}\" = 1\n"),
            format!("\"{canary}\" = 1\n\"{canary}\" = 1\n"),
            format!("[content.person]\nage = \"{canary}\"\n"),
            format!("[content.person]\nage = 1979 {canary}\n"),
            format!("[content]\nperson = \"{canary}\"\n"),
            json(&format!("\"content\": {{\"person\": \"{canary}\"}}")),
            json(&format!("\"{canary}\": 1")),
            json(&format!("\"stage\": [\"{canary}\"]")),
            json(&format!("\"stage\": \"{canary}")),
            json(&format!("\"stage\": {canary}")),
        ];
        for form in forms {
            let said = refused(&form);
            assert!(!said.contains("Maria") && !said.contains("Santos"), "{said}");
            let place = ["line ", "stage: ", "content.person: ", "the form: "];
            assert!(place.iter().any(|place| said.contains(place)), "{said}");
        }
    }

    /// What is said of a form that is not sent.
    fn refused(form: &str) -> String {
        let file = Path::new("case.toml");
        let read = parse::<ReferralForm>(file, form);
        let checked = read.and_then(|read| read.checked(file, ReferralForm::to_send));
        checked.err().unwrap_or_else(|| panic!("{form} was taken")).to_string()
    }

    /// Every field of every form is one that can be filled in, also those that may be left out.
    #[test]
    fn what_may_be_left_out_is_a_field_all_the_same() {
        let file = Path::new("case.toml");
        let against = example()
            .replace("legal_basis = \"consent\"", "legal_basis = \"vital_interest\"")
            .replace("status = \"given\"", "status = \"refused\"")
            .replace("purpose = ", "override_reason = \"life_at_risk\"\npurpose = ");
        let read = parse::<ReferralForm>(file, &against).unwrap();
        let (sent, _) = read.checked(file, ReferralForm::to_send).unwrap();
        assert!(sent.consent_override.is_some());
        let share = tutti_core::information::form::example()
            .replace("\"federation\"", "\"addressed\"\naddressees = [\"ph\"]\ngroup = \"steering\"")
            .replace("legal_change", "resource_opportunity")
            .replacen("\n[[texts]]", "deadline_on = \"2027-01-31\"\namount = \"5\"\n[[texts]]", 1);
        let read = parse::<InformationForm>(file, &share).unwrap();
        assert!(read.wrong.is_empty(), "{:?}", read.wrong);
        let (readers, version) = read.checked(file, InformationForm::to_messages).unwrap();
        assert_eq!((readers.group.as_str(), readers.addressees.len()), ("steering", 1));
        assert_eq!((version.deadline_on.as_str(), version.amount.as_str()), ("2027-01-31", "5"));
        let text = "language = \"hin\"\ntitle = \"t\"\ntext = \"t\"\nresults = \"r\"\nhow_to_repeat = \"h\"";
        let read = parse::<TextForm>(file, text).unwrap();
        assert!(read.wrong.is_empty() && read.form.how_to_repeat == "h", "{:?}", read.wrong);
    }

    #[test]
    fn lines_of_the_wrong_kind_are_told_together_with_all_the_rest() {
        let form = example()
            .replace("age = 34", "age = \"thirty-four\"\nfavourite_colour = \"green\"")
            .replace("interpreter = true", "interpreter = \"yes\"")
            .replace("recipients = [\"ph\"]", "recipients = \"ph\"")
            .replace("services_provided = [\"health\", \"first_aid\"]", "services_provided = [1]")
            .replace("explained_on = \"2025-11-03\"", "explained_on = 2025-11-03")
            .replace("priority = \"urgent\"", "priority = \"at once\"");
        let said = refused(&form);
        for line in [
            "content.person.age: is a text; a whole number is expected (line ",
            "consent.interpreter: is a text; true or false is expected (line ",
            "consent.recipients: is a text; a list is expected, such as [\"…\"] (line ",
            "services_provided: holds a number; a text in quotes is expected (line ",
            "priority: is not in the list; allowed: emergency, urgent, normal",
            ": is no field of the form, or stands under the wrong heading",
        ] {
            assert!(said.contains(line), "{line:?} is not in:\n{said}");
        }
        // A date without quotes is as good as one with them; what was taken out is not missing, too.
        assert!(!said.contains("explained_on") && !said.contains("is missing"), "{said}");
        assert!(!said.contains("favourite") && !said.contains("green"), "{said}");
        let json = serde_json::json!({"stage": 3, "content": {"person": {"age": -1}, "x": 1}});
        let said = refused(&json.to_string());
        for line in [
            "stage: is a number; a text in quotes is expected\n",
            "content.person.age: is no whole number that may stand there\n",
            "content: holds what is no field of the form\n",
            "receiver: is not a society",
        ] {
            assert!(said.contains(line), "{line:?} is not in:\n{said}");
        }
    }
}
