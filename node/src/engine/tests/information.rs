use tutti_core::{
    entry::Visibility,
    information::{InformationId, form},
};

use super::*;

pub(super) fn version(title: &str) -> Box<v1::InformationVersion> {
    let form: form::InformationForm = toml::from_str(form::template()).unwrap();
    let mut version = form.to_messages().unwrap().1;
    version.texts[0].title = title.into();
    Box::new(version)
}

fn listed(node: &Node, request: api::ListInformationRequest) -> usize {
    node.shares(&Actor::node(), &request).unwrap().shares.len()
}

#[test]
fn a_share_is_published_revised_and_retracted_for_all_members() {
    let federation = federation();
    let [mut qa, mut ph] = ["qa", "ph"].map(|code| node(&federation, code));
    let visibility = Visibility::Federation;
    let published =
        one(&mut qa, Write::Publish { key: [1; 16], visibility, version: version("one") }).unwrap();
    let id = InformationId::from_bytes(published.id);
    pass(&qa, &mut ph);
    let request = api::GetInformationRequest { id: id.to_string() };
    let share = ph.share(&Actor::node(), &request).unwrap();
    assert_eq!(share, qa.share(&Actor::node(), &request).unwrap());
    assert_eq!((share.society.as_str(), share.version_number), ("qa", 1));
    assert_eq!(share.state(), api::InformationState::Published);
    assert_eq!(share.visibility(), v1::Visibility::Federation);
    assert_eq!(share.version.unwrap().texts[0].title, "one");

    // It is not sealed: its digest is salted, so that it says nothing once the body was erased.
    let entries = ph.entries(&Actor::node(), &origin("qa"), 0, 10).unwrap();
    assert_eq!(entries[0].summary, format!("information {id} published"));
    assert_eq!(entries[0].content_state(), api::BodyState::Unspecified);

    let revised = Write::Revise { key: [2; 16], id, version: version("two") };
    assert!(matches!(one(&mut ph, revised.clone()), Err(Refused::NotAllowed(_))));
    one(&mut qa, revised).unwrap();
    pass(&qa, &mut ph);
    let share = ph.share(&Actor::node(), &request).unwrap();
    assert_eq!((share.state(), share.version_number), (api::InformationState::Revised, 2));
    assert_eq!(share.version.unwrap().texts[0].title, "two");
    let all = api::ListInformationRequest::default;
    assert_eq!(listed(&ph, all()), 1);
    assert_eq!(listed(&ph, api::ListInformationRequest { country: "qa".into(), ..all() }), 1);
    assert_eq!(listed(&ph, api::ListInformationRequest { country: "my".into(), ..all() }), 0);
    assert_eq!(listed(&ph, api::ListInformationRequest { society: "ph".into(), ..all() }), 0);
    let kind = v1::InformationKind::Report as i32;
    assert_eq!(listed(&ph, api::ListInformationRequest { kind, ..all() }), 0);

    let reason = "the decree was withdrawn".to_string();
    one(&mut qa, Write::Retract { key: [3; 16], id, reason: reason.clone() }).unwrap();
    pass(&qa, &mut ph);
    let share = ph.share(&Actor::node(), &request).unwrap();
    assert_eq!(
        (share.state(), share.retraction_reason),
        (api::InformationState::Retracted, reason)
    );
    assert_eq!(listed(&ph, all()), 0);
    assert_eq!(listed(&ph, api::ListInformationRequest { with_retracted: true, ..all() }), 1);
    let late = Write::Revise { key: [4; 16], id, version: version("three") };
    assert!(matches!(one(&mut qa, late), Err(Refused::State(_))));
    let unknown = InformationId::from_bytes([9; 16]);
    let nothing = Write::Retract { key: [5; 16], id: unknown, reason: "x".into() };
    assert!(matches!(one(&mut qa, nothing), Err(Refused::NotFound(_))));
    let again = restarted(&federation, &ph, "ph");
    assert_eq!(
        again.share(&Actor::node(), &request).unwrap(),
        ph.share(&Actor::node(), &request).unwrap()
    );
}

#[test]
fn what_does_not_fit_a_body_is_refused_before_anything_is_written() {
    let federation = federation();
    let mut qa = node(&federation, "qa");
    let mut long = version("long");
    let text = "ح".repeat(tutti_core::limits::TEXT_CHARS_MAX);
    long.texts = (0..40u8)
        .map(|n| v1::LocalText {
            language: format!("a{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26)),
            title: "t".into(),
            summary: String::new(),
            text: text.clone(),
        })
        .collect();
    let write = Write::Publish { key: [1; 16], visibility: Visibility::Public, version: long };
    let refused = one(&mut qa, write).unwrap_err();
    assert!(matches!(&refused, Refused::Invalid(text) if text.contains("Shorten")), "{refused}");
    assert_eq!(qa.store.tree(&origin("qa")).size(), 0);
}
