//! An audit as one page of HTML: to be read, printed and kept. No script, nothing from elsewhere.
//!
//! Invariant: every text is escaped; what stands in tables that split the referrals follows the rule
//! of small cells, which the page tells.

use std::fmt::Write as _;

use tutti_core::audit::{
    Audit, Finding, Report, Severity,
    process::{Cell, Figures, Process, SMALL},
};

use super::told;
use crate::time;

const STYLE: &str = "
body{font:16px/1.45 'Noto Sans',Arial,sans-serif;color:#1a1a1a;max-width:60em;margin:2em auto;
padding:0 1em}
h1{font-size:1.6em;border-bottom:3px solid #b3001b;padding-bottom:.2em}
h2{font-size:1.25em;margin-top:2em;break-after:avoid}
h3{font-size:1em;margin:1.5em 0 .4em;break-after:avoid}
table{border-collapse:collapse;width:100%;margin:.5em 0}
caption{text-align:left;font-weight:bold;padding:.3em 0}
th,td{text-align:left;vertical-align:top;padding:.3em .6em;border-bottom:1px solid #ccc}
th{font-weight:600;width:14em}
td.n{text-align:right;width:5em;font-variant-numeric:tabular-nums}
td.bar{width:45%}
tr{break-inside:avoid}
code,.long{overflow-wrap:anywhere}
meter{width:100%;height:1em}
.verdict{border-left:6px solid;padding:.6em 1em;margin:1em 0;font-weight:600}
.good{border-color:#1a7f37;background:#eaf6ec}
.warn{border-color:#9a6700;background:#fff6dc}
.bad{border-color:#b3001b;background:#fdebec}
.error{color:#b3001b;font-weight:600}.warning{color:#7a5200;font-weight:600}
.small{color:#555;font-size:.9em}
@media print{body{margin:0;max-width:none;font-size:11pt}.verdict{background:none}}
";

/// The page; `now_ms` is when the audit was made.
pub(super) fn page(audit: &Audit, now_ms: u64) -> String {
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width\">\n";
    page += "<meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
    page += "<title>Audit of logs</title>\n";
    let _ = writeln!(page, "<style>{STYLE}</style>\n</head>\n<body>\n<h1>Audit of logs</h1>");
    let logs: Vec<&str> = audit.logs.iter().map(|log| log.origin.as_str()).collect();
    let _ = writeln!(
        page,
        "<p>Made on {} of <span class=\"long\">{}</span>.</p>",
        escape(&time::local(now_ms)),
        escape(&logs.join(", "))
    );
    verdict(&mut page, audit);
    if let Some(process) = &audit.process {
        work(&mut page, process);
    }
    for report in &audit.logs {
        log(&mut page, report);
    }
    page +=
        "<p class=\"small\">What each code means and what to do: docs/auditing.md of Tutti.</p>\n";
    page += "</body>\n</html>\n";
    page
}

fn verdict(page: &mut String, audit: &Audit) {
    let all = audit.logs.iter().flat_map(|log| &log.findings);
    let all = all.chain(audit.process.iter().flat_map(|process| &process.findings));
    let (mut errors, mut warnings) = (0u64, 0u64);
    for finding in all {
        match finding.severity {
            Severity::Error => errors += 1,
            Severity::Warning => warnings += 1,
            Severity::Note => {}
        }
    }
    let (class, said) = match (errors, warnings) {
        (0, 0) => ("good", "All that could be seen is sound.".to_owned()),
        (0, n) => ("warn", format!("Sound. Things that a person should look at: {n}.")),
        (n, m) => ("bad", format!("Not sound. Errors: {n}; warnings: {m}.")),
    };
    let _ = writeln!(page, "<p class=\"verdict {class}\">{said}</p>");
}

fn work(page: &mut String, process: &Process) {
    let figures = &process.figures;
    *page += "<h2>The work</h2>\n";
    let _ = writeln!(
        page,
        "<p>Referrals of which a step was seen: {}. The figures are of the {} of which both sides' \
         logs were read. Contents opened: none; records hold no personal data.</p>",
        process.referrals, process.whole
    );
    funnel(page, figures);
    let share = figures.no_feedback;
    *page += "<table>\n<caption>Answers</caption>\n";
    for (name, value) in [
        ("Without any feedback", of(share.count, share.of)),
        ("Overdue now", figures.overdue.to_string()),
        ("Time to acknowledge", told::times(&figures.time_to_acknowledge)),
        ("Time to answer", told::times(&figures.time_to_answer)),
        ("Declined", figures.declined.to_string()),
        ("Withdrawn by the sender", figures.withdrawn.to_string()),
        ("Expired", figures.expired.to_string()),
        ("Cancelled", figures.cancelled.to_string()),
        ("Stopped, by the person or in error", figures.stopped.to_string()),
        ("Erasures confirmed by both sides", of(figures.erasures_confirmed, figures.erasures)),
        (
            "Files taken back, confirmed by both sides",
            of(figures.file_erasures_confirmed, figures.file_erasures),
        ),
    ] {
        row(page, name, &value);
    }
    *page += "</table>\n";
    cells(page, "Declined, by reason", &figures.declines);
    cells(page, "Declined, by whose reason it was", &figures.declines_by);
    cells(page, "By service asked for", &figures.services);
    cells(page, "By sender and receiver", &figures.corridors);
    let _ = writeln!(
        page,
        "<p class=\"small\">So that no person can be recognised, a count below {SMALL} in these \
         tables is held back, and a second one where only one would be; so are times of fewer than \
         {SMALL} referrals. The findings below name referrals by numbers that only their two \
         societies can resolve: the page is for the auditor.</p>"
    );
    if !process.erasures.is_empty() {
        *page += "<h3>Erased or to be erased: what, when, on whose word</h3>\n<ul>\n";
        for told in &process.erasures {
            let _ = writeln!(page, "<li class=\"long\">{}</li>", escape(&told::erasure(told)));
        }
        *page += "</ul>\n";
    }
    findings(page, &process.findings);
    unseen(page, &process.unseen);
}

/// From sent to closed, as a table with a bar each.
fn funnel(page: &mut String, figures: &Figures) {
    *page += "<table>\n<caption>From sent to closed</caption>\n";
    for (name, count) in [
        ("Sent", figures.sent),
        ("Acknowledged", figures.acknowledged),
        ("Accepted", figures.accepted),
        ("Help delivered", figures.delivered),
        ("Closed", figures.closed),
    ] {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{name}</th><td class=\"n\">{count}</td><td class=\"bar\">\
             <meter min=\"0\" max=\"{}\" value=\"{count}\">{}</meter></td></tr>",
            figures.sent.max(1),
            of(count, figures.sent)
        );
    }
    *page += "</table>\n";
}

fn cells(page: &mut String, caption: &str, cells: &[Cell]) {
    if cells.is_empty() {
        return;
    }
    let _ = writeln!(page, "<table>\n<caption>{caption}</caption>");
    for cell in cells {
        let count = cell.count.map_or("held back".to_owned(), |count| count.to_string());
        row(page, &cell.name.replace('_', " "), &count);
    }
    *page += "</table>\n";
}

fn log(page: &mut String, report: &Report) {
    let _ = writeln!(page, "<h2 class=\"long\">The log {}</h2>\n<table>", escape(&report.origin));
    let bodies = &report.bodies;
    let witnesses: Vec<String> = report
        .witnesses
        .iter()
        .map(|witness| {
            let at = time::local(witness.time_s.saturating_mul(1000));
            format!("{} (the first {} entries, on {at})", witness.society, witness.size)
        })
        .collect();
    let witnesses = if witnesses.is_empty() { "nobody".into() } else { witnesses.join("; ") };
    for (name, value) in [
        ("Entries checked", of(report.entries, report.size)),
        ("Root", report.root.clone()),
        ("Witnessed by", witnesses),
        (
            "Roster",
            format!("version {}, expires {}", report.roster_version, report.roster_expires_on),
        ),
        ("Founding roster, SHA-256", report.first_roster_hash.clone()),
        (
            "Bodies",
            format!(
                "{} present, {} absent, {} erased",
                bodies.present, bodies.absent, bodies.erased
            ),
        ),
        (
            "Records",
            format!(
                "{} opened, {} sealed to others or without a key",
                report.records.opened,
                report.records.sealed + report.records.not_for_key
            ),
        ),
    ] {
        row(page, name, &value);
    }
    *page += "</table>\n";
    findings(page, &report.findings);
    unseen(page, &report.unseen);
}

fn findings(page: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        *page += "<p>Nothing was found.</p>\n";
        return;
    }
    *page += "<table>\n<caption>Found</caption>\n";
    let (shown, more) = told::shortened(findings);
    for finding in shown {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\"><span class=\"{word}\">{word}</span><br><code>{}</code></th>\
             <td class=\"long\">{}<br>{}</td></tr>",
            finding.code,
            escape(&finding.place),
            escape(&finding.text)
        );
    }
    *page += "</table>\n";
    for (code, count) in more {
        let _ = writeln!(page, "<p>{}</p>", escape(&told::left_out(code, count)));
    }
}

fn unseen(page: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    *page += "<h3>Not seen</h3>\n<ul>\n";
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", escape(line));
    }
    *page += "</ul>\n";
}

fn row(page: &mut String, name: &str, value: &str) {
    let _ = writeln!(
        page,
        "<tr><th scope=\"row\">{}</th><td class=\"long\">{}</td></tr>",
        escape(name),
        escape(value)
    );
}

fn of(count: u64, all: u64) -> String {
    match all {
        0 => "0".to_owned(),
        all => format!("{count} of {all}"),
    }
}

/// For a text in an element or an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            char if char.is_control() => escaped += &char.escape_unicode().to_string(),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_becomes_part_of_the_page() {
        let shown = escape("<script>'a'&\"b\"\u{1b}[0m</script>");
        assert_eq!(shown, "&lt;script&gt;&#39;a&#39;&amp;&quot;b&quot;\\u{1b}[0m&lt;/script&gt;");
    }
}
