use super::{
    form::{ReferralForm, example, template},
    *,
};

fn filled() -> ReferralForm {
    toml::from_str(example()).unwrap()
}

#[test]
fn the_example_can_be_sent() {
    let (sent, content) = filled().to_messages().unwrap();
    let from = origin("sg");
    let context = Context {
        origin: &from,
        event_id: [7; 16],
        now_ms: NOW_MS,
        note: "",
        duplicate: None,
        onward_of: None,
        rules: &RULES,
    };
    let command = Command::Send { sent: Box::new(sent), content: Box::new(content) };
    decide(None, command, &context).unwrap();
}

/// Whoever sends the form as it was given, or half filled in, is told of every line.
#[test]
fn the_template_is_refused_line_by_line() {
    let form: ReferralForm = toml::from_str(template()).unwrap();
    let wrong = form.to_messages().unwrap_err();
    let named = |field: &str| wrong.iter().any(|error| error.field == field);
    let lines = template().lines().filter(|line| line.contains('<') && !line.starts_with('#'));
    let mut count = 0;
    let mut table = String::new();
    for line in template().lines() {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => table = format!("{name}."),
            None => {
                let Some((key, value)) = line.split_once(" = ") else { continue };
                if !line.starts_with('#') && (value.contains('<') || value == "\"\"\"") {
                    let field = format!("{table}{key}");
                    assert!(named(&field), "{field} is not named: {wrong:?}");
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, lines.count());
    for error in &wrong {
        let code = template().contains(&format!("\n{} = \"<p", error.field));
        assert!(!code || !error.allowed.is_empty(), "{error}");
    }
    assert!(wrong.iter().all(|error| !error.to_string().contains('<')));
}

/// What the template explains is what can be filled in: every code of every list that it shows.
#[test]
fn the_template_lists_every_code_and_field() {
    let words: std::collections::BTreeSet<&str> =
        template().split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').collect();
    let mut names: Vec<&str> = FIELDS.to_vec();
    names.extend(<v1::ServiceCategory as codes::Code>::NAMES);
    names.extend(<v1::Vulnerability as codes::Code>::NAMES);
    names.extend(<v1::Priority as codes::Code>::NAMES);
    names.extend(<v1::JourneyStage as codes::Code>::NAMES);
    names.extend(<v1::AgeBand as codes::Code>::NAMES);
    names.extend(<v1::Sex as codes::Code>::NAMES);
    names.extend(<v1::Purpose as codes::Code>::NAMES);
    names.extend(<v1::LegalBasis as codes::Code>::NAMES);
    names.extend(<v1::Restriction as codes::Code>::NAMES);
    names.extend(<v1::ConsentStatus as codes::Code>::NAMES);
    names.extend(<v1::ConsentForm as codes::Code>::NAMES);
    names.extend(<v1::ConsentGiver as codes::Code>::NAMES);
    for name in names {
        let at_end_of_sentence = format!("{name}.");
        assert!(words.contains(name) || words.contains(at_end_of_sentence.as_str()), "{name}");
    }
}

#[test]
fn a_form_survives_the_way_there_and_back() {
    let form = filled();
    let (sent, content) = form.to_messages().unwrap();
    let shown = ReferralForm::from_messages(&sent, Some(&content));
    let again: ReferralForm =
        serde_json::from_str(&serde_json::to_string(&shown).unwrap()).unwrap();
    assert_eq!(again, shown);
    assert_eq!(again.to_messages().unwrap(), (sent.clone(), content));
    assert_eq!(shown.consent, form.consent);
    // Without the content nothing of the person is there.
    let json = serde_json::to_string(&ReferralForm::from_messages(&sent, None)).unwrap();
    assert!(!json.contains("Jose") && !json.contains("\"content\""), "{json}");
}

/// Who was there is somebody's name: it is told where the person is, and nowhere in the record.
#[test]
fn who_was_there_when_the_person_agreed_is_kept_with_the_case() {
    let mut form = filled();
    form.consent.as_mut().unwrap().witness = " Nurse Reyes, ward 12 ".into();
    let (sent, content) = form.to_send().unwrap();
    assert_eq!(content.consent_witness, "Nurse Reyes, ward 12");
    assert!(disclosed(&content).contains(&"consent_witness".into()));
    let shown = ReferralForm::from_messages(&sent, Some(&content));
    assert_eq!(shown.witness(), "Nurse Reyes, ward 12");
    let record = serde_json::to_string(&ReferralForm::from_messages(&sent, None)).unwrap();
    assert!(!record.contains("Reyes") && record.contains("\"witnessed\":true"), "{record}");
    // Named, and nobody was there.
    form.consent.as_mut().unwrap().witnessed = false;
    let wrong = form.to_send().unwrap_err();
    let wrong: Vec<&str> = wrong.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(wrong, ["consent.witness"]);
}

#[test]
fn every_name_that_is_in_no_list_is_told_at_once() {
    let text = example()
        .replace("priority = \"urgent\"", "priority = \"at once\"")
        .replace("\"health\", \"first_aid\"", "\"health\", \"magic\"")
        .replace("explained_on = \"2025-11-03\"", "explained_on = \"2025-02-30\"")
        .replace("country_of_stay = \"sg\"", "country_of_stay = \"Singapore\"")
        .replace("age = 34", "age = 340");
    let form: ReferralForm = toml::from_str(&text).unwrap();
    let wrong = form.to_messages().unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|field| field.field.as_str()).collect();
    let all = [
        "priority",
        "services_provided",
        "consent.explained_on",
        "country_of_stay",
        "content.person.age",
    ];
    assert_eq!(names, all);
    assert_eq!(wrong[0].allowed, ["emergency", "urgent", "normal"]);
    // Nothing that was typed in is repeated.
    assert!(wrong.iter().all(|field| !field.to_string().contains("magic")));
    let misspelt = example().replace("[content.person]\nname", "[content.person]\nnmae");
    let error = toml::from_str::<ReferralForm>(&misspelt).unwrap_err().to_string();
    assert!(error.contains("nmae"), "{error}");
}
