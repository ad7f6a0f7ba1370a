//! `tutti referral onward`.

use std::path::PathBuf;

use clap::Args;
use tutti_core::{
    referral::{FIELDS, form::ReferralForm},
    society::Society,
};
use tutti_proto::{
    node::v1::{GetReferralRequest, PassAttachmentOnRequest, PassReferralOnRequest},
    v1,
};

use super::{
    IdArg, attach::WORD_MAX, attachments, code, id_or_prefix, send::NO_CODE, short, show_receipt,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    files, form as read,
    key::KeyArgs,
    node::{self, Node, NodeArgs},
    screen::say,
    text,
};

/// Pass a case that was referred to you on to a third society.
///
/// The person must have agreed to it: that society, what is passed on, and what for, are checked
/// against the consent that came with the case (`renew-consent` records what they agree to anew).
/// The case goes as you know it, or as --file tells it. The first society sees to whom it went, and
/// where the person withdraws, your node stops this one, too.
#[derive(Debug, Args)]
pub(crate) struct Onward {
    #[command(flatten)]
    id: IdArg,
    /// The third society.
    #[arg(long, value_name = "CODE")]
    to: Society,
    /// A service that is asked of it; if not given, what was asked of you. May be repeated.
    #[arg(long = "service", value_name = "CODE", value_parser = code::<v1::ServiceCategory>())]
    services: Vec<v1::ServiceCategory>,
    /// A field of the case to leave out, such as person.name or category.vulnerabilities. May be repeated.
    #[arg(long = "withhold", value_name = "FIELD", value_parser = FIELDS)]
    withhold: Vec<String>,
    /// A file of the case that goes along, by its id or the first characters of that. May be repeated.
    #[arg(long, value_name = "ATTACHMENT", value_parser = id_or_prefix)]
    attach: Vec<String>,
    /// A form to send instead of the case as you know it; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["services", "withhold"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Show the receipt as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Onward {
    pub(super) fn run(self) -> Outcome {
        let key = self.key.key();
        let told = match &self.file {
            Some(file) => {
                let text = files::read_text(file, read::FORM_BYTES_MAX)?;
                let mut read = read::parse::<ReferralForm>(file, &text)?;
                read.form.receiver = self.to.to_string();
                Some(read.checked(file, ReferralForm::to_send)?)
            }
            None => None,
        };
        let (sent, content) = told.unzip();
        let (first, receipt, along, has_code) = node::block_on(async {
            let node = self.node.connect().await?;
            let request = PassReferralOnRequest {
                idempotency_key: key.to_vec(),
                id: self.id.resolve(&node).await?,
                receiver: self.to.to_string(),
                sent,
                content,
                services: self.services.iter().map(|service| *service as i32).collect(),
                withhold: self.withhold.clone(),
            };
            let first = request.id.clone();
            let mut along = Vec::new();
            for attachment in &self.attach {
                along.push(attachments::resolve(&node, &first, attachment).await?);
            }
            let receipt = key.write(node.referrals().pass_on(request)).await?;
            for attachment in &along {
                pass_on(&node, &receipt.id, attachment).await?;
            }
            // The case went as the node knows it: what its record says tells whether a code did.
            let get = GetReferralRequest { id: receipt.id.clone(), ..Default::default() };
            let onward = node::ask(node.referrals().get(get)).await.ok();
            let has_code = onward
                .is_none_or(|onward| onward.sent.is_none_or(|sent| !sent.case_digest.is_empty()));
            Ok((first, receipt, along, has_code))
        })?;
        let id = short(&receipt.id);
        let mut show = vec![text::program(), "referral".into(), "show".into(), id.to_owned()];
        show.extend(self.node.again().iter().map(|word| text::shell(word)));
        let done =
            format!("Referral {} is passed on to {}, as referral {id}.", short(&first), self.to);
        show_receipt(&done, &receipt, &show.join(" "), self.json);
        if !self.json {
            along.iter().for_each(|file| say(format!("  file {} goes along", short(file))));
        }
        if !self.json && !has_code {
            say(NO_CODE);
        }
        Ok(Exit::Ok)
    }
}

/// Adds a file of the case to the referral by which it was passed on.
async fn pass_on(node: &Node, id: &str, attachment: &str) -> Result<(), Failure> {
    let failed = |failure: Failure| {
        let what = format!("file {} does not go along: {failure}", short(attachment));
        Failure::new(failure.code(), what)
            .kept(format!("the case is passed on, as referral {}", short(id)))
            .todo("save the file, and attach it to the new referral, if the person agrees to that")
    };
    let request = PassAttachmentOnRequest { id: id.to_owned(), attachment: attachment.to_owned() };
    let mut words = node::ask(node.attachments().pass_on(request)).await.map_err(failed)?;
    loop {
        let word = tokio::time::timeout(WORD_MAX, words.message()).await.map_err(|_| {
            failed(Failure::new(Exit::Unreachable, "the node has not said anything for long"))
        })?;
        if word.map_err(|status| failed(status.into()))?.is_none() {
            return Ok(());
        }
    }
}
