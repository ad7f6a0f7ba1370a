use super::*;
use crate::society::Society;

fn context(origin: &Origin) -> Context<'_> {
    Context { origin, event_id: [7; 16], version: 0, supersedes: None }
}

fn wrong(refusal: Result<v1::InformationEvent, Refusal>) -> Vec<String> {
    match refusal {
        Err(Refusal::Fields(fields)) => fields.into_iter().map(|field| field.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn publish(
    visibility: Visibility,
    to: &[&str],
    version: v1::InformationVersion,
) -> Result<v1::InformationEvent, Refusal> {
    let parties: Vec<Society> = to.iter().map(|code| code.parse().unwrap()).collect();
    let command = Command::Publish { visibility, parties, version: Box::new(version) };
    decide(None, command, &context(&origin("qa")))
}

#[test]
fn whoever_may_not_is_told_why() {
    let published = book([of("qa", 0, Kind::Published), of("qa", 1, Kind::Revised)]);
    let share = published.get(&id()).unwrap();
    let (qa, ph) = (origin("qa"), origin("ph"));
    let by = |origin, command| decide(Some(share), command, &context(origin));
    let revise = || Command::Revise(Box::new(version()));
    let not_ours = Err(Refusal::NotTheAuthor("qa".parse().unwrap()));
    assert_eq!(by(&ph, revise()), not_ours);
    assert_eq!(decide(None, revise(), &context(&qa)), Err(Refusal::NotFound));
    assert_eq!(by(&qa, Command::Acknowledge), Err(Refusal::OwnShare));
    assert!(by(&qa, revise()).is_ok());
    // The newest version is meant, where none is named.
    let endorsed = by(&ph, Command::Endorse(v1::Endorsed::default())).unwrap();
    assert_eq!(endorsed.about, event_id(1));
    let of_first = Context { version: 1, ..context(&ph) };
    let first = decide(Some(share), Command::Acknowledge, &of_first).unwrap();
    assert_eq!(first.about, [7; 16]);
    let of_third = Context { version: 3, ..context(&ph) };
    assert_eq!(
        decide(Some(share), Command::Acknowledge, &of_third),
        Err(Refusal::NoVersion { versions: 2 })
    );
    let text = || Box::new(v1::LocalText { summary: "s".into(), ..text("t") });
    assert!(by(&ph, Command::Translate(text())).is_ok());
    assert!(by(&qa, Command::Translate(text())).is_ok(), "its author may, too");

    let mut more = published.clone();
    let mut seen = of("ph", 4, Kind::Acknowledged);
    seen.body.about = event_id(1).to_vec();
    more.apply(seen);
    let share = more.get(&id()).unwrap();
    let by = |origin, command| decide(Some(share), command, &context(origin));
    assert_eq!(by(&ph, Command::Acknowledge), Err(Refusal::SaidBefore(Kind::Acknowledged)));
    let at = |index| EventRef { origin: ph.clone(), index };
    assert_eq!(by(&ph, Command::TakeBack(at(9))), Err(Refusal::NothingToTakeBack));
    let taken = by(&ph, Command::TakeBack(at(4))).unwrap();
    let expected = v1::TakenBack { event_id: event_id(4).to_vec() };
    assert_eq!(taken.transition, Some(Transition::TakenBack(expected)));

    more.apply(of("qa", 6, Kind::Retracted));
    let share = more.get(&id()).unwrap();
    let by = |origin, command| decide(Some(share), command, &context(origin));
    assert_eq!(by(&qa, revise()), Err(Refusal::Retracted));
    assert_eq!(by(&ph, Command::Endorse(v1::Endorsed::default())), Err(Refusal::Retracted));
    assert!(by(&ph, Command::Acknowledge).is_ok(), "that it was retracted is news");
}

#[test]
fn a_newer_share_takes_the_place_of_an_older_one_for_all_who_see_that() {
    let federation = book([of("qa", 0, Kind::Published)]);
    let old = federation.get(&id()).unwrap();
    let place_of = |old: &Share, by: &Origin, visibility, to: &[&str]| {
        let parties = to.iter().map(|code| code.parse().unwrap()).collect();
        let command = Command::Publish { visibility, parties, version: Box::new(version()) };
        let context = Context { supersedes: Some(old), event_id: [8; 16], ..context(by) };
        decide(None, command, &context)
    };
    let (qa, ph) = (origin("qa"), origin("ph"));
    let done = place_of(old, &qa, Visibility::Public, &[]).unwrap();
    let Some(Transition::Published(version)) = done.transition else { panic!() };
    assert_eq!(version.supersedes, id().as_bytes());
    let narrower = place_of(old, &qa, Visibility::Federation, &[]);
    assert_eq!(narrower, Err(Refusal::Narrower));
    let not_ours = Err(Refusal::NotTheAuthor("qa".parse().unwrap()));
    assert_eq!(place_of(old, &ph, Visibility::Public, &[]), not_ours);
    let addressed = book([sealed(&["ph", "sg"], of("qa", 0, Kind::Published))]);
    let old = addressed.get(&id()).unwrap();
    assert_eq!(place_of(old, &qa, Visibility::Addressed, &["ph"]), Err(Refusal::Narrower));
    assert!(place_of(old, &qa, Visibility::Addressed, &["sg", "ph"]).is_ok());
    let gone = book([of("qa", 0, Kind::Published), of("qa", 1, Kind::Superseded)]);
    let taken = place_of(gone.get(&id()).unwrap(), &qa, Visibility::Public, &[]);
    assert_eq!(taken, Err(Refusal::Superseded(Some(InformationId::from_bytes([3; 16])))));
}

#[test]
fn every_wrong_field_is_named_at_once() {
    assert!(publish(Visibility::Public, &[], version()).is_ok());
    assert_eq!(
        wrong(publish(Visibility::Addressed, &[], v1::InformationVersion::default())),
        ["addressees", "kind", "texts", "audience", "verification"]
    );
    assert_eq!(wrong(publish(Visibility::Public, &["ph"], version())), ["addressees"]);
    let text = |language: &str, title: &str| v1::LocalText {
        language: language.into(),
        title: title.into(),
        results: "only of a practice".into(),
        ..Default::default()
    };
    let odd = v1::InformationVersion {
        texts: vec![text("en", ""), text("en", "two\nlines")],
        countries: vec!["QA".into()],
        effective_on: "2026-02-30".into(),
        expires_on: "tomorrow".into(),
        source_url: "javascript:alert(1)".into(),
        deadline_on: "2026-01-01".into(),
        amount: "much".into(),
        ..version()
    };
    assert_eq!(
        wrong(publish(Visibility::Public, &[], odd)),
        [
            "texts",
            "texts.1.language",
            "texts.1.title",
            "texts.1.text",
            "texts.1.results",
            "texts.2.language",
            "texts.2.title",
            "texts.2.text",
            "texts.2.results",
            "countries",
            "effective_on",
            "expires_on",
            "source_url",
            "deadline_on",
            "amount",
        ]
    );
    let backwards = v1::InformationVersion { expires_on: "2025-01-01".into(), ..version() };
    assert_eq!(wrong(publish(Visibility::Public, &[], backwards)), ["expires_on"]);
    for bad in
        ["http://", "https:///x", "ftp://a.org", "https://a b.org", "https://a.org/\"x", "//a"]
    {
        let version = v1::InformationVersion { source_url: bad.into(), ..version() };
        assert_eq!(wrong(publish(Visibility::Public, &[], version)), ["source_url"], "{bad}");
    }
    let share = book([of("qa", 0, Kind::Published)]);
    let by =
        |code: &str, command| wrong(decide(share.get(&id()), command, &context(&origin(code))));
    assert_eq!(by("qa", Command::Retract(v1::Retracted { reason: " ".into() })), ["reason"]);
    assert_eq!(by("ph", Command::Dispute(v1::Disputed::default())), ["code", "reason"]);
    let other = v1::ActedOn { code: v1::ActionCode::Other as i32, note: String::new() };
    assert_eq!(by("ph", Command::ActOn(other)), ["note"]);
    let untitled = Command::Translate(Box::default());
    assert_eq!(by("ph", untitled), ["language", "title", "text"]);
}

/// Each kind needs what it cannot be understood without.
#[test]
fn each_kind_has_its_own_fields() {
    use v1::{InformationKind as K, Verification};
    let of = |kind: K| v1::InformationVersion { kind: kind as i32, ..version() };
    let fields = |version| match publish(Visibility::Public, &[], version) {
        Ok(_) => Vec::new(),
        refused => wrong(refused),
    };
    for kind in [K::LegalChange, K::PolicyChange] {
        let version = v1::InformationVersion { countries: vec![], ..of(kind) };
        assert_eq!(fields(version), ["countries"]);
    }
    let alert = v1::InformationVersion { severity: 0, ..of(K::SafetyAlert) };
    assert_eq!(fields(alert), ["severity"]);
    let all =
        ["texts.1.results", "texts.1.how_to_repeat", "texts.2.results", "texts.2.how_to_repeat"];
    assert_eq!(fields(of(K::GoodPractice)), all);
    let chance = v1::InformationVersion {
        deadline_on: "2026-12-31".into(),
        amount: "20,000 a project".into(),
        ..of(K::ResourceOpportunity)
    };
    assert_eq!(fields(chance), Vec::<String>::new());
    let rumour = v1::InformationVersion {
        verification: Verification::Official as i32,
        source_url: String::new(),
        legal_reference: String::new(),
        ..of(K::ContextChange)
    };
    assert_eq!(fields(rumour), ["verification"]);
}

#[test]
fn the_example_can_be_published_and_survives() {
    let form: InformationForm = toml::from_str(example()).unwrap();
    let (readers, version) = form.to_messages().unwrap();
    assert_eq!(readers.visibility, Visibility::Federation);
    publish(readers.visibility, &[], version.clone()).unwrap();
    assert_eq!(InformationForm::from_messages(v1::Visibility::Federation, &[], &version), form);
    let source_url = "javascript:0".into();
    let misspelt =
        InformationForm { kind: "rumour".into(), visibility: "all".into(), source_url, ..form };
    let wrong = misspelt.to_messages().unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(names, ["visibility", "kind", "source_url"]);
}

/// A form that nobody has filled in is refused, each of its lines by name.
#[test]
fn a_template_cannot_be_published() {
    let form: InformationForm = toml::from_str(template()).unwrap();
    let wrong = form.to_messages().unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|f| f.field.as_str()).collect();
    for line in template().lines().filter(|line| !line.starts_with('#') && line.contains('<')) {
        let name = line.split(' ').next().unwrap();
        let named = names.iter().any(|wrong| wrong.split('.').next_back() == Some(name));
        assert!(named, "{name} is not refused: {names:?}");
    }
    let text: form::TextForm = toml::from_str(translation_template()).unwrap();
    let published = book([of("qa", 0, Kind::Published)]);
    let command = Command::Translate(Box::new(text.to_message()));
    let refused = decide(published.get(&id()), command, &context(&origin("ph")));
    assert_eq!(super::deciding::wrong(refused), ["language", "title", "summary", "text"]);
}
