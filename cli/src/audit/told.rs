//! An audit for people, on a terminal.

use std::collections::BTreeMap;

use tutti_core::audit::{
    Audit, Code, Finding, Report, Severity,
    process::{Cell, Elsewhere, ErasureTold, Process, SMALL, Times},
};

use crate::{
    screen::{Style, fields, paint, text_width},
    text, time,
};

/// All of it.
pub(super) fn describe(audit: &Audit) -> String {
    let mut parts: Vec<String> = audit.logs.iter().map(log).collect();
    parts.extend(audit.process.as_ref().map(process));
    parts.push(verdict(audit));
    parts.join("\n\n")
}

/// One log by itself.
fn log(report: &Report) -> String {
    let witnesses: Vec<String> = report
        .witnesses
        .iter()
        .map(|witness| {
            let at = time::local(witness.time_s.saturating_mul(1000));
            format!(
                "{}, its first {} entr{}, on {at}",
                witness.society,
                witness.size,
                text::ies(witness.size)
            )
        })
        .collect();
    let bodies = &report.bodies;
    let mut parts = vec![fields([
        ("log", report.origin.clone()),
        ("entries", format!("{} of {}", report.entries, report.size)),
        ("root", report.root.clone()),
        (
            "witnessed by",
            match witnesses.is_empty() {
                true => "nobody".to_owned(),
                false => witnesses.join("\n"),
            },
        ),
        (
            "roster",
            format!("version {}, expires {}", report.roster_version, report.roster_expires_on),
        ),
        ("founded as", format!("sha256 {}", report.first_roster_hash)),
        (
            "bodies",
            format!(
                "{} present, {} absent, {} erased",
                bodies.present, bodies.absent, bodies.erased
            ),
        ),
        ("records", records(report)),
    ])];
    parts.extend(unseen(&report.unseen));
    parts.extend(findings(&report.findings));
    parts.join("\n\n")
}

fn records(report: &Report) -> String {
    let records = &report.records;
    let mut said = vec![format!("{} opened", records.opened)];
    for (count, what) in [
        (records.sealed, "sealed (no key was given)"),
        (records.not_for_key, "sealed to other keys"),
        (records.unknown, "of a later version"),
        (records.referral_events, "steps"),
        (records.referrals, "referrals"),
        (records.information_events, "information shares' steps"),
    ] {
        if count > 0 {
            said.push(format!("{count} {what}"));
        }
    }
    said.join(", ")
}

fn finding(finding: &Finding) -> String {
    let (style, word) = match finding.severity {
        Severity::Error => (Style::Bad, "error  "),
        Severity::Warning => (Style::Warn, "warning"),
        Severity::Note => (Style::Dim, "note   "),
    };
    let said =
        format!("{} ({}): {}", finding.code, text::line(&finding.place), text::line(&finding.text));
    format!("{}  {}", paint(style, word), hanging("         ", &said).trim_start())
}

fn verdict(audit: &Audit) -> String {
    let all = || {
        let of_logs = audit.logs.iter().flat_map(|report| &report.findings);
        of_logs.chain(audit.process.iter().flat_map(|process| &process.findings))
    };
    let count = |severity| all().filter(|finding| finding.severity == severity).count() as u64;
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match (errors, warnings) {
        (0, 0) => paint(Style::Good, "All that could be seen is sound."),
        (0, warnings) => paint(
            Style::Warn,
            format!("Sound, with {warnings} thing{} to look at.", text::s(warnings)),
        ),
        (errors, _) => paint(
            Style::Bad,
            format!(
                "NOT SOUND: {errors} error{}. docs/auditing.md says what each means.",
                text::s(errors)
            ),
        ),
    }
}

/// The work that the logs tell of together.
fn process(process: &Process) -> String {
    let figures = &process.figures;
    let share = &figures.no_feedback;
    let mut parts = vec![fields([
        (
            "referrals",
            format!("{}, of which {} in both sides' logs:", process.referrals, process.whole),
        ),
        (
            "sent",
            format!(
                "{}, acknowledged {}, accepted {}, delivered {}, closed {}",
                figures.sent,
                figures.acknowledged,
                figures.accepted,
                figures.delivered,
                figures.closed
            ),
        ),
        (
            "otherwise",
            format!(
                "declined {}, withdrawn {}, expired {}, cancelled {}, stopped {}, overdue {}",
                figures.declined,
                figures.withdrawn,
                figures.expired,
                figures.cancelled,
                figures.stopped,
                figures.overdue
            ),
        ),
        ("declined for", cells(&figures.declines)),
        ("whose reason", cells(&figures.declines_by)),
        ("no feedback", format!("{} of {}", share.count, share.of)),
        ("to acknowledge", times(&figures.time_to_acknowledge)),
        ("to answer", times(&figures.time_to_answer)),
        (
            "erasures",
            format!("{}, confirmed by both {}", figures.erasures, figures.erasures_confirmed),
        ),
        (
            "files erased",
            match figures.file_erasures {
                0 => String::new(),
                files => format!("{files}, confirmed by both {}", figures.file_erasures_confirmed),
            },
        ),
    ])];
    if !process.erasures.is_empty() {
        let lines: Vec<String> =
            process.erasures.iter().map(|told| hanging("  - ", &erasure(told))).collect();
        parts.push(format!("To be erased, when, and on whose word:\n{}", lines.join("\n")));
    }
    parts.extend(unseen(&process.unseen));
    parts.extend(findings(&process.findings));
    parts.join("\n\n")
}

