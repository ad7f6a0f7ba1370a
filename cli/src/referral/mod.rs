//! `tutti referral`: people referred from one society to another.

mod advance;
mod assign;
mod attach;
pub(crate) mod attachments;
mod beside;
pub(crate) mod draft;
mod due;
mod list;
mod onward;
mod print;
mod save;
mod send;
mod show;
mod steps;
mod story;
mod word;

use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tutti_core::referral::codes::{self, Code};
use tutti_proto::node::v1::{self as api, ListReferralsRequest};

use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Node},
    pages,
    screen::say,
    text, time,
};

/// Refer a person, answer a referral, follow it to its end.
///
/// A referral's id may be cut to as many of its first characters as tell it from the others.
#[derive(Subcommand)]
pub(crate) enum Referral {
    Template(send::Template),
    Send(send::Send),
    List(list::List),
    Show(show::Show),
    Print(print::Print),
    Attach(attach::Attach),
    Attachments(attachments::Attachments),
    Save(save::Save),
    Assign(assign::Assign),
    #[command(subcommand)]
    Draft(draft::Draft),
    Acknowledge(advance::Acknowledge),
    RequestInformation(advance::RequestInformation),
    ProvideInformation(advance::ProvideInformation),
    Accept(advance::Accept),
    Decline(advance::Decline),
    Withdraw(advance::Withdraw),
    Start(steps::Start),
    Schedule(steps::Schedule),
    Missed(steps::Missed),
    Pause(steps::Pause),
    Resume(steps::Resume),
    // The state that it leads to is `completed`: that name serves, too.
    #[command(alias = "complete")]
    Deliver(advance::Deliver),
    FollowUp(steps::FollowUp),
    Close(advance::Close),
    Cancel(steps::Cancel),
    Expire(steps::Expire),
    Onward(onward::Onward),
    Reopen(steps::Reopen),
    #[command(subcommand)]
    Handover(steps::Handover),
    WithdrawConsent(steps::WithdrawConsent),
    RenewConsent(steps::RenewConsent),
    ConfirmConsent(steps::ConfirmConsent),
    RequestErasure(steps::RequestErasure),
    Correct(steps::Correct),
    EnteredInError(steps::EnteredInError),
}

impl Referral {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Template(_) => send::template(),
            Self::Send(send) => node::block_on(send.run()),
            Self::List(list) => node::block_on(list.run()),
            Self::Show(show) => node::block_on(show.run()),
            Self::Print(print) => node::block_on(print.run()),
            Self::Attach(attach) => node::block_on(attach.run()),
            Self::Attachments(list) => node::block_on(list.run()),
            Self::Save(save) => node::block_on(save.run()),
            Self::Assign(assign) => node::block_on(assign.run()),
            Self::Draft(draft) => node::block_on(draft.run()),
            Self::Acknowledge(step) => step.run(),
            Self::RequestInformation(step) => step.run(),
            Self::ProvideInformation(step) => step.run(),
            Self::Accept(step) => step.run(),
            Self::Decline(step) => step.run(),
            Self::Withdraw(step) => step.run(),
            Self::Start(step) => step.run(),
            Self::Schedule(step) => step.run(),
            Self::Missed(step) => step.run(),
            Self::Pause(step) => step.run(),
            Self::Resume(step) => step.run(),
            Self::Deliver(step) => step.run(),
            Self::FollowUp(step) => step.run(),
            Self::Close(step) => step.run(),
            Self::Cancel(step) => step.run(),
            Self::Expire(step) => step.run(),
            Self::Onward(onward) => onward.run(),
            Self::Reopen(step) => step.run(),
            Self::Handover(step) => step.run(),
            Self::WithdrawConsent(step) => step.run(),
            Self::RenewConsent(step) => step.run(),
            Self::ConfirmConsent(step) => step.run(),
            Self::RequestErasure(step) => step.run(),
            Self::Correct(step) => step.run(),
            Self::EnteredInError(step) => step.run(),
        }
    }
}

