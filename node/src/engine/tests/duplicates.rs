//! A case that is referred a second time while the first referral is open: who hears of it, and what.

use tutti_core::people::Role;

use super::{approvals::person, *};
use crate::engine::Order;

/// The template's referral of a case with that code, as somebody sends it.
fn refer(node: &mut Node, by: &Actor, key: u8, code: &str) -> Result<Receipt, Refused> {
    let Write::Send { key, sent, mut content } = send(key) else { panic!() };
    content.case_code = code.into();
    let write = Write::Send { key, sent, content };
    node.write_all(vec![Order { by: by.clone(), write, draft: None }], NOW_MS).remove(0)
}

/// Every alert: what, about whom, and the referral that it names.
fn alerts(node: &Node) -> Vec<(String, String, String)> {
    let told = |shown: crate::local::Shown| match shown.event {
        v1::local_record::Event::Alert(alert) => {
            (alert.what, alert.pseudonym, hex::encode(alert.referral))
        }
        other => panic!("{other:?}"),
    };
    node.local.shown(true, 100).into_iter().map(told).collect()
}

#[test]
fn who_does_not_see_the_first_hears_neither_which_nor_whose_and_the_focal_point_is_told() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let rosa = person(&mut sg, "rosa", &[Role::Caseworker]);
    let focal = person(&mut sg, "focal", &[Role::FocalPoint]);
    let first = id_of(&refer(&mut sg, &maria, 1, "C-12").unwrap());
    let size = sg.store.tree(&origin("sg")).size();

    // Whose it is, and who sees all cases, are told which.
    for (key, by, code) in [(2, &maria, "c 12"), (3, &focal, "Ｃ–１２")] {
        let refused = refer(&mut sg, by, key, code).unwrap_err();
        assert!(matches!(&refused, Refused::State(text) if text.contains(&first.to_string())));
    }
    assert_eq!(alerts(&sg), []);
    // A colleague is not, however the code is written; each try is told.
    for (key, code) in [(4, "C-12"), (5, " c_12 "), (4, "C-12")] {
        let refused = refer(&mut sg, &rosa, key, code).unwrap_err();
        assert!(matches!(&refused, Refused::OpenAtColleague(id) if *id == first));
        let text = refused.to_string();
        for word in [&first.to_string()[..8], "maria", maria.pseudonym(), "12"] {
            assert!(!text.contains(word), "{text}");
        }
        let status = tonic::Status::from(refused);
        assert_eq!((status.message(), status.code()), (&*text, tonic::Code::FailedPrecondition));
        assert!(status.details().is_empty() && status.metadata().is_empty());
    }
    let told = ("duplicate_refused".to_owned(), rosa.pseudonym().to_owned(), first.to_string());
    assert_eq!(alerts(&sg), vec![told; 3]);
    assert_eq!(sg.store.tree(&origin("sg")).size(), size, "nothing was written");
    // Another code, another person; and when the first is over, the same.
    refer(&mut sg, &rosa, 6, "C-1-2").unwrap();
    one(&mut sg, advance(7, first, withdraw(), "")).unwrap();
    refer(&mut sg, &rosa, 8, "C-12").unwrap();
    assert_eq!(alerts(&sg).len(), 3);
}
