//! `tutti information`: what societies tell each other, and migrants and their families.

mod draft;
mod list;
mod respond;
mod show;
mod write;

use clap::Subcommand;
use tutti_proto::node::v1::ListInformationRequest;

use crate::{
    failure::{Failure, Outcome},
    node::{self, Node},
    pages,
    referral::{ID_DIGITS, choose},
};

/// Share what changed: laws, policies, alerts, guidance, good practice; and answer what others share.
///
/// Nothing personal belongs here.
#[derive(Subcommand)]
pub(crate) enum Information {
    Template(write::Template),
    Publish(write::Publish),
    Revise(write::Revise),
    Retract(write::Retract),
    List(list::List),
    Show(show::Show),
    Acknowledge(respond::Acknowledge),
    Endorse(respond::Endorse),
    Dispute(respond::Dispute),
    ActedOn(respond::ActedOn),
    Translate(respond::Translate),
    TakeBack(respond::TakeBack),
    #[command(subcommand)]
    Draft(draft::Draft),
}

impl Information {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Template(template) => template.run(),
            Self::Publish(publish) => node::block_on(publish.run()),
            Self::Revise(revise) => node::block_on(revise.run()),
            Self::Retract(retract) => node::block_on(retract.run()),
            Self::List(list) => node::block_on(list.run()),
            Self::Show(show) => node::block_on(show.run()),
            Self::Acknowledge(acknowledge) => node::block_on(acknowledge.run()),
            Self::Endorse(endorse) => node::block_on(endorse.run()),
            Self::Dispute(dispute) => node::block_on(dispute.run()),
            Self::ActedOn(acted) => node::block_on(acted.run()),
            Self::Translate(translate) => node::block_on(translate.run()),
            Self::TakeBack(take_back) => node::block_on(take_back.run()),
            Self::Draft(draft) => node::block_on(draft.run()),
        }
    }
}

/// The whole id of a share; where a part was given, the one that begins so.
async fn resolve(id: &str, node: &Node) -> Result<String, Failure> {
    if id.len() == ID_DIGITS {
        return Ok(id.to_owned());
    }
    let request = ListInformationRequest { with_ended: true, ..Default::default() };
    let all = pages::shares(node, request).await?;
    choose(id, all.iter().map(|share| share.id.as_str()), "information")
}
