//! What is long comes in several answers, each of which a client takes that nobody told otherwise.

use super::*;

/// The largest text there may be: so many characters of four bytes.
fn long() -> String {
    "𐍈".repeat(tutti_core::limits::TEXT_CHARS_MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_case_and_a_list_of_long_shares_come_in_several_answers() {
    let mut federation = Federation::found(&["sg", "ph"], &[]);
    let sg = Node::start(&mut federation, "sg").await;
    let mut shares = InformationClient::new(sg.operator.clone());
    let mut published = Vec::new();
    for n in 1..=6u8 {
        let mut request = share(vec![100 + n; 16]);
        let version = request.version.as_mut().unwrap();
        let text = |n: u8| v1::LocalText {
            language: format!("a{}a", char::from(b'a' + n)),
            title: "a title".into(),
            text: long(),
            ..Default::default()
        };
        version.texts = (0..12).map(text).collect();
        published.push(shares.publish(request).await.unwrap().into_inner().id);
    }
    let titles = api::ListInformationRequest { page_size: 1000, ..Default::default() };
    let listed = shares.list(titles.clone()).await.unwrap().into_inner();
    assert_eq!((listed.shares.len(), listed.next_page_token.as_str()), (6, ""));
    let mut request = api::ListInformationRequest { with_texts: true, ..titles };
    let mut told = Vec::new();
    loop {
        let page = shares.list(request.clone()).await.unwrap().into_inner();
        told.extend(page.shares);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    told.iter().for_each(|share| assert_eq!(share.version.as_ref().unwrap().texts.len(), 12));
    let mut ids: Vec<String> = told.into_iter().map(|share| share.id).collect();
    ids.sort();
    published.sort();
    assert_eq!(ids, published);

    let id = send(&sg.operator, 1, "ph", &["health"]).await;
    let mut referrals = ReferralsClient::new(sg.operator.clone());
    for n in 2..=61u8 {
        let event = Some(v1::Seen { origin: String::new(), index: 6 });
        let correct = v1::Corrected { event, ..Default::default() };
        let request = api::AdvanceReferralRequest {
            idempotency_key: vec![n; 16],
            id: id.clone(),
            note: long(),
            transition: Some(Transition::Correct(correct)),
            ..Default::default()
        };
        referrals.advance(request).await.unwrap();
    }
    let list = api::ListReferralsRequest::default();
    let list = referrals.list(list).await.unwrap().into_inner();
    assert_eq!(list.referrals.len(), 1);
    let mut request = api::GetReferralRequest { id, with_content: true, ..Default::default() };
    let mut notes = 0;
    loop {
        let answer = referrals.get(request.clone()).await.unwrap().into_inner();
        assert!(answer.content.is_some());
        notes += answer.events.iter().filter(|event| event.note == long()).count();
        if answer.events_left == 0 {
            break;
        }
        let first = &answer.events[0];
        request.events_before = format!("{} {}", first.origin, first.index);
    }
    assert_eq!(notes, 60);
    sg.running.stop().await.unwrap();
}
