//! Working groups: names for some of the members.

use super::*;

/// A working group is a name for some members, and nothing else in the roster rests on it.
#[test]
fn groups_are_of_members_and_may_be_left_out() {
    let founders = founders(&["ph", "qa", "sg"]);
    let group = |name: &str, members: &[&str]| Group {
        name: name.into(),
        members: members.iter().map(|code| code.parse().unwrap()).collect(),
    };
    let without = draft(&founders);
    assert!(!text_of(without.document()).contains("groups"));
    let all = vec![group("steering", &["sg", "ph"]), group("asia", &["ph"])];
    let mut with = draft(&founders).with_groups(all).unwrap();
    let names: Vec<&str> = with.document().groups.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["asia", "steering"]);
    for founder in &founders {
        with.sign(&founder.root).unwrap();
    }
    let roster = Roster::open_first(&with.to_bytes()).unwrap();
    assert_eq!(roster.groups()[1], group("steering", &["ph", "sg"]));
    let long = "a".repeat(65);
    for wrong in [
        vec![group("a", &["my"])],
        vec![group("a", &[])],
        vec![group("a", &["ph", "ph"])],
        vec![group("a", &["ph"]), group("a", &["sg"])],
        vec![group("-a", &["ph"])],
        vec![group("A", &["ph"])],
        vec![group("", &["ph"])],
        vec![group(&long, &["ph"])],
    ] {
        let refused = draft(&founders).with_groups(wrong.clone());
        assert!(matches!(refused, Err(RosterError::Field { .. })), "{wrong:?}");
    }
}
