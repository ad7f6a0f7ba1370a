//! `tutti.node.v1.Node`.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tutti_core::{information::InformationId, people::Action, referral::ReferralId};
use tutti_proto::node::v1::{self as api, node_server::Node};

use super::{Context, admit::refused};
use crate::{
    clock::now_ms,
    engine::{Watcher, desk_message},
    local::{Actor, Admitted},
};

/// Changes that wait for a slow watcher here; the engine's own queue for it is longer.
const QUEUE: usize = 16;

pub(super) struct Service(pub(super) Context);

#[tonic::async_trait]
impl Node for Service {
    type WatchStream = ReceiverStream<Result<api::WatchEvent, Status>>;

    async fn status(
        &self,
        request: Request<api::StatusRequest>,
    ) -> Result<Response<api::StatusResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let mut status = self.0.engine.ask(move |engine, now| engine.status(&actor, now)).await??;
        status.version = env!("CARGO_PKG_VERSION").into();
        status.started_at_ms = self.0.about.started_at_ms;
        status.listen = self.0.about.listen.clone();
        status.peers = self.0.peers().await?;
        status.warnings.extend(self.0.about.notices.iter().cloned());
        if !status.peers.is_empty() && !status.peers.iter().any(|peer| peer.connected) {
            status.warnings.push(
                "no peer is connected: what is written stays here for now. See `tutti peers`"
                    .into(),
            );
        }
        Ok(Response::new(status))
    }

    async fn peers(
        &self,
        request: Request<api::PeersRequest>,
    ) -> Result<Response<api::PeersResponse>, Status> {
        let actor = self.0.actor(&request)?;
        self.0.engine.ask(move |engine, _| engine.check(&actor, Action::Status)).await??;
        Ok(Response::new(api::PeersResponse { peers: self.0.peers().await? }))
    }

    async fn watch(
        &self,
        request: Request<api::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let admitted = self.0.admitted(&request)?;
        let kinds = request.into_inner().kinds;
        let known = ["referral", "information", "log", "peer", "access", "approval"];
        if let Some(other) = kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
            return Err(Status::invalid_argument(format!(
                "{other:?} is no kind of change. Known are: {}",
                known.join(", ")
            )));
        }
        let actor = admitted.actor.clone();
        let watcher = self.0.engine.ask(move |engine, _| engine.watch(&actor, kinds)).await??;
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(forward(self.0.clone(), admitted, watcher, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Ends when the watcher has gone away or the node stops.
async fn forward(
    context: Context,
    mut admitted: Admitted,
    mut watcher: Watcher,
    sender: mpsc::Sender<Result<api::WatchEvent, Status>>,
) {
    loop {
        let change = tokio::select! {
            change = watcher.next() => change,
            () = sender.closed() => return,
        };
        match change {
            Some(change) => {
                // Roles change, tokens end while somebody watches.
                match context.gate.again(&admitted, now_ms()) {
                    Some(again) => admitted = again,
                    None => {
                        let _ = sender.send(Err(refused())).await;
                        return;
                    }
                }
                if !context.shows(&admitted.actor, &change).await {
                    continue;
                }
                if sender.send(Ok(change)).await.is_err() {
                    return;
                }
            }
            None => {
                let _ = sender.send(Err(Status::unavailable("the node is stopping"))).await;
                return;
            }
        }
    }
}

impl Context {
    /// Whether somebody may know of a change: of a case or an addressed share, only where they see it.
    async fn shows(&self, actor: &Actor, change: &api::WatchEvent) -> bool {
        match change.kind.as_str() {
            "access" => return actor.may(Action::ReadAccess),
            "approval" => {
                let actions = [
                    Action::ApproveOverride,
                    Action::ApproveInformation,
                    Action::Send,
                    Action::WriteInformation,
                ];
                return actions.into_iter().any(|action| actor.may(action));
            }
            "information" => {
                let Ok(id) = change.id.parse::<InformationId>() else { return false };
                let actor = actor.clone();
                let ask = self.engine.ask(move |engine, _| engine.sees_share(&actor, &id));
                return ask.await.unwrap_or(false);
            }
            "referral" => {}
            _ => return true,
        }
        let Ok(id) = change.id.parse::<ReferralId>() else { return false };
        let actor = actor.clone();
        self.engine.ask(move |engine, _| engine.sees_case(&actor, &id)).await.unwrap_or(false)
    }

    /// What is known of each member but this one, as the roster in force lists them.
    async fn peers(&self) -> Result<Vec<api::Peer>, Status> {
        let members = self.engine.ask(|engine, _| {
            let own = engine.identity().society;
            let others = engine.roster().members().iter().filter(|member| member.society != own);
            others
                .map(|member| {
                    let (name, endpoints) = (member.name.clone(), member.endpoints.clone());
                    (member.society, name, endpoints, desk_message(member))
                })
                .collect::<Vec<_>>()
        });
        let (members, states) = (members.await?, self.peers.states());
        let peers = members
            .into_iter()
            .map(|(society, name, endpoints, desk)| {
                let state = states.get(&society).cloned().unwrap_or_default();
                let link = state.link.as_ref();
                let dialled = |link: &crate::peers::LinkState| {
                    if link.dialled { "dialled" } else { "accepted" }
                };
                api::Peer {
                    society: society.to_string(),
                    name,
                    endpoints,
                    connected: link.is_some(),
                    link: link.map(dialled).unwrap_or_default().into(),
                    since_ms: link.map_or(0, |link| link.since_ms),
                    last_heard_ms: state.heard_ms(),
                    last_error: state.last_error.clone(),
                    bytes_in: state.bytes_in(),
                    bytes_out: state.bytes_out(),
                    round_trip_us: link.map_or(0, |link| link.round_trip_us),
                    desk,
                }
            })
            .collect();
        Ok(peers)
    }
}
