//! `tutti referral assign`: whose a case is, within the society.

use clap::Args;
use tutti_proto::node::v1::{AssignReferralRequest, WhoAmIRequest};

use super::{IdArg, short};
use crate::{
    failure::{Exit, Outcome},
    node::{self, NodeArgs},
    screen::say,
    text,
};

/// Give a case to a caseworker, take it, or give it back.
///
/// What arrives is seen by focal points until somebody has it. The other society is told nothing.
#[derive(Debug, Args)]
pub(crate) struct Assign {
    #[command(flatten)]
    id: IdArg,
    /// To whom; the name of an account.
    #[arg(value_name = "NAME", required_unless_present_any = ["take", "release"])]
    name: Option<String>,
    /// To yourself.
    #[arg(long, conflicts_with_all = ["name", "release"])]
    take: bool,
    /// To nobody: the focal points see it again.
    #[arg(long, conflicts_with = "name")]
    release: bool,
    #[command(flatten)]
    node: NodeArgs,
}

impl Assign {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let id = self.id.resolve(&node).await?;
        let name = match self.take {
            true => {
                let me = node::ask(node.people().who_am_i(WhoAmIRequest {})).await?;
                me.account.map(|account| account.name).unwrap_or_default()
            }
            false => self.name.unwrap_or_default(),
        };
        let request = AssignReferralRequest { id: id.clone(), name };
        let answer = node::ask(node.referrals().assign(request)).await?;
        say(match answer.assigned_to.as_str() {
            "" => format!("Referral {} is nobody's: the focal points see it.", short(&id)),
            name => format!("Referral {} is {}'s now.", short(&id), text::line(name)),
        });
        Ok(Exit::Ok)
    }
}
