//! The desk of a member: optional, for people, and in one form.

use super::*;
use crate::limits::{DESK_BYTES_MAX, NOTE_BYTES_MAX};

fn desk() -> Desk {
    Desk {
        name: "Migration desk, national headquarters".into(),
        telephone: "+63 2 8790 2300".into(),
        email: "migration.desk@ph.example.org".into(),
        other: String::new(),
        hours: "Mon to Fri 8:00 to 17:00 (UTC+8)".into(),
        languages: "English, Filipino, العربية".into(),
    }
}

fn with_desk(founder: &Founder, desk: Desk) -> Card {
    let member = Member { desk: Some(desk), ..founder.member() };
    Card::open(&Card::sign(FEDERATION, member, &founder.root).unwrap()).unwrap()
}

/// It comes in by the society's own card, as everything else that it says of itself.
#[test]
fn a_desk_goes_from_the_card_into_the_roster_and_changes_with_the_next() {
    let founders = founders(&["ph", "sg"]);
    let cards = [with_desk(&founders[0], desk()), founders[1].card()];
    let mut draft = Draft::found(&cards, 2, "2028-12-31", TIMES).unwrap();
    for founder in &founders {
        draft.sign(&founder.root).unwrap();
    }
    let first = Roster::open_first(&draft.to_bytes()).unwrap();
    assert_eq!(first.members()[0].desk, Some(desk()));
    assert_eq!(first.members()[1].desk, None);
    let text = text_of(first.document());
    assert_eq!(text.matches("\"desk\"").count(), 1, "left out where there is none");
    let lines = "\n      \"desk\": {\n        \"name\": \"Migration desk, national headquarters\",\n        \
                 \"telephone\": \"+63 2 8790 2300\",\n        \
                 \"email\": \"migration.desk@ph.example.org\",\n        \"other\": \"\",\n        \
                 \"hours\": \"Mon to Fri 8:00 to 17:00 (UTC+8)\",\n        \
                 \"languages\": \"English, Filipino, العربية\"\n      }\n    },";
    assert!(text.contains(lines), "{text}");

    // Another one, and none any more.
    let moved = Desk { telephone: "+63 2 8790 2399".into(), ..desk() };
    let change = |desk: Option<Desk>| {
        let mut next = Draft::succeed(&first, |d| d.members[0].desk = desk).unwrap();
        for founder in &founders {
            next.sign(&founder.root).unwrap();
        }
        Roster::open_next(&first, &next.to_bytes()).unwrap()
    };
    assert_eq!(change(Some(moved.clone())).members()[0].desk, Some(moved));
    assert_eq!(change(None).members()[0].desk, None);
}

/// What was signed before there were desks reads as before, to the byte.
#[test]
fn a_roster_without_desks_is_what_it_was() {
    let roster = found(&founders(&["ph", "sg"]));
    let text = text_of(roster.document());
    assert!(!text.contains("desk"));
    assert!(roster.as_bytes().starts_with(text.as_bytes()));
    assert!(text.ends_with("\"\n    }\n  ]\n}\n"), "the last line of a member is its routing key");
}

#[test]
fn a_desk_names_an_office_and_a_way_to_reach_it_in_lines_that_are_safe_to_show() {
    assert_eq!(desk().check(), Ok(()));
    let only = |way: fn(&mut Desk) -> &mut String| {
        let mut desk = Desk { name: "Desk".into(), ..Desk::default() };
        *way(&mut desk) = "x".into();
        desk.check()
    };
    assert_eq!(only(|desk| &mut desk.telephone), Ok(()));
    assert_eq!(only(|desk| &mut desk.email), Ok(()));
    assert_eq!(only(|desk| &mut desk.other), Ok(()));
    assert_eq!(only(|desk| &mut desk.hours).unwrap_err().field, "telephone");
    assert!(Desk::default().is_empty() && !desk().is_empty());

    let founder = Founder::new("ph", 1);
    let first = found(&founders(&["ph", "sg"]));
    let refused = |field: &'static str, line: &str| {
        let mut desk = desk();
        *desk.line_mut(field).unwrap() = line.into();
        assert_eq!(desk.check().unwrap_err().field, field, "{line:?}");
        let member = Member { desk: Some(desk.clone()), ..founder.member() };
        let error = Card::sign(FEDERATION, member, &founder.root).unwrap_err().to_string();
        assert!(error.starts_with(&format!("ph: desk.{field}: ")), "{error}");
        // Nor by a roster that others make.
        assert!(Draft::succeed(&first, |d| d.members[0].desk = Some(desk)).is_err(), "{line:?}");
    };
    for field in Desk::FIELDS {
        for line in [" x", "x ", "a\nb", "a\u{1b}[31mb", "a\u{202e}b", "a\u{7f}", &"x".repeat(101)]
        {
            refused(field, line);
        }
    }
    refused("name", "");
    assert_eq!(desk().line_mut("fax"), None);
}

/// What it takes of a roster is bounded, in whatever script.
#[test]
fn all_lines_of_a_desk_together_have_a_limit() {
    let long = |letter: &str, count: usize| Desk {
        name: "Desk".into(),
        telephone: "1".into(),
        other: letter.repeat(count.min(100)),
        hours: letter.repeat(count.saturating_sub(100).min(100)),
        languages: letter.repeat(count.saturating_sub(200)),
        ..Desk::default()
    };
    // 5 bytes besides.
    assert_eq!(long("x", 300).check(), Ok(()));
    assert_eq!(long("ม", 105).check(), Ok(()));
    let error = long("ม", 106).check().unwrap_err();
    assert!(error.problem.contains("320"), "{error}");
    let filled = Desk { email: "y".repeat(16), ..long("x", 300) };
    assert!(filled.check().is_err());
}

/// A society in each of 191 countries, each with as long a desk as may be.
#[test]
fn a_federation_of_all_countries_still_fits_into_one_note_with_its_desks() {
    let longest = Desk {
        name: "n".repeat(100),
        telephone: "t".repeat(100),
        email: "e".repeat(100),
        other: "o".repeat(20),
        ..Desk::default()
    };
    assert_eq!(longest.check(), Ok(()));
    let (two, three) = (found(&founders(&["ph", "sg"])), found(&founders(&["ph", "qa", "sg"])));
    let bytes = |document: &Document| text_of(document).len();
    let member = bytes(three.document()) - bytes(two.document());
    let listed = Draft::succeed(&three, |d| d.members[0].desk = Some(longest)).unwrap();
    let bare = Draft::succeed(&three, |d| d.threshold = 1).unwrap();
    let desk = bytes(listed.document()) - bytes(bare.document());
    assert!(desk > DESK_BYTES_MAX);
    // A hundred signatures at most, of some 120 bytes each.
    let note = 191 * (member + desk) + 100 * 150;
    assert!(note < NOTE_BYTES_MAX, "{member} and {desk}: {note}");
}
