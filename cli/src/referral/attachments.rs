//! `tutti referral attachments`: the files that go with a referral.

use std::collections::BTreeSet;

use clap::Args;
use tutti_proto::{
    node::v1::{Attachment, BodyState, GetReferralRequest, ListAttachmentsRequest},
    v1::referral_event::Transition,
};

use super::{ID_DIGITS, IdArg, short};
use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Asked, Node},
    screen::{say, table},
    text, time,
};

/// List the files that go with a referral, with their names.
///
/// Names are part of the case: that you read them is recorded first. Without --content only what
/// the record says is shown: kind, when, and how much of it is here.
#[derive(Debug, Args)]
pub(crate) struct Attachments {
    #[command(flatten)]
    id: IdArg,
    /// Also show names, types and sizes.
    #[arg(long)]
    content: bool,
    /// Of a case that is not yours, and say why; give its whole id.
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Attachments {
    pub(super) async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let id = self.id.resolve(&node).await?;
        let with_content = self.content || self.break_glass.is_some();
        let break_glass = self.break_glass.unwrap_or_default();
        let request = ListAttachmentsRequest { id, with_content, break_glass };
        let listed = node::ask(node.attachments().list(request)).await?;
        match (self.asked.json, listed.attachments.is_empty()) {
            (true, _) => json::print(&json::Attachments::from(listed.attachments.as_slice())),
            (false, true) => say("No files go with this referral."),
            (false, false) => say(files(&listed.attachments)),
        }
        Ok(Exit::Ok)
    }
}

/// The whole id of a file; where a part was given, the one file of the referral that begins so.
pub(super) async fn resolve(node: &Node, id: &str, attachment: &str) -> Result<String, Failure> {
    if attachment.len() == ID_DIGITS {
        return Ok(attachment.to_owned());
    }
    let request = ListAttachmentsRequest { id: id.into(), ..Default::default() };
    let listed = node::ask(node.attachments().list(request)).await?.attachments;
    let mut ids: BTreeSet<String> = listed.into_iter().map(|file| file.id).collect();
    // What was overtaken is no file of the case, stands in its story, and can be taken back.
    let request = GetReferralRequest { id: id.into(), ..Default::default() };
    let told = node::ask(node.referrals().get(request)).await?;
    let (sender, receiver) = (told.sender, told.receiver);
    let sides = told.events.into_iter().filter(|e| e.society == sender || e.society == receiver);
    ids.extend(sides.filter_map(|event| match event.event?.transition? {
        Transition::Attached(part) => Some(hex::encode(part.attachment_id)),
        _ => None,
    }));
    let mut found = ids.into_iter().filter(|file| file.starts_with(attachment));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (found, _) => {
            let word = if found.is_some() { "several files begin" } else { "no file begins" };
            Err(Failure::new(Exit::Refused, format!("{word} with {attachment}"))
                .kept("everything as it was")
                .todo(format!("see: tutti referral attachments {}", short(id))))
        }
    }
}

/// As a table. Names are others' words.
pub(super) fn files(files: &[Attachment]) -> String {
    let row = |file: &Attachment| {
        let size = if file.size == 0 { String::new() } else { size(file.size) };
        vec![
            short(&file.id).to_owned(),
            file.kind.replace('_', " "),
            file.society.clone(),
            time::local(file.recorded_at_ms),
            parts(file),
            text::line(&file.name),
            file.media_type.clone(),
            size,
        ]
    };
    let headings = ["file", "what", "from", "when", "where", "name", "type", "size"];
    table(&headings, files.iter().map(row))
}

/// How much of a file is here, and of one's own how much is there.
fn parts(file: &Attachment) -> String {
    let here = match file.state() {
        BodyState::Erased => return "erased".into(),
        BodyState::Present => "here".to_owned(),
        BodyState::Absent | BodyState::Unspecified => {
            format!("{} of {} parts here", file.parts_present, file.parts)
        }
    };
    match file.parts_delivered {
        0 => here,
        all if all == file.parts => format!("{here}, and on their node"),
        some => format!("{here}, {some} of {} parts on their node", file.parts),
    }
}

pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_all_here_says_so_and_its_name_does_nothing() {
        let file = Attachment {
            id: "ab".repeat(16),
            society: "sg".into(),
            kind: "medical_letter".into(),
            parts: 12,
            parts_present: 7,
            state: BodyState::Absent as i32,
            name: "\u{1b}[2Ja.pdf".into(),
            size: 26_000_000,
            ..Default::default()
        };
        let shown = files(std::slice::from_ref(&file));
        assert!(shown.contains("7 of 12 parts here") && shown.contains("24.7 MiB"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        let own = Attachment {
            state: BodyState::Present as i32,
            parts_present: 12,
            parts_delivered: 3,
            ..file
        };
        assert_eq!(parts(&own), "here, 3 of 12 parts on their node");
        assert_eq!(size(1), "1 bytes");
    }
}