/// What a table tells, in one line.
fn cells(cells: &[Cell]) -> String {
    let told = cells.iter().map(|cell| {
        let count = cell.count.map_or("held back".to_owned(), |count| count.to_string());
        format!("{} {count}", cell.name.replace('_', " "))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A median and what nine in ten did not exceed.
pub(super) fn times(times: &Times) -> String {
    match times.median_ms.zip(times.p90_ms) {
        Some((median, p90)) => {
            let (median, p90) = (time::span(0, median), time::span(0, p90));
            format!("median {median}, nine in ten within {p90} ({} times)", times.count)
        }
        None => format!("not told of fewer than {SMALL} ({} times)", times.count),
    }
}

/// One erasure in a sentence.
pub(super) fn erasure(told: &ErasureTold) -> String {
    let word = match (told.written_by, told.word_of) {
        (None, _) => format!("the time to keep it ended on {}", time::local(told.at_ms)),
        (Some(society), "") => format!("written by {society} on {}", time::local(told.at_ms)),
        (Some(society), word) => format!(
            "on the word of the {word}, written by {society} on {}",
            time::local(told.at_ms)
        ),
    };
    let sides: Vec<String> = told
        .confirmations
        .iter()
        .map(|side| match (side.seen, side.open, side.at_ms) {
            (false, ..) => format!("{}: its log was not given whole", side.society),
            (true, 0, Some(at)) => format!("{} confirmed on {}", side.society, time::local(at)),
            (true, 0, None) => format!("{} has nothing to erase", side.society),
            (true, open, _) => format!("{}: {open} open", side.society),
        })
        .collect();
    let from = match &told.carried_from {
        Some(referral) => format!(", carried from referral {referral}"),
        None => String::new(),
    };
    let elsewhere: String =
        told.elsewhere.iter().map(|other| format!("; {}", carried(other))).collect();
    let file = match &told.attachment {
        Some(id) => format!("file {id}, "),
        None => String::new(),
    };
    format!(
        "referral {}, {file}{}, {} content{}: {word}{from}; {}{elsewhere}",
        told.referral,
        told.reason,
        told.contents,
        text::s(told.contents),
        sides.join(", ")
    )
}

/// What became of it at another referral of the case.
fn carried(other: &Elsewhere) -> String {
    let way = if other.way == "back" { "back to" } else { "on to" };
    let said = match (other.seen, other.carried_after_ms, other.stopped, other.confirmed) {
        (false, ..) => "is not known: its logs were not given whole".to_owned(),
        (true, None, false, _) => "NOT CARRIED".to_owned(),
        (true, None, true, confirmed) => format!("stopped there by itself, {}", erased(confirmed)),
        (true, Some(after), _, confirmed) => {
            format!("carried after {}, {}", time::span(0, after), erased(confirmed))
        }
    };
    format!("{way} referral {} ({}): {said}", other.referral, other.society)
}

fn erased(confirmed: bool) -> &'static str {
    if confirmed { "confirmed by both" } else { "NOT CONFIRMED by both" }
}

fn unseen(lines: &[String]) -> Option<String> {
    let said: Vec<String> = lines.iter().map(|line| hanging("  - ", &text::line(line))).collect();
    (!said.is_empty()).then(|| format!("This audit could not see:\n{}", said.join("\n")))
}

fn findings(findings: &[Finding]) -> Option<String> {
    let (shown, more) = shortened(findings);
    let said = shown.into_iter().map(finding);
    let more = more.iter().map(|(code, count)| hanging("         ", &left_out(*code, *count)));
    let said: Vec<String> = said.chain(more).collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

/// Findings of one code that people are told one by one.
const TOLD_MAX: u64 = 100;

/// The first of each code, in their order, and how many more there are of which.
pub(super) fn shortened(findings: &[Finding]) -> (Vec<&Finding>, BTreeMap<Code, u64>) {
    let mut counts: BTreeMap<Code, u64> = BTreeMap::new();
    let mut has_room = |finding: &&Finding| {
        let count = counts.entry(finding.code).or_default();
        *count += 1;
        *count <= TOLD_MAX
    };
    let shown = findings.iter().filter(|finding| has_room(finding)).collect();
    let more = counts.into_iter().filter_map(|(code, count)| {
        count.checked_sub(TOLD_MAX).filter(|more| *more > 0).map(|more| (code, more))
    });
    (shown, more.collect())
}

/// That there are more, and where.
pub(super) fn left_out(code: Code, more: u64) -> String {
    format!("and {more} more {code}, not shown here: `tutti audit --json` lists every one")
}

/// Wrapped, with the first line at the same depth as the rest.
fn hanging(mark: &str, said: &str) -> String {
    let gap = " ".repeat(text::columns(mark));
    let wrapped = text::wrap(said, &gap, text_width());
    format!("{mark}{}", wrapped.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: Code, count: usize) -> Vec<Finding> {
        let one = |n| Finding {
            code,
            severity: code.severity(),
            place: format!("entry {n}"),
            text: "it is not what its entry commits to".into(),
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn people_are_told_the_first_of_each_kind_and_how_many_more_there_are_and_where() {
        let all = [found(Code::BodyAltered, 1_500), found(Code::EventTwice, 100)].concat();
        let told = findings(&all).unwrap_or_default();
        let lines = |word: &str| told.lines().filter(|line| line.contains(word)).count();
        assert_eq!((lines("body-altered ("), lines("event-twice (")), (100, 100));
        assert!(told.contains("(entry 99)") && !told.contains("(entry 100)"));
        let more = told.lines().filter(|line| line.contains("more body-altered")).count();
        assert_eq!((more, lines("more event-twice")), (1, 0));
        assert!(told.contains("and 1400 more body-altered") && told.contains("--json"));
        assert_eq!(findings(&[]), None);
    }
}
