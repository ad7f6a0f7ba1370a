//! `tutti log show`.

use clap::Args;
use tutti_core::{
    entry::{Entry, Visibility},
    head::Head,
};
use tutti_proto::node::v1::{EntriesRequest, LogEntry, LogStatus};

use super::Which;
use crate::{
    failure::{Exit, Outcome},
    json, names,
    node::{self, NodeArgs},
    screen::{Style, paint, say, table},
    text, time,
};

/// Entries that are shown where nobody says how many.
const COUNT_DEFAULT: u64 = 50;

/// Rows of one table: a long log is shown piece by piece.
const ROWS_MAX: usize = 1000;

/// Show the entries of a log, as far as this node may read them.
///
/// The newest 50 if not told otherwise. An entry of a matter between others shows that it is
/// there, and nothing of what it says.
#[derive(Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    /// The first entry to show, from 0.
    #[arg(long, value_name = "INDEX")]
    start: Option<u64>,
    /// How many to show.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    node: NodeArgs,
    /// As JSON, one object a line (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let log = self.which.find(&node).await?;
        let (start, count) = match (self.start, self.count) {
            (Some(start), count) => (start, count.unwrap_or(COUNT_DEFAULT)),
            (None, count) => {
                let count = count.unwrap_or(COUNT_DEFAULT);
                (log.size.saturating_sub(count), count)
            }
        };
        if !self.json {
            say(describe(&log));
        }
        if count == 0 || start >= log.size {
            return Ok(Exit::Ok);
        }
        let request = EntriesRequest { origin: log.origin.clone(), start, count };
        let mut entries = node::ask(node.log().entries(request)).await?;
        let mut rows = Vec::new();
        while let Some(entry) = entries.message().await? {
            if self.json {
                json::print_line(&json::LogEntry::from(&entry));
                continue;
            }
            rows.push(row(&entry));
            if rows.len() == ROWS_MAX {
                show(&mut rows);
            }
        }
        show(&mut rows);
        Ok(Exit::Ok)
    }
}

fn show(rows: &mut Vec<Vec<String>>) {
    if !rows.is_empty() {
        let headings = ["index", "recorded", "for", "what", "record", "content"];
        say(format!("\n{}", table(&headings, rows.drain(..))));
    }
}

fn describe(log: &LogStatus) -> String {
    let witnessed = match log.witnesses.len() {
        0 => "its newest head is witnessed by nobody yet".to_owned(),
        _ => format!("its newest head is witnessed by {}", text::line(&log.witnesses.join(", "))),
    };
    let mut line = format!(
        "{}: {} entr{}, {witnessed}",
        paint(Style::Bold, text::line(&log.origin)),
        log.size,
        text::ies(log.size),
    );
    if let [smaller, larger] = log.doubted.as_slice()
        && let (Ok(smaller), Ok(larger)) = (Head::claimed(smaller), Head::claimed(larger))
    {
        let warning = format!(
            "\nIn doubt: this log has signed a head of {} and one of {} entries, and nobody has shown \
             yet that the one continues the other. That proves nothing; it is asked for again.",
            smaller.size, larger.size
        );
        line.push_str(&paint(Style::Warn, warning));
    }
    if log.forked {
        let warning = "\nTwo signed heads of this log contradict each other: it is frozen here.";
        line.push_str(&paint(Style::Bad, warning));
    }
    line
}

fn row(entry: &LogEntry) -> Vec<String> {
    let header = Entry::parse(&entry.entry).ok().and_then(|entry| entry.header().cloned());
    let (recorded, visibility, content) = match &header {
        Some(header) => (
            time::short(header.recorded_at_ms),
            visibility(header.visibility),
            header.content.is_some(),
        ),
        None => ("a later version".to_owned(), "", false),
    };
    vec![
        entry.index.to_string(),
        recorded,
        visibility.to_owned(),
        match entry.summary.as_str() {
            "" => "between others".to_owned(),
            summary => summary.to_owned(),
        },
        names::body_state(entry.record_state()).to_owned(),
        if content { names::body_state(entry.content_state()) } else { "none" }.to_owned(),
    ]
}

fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "anybody",
        Visibility::Federation => "members",
        Visibility::Addressed => "addressees",
    }
}
