#![allow(clippy::unwrap_used)]
use super::*;

/// Who may do what is read by auditors: a change of it must be seen in a review.
#[test]
fn the_table_is_frozen() {
    let mut table = String::new();
    for role in Role::ALL.iter().copied() {
        for relation in Relation::ALL.iter().copied() {
            for action in Action::ALL.iter().copied() {
                let verdict = may(role, relation, action);
                if verdict != Verdict::Deny {
                    table += &format!("{role} + {relation} + {action} = {verdict}\n");
                }
            }
        }
    }
    let frozen = include_str!("table.txt");
    assert!(table == frozen, "the table is now\n{table}");
}

/// The doc comment of `may` is the same table: it is what people read.
#[test]
fn the_documented_table_is_the_one_that_runs() {
    let source = include_str!("may.rs");
    let relations = [Relation::Own, Relation::Triage, Relation::TriageRfl, Relation::Other];
    let mut documented = BTreeSet::new();
    for row in source.lines().filter_map(|line| line.strip_prefix("/// | ")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let roles: Vec<Role> = match cells[0] {
            "everybody" => Role::ALL.to_vec(),
            names => match names.split(", ").map(Role::parse).collect() {
                Some(roles) => roles,
                None => continue,
            },
        };
        let columns: Vec<(Relation, &str)> = match cells.len() {
            3 => vec![(Relation::Nothing, cells[1])],
            _ => relations.into_iter().zip(cells[1..].iter().copied()).collect(),
        };
        for (relation, cell) in columns.into_iter().filter(|(_, cell)| *cell != "-") {
            for item in cell.split(", ") {
                let (name, verdict) = match item.strip_suffix(" by glass") {
                    Some(name) => (name, Verdict::BreakGlass),
                    None => (item, Verdict::Allow),
                };
                let action = Action::parse(name).unwrap_or_else(|| panic!("{name}"));
                documented.extend(roles.iter().map(|role| (*role, relation, action, verdict)));
            }
        }
    }
    let mut running = BTreeSet::new();
    for role in Role::ALL.iter().copied() {
        for relation in Relation::ALL.iter().copied() {
            for action in Action::ALL.iter().copied() {
                let verdict = may(role, relation, action);
                if verdict != Verdict::Deny {
                    running.insert((role, relation, action, verdict));
                }
            }
        }
    }
    assert_eq!(documented, running);
}

#[test]
fn no_auditor_and_no_administrator_opens_a_case_and_nobody_one_that_is_none() {
    for relation in Relation::ALL.iter().copied() {
        for role in [Role::Auditor, Role::Administrator, Role::KeyCustodian, Role::Observer] {
            assert_eq!(may(role, relation, Action::Open), Verdict::Deny);
        }
    }
    for action in Action::ALL.iter().copied() {
        assert_eq!(Roles::all().may(Relation::NoParty, action), Verdict::Deny);
    }
    assert!(!Roles::of_one_person().has(Role::Auditor));
    assert!(Roles::of_one_person().open_cases());
    assert_eq!(Roles::default().may(Relation::Nothing, Action::Status), Verdict::Deny);
}

#[test]
fn names_are_read_back() {
    for role in Role::ALL.iter().copied() {
        assert_eq!(role.name().parse(), Ok(role));
    }
    assert!("root".parse::<Role>().unwrap_err().to_string().contains("caseworker"));
}
