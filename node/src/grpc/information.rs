//! `tutti.node.v1.Information`.

use tonic::{Request, Response, Status};
use tutti_proto::node::v1::{self as api, information_server::Information};

use super::{Context, decode};

pub(super) struct Service(pub(super) Context);

#[tonic::async_trait]
impl Information for Service {
    async fn publish(
        &self,
        request: Request<api::PublishInformationRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let draft = request.draft.clone();
        let write = decode::publish(request)?;
        let written = self.0.write_approved(actor, write, &draft).await?;
        Ok(Response::new(decode::receipt(&written)))
    }

    async fn revise(
        &self,
        request: Request<api::ReviseInformationRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let draft = request.draft.clone();
        let write = decode::revise(request)?;
        let written = self.0.write_approved(actor, write, &draft).await?;
        Ok(Response::new(decode::receipt(&written)))
    }

    async fn retract(
        &self,
        request: Request<api::RetractInformationRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let write = decode::retract(request.into_inner())?;
        Ok(Response::new(decode::receipt(&self.0.write(actor, write).await?)))
    }

    async fn respond(
        &self,
        request: Request<api::RespondInformationRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let draft = request.draft.clone();
        let write = decode::respond(request, &self.0.about.origin)?;
        let written = self.0.write_approved(actor, write, &draft).await?;
        Ok(Response::new(decode::receipt(&written)))
    }

    async fn list_groups(
        &self,
        request: Request<api::ListGroupsRequest>,
    ) -> Result<Response<api::ListGroupsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let groups = self.0.engine.ask(move |engine, _| engine.groups(&actor)).await??;
        Ok(Response::new(groups))
    }

    async fn set_group(
        &self,
        request: Request<api::Group>,
    ) -> Result<Response<api::Group>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.set_group(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn list(
        &self,
        request: Request<api::ListInformationRequest>,
    ) -> Result<Response<api::ListInformationResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.read_shares(&actor, &request, now));
        let page = ask.await??;
        Ok(Response::new(page))
    }

    async fn get(
        &self,
        request: Request<api::GetInformationRequest>,
    ) -> Result<Response<api::InformationShare>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.read_share(&actor, &request, now));
        let share = ask.await??;
        Ok(Response::new(share))
    }
}
