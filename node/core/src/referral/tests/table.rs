use super::*;

/// The table, as `docs/protocol.md` has it. A change of it is another version of the protocol.
#[test]
fn the_table_is_frozen() {
    let states = [None].into_iter().chain(State::ALL.iter().copied().map(Some));
    let mut table = String::new();
    for state in states {
        let from = state.map_or("nothing", State::name);
        for kind in Kind::ALL.iter().copied() {
            if let Some(to) = transition(state, kind) {
                table += &format!("{from} + {kind} ({}) = {to}\n", kind.by().name());
            }
        }
    }
    let frozen = include_str!("table.txt");
    assert!(table == frozen, "the table is now\n{table}");
}

/// The doc comment of `transition` is the same table: it is what people read.
#[test]
fn the_documented_table_is_the_one_that_runs() {
    let source = include_str!("../table.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("/// | ")).filter(|row| {
        let first = row.split([' ', '|']).next().unwrap_or_default();
        row.contains(" (") && Kind::ALL.iter().any(|kind| kind.name() == first)
    });
    let mut documented = std::collections::BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (kind, by) = cells[0].split_once(" (").unwrap();
        let kind = Kind::ALL.iter().copied().find(|k| k.name() == kind).unwrap();
        assert_eq!(format!("{})", kind.by().name()), by);
        let going_on = || State::ALL.iter().copied().filter(|state| !state.is_stopped());
        for from in cells[1].split(", ") {
            let from: Vec<Option<State>> = match from {
                "nothing" => vec![None],
                "going on" => going_on().map(Some).collect(),
                name => vec![Some(State::parse(name).unwrap())],
            };
            for from in from {
                let to = match cells[2] {
                    "=" => from.unwrap(),
                    name => State::parse(name).unwrap(),
                };
                documented.insert((from, kind, to));
            }
        }
    }
    let mut running = std::collections::BTreeSet::new();
    for state in [None].into_iter().chain(State::ALL.iter().copied().map(Some)) {
        for kind in Kind::ALL.iter().copied() {
            running.extend(transition(state, kind).map(|to| (state, kind, to)));
        }
    }
    assert_eq!(documented, running);
}

#[test]
fn the_straight_way_through() {
    let book = book([
        event("sg", 0, Kind::Sent, None),
        event("ph", 0, Kind::Acknowledged, Some(0)),
        event("ph", 1, Kind::InformationRequested, Some(0)),
        event("sg", 5, Kind::InformationProvided, Some(1)),
        event("ph", 2, Kind::Accepted, Some(5)),
        event("ph", 3, Kind::ServiceDelivered, Some(5)),
        event("sg", 6, Kind::Closed, Some(3)),
    ]);
    let referral = book.get(&id()).unwrap();
    assert_eq!(referral.state, State::Closed);
    assert!(referral.outcomes.iter().all(|outcome| outcome.effective));
    assert_eq!(referral.latest_of(Side::Sender).unwrap().index, 6);
    assert_eq!(referral.latest_of(Side::Receiver).unwrap().index, 3);
    assert_eq!(referral.changed_at_ms, NOW_MS + 6);
    assert_eq!(book.counts().get(&State::Closed), Some(&1));
}

/// What somebody who waits puts right or renews meanwhile hides from nobody that the other is late.
#[test]
fn only_asking_starts_the_time_to_answer() {
    let sent = event("sg", 0, Kind::Sent, None);
    let since = |more: &[Event]| {
        let told = book([sent.clone()].into_iter().chain(more.iter().cloned()));
        assert!(told.outcomes(&id()).iter().any(|outcome| outcome.effective));
        told.get(&id()).unwrap().waits_for().map(|(side, at_ms)| (side, at_ms - NOW_MS))
    };
    let mut told = Vec::new();
    for (by, index, kind) in [
        ("sg", 3, Kind::ConsentRenewed),
        ("sg", 4, Kind::Corrected),
        ("ph", 5, Kind::Acknowledged),
        ("ph", 6, Kind::ConsentRenewed),
        ("sg", 7, Kind::Withdrawn),
        ("sg", 8, Kind::StepEnteredInError),
        ("sg", 9, Kind::ErasureRequested),
    ] {
        let other = if by == "sg" { "ph" } else { "sg" };
        let seen = told.iter().rev().find(|event: &&Event| event.society == society(other));
        let seen = seen.map(|event| event.at.index).or((by == "ph").then_some(0));
        told.push(event(by, index, kind, seen));
        let expected = match kind {
            Kind::Withdrawn | Kind::ErasureRequested => None,
            _ => Some((Side::Receiver, 0)),
        };
        assert_eq!(since(&told), expected, "{kind}");
    }
    // The receiver that waits hides nothing either; a case that is taken up again asks anew.
    let asked = event("ph", 5, Kind::InformationRequested, Some(0));
    let renewed = event("ph", 6, Kind::ConsentRenewed, Some(0));
    assert_eq!(since(&[asked, renewed]), Some((Side::Sender, 5)));
    let declined = event("ph", 5, Kind::Declined, Some(0));
    let closed = event("sg", 6, Kind::Closed, Some(5));
    let again = event("sg", 7, Kind::Reopened, Some(5));
    let renewed = event("sg", 8, Kind::ConsentRenewed, Some(5));
    assert_eq!(since(&[declined, closed, again, renewed]), Some((Side::Receiver, 7)));
}