/// Which referral, for every command about one.
#[derive(Debug, Args)]
pub(crate) struct IdArg {
    /// The referral's id, or its first characters.
    #[arg(value_name = "ID", value_parser = id_or_prefix)]
    pub(crate) id: String,
}

/// Digits of an id in full.
pub(crate) const ID_DIGITS: usize = 32;

/// Hexadecimal digits, as many as an id has or fewer.
pub(crate) fn id_or_prefix(text: &str) -> Result<String, &'static str> {
    let text = text.to_ascii_lowercase();
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && (1..=ID_DIGITS).contains(&text.len()) {
        Ok(text)
    } else {
        Err("an id is up to 32 of the digits 0 to 9 and a to f")
    }
}

impl IdArg {
    /// The whole id; where a part was given, the one referral that begins so.
    pub(crate) async fn resolve(&self, node: &Node) -> Result<String, Failure> {
        if self.id.len() == ID_DIGITS {
            return Ok(self.id.clone());
        }
        let all = pages::referrals(node, ListReferralsRequest::default()).await?;
        choose(&self.id, all.iter().map(|referral| referral.id.as_str()), "referral")
    }
}

/// The one id that begins with `prefix`.
pub(crate) fn choose<'a>(
    prefix: &str,
    ids: impl Iterator<Item = &'a str>,
    what: &str,
) -> Result<String, Failure> {
    let found: Vec<&str> = ids.filter(|id| id.starts_with(prefix)).collect();
    let refused = |said: String| Failure::new(Exit::Refused, said).kept("everything as it was");
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(refused(format!("no {what} here has an id that begins with {prefix}"))
            .todo(format!("see: tutti {what} list"))),
        several => {
            let listed: Vec<String> = several.iter().take(5).map(|id| text::line(id)).collect();
            Err(refused(format!("{} ids begin with {prefix}", several.len()))
                .todo(format!("give more digits; they are {}", listed.join(", "))))
        }
    }
}

/// What a write came to.
pub(crate) fn show_receipt(done: &str, receipt: &api::Receipt, next: &str, json: bool) {
    if json {
        json::print(&json::Receipt::from(receipt));
        return;
    }
    say(done);
    say(format!(
        "  entry {} of {}, {}",
        receipt.index,
        text::line(&receipt.origin),
        time::local(receipt.recorded_at_ms)
    ));
    if !next.is_empty() {
        say(format!("  next: {next}"));
    }
}

/// The first eight digits of an id: what people type.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// A code by its name; the help lists all of them.
pub(crate) fn code<C: Code + Send + Sync>() -> impl TypedValueParser<Value = C> {
    PossibleValuesParser::new(C::NAMES)
        .try_map(|name| codes::parse::<C>(&name).ok_or("not a name of this list"))
}

/// The names of several codes.
pub(crate) fn names<C: Code>(numbers: &[i32]) -> String {
    numbers.iter().map(|number| codes::name::<C>(*number)).collect::<Vec<_>>().join(", ")
}

/// Those that say something, one after the other.
fn joined(mut parts: Vec<String>) -> String {
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_cut_short() {
        assert_eq!(id_or_prefix("3F9a").as_deref(), Ok("3f9a"));
        for wrong in ["", "xyz", "3f9a-", &"a".repeat(33)] {
            assert!(id_or_prefix(wrong).is_err(), "{wrong}");
        }
        let ids = ["3f9a00", "3f9b00", "a0"];
        let choose = |prefix| choose(prefix, ids.into_iter(), "referral");
        assert_eq!(choose("a").ok().as_deref(), Some("a0"));
        assert_eq!(choose("3f9b").ok().as_deref(), Some("3f9b00"));
        let text =
            |prefix| choose(prefix).map_err(|failure| failure.to_string()).expect_err(prefix);
        assert!(text("3f").contains("3f9a00, 3f9b00"), "{}", text("3f"));
        assert!(text("b").contains("tutti referral list"), "{}", text("b"));
    }
}
