//! `tutti group`: names for some societies, to whom information is addressed.

use clap::{Args, Subcommand};
use tutti_core::society::Society;
use tutti_proto::node::v1::{Group as GroupMessage, ListGroupsRequest};

use crate::{
    failure::{Exit, Outcome},
    json,
    node::{self, Asked, NodeArgs},
    screen::{say, table},
    text,
};

/// Working groups: societies that information is addressed to by one name.
///
/// The federation's own stand in the roster. Others are this society's alone: the societies in it
/// learn of it by what is addressed to it.
#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    List(List),
    Set(Set),
    Remove(Remove),
}

/// List the working groups, and who is in each.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
}

/// Make a working group of this society's own, or say anew who is in it.
///
/// What was addressed to it before stays with those who were in it then.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name: small letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    name: String,
    /// Every society in it, by code.
    #[arg(value_name = "CODE", required = true)]
    members: Vec<Society>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Forget a working group of this society's own.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Its name.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    node: NodeArgs,
}

impl Group {
    pub(crate) fn run(self) -> Outcome {
        node::block_on(async {
            match self {
                Self::List(list) => list.run().await,
                Self::Set(set) => {
                    let members = set.members.iter().map(ToString::to_string).collect();
                    change(&set.node, set.name, members).await
                }
                Self::Remove(remove) => change(&remove.node, remove.name, Vec::new()).await,
            }
        })
    }
}

impl List {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let groups = node::ask(node.information().list_groups(ListGroupsRequest {})).await?.groups;
        if self.asked.json {
            json::print(&json::Groups::from(groups.as_slice()));
            return Ok(Exit::Ok);
        }
        if groups.is_empty() {
            say("There is no working group.");
            return Ok(Exit::Ok);
        }
        let row = |group: &GroupMessage| {
            let whose = if group.of_the_federation { "the federation" } else { "this society" };
            vec![text::line(&group.name), whose.into(), group.members.join(", ")]
        };
        say(table(&["group", "of", "societies"], groups.iter().map(row)));
        Ok(Exit::Ok)
    }
}

async fn change(node: &NodeArgs, name: String, members: Vec<String>) -> Outcome {
    let node = node.connect().await?;
    let group = GroupMessage { name, members, of_the_federation: false };
    let group = node::ask(node.information().set_group(group)).await?;
    let name = text::line(&group.name);
    say(match group.members.as_slice() {
        [] => format!("There is no working group {name} any more."),
        members => format!("Working group {name}: {}.", members.join(", ")),
    });
    Ok(Exit::Ok)
}