#[test]
fn an_answer_is_due_from_whoever_is_waited_for() {
    let deadlines = RULES;
    let due = 72 * 3_600_000;
    let sent = event("sg", 0, Kind::Sent, None);
    let asked = event("ph", 1, Kind::InformationRequested, Some(0));
    let told = event("sg", 2, Kind::InformationProvided, Some(1));
    let accepted = event("ph", 3, Kind::Accepted, Some(2));
    let mut book = book([sent]);
    for (event, side, since) in [
        (None, Some(Side::Receiver), 0),
        (Some(asked), Some(Side::Sender), 1),
        (Some(told), Some(Side::Receiver), 2),
        (Some(accepted), None, 0),
    ] {
        event.map(|event| book.apply(event));
        let referral = book.get(&id()).unwrap();
        assert_eq!(referral.waits_for(), side.map(|side| (side, NOW_MS + since)));
        let at = side.map(|_| NOW_MS + since + due);
        assert_eq!(referral.due_at_ms(&deadlines), at);
        let at = at.unwrap_or(u64::MAX - 1);
        assert!(!referral.overdue(at, &deadlines));
        assert_eq!(referral.overdue(at + 1, &deadlines), side.is_some());
    }
}

/// Whoever answers has acknowledged; where the roster leaves less time for that, it is late before the answer is.
#[test]
fn an_acknowledgement_is_due_until_somebody_there_has_written_a_step() {
    let hours = crate::roster::AcknowledgeHours { emergency: 1, urgent: 24, normal: 72 };
    let apart = DataProtection { acknowledge_hours: Some(hours), ..RULES };
    let at = |hours: u64| NOW_MS + hours * 3_600_000;
    let sent = event("sg", 0, Kind::Sent, None);
    let of = |more: &[Event], rules: &DataProtection| {
        let told = book([sent.clone()].into_iter().chain(more.iter().cloned()));
        let referral = told.get(&id()).unwrap();
        let due = referral.due_at(rules);
        assert_eq!(Brief::of(referral, society("ph")).due_at(rules), due);
        due
    };
    let both = DueAt { acknowledgement_ms: Some(at(72)), answer_ms: Some(at(72)) };
    assert_eq!(of(&[], &RULES), both, "alike where nothing else is set");
    let due = of(&[], &apart);
    assert_eq!(due, DueAt { acknowledgement_ms: Some(at(24)), ..both });
    assert!(!due.any_overdue(at(24)) && due.any_overdue(at(24) + 1));
    assert!(due.is_overdue(Owed::Acknowledgement, at(30)) && !due.is_overdue(Owed::Answer, at(30)));
    let acknowledged = of(&[event("ph", 1, Kind::Acknowledged, Some(0))], &apart);
    assert_eq!(acknowledged, DueAt { acknowledgement_ms: None, ..both });
    let accepted = of(&[event("ph", 1, Kind::Accepted, Some(0))], &apart);
    assert_eq!(accepted, DueAt::default());
    let asked = of(&[event("ph", 1, Kind::InformationRequested, Some(0))], &apart);
    assert_eq!(asked.acknowledgement_ms, None, "what the sender owes is an answer");
    // A silence that is too long for an acknowledgement alone lets nothing expire.
    let told = book([sent.clone()]);
    let from = origin("sg");
    for (hours, may) in [(30, false), (73, true)] {
        let context = Context {
            origin: &from,
            event_id: [8; 16],
            now_ms: at(hours),
            note: "",
            duplicate: None,
            onward_of: None,
            rules: &apart,
        };
        assert_eq!(decide(told.get(&id()), Command::Expire, &context).is_ok(), may);
    }
}
